//! The other direction: a reader that publishes.
//!
//! A WebSocket carries both directions, so that a message is one more frame on the connection that is
//! already there. Server-Sent Events and the polls carry one; what a page sends, it sends by `fetch`: a
//! request of its own, over a second connection that the browser keeps open for the next one.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use url::Url;

use super::{
    Cause, Client, Context, Subscriber, Subscription, endpoint::Endpoint, http::Http, lifecycle::Over,
    limits, websocket::WebSocket,
};
use crate::{clock::Timestamp, encoding, link::Meter};

/// How a reader publishes.
#[derive(Debug)]
pub enum Publisher {
    /// As frames on the WebSocket that it reads from.
    Frame(Frames),
    /// By `POST` on a kept connection of its own, as `fetch` does.
    Post(Box<Post>),
}

/// An acknowledged message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledged {
    /// When the acknowledgement had been read.
    pub at: Timestamp,
    /// Application bytes that the message took: the frame, or the request with its head.
    pub bytes_out: u64,
    /// Application bytes that the acknowledgement took, without the delivered event.
    pub bytes_in: u64,
}

/// A WebSocket client, and the way to publish on its connection.
pub fn websocket(subscription: Subscription) -> (Box<dyn Subscriber>, Publisher) {
    // One: whoever publishes waits for the answer, so that there is never more.
    let (messages, queue) = mpsc::channel(1);
    let outbox = Outbox { queue: Some(queue), unanswered: VecDeque::new() };
    let reconnect = subscription.policy.reconnect;
    let reader = Client::boxed(WebSocket::sending(subscription, outbox), reconnect);
    (reader, Publisher::Frame(Frames { messages }))
}

/// The way to publish by `POST` at this URL. It connects at once, so that no message pays for that; what
/// the connection costs is counted by the context's meter.
///
/// # Errors
/// Where no connection comes about.
pub async fn post(url: Url, context: Context) -> Result<Publisher, Cause> {
    let slot = Some(Http::connect(Endpoint::of(&url)?, &context).await?);
    Ok(Publisher::Post(Box::new(Post { url, context, slot })))
}

impl Publisher {
    /// Publishes an event with this data, and waits until it is acknowledged.
    ///
    /// # Errors
    /// Where it was refused, or the connection was lost before the acknowledgement came. A message that
    /// was lost in that way may have been published all the same.
    pub async fn publish(&mut self, data: &str) -> Result<Acknowledged, Cause> {
        match self {
            Publisher::Frame(frames) => frames.publish(data).await,
            Publisher::Post(post) => post.publish(data).await,
        }
    }

    /// Ends a connection of its own in an orderly way. One that it shares with its reader is left to that.
    pub async fn close(self) {
        if let Publisher::Post(post) = self {
            Http::leave(post.slot, &Over::Stopped).await;
        }
    }
}

/// Publishing on the connection of a reader.
#[derive(Debug)]
pub struct Frames {
    messages: mpsc::Sender<Message>,
}

#[derive(Debug)]
struct Message {
    text: String,
    answer: oneshot::Sender<Answer>,
}

/// When the answer came and how long its text was.
type Answer = Result<(Timestamp, usize), Cause>;

impl Frames {
    async fn publish(&self, data: &str) -> Result<Acknowledged, Cause> {
        #[derive(Serialize)]
        struct Command<'a> {
            publish: Publication<'a>,
        }
        let text = encoding::json(&Command { publish: Publication { data } });
        let bytes_out = MASK_BYTES + header_bytes(text.len()) + text.len() as u64;
        let (answer, answered) = oneshot::channel();
        let gone = || Cause::Closed(Some("the connection ended before the message was answered".to_owned()));
        self.messages.send(Message { text, answer }).await.map_err(|_| gone())?;
        let (at, length) = answered.await.unwrap_or_else(|_| Err(gone()))?;
        Ok(Acknowledged { at, bytes_out, bytes_in: header_bytes(length) + length as u64 })
    }
}

/// What a client's every frame carries beyond a server's.
const MASK_BYTES: u64 = 4;

/// The header of a frame with so many bytes of payload, without a mask (RFC 6455, section 5.2).
const fn header_bytes(payload: usize) -> u64 {
    match payload {
        0..=125 => 2,
        126..=65_535 => 4,
        _ => 10,
    }
}

/// The WebSocket client's end: what it is to send, and who waits for an answer. By default nothing ever
/// comes.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: Option<mpsc::Receiver<Message>>,
    /// The server answers in the order in which it was asked.
    unanswered: VecDeque<oneshot::Sender<Answer>>,
}

impl Outbox {
    /// The next text to send. Nothing is lost where this is dropped while it waits.
    pub(super) async fn next(&mut self) -> String {
        let message = match &mut self.queue {
            Some(queue) => queue.recv().await,
            None => None,
        };
        match message {
            Some(Message { text, answer }) => {
                self.unanswered.push_back(answer);
                text
            }
            // Nobody sends, or nobody will any more.
            None => std::future::pending().await,
        }
    }

    /// Hands an answer of so many bytes to whoever waits for it.
    pub(super) fn answered(&mut self, answer: Result<Timestamp, Cause>, length: usize) {
        if let Some(waiting) = self.unanswered.pop_front() {
            // Whoever has stopped waiting does not want to know.
            let _ = waiting.send(answer.map(|at| (at, length)));
        }
    }

    /// Whether somebody waits for an answer.
    pub(super) fn awaits_answer(&self) -> bool {
        !self.unanswered.is_empty()
    }

    /// Whether anything may ever have to be sent.
    pub(super) fn may_send(&self) -> bool {
        self.queue.is_some()
    }

    /// Tells all who wait that no answer will come.
    pub(super) fn forget(&mut self) {
        self.unanswered.clear();
    }
}

/// Publishing by request.
pub struct Post {
    url: Url,
    context: Context,
    slot: Option<Http>,
}

impl std::fmt::Debug for Post {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Post").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

impl Post {
    async fn publish(&mut self, data: &str) -> Result<Acknowledged, Cause> {
        let before = passed(&self.context.meter);
        let json = Bytes::from(encoding::json(&Publication { data }));
        let answered = self.ask(json).await;
        if answered.is_err() {
            // Whatever state it is in, the next message starts on a new one.
            self.slot = None;
        }
        let at = answered?;
        let after = passed(&self.context.meter);
        Ok(Acknowledged { at, bytes_out: after.0 - before.0, bytes_in: after.1 - before.1 })
    }

    /// When the whole answer had been read.
    async fn ask(&mut self, json: Bytes) -> Result<Timestamp, Cause> {
        let response = Http::post(&mut self.slot, &self.url, json, &self.context).await?;
        // A connection that has answered is in its slot.
        let Some(http) = &mut self.slot else { return Err(Cause::Closed(None)) };
        if response.status() != StatusCode::CREATED {
            return Err(http.refusal(response).await);
        }
        let mut body = response.into_body();
        http.read_body(&mut body, limits::ERROR_BYTES, &mut Vec::new()).await?;
        Ok(http.tally.read_at())
    }
}

/// Application bytes, out and in.
fn passed(meter: &Arc<Meter>) -> (u64, u64) {
    let totals = meter.totals();
    (totals.application_out, totals.application_in)
}

#[derive(Serialize)]
struct Publication<'a> {
    data: &'a str,
}
