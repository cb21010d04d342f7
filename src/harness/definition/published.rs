//! `[[published]]`: figures that others published, which a report sets beside ours.

use serde::Deserialize;

/// One figure of a published table, and which of ours stands beside it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// The table's row, as its readers would call it.
    pub row: String,
    /// What was measured.
    pub quantity: Quantity,
    /// The published value.
    pub value: f64,
    /// Its unit, which ours is converted to.
    pub unit: PublishedUnit,
    /// Which client of ours stands beside it; none where this lab has nothing of the kind.
    #[serde(default)]
    pub client: Option<String>,
    /// With the unit `times`: which client's figure ours is divided by.
    #[serde(default)]
    pub against: Option<String>,
    /// Only our runs with so many readers.
    #[serde(default)]
    pub readers: Option<u32>,
    /// Only our runs at this rate.
    #[serde(default)]
    pub rate: Option<f64>,
    /// What our figure is multiplied with, such as the number of events that the publication added up.
    #[serde(default = "unity")]
    pub times: f64,
}

fn unity() -> f64 {
    1.0
}

/// What tables elsewhere list, as one number from one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantity {
    /// Mean of a run's latencies, in microseconds.
    LatencyMean,
    /// CPU time of the server in percent of the time measured; 100 is one core.
    ServerCpuPercent,
    /// Wire bytes, both ways, per delivered event, without what opening took.
    WireBytesPerEvent,
    /// What the transport adds to the data, in bytes per delivered event: no HTTP heads, no TCP/IP.
    FramingBytesPerEvent,
    /// Bytes of HTTP heads, both ways, per request after opening.
    HeadBytesPerRequest,
    /// Wire bytes, both ways, per request after opening.
    WireBytesPerRequest,
    /// Everything that one reader received over HTTP, opening included, in bytes.
    ResponseBytes,
    /// Requests that one reader sent, opening included.
    Requests,
}

/// The units of published tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum PublishedUnit {
    /// Milliseconds.
    #[serde(rename = "ms")]
    Millis,
    /// Percent.
    #[serde(rename = "%")]
    Percent,
    /// Bytes.
    #[serde(rename = "bytes")]
    Bytes,
    /// Millions of bytes.
    #[serde(rename = "MB")]
    Megabytes,
    /// So many bytes once a second, in bits per second, a megabit being 2^20 of them.
    #[serde(rename = "Mibit/s")]
    MebibitsPerSecond,
    /// Things that are counted.
    #[serde(rename = "requests")]
    Requests,
    /// One client's figure over another's.
    #[serde(rename = "times")]
    Times,
}

impl Quantity {
    /// What it is called in a table.
    pub const fn label(self) -> &'static str {
        match self {
            Quantity::LatencyMean => "mean latency",
            Quantity::ServerCpuPercent => "server CPU",
            Quantity::WireBytesPerEvent => "wire bytes of the events",
            Quantity::FramingBytesPerEvent => "framing of the events",
            Quantity::HeadBytesPerRequest => "HTTP heads of the requests",
            Quantity::WireBytesPerRequest => "wire bytes of the requests",
            Quantity::ResponseBytes => "bytes received",
            Quantity::Requests => "requests",
        }
    }

    const fn units(self) -> &'static [PublishedUnit] {
        use PublishedUnit::{Bytes, MebibitsPerSecond, Megabytes, Millis, Percent, Requests};
        match self {
            Quantity::LatencyMean => &[Millis],
            Quantity::ServerCpuPercent => &[Percent],
            Quantity::WireBytesPerEvent
            | Quantity::FramingBytesPerEvent
            | Quantity::HeadBytesPerRequest
            | Quantity::WireBytesPerRequest
            | Quantity::ResponseBytes => &[Bytes, Megabytes, MebibitsPerSecond],
            Quantity::Requests => &[Requests],
        }
    }
}

impl PublishedUnit {
    /// The unit behind a number.
    pub const fn label(self) -> &'static str {
        match self {
            PublishedUnit::Millis => "ms",
            PublishedUnit::Percent => "%",
            PublishedUnit::Bytes => "bytes",
            PublishedUnit::Megabytes => "MB",
            PublishedUnit::MebibitsPerSecond => "Mibit/s",
            PublishedUnit::Requests => "requests",
            PublishedUnit::Times => "×",
        }
    }

    /// From a [`Quantity`]'s own unit to this one.
    pub fn of(self, value: f64) -> f64 {
        match self {
            PublishedUnit::Millis => value / 1e3,
            PublishedUnit::Megabytes => value / 1e6,
            PublishedUnit::MebibitsPerSecond => value * 8.0 / 1_048_576.0,
            PublishedUnit::Percent
            | PublishedUnit::Bytes
            | PublishedUnit::Requests
            | PublishedUnit::Times => value,
        }
    }
}

impl Published {
    /// What is wrong with it; `is_client` knows the definition's clients.
    pub(super) fn check(&self, is_client: impl Fn(&str) -> bool) -> Result<(), String> {
        let names = [&self.client, &self.against].into_iter().flatten();
        for name in names {
            if !is_client(name) {
                return Err(format!("there is no client {name:?}: add a [[client]] or correct the name"));
            }
        }
        let ratio = self.unit == PublishedUnit::Times;
        if ratio != self.against.is_some() || (ratio && self.client.is_none()) {
            return Err("the unit \"times\" needs client and against, and no other takes against".into());
        }
        if !ratio && !self.quantity.units().contains(&self.unit) {
            let units: Vec<_> = self.quantity.units().iter().map(|unit| unit.label()).collect();
            return Err(format!("this quantity is in {}: correct the unit", units.join(" or ")));
        }
        if !(self.value.is_finite() && self.times.is_finite() && self.times > 0.0) {
            return Err("value must be a number, and times one above 0".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Published {
        toml::from_str(text).expect("well-formed")
    }

    #[test]
    fn units_are_converted() {
        assert_eq!(PublishedUnit::Millis.of(18_400.0), 18.4);
        let polls = PublishedUnit::MebibitsPerSecond.of(871.0 * 1_000.0);
        assert!((polls - 6.645).abs() < 0.001, "{polls}");
    }

    #[test]
    fn what_can_not_be_compared_is_refused() {
        let known = |name: &str| name == "sse";
        let good = "row = 'x'\nquantity = 'latency-mean'\nvalue = 1\nunit = 'ms'\n";
        read(good).check(known).expect("nothing of ours beside it");
        read(&format!("{good}client = 'sse'")).check(known).expect("ours beside it");
        for (text, word) in [
            (format!("{good}client = 'ssse'"), "ssse"),
            (format!("{good}client = 'sse'\nagainst = 'sse'"), "against"),
            (good.replace("'ms'", "'MB'"), "ms"),
            (good.replace("'ms'", "'times'"), "against"),
            (format!("{good}times = 0"), "above 0"),
        ] {
            let problem = read(&text).check(known).expect_err(&text);
            assert!(problem.contains(word), "{text}: {problem}");
        }
    }
}
