//! The browser beside our client of the same kind: the same events, the same fault, at the same time.

use crate::{
    harness::definition::{Client, Definition, Figure},
    report::{
        condition::Condition,
        statistics::{self, ENOUGH, Relation},
        summary::{Group, Summary},
        table::{Table, clock_uncertainty_us},
        units::Unit,
    },
};

/// The figures that are set side by side, where something was cut and where nothing was, each with what is said
/// of the browser where its figure is smaller, and where it is larger.
const CUT: [(Figure, [&str; 2]); 4] = [
    (Figure::NoticedMs, ["notices sooner", "notices later"]),
    (Figure::BackMs, ["is back sooner", "is back later"]),
    LOST,
    DUPLICATED,
];
const UNCUT: [(Figure, [&str; 2]); 3] = [(Figure::LatencyP50, ["is faster", "is slower"]), LOST, DUPLICATED];
const LOST: (Figure, [&str; 2]) = (Figure::Lost, ["loses less", "loses more"]);
const DUPLICATED: (Figure, [&str; 2]) = (Figure::Duplicated, ["gets less twice", "gets more twice"]);

/// A row per fault and pair; `None` where no client reads in a browser, or none of ours is of its kind.
pub(super) fn table(definition: &Definition, summary: &Summary<'_>) -> Option<Table> {
    let pairs = pairs(definition);
    let rows: Vec<Vec<String>> = summary
        .conditions
        .iter()
        .flat_map(|condition| pairs.iter().filter_map(|pair| row(summary, condition, *pair)))
        .collect();
    if rows.is_empty() {
        return None;
    }
    Some(Table {
        caption: "A real browser beside our client: ours · the browser's".to_owned(),
        headings: vec![
            "client",
            "condition",
            "noticed after",
            "back after",
            "median latency",
            "lost",
            "duplicated",
            "beside ours the browser",
        ],
        rows,
        note: Some(format!(
            "Both read the same events, each through a relay of its own where one was cut. A difference is told where \
             the interval of the ratio excludes 1, the medians are further apart than {} %, and by more than the \
             browser's clock may be off. The browser's own bytes are not ours to count. Why it is later where it is: a \
             connection's end and its beginning are seen in Chromium's network service, a process of its own, and told \
             from there to the page; every attempt to connect passes that way again, so that what takes several \
             attempts is later by several times as much.",
            statistics::PRACTICAL_MARGIN * 100.0
        )),
    })
}

/// Each client in a browser with our first one that reads by the same transport and does the same when it is cut.
fn pairs(definition: &Definition) -> Vec<(&Client, &Client)> {
    let ours = |browser: &Client| {
        definition.clients.iter().find(|client| {
            !client.browser
                && client.transport == browser.transport
                && client.policy() == browser.policy()
                && client.without_retry == browser.without_retry
        })
    };
    let browsers = definition.clients.iter().filter(|client| client.browser);
    browsers.filter_map(|browser| Some((ours(browser)?, browser))).collect()
}

fn row(
    summary: &Summary<'_>,
    condition: &Condition,
    (ours, browser): (&Client, &Client),
) -> Option<Vec<String>> {
    let of = |client: &Client| {
        summary
            .under(condition)
            .find(|group| summary.series_of(group).name == client.name && !group.records.is_empty())
    };
    let (our, its) = (of(ours)?, of(browser)?);
    let both = |figure: Figure| match (median(our, figure), median(its, figure)) {
        (Some(our), Some(its)) => format!("{} · {}", figure.unit().format(our), figure.unit().format(its)),
        _ => "–".to_owned(),
    };
    let (figures, latency): (&[_], _) =
        if condition.is_cut() { (&CUT, "–".to_owned()) } else { (&UNCUT, both(Figure::LatencyP50)) };
    let under = condition.describe_among(&summary.conditions);
    let under = if condition.is_cut() || !under.is_empty() { under } else { "nothing was cut".to_owned() };
    let mut cells = vec![ours.label().to_owned(), under];
    cells.extend([both(Figure::NoticedMs), both(Figure::BackMs), latency]);
    cells.extend([both(Figure::Lost), both(Figure::Duplicated), said(our, its, figures)]);
    Some(cells)
}

/// What is to be said of the browser: each figure in which it differs, or why nothing can be said.
fn said(ours: &Group<'_>, browser: &Group<'_>, figures: &[(Figure, [&str; 2])]) -> String {
    let uncertainty_us = clock_uncertainty_us(browser).unwrap_or_default();
    let (mut differs, mut undecided, mut within_clock) = (Vec::new(), false, false);
    for &(figure, [smaller, larger]) in figures {
        let ratio = statistics::ratio(&browser.values(figure), &ours.values(figure));
        let word = match ratio.map(|ratio| statistics::relation(&ratio)) {
            Some(Relation::Smaller) => smaller,
            Some(Relation::Larger) => larger,
            Some(Relation::Undecided) => {
                undecided = true;
                continue;
            }
            Some(Relation::Same) | None => continue,
        };
        let (Some(its), Some(our)) = (median(browser, figure), median(ours, figure)) else { continue };
        let by = (its - our).abs();
        let clock = match figure.unit() {
            Unit::Micros => uncertainty_us,
            Unit::Millis => uncertainty_us / 1e3,
            _ => 0.0,
        };
        within_clock |= by <= clock;
        if by > clock {
            let amount =
                if by.is_finite() { format!(" by {}", figure.unit().format(by)) } else { String::new() };
            differs.push(format!("{word}{amount}"));
        }
    }
    if !differs.is_empty() {
        return differs.join(", ");
    }
    let few = ours.records.len().min(browser.records.len());
    if few < ENOUGH {
        format!("too few repetitions to say ({few} of {ENOUGH})")
    } else if undecided {
        "differs by no more than chance may".to_owned()
    } else if within_clock {
        "differs by no more than its clock may be off".to_owned()
    } else {
        "does the same".to_owned()
    }
}

fn median(group: &Group<'_>, figure: Figure) -> Option<f64> {
    statistics::median(&group.values(figure))
}
