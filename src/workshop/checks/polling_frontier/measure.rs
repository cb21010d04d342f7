//! The lab's own server and clients, measured for a few seconds: short polling at three intervals, and an
//! event stream, all reading the same events at the same time.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use crate::{
    client::{self, Context, Observation, Observer, Policy, Subscription},
    clock::{Clock, Timestamp},
    event::Draft,
    feed::ChannelName,
    link::{Meter, Totals},
    server::{self, Config, State},
    transport::Transport,
};

/// The polls' intervals.
pub(super) const INTERVALS_MS: [u64; 3] = [200, 500, 1000];
/// Bytes of each event's data.
pub(super) const PAYLOAD_BYTES: usize = 40;

/// One event in each slot.
const SLOT: Duration = Duration::from_millis(250);
/// Slots before the figures count, so that the slowest poll brings what was published before, as it will at
/// the end leave something behind.
const WARM_UP: usize = 4;
const COUNTED: usize = 24;
/// From all readers' beginning to the first slot: the figures' window begins between two questions of each.
const OFFSET: Duration = Duration::from_millis(350);
/// How long readers may take to begin, and the last event to come.
const PATIENCE: Duration = Duration::from_secs(8);
/// So often it is tried while the machine is too busy for a figure.
const TRIES: usize = 3;
/// A push that takes longer on one machine says that the machine is busy with something else.
const BUSY_MS: f64 = 60.0;

/// What one reader was seen to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    pub(super) delay_ms: f64,
    pub(super) requests_per_event: f64,
    pub(super) bytes_per_second: f64,
}

/// What all of them were seen to do.
#[derive(Debug)]
pub(super) struct Measurement {
    /// In the order of [`INTERVALS_MS`].
    pub(super) polls: Vec<Measured>,
    pub(super) push: Measured,
    /// How it was measured, for people.
    pub(super) note: String,
}

/// Measures, and again where the machine is too busy.
///
/// # Errors
/// A sentence: why there are no figures.
pub(super) async fn measure() -> Result<Measurement, String> {
    let mut last = String::new();
    for _ in 0..TRIES {
        match once().await {
            Ok(measurement) if measurement.push.delay_ms <= BUSY_MS => return Ok(measurement),
            Ok(Measurement { push, .. }) => {
                last = format!("even a push took {:.0} ms on this machine", push.delay_ms);
            }
            Err(problem) => last = problem,
        }
    }
    Err(format!("{last}, {TRIES} times: it is too busy to measure on, so try again when it is quieter"))
}

async fn once() -> Result<Measurement, String> {
    let clock = Clock::start();
    let problem = |what: &str, error: &dyn std::fmt::Display| format!("{what}: {error}");
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| problem("no port", &error))?;
    let address = listener.local_addr().map_err(|error| problem("no port", &error))?;
    let state = State::new(Config::default(), clock);
    let name: ChannelName = "frontier".parse().map_err(|error| problem("no channel", &error))?;
    let channel = state.feed().channel(&name).map_err(|error| problem("no channel", &error))?;
    let stop = CancellationToken::new();
    let _stopping = stop.clone().drop_guard();
    tokio::spawn(server::run(listener, state, stop));

    let published = Published::default();
    let reader = |transport: Transport, interval: u64| {
        let url = format!("http://{address}/channels/frontier/{transport}");
        let url = Url::parse(&url).map_err(|error| problem("no URL", &error))?;
        let policy = Policy { interval: Duration::from_millis(interval), ..Policy::default() };
        Ok::<_, String>(Reader::start(transport, url, policy, clock, Arc::clone(&published)))
    };
    let mut readers = INTERVALS_MS
        .iter()
        .map(|&interval| reader(Transport::ShortPoll, interval))
        .collect::<Result<Vec<_>, _>>()?;
    readers.push(reader(Transport::Sse, 0)?);
    until("the readers did not begin", || readers.iter().all(|it| it.notes.lock().open)).await?;

    let begin = clock.now() + OFFSET;
    let mut edges = Vec::new();
    for slot in 0..WARM_UP + COUNTED {
        let due = begin + SLOT * u32::try_from(slot).unwrap_or(u32::MAX);
        if slot == WARM_UP {
            clock.sleep_until(due).await;
            edges.push(totals(&readers, clock));
        }
        let due = due + SLOT.mul_f64(within_slot(slot));
        clock.sleep_until(due).await;
        let data = format!("{slot:0>PAYLOAD_BYTES$}");
        // Its intended time, as everywhere in the lab: a process that is held up publishes late and asks late, both
        // in the same moment, and a delay from the real time of publishing would look too good.
        published.lock().push(due);
        channel.publish(Draft::message(&data)).map_err(|error| problem("an event was refused", &error))?;
    }
    clock.sleep_until(begin + SLOT * u32::try_from(WARM_UP + COUNTED).unwrap_or(u32::MAX)).await;
    edges.push(totals(&readers, clock));
    until("the last event did not come", || {
        readers.iter().all(|it| it.notes.lock().delays.len() == WARM_UP + COUNTED)
    })
    .await?;
    let [(from, first), (to, last)] = &edges[..] else { return Err("it was not measured".to_owned()) };
    let seconds = to.since(*from).as_secs_f64();
    let measured: Vec<Measured> = readers
        .iter()
        .zip(first.iter().zip(last))
        .map(|(reader, (first, last))| Measured {
            delay_ms: reader.notes.lock().delays[WARM_UP..].iter().sum::<f64>() / COUNTED as f64,
            requests_per_event: (last.requests - first.requests) as f64 / COUNTED as f64,
            bytes_per_second: (bytes(last) - bytes(first)) as f64 / seconds,
        })
        .collect();
    let (push, polls) = measured.split_last().ok_or("nobody read")?;
    let note =
        format!("; {COUNTED} events in {seconds:.1} s; the push beside them took {:.1} ms", push.delay_ms);
    Ok(Measurement { polls: polls.to_vec(), push: *push, note })
}

/// Where in its slot an event is published, from 0 to 1. The step was found by trying: so few events give the
/// mean that thousands drawn by chance would give, whatever the moment at which a poll began to ask.
fn within_slot(slot: usize) -> f64 {
    (slot as f64 * 0.711).fract()
}

/// What a poll's bytes are made of, from two of the intervals: what a question costs that brings nothing, and
/// what an event adds. Empty for other figures.
pub(super) fn anatomy(polls: &[Measured], figure: &str) -> String {
    let [fast, .., slow] = polls else { return String::new() };
    if figure != "bytes" {
        return String::new();
    }
    let rate = 1.0 / SLOT.as_secs_f64();
    let asks = |it: &Measured| it.requests_per_event * rate;
    let question = (fast.bytes_per_second - slow.bytes_per_second) / (asks(fast) - asks(slow));
    let event = (fast.bytes_per_second - question * asks(fast)) / rate;
    format!("; a question and its answer took some {question:.0} bytes, an event in it {event:.0} more")
}

fn bytes(totals: &Totals) -> u64 {
    totals.application_in + totals.application_out
}

fn totals(readers: &[Reader], clock: Clock) -> (Timestamp, Vec<Totals>) {
    (clock.now(), readers.iter().map(|reader| reader.meter.totals()).collect())
}

async fn until(otherwise: &str, condition: impl Fn() -> bool) -> Result<(), String> {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .map_err(|_| format!("{otherwise} within {} s", PATIENCE.as_secs()))
}

/// When each event was to be published, by its number.
type Published = Arc<Mutex<Vec<Timestamp>>>;

/// What a reader has noted.
#[derive(Debug, Default)]
struct Notes {
    open: bool,
    /// In milliseconds, in the order of arrival.
    delays: Vec<f64>,
}

/// A reader in a task of its own, which ends with it.
struct Reader {
    notes: Arc<Mutex<Notes>>,
    meter: Arc<Meter>,
    _stop: DropGuard,
}

impl Reader {
    fn start(transport: Transport, url: Url, policy: Policy, clock: Clock, published: Published) -> Self {
        let (notes, meter, stop) = (Arc::default(), Arc::<Meter>::default(), CancellationToken::new());
        let mut noting = Noting { notes: Arc::clone(&notes), published };
        let context = Context { clock, meter: Arc::clone(&meter), stop: stop.clone(), seed: 0 };
        let subscriber =
            client::subscriber(transport, Subscription { url, after: None, policy, dialect: None });
        tokio::spawn(async move { subscriber.run(context, &mut noting).await });
        Reader { notes, meter, _stop: stop.drop_guard() }
    }
}

struct Noting {
    notes: Arc<Mutex<Notes>>,
    published: Published,
}

impl Observer for Noting {
    fn observe(&mut self, at: Timestamp, observation: &Observation<'_>) -> ControlFlow<()> {
        match observation {
            Observation::Open => self.notes.lock().open = true,
            Observation::Event { data, .. } => {
                let number = data.parse::<usize>().ok();
                let published = number.and_then(|number| self.published.lock().get(number).copied());
                if let Some(published) = published {
                    self.notes.lock().delays.push(at.micros_since(published) as f64 / 1000.0);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_spread_evenly_over_an_interval_whenever_it_begins() {
        for interval in INTERVALS_MS {
            for phase in (0..interval).step_by(10) {
                let at = |slot: usize| (slot as f64 + within_slot(slot)) * SLOT.as_millis() as f64;
                let wait = |slot: usize| interval as f64 - (phase as f64 + at(slot)) % interval as f64;
                let mean = (WARM_UP..WARM_UP + COUNTED).map(wait).sum::<f64>() / COUNTED as f64;
                assert!((mean / interval as f64 - 0.5).abs() < 0.05, "{mean} of {interval}");
            }
        }
    }
}
