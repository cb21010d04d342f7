//! The four ways to get an event to a browser, listed once.
//!
//! Everything that is done "for each transport" iterates [`Transport::ALL`]; adding a transport means
//! adding a value here and following the compiler's complaints.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// One way of reading a channel after a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// The client asks on a timer; the server answers at once with what is there.
    ShortPoll,
    /// The client asks; the server answers as soon as there is something, or when the wait is over.
    LongPoll,
    /// Server-Sent Events: one response that never ends, in the `text/event-stream` format.
    Sse,
    /// A WebSocket (RFC 6455) carrying JSON text messages.
    #[serde(rename = "websocket")]
    WebSocket,
}

impl Transport {
    /// Every transport, in the order in which lists, charts and tables show them.
    pub const ALL: [Transport; 4] =
        [Transport::ShortPoll, Transport::LongPoll, Transport::Sse, Transport::WebSocket];

    /// The name in URLs, files and on command lines.
    pub const fn slug(self) -> &'static str {
        match self {
            Transport::ShortPoll => "short-poll",
            Transport::LongPoll => "long-poll",
            Transport::Sse => "sse",
            Transport::WebSocket => "websocket",
        }
    }

    /// The name for people.
    pub const fn label(self) -> &'static str {
        match self {
            Transport::ShortPoll => "Short polling",
            Transport::LongPoll => "Long polling",
            Transport::Sse => "Server-Sent Events",
            Transport::WebSocket => "WebSocket",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `pad`, so that `{:<10}` lines up in tables.
        f.pad(self.slug())
    }
}

/// A word that names no transport.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown transport {0:?}: use short-poll, long-poll, sse or websocket")]
pub struct UnknownTransport(String);

impl FromStr for Transport {
    type Err = UnknownTransport;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Transport::ALL
            .into_iter()
            .find(|transport| transport.slug() == word)
            .ok_or_else(|| UnknownTransport(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_names_its_transport_in_text_and_in_json() {
        for transport in Transport::ALL {
            assert_eq!(transport.slug().parse(), Ok(transport));
            let json = serde_json::to_string(&transport).expect("a unit variant");
            assert_eq!(json, format!("{:?}", transport.slug()));
        }
    }

    #[test]
    fn the_error_lists_every_slug() {
        let error = "polling".parse::<Transport>().expect_err("no such slug").to_string();
        for transport in Transport::ALL {
            assert!(error.contains(transport.slug()), "{error}");
        }
    }
}
