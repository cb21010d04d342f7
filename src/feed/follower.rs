//! A reader that goes on.

use std::sync::Arc;

use tokio::sync::watch;

use super::{
    channel::{Channel, wait_after},
    log::{Batch, ReadLimit},
};
use crate::event::Cursor;

/// A reader of a channel: a cursor, and a way to be woken. All that a slow reader costs is this.
#[derive(Debug)]
pub struct Follower {
    channel: Arc<Channel>,
    head: watch::Receiver<u64>,
    cursor: Cursor,
    limit: ReadLimit,
}

impl Follower {
    pub(super) fn new(
        channel: Arc<Channel>,
        head: watch::Receiver<u64>,
        cursor: Cursor,
        limit: ReadLimit,
    ) -> Self {
        Follower { channel, head, cursor, limit }
    }

    /// Where the reader stands.
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// Everything after the cursor, up to the limit, as soon as there is something; never empty.
    ///
    /// Cancel-safe: the cursor moves only when a batch is handed out.
    pub async fn next(&mut self) -> Batch {
        // A cursor that `follow` let pass is never ahead: sequences only grow within an epoch, and a
        // channel keeps its epoch for as long as anybody holds it.
        let batch = wait_after(&self.channel, &mut self.head, self.cursor, self.limit)
            .await
            .expect("a follower's cursor comes from its own channel");
        self.cursor = batch.cursor;
        batch
    }
}
