//! What the relay itself costs: the same runs with nothing in between, and through a relay that adds nothing.

use crate::{
    harness::definition::Figure,
    link::conditions::Profile,
    report::{
        claims::in_words,
        condition::Condition,
        statistics,
        summary::{Group, Summary},
        table::Table,
        units::Unit,
    },
};

/// A row per client that was measured both ways under otherwise equal conditions; `None` where none was.
pub(super) fn table(summary: &Summary<'_>) -> Option<Table> {
    let relayed =
        summary.groups.iter().filter(|it| it.condition.network.as_deref() == Some(Profile::Loopback.slug()));
    let rows: Vec<Vec<String>> = relayed.filter_map(|relayed| row(summary, relayed)).collect();
    if rows.is_empty() {
        return None;
    }
    Some(Table {
        caption: "The relay itself: median latency without it, and through one that adds nothing".to_owned(),
        headings: vec!["client", "direct", "relayed", "it adds", "condition"],
        rows,
        note: Some(
            "Every figure over a network has this in it. The relay runs in the harness's process, so none of \
             it is charged to the server."
                .to_owned(),
        ),
    })
}

fn row(summary: &Summary<'_>, relayed: &Group<'_>) -> Option<Vec<String>> {
    let bare = Condition { network: None, ..relayed.condition.clone() };
    let direct = summary.under(&bare).find(|group| group.series == relayed.series)?;
    let values = |group: &Group<'_>| group.values(Figure::LatencyP50);
    let adds = statistics::median(&values(relayed))? - statistics::median(&values(direct))?;
    let words =
        |group: &Group<'_>| group.estimate(Figure::LatencyP50).map(|it| in_words(it, Figure::LatencyP50));
    let sign = if adds < 0.0 { "−" } else { "" };
    Some(vec![
        summary.series_of(relayed).label.clone(),
        words(direct)?,
        words(relayed)?,
        format!("{sign}{}", Unit::Micros.format(adds.abs())),
        bare.describe(),
    ])
}
