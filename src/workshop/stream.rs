//! A student's event stream, read by the standard, with its bytes kept for what has to be said of them.

use std::{collections::VecDeque, num::NonZeroUsize, time::Duration};

use sse_core::{SseDecoder, SseEvent};
use tokio::time::Instant;

use super::{
    finding::Saw,
    http::{More, Place, Request, Response, Trouble, open},
    judge::{Judge, Stop},
};

/// An event may have so many bytes, and so many may come without making one.
const EVENT_BYTES: usize = 1024 * 1024;

/// An event as an EventSource would dispatch it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    /// The last event id at its time; empty where none was ever sent.
    pub(super) id: String,
    /// Its type.
    pub(super) kind: String,
    /// Its data.
    pub(super) data: String,
    /// When its last byte was read.
    pub(super) at: Instant,
}

/// What came of waiting for an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// An event.
    Event(Event),
    /// The stream ended.
    End,
    /// No event within the time.
    Quiet,
}

/// An open event stream.
#[derive(Debug)]
pub(super) struct EventStream {
    /// The answer, whose head has been read.
    pub(super) response: Response,
    /// The last `retry:` that was sent, in milliseconds.
    pub(super) retry: Option<u32>,
    /// All bytes of the body, as many as were ever read.
    pub(super) bytes_read: u64,
    decoder: SseDecoder,
    waiting: VecDeque<Event>,
    kept: Vec<u8>,
    since_event: usize,
}

impl EventStream {
    /// Asks for a stream.
    pub(super) async fn open(place: &Place, request: &Request) -> Result<Self, Trouble> {
        let request = request.clone().header("Accept", "text/event-stream");
        Ok(EventStream::of(open(place, &request).await?))
    }

    /// Opens the one at `/events`; expects, by this name, that the answer is an event stream.
    pub(super) async fn expected(judge: &mut Judge, name: &'static str, place: &Place) -> Result<Self, Stop> {
        let opened = EventStream::open(place, &Request::get("/events")).await;
        let stream = judge.need(name, opened)?;
        let (status, kind) = (stream.response.status, stream.content_type());
        let saw = Saw::new(format!("status {status}, Content-Type {kind:?}")).bytes(&stream.response.head);
        judge.require(name, status == 200 && kind == "text/event-stream", saw)?;
        Ok(stream)
    }

    pub(super) fn of(response: Response) -> Self {
        EventStream {
            response,
            retry: None,
            bytes_read: 0,
            decoder: SseDecoder::with_limit(NonZeroUsize::new(EVENT_BYTES).unwrap_or(NonZeroUsize::MIN)),
            waiting: VecDeque::new(),
            kept: Vec::new(),
            since_event: 0,
        }
    }

    /// The content type without its parameters, in lower case; empty where there is none.
    pub(super) fn content_type(&self) -> String {
        let value = self.response.header("content-type").unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// The last bytes of the body, up to some hundred thousand.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.kept
    }

    /// The next event.
    pub(super) async fn next(&mut self, within: Duration) -> Result<Next, Trouble> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Ok(Next::Event(event));
            }
            match self.read(deadline).await? {
                More::Bytes(_) => {}
                More::End => return Ok(Next::End),
                More::Quiet => return Ok(Next::Quiet),
            }
        }
    }

    /// So many events, or fewer where they do not come within the time.
    pub(super) async fn events(&mut self, count: usize, within: Duration) -> Result<Vec<Event>, Trouble> {
        let deadline = Instant::now() + within;
        let mut events = Vec::new();
        while events.len() < count {
            match self.next(deadline.saturating_duration_since(Instant::now())).await? {
                Next::Event(event) => events.push(event),
                Next::End | Next::Quiet => break,
            }
        }
        Ok(events)
    }

    /// Reads once and decodes what came.
    pub(super) async fn read(&mut self, deadline: Instant) -> Result<More, Trouble> {
        let more = self.response.more(deadline).await?;
        let More::Bytes(bytes) = &more else { return Ok(more) };
        let at = Instant::now();
        self.bytes_read += bytes.len() as u64;
        self.since_event += bytes.len();
        self.kept.extend(bytes);
        if self.kept.len() > 2 * EVENT_BYTES {
            self.kept.drain(..EVENT_BYTES);
        }
        let mut rest = bytes::Bytes::copy_from_slice(bytes);
        while let Some(event) = self.decoder.next(&mut rest) {
            match event {
                Ok(SseEvent::Retry(millis)) => self.retry = Some(millis),
                Ok(SseEvent::Message(message)) => {
                    self.since_event = 0;
                    self.waiting.push_back(Event {
                        id: message.last_event_id.as_deref().unwrap_or_default().to_owned(),
                        kind: message.event.to_string(),
                        data: message.data.to_string(),
                        at,
                    });
                }
                Err(_) => return Err(self.too_much()),
            }
        }
        if self.since_event > 2 * EVENT_BYTES || self.waiting.len() > 100_000 {
            return Err(self.too_much());
        }
        Ok(more)
    }

    fn too_much(&self) -> Trouble {
        Trouble::new(format!("more than {EVENT_BYTES} bytes without an event's end")).bytes(&self.kept)
    }
}
