//! What happens while a group is measured: publishing, and the cut in the middle.

use std::{sync::Arc, time::Duration};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio_util::sync::CancellationToken;

use super::{
    Environment, Failure,
    contender::{self, Contender},
    site::Site,
};
use crate::{
    clock::Timestamp,
    harness::{
        control::{Control, SourceRequest},
        definition::{Definition, Fault, Publisher},
        jitter::Jitter,
        memory::MemoryWatch,
        plan::Condition,
        publisher::{Published, Publishing, Sent, Way},
        reader::Timing,
        record::Memory,
        zombies::{CountWatch, Counted},
    },
    link::{Totals, relay},
};

/// How long a killed server stays away.
const DOWN_FOR: Duration = Duration::from_millis(300);

/// How long a stopped server stays stopped.
const STALLED_FOR: Duration = Duration::from_millis(500);

/// After how many bytes a connection dies in the middle of an event: more than a frame's or a chunk's header
/// and fewer than the event has.
const INTO_EVENT: u64 = 31;

/// When, within the measured time, a connection is cut.
const CUT_AT: f64 = 0.25;

/// What happened to the feed and to the connections while it was measured.
pub(super) struct Story {
    /// The number of the last event that was published.
    pub(super) last: u64,
    /// When publishing started.
    pub(super) start: Timestamp,
    /// When the connection was cut, and with how many bytes passed for each contender.
    pub(super) cut: Option<(Timestamp, Vec<u64>)>,
    /// When a new connection would have gone through again.
    pub(super) mended: Option<Timestamp>,
    /// When the measured time was over.
    pub(super) end: Timestamp,
    /// How many readers the server counted, from a silent cut on.
    pub(super) counts: Vec<Counted>,
    /// The server's memory, where readers are stalled.
    pub(super) memory: Option<Memory>,
    /// What the harness itself published.
    pub(super) published: Published,
    /// What that took, where a reader did it.
    pub(super) sent: Sent,
    /// How late this process woke up, in microseconds: in the middle, and 99 times in 100.
    pub(super) wake_late: Option<(f64, f64)>,
    /// Why the figures should be doubted.
    pub(super) doubts: Vec<String>,
    /// What keeps a silence in force until the run is over.
    pub(super) _guards: Vec<relay::Guard>,
}

/// Publishes for as long as the condition says, with the cut in the middle where there is one.
pub(super) async fn tell(
    environment: &Environment,
    definition: &Definition,
    site: &mut Site,
    condition: &Condition,
    timing: &Arc<Timing>,
    contenders: &[Contender<'_>],
) -> Result<Story, Failure> {
    let clock = environment.clock;
    let seconds = Duration::from_secs_f64;
    let start = clock.now() + Duration::from_millis(10) + head_start(condition);
    let end = start + seconds(condition.warm_up_s + condition.measure_s);
    timing.measure_from(start + seconds(condition.warm_up_s));
    let published = Published::default();
    let jitter = Jitter::watch(clock);
    let control = site.control();
    let stalled = contenders.iter().any(|contender| !contender.stalled.is_empty());
    let memory = site.pid().filter(|_| stalled).map(|pid| MemoryWatch::start(pid, clock));
    let mut counts = None;
    let mut feed = Feeding::Idle;
    if condition.rate > 0.0 {
        let by_request = || Way::Control(Box::new(control.clone()), site.channel().to_owned(), None);
        let way = match site.publisher(definition.publisher) {
            Publisher::Source => None,
            Publisher::Post | Publisher::ClosedLoop => Some(by_request()),
            Publisher::Reader => {
                let publisher = contenders.iter().find_map(|contender| contender.publisher.lock().take());
                Some(publisher.map_or_else(by_request, Way::Reader))
            }
        };
        let closed_loop = definition.publisher == Publisher::ClosedLoop;
        let readers = contenders.iter().flat_map(|contender| &contender.readers).filter(|_| closed_loop);
        feed = if let Some(way) = way {
            let stop = CancellationToken::new();
            let publishing = Publishing {
                way,
                condition: condition.clone(),
                clock,
                start,
                timing: timing.clone(),
                published: published.clone(),
                stop: stop.clone(),
                closed_loop: readers.map(|reader| Arc::clone(&reader.notes)).collect(),
            };
            Feeding::Ours { stop, task: tokio::spawn(publishing.run()) }
        } else {
            let Condition { rate, payload_bytes, pattern, seed, .. } = *condition;
            clock.sleep_until(start).await;
            control
                .start_source(site.channel(), SourceRequest { rate, payload_bytes, pattern, seed })
                .await?;
            Feeding::Source
        };
    }
    let (mut cut, mut mended, mut guards) = (None, None, Vec::new());
    if let Some(fault) = condition.fault {
        clock.sleep_until(start + seconds(condition.warm_up_s + CUT_AT * condition.measure_s)).await;
        let bytes: Vec<u64> = contenders
            .iter()
            .map(|contender| {
                let Totals { application_in, application_out, .. } = contender::totals(contender);
                application_in + application_out
            })
            .collect();
        let at = clock.now();
        if matches!(fault, Fault::Silence | Fault::OneWay | Fault::Unplug) {
            counts = Some(CountWatch::start(control.clone(), site.channel().to_owned(), clock));
        }
        guards = inflict(fault, site, contenders).await?;
        if fault.cuts() {
            cut = Some((at, bytes));
            mended = Some(clock.now());
        }
    }
    match &memory {
        None => clock.sleep_until(end).await,
        Some(memory) => tokio::select! {
            () = clock.sleep_until(end) => {}
            () = memory.full() => {}
        },
    }
    let (last, sent) = feed.end(&control, site.channel(), &published).await?;
    Ok(Story {
        last,
        start,
        cut,
        mended,
        end: clock.now(),
        counts: counts.map(CountWatch::end).unwrap_or_default(),
        memory: memory.and_then(|memory| memory.end(start)),
        published,
        sent,
        wake_late: jitter.percentiles(),
        doubts: jitter.doubt().into_iter().collect(),
        _guards: guards,
    })
}

/// How much later the schedule begins, drawn from the seed. The readers have only just opened: a schedule that
/// began at a fixed time after that would meet a lone poll at the same point of its interval in every
/// repetition. One period of the events is enough to meet it anywhere.
fn head_start(condition: &Condition) -> Duration {
    const AT_MOST_S: f64 = 0.5;
    let period_s = if condition.rate > 0.0 { condition.rate.recip() } else { 0.0 };
    let mut rng = StdRng::seed_from_u64(condition.seed.rotate_left(32));
    Duration::from_secs_f64(period_s.min(AT_MOST_S) * rng.random::<f64>())
}

/// Who publishes, so that it can be ended.
enum Feeding {
    Idle,
    Source,
    Ours { stop: CancellationToken, task: tokio::task::JoinHandle<Sent> },
}

impl Feeding {
    /// Ends it, and says how many events there were, and what a reader that published took for it.
    async fn end(
        self,
        control: &Control,
        channel: &str,
        published: &Published,
    ) -> Result<(u64, Sent), Failure> {
        match self {
            Feeding::Idle => Ok((0, Sent::default())),
            Feeding::Source => {
                control.stop_source(channel).await?;
                // The channel is this run's own, so its newest event's number is the count.
                Ok((control.head(channel).await?.sequence, Sent::default()))
            }
            Feeding::Ours { stop, task } => {
                stop.cancel();
                // A publisher that panicked has published what it noted, and the count shows it.
                let sent = task.await.unwrap_or_default();
                Ok((published.lock().len() as u64, sent))
            }
        }
    }
}

/// Does it. A silence lasts for as long as its guards are kept.
async fn inflict(
    fault: Fault,
    site: &mut Site,
    contenders: &[Contender<'_>],
) -> Result<Vec<relay::Guard>, Failure> {
    let on_the_way = match fault {
        Fault::Restart | Fault::RestartWithLog => {
            site.restart(DOWN_FOR).await.map_err(|error| Failure::Restart(error.to_string()))?;
            return Ok(Vec::new());
        }
        Fault::Disconnect => {
            site.control().disconnect(site.channel()).await?;
            return Ok(Vec::new());
        }
        Fault::Unplug if !relay::Fault::CAN_UNPLUG => return Err(Failure::CantUnplug),
        Fault::Unplug => relay::Fault::Unplug,
        Fault::Stall => {
            site.stall(STALLED_FOR).await.map_err(Failure::Stall)?;
            return Ok(Vec::new());
        }
        Fault::HalfClose => relay::Fault::HalfClose(relay::Side::ToClient),
        Fault::OneWay => relay::Fault::SilenceOneWay(relay::Side::ToClient),
        Fault::MidEvent => {
            relay::Fault::CutAfter { side: relay::Side::ToClient, bytes: INTO_EVENT, reset: false }
        }
        Fault::Close => relay::Fault::Close,
        Fault::Reset => relay::Fault::Reset,
        // What stands is dead for good; what is made anew goes through, as when a router forgot.
        Fault::Silence => relay::Fault::Silence { new_connections_pass: true },
    };
    let relays = contenders.iter().flat_map(|contender| &contender.relays);
    Ok(relays.map(|relay| relay.apply(on_the_way)).collect())
}
