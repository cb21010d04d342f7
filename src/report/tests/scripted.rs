//! The whole way from what a client sees to what a report says, with a client of which everything is known.

use std::{future::Future, ops::ControlFlow, pin::Pin, time::Duration};

use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    client::{Context, End, Observation, Observer, Subscriber},
    clock::{Clock, Timestamp},
    event::{Gap, GapReason},
    harness::{
        definition::{Definition, Figure},
        reader::{Latencies, Reader, Start, Timing},
        run::scripted,
    },
    report::folder::Experiment,
};

const DEFINITION: &str = r#"
question = "Is what was seen what is said?"
why = "A pipeline that is fed with known values has to give the known figures."
[[client]]
name = "scripted"
transport = "sse"
[[conditions]]
readers = [2]
rate = [20.0]
[quick]
repetitions = 1
warm_up_s = 1
measure_s = 1
[full]
repetitions = 1
warm_up_s = 1
measure_s = 1
"#;

/// The warm-up ends here.
const MEASURED_FROM: Timestamp = Timestamp::from_nanos(1_700_000_000_000_000_000);

#[derive(Clone, Copy)]
enum Step {
    /// An event: its number, when it was meant to be published in µs after the warm-up, how late it came.
    Event { seq: u64, intended_us: i64, delay_us: i64 },
    /// The server said that so many events are missing.
    Gap(Option<u64>),
}

/// A client that sees what its script says, at the times that it says.
struct Scripted(Vec<Step>);

impl Subscriber for Scripted {
    fn run<'a>(
        self: Box<Self>,
        _: Context,
        observer: &'a mut dyn Observer,
    ) -> Pin<Box<dyn Future<Output = End> + Send + 'a>> {
        Box::pin(async move {
            let mut tell = |at, observation: &Observation<'_>| {
                assert_eq!(observer.observe(at, observation), ControlFlow::Continue(()));
            };
            tell(MEASURED_FROM, &Observation::Open);
            for step in self.0 {
                match step {
                    Step::Event { seq, intended_us, delay_us } => {
                        let intended = after(intended_us);
                        let data = format!(r#"{{"seq":{seq},"at":{intended},"pad":"xx"}}"#);
                        let event = Observation::Event { id: None, kind: "message", data: &data };
                        tell(after(intended_us + delay_us), &event);
                    }
                    Step::Gap(missed) => {
                        tell(after(0), &Observation::Gap(Gap { missed, reason: GapReason::Evicted }))
                    }
                }
            }
            End::Finished
        })
    }
}

fn after(micros: i64) -> Timestamp {
    Timestamp::from_nanos(MEASURED_FROM.as_nanos() + micros * 1_000)
}

/// The record of two readers that see the same script, of a channel with `last` events.
async fn record(script: &[Step], last: u64, cut: bool) -> Record {
    let definition = Definition::parse("known", "known", DEFINITION).unwrap();
    let (timing, latencies) = (Timing::new(), Latencies::new());
    timing.measure_from(MEASURED_FROM);
    let readers: Vec<Reader> = (0..2)
        .map(|seed| {
            Reader::start(Start {
                subscriber: Box::new(Scripted(script.to_vec())),
                clock: Clock::start(),
                stop: CancellationToken::new(),
                timing: timing.clone(),
                latencies: latencies.clone(),
                keep_sightings: cut,
                seed,
                after: Duration::ZERO,
            })
        })
        .collect();
    for reader in &readers {
        while !reader.has_ended() {
            tokio::task::yield_now().await;
        }
    }
    let latencies = latencies.lock();
    scripted::record(&definition, &readers, &latencies, last, cut.then_some(MEASURED_FROM))
}

/// 20 events of warm-up, far too late; then 1,000 that are late by 1 µs to 1,000 µs, in some order.
fn faultless() -> Vec<Step> {
    let warm_up = (1..=20).map(|seq| Step::Event { seq, intended_us: -1_000, delay_us: 900_000 });
    let measured = (0..1_000).map(|index| Step::Event {
        seq: 21 + index,
        intended_us: 100 * index as i64,
        delay_us: (index * 7_919 % 1_000 + 1) as i64,
    });
    warm_up.chain(measured).collect()
}

fn assert_known_latencies(record: &Record) {
    let latency = record.latency_us.as_ref().unwrap();
    assert_eq!(latency.count, 2 * 1_000);
    assert_eq!((latency.min, latency.max), (1, 1_000));
    assert_eq!((latency.p50, latency.p90, latency.p99, latency.p999), (500, 900, 990, 999));
    assert!((latency.mean - 500.5).abs() < 1e-9, "{}", latency.mean);
}

#[tokio::test]
async fn a_faultless_client_has_known_percentiles() {
    let record = record(&faultless(), 1_020, false).await;
    assert_eq!(record.err, None);
    assert_eq!(record.doubtful, Vec::<String>::new());
    assert_eq!((record.expected, record.delivered), (2 * 1_020, 2 * 1_020));
    assert_eq!((record.lost, record.lost_announced, record.gaps), (0, 0, 0));
    assert_eq!((record.duplicated, record.out_of_order), (0, 0));
    assert_known_latencies(&record);
    let warm_up = (1..=20).map(|seq: u64| seq.to_string().len());
    let measured = (21..=1_020).map(|seq: u64| seq.to_string().len());
    let around = r#"{"seq":,"at":1700000000000.000,"pad":"xx"}"#.len();
    let payload: usize = warm_up.chain(measured).map(|digits| around + digits).sum();
    assert_eq!(record.bytes.payload, 2 * payload as u64);
    assert_eq!(Figure::LatencyP50.of(&record), Some(500.0));
    assert_eq!(Figure::LatencyP99.of(&record), Some(990.0));
    assert_eq!(Figure::LatencyMax.of(&record), Some(1_000.0));
    assert_eq!(Figure::LatencyMean.of(&record), Some(500.5));
}

/// The same latencies with faults of every kind between them: 5 events lost and announced, 3 lost silently
/// (one of them the last), 10 that come twice, 4 that come after a later one.
fn faulty() -> Vec<Step> {
    let mut script = Vec::new();
    let mut hole = 0;
    for step in faultless() {
        let Step::Event { seq, intended_us, delay_us } = step else { continue };
        match seq {
            101 => {
                script.push(Step::Gap(Some(5)));
                hole += 5;
            }
            301 | 401 => hole += 1,
            _ => {}
        }
        let event = Step::Event { seq: seq + hole, intended_us, delay_us };
        script.push(event);
        if (501..=510).contains(&seq) {
            // Again, and much later: what came twice has one latency.
            script.push(Step::Event { seq: seq + hole, intended_us, delay_us: delay_us + 500_000 });
        }
    }
    // Four neighbours change places; the numbers still go with their own times.
    for at in [700, 720, 740, 760] {
        script.swap(at, at + 1);
    }
    script
}

#[tokio::test]
async fn faults_are_counted_one_by_one_and_leave_latencies_alone() {
    let record = record(&faulty(), 1_028, true).await;
    assert_eq!(record.err, None, "after a cut a client that did not come back promised nothing");
    assert_eq!((record.expected, record.delivered), (2 * 1_028, 2 * 1_020));
    assert_eq!((record.lost, record.lost_announced, record.gaps), (2 * 8, 2 * 5, 2));
    assert_eq!((record.duplicated, record.out_of_order), (2 * 10, 2 * 4));
    assert_known_latencies(&record);
    assert_eq!(Figure::Lost.of(&record), Some(16.0));
    assert_eq!(Figure::LostSilently.of(&record), Some(6.0));
    assert_eq!(Figure::Duplicated.of(&record), Some(20.0));

    let definition = Definition::parse("known", "known", DEFINITION).unwrap();
    let experiment =
        Experiment { definition, records: vec![record], planned: Some(1), unreadable: Vec::new() };
    let summary = Summary::of(&experiment, &mut Vec::new());
    let histogram = summary.groups[0].histogram.as_ref().unwrap();
    assert_eq!(
        (histogram.len(), histogram.value_at_quantile(0.99)),
        (2_000, 990),
        "what charts are drawn from"
    );
}

#[tokio::test]
async fn the_same_faults_without_a_cut_are_an_error_that_counts_them() {
    let record = record(&faulty(), 1_028, false).await;
    let err = record.err.as_deref().unwrap();
    assert_eq!(err, "of 2056 events 16 were lost without a word, 20 came twice and 8 out of order");
    assert_eq!(Figure::LatencyP50.of(&record), None, "a run that broke its promise has no figures");
}

#[tokio::test]
async fn an_event_before_its_time_is_no_latency_but_a_doubt() {
    let mut script = faultless();
    script.push(Step::Event { seq: 1_021, intended_us: 200_000, delay_us: -40 });
    let record = record(&script, 1_021, false).await;
    assert_known_latencies(&record);
    assert!(matches!(record.doubtful.as_slice(), [one] if one.starts_with("2 events came before")));
}
