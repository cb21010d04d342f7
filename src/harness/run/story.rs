//! What happens while a group is measured: publishing, and the cut in the middle.

use std::{sync::Arc, time::Duration};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio_util::sync::CancellationToken;

use super::{
    Environment, Failure,
    climb::Climb,
    contender::Contender,
    ordeal::{self, Cut},
    site::Site,
};
use crate::{
    clock::Timestamp,
    harness::{
        control::{Control, SourceRequest},
        definition::{Definition, Publisher},
        jitter::Jitter,
        memory::MemoryWatch,
        plan::Condition,
        publisher::{Published, Publishing, Sent, Way},
        reader::Timing,
        record::{Memory, Saturation},
        zombies::Counted,
    },
    link::relay,
};

/// What happened to the feed and to the connections while it was measured.
pub(super) struct Story {
    /// The number of the last event that was published.
    pub(super) last: u64,
    /// When publishing started.
    pub(super) start: Timestamp,
    /// What cut connections, in the order of their times.
    pub(super) cuts: Vec<Cut>,
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
    /// How far the rate could be raised, where it was.
    pub(super) climb: Option<Climb>,
    /// What each contender's readers had at the beginning and at the end of the measured time, where events were
    /// published as fast as they were taken.
    pub(super) taken: Vec<Saturation>,
    /// Why the figures should be doubted.
    pub(super) doubts: Vec<String>,
    /// What keeps a fault in force until the run is over.
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
    let mut feed = Feeding::Idle;
    if site.publishes_by_itself().is_some() {
        clock.sleep_until(start).await;
        timing.begin_numbering();
        feed = Feeding::ByItself;
    } else if let Some(in_flight) = condition.in_flight {
        feed = saturate(environment, site, condition, timing, &published, contenders, start, in_flight);
    } else if condition.rate > 0.0 {
        let by_request = || match site.foreign_way() {
            Some(way) => Way::Target(way),
            None => Way::Control(Box::new(control.clone()), site.channel().to_owned(), None),
        };
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
                in_flight: None,
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
    let measured_from = start + seconds(condition.warm_up_s);
    let mut taken = Vec::new();
    if condition.in_flight.is_some() {
        clock.sleep_until(measured_from).await;
        taken = contenders.iter().map(|contender| (clock.now(), delivered(contender))).collect();
    }
    let mut ordeal = ordeal::undergo(&condition.faults(), measured_from, clock, site, contenders).await?;
    match &memory {
        None => clock.sleep_until(end).await,
        Some(memory) => tokio::select! {
            () = clock.sleep_until(end) => {}
            () = memory.full() => {}
        },
    }
    let since = |(contender, (from, before)): (&Contender<'_>, (Timestamp, u64))| Saturation {
        delivered: delivered(contender).saturating_sub(before),
        seconds: clock.now().since(from).as_secs_f64(),
    };
    let taken = contenders.iter().zip(taken).map(since).collect();
    let (last, sent) = feed.end(&control, site.channel(), &published, timing).await?;
    Ok(Story {
        last,
        start,
        end: clock.now(),
        counts: ordeal.counts(),
        cuts: ordeal.cuts,
        memory: memory.and_then(|memory| memory.end(start)),
        published,
        sent,
        taken,
        wake_late: jitter.percentiles(),
        climb: None,
        doubts: jitter.doubt().into_iter().collect(),
        _guards: ordeal.guards,
    })
}

impl Story {
    /// Of a rate that was raised, from when on.
    pub(super) fn of_climb(climb: Climb, start: Timestamp) -> Self {
        Story {
            last: 0,
            start,
            end: climb.end,
            counts: Vec::new(),
            cuts: Vec::new(),
            memory: None,
            taken: Vec::new(),
            published: Published::default(),
            sent: Sent::default(),
            wake_late: None,
            doubts: climb.doubt.iter().cloned().collect(),
            climb: Some(climb),
            _guards: Vec::new(),
        }
    }
}

/// What all readers of a contender have by now.
fn delivered(contender: &Contender<'_>) -> u64 {
    contender.readers.iter().map(|reader| reader.notes.delivered()).sum()
}

/// Publishes as fast as events are taken, from a thread of its own: between thousands of readers' tasks a publisher
/// would wait for its turn, and that would be measured.
#[allow(clippy::too_many_arguments, reason = "one call, from the one story")]
fn saturate(
    environment: &Environment,
    site: &Site,
    condition: &Condition,
    timing: &Arc<Timing>,
    published: &Published,
    contenders: &[Contender<'_>],
    start: Timestamp,
    in_flight: u32,
) -> Feeding {
    let stop = CancellationToken::new();
    let readers = contenders.iter().flat_map(|contender| &contender.readers);
    let publishing = Publishing {
        way: match site.foreign_way() {
            Some(way) => Way::Target(way),
            // Connections of its own, which its own thread drives.
            None => Way::Control(Box::new(site.control().apart()), site.channel().to_owned(), None),
        },
        condition: condition.clone(),
        clock: environment.clock,
        start,
        timing: Arc::clone(timing),
        published: published.clone(),
        stop: stop.clone(),
        closed_loop: readers.map(|reader| Arc::clone(&reader.notes)).collect(),
        in_flight: Some(in_flight),
    };
    let task = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_or_else(|_| Sent::default(), |runtime| runtime.block_on(publishing.run()))
    });
    Feeding::Ours { stop, task }
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
    /// A server that is not ours, on a schedule of its own.
    ByItself,
    Ours {
        stop: CancellationToken,
        task: tokio::task::JoinHandle<Sent>,
    },
}

impl Feeding {
    /// Ends it, and says how many events there were, and what a reader that published took for it.
    async fn end(
        self,
        control: &Control,
        channel: &str,
        published: &Published,
        timing: &Timing,
    ) -> Result<(u64, Sent), Failure> {
        match self {
            Feeding::Idle => Ok((0, Sent::default())),
            // What comes later has no number any more.
            Feeding::ByItself => Ok((timing.end_numbering(), Sent::default())),
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
