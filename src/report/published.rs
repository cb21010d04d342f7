//! Figures that others published, with ours beside them.

use crate::{
    harness::{
        definition::{Definition, Published, PublishedUnit, Quantity},
        record::Record,
    },
    report::{
        figure::{Parts, wire},
        statistics::{self, Estimate, Interval},
        summary::{Group, Summary},
        table::Table,
        units::significant,
    },
};

/// A row for each published figure that the definition carries; `None` where it carries none.
pub(super) fn table(definition: &Definition, summary: &Summary<'_>) -> Option<Table> {
    if definition.published.is_empty() {
        return None;
    }
    let published_in = definition.published_in.as_deref().unwrap_or_default();
    let row = |published: &Published| {
        let ours = ours(published, summary);
        vec![
            published.row.clone(),
            published.quantity.label().to_owned(),
            // As it was printed there, and not rounded again.
            format!("{} {}", published.value, published.unit.label()),
            ours.as_ref().map_or_else(|| "–".to_owned(), |ours| in_words(ours, published.unit)),
            measured_with(published, summary),
        ]
    };
    let differences = definition.setup_differences.as_deref().unwrap_or_default();
    Some(Table {
        caption: format!("Published beside ours: {published_in}"),
        headings: vec!["published as", "figure", "published", "ours", "ours is"],
        rows: definition.published.iter().map(row).collect(),
        note: Some(format!(
            "What is different: {}",
            differences.split_whitespace().collect::<Vec<_>>().join(" ")
        )),
    })
}

/// Our figure in the published unit.
fn ours(published: &Published, summary: &Summary<'_>) -> Option<Estimate> {
    let of = |client: &str| -> Vec<f64> {
        let groups = summary.groups.iter().filter(|group| {
            summary.series_of(group).name == client
                && published.readers.is_none_or(|readers| readers == group.condition.readers)
                && published.rate.is_none_or(|rate| rate == group.condition.rate)
        });
        groups
            .flat_map(|group: &Group<'_>| &group.records)
            .filter_map(|it| published.quantity.of(it))
            .collect()
    };
    let values = of(published.client.as_deref()?);
    if let Some(against) = &published.against {
        let others = of(against);
        return if values.is_empty() || others.is_empty() {
            None
        } else {
            statistics::ratio(&values, &others)
        };
    }
    let scaled: Vec<f64> = values.iter().map(|value| published.unit.of(value * published.times)).collect();
    statistics::estimate(&scaled)
}

fn measured_with(published: &Published, summary: &Summary<'_>) -> String {
    let label = |name: &String| {
        let series = summary.series.iter().find(|series| series.name == *name);
        series.map_or_else(|| name.clone(), |series| series.label.clone())
    };
    match (&published.client, &published.against) {
        (Some(client), Some(against)) => format!("{} over {}", label(client), label(against)),
        (Some(client), None) => label(client),
        (None, _) => "not here".to_owned(),
    }
}

fn in_unit(value: f64, unit: PublishedUnit) -> String {
    format!("{} {}", significant(value), unit.label())
}

fn in_words(ours: &Estimate, unit: PublishedUnit) -> String {
    let median = in_unit(ours.median, unit);
    match ours.interval {
        Some(Interval { low, high }) if low != high => {
            format!("{median} [{} – {}, n = {}]", significant(low), significant(high), ours.n)
        }
        _ => format!("{median} [n = {}]", ours.n),
    }
}

impl Quantity {
    /// The quantity of one run, in its own unit; `None` where the run failed or did not measure it.
    pub fn of(self, record: &Record) -> Option<f64> {
        if record.err.is_some() {
            return None;
        }
        let readers = f64::from(record.parameters.readers.max(1));
        let per = |total: f64, count: u64| (count > 0).then(|| total / count as f64);
        let steady = &record.steady;
        match self {
            Quantity::LatencyMean => record.latency_us.as_ref().map(|latency| latency.mean),
            Quantity::ServerCpuPercent => {
                let seconds = record.cost.server_cpu_s?;
                (record.steady_s > 0.0).then(|| seconds * 100.0 / record.steady_s)
            }
            Quantity::WireBytesPerEvent => per(wire(steady)? as f64, record.delivered),
            Quantity::FramingBytesPerEvent => Parts::per_event(record).map(|parts| parts.framing),
            Quantity::HeadBytesPerRequest => {
                per((steady.heads_in.saturating_add(steady.heads_out)) as f64, steady.requests)
            }
            Quantity::WireBytesPerRequest => per(wire(steady)? as f64, steady.requests),
            Quantity::ResponseBytes => Some(record.bytes.application_in as f64 / readers),
            Quantity::Requests => Some(record.bytes.requests as f64 / readers),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::folder::Experiment;

    const DEFINITION: &str = r#"
        question = "?"
        why = "?"
        published_in = "Somebody 1999"
        setup_differences = "Everything\n is."
        client = [{ name = "sse", transport = "sse" }, { name = "ws", transport = "websocket" }]
        conditions = [{ rate = [1], network = ["direct", "loopback"] }]
        quick = { repetitions = 1, warm_up_s = 0, measure_s = 1 }
        full = { repetitions = 1, warm_up_s = 0, measure_s = 1 }
        [[published]]
        row = "theirs"
        quantity = "latency-mean"
        value = 18.25
        unit = "ms"
        client = "sse"
        [[published]]
        row = "theirs, all of it"
        quantity = "wire-bytes-per-event"
        value = 65
        unit = "MB"
        client = "ws"
        times = 10_000
        [[published]]
        row = "one against the other"
        quantity = "server-cpu-percent"
        value = 7
        unit = "times"
        client = "sse"
        against = "ws"
        [[published]]
        row = "something else"
        quantity = "requests"
        value = 3
        unit = "requests"
    "#;

    /// A run of a client with a mean latency, its server's CPU seconds, and wire bytes for ten events.
    fn record(client: &str, network: Option<&str>, mean_us: f64, cpu_s: f64, wire: u64) -> Record {
        let bytes = |wire: u64| {
            serde_json::json!({ "payload": 0, "application_in": 0, "application_out": 0, "heads_in": 0,
                "heads_out": 0, "wire_in": wire, "wire_out": 0, "segments_in": 0, "segments_out": 0,
                "connections": 1, "requests": 0 })
        };
        let us = mean_us as u64;
        serde_json::from_value(serde_json::json!({
            "experiment": "x", "run": client, "transport": "sse", "client": client, "repetition": 1,
            "parameters": { "readers": 1, "rate": 1.0, "payload_bytes": 100, "pattern": "steady",
                "interval_ms": null, "fault": null, "network": network, "warm_up_s": 0.0, "measure_s": 1.0,
                "seed": 1 },
            "started_ms": 0.0, "expected": 10, "delivered": 10, "lost": 0, "duplicated": 0,
            "out_of_order": 0, "gaps": 0, "lost_announced": 0,
            "latency_us": { "count": 10, "min": us, "mean": mean_us, "p50": us, "p90": us, "p99": us,
                "p999": us, "max": us, "histogram": "" },
            "bytes": bytes(wire), "opening": bytes(0), "steady": bytes(wire), "steady_s": 2.0,
            "cost": { "server_cpu_s": cpu_s, "client_cpu_s": null, "server_rss_kib": null },
            "recovery": null, "err": null
        }))
        .expect("a record")
    }

    fn experiment(records: Vec<Record>) -> Experiment {
        let definition = Definition::parse("x", "x.toml", DEFINITION).expect("it can be run");
        Experiment { definition, records, planned: None, unreadable: Vec::new() }
    }

    #[test]
    fn ours_stand_beside_theirs_in_their_units() {
        let experiment = experiment(vec![
            record("sse", None, 1_500.0, 0.5, 1_000),
            record("ws", None, 1_000.0, 0.25, 2_000),
        ]);
        let table =
            table(&experiment.definition, &Summary::of(&experiment, &mut Vec::new())).expect("a table");
        let cells: Vec<_> = table.rows.iter().map(|row| [&row[2], &row[3], &row[4]]).collect();
        assert_eq!(cells[0], ["18.25 ms", "1.5 ms [n = 1]", "sse"]);
        assert_eq!(cells[1], ["65 MB", "2 MB [n = 1]", "ws"], "200 bytes each, 10,000 times");
        assert_eq!(cells[2], ["7 ×", "2 × [n = 1]", "sse over ws"]);
        assert_eq!(cells[3], ["3 requests", "–", "not here"]);
        assert_eq!(table.note.as_deref(), Some("What is different: Everything is."));
    }

    #[test]
    fn what_the_relay_adds_is_the_difference_of_the_medians() {
        let experiment = experiment(vec![
            record("sse", None, 400.0, 0.5, 1_000),
            record("sse", Some("loopback"), 530.0, 0.5, 1_000),
            record("ws", Some("loopback"), 700.0, 0.5, 1_000),
            record("sse", Some("lan"), 900.0, 0.5, 1_000),
        ]);
        let summary = Summary::of(&experiment, &mut Vec::new());
        let table = crate::report::relay_cost::table(&summary).expect("a table");
        assert_eq!(table.rows.len(), 1, "only one client was measured both ways: {:?}", table.rows);
        assert_eq!(table.rows[0][3], "130 µs");
        let labels: Vec<_> =
            summary.conditions.iter().map(|it| it.describe_among(&summary.conditions)).collect();
        assert_eq!(labels, ["direct", "loopback", "lan"]);
    }
}
