//! `[conditions.step]`: a rate that is raised until the server can no more.

use serde::{Deserialize, Serialize};

/// The fastest that the built-in source publishes, in events per second.
const FASTEST: f64 = 100_000.0;

/// How the rate is raised within one run. It begins at the conditions' `rate`, and each step is measured for as long
/// as the conditions say.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// From one step's rate to the next one's.
    pub factor: f64,
    /// The last step is the one whose 99th percentile of latency is longer than this, in milliseconds, or in which
    /// an event was lost. A short poll may be late by its own interval beyond that.
    pub p99_ms: f64,
    /// No step is faster, in events per second.
    #[serde(default = "fastest")]
    pub most: f64,
}

fn fastest() -> f64 {
    FASTEST
}

impl Step {
    /// The rates of all steps that there may be, from the first one's.
    pub fn rates(self, first: f64) -> impl Iterator<Item = f64> {
        let within = move |rate: &f64| *rate <= self.most;
        let next = move |rate: &f64| Some((rate * self.factor).round()).filter(within);
        std::iter::successors(Some(first).filter(within), next)
    }

    /// What is wrong with it, if anything, where it begins at this rate.
    pub(super) fn check(self, first: f64) -> Result<(), (&'static str, String)> {
        if !(1.1..=100.0).contains(&self.factor) {
            return Err(("step.factor", "must be from 1.1 to 100".into()));
        }
        if !(self.p99_ms > 0.0 && self.p99_ms <= 60_000.0) {
            return Err(("step.p99_ms", "must be more than 0 and at most 60000 milliseconds".into()));
        }
        if !(1.0..=FASTEST).contains(&self.most) {
            return Err(("step.most", format!("must be from 1 to {FASTEST} events per second")));
        }
        // Rates are rounded to whole events, and have to get on.
        if first < 5.0 || first > self.most {
            return Err(("rate", "the first step's rate must be at least 5 and at most step.most".into()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_rise_by_the_factor_and_end_at_the_most() {
        let step = Step { factor: 2.0, p99_ms: 100.0, most: 50.0 };
        assert_eq!(step.rates(10.0).collect::<Vec<_>>(), [10.0, 20.0, 40.0]);
        let slow = Step { factor: 1.1, p99_ms: 100.0, most: 8.0 };
        assert_eq!(slow.rates(5.0).collect::<Vec<_>>(), [5.0, 6.0, 7.0, 8.0]);
    }

    #[test]
    fn steps_that_lead_nowhere_are_refused() {
        let good = Step { factor: 2.0, p99_ms: 100.0, most: 1_000.0 };
        assert_eq!(good.check(5.0), Ok(()));
        for (step, first, key) in [
            (Step { factor: 1.0, ..good }, 5.0, "step.factor"),
            (Step { p99_ms: 0.0, ..good }, 5.0, "step.p99_ms"),
            (Step { most: f64::NAN, ..good }, 5.0, "step.most"),
            (good, 1.0, "rate"),
            (good, 2_000.0, "rate"),
        ] {
            assert_eq!(step.check(first).map_err(|(key, _)| key), Err(key));
        }
    }
}
