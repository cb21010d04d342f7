//! The feed: named channels, each a bounded, ordered log of events.
//!
//! A transport is a way of reading such a log after a cursor, and there are three of them:
//! [`Channel::since`] answers at once (short poll), [`Channel::wait_after`] as soon as there is something
//! (long poll), and [`Channel::follow`] again and again (SSE, WebSocket). The feed knows no HTTP.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `name` | what a channel may be called |
//! | `log` | the bounded log: append, evict, read after a cursor; no locks, no waiting |
//! | `entry` | an event in the log with its encodings, each made once and shared by all readers |
//! | `channel` | a log that many tasks publish to and wait on |
//! | `follower` | a reader that goes on |
//! | `watch` | a bell for one who keeps the cursors of many readers |
//! | `durable`, `store` | the way to the disk, for a feed that outlives its process; what is there |
//!
//! **Readers hold cursors, never queues.** A queue per reader, the usual way, either grows without bound
//! behind a slow reader or drops events silently; a cursor costs two words, and a reader that is too slow
//! for the log is told so by a [`Gap`](crate::event::Gap).

mod channel;
mod durable;
mod entry;
mod follower;
mod log;
mod name;
mod store;
mod watch;

use std::{
    collections::HashMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

pub use channel::{Channel, Holdings, PublishError, Submitted};
pub use durable::NotStored;
pub use entry::Entry;
pub use follower::Follower;
pub use log::{Ahead, Batch, ReadLimit, TooLarge};
pub use name::{BadName, ChannelName};
pub use store::StoreError;
pub use watch::Watch;

use durable::Writer;

/// Bounds on what publishers and visitors can make the feed hold.
///
/// Data is counted as published. Each format that is read adds one encoded copy of about the same size,
/// so a full feed takes about three times `channels × bytes_per_channel`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Events that a channel keeps; the oldest go first.
    pub events_per_channel: usize,
    /// Bytes of types and data that a channel keeps; also the largest event that it takes.
    pub bytes_per_channel: usize,
    /// Channels at a time.
    pub channels: usize,
    /// How long a channel without readers and publishers is kept.
    pub idle_after: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            events_per_channel: 10_000,
            bytes_per_channel: 4 << 20,
            channels: 128,
            idle_after: Duration::from_secs(15 * 60),
        }
    }
}

/// All channels of a server.
#[derive(Debug)]
pub struct Feed {
    limits: Limits,
    channels: Mutex<HashMap<ChannelName, Slot>>,
    /// The way to the disk; `None` for a feed that lives in memory alone.
    writer: Option<Arc<Writer>>,
}

#[derive(Debug)]
struct Slot {
    channel: Arc<Channel>,
    last_used: Instant,
}

/// A channel more than [`Limits::channels`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("all {0} channels are in use: use one that exists, or wait until an idle one is collected")]
pub struct TooManyChannels(usize);

impl Feed {
    /// A feed without channels, in memory: it ends with the process.
    pub fn new(limits: Limits) -> Self {
        Feed { limits, channels: Mutex::default(), writer: None }
    }

    /// A feed that is kept in a folder, with the channels, epochs and events that are there.
    ///
    /// What was published is on the disk, flushed by `fsync`: it outlives the process, and the machine as far
    /// as its disk keeps its word. The bounds hold there as well, give or take one commit.
    ///
    /// # Errors
    /// Where the folder can't be used, is in use, or holds something else.
    pub fn open(limits: Limits, folder: &Path) -> Result<Self, StoreError> {
        let (writer, remembered) = Writer::open(folder)?;
        let slot = |remembered| {
            let channel = Arc::new(Channel::restored(remembered, limits, &writer));
            Slot { channel, last_used: Instant::now() }
        };
        let channels = remembered.into_iter().map(|it| (it.name.clone(), slot(it))).collect();
        Ok(Feed { limits, channels: Mutex::new(channels), writer: Some(writer) })
    }

    /// The channel of this name, which comes to be on first use.
    ///
    /// # Errors
    /// Where it would be one too many, even after idle ones were collected.
    pub fn channel(&self, name: &ChannelName) -> Result<Arc<Channel>, TooManyChannels> {
        let now = Instant::now();
        let mut channels = self.channels.lock();
        if let Some(slot) = channels.get_mut(name) {
            slot.last_used = now;
            return Ok(Arc::clone(&slot.channel));
        }
        if channels.len() >= self.limits.channels {
            self.collect(&mut channels, now, false);
        }
        if channels.len() >= self.limits.channels {
            return Err(TooManyChannels(self.limits.channels));
        }
        let channel = Arc::new(match &self.writer {
            None => Channel::new(self.limits),
            Some(writer) => Channel::durable(name, self.limits, writer),
        });
        channels.insert(name.clone(), Slot { channel: Arc::clone(&channel), last_used: now });
        Ok(channel)
    }

    /// Drops the channels that nobody has used for [`Limits::idle_after`]. What is on a disk is to be kept:
    /// there an idle channel with events goes only when its place is needed.
    pub fn collect_idle(&self) {
        self.collect(&mut self.channels.lock(), Instant::now(), self.writer.is_some());
    }

    /// A channel is in use while anybody but its slot holds it. Channels are handed out under the same lock,
    /// so none can be taken up between the count and the removal.
    fn collect(&self, channels: &mut HashMap<ChannelName, Slot>, now: Instant, keep_events: bool) {
        channels.retain(|name, slot| {
            let in_use = Arc::strong_count(&slot.channel) > 1;
            if in_use {
                slot.last_used = now;
            }
            let idle = now.duration_since(slot.last_used) >= self.limits.idle_after;
            let keep = in_use || !idle || (keep_events && slot.channel.holdings().events > 0);
            if let (false, Some(writer)) = (keep, &self.writer) {
                writer.remove(name);
            }
            keep
        });
    }

    /// The names of the channels that there are, sorted.
    pub fn names(&self) -> Vec<ChannelName> {
        let mut names: Vec<_> = self.channels.lock().keys().cloned().collect();
        names.sort();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ChannelName {
        text.parse().expect("a good name")
    }

    #[test]
    fn a_channel_comes_to_be_on_first_use_and_is_the_same_afterwards() {
        let feed = Feed::new(Limits::default());
        let first = feed.channel(&name("a")).expect("room");
        assert!(Arc::ptr_eq(&first, &feed.channel(&name("a")).expect("room")));
        assert_eq!(feed.names(), [name("a")]);
    }

    #[test]
    fn one_channel_too_many_is_refused_until_an_idle_one_is_collected() {
        let limits = Limits { channels: 1, idle_after: Duration::ZERO, ..Limits::default() };
        let feed = Feed::new(limits);
        let held = feed.channel(&name("a")).expect("room");
        let refused = feed.channel(&name("b"));
        assert_eq!(refused.map(|_| ()), Err(TooManyChannels(1)), "a channel in use is kept");
        let old_epoch = held.head().epoch;
        drop(held);
        feed.channel(&name("b")).expect("the idle channel made room");
        feed.collect_idle();
        let again = feed.channel(&name("a")).expect("room");
        assert_ne!(again.head().epoch, old_epoch, "a collected channel's cursors are not mistaken");
    }
}
