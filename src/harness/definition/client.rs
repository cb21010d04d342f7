//! `[[client]]`: what is compared.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    client::{Policy, Reconnect},
    transport::Transport,
};

/// One client that is compared: a transport and what it does with it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Its name in records, charts and claims.
    pub name: String,
    /// How it is called on charts; the name where there is none.
    #[serde(default)]
    pub label: Option<String>,
    /// What it reads by.
    pub transport: Subject,
    /// Short poll: milliseconds from request to request.
    #[serde(default)]
    pub interval_ms: Option<u64>,
    /// Long poll: seconds that it asks the server to wait.
    #[serde(default)]
    pub wait_s: Option<u64>,
    /// What it does when its connection is gone.
    #[serde(default)]
    pub reconnect: ReconnectKind,
    /// With `fixed` and the exponential ones: the first wait in milliseconds.
    #[serde(default)]
    pub base_ms: Option<u64>,
    /// With the exponential ones: the longest wait in milliseconds.
    #[serde(default)]
    pub cap_ms: Option<u64>,
    /// Give the connection up when nothing came for so many milliseconds.
    #[serde(default)]
    pub quiet_limit_ms: Option<u64>,
    /// The same in heartbeats of the server, whatever their interval is.
    #[serde(default)]
    pub quiet_heartbeats: Option<u32>,
    /// SSE: the browser's own reconnection time in milliseconds, where the server sends no `retry:`.
    #[serde(default)]
    pub browser_retry_ms: Option<u64>,
    /// SSE: asks the server to send no `retry:`.
    #[serde(default)]
    pub without_retry: bool,
    /// Polls: how many milliseconds an answer may take beyond the wait that was asked for.
    #[serde(default)]
    pub answer_within_ms: Option<u64>,
    /// Whether a reconnect says where it stood.
    #[serde(default)]
    pub resume: Option<bool>,
    /// Opens its subscriptions and then never reads: what is measured is what that makes the server hold.
    #[serde(default)]
    pub stalled: bool,
    /// Reads from the variant of the server that keeps an unbounded queue per reader, which stands for the
    /// design that channels with cursors avoid.
    #[serde(default)]
    pub queueing: bool,
    /// How it publishes, where the definition's publisher is `reader`.
    #[serde(default)]
    pub upstream: Option<Upstream>,
    /// Whether each reader is a process of its own, `experiment watch`, whose wake-ups and CPU time are then
    /// known; its bytes are not.
    #[serde(default)]
    pub own_process: bool,
    /// Whether each reader is a page in a headless Chromium, which reads by the browser's own `EventSource` or
    /// `WebSocket`; its bytes are not known.
    #[serde(default)]
    pub browser: bool,
}

/// How a client publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Upstream {
    /// As frames on the WebSocket that it reads from.
    Frame,
    /// By `POST` on a kept connection of its own, as `fetch` does.
    Post,
}

impl Upstream {
    /// The word in files.
    pub const fn slug(self) -> &'static str {
        match self {
            Upstream::Frame => "frame",
            Upstream::Post => "post",
        }
    }
}

/// What a client reads by: a transport, or the bare stream that is the floor under all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Subject {
    /// The physical floor: the same payload over a bare TCP stream.
    Floor,
    /// One of the four.
    Transport(Transport),
}

impl Subject {
    /// The name in files.
    pub const fn slug(self) -> &'static str {
        match self {
            Subject::Floor => "tcp-floor",
            Subject::Transport(transport) => transport.slug(),
        }
    }
}

impl TryFrom<String> for Subject {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        if word == "tcp-floor" {
            return Ok(Subject::Floor);
        }
        word.parse().map(Subject::Transport).map_err(|error| format!("{error}, or tcp-floor"))
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> String {
        subject.slug().to_owned()
    }
}

/// The word for a [`Reconnect`] in a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReconnectKind {
    /// What the transport does by itself.
    #[default]
    Standard,
    /// Nothing.
    Never,
    /// The same wait each time.
    Fixed,
    /// Doubling waits.
    Exponential,
    /// Doubling waits, each drawn between zero and its length.
    ExponentialJitter,
}

impl Client {
    /// The label on charts.
    pub fn label(&self) -> &str {
        self.label.as_deref().unwrap_or(&self.name)
    }

    /// The same where the server's heartbeat has this interval.
    pub fn policy_under(&self, heartbeat: Duration) -> Policy {
        let policy = self.policy();
        let quiet = self.quiet_heartbeats.map(|count| heartbeat.saturating_mul(count));
        Policy { quiet_limit: quiet.or(policy.quiet_limit), ..policy }
    }

    /// The client's behaviour as the client library takes it, but for what depends on the server's heartbeat.
    pub fn policy(&self) -> Policy {
        let standard = Policy::default();
        let millis = |value: Option<u64>, default| value.map_or(default, Duration::from_millis);
        let base = millis(self.base_ms, Duration::from_millis(100));
        let cap = millis(self.cap_ms, Duration::from_secs(5));
        Policy {
            interval: millis(self.interval_ms, standard.interval),
            wait: self.wait_s.map_or(standard.wait, Duration::from_secs),
            answer_within: millis(self.answer_within_ms, standard.answer_within),
            reconnect: match self.reconnect {
                ReconnectKind::Standard => Reconnect::Standard,
                ReconnectKind::Never => Reconnect::Never,
                ReconnectKind::Fixed => Reconnect::Fixed(base),
                ReconnectKind::Exponential => Reconnect::Exponential { base, cap, jitter: false },
                ReconnectKind::ExponentialJitter => Reconnect::Exponential { base, cap, jitter: true },
            },
            reconnection_time: millis(self.browser_retry_ms, standard.reconnection_time),
            quiet_limit: self.quiet_limit_ms.map(Duration::from_millis),
            resume: self.resume.unwrap_or(standard.resume),
            plain: standard.plain,
        }
    }
}
