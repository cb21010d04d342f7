//! The five products, which transports can be defended for each, and which figures matter to it.

use super::records::Found;
use crate::transport::Transport;

/// A product of the exercise's text.
pub(super) struct Product {
    pub(super) name: &'static str,
    /// Those for which its numbers speak. More than one may be right; what counts is the argument.
    pub(super) defensible: &'static [Transport],
    /// Figures that say something about what it needs.
    matters: &'static [&'static str],
    /// The condition under which they do: a column, and what it holds.
    pub(super) at: (&'static str, &'static str),
    /// The question to whoever chose another transport.
    pub(super) asks: &'static str,
}

const BYTES: [&str; 3] = ["wire_per_event_bytes", "wire_per_minute_bytes", "application_per_event_bytes"];

pub(super) const PRODUCTS: &[Product] = &[
    Product {
        name: "dashboard",
        defensible: &[Transport::ShortPoll],
        matters: &BYTES,
        at: ("rate_per_s", "100"),
        asks: "its readings may be 2 s old and each byte costs: what does one event cost alone, and what in a batch?",
    },
    Product {
        name: "scores",
        defensible: &[Transport::Sse],
        matters: &[
            BYTES[0],
            BYTES[1],
            BYTES[2],
            "latency_mean_us",
            "latency_p50_us",
            "requests_per_event_count",
        ],
        at: ("rate_per_s", "1"),
        asks: "everything goes one way, and nobody will write code for coming back: who does it by itself, and cheapest?",
    },
    Product {
        name: "game",
        defensible: &[Transport::WebSocket],
        matters: &[
            BYTES[0],
            BYTES[1],
            BYTES[2],
            "latency_p99_us",
            "latency_max_us",
            "requests_per_event_count",
            "framing_per_event_bytes",
            "round_trip_p99_us",
            "application_per_message_bytes",
        ],
        at: ("rate_per_s", "20"),
        asks: "20 messages a second go up as well: which transport carries those without a request for each?",
    },
    Product {
        name: "helpdesk",
        defensible: &[Transport::LongPoll],
        matters: &[
            BYTES[0],
            BYTES[1],
            BYTES[2],
            "latency_mean_us",
            "latency_p50_us",
            "latency_p99_us",
            "requests_per_event_count",
        ],
        at: ("rate_per_s", "1"),
        asks: "the proxy hands on whole answers only and knows no upgrade; half a second is the limit: what gets through, and in time?",
    },
    Product {
        name: "ambulances",
        defensible: &[Transport::LongPoll, Transport::Sse, Transport::WebSocket],
        matters: &["lost_count", "noticed_after_ms", "back_after_ms", "caught_up_after_ms"],
        at: ("fault", "silence"),
        asks: "while nothing happens it may cost 5 kB a minute: what do questions cost that are answered with nothing?",
    },
];

impl Product {
    /// Whether a figure, under the conditions of its record, says something about this product.
    pub(super) fn heeds(&self, figure: &str, found: &Found) -> bool {
        let (column, value) = self.at;
        self.matters.contains(&figure) && found.condition(column) == Some(value)
    }
}
