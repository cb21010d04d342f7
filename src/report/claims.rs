//! Claims and what the figures say about them.

use crate::{
    harness::definition::{Claim, Comparison, Figure, Network, Operand, Selector},
    report::{
        condition::Condition,
        statistics::{self, ENOUGH, Estimate, Interval, PRACTICAL_MARGIN},
        summary::{Group, Summary},
        units::significant,
    },
};

/// What may be concluded about a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub enum Outcome {
    /// The whole interval lies where the sentence says.
    Holds,
    /// None of it does.
    Refuted,
    /// The figures allow both, or there are too few of them.
    Undecided,
}

impl Outcome {
    /// The word in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Outcome::Holds => "holds",
            Outcome::Refuted => "refuted",
            Outcome::Undecided => "undecided",
        }
    }
}

/// A claim with its verdict.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Verdict {
    /// The claim's short name.
    pub id: String,
    /// The sentence.
    pub sentence: String,
    /// Where people meet it.
    pub source: String,
    /// What may be concluded.
    pub outcome: Outcome,
    /// The comparison that was made, in words.
    pub asked: String,
    /// The figures of every condition that it was made under, or why it could not be made.
    pub findings: Vec<String>,
}

/// Compares what the claim names. Where its selectors leave a condition open, the comparison is made under
/// each that both sides were measured in, and the claim holds only if it holds under all of them.
pub fn evaluate(claim: &Claim, summary: &Summary<'_>) -> Verdict {
    let pairs = pairs(claim, summary);
    let findings: Vec<(Outcome, String)> = match &pairs {
        Err(reason) => vec![(Outcome::Undecided, reason.clone())],
        Ok(pairs) => findings(claim, pairs),
    };
    let all = |outcome| findings.iter().all(|(each, _)| *each == outcome);
    let outcome = [Outcome::Holds, Outcome::Refuted].into_iter().find(|outcome| all(*outcome));
    // A count that has to be exact has to be so everywhere: one counterexample is enough.
    let counterexample = findings.iter().any(|(each, _)| *each == Outcome::Refuted);
    let outcome = outcome.or((claim.is == Comparison::Equal && counterexample).then_some(Outcome::Refuted));
    let mixed = !findings.iter().all(|(each, _)| *each == findings[0].0);
    let named = |(each, text): &(Outcome, String)| {
        if mixed { format!("{} — {text}", each.word()) } else { text.clone() }
    };
    Verdict {
        id: claim.id.clone(),
        sentence: claim.sentence.clone(),
        source: claim.source.clone(),
        outcome: outcome.unwrap_or(Outcome::Undecided),
        asked: asked(claim, summary),
        findings: findings.iter().map(named).collect(),
    }
}

/// One comparison: the left side's repetitions and the right's, or a value.
struct Pair<'s> {
    /// The client on the left side, with its server where there are several.
    client: String,
    condition: &'s Condition,
    /// Whether any run of both sides succeeded.
    ran: bool,
    left: Vec<f64>,
    right: Right,
}

enum Right {
    Value(f64),
    Repetitions(String, Figure, Vec<f64>),
}

fn pairs<'s>(claim: &'s Claim, summary: &'s Summary<'_>) -> Result<Vec<Pair<'s>>, String> {
    let lefts = selected(&claim.left, summary)?;
    let pair = |left: &'s Group<'_>, right| Pair {
        client: summary.series_of(left).called(),
        condition: &left.condition,
        ran: !left.records.is_empty(),
        left: left.values(claim.left.figure),
        right,
    };
    let selector = match &claim.right {
        Operand::Value(value) => {
            return Ok(measured(lefts.into_iter().map(|left| pair(left, Right::Value(*value))).collect()));
        }
        Operand::Figure(selector) => selector,
    };
    let rights = selected(selector, summary)?;
    let mut pairs = Vec::new();
    for left in &lefts {
        let matching = rights.iter().filter(|right| comparable(&claim.left, selector, left, right));
        pairs.extend(matching.map(|right| {
            let values = right.values(selector.figure);
            let called = summary.series_of(right).called();
            let pair = pair(left, Right::Repetitions(called, selector.figure, values));
            Pair { ran: pair.ran && !right.records.is_empty(), ..pair }
        }));
    }
    if pairs.is_empty() {
        let (left, right) = (&claim.left.client, &selector.client);
        return Err(format!("{left} and {right} were never measured under the same conditions"));
    }
    Ok(measured(pairs))
}

/// Leaves out conditions that don't have the figure by their nature, such as a cost per event where none was
/// published; but not those whose runs failed, and not the last.
fn measured(pairs: Vec<Pair<'_>>) -> Vec<Pair<'_>> {
    let has = |pair: &Pair<'_>| {
        let right = match &pair.right {
            Right::Value(_) => true,
            Right::Repetitions(_, _, values) => !values.is_empty(),
        };
        right && !pair.left.is_empty()
    };
    if !pairs.iter().any(has) {
        return pairs;
    }
    pairs.into_iter().filter(|pair| has(pair) || !pair.ran).collect()
}

fn selected<'s, 'r>(selector: &Selector, summary: &'s Summary<'r>) -> Result<Vec<&'s Group<'r>>, String> {
    let client = &selector.client;
    if !summary.series.iter().any(|series| selector.takes(&series.name)) {
        return Err(format!("there is no client {client:?} in this experiment"));
    }
    let groups: Vec<_> = summary
        .groups
        .iter()
        .filter(|group| {
            let series = summary.series_of(group);
            selector.takes(&series.name)
                && selector.takes_target(series.target.as_deref(), summary.target.as_deref())
                && matches(selector, &group.condition)
        })
        .collect();
    if groups.is_empty() {
        return Err(format!("no run of {client} under the conditions that the claim names was recorded"));
    }
    Ok(groups)
}

fn matches(selector: &Selector, condition: &Condition) -> bool {
    selector.readers.is_none_or(|readers| readers == condition.readers)
        && selector.rate.is_none_or(|rate| rate == condition.rate)
        && selector.payload_bytes.is_none_or(|bytes| bytes == condition.payload_bytes)
        && selector.fault.is_none_or(|fault| Some(fault.slug()) == condition.fault.as_deref())
        && selector
            .network
            .as_deref()
            .is_none_or(|name| name == condition.network.as_deref().unwrap_or(Network::DIRECT))
}

/// Two runs compare where their conditions are the same in all that the claim does not set on both sides.
fn comparable(left: &Selector, right: &Selector, l: &Group<'_>, r: &Group<'_>) -> bool {
    let (l, r) = (&l.condition, &r.condition);
    ((left.readers.is_some() && right.readers.is_some()) || l.readers == r.readers)
        && ((left.rate.is_some() && right.rate.is_some()) || l.rate == r.rate)
        && ((left.payload_bytes.is_some() && right.payload_bytes.is_some())
            || l.payload_bytes == r.payload_bytes)
        && ((left.fault.is_some() && right.fault.is_some()) || l.fault == r.fault)
        && ((left.network.is_some() && right.network.is_some()) || l.network == r.network)
        && l.pattern == r.pattern
        && l.in_flight == r.in_flight
        && l.heartbeat_ms == r.heartbeat_ms
}

/// More conditions than these that say the same are counted and not listed.
const LISTED: usize = 8;

/// What each comparison says. Where many say the very same it is said once, with their number; what differs is
/// always listed.
fn findings(claim: &Claim, pairs: &[Pair<'_>]) -> Vec<(Outcome, String)> {
    let mut said: Vec<(Outcome, String, Vec<&Condition>)> = Vec::new();
    for pair in pairs {
        let (outcome, text) = finding(claim, pair);
        match said.iter_mut().find(|(known, other, _)| *known == outcome && *other == text) {
            Some((_, _, conditions)) => conditions.push(pair.condition),
            None => said.push((outcome, text, vec![pair.condition])),
        }
    }
    let listed = |(outcome, text, conditions): (Outcome, String, Vec<&Condition>)| {
        if pairs.len() == 1 {
            return vec![(outcome, text)];
        }
        if conditions.len() > LISTED {
            return vec![(outcome, format!("{text}, under each of {} conditions", conditions.len()))];
        }
        let each = |condition: &&Condition| (outcome, format!("{}: {text}", condition.describe()));
        conditions.iter().map(each).collect()
    };
    said.into_iter().flat_map(listed).collect()
}

fn finding(claim: &Claim, pair: &Pair<'_>) -> (Outcome, String) {
    match &pair.right {
        Right::Value(value) => against_value(claim, &pair.client, &pair.left, *value),
        Right::Repetitions(client, figure, right) => {
            against_figure(claim, &pair.client, &pair.left, (client, *figure), right)
        }
    }
}

fn against_value(claim: &Claim, client: &str, left: &[f64], value: f64) -> (Outcome, String) {
    let bound = claim.times * value;
    let Some(measured) = statistics::estimate(left) else {
        return (Outcome::Undecided, missing(client, claim.left.figure));
    };
    let text = format!("{client} {}", in_words(measured, claim.left.figure));
    if claim.is == Comparison::Equal {
        let off = left.iter().filter(|each| **each != bound).count();
        return exactly(off, measured.n, text);
    }
    let relative = Estimate {
        median: statistics::quotient(measured.median, bound),
        interval: measured.interval.map(|interval| Interval {
            low: statistics::quotient(interval.low, bound),
            high: statistics::quotient(interval.high, bound),
        }),
        n: measured.n,
    };
    decide(claim, relative, &text)
}

fn against_figure(
    claim: &Claim,
    client: &str,
    left: &[f64],
    (right_client, right_figure): (&str, Figure),
    right: &[f64],
) -> (Outcome, String) {
    let Some(measured_left) = statistics::estimate(left) else {
        return (Outcome::Undecided, missing(client, claim.left.figure));
    };
    let Some(measured_right) = statistics::estimate(right) else {
        return (Outcome::Undecided, missing(right_client, right_figure));
    };
    let mut text = format!(
        "{client} {}, {} {}",
        in_words(measured_left, claim.left.figure),
        right_client,
        in_words(measured_right, right_figure)
    );
    if claim.is == Comparison::Equal {
        // Counts of different repetitions belong to different runs, so every one must equal every other.
        let equal = |l: &f64| right.iter().all(|r| *l == claim.times * r);
        let off = left.iter().filter(|l| !equal(l)).count();
        return exactly(off, measured_left.n.min(measured_right.n), text);
    }
    let scaled: Vec<f64> = right.iter().map(|each| claim.times * each).collect();
    let (Some(plain), Some(relative)) = (statistics::ratio(left, right), statistics::ratio(left, &scaled))
    else {
        return (Outcome::Undecided, text);
    };
    if plain.median.is_finite() {
        text.push_str(&format!("; {}", ratio_in_words(plain)));
    }
    decide(claim, relative, &text)
}

fn exactly(off: usize, n: usize, text: String) -> (Outcome, String) {
    match (off, n) {
        // One counterexample is enough, however few the repetitions.
        (1.., _) => (Outcome::Refuted, format!("{text}; it differs in {off} of {n} repetitions")),
        (0, n) if n < ENOUGH => (Outcome::Undecided, too_few(&text, n)),
        _ => (Outcome::Holds, text),
    }
}

/// `relative` is the left side as a multiple of the right side with its factor.
fn decide(claim: &Claim, relative: Estimate, text: &str) -> (Outcome, String) {
    let Some(Interval { low, high }) = relative.interval else {
        return (Outcome::Undecided, too_few(text, relative.n));
    };
    let (holds, refuted) = match claim.is {
        Comparison::Less => (high < 1.0, low >= 1.0),
        Comparison::Greater => (low > 1.0, high <= 1.0),
        Comparison::About | Comparison::Equal => (low >= 0.9 && high <= 1.1, high < 0.9 || low > 1.1),
    };
    let outcome = match (holds, refuted) {
        (true, _) => Outcome::Holds,
        (_, true) => Outcome::Refuted,
        _ => Outcome::Undecided,
    };
    let tiny = (relative.median - 1.0).abs() < PRACTICAL_MARGIN && relative.median != 1.0;
    let note = match outcome {
        Outcome::Undecided => "; the interval allows both: repeat it more often (--repeat)",
        _ if !tiny || claim.is == Comparison::About => "",
        // A figure near twice another one is not practically the same as that.
        _ if claim.times != 1.0 || matches!(claim.right, Operand::Value(_)) => {
            "; less than 5 % from the bound"
        }
        _ => "; less than 5 % apart: no practical difference",
    };
    (outcome, format!("{text}{note}"))
}

fn missing(client: &str, figure: Figure) -> String {
    format!("no run of {client} measured its {}", figure.label())
}

fn too_few(text: &str, n: usize) -> String {
    format!(
        "{text}; {n} repetition{} decide nothing, {ENOUGH} are needed (--repeat)",
        if n == 1 { "" } else { "s" }
    )
}

/// `412 µs [398 µs – 431 µs, n = 5]`.
pub fn in_words(estimate: Estimate, figure: Figure) -> String {
    let unit = figure.unit();
    let median = unit.format(estimate.median);
    match estimate.interval {
        Some(Interval { low, high }) => {
            let (low, high) = (unit.format(low), unit.format(high));
            let range = if low == high { String::new() } else { format!("{low} – {high}, ") };
            format!("{median} [{range}n = {}]", estimate.n)
        }
        None => format!("{median} [n = {}]", estimate.n),
    }
}

fn ratio_in_words(ratio: Estimate) -> String {
    match ratio.interval {
        Some(Interval { low, high }) if low != high => {
            format!("× {} [{} – {}]", significant(ratio.median), significant(low), significant(high))
        }
        _ => format!("× {}", significant(ratio.median)),
    }
}

/// The comparison as a half sentence: `median latency of sse < 2 × median latency of long-poll`.
fn asked(claim: &Claim, summary: &Summary<'_>) -> String {
    let side = |selector: &Selector| {
        let label = summary.series.iter().find(|series| series.name == selector.client);
        let every = if selector.client == Selector::EVERY { "every client" } else { &selector.client };
        let label = label.map_or(every, |series| series.label.as_str());
        let whose = match selector.target.as_deref() {
            Some(Selector::EVERY) => " of every other server".to_owned(),
            Some(target) => format!(" of {target}"),
            None => String::new(),
        };
        let label = if whose.is_empty() { label } else { selector.client.as_str() };
        format!("{} of {label}{whose}", selector.figure.label())
    };
    let sign = match claim.is {
        Comparison::Less => "<",
        Comparison::Greater => ">",
        Comparison::About => "≈",
        Comparison::Equal => "=",
    };
    let right = match &claim.right {
        Operand::Value(value) => claim.left.figure.unit().format(claim.times * value),
        Operand::Figure(selector) if claim.times == 1.0 => side(selector),
        Operand::Figure(selector) => format!("{} × {}", significant(claim.times), side(selector)),
    };
    format!("{} {sign} {right}", side(&claim.left))
}
