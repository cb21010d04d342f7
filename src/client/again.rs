//! A long poll that asks again what it asked before.
//!
//! From one question to the next nothing changes but the reader's place. HTTP has seen to the first of them: where it
//! leads, and how the server answers. So behind that the connection is taken out of hyper's hands, as the
//! server takes it (`server/handover/again`): the same request is written with the new place, and the answer
//! is read where it lies, in memory that all connections share. To the server, and on the wire, it is the same.
//! The plain way, which asks hyper each time, is what most clients do, and stays beside it
//! ([`Policy::plain`](super::Policy::plain)).

use std::{
    future::{Future, poll_fn},
    io,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll as Polled, ready},
};

use http::header;
use tokio::io::AsyncWrite as _;

use super::{
    Cause, Context,
    http::{FOUND_GONE_WITHIN, Http, USER_AGENT, incomplete},
    lifecycle::{Over, Teller},
    listening::Watch,
    poll::{Head, News, Poll},
    reply::{Reply, said_too_much},
};
use crate::{
    clock::Timestamp,
    link::{Counted, Tally},
};

/// A connection out of HTTP's hands, and how far question and answer have come.
pub(super) struct Line {
    stream: Counted,
    tally: Arc<Tally>,
    host: String,
    request: Vec<u8>,
    /// How much of that has been written.
    written: usize,
    asked: Timestamp,
    reply: Reply,
}

/// What an answer was.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answered {
    pub(super) news: News,
    /// The connection is not to be used again.
    pub(super) is_last: bool,
}

impl Line {
    /// Takes the connection in `slot` out of HTTP's hands, if it has answered and can be asked again.
    pub(super) fn of(slot: &mut Option<Http>, poll: &Poll) -> Result<Option<Line>, Over> {
        let endpoint = poll.endpoint().map_err(Over::Fatal)?;
        if !slot.as_ref().is_some_and(|http| http.answers_for(&endpoint)) {
            return Ok(None);
        }
        let Some((stream, unasked)) = Http::let_go(slot) else { return Ok(None) };
        if !unasked.is_empty() {
            return Err(said_too_much());
        }
        Ok(Some(Line {
            tally: stream.tally(),
            asked: stream.read_at(),
            stream,
            host: endpoint.host_header(),
            request: Vec::new(),
            written: 0,
            reply: Reply::default(),
        }))
    }

    /// The connection.
    pub(super) fn into_stream(self) -> Counted {
        self.stream
    }

    /// When it was asked last.
    pub(super) fn asked(&self) -> Timestamp {
        self.asked
    }

    /// Asks from where the reader stands, to be held for so many seconds. It is written when the answer is waited
    /// for.
    pub(super) fn ask(&mut self, poll: &Poll, wait: &str, now: Timestamp) {
        let request = &mut self.request;
        request.clear();
        request.extend_from_slice(b"GET ");
        let parameter = poll.wait_parameter().map(|name| (name, wait));
        poll.target(parameter.as_slice(), |piece| request.extend_from_slice(piece.as_bytes()));
        request.extend_from_slice(b" HTTP/1.1\r\n");
        let own = [(header::HOST, self.host.as_bytes()), (header::USER_AGENT, USER_AGENT.as_bytes())];
        for (name, value) in own.into_iter().chain(poll.headers()) {
            for piece in [name.as_str().as_bytes(), b": ", value, b"\r\n"] {
                request.extend_from_slice(piece);
            }
        }
        request.extend_from_slice(b"\r\n");
        (self.written, self.asked) = (0, now);
        self.tally.begin_known_request();
    }

    /// Asks again and again, and tells what comes, until an answer has nothing new or is the connection's last.
    pub(super) fn converse<'a>(
        &'a mut self,
        poll: &'a mut Poll,
        wait: &'a str,
        watch: &'a mut Watch,
        teller: &'a mut Teller<'_>,
    ) -> impl Future<Output = Result<Answered, Over>> + 'a {
        poll_fn(move |task| {
            // Before anything is read: a server that never pauses must not keep it from being heard.
            if watch.is_stopped() {
                return Polled::Ready(Err(Over::Stopped));
            }
            let mut last = None;
            loop {
                match self.poll_answer(task, poll, teller, &mut last) {
                    Polled::Ready(Ok(Answered { news: News::Some, is_last: false })) => {
                        self.ask(poll, wait, self.stream.read_at());
                    }
                    Polled::Ready(over) => return Polled::Ready(over),
                    Polled::Pending => return watch.poll(task, self.asked, last).map(Err),
                }
            }
        })
    }

    /// Writes what is left of the request and reads what there is of its answer. `last` is when something was read.
    fn poll_answer(
        &mut self,
        task: &mut Task<'_>,
        poll: &mut Poll,
        teller: &mut Teller<'_>,
        last: &mut Option<Timestamp>,
    ) -> Polled<Result<Answered, Over>> {
        let context = teller.context;
        let broken = |error: io::Error| Cause::Broken(error.to_string());
        while self.written < self.request.len() {
            match ready!(Pin::new(&mut self.stream).poll_write(task, &self.request[self.written..])) {
                Ok(written) => {
                    self.tally.add_head_out(written as u64);
                    self.written += written;
                }
                Err(error) => return Polled::Ready(Err(self.gone(broken(error), context))),
            }
        }
        loop {
            let Line { stream, reply, tally, .. } = self;
            let (is_conditional, mut has_ended) = (poll.is_conditional(), false);
            let read = stream.poll_read_shared(task, |at, bytes| {
                *last = Some(at);
                let tell = |head: Head, body: &[u8]| {
                    if head.is_redirect {
                        // HTTP's to follow: it is asked the same.
                        return Ok(Answered { news: News::Some, is_last: true });
                    }
                    let is_last = head.is_last;
                    let news = poll.judge(at, head, body, teller)?;
                    Ok(Answered { news, is_last })
                };
                has_ended = bytes.is_empty();
                if has_ended {
                    return reply.end(tell);
                }
                reply.hear(bytes, is_conditional, |length| tally.add_head_in(length), tell)
            });
            match ready!(read) {
                Ok(Ok(Some(answered))) => return Polled::Ready(Ok(answered)),
                Ok(Ok(None)) if has_ended => return Polled::Ready(Err(self.gone(incomplete(), context))),
                Ok(Ok(None)) => {}
                Ok(Err(over)) => return Polled::Ready(Err(over)),
                Err(error) => return Polled::Ready(Err(self.gone(broken(error), context))),
            }
        }
    }

    /// The connection turned out to be gone: at once, or while the server held the request.
    fn gone(&self, cause: Cause, context: &Context) -> Over {
        let at_once = context.clock.now().since(self.asked) < FOUND_GONE_WITHIN;
        if at_once && self.reply.is_to_come() { Over::FoundGone(cause) } else { Over::Lost(cause) }
    }
}
