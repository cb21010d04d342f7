//! A log that many tasks publish to, read and wait on.

use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::watch;

use super::{
    Follower, Limits,
    log::{Ahead, Batch, Log, ReadLimit, TooLarge},
};
use crate::event::{Cursor, Draft, Epoch};

/// A named log with waiting readers.
///
/// The lock is held for the length of an append or of copying a few pointers, never across an `await`.
/// `head` repeats the number of the newest event for those who wait: a `watch` remembers that it changed,
/// so an event published between a read and the wait after it wakes the reader all the same.
#[derive(Debug)]
pub struct Channel {
    log: RwLock<Log>,
    head: watch::Sender<u64>,
}

/// What a channel holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Holdings {
    /// The cursor of the newest event.
    pub cursor: Cursor,
    /// The cursor before the oldest event that is still there.
    pub oldest: Cursor,
    /// Events in the log.
    pub events: usize,
    /// Bytes of their types and data.
    pub bytes: usize,
}

impl Channel {
    /// An empty channel in an epoch of its own.
    pub fn new(limits: Limits) -> Self {
        Channel { log: RwLock::new(Log::new(Epoch::random(), limits)), head: watch::Sender::new(0) }
    }

    /// Appends an event and wakes whoever waits.
    ///
    /// # Errors
    /// Where the event alone is larger than the channel may be.
    pub fn publish(&self, draft: Draft) -> Result<Cursor, TooLarge> {
        let id = self.log.write().append(draft)?;
        // Two publishers may get here in the other order than at the log; the larger number stays.
        self.head.send_if_modified(|head| {
            let later = id.sequence > *head;
            *head = id.sequence.max(*head);
            later
        });
        Ok(id)
    }

    /// The cursor of the newest event: the present.
    pub fn head(&self) -> Cursor {
        self.log.read().head()
    }

    /// What the channel holds.
    pub fn holdings(&self) -> Holdings {
        let log = self.log.read();
        Holdings { cursor: log.head(), oldest: log.base(), events: log.len(), bytes: log.bytes() }
    }

    /// What there is after a cursor, at once.
    ///
    /// # Errors
    /// Where the cursor is ahead of the channel.
    pub fn since(&self, after: Cursor, limit: ReadLimit) -> Result<Batch, Ahead> {
        self.log.read().since(after, limit)
    }

    /// What there is after a cursor, as soon as there is something. The caller bounds the wait; a wait
    /// that is dropped leaves nothing behind.
    ///
    /// # Errors
    /// Where the cursor is ahead of the channel.
    pub async fn wait_after(&self, after: Cursor, limit: ReadLimit) -> Result<Batch, Ahead> {
        wait_after(self, &mut self.head.subscribe(), after, limit).await
    }

    /// A reader that goes on from a cursor, or from the present where there is none.
    ///
    /// # Errors
    /// Where the cursor is ahead of the channel.
    pub fn follow(self: &Arc<Self>, after: Option<Cursor>, limit: ReadLimit) -> Result<Follower, Ahead> {
        let cursor = {
            let log = self.log.read();
            let cursor = after.unwrap_or_else(|| log.head());
            log.locate(cursor)?;
            cursor
        };
        Ok(Follower::new(Arc::clone(self), self.head.subscribe(), cursor, limit))
    }
}

/// The wait that long poll does once and a follower again and again.
pub(super) async fn wait_after(
    channel: &Channel,
    head: &mut watch::Receiver<u64>,
    after: Cursor,
    limit: ReadLimit,
) -> Result<Batch, Ahead> {
    loop {
        // Marked as seen before the read, never after it: whatever is published from here on wakes us.
        head.borrow_and_update();
        let batch = channel.since(after, limit)?;
        if !batch.is_empty() {
            return Ok(batch);
        }
        // The sender lives in the channel that we hold, so this can't fail.
        let _ = head.changed().await;
    }
}

#[cfg(test)]
mod tests {
    use std::{future::Future, pin::pin, task::Context};

    use super::*;

    #[tokio::test]
    async fn a_wait_ends_with_the_event_that_is_published_meanwhile() {
        let channel = Channel::new(Limits::default());
        let after = channel.head();
        let mut wait = pin!(channel.wait_after(after, ReadLimit::default()));
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(wait.as_mut().poll(&mut context).is_pending());
        channel.publish(Draft::message("x")).expect("fits");
        let batch = wait.await.expect("not ahead");
        assert_eq!(batch.entries.len(), 1);
        assert_eq!(batch.cursor, channel.head());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn followers_see_all_that_concurrent_publishers_publish() {
        const EACH: u64 = 2_000;
        let channel = Arc::new(Channel::new(Limits::default()));
        let mut follower = channel.follow(None, ReadLimit::default()).expect("the present");
        let publishers: Vec<_> = (0..3)
            .map(|_| {
                let channel = Arc::clone(&channel);
                tokio::spawn(async move {
                    for _ in 0..EACH {
                        channel.publish(Draft::message("x")).expect("fits");
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        let mut expected = 1;
        while expected <= 3 * EACH {
            let batch = follower.next().await;
            assert_eq!(batch.gap, None);
            for entry in batch.entries {
                assert_eq!(entry.id.sequence, expected);
                expected += 1;
            }
        }
        for publisher in publishers {
            publisher.await.expect("no panic");
        }
    }
}
