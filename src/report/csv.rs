//! `summary.csv`: every figure of every client under every condition, for spreadsheets and scripts.

use crate::{
    harness::definition::Figure,
    report::summary::{Group, Summary},
};

/// One row per client and condition. Each figure has four columns: its median, both ends of its interval
/// and how many repetitions it is from; empty where it was not measured, `inf` for what never came.
pub(super) fn summary(summary: &Summary<'_>) -> String {
    let mut heading: Vec<String> =
        ["client", "transport", "readers", "rate_per_s", "payload_bytes", "pattern", "fault", "network"]
            .into_iter()
            .chain(["runs", "failed", "expected", "delivered", "lost", "duplicated", "out_of_order", "gaps"])
            .map(str::to_owned)
            .collect();
    let names_targets = summary.series.iter().any(|series| series.target.is_some());
    if names_targets {
        heading.insert(1, "target".to_owned());
    }
    for figure in Figure::ALL {
        let (slug, unit) = (figure.slug(), figure.unit().suffix());
        heading.extend(["median", "low", "high"].map(|part| format!("{slug}_{unit}_{part}")));
        heading.push(format!("{slug}_n"));
    }
    let mut text = line(&heading);
    for group in &summary.groups {
        text.push_str(&line(&row(summary, group)));
    }
    text
}

fn row(summary: &Summary<'_>, group: &Group<'_>) -> Vec<String> {
    let (series, condition) = (summary.series_of(group), &group.condition);
    let mut cells = vec![
        series.name.clone(),
        series.subject.map_or("", |subject| subject.slug()).to_owned(),
        condition.readers.to_string(),
        condition.rate.to_string(),
        condition.payload_bytes.to_string(),
        condition.pattern.clone(),
        condition.fault.clone().unwrap_or_default(),
        condition.network.clone().unwrap_or_default(),
        group.records.len().to_string(),
        group.failed.to_string(),
    ];
    if summary.series.iter().any(|series| series.target.is_some()) {
        cells.insert(1, series.target.clone().unwrap_or_default());
    }
    cells.extend(
        [
            group.sum(|record| record.expected),
            group.sum(|record| record.delivered),
            group.sum(|record| record.lost),
            group.sum(|record| record.duplicated),
            group.sum(|record| record.out_of_order),
            group.sum(|record| record.gaps),
        ]
        .map(|count| count.to_string()),
    );
    for figure in Figure::ALL {
        let estimate = group.estimate(figure);
        let interval = estimate.and_then(|estimate| estimate.interval);
        let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        cells.push(number(estimate.map(|estimate| estimate.median)));
        cells.push(number(interval.map(|interval| interval.low)));
        cells.push(number(interval.map(|interval| interval.high)));
        cells.push(estimate.map_or(0, |estimate| estimate.n).to_string());
    }
    cells
}

/// A line by RFC 4180, but for its end, which is LF.
fn line(cells: &[String]) -> String {
    let quoted = |cell: &String| {
        if cell.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", cell.replace('"', "\"\""))
        } else {
            cell.clone()
        }
    };
    cells.iter().map(quoted).collect::<Vec<_>>().join(",") + "\n"
}
