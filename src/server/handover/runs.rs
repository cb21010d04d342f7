//! Runs of events, joined once for all who stand at the same place.

use bytes::Bytes;

use super::crowd::Audience;
use crate::event::Cursor;

/// How many runs are remembered: where most readers are, and where those are that fell behind together.
const REMEMBERED: usize = 4;

/// Events after a cursor, ready to be written.
#[derive(Debug, Clone)]
pub(super) struct Run {
    after: Cursor,
    pub(super) bytes: Bytes,
    /// Where a reader stands once it has been written this.
    pub(super) cursor: Cursor,
    /// More would not have fitted, whatever is published later.
    is_full: bool,
}

/// The runs that were made last.
#[derive(Debug, Default)]
pub(super) struct Runs(Vec<Run>);

impl Runs {
    /// What comes after a cursor, up to the limit. `head` is where the channel stood a moment ago: a run that
    /// was made before and ends short of it is made anew, unless it is full.
    ///
    /// `None` where the reader can't be served on: there is a gap that its format can't tell.
    pub(super) fn after(&mut self, cursor: Cursor, head: Cursor, audience: &Audience) -> Option<Run> {
        let fits = |run: &&Run| run.after == cursor && (run.is_full || run.cursor.sequence >= head.sequence);
        if let Some(run) = self.0.iter().rev().find(fits) {
            return Some(run.clone());
        }
        // The cursor is one that the channel has given out, so it is never ahead.
        let batch = audience.channel.since(cursor, audience.limit).ok()?;
        let is_full = batch.cursor.sequence < head.sequence;
        let bytes = audience.format.join(&audience.head, &batch)?;
        let run = Run { after: cursor, bytes, cursor: batch.cursor, is_full };
        self.0.retain(|old| old.after != cursor);
        if self.0.len() == REMEMBERED {
            self.0.remove(0);
        }
        self.0.push(run.clone());
        Some(run)
    }

    /// Forgets them, as at the end of a round: what comes then ends at a later event.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::{
        event::Draft,
        feed::{Channel, Limits, ReadLimit},
        server::handover::Format,
    };

    #[test]
    fn who_stands_at_one_place_is_written_the_same_bytes() {
        let channel = Arc::new(Channel::new(Limits::default()));
        let start = channel.head();
        let limit = ReadLimit { events: 2, ..ReadLimit::default() };
        let audience =
            Audience { channel: Arc::clone(&channel), format: Format::Sse, limit, head: Bytes::new() };
        let mut runs = Runs::default();
        let mut after =
            |cursor, channel: &Channel| runs.after(cursor, channel.head(), &audience).expect("no gap");
        let publish = || channel.publish(Draft::message("x")).expect("fits");
        let one = publish();
        let run = after(start, &channel);
        assert_eq!(run.cursor, one);
        assert_eq!(run.bytes.as_ptr(), after(start, &channel).bytes.as_ptr());
        let two = publish();
        let longer = after(start, &channel);
        assert_eq!(longer.cursor, two, "what was published since is in it");
        publish();
        let full = after(start, &channel);
        assert_eq!((full.cursor, full.bytes.len()), (two, longer.bytes.len()), "as much as fits");
        assert_eq!(full.bytes.as_ptr(), after(start, &channel).bytes.as_ptr());
    }
}
