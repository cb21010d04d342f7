//! The short form for the end of a run on a terminal: verdicts and the key figures, 80 columns wide.

use std::fmt::Write as _;

use crate::{
    harness::definition::Figure,
    report::{
        document::Document,
        folder::RunFolder,
        published, relay_cost,
        summary::{Series, Summary},
        table::Table,
    },
    wrap,
};

const COLUMNS: usize = 80;
const LABEL: usize = 26;
const CELL: usize = 13;

/// The text, with a line end after each line.
pub(super) fn render(folder: &RunFolder, report: &Document) -> String {
    let mut text = String::new();
    for sentence in &report.incomplete {
        push_wrapped(&mut text, "! ", "  ", sentence);
    }
    let mut known: Vec<Series> = Vec::new();
    for experiment in &folder.experiments {
        let summary = Summary::of(experiment, &mut known);
        let _ = writeln!(text);
        push_wrapped(
            &mut text,
            "",
            "",
            &format!("{}: {}", experiment.definition.name, experiment.definition.question),
        );
        push_tables(&mut text, &summary);
        if let Some(table) = published::table(&experiment.definition, &summary) {
            push_table(&mut text, &table, [0, 2, 3, 4]);
        }
        if let Some(table) = relay_cost::table(&summary) {
            push_table(&mut text, &table, [0, 1, 2, 3]);
        }
    }
    if report.verdicts().next().is_some() {
        let _ = writeln!(text);
    }
    for (_, verdict) in report.verdicts() {
        let word = verdict.outcome.word();
        let first = format!("{} {word:<9} ", verdict.outcome.sign());
        push_wrapped(&mut text, &first, "            ", &format!("{} {}", verdict.id, verdict.sentence));
        for finding in &verdict.findings {
            push_wrapped(&mut text, "            ", "            ", finding);
        }
    }
    let doubtful: usize = report.sections.iter().map(|section| section.doubtful.len()).sum();
    if doubtful > 0 {
        push_wrapped(
            &mut text,
            "! ",
            "  ",
            "Some figures are doubtful; the report says which, why, and what to do.",
        );
    }
    text
}

fn push_tables(text: &mut String, summary: &Summary<'_>) {
    const LOADED: [(Figure, &str); 4] = [
        (Figure::LatencyP50, "median"),
        (Figure::LatencyP99, "99 %"),
        (Figure::WireBytesPerEvent, "wire/event"),
        (Figure::Lost, "lost"),
    ];
    const IDLE: [(Figure, &str); 4] = [
        (Figure::WireBytesToOpen, "wire to open"),
        (Figure::WireBytesPerMinute, "wire/minute"),
        (Figure::RssPerReaderKib, "memory"),
        (Figure::WakeupsPerMinute, "woken/min"),
    ];
    const STALLED: [(Figure, &str); 4] = [
        (Figure::LatencyP50, "median"),
        (Figure::LatencyP99, "99 %"),
        (Figure::ClosedLoopP99, "closed loop"),
        (Figure::Lost, "lost"),
    ];
    const SENDING: [(Figure, &str); 4] = [
        (Figure::RoundTripP50, "round trip"),
        (Figure::RoundTripP99, "99 %"),
        (Figure::ApplicationBytesPerMessage, "sent+ack"),
        (Figure::WireBytesPerEvent, "wire in all"),
    ];
    const CUT: [(Figure, &str); 4] = [
        (Figure::NoticedMs, "noticed"),
        (Figure::BackMs, "back"),
        (Figure::CaughtUpMs, "caught up"),
        (Figure::Lost, "lost"),
    ];
    for condition in &summary.conditions {
        let measured =
            |figure: Figure| summary.under(condition).any(|group| !group.values(figure).is_empty());
        let columns: &[(Figure, &str)] = match (&condition.fault, condition.is_idle()) {
            (Some(_), _) if condition.is_cut() => &CUT,
            (Some(_), _) => &STALLED,
            (None, true) => &IDLE,
            (None, false) if measured(Figure::RoundTripP50) => &SENDING,
            (None, false) => &LOADED,
        };
        let shown: Vec<_> = columns.iter().filter(|(figure, _)| measured(*figure)).collect();
        let _ = write!(text, "  {}", padded(&condition.describe(), LABEL + 2 + CELL * 4 - 4));
        let trimmed = text.trim_end_matches(' ').len();
        text.truncate(trimmed);
        let _ = write!(text, "\n    {}", padded("", LABEL - 2));
        for (_, heading) in &shown {
            let _ = write!(text, "{heading:>CELL$}");
        }
        let _ = writeln!(text);
        for group in summary.under(condition) {
            let _ = write!(text, "    {}", padded(&summary.series_of(group).label, LABEL - 2));
            for (figure, _) in &shown {
                let cell = group.estimate(*figure).map(|e| figure.unit().format(e.median));
                let _ = write!(text, "{:>CELL$}", cell.unwrap_or_else(|| "–".to_owned()));
            }
            let _ = writeln!(text);
        }
    }
}

/// A table of four columns that are chosen by their place, and its note. Intervals are left to the report.
fn push_table(text: &mut String, table: &Table, columns: [usize; 4]) {
    const WIDTHS: [usize; 4] = [32, 13, 13, 16];
    let _ = writeln!(text);
    push_wrapped(text, "  ", "  ", &table.caption);
    let mut line = |cells: [&str; 4]| {
        let [first, others @ ..] = cells;
        let _ = write!(text, "    {}", padded(first, WIDTHS[0] - 1));
        for (cell, width) in others.into_iter().zip(WIDTHS.into_iter().skip(1)) {
            let _ = write!(text, " {:>width$}", padded(cell, width).trim_end());
        }
        let _ = writeln!(text);
    };
    line(columns.map(|column| table.headings.get(column).copied().unwrap_or_default()));
    for row in &table.rows {
        let cell =
            |column: usize| row.get(column).map_or("", |cell| cell.split(" [").next().unwrap_or_default());
        line(columns.map(cell));
    }
    if let Some(note) = &table.note {
        push_wrapped(text, "  ", "  ", note);
    }
}

/// The text in exactly so many columns. Control characters from a record must not reach a terminal.
fn padded(text: &str, columns: usize) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if plain.chars().count() <= columns {
        return format!("{plain:<columns$}");
    }
    plain.chars().take(columns.saturating_sub(1)).chain(['…']).collect()
}

pub(super) fn push_wrapped(text: &mut String, first: &str, indent: &str, sentence: &str) {
    wrap::push_wrapped(text, COLUMNS, first, indent, sentence);
}
