//! Expectations, what became of them, and the verdict.

use serde::{Deserialize, Serialize};

use super::excerpt::excerpt;

/// Something that a check expects of a student's program.
#[derive(Debug, Clone, Copy)]
pub struct Expectation {
    /// A short name in kebab case, by which mutants and texts refer to it.
    pub name: &'static str,
    /// A sentence: what is expected.
    pub expects: &'static str,
    /// One step to try where it is missed.
    pub next: &'static str,
}

/// What was seen in place of, or in fulfilment of, an expectation.
#[derive(Debug, Clone, Default)]
pub struct Saw {
    text: String,
    bytes: Option<String>,
    figure: Option<Figure>,
    next: Option<String>,
}

/// A number that was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What it is.
    pub value: f64,
    /// Its unit, such as `ms` or `bytes`.
    pub unit: String,
    /// What it is held against, as a phrase: `at most 2000 ms`.
    pub bar: String,
}

impl Saw {
    /// A sentence.
    pub fn new(text: impl Into<String>) -> Self {
        Saw { text: text.into(), ..Saw::default() }
    }

    /// The bytes that were seen, of which the end is shown.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.bytes = Some(excerpt(bytes));
        self
    }

    /// The number that was seen, and what it is held against.
    #[must_use]
    pub fn figure(mut self, value: f64, unit: &str, bar: impl Into<String>) -> Self {
        self.figure = Some(Figure { value, unit: unit.to_owned(), bar: bar.into() });
        self
    }

    /// A step that fits this better than the expectation's own.
    #[must_use]
    pub fn next(mut self, step: impl Into<String>) -> Self {
        self.next = Some(step.into());
        self
    }
}

impl From<String> for Saw {
    fn from(text: String) -> Self {
        Saw::new(text)
    }
}

impl From<&str> for Saw {
    fn from(text: &str) -> Self {
        Saw::new(text)
    }
}

/// What became of an expectation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is as expected.
    Met,
    /// It is not.
    Missed,
    /// The check did not come so far.
    NotReached,
}

/// One expectation and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The expectation's name.
    pub name: String,
    /// What was expected.
    pub expects: String,
    /// What became of it.
    pub outcome: Outcome,
    /// What was seen; empty where it was not reached.
    pub saw: String,
    /// The end of the bytes that were seen, escaped, where they help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<String>,
    /// The number that was seen, where the expectation has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figure: Option<Figure>,
    /// One step to try; `None` unless it was missed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What a check says in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every expectation was met.
    Passed,
    /// One at least was missed.
    Failed,
    /// The check could not be made: the program did not start, or its port never opened.
    CouldNotTell,
}

impl Verdict {
    /// The exit status that says so.
    pub fn exit_status(self) -> u8 {
        match self {
            Verdict::Passed => 0,
            Verdict::Failed => 1,
            Verdict::CouldNotTell => 2,
        }
    }

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Failed => "failed",
            Verdict::CouldNotTell => "could not tell",
        }
    }
}

/// The findings of one check, each expectation's in the order in which they are declared.
#[derive(Debug)]
pub(super) struct Findings {
    list: Vec<(Expectation, Outcome, Saw)>,
}

impl Findings {
    pub(super) fn new(expectations: &[Expectation]) -> Self {
        let list = expectations.iter().map(|&it| (it, Outcome::NotReached, Saw::default())).collect();
        Findings { list }
    }

    /// Notes an outcome. What was missed once stays missed, with what was seen first.
    pub(super) fn note(&mut self, name: &str, met: bool, saw: Saw) {
        let known = self.list.iter_mut().find(|(expectation, ..)| expectation.name == name);
        // A misspelt name in a check must not pass silently.
        let (_, outcome, seen) = known.unwrap_or_else(|| panic!("no expectation is called {name:?}"));
        if *outcome != Outcome::Missed {
            *outcome = if met { Outcome::Met } else { Outcome::Missed };
            *seen = saw;
        }
    }

    pub(super) fn any_missed(&self) -> bool {
        self.list.iter().any(|(_, outcome, _)| *outcome == Outcome::Missed)
    }

    pub(super) fn all_met(&self) -> bool {
        self.list.iter().all(|(_, outcome, _)| *outcome == Outcome::Met)
    }

    pub(super) fn unreached(&self) -> Option<&'static str> {
        let mut unreached = self.list.iter().filter(|(_, outcome, _)| *outcome == Outcome::NotReached);
        unreached.next().map(|(expectation, ..)| expectation.name)
    }

    pub(super) fn into_list(self) -> Vec<Finding> {
        let finding = |(expectation, outcome, saw): (Expectation, Outcome, Saw)| Finding {
            name: expectation.name.to_owned(),
            expects: expectation.expects.to_owned(),
            outcome,
            saw: saw.text,
            bytes: saw.bytes,
            figure: saw.figure,
            next: (outcome == Outcome::Missed)
                .then(|| saw.next.unwrap_or_else(|| expectation.next.to_owned())),
        };
        self.list.into_iter().map(finding).collect()
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The exercise's folder, such as `01-first-stream`.
    pub exercise: String,
    /// What was judged: a URL, a command or a file.
    pub subject: String,
    /// What the check says.
    pub verdict: Verdict,
    /// Why it could not tell; `None` otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// Each expectation and what became of it.
    pub findings: Vec<Finding>,
    /// The last lines that the program printed on its standard error (and, for a server, output).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub output: String,
}

impl Report {
    /// The first expectation that was missed.
    pub fn first_missed(&self) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.outcome == Outcome::Missed)
    }

    /// How many expectations were met.
    pub fn met(&self) -> usize {
        self.findings.iter().filter(|finding| finding.outcome == Outcome::Met).count()
    }
}
