//! What is different with a poll: it waits for one answer, and then its connection goes back to HTTP.
//!
//! The answer is an HTTP message like any other. What comes before the body was made by HTTP, with whatever
//! headers a request from there calls for, and is the same for nearly all who poll a channel: so an answer is made
//! once for all of them, as a stream's run is. Between two polls the connection stays here too, for hyper's
//! buffers would be its largest part. Where the next request is the same again it waits again ([`again`](super::again));
//! otherwise it is handed on to a new hyper together with the socket.

use std::{
    io::Write as _,
    sync::{Arc, Weak},
    time::{Duration, SystemTime},
};

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::time::Instant;

use super::{
    again::Request,
    attend::Gone,
    stream::{Phase, Stream},
    writer::Writer,
};
use crate::{
    feed::{Batch, Channel, ReadLimit},
    server::{connection::Connection, polling},
};

/// What a client may send ahead of its answer; it is heard no further then. It is as much as HTTP reads of a
/// request's head.
const AHEAD_BYTES: usize = 16 << 10;

/// What a poll waits for.
#[derive(Debug)]
pub(crate) struct Waits {
    /// What its answer holds at most.
    pub(super) limit: ReadLimit,
    /// How long it waits for something to tell.
    time: Duration,
    until: Instant,
    /// The head of its answer, but for length and date.
    pub(super) head: Bytes,
}

impl Waits {
    /// From now on, for so long.
    pub(crate) fn new(limit: ReadLimit, time: Duration) -> Self {
        Waits { limit, time, until: Instant::now() + time, head: Bytes::new() }
    }
}

/// A poll's own part of a stream.
#[derive(Debug)]
pub(super) struct Poll {
    /// When it is answered even if there is nothing to tell.
    pub(super) until: Instant,
    /// How long it waits, from a request on.
    pub(super) time: Duration,
    pub(super) limit: ReadLimit,
    pub(super) head: Bytes,
    /// Between two polls nobody holds the channel for them.
    pub(super) channel: Weak<Channel>,
    /// What it asked, where that is known to the byte.
    pub(super) request: Option<Arc<Request>>,
    /// What its client said ahead: the next request, or a part of it.
    pub(super) ahead: BytesMut,
    connection: Arc<Connection>,
}

impl Poll {
    pub(super) fn new(
        waits: Waits,
        channel: Weak<Channel>,
        connection: Arc<Connection>,
        ahead: Bytes,
    ) -> Self {
        let Waits { limit, time, until, head } = waits;
        let ahead = BytesMut::from(ahead);
        Poll { until, time, limit, head, channel, request: None, ahead, connection }
    }

    /// Takes a request from the front of what was said ahead. The memory goes with the last.
    pub(super) fn take(&mut self, length: usize) {
        self.ahead.advance(length);
        if self.ahead.is_empty() {
            self.ahead = BytesMut::new();
        }
    }
}

/// What becomes of a connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// It carries the next request.
    Open,
    /// It ends.
    Closed,
}

/// An answer with a batch, from the first byte to the last.
pub(super) fn answer(head: &[u8], batch: &Batch, after: After) -> Bytes {
    let body = polling::body(batch);
    let mut answer = Vec::with_capacity(head.len() + 128 + body.len());
    answer.extend_from_slice(head);
    if after == After::Closed {
        answer.extend_from_slice(b"connection: close\r\n");
    }
    let date = httpdate::fmt_http_date(SystemTime::now());
    // Writing to memory can't fail.
    let _ = write!(answer, "content-length: {}\r\ndate: {date}\r\n\r\n", body.len());
    answer.extend_from_slice(&body);
    answer.into()
}

impl Stream {
    /// The answer of a poll for which there is nothing.
    pub(super) fn empty_answer(&self, after: After) -> Bytes {
        let head = self.poll.as_ref().map(|poll| poll.head.clone()).unwrap_or_default();
        answer(&head, &polling::nothing_after(self.cursor), after)
    }

    /// Whether the next request has begun to come.
    pub(super) fn is_asked_again(&self) -> bool {
        self.poll.as_ref().is_some_and(|poll| !poll.ahead.is_empty())
    }
}

impl Writer {
    /// A poll's answer has been written, or as much of it as its socket takes.
    pub(super) fn is_answered(&mut self, key: u32) {
        self.leave_crowd(key);
        let Some(stream) = self.streams.get(key) else { return };
        stream.phase = Phase::Answered;
        if stream.is_asked_again() {
            stream.bell.ring();
        }
        self.put_on_wheel(key);
    }

    /// Reads what a poll's client says before its answer, or after it: in both cases the next request.
    pub(super) fn read_ahead(&mut self, key: u32) -> Result<(), Gone> {
        let Writer { streams, scratch, .. } = self;
        let stream = streams.get(key).ok_or(Gone)?;
        while stream.poll.as_ref().is_some_and(|poll| poll.ahead.len() < AHEAD_BYTES) {
            match stream.read(scratch).map_err(|_| Gone)? {
                None => return Ok(()),
                Some([]) => return Err(Gone),
                Some(bytes) => {
                    if let Some(poll) = &mut stream.poll {
                        poll.ahead.extend_from_slice(bytes);
                    }
                }
            }
        }
        Ok(())
    }

    /// Gives a poll's connection back to HTTP, with what has come of its next request.
    pub(super) fn give_back(&mut self, key: u32) {
        let Some(stream) = self.release(key) else { return };
        let Stream { wire, poll, tracked, .. } = *stream;
        let Some(poll) = poll else { return };
        if let Some(cut) = wire.cut() {
            cut.tell_nobody();
        }
        (self.give_back)(wire, poll.connection, poll.ahead.freeze());
        // Not before: between the two the server could have ended.
        drop(tracked);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::Draft, feed::Limits};

    #[test]
    fn an_answer_is_as_long_as_it_says() {
        let channel = Channel::new(Limits::default());
        let start = channel.head();
        channel.publish(Draft::message("x")).expect("fits");
        let batch = channel.since(start, ReadLimit::default()).expect("not ahead");
        for (after, closes) in [(After::Open, false), (After::Closed, true)] {
            let answer = answer(b"HTTP/1.1 200 OK\r\na: b\r\n", &batch, after);
            let text = std::str::from_utf8(&answer).expect("text");
            let (head, body) = text.split_once("\r\n\r\n").expect("a head");
            assert!(head.starts_with("HTTP/1.1 200 OK\r\na: b\r\n") && head.contains("\r\ndate: "), "{head}");
            assert!(head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())), "{head}");
            assert_eq!(head.contains("\r\nconnection: close\r\n"), closes);
            let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
            assert_eq!(body["events"][0]["data"], "x");
        }
    }
}
