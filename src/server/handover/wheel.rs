//! When to look at whom: one timer for all of a writer's streams.
//!
//! A timer per reader would be ten thousand entries that the runtime sorts, and as many wake-ups, each for
//! one heartbeat. Here times are rounded up to the marks of a wheel, so those that lie close together ring
//! together; and a stream that is written to need not be moved: when its mark comes it is looked at, and if
//! it was not silent it goes to a later one.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

/// What lies ahead is late by less than this part of the time until then.
const LATE: u64 = 256;

/// The marks ahead, and whom to look at when each has come.
#[derive(Debug)]
pub(super) struct Wheel {
    start: Instant,
    /// By their milliseconds from the start, as the runtime's own timer counts.
    marks: BTreeMap<u64, Vec<u32>>,
}

impl Wheel {
    pub(super) fn new(start: Instant) -> Self {
        Wheel { start, marks: BTreeMap::new() }
    }

    /// Puts a stream at the first mark that is not before `at`, unless it stands at one before that already,
    /// which is `mark`; gives where it stands now. The marks lie the farther apart the farther they are ahead.
    pub(super) fn put(&mut self, stream: u32, at: Instant, now: Instant, mark: Option<u64>) -> u64 {
        let ahead = at.saturating_duration_since(now).as_millis() as u64;
        // A power of two, so that those who are put there at different times meet.
        let grain = 1 << (ahead / LATE).max(1).ilog2();
        let millis = at.saturating_duration_since(self.start).as_nanos().div_ceil(1_000_000) as u64;
        let wanted = millis.next_multiple_of(grain);
        match mark {
            Some(mark) if mark <= wanted => mark,
            _ => {
                self.marks.entry(wanted).or_default().push(stream);
                wanted
            }
        }
    }

    /// When the next mark comes.
    pub(super) fn next(&self) -> Option<Instant> {
        self.marks.first_key_value().map(|(mark, _)| self.time(*mark))
    }

    /// A mark that has come, and who stands at it. A stream that has been put elsewhere since, or has gone,
    /// is among them still.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(u64, Vec<u32>)> {
        let mark = *self.marks.first_key_value()?.0;
        if self.time(mark) > now {
            return None;
        }
        self.marks.pop_first()
    }

    fn time(&self, mark: u64) -> Instant {
        self.start + Duration::from_millis(mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_looked_at_early_and_neighbours_together() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut wheel = Wheel::new(start);
        let first = wheel.put(1, at(1_025), start, None);
        let second = wheel.put(2, at(1_028), at(3), None);
        assert_eq!((first, second), (1_028, 1_028));
        assert_eq!(
            wheel.put(3, at(9), start, None),
            9,
            "what is near is not late by more than a millisecond"
        );
        assert_eq!(wheel.pop(at(9)), Some((9, vec![3])));
        assert_eq!(wheel.next(), Some(at(1_028)));
        assert!(wheel.pop(at(1_027)).is_none());
        assert_eq!(wheel.pop(at(1_028)), Some((1_028, vec![1, 2])));
        assert_eq!(wheel.next(), None);
    }

    #[test]
    fn a_stream_is_moved_to_an_earlier_mark_only() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut wheel = Wheel::new(start);
        let mark = wheel.put(1, at(5), start, None);
        assert_eq!(wheel.put(1, at(9), start, Some(mark)), 5, "it is looked at and put on then");
        assert_eq!(wheel.put(1, at(2), start, Some(mark)), 2);
    }
}
