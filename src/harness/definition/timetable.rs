//! `timetable`: several faults in one run, at given times or drawn.

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde::{Deserialize, Serialize};

use super::Fault;

/// The name of a run whose fault is a timetable.
pub const TIMETABLE: &str = "timetable";

/// Several faults, one after the other.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged, expecting = "a timetable is a list of { at_s, fault, for_s }, or { faults, count }")]
pub enum Timetable {
    /// At these times.
    Fixed(Vec<Timed>),
    /// Drawn from the run's seed, so that each repetition has its own and all clients of one have the same.
    Drawn(Drawn),
}

/// A fault and its time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timed {
    /// Seconds from the beginning of the measured time.
    pub at_s: f64,
    /// What is done.
    pub fault: Fault,
    /// How many seconds it lasts, where that is to be another time than the fault's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_s: Option<f64>,
}

/// What a timetable is drawn from.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drawn {
    /// Which faults may come; one may come several times.
    pub faults: Vec<Fault>,
    /// How many come.
    pub count: u32,
}

/// The most faults of one run.
const MOST: usize = 100;

/// The part of the measured time in which a drawn timetable puts its faults: the last of them has to be
/// recovered from.
const FAULTS_WITHIN: f64 = 0.75;

impl Timetable {
    /// The faults of a run, in the order of their times.
    pub fn draw(&self, measure_s: f64, seed: u64) -> Vec<Timed> {
        let mut all = match self {
            Timetable::Fixed(all) => all.clone(),
            Timetable::Drawn(Drawn { faults, count }) => {
                let mut random = StdRng::seed_from_u64(seed.rotate_left(16));
                let slot = FAULTS_WITHIN * measure_s / f64::from((*count).max(1));
                let timed = |n: u32| {
                    let fault = faults[random.random_range(0..faults.len())];
                    // In the first half of its slot, so that half a slot at least is left to recover in.
                    Timed { at_s: slot * (f64::from(n) + 0.5 * random.random::<f64>()), fault, for_s: None }
                };
                (0..*count).map(timed).collect()
            }
        };
        all.sort_by(|one, other| one.at_s.total_cmp(&other.at_s));
        all
    }

    /// Every fault that may come.
    pub fn faults(&self) -> Vec<Fault> {
        match self {
            Timetable::Fixed(all) => all.iter().map(|timed| timed.fault).collect(),
            Timetable::Drawn(drawn) => drawn.faults.clone(),
        }
    }

    /// What can't be run of it, where the measured time is at least so long.
    pub(super) fn check(&self, measure_s: f64) -> Result<(), String> {
        match self {
            Timetable::Fixed(all) => {
                if all.is_empty() || all.len() > MOST {
                    return Err(format!("needs from 1 to {MOST} faults"));
                }
                let late = all.iter().find(|timed| !(0.0..measure_s).contains(&timed.at_s));
                if let Some(timed) = late {
                    return Err(format!(
                        "at_s = {} is not within the {measure_s} s that are measured: correct it, or measure_s",
                        timed.at_s
                    ));
                }
                if all.iter().any(|timed| timed.for_s.is_some_and(|it| !(it > 0.0 && it <= 3_600.0))) {
                    return Err("for_s must be more than 0 and at most 3600 seconds".into());
                }
                Ok(())
            }
            Timetable::Drawn(Drawn { faults, count }) => {
                if faults.is_empty() || *count == 0 || *count as usize > MOST {
                    return Err(format!("needs at least one of faults, and a count from 1 to {MOST}"));
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct File {
        timetable: Timetable,
    }

    fn read(text: &str) -> Result<Timetable, String> {
        let read: Result<File, _> = toml::from_str(text);
        read.map(|file| file.timetable).map_err(|error| error.to_string())
    }

    #[test]
    fn a_seed_draws_the_same_again_and_another_one_another() {
        let drawn =
            read("timetable = { faults = ['close', 'refuse', 'http-503'], count = 6 }").expect("drawn");
        let one = drawn.draw(12.0, 1);
        assert_eq!(one, drawn.draw(12.0, 1));
        assert_ne!(one, drawn.draw(12.0, 2));
        assert_eq!(one.len(), 6);
        assert!(one.windows(2).all(|two| two[1].at_s - two[0].at_s >= 0.75), "{one:?}");
        assert!(one.iter().all(|timed| timed.at_s < 9.0 && drawn.faults().contains(&timed.fault)), "{one:?}");
        drawn.check(12.0).expect("runs");
    }

    #[test]
    fn given_times_are_put_in_their_order_and_must_be_within_the_run() {
        let text = "timetable = [{ at_s = 3, fault = 'refuse', for_s = 2 }, { at_s = 1, fault = 'reset' }]";
        let fixed = read(text).expect("fixed");
        let faults: Vec<_> = fixed.draw(4.0, 1).iter().map(|timed| timed.fault).collect();
        assert_eq!(faults, [Fault::Reset, Fault::Refuse]);
        fixed.check(4.0).expect("within");
        let problem = fixed.check(2.0).expect_err("too late");
        assert!(problem.contains("at_s = 3"), "{problem}");
        let problem = read("timetable = { faults = ['nonsense'] }").expect_err("no such fault");
        assert!(problem.contains("a timetable is a list of"), "{problem}");
    }
}
