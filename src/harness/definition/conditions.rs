//! `[[conditions]]`: under what the clients are compared.

use serde::{Deserialize, Serialize};

use super::Network;
use crate::schedule::Pattern;

/// A matrix of conditions; each combination of its lists is one.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conditions {
    /// Readers at the same time.
    #[serde(default = "one")]
    pub readers: Vec<u32>,
    /// Events per second; 0 leaves the channel idle.
    pub rate: Vec<f64>,
    /// Bytes of an event's data.
    #[serde(default = "hundred")]
    pub payload_bytes: Vec<u32>,
    /// How publishes are spaced.
    #[serde(default = "steady")]
    pub pattern: Vec<Pattern>,
    /// What is done to the connection in the middle of the run; an empty list for nothing.
    #[serde(default)]
    pub fault: Vec<Fault>,
    /// What stands between the clients and the server; an empty list for nothing.
    #[serde(default)]
    pub network: Vec<Network>,
    /// Milliseconds between the server's heartbeats, where they differ from the definition's.
    #[serde(default)]
    pub heartbeat_ms: Vec<u64>,
    /// Which clients run under these conditions; all where it is left out.
    #[serde(default)]
    pub clients: Vec<String>,
    /// Seconds measured, where it differs from the profile's.
    #[serde(default)]
    pub measure_s: Option<PerProfile>,
    /// Leave these conditions out of the quick form.
    #[serde(default)]
    pub full_only: bool,
}

fn one() -> Vec<u32> {
    vec![1]
}

fn hundred() -> Vec<u32> {
    vec![100]
}

fn steady() -> Vec<Pattern> {
    vec![Pattern::Steady]
}

/// A value for each profile.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerProfile {
    /// In the quick form.
    pub quick: f64,
    /// In the full form.
    pub full: f64,
}

/// What is done to a client's connection, or to its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The connection is ended in an orderly way (FIN).
    Close,
    /// The connection is reset (RST).
    Reset,
    /// Nothing passes any more, in either direction, and nobody is told.
    Silence,
    /// The server process is killed and started again.
    Restart,
    /// The server itself resets all its readers at the same moment, as one that sheds its load does.
    Disconnect,
    /// Packets are lost in both directions and never acknowledged, as behind a pulled plug. With `silence` the
    /// relay still acknowledges what it swallows, as a proxy with a dead client behind it does.
    Unplug,
    /// The server process is stopped for half a second and then goes on. No connection is lost.
    Stall,
}

impl Fault {
    /// The word in files.
    pub const fn slug(self) -> &'static str {
        match self {
            Fault::Close => "close",
            Fault::Reset => "reset",
            Fault::Silence => "silence",
            Fault::Restart => "restart",
            Fault::Disconnect => "disconnect",
            Fault::Unplug => "unplug",
            Fault::Stall => "stall",
        }
    }

    /// Whether it happens on the way, to each connection alone, so that a relay has to stand there.
    pub const fn is_on_the_way(self) -> bool {
        matches!(self, Fault::Close | Fault::Reset | Fault::Silence | Fault::Unplug)
    }

    /// Whether it ends connections, so that there is something to recover from.
    pub const fn cuts(self) -> bool {
        !matches!(self, Fault::Stall)
    }

    /// Whether it happens to the server itself, which must be ours then, and not on the way to it.
    pub const fn needs_own_server(self) -> bool {
        matches!(self, Fault::Restart | Fault::Stall)
    }
}
