//! When to look at whom: one timer for all of a writer's streams.
//!
//! A timer per reader would be ten thousand entries that the runtime sorts, and as many wake-ups, each for
//! one heartbeat. Here times are rounded up to the marks of a wheel, so those that lie close together ring
//! together; and a stream that is written to need not be moved: when its mark comes it is looked at, and if
//! it was not silent it goes to a later one. The same holds for one that leaves: whoever has its number next is
//! looked at in its stead. So polls that come again and again leave nothing behind at marks far ahead.

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
    /// The mark at which the stream of each number stands.
    stands: Vec<Option<u64>>,
}

impl Wheel {
    pub(super) fn new(start: Instant) -> Self {
        Wheel { start, marks: BTreeMap::new(), stands: Vec::new() }
    }

    /// Puts a stream at the first mark that is not before `at`, unless it stands at one before that already. The
    /// marks lie the farther apart the farther they are ahead.
    pub(super) fn put(&mut self, stream: u32, at: Instant, now: Instant) {
        let ahead = at.saturating_duration_since(now).as_millis() as u64;
        // A power of two, so that those who are put there at different times meet.
        let grain = 1 << (ahead / LATE).max(1).ilog2();
        let millis = at.saturating_duration_since(self.start).as_nanos().div_ceil(1_000_000) as u64;
        let wanted = millis.next_multiple_of(grain);
        let place = stream as usize;
        if self.stands.len() <= place {
            self.stands.resize(place + 1, None);
        }
        if self.stands[place].is_none_or(|mark| mark > wanted) {
            self.stands[place] = Some(wanted);
            self.marks.entry(wanted).or_default().push(stream);
        }
    }

    /// When the next mark comes.
    pub(super) fn next(&self) -> Option<Instant> {
        self.marks.first_key_value().map(|(mark, _)| self.time(*mark))
    }

    /// Who stands at a mark that has come; `None` where none has.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Vec<u32>> {
        let mark = *self.marks.first_key_value()?.0;
        if self.time(mark) > now {
            return None;
        }
        let (_, mut streams) = self.marks.pop_first()?;
        // Some have been put elsewhere since.
        streams.retain(|stream| self.stands[*stream as usize] == Some(mark));
        streams.iter().for_each(|stream| self.stands[*stream as usize] = None);
        Some(streams)
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
        wheel.put(1, at(1_025), start);
        wheel.put(2, at(1_028), at(3));
        wheel.put(3, at(9), start);
        assert_eq!(wheel.next(), Some(at(9)), "what is near is not late by more than a millisecond");
        assert_eq!(wheel.pop(at(9)), Some(vec![3]));
        assert_eq!(wheel.next(), Some(at(1_028)));
        assert!(wheel.pop(at(1_027)).is_none());
        assert_eq!(wheel.pop(at(1_028)), Some(vec![1, 2]));
        assert_eq!(wheel.next(), None);
    }

    #[test]
    fn a_stream_is_moved_to_an_earlier_mark_only() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut wheel = Wheel::new(start);
        wheel.put(1, at(5), start);
        wheel.put(1, at(9), start);
        assert_eq!(wheel.next(), Some(at(5)), "it is looked at and put on then");
        wheel.put(1, at(2), start);
        assert_eq!(wheel.pop(at(2)), Some(vec![1]));
        assert_eq!(wheel.pop(at(5)), Some(vec![]), "it stood there no longer");
    }

    #[test]
    fn who_comes_again_and_again_stands_at_one_mark() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        for round in 0..1_000 {
            let now = start + Duration::from_millis(round);
            wheel.put(1, now + Duration::from_secs(55), now);
            wheel.put(1, now + Duration::from_secs(30), now);
        }
        assert!(wheel.marks.values().map(Vec::len).sum::<usize>() <= 2);
    }
}
