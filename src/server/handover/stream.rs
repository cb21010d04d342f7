//! One open stream: its socket, its cursor, and what its socket has not taken yet.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::{Buf as _, Bytes};
use tokio::{
    io::{AsyncRead as _, ReadBuf},
    time::Instant,
};
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::{Arrival, Habits, format::Format, inbox::Bell, poll, talk::Talk};
use crate::{
    event::Cursor,
    server::{connection::Wire, readers::Reader},
};

/// A stream, from the moment at which HTTP lets go of its connection.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) wire: Wire,
    pub(super) format: Format,
    /// Where its reader stands.
    pub(super) cursor: Cursor,
    pub(super) phase: Phase,
    /// What is to be written before anything else. Of events it is one run at most, which is shared with
    /// other readers; with the log it is all that a reader that does not read can hold.
    out: VecDeque<Bytes>,
    /// The client of a WebSocket in the middle of something.
    pub(super) talk: Option<Box<Talk>>,
    pub(super) may_publish: bool,
    /// What is different with a poll.
    pub(super) poll: Option<Box<poll::Poll>>,
    /// Pings since anything was heard.
    pub(super) unanswered: u8,
    /// When the socket took something, or should have been given a sign of life.
    pub(super) wrote_at: Instant,
    /// When the next ping is due.
    pub(super) ping_at: Instant,
    /// The crowd that it belongs to, and its place there; none once it is leaving.
    pub(super) member: Option<(u32, u32)>,
    pub(super) bell: Arc<Bell>,
    /// The bell once more, as its socket knows it.
    waker: Waker,
    _reader: Option<Reader>,
    /// Keeps the server from ending before the stream has.
    pub(super) tracked: TaskTrackerToken,
}

/// How far a stream has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Events are written to it.
    Open,
    /// A poll that has been answered, or is being: its client may ask again.
    Answered,
    /// A WebSocket whose client is to answer our close frame, until then.
    Leaving(Instant),
    /// Once all is written nothing more follows.
    Ending,
    /// The same for a WebSocket, whose client is to close its side, until then. What it still sends is
    /// dropped: a socket that is closed with unread data is reset, and the reset may overtake what was
    /// written last.
    Finishing(Instant),
    /// Our side is closed.
    Finished(Instant),
    /// Nothing is read, written or closed until then, and nobody is told.
    Silent(Instant),
}

impl Stream {
    pub(super) fn new(arrival: Arrival, bell: Arc<Bell>, now: Instant) -> Self {
        let Arrival { wire, handed, leftover, connection, tracked, .. } = arrival;
        let waits = handed.waits.zip(connection);
        let channel = Arc::downgrade(&handed.channel);
        let poll =
            waits.map(|(waits, connection)| Box::new(poll::Poll::new(waits, channel, connection, leftover)));
        let waker = Waker::from(Arc::clone(&bell));
        Stream {
            wire,
            format: handed.format,
            cursor: handed.cursor,
            phase: Phase::Open,
            out: VecDeque::new(),
            talk: None,
            may_publish: handed.may_publish,
            poll,
            unanswered: 0,
            wrote_at: now,
            ping_at: now,
            member: None,
            bell,
            waker,
            _reader: handed.reader,
            tracked,
        }
    }

    /// When to look at it even if nothing happens.
    pub(super) fn due(&self, habits: &Habits) -> Option<Instant> {
        match (self.phase, self.format) {
            (
                Phase::Leaving(until)
                | Phase::Finishing(until)
                | Phase::Finished(until)
                | Phase::Silent(until),
                _,
            ) => Some(until),
            (Phase::Open, Format::WebSocket) if self.is_drained() => Some(self.ping_at),
            (Phase::Open, Format::WebSocket) => Some(self.wrote_at + habits.dead_after),
            (Phase::Open, Format::Sse) if self.is_drained() => Some(self.wrote_at + habits.heartbeat),
            (Phase::Open, Format::LongPoll) => self.poll.as_ref().map(|poll| poll.until),
            (Phase::Answered, _) if self.is_drained() => Some(self.wrote_at + habits.idle),
            // TCP itself finds out about peers that take nothing.
            (Phase::Open | Phase::Answered | Phase::Ending, _) => None,
        }
    }

    /// Its own waker, to be told of its socket and of its answers.
    pub(super) fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Whether the socket has taken all that it was given.
    pub(super) fn is_drained(&self) -> bool {
        self.out.is_empty()
    }

    /// Forgets what was to be written.
    pub(super) fn forget(&mut self) {
        self.out = VecDeque::new();
        self.talk = None;
    }

    /// Writes bytes, or as many as the socket takes; the rest follows when there is room.
    pub(super) fn send(&mut self, mut bytes: Bytes, now: Instant) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.out.is_empty() {
            match self.wire.try_write(&bytes) {
                Ok(written) if written == bytes.len() => {
                    self.wrote_at = now;
                    return Ok(());
                }
                Ok(written) => bytes.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            // From here on the socket rings when there is room.
            self.out.push_back(bytes);
            return self.drain(now);
        }
        self.out.push_back(bytes);
        Ok(())
    }

    /// Writes what is left as far as the socket takes it.
    pub(super) fn drain(&mut self, now: Instant) -> io::Result<()> {
        while let Some(first) = self.out.front_mut() {
            match self.wire.try_write(first) {
                Ok(written) => {
                    self.wrote_at = now;
                    first.advance(written);
                    if first.is_empty() {
                        self.out.pop_front();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let mut context = Context::from_waker(&self.waker);
                    if self.wire.poll_write_ready(&mut context)?.is_pending() {
                        return Ok(());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        if self.out.capacity() > 0 {
            self.out = VecDeque::new();
        }
        Ok(())
    }

    /// Reads what there is; `None` where there is nothing, and then the socket rings when there is. No bytes
    /// is the end. A read that does not fill the memory has emptied the socket, and none more is tried to see that.
    pub(super) fn read<'a>(&mut self, scratch: &'a mut [u8]) -> io::Result<Option<&'a [u8]>> {
        let mut context = Context::from_waker(&self.waker);
        let mut buffer = ReadBuf::new(scratch);
        match Pin::new(&mut self.wire).poll_read(&mut context, &mut buffer)? {
            Poll::Pending => Ok(None),
            Poll::Ready(()) => {
                let read = buffer.filled().len();
                Ok(Some(&scratch[..read]))
            }
        }
    }
}
