//! The clients: one per transport, each the mirror of the server's file of the same name.
//!
//! A client is a [`Subscriber`]: it connects, reads, and tells an [`Observer`] what happens, as
//! [`Observation`]s in the order in which they happened. Whether and when it reconnects is its [`Policy`],
//! a value. What its connections cost is counted by the [`Meter`] it is given.
//!
//! Nothing here knows our server: `experiment watch` points the same clients at anybody's URL.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `short_poll`, `long_poll`, `sse`, `websocket`, `floor` | one way of reading each |
//! | `publish` | the other direction: what a reader sends |
//! | `lifecycle` | what they do alike: connect, live, lose the connection, wait, connect again |
//! | `backoff` | how long to wait; pure |
//! | `poll`, `answer` | what both polls share: one request, and what its answer says |
//! | `again`, `reply` | a long poll's next request and its answer, once HTTP has let go of the connection |
//! | `message` | what a WebSocket message says |
//! | `dialect` | how somebody else's server says it |
//! | `http`, `driver`, `endpoint` | from a URL to an HTTP connection over the counting stream |
//! | `chunks`, `blocks`, `frames` | bodies, blocks and frames read where they lie, once HTTP has let go of the connection |
//! | `listening`, `quiet` | waiting for a stream, with an ear for the word to stop and a limit to quiet |
//! | `refusal` | what a server says when it does not give what was asked for |
//! | `websocket_error` | why a WebSocket is over |
//! | `limits` | what a server can make a client hold |

mod again;
mod answer;
pub mod backoff;
mod blocks;
mod chunks;
pub mod dialect;
mod driver;
mod endpoint;
pub mod floor;
mod frames;
mod http;
mod lifecycle;
mod limits;
mod listening;
mod long_poll;
mod message;
mod poll;
pub mod publish;
mod quiet;
mod refusal;
mod reply;
mod short_poll;
mod sse;
mod websocket;
mod websocket_error;

use std::{future::Future, ops::ControlFlow, pin::Pin, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use url::Url;

use self::{
    dialect::Dialect,
    lifecycle::{Session, live},
};
use crate::{
    clock::{Clock, Timestamp},
    event::Gap,
    link::Meter,
    transport::Transport,
};

/// Something that a client sees happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation<'a> {
    /// It starts to connect, for the first time (`attempt` 1) or again. Polls tell it once per outage
    /// and not for every request.
    Connecting {
        /// How often it has tried since it was last open, from 1.
        attempt: u32,
    },
    /// The subscription stands: an event published from now on is one that this reader must get.
    Open,
    /// An event.
    Event {
        /// Its id, where it has one.
        id: Option<&'a str>,
        /// Its type.
        kind: &'a str,
        /// Its data.
        data: &'a str,
    },
    /// The server says that events are missing.
    Gap(Gap),
    /// The connection is gone, or an attempt at one failed.
    Closed {
        /// Why, as far as this side can know.
        cause: Cause,
    },
    /// It will connect again.
    Retrying {
        /// How long it waits before.
        after: Duration,
    },
}

/// Why a connection is gone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// No connection came about.
    #[error("could not connect: {0}")]
    Connect(String),
    /// The other side ended it in an orderly way.
    #[error("closed by the server{}", .0.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
    Closed(Option<String>),
    /// It broke off: a reset, or an end in the middle of a message.
    #[error("broken off: {0}")]
    Broken(String),
    /// Nothing came for longer than the policy allows.
    #[error("silent for {} ms", .0.as_millis())]
    Silent(Duration),
    /// The server answered with something that the client must not go on with.
    #[error("refused: {0}")]
    Refused(String),
    /// The server said that there is nothing more (204).
    #[error("the server said that there is nothing more (204)")]
    NoContent,
}

/// How a subscription ended for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It was told to stop, by its context or by its observer.
    Stopped,
    /// The server said that there is nothing more.
    Finished,
    /// It gave up, as its policy or the standard says.
    Failed(Cause),
}

/// Where observations go.
///
/// A callback and not a queue: at ten thousand readers a queue between reading and counting would cost
/// more than the reading, and the harness's own cost is part of what it measures.
pub trait Observer: Send {
    /// Takes note; `Break` ends the subscription.
    fn observe(&mut self, at: Timestamp, observation: &Observation<'_>) -> ControlFlow<()>;
}

/// What a subscription is given to work with.
#[derive(Debug, Clone)]
pub struct Context {
    /// Stamps the observations.
    pub clock: Clock,
    /// Counts the bytes of all its connections.
    pub meter: Arc<Meter>,
    /// Ends it: the connection is closed in an orderly way and its last bytes are counted.
    pub stop: CancellationToken,
    /// Seeds the jitter of its back-off.
    pub seed: u64,
}

/// One reader of one channel.
pub trait Subscriber: Send {
    /// Reads until the context or the observer says stop, the server says that there is nothing more, or
    /// the policy gives up.
    fn run<'a>(
        self: Box<Self>,
        context: Context,
        observer: &'a mut dyn Observer,
    ) -> Pin<Box<dyn Future<Output = End> + Send + 'a>>;
}

/// A client of this transport.
pub fn subscriber(transport: Transport, subscription: Subscription) -> Box<dyn Subscriber> {
    let reconnect = subscription.policy.reconnect;
    match transport {
        Transport::ShortPoll => Client::boxed(short_poll::ShortPoll::new(subscription), reconnect),
        Transport::LongPoll => Client::boxed(long_poll::LongPoll::new(subscription), reconnect),
        Transport::Sse => Client::boxed(sse::Sse::new(subscription), reconnect),
        Transport::WebSocket => Client::boxed(websocket::WebSocket::new(subscription), reconnect),
    }
}

/// A session and what it does when it is lost.
///
/// The session is in memory of its own, away from the future that is polled at each wake-up.
struct Client<S> {
    session: Box<S>,
    reconnect: Reconnect,
}

impl<S: Session + 'static> Client<S> {
    fn boxed(session: S, reconnect: Reconnect) -> Box<dyn Subscriber> {
        Box::new(Client { session: Box::new(session), reconnect })
    }
}

impl<S: Session + 'static> Subscriber for Client<S> {
    fn run<'a>(
        self: Box<Self>,
        context: Context,
        observer: &'a mut dyn Observer,
    ) -> Pin<Box<dyn Future<Output = End> + Send + 'a>> {
        Box::pin(live(self.session, self.reconnect, context, observer))
    }
}

/// What to read, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscription {
    /// The whole URL of the endpoint, without `after`; `http` or `ws`.
    pub url: Url,
    /// The cursor to start after; the present where there is none.
    pub after: Option<String>,
    /// What the client does beyond reading.
    pub policy: Policy,
    /// How the server speaks, where it is not ours.
    pub dialect: Option<Arc<Dialect>>,
}

/// What a client does beyond reading: how often it asks, when it gives a connection up, how it returns.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Short poll: from one request to the next.
    pub interval: Duration,
    /// Long poll: how long it asks the server to wait.
    pub wait: Duration,
    /// Polls: how long an answer may take (beyond `wait`) before the request is given up.
    pub answer_within: Duration,
    /// What it does when the connection is gone, or the server answers with something else than what was asked
    /// for. Polls give up at a status that another attempt won't change (4xx other than 408 and 429), and heed
    /// a `Retry-After` up to [`backoff::LONGEST_RETRY_AFTER`]. SSE follows the standard while this is
    /// [`Reconnect::Standard`]: it gives up at any answer that is no event stream, and 204 ends it. With a
    /// wait of its own it is a page that makes a new EventSource each time, whatever the answer was, as a page
    /// that makes a new WebSocket does: browsers tell neither of them.
    pub reconnect: Reconnect,
    /// SSE: how long it waits before it connects again where the server has sent no `retry:`. The standard
    /// leaves it to the browser, "probably in the region of a few seconds": Chromium takes 3 s, Firefox 5 s.
    pub reconnection_time: Duration,
    /// SSE and WebSocket: give the connection up when not even a heartbeat came for so long. The
    /// browser's own `EventSource` and `WebSocket` have no such limit.
    pub quiet_limit: Option<Duration>,
    /// Whether a reconnect says where the reader stood, or starts at the present.
    pub resume: bool,
    /// Long poll, SSE and WebSocket: whether they are read in the plain way, by hyper and tungstenite to the end. Else
    /// these are let go of behind the first answer's head (a long poll's first answer), and what comes is read where
    /// it lies: the same to an observer and on the wire, with less work.
    pub plain: bool,
}

/// What a client does when its connection is gone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reconnect {
    /// What the transport does by itself: EventSource waits for its `retry:` time and reconnects; polls
    /// ask again after their interval; a WebSocket stays closed.
    Standard,
    /// Gives up.
    Never,
    /// Waits for the same time before each attempt.
    Fixed(Duration),
    /// Doubles the wait from `base` up to `cap`, starting over once it was open; see `backoff`.
    Exponential {
        /// The first wait.
        base: Duration,
        /// The longest wait.
        cap: Duration,
        /// Whether each wait is drawn evenly between zero and its full length.
        jitter: bool,
    },
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            interval: Duration::from_secs(1),
            wait: Duration::from_secs(25),
            answer_within: Duration::from_secs(5),
            reconnect: Reconnect::Standard,
            reconnection_time: Duration::from_secs(3),
            quiet_limit: None,
            resume: true,
            plain: false,
        }
    }
}
