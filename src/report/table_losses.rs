//! What was lost under which fault, and why: a row per client, a column per fault, and the reasons below.

use crate::{
    harness::{
        definition::{Fault, TIMETABLE},
        record::Explanation,
    },
    report::{
        condition::{Condition, fault_in_words},
        summary::{Group, Summary},
        table::Table,
        units::grouped,
    },
};

/// The most columns of a table: more than these nobody can look along.
const COLUMNS: usize = 8;

/// The sign in front of a figure that its client's policy does not explain.
const UNEXPLAINED: &str = "UNEXPLAINED";

/// The tables of an experiment whose runs met several faults; none for any other. Conditions that differ in more
/// than their fault have tables of their own.
pub(super) fn tables(summary: &Summary<'_>) -> Vec<Table> {
    let explained = |condition: &&Condition| {
        summary.under(condition).any(|group| group.records.iter().any(|it| it.explanation.is_some()))
    };
    let conditions: Vec<&Condition> = summary.conditions.iter().filter(explained).collect();
    let mut alike: Vec<Vec<&Condition>> = Vec::new();
    for condition in conditions {
        let without = |it: &Condition| Condition { fault: None, ..it.clone() };
        match alike.iter_mut().find(|group| without(group[0]) == without(condition)) {
            Some(group) => group.push(condition),
            None => alike.push(vec![condition]),
        }
    }
    let mut reasons = Reasons::default();
    let mut tables: Vec<Table> = Vec::new();
    for conditions in alike.iter().filter(|conditions| conditions.len() > 1) {
        for columns in conditions.chunks(COLUMNS) {
            tables.push(losses(summary, columns, &mut reasons));
        }
    }
    tables.extend((!tables.is_empty()).then(|| reasons.table()));
    tables
}

fn losses(summary: &Summary<'_>, conditions: &[&Condition], reasons: &mut Reasons) -> Table {
    let group_of = |series: usize, condition: &Condition| {
        summary.groups.iter().find(|group| group.series == series && group.condition == *condition)
    };
    let rows = (0..summary.series.len()).filter_map(|series| {
        let groups: Vec<_> = conditions.iter().map(|condition| group_of(series, condition)).collect();
        groups.iter().any(Option::is_some).then(|| {
            let cells =
                groups.into_iter().map(|group| group.map_or("–".to_owned(), |it| cell(it, reasons)));
            std::iter::once(summary.series[series].label.clone()).chain(cells).collect()
        })
    });
    let headings = conditions.iter().map(|condition| heading(condition.fault.as_deref().unwrap_or_default()));
    Table {
        caption: "Losses and why".to_owned(),
        rows: rows.collect(),
        headings: std::iter::once("client").chain(headings).collect(),
        note: None,
    }
}

/// A fault's word as one that outlives the records.
fn heading(fault: &str) -> &'static str {
    match Fault::named(fault) {
        Some(fault) => fault.slug(),
        None if fault == TIMETABLE => TIMETABLE,
        None => "another fault",
    }
}

/// Counts over all repetitions, with the letter of the reason. What is 0 is left out.
fn cell(group: &Group<'_>, reasons: &mut Reasons) -> String {
    let lost = group.sum(|record| record.lost);
    let silently = group.sum(|record| record.lost.saturating_sub(record.lost_announced));
    let counts = [
        (lost - silently.min(lost), "announced"),
        (silently, "lost"),
        (group.sum(|record| record.duplicated), "twice"),
        (group.sum(|record| record.out_of_order), "out of order"),
        (group.sum(|record| record.gaps), "gaps"),
    ];
    let mut words: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{} {word}", grouped(count as f64)))
        .collect();
    if words.is_empty() {
        words.push("0".to_owned());
    }
    if group.failed > 0 {
        words.push(format!("{} failed", group.failed));
    }
    let explanations = group.records.iter().filter_map(|record| record.explanation.as_ref());
    let mut letters: Vec<String> = explanations.clone().map(|it| reasons.letter(it)).collect();
    letters.dedup();
    let unexplained: u64 = explanations.map(|it| it.unexplained).sum();
    let text = format!("{} ({})", words.join(", "), letters.join(", "));
    if unexplained == 0 { text } else { format!("{UNEXPLAINED}: {text}, {unexplained} not explained") }
}

/// The reasons that were given, each with a letter.
#[derive(Debug, Default)]
struct Reasons {
    known: Vec<(String, String)>,
}

impl Reasons {
    fn letter(&mut self, explanation: &Explanation) -> String {
        let place = self.known.iter().position(|(_, reason)| *reason == explanation.reason);
        let place = place.unwrap_or_else(|| {
            self.known.push((explanation.outcome.clone(), explanation.reason.clone()));
            self.known.len() - 1
        });
        // There are fewer reasons than letters; should there be more, they are numbered.
        u8::try_from(place)
            .ok()
            .filter(|place| *place < 26)
            .map_or_else(|| (place + 1).to_string(), |place| char::from(b'a' + place).to_string())
    }

    fn table(&self) -> Table {
        let expected = |outcome: &str| match outcome {
            "everything" => "every event, once".to_owned(),
            "announced" => "what is missing is announced".to_owned(),
            "meanwhile" => "what came meanwhile is lost".to_owned(),
            "never-back" => "everything after it is lost".to_owned(),
            other => other.to_owned(),
        };
        let row = |(index, (outcome, reason)): (usize, &(String, String))| {
            let letter = char::from(b'a' + (index % 26) as u8);
            vec![letter.to_string(), expected(outcome), reason.clone()]
        };
        Table {
            caption: "Why: what each policy lets expect".to_owned(),
            headings: vec!["", "expected", "because"],
            rows: self.known.iter().enumerate().map(row).collect(),
            note: Some(
                "Counts are sums over the repetitions. The reason is worked out from the client's policy and the \
                 fault alone, before any count is looked at; a count that it does not explain is marked, and \
                 refutes the claim that there is none."
                    .to_owned(),
            ),
        }
    }
}

/// What each cut of a timetable did: a row per client and fault, over all such cuts of all repetitions.
pub(super) fn cuts(summary: &Summary<'_>) -> Option<Table> {
    use crate::report::{statistics::median, units::Unit};
    let mut rows = Vec::new();
    for group in &summary.groups {
        let all = || group.records.iter().flat_map(|record| &record.recoveries);
        for fault in Fault::ALL {
            let of: Vec<_> = all().filter(|cut| cut.fault == fault.slug()).map(|cut| cut.recovery).collect();
            let time = |values: Vec<Option<f64>>| {
                let values: Vec<f64> = values.into_iter().map(|ms| ms.unwrap_or(f64::INFINITY)).collect();
                median(&values).map_or("–".to_owned(), |ms| Unit::Millis.format(ms))
            };
            if of.is_empty() {
                continue;
            }
            rows.push(vec![
                summary.series_of(group).label.clone(),
                fault_in_words(fault.slug()).to_owned(),
                of.len().to_string(),
                time(of.iter().map(|it| it.noticed_ms).collect()),
                time(of.iter().map(|it| it.back_ms).collect()),
                time(of.iter().map(|it| it.caught_up_ms).collect()),
            ]);
        }
    }
    (!rows.is_empty()).then(|| Table {
        caption: "Recovery from each cut of the timetable".to_owned(),
        headings: vec!["client", "fault", "cuts", "noticed after", "back after", "caught up after"],
        rows,
        note: Some("Medians over all such cuts; “never” counts until the next cut.".to_owned()),
    })
}
