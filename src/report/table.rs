//! Tables of an experiment: medians with their intervals, as text that HTML and Markdown share.

use crate::{
    harness::definition::{Figure, Subject},
    report::{
        claims::in_words,
        condition::Condition,
        figure,
        statistics::{self, ENOUGH, Relation},
        summary::{Group, Summary},
        units::{Unit, grouped, significant},
    },
};

/// A table of text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    /// What it shows.
    pub caption: String,
    /// Its columns; the first holds the clients.
    pub headings: Vec<&'static str>,
    /// Its rows, a cell per column.
    pub rows: Vec<Vec<String>>,
    /// What is to be known beside it.
    pub note: Option<String>,
}

/// All tables that the records have figures for.
pub(super) fn tables(summary: &Summary<'_>) -> Vec<Table> {
    let mut tables = Vec::new();
    for condition in &summary.conditions {
        let heading = condition.describe();
        if condition.is_cut() {
            tables.extend(table(summary, condition, format!("The storm: {heading}"), &STORM));
            tables.extend(table(summary, condition, format!("Recovery: {heading}"), &RECOVERY));
        } else if !condition.is_idle() {
            tables.extend(table(summary, condition, format!("Sending: {heading}"), &UPSTREAM));
            tables.extend(table(summary, condition, format!("Latency: {heading}"), &LATENCY));
            tables.extend(table(summary, condition, format!("Cost: {heading}"), &COST));
        } else {
            tables.extend(table(summary, condition, format!("Idle: {heading}"), &IDLE));
        }
    }
    tables
}

type Cell = fn(&Summary<'_>, &Group<'_>) -> Option<String>;

const LATENCY: [(&str, Cell); 9] = [
    ("median", |_, group| figure(group, Figure::LatencyP50)),
    ("99th percentile", |_, group| figure(group, Figure::LatencyP99)),
    ("longest", |_, group| figure(group, Figure::LatencyMax)),
    ("99th percentile, as a closed loop tells it", |_, group| figure(group, Figure::ClosedLoopP99)),
    ("its clock agrees with ours to within", clock),
    ("× floor", times_floor),
    ("against the fastest", against_fastest),
    ("delivered", delivered),
    ("lost · duplicated · out of order", faults),
];

const COST: [(&str, Cell); 8] = [
    ("deliveries per second", |_, group| figure(group, Figure::DeliveriesPerSecond)),
    ("wire bytes per event", |_, group| figure(group, Figure::WireBytesPerEvent)),
    ("application bytes per event", |_, group| figure(group, Figure::ApplicationBytesPerEvent)),
    ("of them framing", |_, group| figure(group, Figure::FramingBytesPerEvent)),
    ("wire bytes per minute", |_, group| figure(group, Figure::WireBytesPerMinute)),
    ("requests per event", |_, group| figure(group, Figure::RequestsPerEvent)),
    ("wire bytes to open", |_, group| figure(group, Figure::WireBytesToOpen)),
    ("server CPU per 1,000 events", |_, group| figure(group, Figure::ServerCpuPerThousand)),
];

const UPSTREAM: [(&str, Cell); 4] = [
    ("median round trip", |_, group| figure(group, Figure::RoundTripP50)),
    ("99th percentile", |_, group| figure(group, Figure::RoundTripP99)),
    ("application bytes per message", |_, group| figure(group, Figure::ApplicationBytesPerMessage)),
    ("wire bytes per message, its delivery included", sent_and_delivered),
];

const IDLE: [(&str, Cell); 6] = [
    ("wire bytes per minute", |_, group| figure(group, Figure::WireBytesPerMinute)),
    ("wire bytes to open", |_, group| figure(group, Figure::WireBytesToOpen)),
    ("server memory per reader", |_, group| figure(group, Figure::RssPerReaderKib)),
    ("client wake-ups per minute", |_, group| figure(group, Figure::WakeupsPerMinute)),
    ("client CPU per minute", |_, group| figure(group, Figure::ClientCpuPerMinute)),
    ("counted for", counted),
];

const RECOVERY: [(&str, Cell); 8] = [
    ("noticed after", |_, group| figure(group, Figure::NoticedMs)),
    ("back after", |_, group| figure(group, Figure::BackMs)),
    ("caught up after", |_, group| figure(group, Figure::CaughtUpMs)),
    ("lost · of them silently", lost),
    ("duplicated", |_, group| Some(grouped(group.sum(|record| record.duplicated) as f64))),
    ("application bytes spent", bytes_spent),
    ("requests spent", requests_spent),
    ("its clock agrees with ours to within", clock),
];

const STORM: [(&str, Cell); 9] = [
    ("attempts to connect per second, at most", |_, group| figure(group, Figure::PeakConnectsPerSecond)),
    ("of them at the server", |_, group| figure(group, Figure::PeakReachedPerSecond)),
    ("half back after", |_, group| figure(group, Figure::BackP50Ms)),
    ("95 % back after", |_, group| figure(group, Figure::BackP95Ms)),
    ("all back after", |_, group| figure(group, Figure::BackMaxMs)),
    ("who was not cut: median before", |_, group| figure(group, Figure::BystandersBeforeP50)),
    ("and during", |_, group| figure(group, Figure::BystandersDuringP50)),
    ("99th percentile before", |_, group| figure(group, Figure::BystandersBeforeP99)),
    ("and during the return", |_, group| figure(group, Figure::BystandersDuringP99)),
];

/// A row per client; columns that no client has a figure for are left out, and so is a table without any.
fn table(
    summary: &Summary<'_>,
    condition: &Condition,
    caption: String,
    columns: &[(&'static str, Cell)],
) -> Option<Table> {
    let groups: Vec<&Group<'_>> =
        summary.under(condition).filter(|group| !group.records.is_empty()).collect();
    let cells: Vec<Vec<Option<String>>> =
        columns.iter().map(|(_, cell)| groups.iter().map(|group| cell(summary, group)).collect()).collect();
    let used: Vec<usize> = (0..columns.len()).filter(|c| cells[*c].iter().any(Option::is_some)).collect();
    if used.is_empty() {
        return None;
    }
    let row = |(index, group): (usize, &&Group<'_>)| {
        let label = summary.series_of(group).label.clone();
        let cell = |column: &usize| cells[*column][index].clone().unwrap_or_else(|| "–".to_owned());
        std::iter::once(label).chain(used.iter().map(cell)).collect()
    };
    Some(Table {
        caption,
        headings: std::iter::once("client").chain(used.iter().map(|column| columns[*column].0)).collect(),
        rows: groups.iter().enumerate().map(row).collect(),
        note: None,
    })
}

fn figure(group: &Group<'_>, figure: Figure) -> Option<String> {
    group.estimate(figure).map(|estimate| in_words(estimate, figure))
}

/// How far off a page's times may be, at the worst.
fn clock(_: &Summary<'_>, group: &Group<'_>) -> Option<String> {
    Some(format!("± {}", Unit::Micros.format(clock_uncertainty_us(group)?)))
}

/// The same in microseconds; `None` where the client's times were read from our own clock.
pub(super) fn clock_uncertainty_us(group: &Group<'_>) -> Option<f64> {
    group.records.iter().filter_map(|record| record.clock_uncertainty_us).reduce(f64::max)
}

fn times_floor(summary: &Summary<'_>, group: &Group<'_>) -> Option<String> {
    let floor = summary.floor(&group.condition)?;
    let ratio = statistics::ratio(&group.values(Figure::LatencyP50), &floor.values(Figure::LatencyP50))?;
    Some(match ratio.interval {
        Some(interval) if interval.low != interval.high => format!(
            "{} [{} – {}]",
            significant(ratio.median),
            significant(interval.low),
            significant(interval.high)
        ),
        _ => significant(ratio.median),
    })
}

/// How the median compares with the lowest one of any transport, and whether that is more than chance and
/// more than practice cares for.
fn against_fastest(summary: &Summary<'_>, group: &Group<'_>) -> Option<String> {
    let median = |group: &Group<'_>| statistics::median(&group.values(Figure::LatencyP50));
    if summary.series_of(group).subject == Some(Subject::Floor) {
        return None;
    }
    let transports = summary
        .under(&group.condition)
        .filter(|other| summary.series_of(other).subject != Some(Subject::Floor))
        .filter_map(|other| Some((median(other)?, other)));
    let (_, fastest) = transports.min_by(|a, b| a.0.total_cmp(&b.0))?;
    if fastest.series == group.series {
        return Some("the fastest".to_owned());
    }
    let judged = statistics::judge(&group.values(Figure::LatencyP50), &fastest.values(Figure::LatencyP50))?;
    if judged.ratio.interval.is_none() {
        return Some(format!("too few repetitions ({} of {ENOUGH})", judged.ratio.n));
    }
    let words = match judged.relation {
        Relation::Same => "no practical difference",
        Relation::Larger => "slower",
        Relation::Smaller | Relation::Undecided => "undecided",
    };
    let sign = if judged.test.shift < 0.0 { '−' } else { '+' };
    let shift = Unit::Micros.format(judged.test.shift.abs());
    Some(format!("{words} ({sign}{shift}, p {})", statistics::probability(judged.test.p)))
}

fn delivered(_: &Summary<'_>, group: &Group<'_>) -> Option<String> {
    let (delivered, expected) = (group.sum(|r| r.delivered), group.sum(|r| r.expected));
    Some(format!("{} of {}", grouped(delivered as f64), grouped(expected as f64)))
}

fn faults(_: &Summary<'_>, group: &Group<'_>) -> Option<String> {
    let counts = [group.sum(|r| r.lost), group.sum(|r| r.duplicated), group.sum(|r| r.out_of_order)];
    Some(counts.map(|count| grouped(count as f64)).join(" · "))
}

fn lost(_: &Summary<'_>, group: &Group<'_>) -> Option<String> {
    let silently = group.sum(|record| record.lost.saturating_sub(record.lost_announced));
    Some(format!("{} · {}", grouped(group.sum(|r| r.lost) as f64), grouped(silently as f64)))
}

/// A message that is delivered to its sender too is paid for in both directions.
fn sent_and_delivered(_: &Summary<'_>, group: &Group<'_>) -> Option<String> {
    group.records.iter().find(|record| record.upstream.is_some())?;
    figure(group, Figure::WireBytesPerEvent)
}

fn counted(_: &Summary<'_>, group: &Group<'_>) -> Option<String> {
    let seconds: Vec<f64> = group.records.iter().map(|record| record.steady_s).collect();
    let median = statistics::median(&seconds)?;
    let note = if median < 60.0 { ", extrapolated to a minute" } else { "" };
    Some(format!("{} s{note}", significant(median)))
}

fn requests_spent(_: &Summary<'_>, group: &Group<'_>) -> Option<String> {
    let spent = group.records.iter().filter_map(|record| Some(record.recovery?.requests_spent as f64));
    Some(significant(statistics::median(&spent.collect::<Vec<f64>>())?))
}

fn bytes_spent(_: &Summary<'_>, group: &Group<'_>) -> Option<String> {
    let counted = group.records.iter().filter(|record| figure::metered(record));
    let spent = counted.filter_map(|record| Some(record.recovery?.bytes_spent as f64));
    let spent: Vec<f64> = spent.collect();
    Some(Unit::Bytes.format(statistics::median(&spent)?))
}
