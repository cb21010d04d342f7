//! Server-Sent Events: an EventSource by the standard.
//!
//! [HTML, 9.2](https://html.spec.whatwg.org/multipage/server-sent-events.html): a lost or ended stream is
//! asked for again after the reconnection time, with the last event id that was seen; an answer that is
//! not 200 or not `text/event-stream` fails the connection for good; 204 is how a server says that there
//! is nothing more. What a page may add around it is the policy: another wait, a limit to silence, or not
//! to resume. A page that has a wait of its own makes a new EventSource after each `error`, and is not told
//! what the answer was: it comes back after any, even after a 204.
//!
//! HTTP matters up to the head of the answer; behind it there is a stream that never ends. So the connection
//! is taken out of hyper's hands there, as the server takes it (`server/handover`), and what comes is decoded
//! where it was read, in memory that all connections share. The plain way, which asks hyper for each piece of
//! the body, is what most clients do, and stays beside it ([`Policy::plain`](super::Policy::plain)).

use std::{convert::Infallible, mem, num::NonZeroUsize, ops::ControlFlow, sync::Arc, time::Duration};

use http::{Response, StatusCode, header};
use hyper::body::Incoming;

use super::{
    Cause, Context, Observation, Reconnect, Subscription,
    blocks::{Blocks, Said, TooLarge},
    chunks::{Body, Found},
    dialect::Dialect,
    http::{Answer, Get, Http, incomplete},
    lifecycle::{Over, Session, Teller, until_stopped, within},
    limits,
    listening::{Watch, go_on, listen},
    quiet::unless_quiet,
};
use crate::{clock::Timestamp, event::GAP_TYPE, link::Counted};

pub(super) struct Sse {
    subscription: Subscription,
    hearing: Hearing,
    connected_before: bool,
}

/// What a stream's bytes are told with, and what they change.
///
/// It is little, so that it lies beside the rest of what a wake-up needs while a stream is read: what is not in the
/// processor's cache is fetched at once.
struct Hearing {
    blocks: Blocks,
    dialect: Option<Arc<Dialect>>,
    reconnection_time: Duration,
}

/// The connection, in HTTP's hands or out of them.
enum Line {
    /// The answer's body is to be read in the plain way.
    Http(Response<Incoming>),
    /// So is the body on this stream, some of which was read ahead.
    Stream(Counted, Body, Vec<u8>),
}

impl Sse {
    pub(super) fn new(subscription: Subscription) -> Self {
        let dialect = subscription.dialect.clone();
        let hearing = Hearing::new(dialect, subscription.policy.reconnection_time);
        Sse { hearing, subscription, connected_before: false }
    }

    /// Connects, and tells that the stream has begun.
    async fn open(&mut self, slot: &mut Option<Http>, teller: &mut Teller<'_>) -> Result<Line, Over> {
        let limit = self.subscription.policy.quiet_limit;
        let response = within(limit, self.ask(slot, teller.context)).await?;
        // A connection that has answered is in its slot.
        let Some(http) = slot else { return Err(Over::Lost(Cause::Closed(None))) };
        let page_returns =
            !matches!(self.subscription.policy.reconnect, Reconnect::Standard | Reconnect::Never);
        let failed = |cause| {
            if page_returns { Over::Refused { cause, retry_after: None } } else { Over::Fatal(cause) }
        };
        if response.status() == StatusCode::NO_CONTENT {
            let cause = Cause::NoContent;
            return Err(if page_returns { failed(cause) } else { Over::Finished(cause) });
        }
        if response.status() != StatusCode::OK {
            return Err(failed(http.refusal(response).await));
        }
        require_event_stream(&response).map_err(failed)?;
        teller.open(http.tally.read_at())?;
        let body = Body::of(response.version(), response.headers());
        if let Some(body) = body.filter(|_| !self.subscription.policy.plain)
            && let Some((stream, ahead)) = Http::let_go(slot)
        {
            return Ok(Line::Stream(stream, body, ahead));
        }
        if let Some(http) = slot {
            http.tally.let_through();
        }
        Ok(Line::Http(response))
    }

    /// Reads the stream to its end, in the plain way.
    async fn follow(
        &mut self,
        slot: &mut Option<Http>,
        mut body: Incoming,
        teller: &mut Teller<'_>,
    ) -> Result<Infallible, Over> {
        let Some(http) = slot else { return Err(Over::Lost(Cause::Closed(None))) };
        let (limit, context, tally) =
            (self.subscription.policy.quiet_limit, teller.context, Arc::clone(&http.tally));
        let reading = async {
            while let Some(chunk) = http.chunk(&mut body).await {
                self.hearing.decode(&chunk.map_err(Over::Lost)?, tally.read_at(), teller)?;
            }
            Err(Over::Lost(Cause::Closed(None)))
        };
        unless_quiet(limit, context, &tally, reading).await
    }

    async fn ask(&mut self, slot: &mut Option<Http>, context: &Context) -> Result<Response<Incoming>, Over> {
        let resume = self.subscription.policy.resume;
        if self.connected_before && !resume {
            self.hearing.blocks.forget_id();
        }
        // An event that was cut in its middle is not dispatched, and its id does not count.
        self.hearing.blocks.begin_again();
        // The URL stays what it was; where both are there, Last-Event-ID is to win.
        let after = self.subscription.after.as_deref().filter(|_| !self.connected_before || resume);
        let after = after.map(|after| ("after", after));
        let last = self.hearing.blocks.id().map(str::to_owned);
        let mut headers =
            vec![(header::ACCEPT, &b"text/event-stream"[..]), (header::CACHE_CONTROL, &b"no-store"[..])];
        if let Some(last) = &last {
            headers.push((header::HeaderName::from_static("last-event-id"), last.as_bytes()));
        }
        self.connected_before = true;
        let holds = !self.subscription.policy.plain;
        let get = Get { url: &self.subscription.url, parameters: after.as_slice(), headers: &headers, holds };
        match Http::get(slot, &get, context).await {
            Ok(Answer::Response(response)) => Ok(response),
            Ok(Answer::FoundGone(cause)) => Err(Over::FoundGone(cause)),
            Err(cause @ Cause::Refused(_)) => Err(Over::Fatal(cause)),
            Err(cause) => Err(Over::Lost(cause)),
        }
    }
}

impl Hearing {
    fn new(dialect: Option<Arc<Dialect>>, reconnection_time: Duration) -> Self {
        let limit = NonZeroUsize::new(limits::EVENT_BYTES).unwrap_or(NonZeroUsize::MIN);
        Hearing { blocks: Blocks::new(limit), dialect, reconnection_time }
    }

    /// Tells what bytes of the connection say.
    fn hear(
        &mut self,
        body: &mut Body,
        mut bytes: &[u8],
        at: Timestamp,
        teller: &mut Teller<'_>,
    ) -> Result<(), Over> {
        loop {
            match body.next(&mut bytes) {
                Ok(Found::Data(piece)) => self.decode(piece, at, teller)?,
                Ok(Found::Nothing) => return Ok(()),
                Ok(Found::End) => return Err(Over::Lost(Cause::Closed(None))),
                Err(broken) => return Err(Over::Lost(Cause::Broken(broken.to_string()))),
            }
        }
    }

    /// Tells what a piece of the stream completes.
    fn decode(&mut self, piece: &[u8], at: Timestamp, teller: &mut Teller<'_>) -> Result<(), Over> {
        let Hearing { blocks, dialect, reconnection_time } = self;
        blocks.hear(piece, |said| match said {
            Said::Retry(time) => {
                *reconnection_time = time;
                Ok(())
            }
            Said::Event { id, kind, data } => tell(at, id, kind, data, dialect.as_deref(), teller),
        })
    }
}

impl Session for Sse {
    fn standard_wait(&self) -> Option<Duration> {
        Some(self.hearing.reconnection_time)
    }

    async fn run(&mut self, teller: &mut Teller<'_>) -> Over {
        let (context, mut slot) = (teller.context, Box::new(None));
        // What connecting takes is much, and needed no longer when the stream is read.
        let opening = Box::pin(self.open(&mut slot, teller));
        let over = match until_stopped(&context.stop, opening).await {
            Err(over) => over,
            Ok(Line::Http(response)) => {
                let following = Box::pin(self.follow(&mut slot, response.into_body(), teller));
                let Err(over) = until_stopped(&context.stop, following).await;
                over
            }
            Ok(Line::Stream(mut stream, mut body, ahead)) => {
                let mut watch = Watch::new(context, self.subscription.policy.quiet_limit);
                // Out of the session, whose memory is elsewhere, for as long as the stream lasts.
                let idle = Hearing::new(None, Duration::ZERO);
                let mut hearing = mem::replace(&mut self.hearing, idle);
                let over = match hearing.hear(&mut body, &ahead, stream.read_at(), teller) {
                    Err(over) => over,
                    Ok(()) => {
                        let heard = listen(&mut stream, &mut watch, |at, bytes| {
                            if !bytes.is_empty() {
                                return go_on(hearing.hear(&mut body, bytes, at, teller));
                            }
                            let cause = if body.may_end() { Cause::Closed(None) } else { incomplete() };
                            ControlFlow::Break(Over::Lost(cause))
                        });
                        heard.await.unwrap_or_else(|over| over)
                    }
                };
                self.hearing = hearing;
                Box::pin(over.part_with(stream)).await;
                over
            }
        };
        Box::pin(Http::leave(*slot, &over)).await;
        over
    }
}

impl From<TooLarge> for Over {
    /// To skip an event that is too large would be to lose it without a word, and to ask again would bring it
    /// again.
    fn from(_: TooLarge) -> Over {
        Over::Fatal(limits::too_large("an event", limits::EVENT_BYTES))
    }
}

fn tell(
    at: Timestamp,
    id: Option<&str>,
    kind: &str,
    data: &str,
    dialect: Option<&Dialect>,
    teller: &mut Teller<'_>,
) -> Result<(), Over> {
    // The id is the standard's own; only the data may be wrapped.
    if let Some(dialect) = dialect.filter(|dialect| dialect.data.is_some()) {
        let Some(told) = dialect.event(data) else { return Ok(()) };
        return teller.tell(at, &Observation::Event { id, kind, data: &told.data });
    }
    if kind == GAP_TYPE
        && let Ok(gap) = serde_json::from_str(data)
    {
        return teller.tell(at, &Observation::Gap(gap));
    }
    teller.tell(at, &Observation::Event { id, kind, data })
}

/// Parameters such as `charset` make no difference: the stream is UTF-8 whatever they say.
fn require_event_stream(response: &Response<Incoming>) -> Result<(), Cause> {
    let value = response.headers().get(header::CONTENT_TYPE);
    let text = value.map(|value| String::from_utf8_lossy(value.as_bytes())).unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("text/event-stream") {
        return Ok(());
    }
    let said = if text.is_empty() { "none".to_owned() } else { format!("{text:?}") };
    Err(Cause::Refused(format!("the content type is {said} and not text/event-stream")))
}
