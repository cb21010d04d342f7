//! When to look at whom: one timer for all of a writer's streams.
//!
//! A timer per reader would be ten thousand entries that the runtime sorts, and as many wake-ups, each for
//! one heartbeat. Here times are rounded up to the marks of a wheel, so those that lie close together ring
//! together; and a stream that is written to need not be moved: when its mark comes it is looked at, and if
//! it was not silent it goes to a later one.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

/// Into how many marks a heartbeat is divided: a sign of life is late by less than half a percent.
const MARKS_PER_HEARTBEAT: u32 = 256;

/// The marks ahead, and whom to look at when each has come.
#[derive(Debug)]
pub(super) struct Wheel {
    start: Instant,
    /// From one mark to the next.
    step: Duration,
    marks: BTreeMap<u64, Vec<u32>>,
}

impl Wheel {
    pub(super) fn new(heartbeat: Duration, start: Instant) -> Self {
        // The runtime's own timer counts in milliseconds.
        let step = (heartbeat / MARKS_PER_HEARTBEAT).max(Duration::from_millis(1));
        Wheel { start, step, marks: BTreeMap::new() }
    }

    /// Puts a stream at the first mark that is not before `at`, unless it stands at one before that already,
    /// which is `mark`; gives where it stands now.
    pub(super) fn put(&mut self, stream: u32, at: Instant, mark: Option<u64>) -> u64 {
        let wanted =
            at.saturating_duration_since(self.start).as_nanos().div_ceil(self.step.as_nanos()) as u64;
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
        self.start + Duration::from_nanos(mark.saturating_mul(self.step.as_nanos() as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_looked_at_early_and_neighbours_together() {
        let start = Instant::now();
        let step = Duration::from_millis(4);
        let mut wheel = Wheel::new(step * MARKS_PER_HEARTBEAT, start);
        let first = wheel.put(1, start + Duration::from_millis(9), None);
        let second = wheel.put(2, start + Duration::from_millis(12), None);
        assert_eq!((first, second), (3, 3));
        assert_eq!(wheel.next(), Some(start + step * 3));
        assert!(wheel.pop(start + Duration::from_millis(11)).is_none());
        assert_eq!(wheel.pop(start + step * 3), Some((3, vec![1, 2])));
        assert_eq!(wheel.next(), None);
    }

    #[test]
    fn a_stream_is_moved_to_an_earlier_mark_only() {
        let start = Instant::now();
        let step = Duration::from_millis(4);
        let mut wheel = Wheel::new(step * MARKS_PER_HEARTBEAT, start);
        let mark = wheel.put(1, start + step * 5, None);
        assert_eq!(wheel.put(1, start + step * 9, Some(mark)), 5, "it is looked at and put on then");
        assert_eq!(wheel.put(1, start + step * 2, Some(mark)), 2);
    }
}
