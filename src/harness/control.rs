//! The harness's own requests: publish, start and stop the source, ask what a channel holds.
//!
//! They go over connections of their own, which no meter counts.

mod once;

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::{Deserialize, Serialize};
use url::Url;

pub use self::once::Once;
use super::payload;
use crate::{clock::Timestamp, schedule::Pattern};

/// How long the server may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// How often it is looked whether something has come.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// From one attempt at an event to the next.
pub(super) const TRY_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// The most that an answer may hold.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// Requests to one server.
#[derive(Debug, Clone)]
pub struct Control {
    base: Url,
    health: Health,
    http: Client<HttpConnector, Full<Bytes>>,
}

/// How it is known that a server is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Our own `/healthz` answers with success.
    Ours,
    /// This path answers, with whatever status.
    Answer(String),
    /// Its port is open.
    Open,
}

/// A request that came to nothing: which, and why.
#[derive(Debug, thiserror::Error)]
#[error("{method} {url}: {problem}")]
pub struct ControlError {
    method: Method,
    url: String,
    problem: String,
    /// Whether the server surely did nothing: it was never reached, or it refused.
    nothing_done: bool,
}

/// What the built-in source is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SourceRequest {
    /// Events per second.
    pub rate: f64,
    /// Bytes of an event's data.
    pub payload_bytes: u32,
    /// How publishes are spaced.
    pub pattern: Pattern,
    /// What random pauses are drawn from.
    pub seed: u64,
}

impl Control {
    /// Requests to the server at this base URL, such as `http://127.0.0.1:3000/`.
    pub fn new(base: Url) -> Self {
        Control::asking(base, Health::Ours)
    }

    /// The same to a server that is asked in another way whether it is there.
    pub fn asking(base: Url, health: Health) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        // Requests follow each other. A second connection, made where one was not yet free again, would stay among
        // the descriptors of the server, which are counted.
        let http = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(1).build(connector);
        Control { base, health, http }
    }

    /// The same over connections of its own.
    pub fn apart(&self) -> Self {
        Control::asking(self.base.clone(), self.health.clone())
    }

    /// Whether a server answers.
    ///
    /// # Errors
    /// Where it does not.
    pub async fn healthy(&self) -> Result<(), ControlError> {
        match &self.health {
            Health::Ours => self.ask(Method::GET, "healthz", None).await.map(drop),
            Health::Answer(path) => self.answered(path).await,
            Health::Open => self.open().await,
        }
    }

    /// A request that may be answered with any status.
    async fn answered(&self, path: &str) -> Result<(), ControlError> {
        let path = path.trim_start_matches('/');
        let fail = |problem: String| self.error(Method::GET, path, problem);
        let asked = async {
            let uri = self.url(path).as_str().parse().map_err(|error| fail(format!("{error}")))?;
            let answer = self.http.get(uri).await.map_err(|error| fail(describe(&error)))?;
            let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect().await;
            body.map(drop).map_err(|error| fail(error.to_string()))
        };
        let answered = tokio::time::timeout(ANSWER_WITHIN, asked).await;
        answered.unwrap_or_else(|_| Err(fail(format!("no answer within {} s", ANSWER_WITHIN.as_secs()))))
    }

    async fn open(&self) -> Result<(), ControlError> {
        let fail = |problem: String| self.error(Method::CONNECT, "", problem);
        let connected = async {
            let addresses = self.base.socket_addrs(|| None).map_err(|error| fail(error.to_string()))?;
            let stream = tokio::net::TcpStream::connect(addresses.as_slice()).await;
            stream.map(drop).map_err(|error| fail(error.to_string()))
        };
        let connected = tokio::time::timeout(ANSWER_WITHIN, connected).await;
        connected.unwrap_or_else(|_| Err(fail(format!("not open within {} s", ANSWER_WITHIN.as_secs()))))
    }

    /// Publishes one event and returns its id: it is in the channel's log.
    ///
    /// # Errors
    /// Where it was not acknowledged.
    pub async fn publish(&self, channel: &str, data: String) -> Result<String, ControlError> {
        #[derive(Deserialize)]
        struct Published {
            id: String,
        }
        let path = format!("channels/{channel}/events");
        let body = Some(("text/plain; charset=utf-8", Bytes::from(data)));
        let answer = self.ask(Method::POST, &path, body).await?;
        let read: Result<Published, _> = serde_json::from_slice(&answer);
        read.map(|published| published.id)
            .map_err(|error| self.error(Method::POST, &path, format!("no id in the answer: {error}")))
    }

    /// Starts the built-in source of a channel.
    ///
    /// # Errors
    /// Where the server refuses.
    pub async fn start_source(&self, channel: &str, source: SourceRequest) -> Result<(), ControlError> {
        let body = Some(("application/json", crate::encoding::json(&source).into()));
        self.ask(Method::PUT, &format!("channels/{channel}/source"), body).await.map(drop)
    }

    /// Stops it.
    ///
    /// # Errors
    /// Where the server refuses.
    pub async fn stop_source(&self, channel: &str) -> Result<(), ControlError> {
        self.ask(Method::DELETE, &format!("channels/{channel}/source"), None).await.map(drop)
    }

    /// The cursor of a channel's newest event.
    ///
    /// # Errors
    /// Where the answer holds none.
    pub async fn head(&self, channel: &str) -> Result<crate::event::Cursor, ControlError> {
        #[derive(Deserialize)]
        struct Head {
            cursor: crate::event::Cursor,
        }
        let path = format!("channels/{channel}");
        let answer = self.ask(Method::GET, &path, None).await?;
        let head: Result<Head, _> = serde_json::from_slice(&answer);
        head.map(|head| head.cursor).map_err(|error| self.error(Method::GET, &path, error.to_string()))
    }

    /// How many readers the server counts on a channel, by transport.
    ///
    /// # Errors
    /// Where the answer does not say.
    pub async fn readers(&self, channel: &str) -> Result<BTreeMap<String, u64>, ControlError> {
        #[derive(Deserialize)]
        struct Described {
            readers: BTreeMap<String, u64>,
        }
        let path = format!("channels/{channel}");
        let answer = self.ask(Method::GET, &path, None).await?;
        let described: Result<Described, _> = serde_json::from_slice(&answer);
        described
            .map(|described| described.readers)
            .map_err(|error| self.error(Method::GET, &path, error.to_string()))
    }

    /// Has the server reset all readers of a channel, at once.
    ///
    /// # Errors
    /// Where the server refuses.
    pub async fn disconnect(&self, channel: &str) -> Result<(), ControlError> {
        let body = Some(("application/json", Bytes::from_static(br#"{"how":"reset"}"#)));
        self.ask(Method::POST, &format!("channels/{channel}/disconnect"), body).await.map(drop)
    }

    /// Lets the built-in source publish on a channel of this name, which nobody else uses, and returns the
    /// server's own stamp of one of its events: a moment after the request was sent, and before the event
    /// was received.
    ///
    /// # Errors
    /// Where the server refuses, or nothing comes.
    pub async fn stamp(&self, channel: &str) -> Result<Timestamp, ControlError> {
        #[derive(Deserialize)]
        struct Answer {
            cursor: String,
            events: Vec<Sourced>,
        }
        #[derive(Deserialize)]
        struct Sourced {
            data: String,
        }
        let path = format!("channels/{channel}/short-poll");
        let malformed = |problem: String| self.error(Method::GET, &path, problem);
        let mut cursor = None;
        let source = SourceRequest { rate: 1_000.0, payload_bytes: 100, pattern: Pattern::Steady, seed: 1 };
        for _ in 0..ANSWER_WITHIN.as_millis() / LOOK_EVERY.as_millis() {
            let after = cursor.as_ref().map(|cursor| format!("after={cursor}"));
            let answer = self.ask_with(Method::GET, &path, after.as_deref(), None).await?;
            let answer: Answer =
                serde_json::from_slice(&answer).map_err(|error| malformed(error.to_string()))?;
            let stamped = answer.events.iter().find_map(|event| payload::read(&event.data)?.at);
            if let Some(stamp) = stamped {
                self.stop_source(channel).await?;
                return Ok(stamp);
            }
            if cursor.is_none() {
                cursor = Some(answer.cursor);
                self.start_source(channel, source).await?;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Err(malformed("the built-in source publishes nothing".to_owned()))
    }

    /// The URL of a path below the base, with a query where it has one.
    pub fn url(&self, path: &str) -> Url {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let mut url = self.base.clone();
        url.set_query(query);
        // A base that an `http` URL parser accepted always has segments to add to.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path.split('/'));
        }
        url
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, Bytes)>,
    ) -> Result<Bytes, ControlError> {
        self.ask_with(method, path, None, body).await
    }

    async fn ask_with(
        &self,
        method: Method,
        path: &str,
        query: Option<&str>,
        body: Option<(&'static str, Bytes)>,
    ) -> Result<Bytes, ControlError> {
        let fail = |problem: String| self.error(method.clone(), path, problem);
        let mut url = self.url(path);
        url.set_query(query);
        let mut request = Request::builder().method(&method).uri(url.as_str());
        if let Some((content_type, _)) = &body {
            request = request.header(header::CONTENT_TYPE, *content_type);
        }
        let body = body.map(|(_, bytes)| bytes).unwrap_or_default();
        let request = request.body(Full::new(body)).map_err(|error| fail(error.to_string()))?;
        let answered = async {
            let answer = self.http.request(request).await.map_err(|error| ControlError {
                nothing_done: error.is_connect(),
                ..fail(describe(&error))
            })?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect().await;
            let body = body.map_err(|error| fail(error.to_string()))?.to_bytes();
            if status.is_success() {
                Ok(body)
            } else {
                Err(ControlError { nothing_done: true, ..fail(refusal(status, &body)) })
            }
        };
        tokio::time::timeout(ANSWER_WITHIN, answered)
            .await
            .unwrap_or_else(|_| Err(fail(format!("no answer within {} s", ANSWER_WITHIN.as_secs()))))
    }

    fn error(&self, method: Method, path: &str, problem: String) -> ControlError {
        ControlError { method, url: self.url(path).to_string(), problem, nothing_done: false }
    }
}

/// The server's own words, where it gave some.
fn refusal(status: StatusCode, body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) => format!("{status}: {}", refusal.error),
        Err(_) => status.to_string(),
    }
}

/// An error with its causes: hyper's outermost text alone says only "client error".
fn describe(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
