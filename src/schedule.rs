//! When events are meant to be published.
//!
//! Pure: a schedule is drawn from a seed before anything happens, and nothing that happens can shift it.
//! A publisher that falls behind catches up and never skips, and every latency counts from the intended
//! time, so that a stall shows in all the events it held up (open loop; see Gil Tene, "How NOT to Measure
//! Latency").

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde::{Deserialize, Serialize};

/// How publishes are spaced around the same mean rate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pattern {
    /// Evenly.
    #[default]
    Steady,
    /// With independent, exponentially distributed pauses, as unrelated causes produce them.
    Poisson,
    /// A second's worth at once, once a second.
    Burst,
}

impl Pattern {
    /// The word in files and in the source's JSON.
    pub const fn slug(self) -> &'static str {
        match self {
            Pattern::Steady => "steady",
            Pattern::Poisson => "poisson",
            Pattern::Burst => "burst",
        }
    }
}

/// The intended times of a run's events, counted from its start; endless.
#[derive(Debug)]
pub struct Schedule {
    rate: f64,
    pattern: Pattern,
    rng: StdRng,
    drawn: u64,
    /// Poisson: the time of the last event, in seconds.
    last_s: f64,
}

impl Schedule {
    /// A schedule with `rate` events a second, which must be more than zero. `seed` decides what chance
    /// decides.
    pub fn new(rate: f64, pattern: Pattern, seed: u64) -> Self {
        debug_assert!(rate > 0.0);
        Schedule { rate, pattern, rng: StdRng::seed_from_u64(seed), drawn: 0, last_s: 0.0 }
    }
}

impl Iterator for Schedule {
    type Item = Duration;

    /// The next event's time; never before the one that came before it.
    fn next(&mut self) -> Option<Duration> {
        let number = self.drawn as f64;
        self.drawn += 1;
        let seconds = match self.pattern {
            // Multiplied anew each time: a sum of rounded intervals would drift.
            Pattern::Steady => number / self.rate,
            Pattern::Burst => (number / self.rate).floor(),
            Pattern::Poisson => {
                // 1 − u, since u may be 0 and its logarithm then is not a time.
                self.last_s -= (1.0 - self.rng.random::<f64>()).ln() / self.rate;
                self.last_s
            }
        };
        Some(Duration::from_secs_f64(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(rate: f64, pattern: Pattern, seed: u64, events: usize) -> Vec<f64> {
        Schedule::new(rate, pattern, seed).take(events).map(|at| at.as_secs_f64()).collect()
    }

    #[test]
    fn steady_is_even_and_does_not_drift() {
        assert_eq!(seconds(20.0, Pattern::Steady, 0, 4), [0.0, 0.05, 0.1, 0.15]);
        let late = Schedule::new(30.0, Pattern::Steady, 0).nth(3_000_000).map(|at| at.as_secs_f64());
        assert_eq!(late, Some(100_000.0));
    }

    #[test]
    fn a_burst_is_a_seconds_worth_once_a_second() {
        assert_eq!(seconds(3.0, Pattern::Burst, 0, 7), [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 2.0]);
        assert_eq!(seconds(0.5, Pattern::Burst, 0, 3), [0.0, 2.0, 4.0]);
        assert_eq!(seconds(1.5, Pattern::Burst, 0, 5), [0.0, 0.0, 1.0, 2.0, 2.0]);
    }

    #[test]
    fn poisson_keeps_the_mean_rate_and_the_seed_decides() {
        let drawn = seconds(100.0, Pattern::Poisson, 7, 20_000);
        assert!(drawn.is_sorted());
        let rate = 20_000.0 / drawn.last().expect("not empty");
        assert!((95.0..105.0).contains(&rate), "{rate}");
        assert_eq!(drawn, seconds(100.0, Pattern::Poisson, 7, 20_000));
        assert_ne!(drawn, seconds(100.0, Pattern::Poisson, 8, 20_000));
    }
}
