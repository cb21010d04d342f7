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
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll as Polled},
};

use http::header;
use tokio::io::AsyncWrite as _;

use super::{
    Cause, Context,
    http::{FOUND_GONE_WITHIN, Http, USER_AGENT, incomplete},
    lifecycle::{FAREWELL, Over, Teller},
    listening::Watch,
    poll::{Head, News, Poll},
    reply::{Reply, said_too_much},
};
use crate::{
    clock::{Clock, Timestamp},
    link::{Counted, Tally},
};

/// A connection out of HTTP's hands, and how far question and answer have come.
pub(super) struct Line {
    stream: Counted,
    tally: Arc<Tally>,
    clock: Clock,
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
    /// When it was asked for.
    pub(super) asked: Timestamp,
    /// The connection is not to be used again.
    pub(super) is_last: bool,
}

impl Line {
    /// Takes the connection in `slot` out of HTTP's hands, if it has answered and can be asked again.
    pub(super) fn of(slot: &mut Option<Http>, poll: &Poll, context: &Context) -> Result<Option<Line>, Over> {
        let endpoint = poll.endpoint().map_err(Over::Fatal)?;
        let Some((stream, unasked)) = Http::let_go_between(slot, &endpoint) else { return Ok(None) };
        if !unasked.is_empty() {
            return Err(said_too_much());
        }
        Ok(Some(Line {
            tally: stream.tally(),
            asked: stream.read_at(),
            stream,
            clock: context.clock,
            host: endpoint.host_header(),
            request: Vec::new(),
            written: 0,
            reply: Reply::default(),
        }))
    }

    /// Asks from where the reader stands. It is written when the answer is waited for.
    pub(super) fn ask(&mut self, poll: &Poll, parameters: &[(&str, &str)], now: Timestamp) {
        let request = &mut self.request;
        request.clear();
        request.extend_from_slice(b"GET ");
        poll.target(parameters, |piece| request.extend_from_slice(piece.as_bytes()));
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

    /// Asks again and again, and tells what comes, until an answer is one that `next` gives no parameters to ask
    /// further with.
    pub(super) fn converse<'a, 'p>(
        &'a mut self,
        poll: &'a mut Poll,
        watch: &'a mut Watch,
        teller: &'a mut Teller<'_>,
        mut next: impl FnMut(&Answered) -> Option<&'p [(&'p str, &'p str)]> + 'a,
    ) -> impl Future<Output = Result<Answered, Over>> + 'a
    where
        'p: 'a,
    {
        poll_fn(move |task| {
            // Before anything is read: a server that never pauses must not keep it from being heard.
            if watch.is_stopped() {
                return Polled::Ready(Err(Over::Stopped));
            }
            let mut last = None;
            loop {
                match self.poll_answer(task, poll, teller, &mut last) {
                    Polled::Ready(Ok(answered)) => match next(&answered) {
                        Some(parameters) => self.ask(poll, parameters, self.stream.read_at()),
                        None => return Polled::Ready(Ok(answered)),
                    },
                    Polled::Ready(Err(over)) => return Polled::Ready(Err(over)),
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
        while self.written < self.request.len() {
            match Pin::new(&mut self.stream).poll_write(task, &self.request[self.written..]) {
                Polled::Ready(Ok(written)) => {
                    self.tally.add_head_out(written as u64);
                    self.written += written;
                }
                Polled::Ready(Err(error)) => {
                    return Polled::Ready(Err(self.gone(Cause::Broken(error.to_string()))));
                }
                Polled::Pending => return Polled::Pending,
            }
        }
        loop {
            let Line { stream, reply, tally, asked, .. } = self;
            let is_conditional = poll.is_conditional();
            let read = stream.poll_read_shared(task, |at, bytes| {
                *last = Some(at);
                let tell = |head: Head, body: &[u8]| {
                    let asked = *asked;
                    if head.is_redirect {
                        // HTTP's to follow: it is asked the same.
                        return Ok(Answered { news: News::Some, asked, is_last: true });
                    }
                    let is_last = head.is_last;
                    let news = poll.judge(at, head, body, teller)?;
                    Ok(Answered { news, asked, is_last })
                };
                if bytes.is_empty() {
                    return reply.end(tell).map(|answered| (answered, true));
                }
                let heard = reply.hear(bytes, is_conditional, |length| tally.add_head_in(length), tell);
                heard.map(|answered| (answered, false))
            });
            return Polled::Ready(match read {
                Polled::Pending => return Polled::Pending,
                Polled::Ready(Ok(Ok((Some(answered), _)))) => Ok(answered),
                Polled::Ready(Ok(Ok((None, false)))) => continue,
                Polled::Ready(Ok(Ok((None, true)))) => Err(self.gone(incomplete())),
                Polled::Ready(Ok(Err(over))) => Err(over),
                Polled::Ready(Err(error)) => Err(self.gone(Cause::Broken(error.to_string()))),
            });
        }
    }

    /// The connection turned out to be gone: at once, or while the server held the request.
    fn gone(&self, cause: Cause) -> Over {
        let at_once = self.clock.now().since(self.asked) < FOUND_GONE_WITHIN;
        if at_once && self.reply.is_to_come() { Over::FoundGone(cause) } else { Over::Lost(cause) }
    }

    /// Parts with the connection: in an orderly way where that is ours to choose.
    pub(super) async fn leave(self, over: &Over) {
        if let Over::Stopped | Over::Finished(_) | Over::Fatal(_) = over {
            self.stream.close(FAREWELL).await;
        }
    }
}
