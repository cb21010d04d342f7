//! The readers of one channel in one format, who are told the same.

use std::{
    sync::Arc,
    task::{Context, Waker},
};

use super::{format::Format, inbox::Bell, runs::Runs};
use crate::{
    event::Cursor,
    feed::{Channel, ReadLimit, Watch},
};

use super::stream::Stream;

/// A crowd, and how far the round through it has come.
#[derive(Debug)]
pub(super) struct Crowd {
    pub(super) channel: Arc<Channel>,
    pub(super) format: Format,
    pub(super) members: Vec<u32>,
    /// How many members the round has still to come to. It goes from the last to the first: a member that
    /// leaves is replaced by the last one, and so nobody is moved from among those to come to those behind.
    pub(super) to_come: usize,
    /// A round is going on or about to.
    pub(super) is_queued: bool,
    /// There will be something for another one.
    pub(super) again: bool,
    runs: Runs,
    watch: Watch,
    bell: Arc<Bell>,
    waker: Waker,
}

impl Crowd {
    pub(super) fn new(channel: Arc<Channel>, format: Format, bell: Arc<Bell>) -> Self {
        let waker = Waker::from(Arc::clone(&bell));
        let watch = channel.watch();
        let mut crowd = Crowd {
            channel,
            format,
            members: Vec::new(),
            to_come: 0,
            is_queued: false,
            again: false,
            runs: Runs::default(),
            watch,
            bell,
            waker,
        };
        crowd.has_news();
        crowd
    }

    /// Whether anything was published since this was asked last; from here on its bell rings.
    pub(super) fn has_news(&mut self) -> bool {
        self.bell.answer();
        let mut context = Context::from_waker(&self.waker);
        let mut news = false;
        while self.watch.poll_published(&mut context).is_ready() {
            news = true;
        }
        news
    }

    /// Begins a round.
    pub(super) fn begin(&mut self) {
        (self.to_come, self.is_queued, self.again) = (self.members.len(), true, false);
        self.runs.clear();
    }

    /// Ends it. What was joined for it is not kept, so that a channel that falls silent holds nothing.
    pub(super) fn end(&mut self) {
        self.is_queued = false;
        self.runs.clear();
    }

    /// The next to be come to.
    pub(super) fn next(&mut self) -> Option<u32> {
        self.to_come = self.to_come.min(self.members.len()).checked_sub(1)?;
        Some(self.members[self.to_come])
    }

    /// Writes to a member what comes after its cursor: everything, or as much as one may get at a time. False
    /// where it can't be served on.
    pub(super) fn serve(
        &mut self,
        stream: &mut Stream,
        head: Cursor,
        limit: ReadLimit,
        now: tokio::time::Instant,
    ) -> bool {
        let Some(run) = self.runs.after(stream.cursor, head, &self.channel, self.format, limit) else {
            return false;
        };
        stream.cursor = run.cursor;
        stream.send(run.bytes, now).is_ok()
    }
}
