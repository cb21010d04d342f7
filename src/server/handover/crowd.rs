//! The readers of one channel who are told the same.

use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
    sync::Arc,
    task::{Context, Waker},
};

use bytes::Bytes;

use super::{format::Format, inbox::Bell, places::Places, runs::Runs};
use crate::{
    event::Cursor,
    feed::{Channel, ReadLimit, Watch},
};

use super::stream::Stream;

/// What is the same for all of a crowd, and so makes the bytes that they are written the same.
#[derive(Debug, Clone)]
pub(super) struct Audience {
    pub(super) channel: Arc<Channel>,
    pub(super) format: Format,
    /// What one is written at a time.
    pub(super) limit: ReadLimit,
    /// What stands before a run; a stream's stood before its first one only, and is none here.
    pub(super) head: Bytes,
}

impl Audience {
    fn rest(&self) -> (*const Channel, Format, ReadLimit, &Bytes) {
        (Arc::as_ptr(&self.channel), self.format, self.limit, &self.head)
    }
}

impl PartialEq for Audience {
    fn eq(&self, other: &Self) -> bool {
        self.rest() == other.rest()
    }
}

impl Eq for Audience {}

impl Hash for Audience {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.rest().hash(state);
    }
}

/// All crowds of a writer. None is empty.
#[derive(Debug, Default)]
pub(super) struct Crowds {
    crowds: Places<Crowd>,
    /// Strangers choose how many there are, so that looking through all of them would be theirs to prolong.
    keys: HashMap<Audience, u32>,
}

impl Crowds {
    pub(super) fn get(&mut self, key: u32) -> Option<&mut Crowd> {
        self.crowds.get(key)
    }

    /// Adds a member, and gives the number of its crowd and its place there. A new crowd gets its bell by
    /// its number.
    pub(super) fn join(
        &mut self,
        audience: Audience,
        member: u32,
        bell: impl FnOnce(u32) -> Arc<Bell>,
    ) -> (u32, u32) {
        let key = *self.keys.entry(audience).or_insert_with_key(|audience| {
            let key = self.crowds.reserve();
            self.crowds.put(key, Crowd::new(audience.clone(), bell(key)));
            key
        });
        let Some(crowd) = self.crowds.get(key) else { return (key, 0) };
        crowd.members.push(member);
        (key, crowd.members.len() as u32 - 1)
    }

    /// Takes the member at a place out, and gives the one that has the place now.
    pub(super) fn leave(&mut self, key: u32, place: u32) -> Option<u32> {
        let crowd = self.crowds.get(key)?;
        crowd.members.swap_remove(place as usize);
        if crowd.members.is_empty() {
            // And with it the channel, which is idle once nobody holds it.
            if let Some(crowd) = self.crowds.release(key) {
                self.keys.remove(&crowd.audience);
            }
            return None;
        }
        crowd.members.get(place as usize).copied()
    }
}

/// A crowd, and how far the round through it has come.
#[derive(Debug)]
pub(super) struct Crowd {
    pub(super) audience: Audience,
    members: Vec<u32>,
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
    fn new(audience: Audience, bell: Arc<Bell>) -> Self {
        let waker = Waker::from(Arc::clone(&bell));
        let watch = audience.channel.watch();
        let mut crowd = Crowd {
            audience,
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
    pub(super) fn serve(&mut self, stream: &mut Stream, head: Cursor, now: tokio::time::Instant) -> bool {
        let Some(run) = self.runs.after(stream.cursor, head, &self.audience) else {
            return false;
        };
        stream.cursor = run.cursor;
        stream.send(run.bytes, now).is_ok()
    }
}
