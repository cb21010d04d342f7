//! One combination of conditions, as runs are grouped by and as headings name them.

use std::cmp::Ordering;

use serde::Serialize;

use crate::{
    harness::{
        definition::{Fault, TIMETABLE},
        record::Parameters,
    },
    link::conditions::Profile,
    report::units::{Unit, grouped, plural},
};

/// What two runs must share to be repetitions of each other, besides their client.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Condition {
    /// What was done to the connection; `None` for nothing.
    pub fault: Option<String>,
    /// What stood between the clients and the server; `None` for nothing.
    pub network: Option<String>,
    /// Readers at the same time.
    pub readers: u32,
    /// Events per second.
    pub rate: f64,
    /// Bytes of an event's data.
    pub payload_bytes: u32,
    /// How publishes are spaced.
    pub pattern: String,
    /// Milliseconds between the server's heartbeats, where that was a condition.
    pub heartbeat_ms: Option<u64>,
    /// How many events were under way at most, where they were published as fast as they were taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<u32>,
    /// Whether the rate was raised from there, step by step.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub raised: bool,
}

impl Condition {
    /// Of a run.
    pub fn of(parameters: &Parameters) -> Self {
        Condition {
            fault: parameters.fault.clone(),
            network: parameters.network.clone(),
            readers: parameters.readers,
            rate: parameters.rate,
            payload_bytes: parameters.payload_bytes,
            pattern: parameters.pattern.clone(),
            heartbeat_ms: parameters.heartbeat_ms,
            in_flight: parameters.in_flight,
            raised: parameters.step.is_some(),
        }
    }

    /// Whether nothing is published.
    pub fn is_idle(&self) -> bool {
        self.rate == 0.0 && self.in_flight.is_none()
    }

    /// Whether connections were cut, so that there is something to recover from.
    pub fn is_cut(&self) -> bool {
        self.fault.as_deref().is_some_and(|fault| Fault::named(fault).is_none_or(Fault::cuts))
    }

    /// In words, whole: `100 readers, 20 events/s of 100 B`.
    pub fn describe(&self) -> String {
        self.words([true; 7])
    }

    /// In words, only by what distinguishes it from `others`; whole where nothing does.
    pub fn describe_among(&self, others: &[Condition]) -> String {
        let differs = |same: fn(&Condition, &Condition) -> bool| others.iter().any(|o| !same(self, o));
        let shown = [
            differs(|a, b| a.fault == b.fault),
            differs(|a, b| a.network == b.network),
            differs(|a, b| a.readers == b.readers),
            differs(|a, b| a.rate == b.rate && a.in_flight == b.in_flight),
            differs(|a, b| a.payload_bytes == b.payload_bytes),
            differs(|a, b| a.pattern == b.pattern),
            differs(|a, b| a.heartbeat_ms == b.heartbeat_ms),
        ];
        self.words(if shown.contains(&true) { shown } else { [true; 7] })
    }

    fn words(&self, [fault, network, readers, rate, payload, pattern, heartbeat]: [bool; 7]) -> String {
        let mut words = Vec::new();
        if fault {
            words.extend(self.fault.as_deref().map(fault_in_words).map(str::to_owned));
        }
        if network {
            // Alone, so that a label is not empty where only the other runs went over a network.
            let alone = !(readers || rate || payload || pattern || (fault && self.fault.is_some()));
            words.extend(self.network.clone().or_else(|| alone.then(|| "direct".to_owned())));
        }
        if readers {
            words.push(plural(self.readers.into(), "reader"));
        }
        let size = Unit::Bytes.format(self.payload_bytes.into());
        match (rate, payload) {
            (true, _) if self.is_idle() => words.push("nothing published".to_owned()),
            (true, _) if self.in_flight.is_some() => {
                words.push(format!("events of {size} as fast as they are taken"));
            }
            (true, with_size) if self.raised => {
                let of = if with_size { format!(" of {size}") } else { String::new() };
                words.push(format!("{}{of} and more", per_second(self.rate)));
            }
            (true, true) => words.push(format!("{} of {size}", per_second(self.rate))),
            (true, false) => words.push(per_second(self.rate)),
            (false, true) if !self.is_idle() => words.push(format!("events of {size}")),
            (false, _) => {}
        }
        if heartbeat {
            let interval = self.heartbeat_ms.map(|ms| Unit::Millis.format(ms as f64));
            words.extend(interval.map(|interval| format!("heartbeat every {interval}")));
        }
        if pattern && (self.pattern != "steady" || words.is_empty()) {
            words.push(self.pattern.clone());
        }
        words.join(", ")
    }

    /// By fault in the order in which definitions list them, then by size.
    pub fn order(&self, other: &Self) -> Ordering {
        fault_rank(self)
            .cmp(&fault_rank(other))
            .then_with(|| self.fault.cmp(&other.fault))
            .then_with(|| network_rank(self).cmp(&network_rank(other)))
            .then_with(|| self.network.cmp(&other.network))
            .then_with(|| self.readers.cmp(&other.readers))
            .then_with(|| self.in_flight.cmp(&other.in_flight))
            .then_with(|| self.rate.total_cmp(&other.rate))
            .then_with(|| self.raised.cmp(&other.raised))
            .then_with(|| self.payload_bytes.cmp(&other.payload_bytes))
            .then_with(|| self.pattern.cmp(&other.pattern))
            .then_with(|| self.heartbeat_ms.cmp(&other.heartbeat_ms))
    }
}

/// What a fault's slug stands for, to somebody who has not read the definition.
pub fn fault_in_words(fault: &str) -> &str {
    match fault {
        "close" => "Connection closed (FIN)",
        "reset" => "Connection reset (RST)",
        "silence" => "Connection gone silent",
        "restart" => "Server killed and restarted",
        "disconnect" => "All readers reset at once",
        "half-close" => "Server's direction closed (FIN)",
        "one-way" => "Nothing from the server passes",
        "mid-event" => "Cut in the middle of an event",
        "restart-with-log" => "Server killed and restarted, log on disk",
        "sigterm" => "Server drained and restarted",
        "mid-character" => "Cut within a character",
        "mid-header" => "Cut within a frame's or chunk's header",
        "refuse" => "Connection closed, then refused for a second",
        "hold" => "Held up for half a second",
        "http-500" => "Reconnects answered with 500",
        "http-503" => "Reconnects answered with 503, Retry-After",
        "http-204" => "Reconnects answered with 204",
        "http-redirect" => "Reconnects redirected",
        "http-wrong-type" => "Reconnects answered with HTML",
        TIMETABLE => "Several faults",
        "unplug" => "Packets lost and not acknowledged",
        "stall" => "Server stopped for half a second",
        other => other,
    }
}

/// In the order in which faults are listed; a timetable is the last.
fn fault_rank(condition: &Condition) -> usize {
    let place = |slug: &str| Fault::ALL.iter().position(|fault| fault.slug() == slug);
    condition.fault.as_deref().map_or(0, |slug| 1 + place(slug).unwrap_or(Fault::ALL.len()))
}

/// None first, then from the fastest to the slowest, then others.
fn network_rank(condition: &Condition) -> usize {
    let place = |name: &str| Profile::ALL.iter().position(|profile| profile.slug() == name);
    condition.network.as_deref().map_or(0, |name| 1 + place(name).unwrap_or(Profile::ALL.len()))
}

fn per_second(rate: f64) -> String {
    match rate {
        1.0 => "1 event/s".to_owned(),
        rate if rate < 1.0 && (1.0 / rate).round() * rate > 0.999 && (1.0 / rate).round() * rate < 1.001 => {
            format!("1 event every {} s", (1.0 / rate).round())
        }
        rate => format!("{} events/s", grouped(rate)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(readers: u32, rate: f64) -> Condition {
        Condition {
            fault: None,
            network: None,
            readers,
            rate,
            payload_bytes: 100,
            pattern: "steady".to_owned(),
            heartbeat_ms: None,
            in_flight: None,
            raised: false,
        }
    }

    #[test]
    fn a_rate_that_was_raised_is_only_where_it_began() {
        let raised = Condition { raised: true, ..condition(10, 50.0) };
        assert_eq!(raised.describe(), "10 readers, 50 events/s of 100 B and more");
    }

    #[test]
    fn a_condition_is_named_by_what_sets_it_apart() {
        let (one, hundred) = (condition(1, 20.0), condition(100, 20.0));
        let both = [one.clone(), hundred.clone()];
        assert_eq!(one.describe(), "1 reader, 20 events/s of 100 B");
        assert_eq!(one.describe_among(&both), "1 reader");
        assert_eq!(hundred.describe_among(&both), "100 readers");
        assert_eq!(one.describe_among(&both[..1]), "1 reader, 20 events/s of 100 B");
        assert_eq!(condition(1, 0.0).describe(), "1 reader, nothing published");
        assert_eq!(condition(1, 0.1).describe(), "1 reader, 1 event every 10 s of 100 B");
    }
}
