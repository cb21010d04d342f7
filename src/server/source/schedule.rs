//! When the built-in source means to publish: pure arithmetic, no clock and no sleeping.

use std::time::Duration;

use rand::{Rng, RngExt as _};
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// How publishes are spaced around the same mean rate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pattern {
    /// Evenly.
    #[default]
    Steady,
    /// With independent, exponentially distributed pauses, as from many publishers who don't know of each
    /// other.
    Poisson,
    /// A second's worth at once, once a second.
    Burst,
}

/// The intended publish times, one after the other, without end.
///
/// The next time depends on the ones before and never on when anything really happened: a publisher that
/// waited for a slow server before it planned its next event would hide that server's stalls (open loop).
#[derive(Debug)]
pub struct Schedule<R> {
    start: Timestamp,
    rate: f64,
    pattern: Pattern,
    /// How many times were handed out.
    handed_out: u64,
    /// Seconds from the start to the last one; only Poisson builds on it.
    elapsed: f64,
    rng: R,
}

impl<R: Rng> Schedule<R> {
    /// A schedule of `rate` events per second from `start`; `rng` is what Poisson's pauses are drawn from.
    pub fn new(start: Timestamp, rate: f64, pattern: Pattern, rng: R) -> Self {
        Schedule { start, rate, pattern, handed_out: 0, elapsed: 0.0, rng }
    }
}

impl<R: Rng> Iterator for Schedule<R> {
    type Item = Timestamp;

    fn next(&mut self) -> Option<Timestamp> {
        // From the count and not by adding up, so that no rounding error grows.
        let even = self.handed_out as f64 / self.rate;
        let seconds = match self.pattern {
            Pattern::Steady => even,
            Pattern::Burst => even.floor(),
            Pattern::Poisson => {
                // `random` is in [0, 1), so the logarithm's argument is never zero.
                self.elapsed += -(1.0 - self.rng.random::<f64>()).ln() / self.rate;
                self.elapsed
            }
        };
        self.handed_out += 1;
        Some(self.start + Duration::from_secs_f64(seconds))
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    const START: Timestamp = Timestamp::from_nanos(1_700_000_000_000_000_000);

    fn seconds(rate: f64, pattern: Pattern, count: usize) -> Vec<f64> {
        let schedule = Schedule::new(START, rate, pattern, StdRng::seed_from_u64(1));
        schedule.take(count).map(|at| at.since(START).as_secs_f64()).collect()
    }

    #[test]
    fn steady_is_even_and_does_not_drift() {
        assert_eq!(seconds(4.0, Pattern::Steady, 4), [0.0, 0.25, 0.5, 0.75]);
        let mut schedule = Schedule::new(START, 3.0, Pattern::Steady, StdRng::seed_from_u64(1));
        assert_eq!(schedule.nth(3_000_000), Some(START + Duration::from_secs(1_000_000)));
    }

    #[test]
    fn a_burst_is_a_seconds_worth_at_once() {
        assert_eq!(seconds(3.0, Pattern::Burst, 7), [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 2.0]);
        assert_eq!(seconds(1.5, Pattern::Burst, 5), [0.0, 0.0, 1.0, 2.0, 2.0]);
    }

    #[test]
    fn poisson_keeps_the_rate_varies_its_pauses_and_repeats_with_its_seed() {
        let times = seconds(50.0, Pattern::Poisson, 10_000);
        assert_eq!(times, seconds(50.0, Pattern::Poisson, 10_000));
        assert!(times.is_sorted());
        let pauses: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = pauses.iter().sum::<f64>() / pauses.len() as f64;
        let deviation =
            (pauses.iter().map(|pause| (pause - mean).powi(2)).sum::<f64>() / pauses.len() as f64).sqrt();
        assert!((mean * 50.0 - 1.0).abs() < 0.05, "mean pause {mean}");
        assert!((deviation / mean - 1.0).abs() < 0.1, "an exponential's deviation is its mean");
    }
}
