//! Which step is the last: from one rate to the next, for as long as they are kept. Knows no server and no clock.

use crate::harness::{definition::Step, record::CapacityStep};

/// A publisher that published less than this part of what it was asked for did not keep its rate.
const KEEPS_RATE: f64 = 0.95;

/// How often a step is measured before it counts as not kept: a machine that does something else for a tenth of a
/// second is not a server's limit. Not where an event is missing: it could still come, in the midst of the next attempt.
const ATTEMPTS: u32 = 2;

/// What a step has to keep.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// The longest 99th percentile of latency, in milliseconds.
    pub(super) p99_ms: f64,
    /// Seconds for which it is published.
    pub(super) seconds: f64,
}

/// Why there is no further step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The 99th percentile was longer than the bound.
    P99,
    /// An event did not come.
    Lost,
    /// The publisher fell behind its rate.
    Source,
    /// All steps were kept.
    Most,
}

impl Ended {
    /// The word in records.
    pub(super) const fn slug(self) -> &'static str {
        match self {
            Ended::P99 => "p99",
            Ended::Lost => "lost",
            Ended::Source => "source",
            Ended::Most => "most",
        }
    }
}

/// Where it ended.
#[derive(Debug)]
pub(super) struct Ascent<T> {
    /// Every step, in order.
    pub(super) steps: Vec<CapacityStep>,
    /// Why there is no further one.
    pub(super) ended: Ended,
    /// What the last step that was kept left behind; the first one, where none was.
    pub(super) best: T,
}

/// Raises the rate from `first` on; `None` where there is no step at all. `measure` takes one step at the rate that it
/// is given.
pub(super) async fn ascend<T, E>(
    step: Step,
    first: f64,
    bounds: Bounds,
    mut measure: impl AsyncFnMut(f64) -> Result<(CapacityStep, T), E>,
) -> Result<Option<Ascent<T>>, E> {
    let (mut steps, mut best, mut ended) = (Vec::new(), None, Ended::Most);
    for rate in step.rates(first) {
        let mut attempts = 1;
        let (taken, told, failing) = loop {
            let (taken, told) = measure(rate).await?;
            let failing = why_not(&taken, bounds);
            if failing.is_none() || failing == Some(Ended::Lost) || attempts == ATTEMPTS {
                break (taken, told, failing);
            }
            attempts += 1;
        };
        steps.push(CapacityStep { attempts, ..taken });
        if failing.is_none() || best.is_none() {
            best = Some(told);
        }
        if let Some(why) = failing {
            ended = why;
            break;
        }
    }
    Ok(best.map(|best| Ascent { steps, ended, best }))
}

/// Why a step is not kept; `None` where it is.
fn why_not(step: &CapacityStep, bounds: Bounds) -> Option<Ended> {
    if step.lost > 0 {
        return Some(Ended::Lost);
    }
    if step.p99_us.is_none_or(|micros| micros as f64 > bounds.p99_ms * 1e3) {
        return Some(Ended::P99);
    }
    // One fewer, since the last one may have been due just as it was stopped.
    let least = KEEPS_RATE * step.rate * bounds.seconds;
    ((step.published as f64) + 1.0 < least).then_some(Ended::Source)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::FutureExt as _;

    use super::*;

    const STEP: Step = Step { factor: 2.0, p99_ms: 100.0, most: 800.0 };
    const BOUNDS: Bounds = Bounds { p99_ms: 100.0, seconds: 1.0 };

    /// A step that is kept.
    fn kept(rate: f64) -> CapacityStep {
        CapacityStep {
            rate,
            attempts: 1,
            seconds: 1.05,
            published: rate as u64,
            expected: 10 * rate as u64,
            delivered: 10 * rate as u64,
            lost: 0,
            p50_us: Some(200),
            p99_us: Some(99_000),
            server_cpu_s: Some(0.5),
            client_cpu_s: Some(0.4),
        }
    }

    fn late(rate: f64) -> CapacityStep {
        CapacityStep { p99_us: Some(100_001), ..kept(rate) }
    }

    fn lossy(rate: f64) -> CapacityStep {
        CapacityStep { lost: 1, ..kept(rate) }
    }

    fn behind(rate: f64) -> CapacityStep {
        CapacityStep { published: (rate * 0.9) as u64, ..kept(rate) }
    }

    /// What an ascent through these outcomes asks for, and where it ends.
    fn script(outcomes: &[fn(f64) -> CapacityStep]) -> (Vec<f64>, Ascent<f64>) {
        let mut asked = Vec::new();
        let measure = async |rate| {
            let outcome = outcomes[asked.len()];
            asked.push(rate);
            Ok::<_, Infallible>((outcome(rate), rate))
        };
        let ascent = ascend(STEP, 100.0, BOUNDS, measure).now_or_never().expect("it waits for nothing");
        let Ok(Some(ascent)) = ascent else { panic!("there is a first step") };
        assert_eq!(asked.len(), outcomes.len(), "the whole script was played");
        (asked, ascent)
    }

    #[test]
    fn the_rate_is_raised_for_as_long_as_all_is_kept() {
        let (asked, ascent) = script(&[kept, kept, kept, kept]);
        assert_eq!(asked, [100.0, 200.0, 400.0, 800.0]);
        assert_eq!((ascent.ended, ascent.best, ascent.steps.len()), (Ended::Most, 800.0, 4));
    }

    #[test]
    fn a_step_that_is_late_or_behind_twice_is_the_last() {
        for (failing, ended) in [(late as fn(f64) -> CapacityStep, Ended::P99), (behind, Ended::Source)] {
            let (asked, ascent) = script(&[kept, kept, failing, failing]);
            assert_eq!(asked, [100.0, 200.0, 400.0, 400.0]);
            assert_eq!((ascent.ended, ascent.best), (ended, 200.0));
            assert_eq!(ascent.steps.iter().map(|step| step.attempts).collect::<Vec<_>>(), [1, 1, 2]);
        }
    }

    #[test]
    fn a_step_that_is_kept_at_the_second_attempt_is_kept() {
        let (asked, ascent) = script(&[late, kept, behind, kept, kept, lossy]);
        assert_eq!(asked, [100.0, 100.0, 200.0, 200.0, 400.0, 800.0]);
        assert_eq!((ascent.ended, ascent.best), (Ended::Lost, 400.0));
    }

    #[test]
    fn a_loss_ends_it_at_once() {
        let (asked, ascent) = script(&[kept, lossy]);
        assert_eq!(asked, [100.0, 200.0]);
        assert_eq!((ascent.ended, ascent.best, ascent.steps[1].attempts), (Ended::Lost, 100.0, 1));
        let (asked, ascent) = script(&[kept, late, lossy]);
        assert_eq!(asked, [100.0, 200.0, 200.0]);
        assert_eq!((ascent.ended, ascent.steps[1].attempts), (Ended::Lost, 2));
    }

    #[test]
    fn where_not_even_the_first_is_kept_it_is_what_is_told() {
        let (_, ascent) = script(&[late, late]);
        assert_eq!((ascent.ended, ascent.best, ascent.steps.len()), (Ended::P99, 100.0, 1));
    }

    #[test]
    fn a_failure_is_handed_on() {
        let fails = async |_| Err::<(CapacityStep, ()), _>("gone");
        let ended = ascend(STEP, 100.0, BOUNDS, fails).now_or_never().expect("it waits for nothing");
        assert_eq!(ended.err(), Some("gone"));
        let none = ascend(STEP, 1_000.0, BOUNDS, fails).now_or_never().expect("it waits for nothing");
        assert!(none.is_ok_and(|none| none.is_none()), "the first is faster than the most");
    }

    #[test]
    fn a_step_is_kept_while_all_arrives_in_time() {
        assert_eq!(why_not(&kept(100.0), BOUNDS), None);
        assert_eq!(why_not(&CapacityStep { p99_us: None, ..kept(100.0) }, BOUNDS), Some(Ended::P99));
        assert_eq!(why_not(&CapacityStep { published: 94, ..kept(100.0) }, BOUNDS), None, "the last was due");
        assert_eq!(why_not(&CapacityStep { published: 93, ..kept(100.0) }, BOUNDS), Some(Ended::Source));
    }
}
