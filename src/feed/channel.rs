//! A log that many tasks publish to, read and wait on.

use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::{oneshot, watch};

use super::{
    ChannelName, Follower, Limits, Watch,
    durable::{Durable, NotStored, Writer},
    log::{Ahead, Batch, Log, ReadLimit, TooLarge},
    store::Remembered,
};
use crate::event::{Cursor, Draft, Epoch, Event};

/// A named log with waiting readers.
///
/// The lock is held for the length of an append or of copying a few pointers, never across an `await`.
/// `head` repeats the number of the newest event for those who wait: a `watch` remembers that it changed,
/// so an event published between a read and the wait after it wakes the reader all the same.
#[derive(Debug)]
pub struct Channel {
    shared: Arc<Shared>,
    /// The way to the disk; `None` for a channel that lives in memory alone.
    durable: Option<Durable>,
}

/// The part of a channel that whoever writes it down needs too.
#[derive(Debug)]
pub(super) struct Shared {
    log: RwLock<Log>,
    head: watch::Sender<u64>,
}

impl Shared {
    fn new(log: Log) -> Arc<Self> {
        let head = watch::Sender::new(log.head().sequence);
        Arc::new(Shared { log: RwLock::new(log), head })
    }

    /// Puts an event that is on the disk into the log, wakes whoever waits, and gives the number of the
    /// newest event that is no longer in the log.
    pub(super) fn append(&self, event: Event) -> u64 {
        let sequence = event.id.sequence;
        let base = {
            let mut log = self.log.write();
            log.push(event);
            log.base().sequence
        };
        self.wake(sequence);
        base
    }

    fn wake(&self, sequence: u64) {
        // Two publishers may get here in the other order than at the log; the larger number stays.
        self.head.send_if_modified(|head| {
            let later = sequence > *head;
            *head = sequence.max(*head);
            later
        });
    }
}

/// An event that has its place and is not yet everywhere that it should be.
#[derive(Debug)]
#[must_use = "an event is published once `stored` has said so"]
pub struct Submitted {
    id: Cursor,
    stored: Option<oneshot::Receiver<Result<(), NotStored>>>,
}

impl Submitted {
    /// Waits until the event is where readers find it, and on the disk where the feed has one.
    ///
    /// # Errors
    /// Where it could not be written down.
    pub async fn stored(self) -> Result<Cursor, NotStored> {
        match self.stored {
            None => Ok(self.id),
            Some(stored) => stored.await.unwrap_or_else(|_| Err(NotStored::ended())).map(|()| self.id),
        }
    }

    /// The same for a thread that may block.
    ///
    /// # Errors
    /// Where it could not be written down.
    ///
    /// # Panics
    /// On a thread that drives an async runtime, where the feed has a disk.
    pub fn stored_blocking(self) -> Result<Cursor, NotStored> {
        match self.stored {
            None => Ok(self.id),
            Some(stored) => {
                stored.blocking_recv().unwrap_or_else(|_| Err(NotStored::ended())).map(|()| self.id)
            }
        }
    }
}

/// Why an event was not published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// It alone is larger than the channel may be.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// It could not be written down.
    #[error(transparent)]
    NotStored(#[from] NotStored),
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
        Channel { shared: Shared::new(Log::new(Epoch::random(), limits)), durable: None }
    }

    /// An empty channel that is written down.
    pub(super) fn durable(name: &ChannelName, limits: Limits, writer: &Arc<Writer>) -> Self {
        let epoch = Epoch::random();
        let durable = Some(Durable::create(name, epoch, limits, writer));
        Channel { shared: Shared::new(Log::new(epoch, limits)), durable }
    }

    /// A channel as it was written down.
    pub(super) fn restored(remembered: Remembered, limits: Limits, writer: &Arc<Writer>) -> Self {
        let Remembered { name, epoch, events } = remembered;
        let log = Log::restored(epoch, limits, events);
        let durable = Some(Durable::go_on(&name, log.head(), limits, writer));
        Channel { shared: Shared::new(log), durable }
    }

    /// Publishes an event and waits until it is published: for threads that may block, and for channels that
    /// live in memory alone, where it is a matter of nanoseconds. Async code takes [`Channel::submit`].
    ///
    /// # Errors
    /// Where the event alone is larger than the channel may be, or could not be written down.
    pub fn publish(&self, draft: Draft) -> Result<Cursor, PublishError> {
        Ok(self.submit(draft)?.stored_blocking()?)
    }

    /// Gives an event its place in the log, and wakes whoever waits once it is there. In memory that is at
    /// once; on a disk it takes a flush, which whoever comes in meanwhile shares.
    ///
    /// # Errors
    /// Where the event alone is larger than the channel may be.
    pub fn submit(&self, draft: Draft) -> Result<Submitted, TooLarge> {
        if let Some(durable) = &self.durable {
            let (id, stored) = durable.submit(&self.shared, draft)?;
            return Ok(Submitted { id, stored: Some(stored) });
        }
        let id = self.shared.log.write().append(draft)?;
        self.shared.wake(id.sequence);
        Ok(Submitted { id, stored: None })
    }

    /// The cursor of the newest event: the present.
    pub fn head(&self) -> Cursor {
        self.shared.log.read().head()
    }

    /// What the channel holds.
    pub fn holdings(&self) -> Holdings {
        let log = self.shared.log.read();
        Holdings { cursor: log.head(), oldest: log.base(), events: log.len(), bytes: log.bytes() }
    }

    /// What there is after a cursor, at once.
    ///
    /// # Errors
    /// Where the cursor is ahead of the channel.
    pub fn since(&self, after: Cursor, limit: ReadLimit) -> Result<Batch, Ahead> {
        self.shared.log.read().since(after, limit)
    }

    /// What there is after a cursor, as soon as there is something. The caller bounds the wait; a wait
    /// that is dropped leaves nothing behind.
    ///
    /// # Errors
    /// Where the cursor is ahead of the channel.
    pub async fn wait_after(&self, after: Cursor, limit: ReadLimit) -> Result<Batch, Ahead> {
        wait_after(self, &mut self.shared.head.subscribe(), after, limit).await
    }

    /// A bell that rings for events published from now on.
    pub fn watch(&self) -> Watch {
        Watch::new(self.shared.head.subscribe())
    }

    /// A reader that goes on from a cursor, or from the present where there is none.
    ///
    /// # Errors
    /// Where the cursor is ahead of the channel.
    pub fn follow(self: &Arc<Self>, after: Option<Cursor>, limit: ReadLimit) -> Result<Follower, Ahead> {
        let cursor = {
            let log = self.shared.log.read();
            let cursor = after.unwrap_or_else(|| log.head());
            log.locate(cursor)?;
            cursor
        };
        Ok(Follower::new(Arc::clone(self), self.shared.head.subscribe(), cursor, limit))
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
