//! The bounded log behind a channel: append, evict, read after a cursor.
//!
//! Pure data: no locks, no waiting, no clock; what a channel promises is proved here.

use std::{collections::VecDeque, sync::Arc};

use super::{Entry, Limits};
use crate::event::{Cursor, Draft, Epoch, Event, Gap, GapReason};

/// What one read of the log yields.
#[derive(Debug, Clone)]
pub struct Batch {
    /// What is missing before the first of `entries`.
    pub gap: Option<Gap>,
    /// Where reading started: the reader's cursor, or after a gap the place just before the oldest event
    /// that is still there. A reader that has taken note of the gap stands here until it has read on.
    pub start: Cursor,
    /// The events after `start`, in order.
    pub entries: Vec<Arc<Entry>>,
    /// Where the reader stands once it has read this.
    pub cursor: Cursor,
}

impl Batch {
    /// Whether there is nothing to tell: no event and no gap.
    pub fn is_empty(&self) -> bool {
        self.gap.is_none() && self.entries.is_empty()
    }
}

/// How much one read may yield; what is beyond is there for the next read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReadLimit {
    /// Events.
    pub events: usize,
    /// Bytes of types and data; one event is read however large it is.
    pub bytes: usize,
}

impl Default for ReadLimit {
    /// As much as a wake-up should write at once: large enough that a burst becomes one write, small
    /// enough that a thousand slow readers' pending writes fit in memory.
    fn default() -> Self {
        ReadLimit { events: 1_000, bytes: 256 << 10 }
    }
}

/// A cursor of this epoch that no event has reached yet, so that nobody can have been given it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "cursor {cursor} is ahead of the channel, which stands at {head}: hand back an id or cursor exactly as it was received, or leave it out to start at the present"
)]
pub struct Ahead {
    cursor: Cursor,
    head: Cursor,
}

/// An event larger than a whole channel may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the event has {size} bytes and a channel holds at most {limit}: publish smaller ones")]
pub struct TooLarge {
    size: usize,
    limit: usize,
}

#[derive(Debug)]
pub(super) struct Log {
    epoch: Epoch,
    /// The number of the first event in `entries`, or of the next one where there is none.
    first: u64,
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
    max_events: usize,
    max_bytes: usize,
}

impl Log {
    pub(super) fn new(epoch: Epoch, limits: Limits) -> Self {
        Log {
            epoch,
            first: 1,
            entries: VecDeque::new(),
            bytes: 0,
            // A log that could hold no event at all would turn every event into a gap.
            max_events: limits.events_per_channel.max(1),
            max_bytes: limits.bytes_per_channel,
        }
    }

    /// A log as it was: `events` in order and without holes. What exceeds the bounds is evicted.
    pub(super) fn restored(epoch: Epoch, limits: Limits, events: Vec<Event>) -> Self {
        let mut log = Log::new(epoch, limits);
        log.first = events.first().map_or(1, |event| event.id.sequence);
        for event in events {
            log.push(event);
        }
        log
    }

    /// Whether an event fits into a log of so many bytes.
    pub(super) fn check(draft: &Draft, limit: usize) -> Result<(), TooLarge> {
        let size = draft.size();
        if size > limit { Err(TooLarge { size, limit }) } else { Ok(()) }
    }

    /// Adds an event at the end and evicts at the front until the bounds hold again.
    pub(super) fn append(&mut self, draft: Draft) -> Result<Cursor, TooLarge> {
        Self::check(&draft, self.max_bytes)?;
        let id = Cursor { sequence: self.head().sequence + 1, ..self.head() };
        self.push(draft.with_id(id));
        Ok(id)
    }

    /// The same with an event that has its place already, the next one.
    pub(super) fn push(&mut self, event: Event) {
        debug_assert_eq!(event.id.sequence, self.head().sequence + 1, "a log has no holes");
        let entry = Arc::new(Entry::new(event));
        self.bytes += size_of_entry(&entry);
        self.entries.push_back(entry);
        while self.entries.len() > self.max_events || self.bytes > self.max_bytes {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes -= size_of_entry(&oldest);
            self.first += 1;
        }
    }

    /// The cursor of the newest event.
    pub(super) fn head(&self) -> Cursor {
        self.at(self.first + self.entries.len() as u64 - 1)
    }

    /// The cursor before the oldest event that is still there.
    pub(super) fn base(&self) -> Cursor {
        self.at(self.first - 1)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What comes after a cursor, preceded by a gap where the log no longer reaches back to it.
    pub(super) fn since(&self, after: Cursor, limit: ReadLimit) -> Result<Batch, Ahead> {
        let (gap, start) = self.locate(after)?;
        let mut entries = Vec::new();
        let mut bytes = 0;
        let skip = (start.sequence - self.base().sequence) as usize;
        for entry in self.entries.range(skip..).take(limit.events.max(1)) {
            bytes += size_of_entry(entry);
            if bytes > limit.bytes && !entries.is_empty() {
                break;
            }
            entries.push(Arc::clone(entry));
        }
        let cursor = entries.last().map_or(start, |entry| entry.id);
        Ok(Batch { gap, start, entries, cursor })
    }

    /// Where reading after a cursor starts, and what is missing before.
    pub(super) fn locate(&self, after: Cursor) -> Result<(Option<Gap>, Cursor), Ahead> {
        let base = self.base();
        if after.epoch != self.epoch {
            return Ok((Some(Gap { missed: None, reason: GapReason::Restarted }), base));
        }
        if after.sequence > self.head().sequence {
            return Err(Ahead { cursor: after, head: self.head() });
        }
        match base.sequence.checked_sub(after.sequence) {
            None | Some(0) => Ok((None, after)),
            Some(missed) => Ok((Some(Gap { missed: Some(missed), reason: GapReason::Evicted }), base)),
        }
    }

    fn at(&self, sequence: u64) -> Cursor {
        Cursor { epoch: self.epoch, sequence }
    }
}

fn size_of_entry(entry: &Entry) -> usize {
    entry.kind.len() + entry.data.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Publish(usize),
        Read { reader: usize, limit: usize },
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let publish = (0_usize..40).prop_map(Step::Publish);
        let read = (0_usize..3, 1_usize..6).prop_map(|(reader, limit)| Step::Read { reader, limit });
        proptest::collection::vec(prop_oneof![publish, read], 1..200)
    }

    proptest! {
        /// The promise: whatever happens in between, each reader accounts for every event, in order,
        /// once, as an event or in a gap whose count is right.
        #[test]
        fn a_reader_that_follows_its_cursor_misses_nothing_unsaid(
            steps in steps(), max_events in 1_usize..8, max_bytes in 60_usize..200,
        ) {
            let limits = Limits { events_per_channel: max_events, bytes_per_channel: max_bytes, ..Limits::default() };
            let mut log = Log::new(Epoch::new(1), limits);
            let mut cursors = [log.head(); 3];
            let mut published = 0;
            for step in steps {
                match step {
                    Step::Publish(size) => {
                        let id = log.append(Draft::message("x".repeat(size))).expect("fits");
                        published += 1;
                        prop_assert_eq!(id.sequence, published);
                        prop_assert!(log.len() <= max_events && log.bytes() <= max_bytes && log.len() >= 1);
                    }
                    Step::Read { reader, limit } => {
                        let limit = ReadLimit { events: limit, bytes: 50 };
                        let mut next = cursors[reader].sequence + 1;
                        let batch = log.since(cursors[reader], limit).expect("not ahead");
                        if let Some(gap) = batch.gap {
                            prop_assert_eq!(gap.reason, GapReason::Evicted);
                            next += gap.missed.expect("evictions are counted");
                        }
                        prop_assert_eq!(batch.start.sequence, next - 1, "the events follow the start");
                        for entry in &batch.entries {
                            prop_assert_eq!(entry.id.sequence, next);
                            next += 1;
                        }
                        prop_assert_eq!(batch.cursor.sequence, next - 1);
                        let more = batch.cursor != log.head();
                        prop_assert!(!more || !batch.entries.is_empty(), "a read makes progress");
                        cursors[reader] = batch.cursor;
                    }
                }
            }
        }

        #[test]
        fn a_cursor_of_another_epoch_gets_a_gap_and_all_that_is_there(old in 0_u64..20, events in 0_u64..10) {
            let mut log = Log::new(Epoch::new(2), Limits::default());
            for _ in 0..events {
                log.append(Draft::message("x")).expect("fits");
            }
            let batch = log.since(Cursor { epoch: Epoch::new(1), sequence: old }, ReadLimit::default()).expect("read");
            prop_assert_eq!(batch.gap, Some(Gap { missed: None, reason: GapReason::Restarted }));
            prop_assert_eq!(batch.entries.len() as u64, events);
            prop_assert_eq!(batch.cursor, log.head());
        }
    }

    #[test]
    fn a_cursor_ahead_of_the_log_is_an_error_and_a_huge_event_too() {
        let limits = Limits { bytes_per_channel: 10, ..Limits::default() };
        let mut log = Log::new(Epoch::new(1), limits);
        let ahead = Cursor { sequence: 1, ..log.head() };
        assert!(log.since(ahead, ReadLimit::default()).is_err());
        let refused = log.append(Draft::message("x".repeat(11)));
        assert!(refused.expect_err("too large").to_string().contains("at most 10"));
        assert_eq!(log.head().sequence, 0, "a refused event takes no number");
    }
}
