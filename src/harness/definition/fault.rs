//! What is done to a client's connection, or to its server: the words of `fault` and of a timetable.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What is done to a client's connection, or to its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The connection is ended in an orderly way (FIN).
    Close,
    /// The server's direction is ended in an orderly way (FIN), the client's goes on.
    HalfClose,
    /// The connection is reset (RST).
    Reset,
    /// The connection is ended in an orderly way in the middle of an event, after a few of its bytes.
    MidEvent,
    /// The same within a UTF-8 character, after its first byte. What is published then has such characters.
    MidCharacter,
    /// The same after the first byte of what the server writes next: within a WebSocket frame's header, an SSE
    /// chunk's size line, the head of a poll's answer.
    MidHeader,
    /// Nothing passes any more, in either direction, and nobody is told.
    Silence,
    /// Nothing from the server passes any more, and nobody is told; the client is still heard.
    OneWay,
    /// Packets are lost in both directions and never acknowledged, as behind a pulled plug. With `silence` the
    /// relay still acknowledges what it swallows, as a proxy with a dead client behind it does.
    Unplug,
    /// Nothing passes for a while, in either direction, and then everything does. No connection is lost.
    Hold,
    /// The connection is ended in an orderly way, and the port is closed for a while.
    Refuse,
    /// The connection is ended in an orderly way, and the next two are answered with 500.
    #[serde(rename = "http-500")]
    Http500,
    /// The same with 503 and `Retry-After: 1`.
    #[serde(rename = "http-503")]
    Http503,
    /// The same with 204, by which a server tells an EventSource to stop.
    #[serde(rename = "http-204")]
    Http204,
    /// The same with a redirect (307) to where the request went.
    HttpRedirect,
    /// The same with 200 and a page of HTML.
    HttpWrongType,
    /// The server process is asked to end (SIGTERM), drains, and is started again.
    Sigterm,
    /// The server process is killed and started again.
    Restart,
    /// As `restart`, but the server keeps its channels on disk.
    RestartWithLog,
    /// The server itself resets all its readers at the same moment, as one that sheds its load does.
    Disconnect,
    /// The server process is stopped for half a second and then goes on. No connection is lost.
    Stall,
}

impl Fault {
    /// All of them, in the order in which tables and charts show them.
    pub const ALL: [Fault; 21] = [
        Fault::Close,
        Fault::HalfClose,
        Fault::Reset,
        Fault::MidEvent,
        Fault::MidCharacter,
        Fault::MidHeader,
        Fault::Silence,
        Fault::OneWay,
        Fault::Unplug,
        Fault::Hold,
        Fault::Refuse,
        Fault::Http500,
        Fault::Http503,
        Fault::Http204,
        Fault::HttpRedirect,
        Fault::HttpWrongType,
        Fault::Sigterm,
        Fault::Restart,
        Fault::RestartWithLog,
        Fault::Disconnect,
        Fault::Stall,
    ];

    /// The word in files.
    pub const fn slug(self) -> &'static str {
        match self {
            Fault::Close => "close",
            Fault::HalfClose => "half-close",
            Fault::Reset => "reset",
            Fault::MidEvent => "mid-event",
            Fault::MidCharacter => "mid-character",
            Fault::MidHeader => "mid-header",
            Fault::Silence => "silence",
            Fault::OneWay => "one-way",
            Fault::Unplug => "unplug",
            Fault::Hold => "hold",
            Fault::Refuse => "refuse",
            Fault::Http500 => "http-500",
            Fault::Http503 => "http-503",
            Fault::Http204 => "http-204",
            Fault::HttpRedirect => "http-redirect",
            Fault::HttpWrongType => "http-wrong-type",
            Fault::Sigterm => "sigterm",
            Fault::Restart => "restart",
            Fault::RestartWithLog => "restart-with-log",
            Fault::Disconnect => "disconnect",
            Fault::Stall => "stall",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Fault> {
        Fault::ALL.into_iter().find(|fault| fault.slug() == name)
    }

    /// Whether it happens on the way, to each connection alone, so that a relay has to stand there.
    pub const fn is_on_the_way(self) -> bool {
        !self.kills() && !matches!(self, Fault::Disconnect | Fault::Stall)
    }

    /// Whether the server's process ends, which only one of our own can be made to.
    pub const fn kills(self) -> bool {
        matches!(self, Fault::Sigterm | Fault::Restart | Fault::RestartWithLog)
    }

    /// Whether it ends connections, so that there is something to recover from.
    pub const fn cuts(self) -> bool {
        !matches!(self, Fault::Stall | Fault::Hold)
    }

    /// Whether it happens to the server itself, which must be ours then, and not on the way to it.
    pub const fn needs_own_server(self) -> bool {
        self.kills() || matches!(self, Fault::Stall)
    }

    /// Whether nobody is told that the connection is gone.
    pub const fn is_silent(self) -> bool {
        matches!(self, Fault::Silence | Fault::OneWay | Fault::Unplug)
    }

    /// How long it lasts where nothing else is said: how long a server that is started again stays away; `None`
    /// where it is done at once, or lasts until the run is over.
    pub const fn lasts(self) -> Option<Duration> {
        match self {
            Fault::Sigterm | Fault::Restart | Fault::RestartWithLog => Some(Duration::from_millis(300)),
            Fault::Stall | Fault::Hold => Some(Duration::from_millis(500)),
            Fault::Refuse => Some(Duration::from_millis(1_000)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_in_files_is_the_one_that_is_read() {
        for fault in Fault::ALL {
            assert_eq!(Fault::named(fault.slug()), Some(fault));
            let read: Fault = serde_json::from_value(fault.slug().into()).expect("a word");
            assert_eq!(read, fault);
        }
    }
}
