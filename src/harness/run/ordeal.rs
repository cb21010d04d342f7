//! What is done to connections and server in the course of a run: each fault at its time, for its time.

use std::time::Duration;

use super::{
    Failure,
    contender::{self, Contender},
    site::Site,
};
use crate::{
    clock::{Clock, Timestamp},
    harness::{
        definition::{Fault, Timed},
        recovery::Spent,
        zombies::{CountWatch, Counted},
    },
    link::relay::{self, Answer, Side, Spot},
};

/// After how many bytes a connection dies in the middle of an event: more than a frame's or a chunk's header
/// and fewer than the event has.
const INTO_EVENT: u64 = 31;

/// How many connections of each reader are answered in the server's place, before one passes.
const ANSWERED: u32 = 2;

/// What a busy server asks for, in seconds.
const RETRY_AFTER_S: u32 = 1;

/// A fault that ended connections.
#[derive(Debug, Clone)]
pub(super) struct Cut {
    pub(super) fault: Fault,
    /// When it was ordered.
    pub(super) at: Timestamp,
    /// When a new connection would have gone through again.
    pub(super) mended: Timestamp,
    /// What each contender had spent by then.
    pub(super) spent: Vec<Spent>,
}

/// What was done.
#[derive(Debug, Default)]
pub(super) struct Ordeal {
    pub(super) cuts: Vec<Cut>,
    /// What keeps a fault in force until the run is over.
    pub(super) guards: Vec<relay::Guard>,
    counts: Option<CountWatch>,
}

impl Ordeal {
    /// How many readers the server counted, from the first silent cut on.
    pub(super) fn counts(&mut self) -> Vec<Counted> {
        self.counts.take().map(CountWatch::end).unwrap_or_default()
    }
}

enum Step {
    Begin(Timed),
    /// Ends what the step of this number began.
    End(usize),
}

/// Does what the timetable says, which starts at `from`.
pub(super) async fn undergo(
    timetable: &[Timed],
    from: Timestamp,
    clock: Clock,
    site: &mut Site,
    contenders: &[Contender<'_>],
) -> Result<Ordeal, Failure> {
    let mut ordeal = Ordeal::default();
    // Of those that end by themselves: the guards, and their place in `ordeal.cuts`.
    let mut passing: Vec<(Vec<relay::Guard>, Option<usize>)> = Vec::new();
    for (at, step) in steps(timetable) {
        clock.sleep_until(from + at).await;
        let timed = match step {
            Step::Begin(timed) => timed,
            Step::End(number) => {
                if let Some((guards, cut)) = passing.get_mut(number) {
                    guards.clear();
                    if let Some(cut) = cut.and_then(|place| ordeal.cuts.get_mut(place)) {
                        cut.mended = clock.now();
                    }
                }
                continue;
            }
        };
        let Timed { fault, for_s, .. } = timed;
        let spent = contenders.iter().map(|contender| Spent::of(contender::totals(contender))).collect();
        let at = clock.now();
        if fault.is_silent() && ordeal.counts.is_none() {
            let watch = CountWatch::start(site.control(), site.channel().to_owned(), clock);
            ordeal.counts = Some(watch);
        }
        let lasts = for_s.map(Duration::from_secs_f64).or(fault.lasts());
        let guards = inflict(fault, lasts.unwrap_or_default(), site, contenders).await?;
        let cut = fault.cuts().then(|| {
            ordeal.cuts.push(Cut { fault, at, mended: clock.now(), spent });
            ordeal.cuts.len() - 1
        });
        match lasts {
            None => {
                ordeal.guards.extend(guards);
                passing.push((Vec::new(), None));
            }
            // Its new connections pass, so that the end of the fault mends nothing.
            Some(_) if fault.is_silent() => passing.push((guards, None)),
            Some(_) => passing.push((guards, cut.filter(|_| fault.is_on_the_way()))),
        }
    }
    Ok(ordeal)
}

/// Beginnings and ends in the order of their times.
fn steps(timetable: &[Timed]) -> Vec<(Duration, Step)> {
    let mut steps: Vec<(Duration, Step)> = Vec::new();
    for (number, timed) in timetable.iter().enumerate() {
        let at = Duration::from_secs_f64(timed.at_s);
        let lasts = timed.for_s.map(Duration::from_secs_f64).or(timed.fault.lasts());
        steps.push((at, Step::Begin(*timed)));
        // What is done to the server is over when it has been done.
        if let Some(lasts) = lasts.filter(|_| timed.fault.is_on_the_way()) {
            steps.push((at + lasts, Step::End(number)));
        }
    }
    steps.sort_by_key(|(at, _)| *at);
    steps
}

/// Does it. What is done on the way lasts for as long as its guards are kept.
async fn inflict(
    fault: Fault,
    lasts: Duration,
    site: &mut Site,
    contenders: &[Contender<'_>],
) -> Result<Vec<relay::Guard>, Failure> {
    let answers = |answer| relay::Fault::Answer { answer, times: Some(ANSWERED) };
    let dies_at = |spot| relay::Fault::CutAt { spot, reset: false };
    let on_the_way = match fault {
        Fault::Sigterm | Fault::Restart | Fault::RestartWithLog => {
            let orderly = fault == Fault::Sigterm;
            site.restart(orderly, lasts).await.map_err(|error| Failure::Restart(error.to_string()))?;
            return Ok(Vec::new());
        }
        Fault::Disconnect => {
            site.control().disconnect(site.channel()).await?;
            return Ok(Vec::new());
        }
        Fault::Stall => {
            site.stall(lasts).await.map_err(Failure::Stall)?;
            return Ok(Vec::new());
        }
        Fault::Unplug if !relay::Fault::CAN_UNPLUG => return Err(Failure::CantUnplug),
        Fault::Unplug => relay::Fault::Unplug,
        Fault::HalfClose => relay::Fault::HalfClose(Side::ToClient),
        Fault::OneWay => relay::Fault::SilenceOneWay(Side::ToClient),
        Fault::MidEvent => relay::Fault::CutAfter { side: Side::ToClient, bytes: INTO_EVENT, reset: false },
        Fault::MidCharacter => dies_at(Spot::Character),
        Fault::MidHeader => dies_at(Spot::Header),
        Fault::Close | Fault::Refuse => relay::Fault::Close,
        Fault::Reset => relay::Fault::Reset,
        // What stands is dead for good; what is made anew goes through, as when a router forgot.
        Fault::Silence => relay::Fault::Silence { new_connections_pass: true },
        Fault::Hold => relay::Fault::Hold,
        Fault::Http500 => answers(Answer::InternalServerError),
        Fault::Http503 => answers(Answer::Unavailable { retry_after_s: RETRY_AFTER_S }),
        Fault::Http204 => answers(Answer::NoContent),
        Fault::HttpRedirect => answers(Answer::Redirect),
        Fault::HttpWrongType => answers(Answer::WrongType),
    };
    let relays = || contenders.iter().flat_map(|contender| &contender.relays);
    // The port first, so that who is cut finds it closed.
    let refused = relays().filter(|_| fault == Fault::Refuse).map(|it| it.apply(relay::Fault::Refuse));
    let mut guards: Vec<_> = refused.collect();
    guards.extend(relays().map(|relay| relay.apply(on_the_way)));
    Ok(guards)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_may_begin_before_another_one_is_over() {
        let timed = |at_s, fault, for_s| Timed { at_s, fault, for_s };
        let timetable = [
            timed(1.0, Fault::Refuse, Some(3.0)),
            timed(2.0, Fault::Hold, None),
            timed(3.0, Fault::Restart, Some(9.0)),
            timed(3.5, Fault::Silence, None),
        ];
        let told = steps(&timetable).into_iter().map(|(at, step)| match step {
            Step::Begin(timed) => format!("{} at {}", timed.fault.slug(), at.as_secs_f64()),
            Step::End(number) => format!("end of {number} at {}", at.as_secs_f64()),
        });
        let expected = [
            "refuse at 1",
            "hold at 2",
            "end of 1 at 2.5",
            "restart at 3",
            "silence at 3.5",
            "end of 0 at 4",
        ];
        assert_eq!(told.collect::<Vec<_>>(), expected);
    }
}
