//! The task that owns many streams.

use std::{
    collections::VecDeque,
    future::Future,
    mem,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::{
    Arrival, GiveBack, Habits,
    again::{Request, Requests},
    crowd::{Audience, Crowds},
    inbox::{Bell, Inbox, Note, Post},
    places::Places,
    stream::{Phase, Stream},
    wheel::Wheel,
};

/// Members that a crowd's turn comes to: between two turns the inbox and the clock are looked at, and the runtime's
/// other tasks have a chance. It is some 200 µs, the longest that a publish waits for a round that is going on.
const TURN: usize = 32;

/// Notes between two turns.
const NOTES: usize = 256;

/// What is read at a time: from one socket after the other, into the same memory.
const SCRATCH_BYTES: usize = 16 << 10;

/// A writer: all of its streams, and who of them is to be seen to.
pub(super) struct Writer {
    inbox: Arc<Inbox>,
    pub(super) habits: Habits,
    pub(super) streams: Places<Box<Stream>>,
    pub(super) crowds: Crowds,
    requests: Requests,
    /// Crowds that have news, in the order of their turns.
    rounds: VecDeque<u32>,
    notes: VecDeque<Note>,
    /// The inbox's memory while it is not in use there.
    spare: Post,
    wheel: Wheel,
    timer: Pin<Box<Sleep>>,
    shutdown: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    abort: Pin<Box<WaitForCancellationFutureOwned>>,
    /// The time of this round, which is read once for all.
    pub(super) now: Instant,
    pub(super) scratch: Vec<u8>,
    pub(super) give_back: Arc<GiveBack>,
}

impl Writer {
    pub(super) fn new(
        inbox: Arc<Inbox>,
        habits: Habits,
        shutdown: CancellationToken,
        abort: CancellationToken,
        give_back: Arc<GiveBack>,
    ) -> Self {
        let now = Instant::now();
        Writer {
            inbox,
            habits,
            streams: Places::default(),
            crowds: Crowds::default(),
            requests: Requests::default(),
            rounds: VecDeque::new(),
            notes: VecDeque::new(),
            spare: Post::default(),
            wheel: Wheel::new(now),
            timer: Box::pin(sleep_until(now)),
            shutdown: Some(Box::pin(shutdown.cancelled_owned())),
            abort: Box::pin(abort.cancelled_owned()),
            now,
            scratch: vec![0; SCRATCH_BYTES],
            give_back,
        }
    }

    /// Takes a stream in, and writes what its reader lacks already.
    fn admit(&mut self, arrival: Arrival) {
        let (opening, leftover) = (arrival.handed.opening.clone(), arrival.leftover.clone());
        let asked = arrival.asked.as_ref().and_then(|asked| Request::new(asked, arrival.handed.cursor));
        let handed = &arrival.handed;
        let audience = Audience {
            channel: Arc::clone(&handed.channel),
            format: handed.format,
            limit: handed.waits.as_ref().map_or(self.habits.limit, |waits| waits.limit),
            head: handed.waits.as_ref().map(|waits| waits.head.clone()).unwrap_or_default(),
        };
        let key = self.streams.reserve();
        let bell = Bell::new(&self.inbox, Note::Stream(key));
        let mut stream = Box::new(Stream::new(arrival, bell, self.now));
        if let Some(cut) = stream.wire.cut() {
            // Set before the first look at the cut, so that none goes unseen.
            cut.tell(stream.waker());
        }
        stream.ping_at = self.now + self.habits.heartbeat;

        if let (Some(poll), Some(asked)) = (&mut stream.poll, asked) {
            poll.request = Some(self.requests.shared(asked));
        }
        self.streams.put(key, stream);
        self.join_crowd(key, audience);
        self.open(key, opening, &leftover);
    }

    /// One turn of a crowd: its next few members.
    fn turn(&mut self, key: u32) {
        let (mut gone, mut answered) = (Vec::new(), Vec::new());
        let Some(crowd) = self.crowds.get(key) else { return };
        let head = crowd.audience.channel.head();
        for _ in 0..TURN {
            let Some(member) = crowd.next() else { break };
            let Some(stream) = self.streams.get(member) else { continue };
            // One whose socket is full goes on by itself once there is room.
            if stream.phase != Phase::Open || !stream.is_drained() || stream.cursor == head {
                continue;
            }
            if !crowd.serve(stream, head, self.now) {
                gone.push(member);
            } else if stream.poll.is_some() {
                answered.push(member);
            } else {
                crowd.again |= stream.cursor != head && stream.is_drained();
            }
        }
        if crowd.to_come == 0 && crowd.again {
            crowd.begin();
        }
        if crowd.to_come > 0 {
            self.rounds.push_back(key);
        } else {
            crowd.end();
        }
        for member in gone {
            self.remove(member);
        }
        for member in answered {
            self.is_answered(member);
        }
    }

    /// A crowd's channel has news: it gets its turns.
    fn tend(&mut self, key: u32) {
        let Some(crowd) = self.crowds.get(key) else { return };
        if !crowd.has_news() {
            return;
        }
        if crowd.is_queued {
            crowd.again = true;
        } else {
            crowd.begin();
            self.rounds.push_back(key);
        }
    }

    /// Looks at those whose time has come, and sets the timer for the next.
    fn watch_the_clock(&mut self, context: &mut Context<'_>) {
        loop {
            while let Some(streams) = self.wheel.pop(self.now) {
                for key in streams {
                    self.look_at_mark(key);
                }
            }
            let Some(next) = self.wheel.next() else { return };
            if self.timer.deadline() != next {
                self.timer.as_mut().reset(next);
            }
            if self.timer.as_mut().poll(context).is_pending() {
                return;
            }
            self.now = Instant::now().max(next);
        }
    }

    /// Puts a stream where it is to be looked at next, if nothing happens before.
    pub(super) fn put_on_wheel(&mut self, key: u32) {
        let Some(stream) = self.streams.get(key) else { return };
        if let Some(at) = stream.due(&self.habits) {
            self.wheel.put(key, at, self.now);
        }
    }

    /// A stream is told events from here on.
    pub(super) fn join_crowd(&mut self, key: u32, audience: Audience) {
        let Some(stream) = self.streams.get(key) else { return };
        let bell = |key| Bell::new(&self.inbox, Note::Crowd(key));
        stream.member = Some(self.crowds.join(audience, key, bell));
    }

    /// A stream is told no events any more.
    pub(super) fn leave_crowd(&mut self, key: u32) {
        let Some((crowd_key, place)) = self.streams.get(key).and_then(|stream| stream.member.take()) else {
            return;
        };
        if let Some(moved) = self.crowds.leave(crowd_key, place)
            && let Some(stream) = self.streams.get(moved)
        {
            stream.member = Some((crowd_key, place));
        }
    }

    /// Lets a stream go; its socket is closed, and its place free for somebody else.
    pub(super) fn remove(&mut self, key: u32) {
        drop(self.release(key));
    }

    /// Takes a stream out.
    pub(super) fn release(&mut self, key: u32) -> Option<Box<Stream>> {
        self.leave_crowd(key);
        let stream = self.streams.release(key)?;
        self.inbox.left();
        Some(stream)
    }

    /// Drops whatever is left.
    fn end(&mut self) {
        let late = self.inbox.close();
        drop(late);
        for key in self.streams.keys().collect::<Vec<_>>() {
            let silent = self.streams.get(key).filter(|stream| matches!(stream.phase, Phase::Silent(_)));
            if let Some(cut) = silent.and_then(|stream| stream.wire.cut()) {
                cut.silence_is_over();
            }
            self.remove(key);
        }
    }
}

impl Future for Writer {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let writer = self.get_mut();
        // First, so that whatever is left in the inbox from here on wakes us again.
        writer.inbox.register(context.waker());
        if writer.abort.as_mut().poll(context).is_ready() {
            writer.end();
            return Poll::Ready(());
        }
        if writer.shutdown.as_mut().is_some_and(|shutdown| shutdown.as_mut().poll(context).is_ready()) {
            // Every stream is cut at once: each sees so when it is looked at.
            writer.shutdown = None;
            writer.notes.extend(writer.streams.keys().map(Note::Stream));
        }
        writer.now = Instant::now();
        let mut post = writer.inbox.take(mem::take(&mut writer.spare));
        for arrival in post.arrived.drain(..) {
            writer.admit(arrival);
        }
        writer.notes.extend(post.notes.drain(..));
        writer.spare = post;
        for _ in 0..NOTES {
            match writer.notes.pop_front() {
                Some(Note::Stream(key)) => writer.look(key),
                Some(Note::Crowd(key)) => writer.tend(key),
                None => break,
            }
        }
        writer.watch_the_clock(context);
        if let Some(key) = writer.rounds.pop_front() {
            writer.turn(key);
        }
        if !(writer.notes.is_empty() && writer.rounds.is_empty()) {
            // To the back of the queue, and behind whoever has something to read by now: before it comes back to who
            // has yielded, the runtime asks its sockets. By waking ourselves we would keep a publisher waiting for the
            // end of the round, and no two events would ever share a write.
            let _ = pin!(tokio::task::yield_now()).poll(context);
        }
        Poll::Pending
    }
}
