//! What a server is told: its limits and its times.

use std::{path::PathBuf, time::Duration};

use super::{cors::Origin, token::Token};
use crate::feed::{Limits, ReadLimit};

/// Bounds on everything that a stranger can make the server hold, and how long it waits for what.
///
/// The defaults suit a lesson or a measurement on one machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// What the feed may hold.
    pub feed: Limits,
    /// Names besides the loopback's and the bound address that the server answers to, as `NAME` (any
    /// port, as behind a proxy) or `NAME:PORT`.
    pub hosts: Vec<String>,
    /// What changing things needs; `None`: nothing, as is right on the loopback only.
    pub token: Option<Token>,
    /// Other origins whose pages may read here.
    pub allowed_origins: Vec<Origin>,
    /// Where the runs of experiments are, and are written by those that visitors start.
    pub results: PathBuf,
    /// The program `experiment`; `None`: the one beside this program.
    pub experiment_program: Option<PathBuf>,
    /// Connections at a time; one more is answered with 503.
    pub max_connections: usize,
    /// Readers of one channel at a time, of all transports together; one more is answered with 503.
    pub readers_per_channel: usize,
    /// Built-in publishers at a time.
    pub max_sources: usize,
    /// Bytes of a request's body, which is also the most that a publisher can put in one event.
    pub max_body_bytes: usize,
    /// Bytes of a WebSocket message that a client sends; a longer one ends the connection with 1009.
    pub max_message_bytes: usize,
    /// How long a client may take to send a request's head, and how long a connection may lie idle
    /// between two requests.
    pub header_timeout: Duration,
    /// How long a client may take to send a request's body.
    pub body_timeout: Duration,
    /// How often a silent stream carries a sign of life.
    pub heartbeat: Duration,
    /// The wait before a reconnect that SSE's `retry:` asks browsers for.
    pub retry: Duration,
    /// How long a built-in publisher goes on without any reader.
    pub source_idle: Duration,
    /// How long a silenced connection is kept before it is reset.
    pub silence: Duration,
    /// How long open streams have to end at shutdown.
    pub drain: Duration,
    /// How much one wake-up of a stream writes at most.
    pub write_batch: ReadLimit,
    /// Whether streams are served in the plain way: inside hyper, with a task for each reader.
    pub plain: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            feed: Limits::default(),
            hosts: Vec::new(),
            token: None,
            allowed_origins: Vec::new(),
            results: PathBuf::from("results"),
            experiment_program: None,
            max_connections: 10_000,
            readers_per_channel: 10_000,
            max_sources: 16,
            max_body_bytes: 1 << 20,
            max_message_bytes: 1 << 20,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(10),
            heartbeat: Duration::from_secs(15),
            retry: Duration::from_secs(1),
            source_idle: Duration::from_secs(10 * 60),
            silence: Duration::from_secs(60),
            drain: Duration::from_millis(1_200),
            // A stalled reader holds one batch that waits for its socket, so this times the number of
            // readers is what a crowd of stalled ones can cost.
            write_batch: ReadLimit { events: 1_000, bytes: 64 << 10 },
            plain: false,
        }
    }
}

impl Config {
    /// How long a peer that gives no sign of life is believed in: two heartbeats.
    pub fn dead_after(&self) -> Duration {
        self.heartbeat * 2
    }
}
