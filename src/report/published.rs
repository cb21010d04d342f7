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
            in_unit(published.value, published.unit),
            ours.as_ref().map_or_else(|| "not measured".to_owned(), |ours| in_words(ours, published.unit)),
            measured_with(published, summary),
        ]
    };
    let differences = definition.setup_differences.as_deref().unwrap_or_default();
    Some(Table {
        caption: format!("Published beside ours: {published_in}"),
        headings: vec!["published as", "figure", "published", "ours", "ours is"],
        rows: definition.published.iter().map(row).collect(),
        note: Some(format!("What is different: {}", differences.split_whitespace().collect::<Vec<_>>().join(" "))),
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
        groups.flat_map(|group: &Group<'_>| &group.records).filter_map(|it| published.quantity.of(it)).collect()
    };
    let values = of(published.client.as_deref()?);
    if let Some(against) = &published.against {
        let others = of(against);
        return if values.is_empty() || others.is_empty() { None } else { statistics::ratio(&values, &others) };
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
        (None, _) => "nothing of the kind".to_owned(),
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
