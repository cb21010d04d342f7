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

use std::{convert::Infallible, future::poll_fn, num::NonZeroUsize, sync::Arc, time::Duration};

use bytes::Buf;
use http::{Response, StatusCode, header};
use hyper::body::Incoming;
use sse_core::{MessageEvent, SseDecoder, SseEvent};

use super::{
    Cause, Context, Observation, Reconnect, Subscription,
    chunks::{Body, Found},
    dialect::Dialect,
    http::{Answer, Get, Http, incomplete},
    lifecycle::{FAREWELL, Over, Session, Teller, unless_quiet, until_stopped, within},
    limits,
};
use crate::{clock::Timestamp, event::GAP_TYPE, link::Counted};

pub(super) struct Sse {
    subscription: Subscription,
    decoder: SseDecoder,
    reconnection_time: Duration,
    connected_before: bool,
}

/// The connection: in HTTP's hands, and then out of them.
#[derive(Default)]
struct Line {
    http: Option<Http>,
    stream: Option<Counted>,
}

impl Sse {
    pub(super) fn new(subscription: Subscription) -> Self {
        let limit = NonZeroUsize::new(limits::EVENT_BYTES).unwrap_or(NonZeroUsize::MIN);
        Sse {
            decoder: SseDecoder::with_limit(limit),
            reconnection_time: subscription.policy.reconnection_time,
            subscription,
            connected_before: false,
        }
    }

    async fn read(&mut self, line: &mut Line, teller: &mut Teller<'_>) -> Result<Infallible, Over> {
        let limit = self.subscription.policy.quiet_limit;
        let response = within(limit, self.ask(&mut line.http, teller.context)).await?;
        // A connection that has answered is in its slot.
        let Some(http) = &mut line.http else { return Err(Over::Lost(Cause::Closed(None))) };
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
        let (context, tally) = (teller.context, Arc::clone(&http.tally));
        let body = Body::of(response.version(), response.headers());
        if let Some(body) = body.filter(|_| !self.subscription.policy.plain)
            && let Some((stream, ahead)) = Http::let_go(&mut line.http)
        {
            let stream = line.stream.insert(stream);
            return unless_quiet(limit, context, &tally, self.listen(stream, body, &ahead, teller)).await;
        }
        let Some(http) = &mut line.http else { return Err(Over::Lost(Cause::Closed(None))) };
        tally.let_through();
        unless_quiet(limit, context, &tally, self.follow(http, response.into_body(), teller)).await
    }

    /// Reads the stream to its end, out of HTTP's hands. Some of it was read ahead.
    async fn listen(
        &mut self,
        stream: &mut Counted,
        mut body: Body,
        ahead: &[u8],
        teller: &mut Teller<'_>,
    ) -> Result<Infallible, Over> {
        let tally = stream.tally();
        self.hear(&mut body, ahead, tally.read_at(), teller)?;
        loop {
            let heard = poll_fn(|cx| {
                stream.poll_read_shared(cx, |bytes| {
                    if !bytes.is_empty() {
                        return self.hear(&mut body, bytes, tally.read_at(), teller);
                    }
                    Err(Over::Lost(if body.may_end() { Cause::Closed(None) } else { incomplete() }))
                })
            });
            heard.await.map_err(|error| Over::Lost(Cause::Broken(error.to_string())))??;
        }
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
                Ok(Found::Data(mut piece)) => self.decode(&mut piece, at, teller)?,
                Ok(Found::Nothing) => return Ok(()),
                Ok(Found::End) => return Err(Over::Lost(Cause::Closed(None))),
                Err(broken) => return Err(Over::Lost(Cause::Broken(broken.to_string()))),
            }
        }
    }

    /// Reads the stream to its end, in the plain way.
    async fn follow(
        &mut self,
        http: &mut Http,
        mut body: Incoming,
        teller: &mut Teller<'_>,
    ) -> Result<Infallible, Over> {
        while let Some(chunk) = http.chunk(&mut body).await {
            let mut chunk = chunk.map_err(Over::Lost)?;
            self.decode(&mut chunk, http.tally.read_at(), teller)?;
        }
        Err(Over::Lost(Cause::Closed(None)))
    }

    /// Tells what a piece of the stream completes.
    fn decode(&mut self, piece: &mut impl Buf, at: Timestamp, teller: &mut Teller<'_>) -> Result<(), Over> {
        while let Some(event) = self.decoder.next(piece) {
            // To skip an event that is too large would be to lose it without a word, and to ask again would
            // bring it again.
            match event.map_err(|_| Over::Fatal(limits::too_large("an event", limits::EVENT_BYTES)))? {
                SseEvent::Retry(millis) => {
                    self.reconnection_time = Duration::from_millis(millis.into());
                }
                SseEvent::Message(message) => {
                    tell(at, &message, self.subscription.dialect.as_deref(), teller)?;
                }
            }
        }
        Ok(())
    }

    async fn ask(&mut self, slot: &mut Option<Http>, context: &Context) -> Result<Response<Incoming>, Over> {
        let resume = self.subscription.policy.resume;
        if self.connected_before && !resume {
            self.decoder.clear();
        }
        // An event that was cut in its middle is not dispatched, and its id does not count.
        self.decoder.reconnect();
        // The URL stays what it was; where both are there, Last-Event-ID is to win.
        let after = self.subscription.after.as_deref().filter(|_| !self.connected_before || resume);
        let after = after.map(|after| ("after", after));
        let last: Option<Arc<str>> = self.decoder.last_event_id().cloned();
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

impl Session for Sse {
    fn standard_wait(&self) -> Option<Duration> {
        Some(self.reconnection_time)
    }

    async fn run(&mut self, teller: &mut Teller<'_>) -> Over {
        let mut line = Line::default();
        let over = until_stopped(&teller.context.stop.clone(), self.read(&mut line, teller)).await;
        Http::leave(line.http, &over).await;
        // In an orderly way where that is ours to choose.
        if let (Some(stream), Over::Stopped | Over::Fatal(_)) = (line.stream, &over) {
            stream.close(FAREWELL).await;
        }
        over
    }
}

fn tell(
    at: Timestamp,
    message: &MessageEvent,
    dialect: Option<&Dialect>,
    teller: &mut Teller<'_>,
) -> Result<(), Over> {
    // The id is the standard's own; only the data may be wrapped.
    if let Some(dialect) = dialect.filter(|dialect| dialect.data.is_some()) {
        let Some(told) = dialect.event(&message.data) else { return Ok(()) };
        let id = message.last_event_id.as_deref();
        return teller.tell(at, &Observation::Event { id, kind: &message.event, data: &told.data });
    }
    if message.event == GAP_TYPE
        && let Ok(gap) = serde_json::from_str(&message.data)
    {
        return teller.tell(at, &Observation::Gap(gap));
    }
    let id = message.last_event_id.as_deref();
    teller.tell(at, &Observation::Event { id, kind: &message.event, data: &message.data })
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
