//! The experiments beyond the core ones, each at a small scale: their runs succeed and leave the figures that
//! their claims are about. Claims about counts are held to their verdicts; those about times are not, since a
//! machine that tests are run on is busy.

#![allow(clippy::unwrap_used, reason = "a test that panics has said so")]

mod session;

use pushlab::{
    clock::Clock,
    harness::{
        catalogue::{self, Sourced},
        definition::{Definition, Fault, Figure},
        record::Record,
    },
    report::{self, Outcome},
};

/// What an experiment came to.
struct Ran {
    records: Vec<Record>,
    verdicts: Vec<(String, Outcome)>,
    summary: String,
}

impl Ran {
    fn of<'a>(&'a self, client: &'a str) -> impl Iterator<Item = &'a Record> {
        self.records.iter().filter(move |record| record.client == client)
    }

    /// A figure of a client's first run.
    fn figure(&self, client: &str, figure: Figure) -> Option<f64> {
        figure.of(self.of(client).next().unwrap())
    }

    fn verdict(&self, id: &str) -> Outcome {
        self.verdicts.iter().find(|(each, _)| each == id).unwrap().1
    }
}

/// Runs an experiment in its quick form, cut down, and reports it.
async fn run(name: &str, repetitions: u32, cut_down: impl FnOnce(&mut Definition)) -> Ran {
    let Sourced { mut definition, text } = catalogue::find(name).unwrap();
    cut_down(&mut definition);
    let clock = Clock::start();
    let environment = session::environment(clock, clock);
    let ran = session::run(Sourced { definition, text }, repetitions, &environment).await;
    for record in &ran.records {
        assert_eq!(record.err, None, "{}", record.run);
    }
    let written = report::write(ran.folder()).unwrap();
    assert!(written.incomplete.is_empty(), "{:?}", written.incomplete);
    let summary = report::terminal_summary(ran.folder()).unwrap();
    Ran { records: ran.records, verdicts: written.verdicts, summary }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_costs_a_frame_or_a_request() {
    let ran = run("upstream", 3, |definition| definition.quick.measure_s = 0.4).await;
    for record in &ran.records {
        let upstream = record.upstream.as_ref().expect("its first reader sent");
        assert_eq!(upstream.messages, record.expected, "{}: each is delivered back", record.run);
        assert!(upstream.round_trip_us.is_some(), "{}", record.run);
        assert!(record.delivered > 0 && record.latency_us.is_some(), "{}", record.run);
    }
    assert_eq!(ran.figure("websocket-frame", Figure::RequestsPerEvent), Some(0.0));
    assert_eq!(ran.figure("sse-post", Figure::RequestsPerEvent), Some(1.0));
    assert_eq!(ran.verdict("S2-bytes"), Outcome::Holds);
    assert!(ran.summary.contains("round trip"), "{}", ran.summary);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stall_is_charged_to_all_that_it_delays_and_a_closed_loop_hides_it() {
    let ran = run("closed-loop", 1, |definition| definition.quick.measure_s = 1.0).await;
    for record in &ran.records {
        let (latency, closed) =
            (record.latency_us.as_ref().unwrap(), record.closed_loop_us.as_ref().unwrap());
        // Lower bounds only: however busy the machine is, half a second does not become shorter.
        assert!(latency.max >= 400_000, "{}: {}", record.run, latency.max);
        assert!(closed.mean < latency.mean, "{}", record.run);
        assert_eq!(closed.count, latency.count);
        assert_eq!(record.recovery, None, "nothing was cut");
    }
    assert!(ran.summary.contains("closed loop"), "{}", ran.summary);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_poller_is_woken_and_an_idle_stream_is_not() {
    let ran = run("idle", 1, |definition| definition.quick.measure_s = 2.5).await;
    for record in &ran.records {
        assert_eq!(Figure::WireBytesPerMinute.of(record), None, "a process of its own is not metered");
    }
    if cfg!(target_os = "linux") {
        let woken = |client| ran.figure(client, Figure::WakeupsPerMinute).unwrap();
        assert!(woken("short-poll-1s") > 0.0);
        for client in ["long-poll", "sse", "websocket"] {
            assert!(woken(client) < woken("short-poll-1s"), "{client}");
        }
        assert!(ran.figure("short-poll-1s", Figure::ClientCpuPerMinute).unwrap() > 0.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_readers_memory_is_told() {
    let ran = run("cost", 1, |definition| {
        definition.conditions.truncate(1);
        definition.conditions[0].readers = vec![40];
        definition.conditions[0].measure_s = None;
        definition.quick.measure_s = 0.1;
    })
    .await;
    assert_eq!(ran.records.len(), 4);
    for record in &ran.records {
        let memory = Figure::RssPerReaderKib.of(record);
        assert_eq!(memory.is_some(), cfg!(target_os = "linux"), "{}: {memory:?}", record.run);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_event_source_does_not_know_where_the_old_one_stood() {
    let ran = run("reconnect", 3, |definition| {
        definition.clients.retain(|client| ["sse", "sse-new-each-time"].contains(&client.name.as_str()));
        definition.conditions[0].fault = vec![Fault::Reset];
    })
    .await;
    assert_eq!((ran.verdict("9"), ran.verdict("S5-sse")), (Outcome::Holds, Outcome::Holds));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_envelope_costs_more_bytes_than_fields_of_the_format() {
    let ran = run("bandwidth", 3, |definition| {
        definition.conditions.truncate(1);
        let conditions = &mut definition.conditions[0];
        conditions.payload_bytes = vec![16];
        conditions.measure_s = None;
        conditions.clients = ["long-poll", "sse", "websocket"].map(str::to_owned).to_vec();
        definition.quick.measure_s = 1.0;
    })
    .await;
    assert_eq!((ran.verdict("S6"), ran.verdict("S6-long-poll")), (Outcome::Holds, Outcome::Holds));
}
