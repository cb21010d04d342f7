//! Two runs side by side: what differs, by how much, and whether that means anything.
//!
//! The same figures, intervals and verdicts as in a report, but between the repetitions of one run and those
//! of another: the same client under the same condition, later against earlier.

use std::{fmt::Write as _, path::Path};

use crate::{
    harness::definition::Figure,
    report::{
        claims,
        folder::{Experiment, ReportError, RunFolder},
        statistics::{self, ENOUGH, Estimate, Interval, Judgement, PRACTICAL_MARGIN, Relation},
        summary::{Group, Series, Summary},
        terminal::push_wrapped,
        units::{Unit, plural, significant},
    },
};

/// What differs between two run folders, as text for a terminal of 100 columns.
///
/// # Errors
/// As [`write`](fn@super::write), but for writing.
pub fn compare(earlier: &Path, later: &Path) -> Result<String, ReportError> {
    let (earlier, later) = (RunFolder::read(earlier)?, RunFolder::read(later)?);
    let mut text = String::new();
    let mut tally = Tally::default();
    push_notes(&mut text, &earlier, &later);
    for one in &earlier.experiments {
        let name = &one.definition.name;
        match later.experiments.iter().find(|other| other.definition.name == *name) {
            Some(other) => push_experiment(&mut text, one, other, &mut tally),
            None => push_wrapped(&mut text, "! ", "  ", &format!("{name}: only in the earlier run.")),
        }
    }
    for other in &later.experiments {
        let name = &other.definition.name;
        if !earlier.experiments.iter().any(|one| one.definition.name == *name) {
            push_wrapped(&mut text, "! ", "  ", &format!("{name}: only in the later run."));
        }
    }
    push_end(&mut text, &tally);
    Ok(text)
}

/// How often each verdict was given.
#[derive(Debug, Default)]
struct Tally {
    same: u64,
    differ: u64,
    undecided: u64,
    agree: u64,
    disagree: u64,
}

/// What keeps two runs from being repetitions of each other.
fn push_notes(text: &mut String, earlier: &RunFolder, later: &RunFolder) {
    for (word, folder) in [("Earlier", earlier), ("Later", later)] {
        let manifest = &folder.manifest;
        let revision = manifest.git_revision.as_deref().unwrap_or("no revision");
        let (started, profile) = (&manifest.started, &manifest.profile);
        push_wrapped(text, "", "  ", &format!("{word}: {started}, {profile} profile, {revision}"));
    }
    let (one, other) = (&earlier.manifest, &later.manifest);
    let mut note = |differs: bool, sentence: &str| {
        if differs {
            push_wrapped(text, "! ", "  ", sentence);
        }
    };
    note(one.machine != other.machine, "They ran on different machines, or on one that was changed.");
    note(one.profile != other.profile, "Their profiles differ: so does the time that each run measured.");
    note(one.target != other.target, "They measured different servers.");
    for (name, definition) in &one.definitions {
        let changed = other.definitions.get(name).is_some_and(|theirs| theirs != definition);
        note(changed, &format!("{name}: the definition was changed in between."));
    }
    for (word, folder) in [("Earlier", earlier), ("Later", later)] {
        for sentence in folder.incomplete() {
            note(true, &format!("{word}: {sentence}"));
        }
        let records = folder.experiments.iter().flat_map(|experiment| &experiment.records);
        let doubtful = records.filter(|record| !record.doubtful.is_empty()).count() as u64;
        let runs = plural(doubtful, "run");
        note(doubtful > 0, &format!("{word}: {runs} with doubtful figures; its report says why."));
    }
}

fn push_experiment(text: &mut String, earlier: &Experiment, later: &Experiment, tally: &mut Tally) {
    let (mut known, mut known_too): (Vec<Series>, Vec<Series>) = (Vec::new(), Vec::new());
    let (one, other) = (Summary::of(earlier, &mut known), Summary::of(later, &mut known_too));
    let definition = &earlier.definition;
    let _ = writeln!(text);
    push_wrapped(text, "", "", &format!("{}: {}", definition.name, definition.question));
    for group in &one.groups {
        let client = one.series_of(group).called();
        let twin = other
            .groups
            .iter()
            .find(|twin| other.series_of(twin).called() == client && twin.condition == group.condition);
        let _ = writeln!(text);
        let n = twin.map_or(0, |twin| twin.records.len());
        let repetitions = format!("(n = {} → {n})", group.records.len());
        push_wrapped(text, "  ", "    ", &format!("{client}, {} {repetitions}", group.condition.describe()));
        match twin {
            Some(twin) => push_figures(text, group, twin, tally),
            None => push_wrapped(text, "    ", "    ", "only in the earlier run"),
        }
    }
    push_claims(text, (earlier, &one), (later, &other), tally);
}

fn push_figures(text: &mut String, earlier: &Group<'_>, later: &Group<'_>, tally: &mut Tally) {
    for figure in Figure::ALL {
        let (before, after) = (earlier.values(figure), later.values(figure));
        // A count that was zero throughout on both sides is no news.
        if before.iter().chain(&after).all(|value| *value == 0.0) {
            continue;
        }
        let (Some(left), Some(right)) = (statistics::estimate(&before), statistics::estimate(&after)) else {
            continue;
        };
        let Some(judgement) = statistics::judge(&after, &before) else { continue };
        match judgement.relation {
            Relation::Same => tally.same += 1,
            Relation::Smaller | Relation::Larger => tally.differ += 1,
            Relation::Undecided => tally.undecided += 1,
        }
        let ratio = format!("× {}", significant(judgement.ratio.median));
        let line = format!(
            "    {:<23} {:<22} {:<22} {ratio:<7}  {}",
            figure.slug().replace('_', " "),
            cell(left, figure),
            cell(right, figure),
            verdict(figure, &judgement)
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

/// `412 µs [398–431]`, with the unit again only where it changes.
fn cell(estimate: Estimate, figure: Figure) -> String {
    let unit = |value: f64| figure.unit().format(value);
    let median = unit(estimate.median);
    let Some(Interval { low, high }) = estimate.interval.filter(|it| it.low != it.high) else {
        return median;
    };
    let (low, high) = (unit(low), unit(high));
    let name = |text: &str| text.split_once(' ').map(|(_, name)| name.to_owned());
    let shared =
        name(&median).filter(|it| name(&low).as_ref() == Some(it) && name(&high).as_ref() == Some(it));
    let bare = |text: &str| {
        shared.as_ref().and_then(|it| text.strip_suffix(it.as_str())).unwrap_or(text).trim_end().to_owned()
    };
    format!("{median} [{}–{}]", bare(&low), bare(&high))
}

fn verdict(figure: Figure, judgement: &Judgement) -> &'static str {
    let is_time =
        matches!(figure.unit(), Unit::Micros | Unit::Millis) && figure != Figure::ServerCpuPerThousand;
    match (judgement.relation, is_time) {
        (Relation::Same, _) => "same in practice",
        (Relation::Undecided, _) => "undecided",
        (Relation::Smaller, true) => "faster",
        (Relation::Larger, true) => "slower",
        (Relation::Smaller, false) => "less",
        (Relation::Larger, false) => "more",
    }
}

fn push_claims(
    text: &mut String,
    (earlier, one): (&Experiment, &Summary<'_>),
    (later, other): (&Experiment, &Summary<'_>),
    tally: &mut Tally,
) {
    if !earlier.definition.claims.is_empty() {
        let _ = writeln!(text);
    }
    for claim in &earlier.definition.claims {
        let before = claims::evaluate(claim, one).outcome.word();
        let words = match later.definition.claims.iter().find(|it| it.id == claim.id) {
            None => format!("{before}, and not asked in the later run"),
            Some(same) => {
                let after = claims::evaluate(same, other).outcome.word();
                if before == after {
                    tally.agree += 1;
                    format!("{before} in both")
                } else {
                    tally.disagree += 1;
                    format!("{before} → {after}: THE VERDICTS DIFFER")
                }
            }
        };
        push_wrapped(text, "  ", "    ", &format!("{} {}: {words}", claim.id, claim.sentence));
    }
}

fn push_end(text: &mut String, tally: &Tally) {
    let Tally { same, differ, undecided, agree, disagree } = tally;
    let _ = writeln!(text);
    let figures = plural(same + differ + undecided, "figure");
    push_wrapped(
        text,
        "",
        "",
        &format!(
            "{figures}: {same} without practical difference, {differ} with one, {undecided} undecided. {} of claims: \
             {agree} agree, {disagree} differ.",
            plural(agree + disagree, "verdict")
        ),
    );
    push_wrapped(
        text,
        "",
        "",
        &format!(
            "Medians over repetitions with 95 % bootstrap intervals; later as a multiple of earlier. Same in \
             practice (no practical difference): the ratio's whole interval lies within {:.0} % of 1. Faster, \
             slower, less, more: the interval excludes 1 and the ratio is outside of that margin. Else \
             undecided, as with fewer than {ENOUGH} repetitions.",
            PRACTICAL_MARGIN * 100.0
        ),
    );
}
