//! A measured reader: a subscriber whose observations are tallied.

use std::{
    collections::HashMap,
    ops::ControlFlow,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{
    check::{Receipt, Tally},
    payload,
    reading::Reading,
    record::MomentKind,
    recovery::Spent,
};
use crate::{
    client::{Cause, Context, End, Observation, Observer, Subscriber},
    clock::{Clock, Timestamp},
    link::{Meter, Totals},
};

/// What the readers of a run share: when what was meant to be published, and how late it came.
#[derive(Debug)]
pub struct Timing {
    /// Events meant for later than this are measured; earlier ones are warm-up.
    measure_from: AtomicI64,
    /// Intended times by number, where the events themselves do not say: the harness's own publisher
    /// notes them here before it publishes.
    intended: Mutex<Vec<Timestamp>>,
    /// When each was really published, where the publisher is a closed loop.
    sent: Mutex<Vec<Timestamp>>,
    /// The numbers of what a server publishes by itself, which bears none.
    numbers: OnceLock<Mutex<Numbers>>,
}

/// Events of a server that publishes by itself, numbered in the order in which any reader first has them.
#[derive(Debug, Default)]
struct Numbers {
    /// Whether an event's data is the time of its publishing.
    stamped: bool,
    /// Whether what is new gets a number.
    counts: bool,
    last: u64,
    /// By their data; 0 for what belongs to no number.
    known: HashMap<String, u64>,
}

impl Timing {
    /// Nothing counts until [`Timing::measure_from`] says so.
    pub fn new() -> Arc<Self> {
        Arc::new(Timing {
            measure_from: AtomicI64::new(i64::MAX),
            intended: Mutex::default(),
            sent: Mutex::default(),
            numbers: OnceLock::new(),
        })
    }

    /// From when on latencies count.
    pub fn measure_from(&self, from: Timestamp) {
        self.measure_from.store(from.as_nanos(), Ordering::Relaxed);
    }

    /// Notes when the next event is meant to be published; they are numbered from 1 in this order.
    pub fn intend(&self, at: Timestamp) {
        self.intended.lock().push(at);
    }

    /// Notes when an event was really published: what a closed loop takes for its beginning. Events that are
    /// measured against nothing else need no such note.
    pub fn sent(&self, at: Timestamp) {
        self.sent.lock().push(at);
    }

    /// Forgets when events were meant to be published: those that follow are numbered from 1 again.
    pub fn begin_anew(&self) {
        self.intended.lock().clear();
        self.sent.lock().clear();
    }

    /// The server publishes by itself: what comes is numbered by its data. `stamped` says that this is the time of
    /// its publishing, in Unix milliseconds.
    pub fn number_what_comes(&self, stamped: bool) {
        let _ = self.numbers.set(Mutex::new(Numbers { stamped, ..Numbers::default() }));
    }

    /// What comes from now on counts, for all readers.
    pub fn begin_numbering(&self) {
        if let Some(numbers) = self.numbers.get() {
            numbers.lock().counts = true;
        }
    }

    /// What is new from now on counts no more; the last number.
    pub fn end_numbering(&self) -> u64 {
        self.numbers.get().map_or(0, |numbers| {
            let mut numbers = numbers.lock();
            numbers.counts = false;
            numbers.last
        })
    }

    /// What an event says of itself; the outer `None` where it belongs to no run of ours, the inner where it does
    /// not count.
    fn stamp(&self, data: &str) -> Option<Option<payload::Stamp>> {
        let Some(numbers) = self.numbers.get() else { return payload::read(data).map(Some) };
        let mut numbers = numbers.lock();
        let Numbers { stamped, counts, last, known } = &mut *numbers;
        let seq = *known.entry(data.to_owned()).or_insert_with(|| {
            *last += u64::from(*counts);
            if *counts { *last } else { 0 }
        });
        let at = data.trim().parse().ok().filter(|_| *stamped).map(Timestamp::from_millis);
        Some((seq > 0).then_some(payload::Stamp { seq, at }))
    }

    /// Whether latencies of what was meant for this time count.
    pub fn is_measured(&self, intended: Timestamp) -> bool {
        intended.as_nanos() >= self.measure_from.load(Ordering::Relaxed)
    }
}

/// The entry of event `seq`, which is numbered from 1.
fn at_number(times: &Mutex<Vec<Timestamp>>, seq: u64) -> Option<Timestamp> {
    times.lock().get(usize::try_from(seq).ok()?.checked_sub(1)?).copied()
}

/// An hour: no run lasts longer, so that nothing measured is cut off here.
const HIGHEST_US: u64 = 3_600_000_000;

/// Events that come this close together were held up together, or were published together.
const BUNCH: Duration = Duration::from_millis(1);

/// The latencies of all readers of one run together.
#[derive(Debug)]
pub struct Latencies {
    /// In microseconds, three significant digits.
    pub histogram: Histogram<u64>,
    /// The same events as a closed loop counts them: from when they were really published.
    pub closed_loop: Histogram<u64>,
    /// Events that came before they were meant to be published: the clocks disagree.
    pub negative: u64,
}

impl Latencies {
    /// No latency yet.
    pub fn new() -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Latencies::empty()))
    }

    /// The same, not shared.
    pub fn empty() -> Self {
        Latencies { histogram: histogram(), closed_loop: histogram(), negative: 0 }
    }

    /// Takes those of others in.
    pub fn add(&mut self, others: &Latencies) {
        // All have the same bounds.
        self.histogram.add(&others.histogram).expect("fits");
        self.closed_loop.add(&others.closed_loop).expect("fits");
        self.negative += others.negative;
    }
}

/// An empty distribution of times in microseconds, to three significant digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, HIGHEST_US, 3).expect("these bounds are allowed")
}

/// Something that a reader saw, kept where a connection is cut.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighting {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: MomentKind,
    /// The event's number, for a received one.
    pub seq: Option<u64>,
    /// What there is to say.
    pub detail: String,
    /// What had been spent by then.
    pub spent: Spent,
}

/// A reader's notes, readable while it runs.
#[derive(Debug)]
pub struct Notes {
    open: AtomicBool,
    /// Raised once the reader has everything up to the number that is waited for.
    last: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    tally: Tally,
    payload_bytes: u64,
    unreadable: u64,
    last_cause: Option<Cause>,
    opening: Option<Totals>,
    last_event: Option<Timestamp>,
    bunched: u64,
    sightings: Vec<Sighting>,
}

/// A running reader.
#[derive(Debug)]
pub struct Reader {
    /// What it has noted.
    pub notes: Arc<Notes>,
    /// What its connections cost.
    pub meter: Arc<Meter>,
    task: JoinHandle<End>,
}

/// What a reader is started with.
pub struct Start {
    /// The client.
    pub subscriber: Box<dyn Subscriber>,
    /// The clock.
    pub clock: Clock,
    /// Ends it.
    pub stop: CancellationToken,
    /// When what was meant to be published.
    pub timing: Arc<Timing>,
    /// Where its latencies go.
    pub latencies: Arc<Mutex<Latencies>>,
    /// Whether to keep every sighting.
    pub keep_sightings: bool,
    /// Seeds its back-off.
    pub seed: u64,
    /// How long it waits before it connects.
    pub after: Duration,
}

impl Reader {
    /// Starts reading in a task of its own.
    pub fn start(start: Start) -> Self {
        let meter = Arc::new(Meter::default());
        let inner = Inner {
            tally: Tally::new(),
            payload_bytes: 0,
            unreadable: 0,
            last_cause: None,
            opening: None,
            last_event: None,
            bunched: 0,
            sightings: Vec::new(),
        };
        let notes = Arc::new(Notes {
            open: AtomicBool::new(false),
            last: AtomicU64::new(0),
            inner: Mutex::new(inner),
        });
        let mut observer = Tallying {
            notes: Arc::clone(&notes),
            meter: Arc::clone(&meter),
            timing: start.timing,
            latencies: start.latencies,
            keep_sightings: start.keep_sightings,
        };
        let context =
            Context { clock: start.clock, meter: Arc::clone(&meter), stop: start.stop, seed: start.seed };
        let (subscriber, after) = (start.subscriber, start.after);
        let task = Reading::threads().spawn(async move {
            tokio::time::sleep(after).await;
            subscriber.run(context, &mut observer).await
        });
        Reader { notes, meter, task }
    }

    /// Whether it has ended, for good.
    pub fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    /// Waits for its end. `None` where it panicked.
    pub async fn end(mut self) -> Option<End> {
        (&mut self.task).await.ok()
    }
}

impl Drop for Reader {
    /// A run that is given up takes its readers with it.
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Notes {
    /// Whether the subscription has stood at least once.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// The highest number that was received.
    pub fn highest(&self) -> u64 {
        self.last.load(Ordering::Acquire)
    }

    /// Forgets which events came: those that follow are numbered from 1 again.
    pub fn begin_anew(&self) {
        self.inner.lock().tally = Tally::new();
        self.last.store(0, Ordering::Release);
    }

    /// How many events it has, each counted once.
    pub fn delivered(&self) -> u64 {
        self.inner.lock().tally.delivered()
    }

    /// The tally so far.
    pub fn tally(&self) -> Tally {
        self.inner.lock().tally.clone()
    }

    /// Whether every event up to `last` was received.
    pub fn has_all(&self, last: u64) -> bool {
        self.highest() >= last && self.inner.lock().tally.has_all(last)
    }

    /// Bytes of event data that were delivered.
    pub fn payload_bytes(&self) -> u64 {
        self.inner.lock().payload_bytes
    }

    /// Events that no run of ours published.
    pub fn unreadable(&self) -> u64 {
        self.inner.lock().unreadable
    }

    /// Why the connection was last lost.
    pub fn last_cause(&self) -> Option<Cause> {
        self.inner.lock().last_cause.clone()
    }

    /// What had passed when the subscription first stood.
    pub fn opening(&self) -> Option<Totals> {
        self.inner.lock().opening
    }

    /// Events that came within a millisecond of the one before them.
    pub fn bunched(&self) -> u64 {
        self.inner.lock().bunched
    }

    /// What was seen, where that was to be kept.
    pub fn sightings(&self) -> Vec<Sighting> {
        self.inner.lock().sightings.clone()
    }
}

/// The observer that fills a reader's notes.
struct Tallying {
    notes: Arc<Notes>,
    meter: Arc<Meter>,
    timing: Arc<Timing>,
    latencies: Arc<Mutex<Latencies>>,
    keep_sightings: bool,
}

impl Tallying {
    fn event(&self, inner: &mut Inner, at: Timestamp, data: &str) -> Option<u64> {
        let Some(stamp) = self.timing.stamp(data) else {
            inner.unreadable += 1;
            return None;
        };
        let stamp = stamp?;
        if inner.tally.event(stamp.seq) == Receipt::First {
            inner.payload_bytes += data.len() as u64;
            inner.bunched += u64::from(inner.last_event.is_some_and(|last| at.since(last) < BUNCH));
            inner.last_event = Some(at);
            if let Some(intended) = stamp.at.or_else(|| at_number(&self.timing.intended, stamp.seq))
                && self.timing.is_measured(intended)
            {
                let mut latencies = self.latencies.lock();
                if let Some(sent) = at_number(&self.timing.sent, stamp.seq) {
                    let micros = u64::try_from(at.micros_since(sent)).unwrap_or_default();
                    latencies.closed_loop.saturating_record(micros);
                }
                match u64::try_from(at.micros_since(intended)) {
                    Ok(micros) => latencies.histogram.saturating_record(micros),
                    Err(_) => latencies.negative += 1,
                }
            }
            self.notes.last.store(inner.tally.highest(), Ordering::Release);
        }
        Some(stamp.seq)
    }
}

impl Observer for Tallying {
    fn observe(&mut self, at: Timestamp, observation: &Observation<'_>) -> ControlFlow<()> {
        let mut inner = self.notes.inner.lock();
        let (what, seq, detail) = match observation {
            Observation::Event { data, .. } => {
                (MomentKind::Received, self.event(&mut inner, at, data), String::new())
            }
            Observation::Gap(gap) => {
                inner.tally.gap(gap.missed);
                let missed = gap.missed.map_or_else(|| "unknown".to_owned(), |missed| missed.to_string());
                (MomentKind::Gap, None, missed)
            }
            Observation::Open => {
                inner.opening.get_or_insert_with(|| self.meter.totals());
                self.notes.open.store(true, Ordering::Release);
                (MomentKind::Open, None, String::new())
            }
            Observation::Closed { cause } => {
                inner.last_cause = Some(cause.clone());
                (MomentKind::Closed, None, cause.to_string())
            }
            Observation::Connecting { attempt } => (MomentKind::Connecting, None, attempt.to_string()),
            Observation::Retrying { .. } => return ControlFlow::Continue(()),
        };
        if self.keep_sightings {
            let spent = Spent::of(self.meter.totals());
            inner.sightings.push(Sighting { at, what, seq, detail, spent });
        }
        ControlFlow::Continue(())
    }
}
