//! Budgets: what a figure of a bench may be, read from `benches/budgets.toml`.
//!
//! A figure is a ratio to the bare TCP floor, or to whatever else is the least that the same work can cost,
//! measured in the same run: so a budget says something about the code, on a machine of any speed. Memory and
//! counts are absolute.

// Each bench is a crate of its own and uses what it needs.
#![allow(dead_code, unreachable_pub)]

use std::{collections::BTreeMap, fs, path::Path, process::ExitCode};

/// What one figure may be.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
enum Budget {
    Most(f64),
    Least(f64),
}

/// The budgets of one bench, and which of its figures are over.
#[derive(Debug)]
pub struct Budgets {
    bench: &'static str,
    left: BTreeMap<String, Budget>,
    over: Vec<String>,
    measured: usize,
}

impl Budgets {
    /// Those of the bench of this name.
    pub fn of(bench: &'static str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/budgets.toml");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut all: BTreeMap<String, BTreeMap<String, Budget>> =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let left = all.remove(bench).unwrap_or_else(|| panic!("{}: no [{bench}]", path.display()));
        Budgets { bench, left, over: Vec::new(), measured: 0 }
    }

    /// Holds a measured figure to its budget, and gives the budget in words.
    ///
    /// # Panics
    /// Where there is no budget of this name, or it has been measured already: either the bench or the file is
    /// mistaken.
    pub fn hold(&mut self, figure: &str, measured: f64) -> String {
        let Some(budget) = self.left.remove(figure) else {
            panic!("benches/budgets.toml: no {figure:?} in [{}]: add it with `most` or `least`", self.bench)
        };
        self.measured += 1;
        let (holds, words) = match budget {
            Budget::Most(most) => (measured <= most, format!("at most {most}")),
            Budget::Least(least) => (measured >= least, format!("at least {least}")),
        };
        if !holds {
            self.over.push(format!("{}: {figure} is {measured:.3}, its budget {words}", self.bench));
        }
        words
    }

    /// Says what is over, and gives the program's exit status. Budgets that were not measured are named too:
    /// part of the bench was left out.
    pub fn verdict(self) -> ExitCode {
        if !self.left.is_empty() {
            let names: Vec<_> = self.left.keys().map(String::as_str).collect();
            eprintln!("{}: not measured this time: {}", self.bench, names.join(", "));
        }
        for line in &self.over {
            eprintln!("OVER BUDGET: {line}");
        }
        if self.over.is_empty() {
            eprintln!("{}: {} figures within their budgets", self.bench, self.measured);
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// The middle one. Of an even number the larger of both.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// How many times as long work takes as the least that it could, which is `floor`: the median over repetitions
/// that alternate, each of so many rounds.
pub fn ratio(repetitions: usize, rounds: u32, mut work: impl FnMut(), mut floor: impl FnMut()) -> f64 {
    let time = |once: &mut dyn FnMut()| {
        let begun = std::time::Instant::now();
        (0..rounds).for_each(|_| once());
        begun.elapsed().as_secs_f64()
    };
    // Once for what only the first round does.
    work();
    floor();
    median((0..repetitions).map(|_| time(&mut work) / time(&mut floor)).collect())
}
