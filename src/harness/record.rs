//! What a run leaves behind: one line of `runs.jsonl`.
//!
//! The fields, their units and their meaning are explained for readers of the files in
//! `results/README.md`. Everything that the report draws is computed from these lines alone.

use serde::{Deserialize, Serialize};

pub use super::capacity::{Capacity, CapacityStep};
use super::definition::{Step, Timed};

/// One run: one client specification under one set of conditions, once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The experiment's name, that of its definition's file.
    pub experiment: String,
    /// The run's name, unique within the experiment: client, conditions and repetition.
    pub run: String,
    /// The transport's slug, or `tcp-floor`.
    pub transport: String,
    /// The client specification's name in the definition, such as `short-poll-100ms`.
    pub client: String,
    /// The server's name; `None` where our own was the only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// From 1.
    pub repetition: u32,
    /// The conditions.
    pub parameters: Parameters,
    /// When it started, in Unix milliseconds.
    pub started_ms: f64,
    /// Events that all its readers together should have received.
    pub expected: u64,
    /// Events received, each counted once per reader.
    pub delivered: u64,
    /// Expected and never received.
    pub lost: u64,
    /// Received again by a reader that had them already.
    pub duplicated: u64,
    /// Received after a later one.
    pub out_of_order: u64,
    /// Gaps that the server announced.
    pub gaps: u64,
    /// Of `lost`, how many an announced gap accounts for.
    pub lost_announced: u64,
    /// Of `delivered`, those that came within a millisecond of the one before them.
    #[serde(default)]
    pub bunched: u64,
    /// From intended publish time to receipt; `None` where nothing was received.
    pub latency_us: Option<Latency>,
    /// What went over the connections of all its readers.
    pub bytes: Bytes,
    /// What opening the subscriptions took: the part of `bytes` that had passed when each was open.
    pub opening: Bytes,
    /// The part of `bytes` that passed from just before the first publish until everything published had
    /// arrived: opening and closing are not in it.
    pub steady: Bytes,
    /// How long that took, in seconds.
    pub steady_s: f64,
    /// What it cost the machine. `None` fields: not measurable here, or shared with other runs.
    pub cost: Cost,
    /// What the first cut did; `None` where nothing was cut.
    pub recovery: Option<Recovery>,
    /// What each cut of a timetable did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recoveries: Vec<CutRecovery>,
    /// Why this was lost and no more; `None` where there was no fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
    /// How many readers that were cut at once came back; `None` where one reader was cut, or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storm: Option<Storm>,
    /// How long the server counted readers that were gone without a word; `None` where none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zombies: Option<Zombies>,
    /// The server's memory while it published to readers that don't read; `None` where all read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// How far the rate could be raised; `None` where it was not raised. Then counts and latencies of the record are
    /// those of the last step that was kept, and its bytes those of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
    /// What the first reader saw and when, for the timeline; empty where nothing was cut.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<Moment>,
    /// How far off the times may be that its readers told, either way, in microseconds; `None` where they were
    /// read from our own clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_uncertainty_us: Option<f64>,
    /// What was delivered while events were published as fast as they were taken; `None` where they kept to a rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saturation: Option<Saturation>,
    /// What its first reader sent; `None` where it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<Upstream>,
    /// The latencies as a closed loop counts them, from when an event was really published; `None` where
    /// the publisher was not one. The figure to believe is `latency_us`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_loop_us: Option<Latency>,
    /// What the measuring process says of itself; `None` in records of older versions and of failed runs.
    #[serde(default)]
    pub harness: Option<Harness>,
    /// Why this run's figures should be doubted, each with what to do next.
    #[serde(default)]
    pub doubtful: Vec<String>,
    /// Why it failed; `None` where it ran.
    pub err: Option<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Record {
    /// A run under these conditions of which nothing is known yet, not even its name.
    pub fn blank(parameters: Parameters) -> Self {
        Record {
            experiment: String::new(),
            run: String::new(),
            transport: String::new(),
            client: String::new(),
            target: None,
            repetition: 1,
            parameters,
            started_ms: 0.0,
            expected: 0,
            delivered: 0,
            lost: 0,
            duplicated: 0,
            out_of_order: 0,
            gaps: 0,
            lost_announced: 0,
            bunched: 0,
            latency_us: None,
            bytes: Bytes::default(),
            opening: Bytes::default(),
            steady: Bytes::default(),
            steady_s: 0.0,
            cost: Cost::default(),
            recovery: None,
            recoveries: Vec::new(),
            explanation: None,
            storm: None,
            zombies: None,
            memory: None,
            capacity: None,
            timeline: Vec::new(),
            clock_uncertainty_us: None,
            saturation: None,
            upstream: None,
            closed_loop_us: None,
            harness: None,
            doubtful: Vec::new(),
            err: None,
        }
    }
}

/// The conditions of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parameters {
    /// Readers at the same time.
    pub readers: u32,
    /// Events per second published.
    pub rate: f64,
    /// Bytes of an event's data.
    pub payload_bytes: u32,
    /// How publishes are spaced: `steady`, `poisson` or `burst`.
    pub pattern: String,
    /// Short poll: milliseconds from request to request.
    pub interval_ms: Option<u64>,
    /// What was done to the connection, a fault's word or `timetable`; `None` for nothing.
    pub fault: Option<String>,
    /// What was done and when, where it was a timetable.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timetable: Vec<Timed>,
    /// Readers beside those that were cut.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bystanders: u32,
    /// What stood between the clients and the server, by its name; `None` for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Milliseconds between the server's heartbeats, where that was a condition.
    #[serde(default)]
    pub heartbeat_ms: Option<u64>,
    /// How the rate was raised from there, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Step>,
    /// How many events were under way at most, where they were published as fast as they were taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<u32>,
    /// Seconds left out at the beginning.
    pub warm_up_s: f64,
    /// Seconds measured; of each step where there are steps.
    pub measure_s: f64,
    /// What the run's random choices were drawn from.
    pub seed: u64,
}

/// A latency distribution, in microseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Samples.
    pub count: u64,
    /// The shortest.
    pub min: u64,
    /// The arithmetic mean.
    pub mean: f64,
    /// Half were at most this long.
    pub p50: u64,
    /// Nine in ten.
    pub p90: u64,
    /// 99 in 100.
    pub p99: u64,
    /// 999 in 1,000.
    pub p999: u64,
    /// The longest.
    pub max: u64,
    /// The whole distribution: an HdrHistogram in its V2 deflate form, in base64, three significant digits.
    pub histogram: String,
}

/// Bytes, as the clients' side sees them: `in` is from the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bytes {
    /// Data of delivered events.
    pub payload: u64,
    /// Everything read from the TCP streams.
    pub application_in: u64,
    /// Everything written to them.
    pub application_out: u64,
    /// Of `application_in`, HTTP response heads, with their closing blank line.
    pub heads_in: u64,
    /// Of `application_out`, HTTP request heads.
    pub heads_out: u64,
    /// With TCP and IP headers and pure ACKs; `None` where the kernel does not tell.
    pub wire_in: Option<u64>,
    /// The same, sent.
    pub wire_out: Option<u64>,
    /// TCP segments received.
    pub segments_in: Option<u64>,
    /// TCP segments sent.
    pub segments_out: Option<u64>,
    /// TCP connections opened.
    pub connections: u64,
    /// HTTP requests sent, upgrades included.
    pub requests: u64,
}

/// What a run cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// CPU seconds of the server process while measuring.
    pub server_cpu_s: Option<f64>,
    /// CPU seconds of the harness; of the client's own processes, where it has them.
    pub client_cpu_s: Option<f64>,
    /// Resident memory of the server at the end of measuring, in KiB.
    pub server_rss_kib: Option<u64>,
    /// Resident memory of the server before its readers connected, in KiB.
    #[serde(default)]
    pub server_rss_before_kib: Option<u64>,
    /// How often the client's own processes gave up the processor to wait, while measuring; `None` where it
    /// has none.
    #[serde(default)]
    pub client_wakeups: Option<u64>,
}

/// What the first reader of a client sent, and what that took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Upstream {
    /// How: `frame` or `post`.
    pub via: String,
    /// Messages that were acknowledged.
    pub messages: u64,
    /// Application bytes of all messages: frames, or requests with their heads.
    pub application_out: u64,
    /// Application bytes of all acknowledgements.
    pub application_in: u64,
    /// From when a message was meant to be sent until its acknowledgement was read, warm-up left out.
    pub round_trip_us: Option<Latency>,
}

/// What was delivered to all readers together in the measured time, warm-up left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Saturation {
    /// Events, each counted once per reader.
    pub delivered: u64,
    /// How long that took.
    pub seconds: f64,
}

/// What the measuring process says of itself, so that its own limits are not taken for a transport's.
/// `None` fields: this system does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Harness {
    /// One reading of the clock, in nanoseconds.
    pub clock_read_ns: f64,
    /// How late it woke up for a known time, in microseconds: half of the wake-ups were at most as late.
    pub wake_late_p50_us: Option<f64>,
    /// The same, 99 in 100.
    pub wake_late_p99_us: Option<f64>,
    /// Its share of the CPU time of all cores, from 0 to 1.
    pub cpu_share: Option<f64>,
    /// What programs other than this one and the server took of the same.
    pub other_cpu_share: Option<f64>,
    /// How much of the time that it wanted a core it had to wait for one, from 0 to 1.
    pub cpu_wait_share: Option<f64>,
    /// The same of the server under test.
    pub server_cpu_wait_share: Option<f64>,
    /// How long the server takes for a request that does nothing, in microseconds: the median of some
    /// just before the run and some just after.
    pub answer_us: Option<f64>,
}

/// What a cut did to a client, in milliseconds from the cut; `None` for what never happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Recovery {
    /// When the cut was made, in Unix milliseconds.
    pub cut_ms: f64,
    /// Until the client knew.
    pub noticed_ms: Option<f64>,
    /// Until it was open again.
    pub back_ms: Option<f64>,
    /// Until it had everything that had been published by then.
    pub caught_up_ms: Option<f64>,
    /// Application bytes, both ways, from the cut until it had caught up (or until the run's end).
    pub bytes_spent: u64,
    /// HTTP requests from the cut until then.
    #[serde(default)]
    pub requests_spent: u64,
}

/// What one cut of several did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CutRecovery {
    /// The fault's word.
    pub fault: String,
    /// What it did, until the next one.
    #[serde(flatten)]
    pub recovery: Recovery,
}

/// Why a run with faults came to what it came to: what its client's policy lets expect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// What is expected: `everything`, `announced`, `meanwhile` or `never-back`.
    pub outcome: String,
    /// Why.
    pub reason: String,
    /// Events lost, duplicated, out of order or announced as missing that this does not explain.
    pub unexplained: u64,
}

/// What many readers did that were cut at the same moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Storm {
    /// Readers that lost their connection.
    pub cut: u64,
    /// The length of a bucket of the two lists, in milliseconds.
    pub bucket_ms: f64,
    /// Attempts to connect that began in each bucket, from the cut on.
    pub connects: Vec<u64>,
    /// Readers that were open again for the first time, in each bucket.
    pub back: Vec<u64>,
    /// Of those, how many came as far as a TCP connection: what the server saw of it.
    #[serde(default)]
    pub reached: Vec<u64>,
    /// The fullest bucket of `connects`, as a rate per second.
    pub peak_connects_per_second: f64,
    /// The fullest bucket of `reached`, as a rate per second.
    #[serde(default)]
    pub peak_reached_per_second: f64,
    /// Milliseconds from the cut until half of them were back; `None` for never, here and below.
    pub back_p50_ms: Option<f64>,
    /// Until 95 in 100 were.
    pub back_p95_ms: Option<f64>,
    /// Until all were.
    pub back_max_ms: Option<f64>,
    /// What readers noticed that were not cut; `None` where there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bystanders: Option<Bystanders>,
}

/// What readers of another channel of the same server noticed while many were cut.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bystanders {
    /// How many.
    pub readers: u32,
    /// Their latencies before the cut.
    pub before_us: Option<Latency>,
    /// From the cut until the last of those that were cut was back.
    pub during_us: Option<Latency>,
}

/// What the server believed of readers that were gone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Zombies {
    /// Milliseconds between its heartbeats.
    pub heartbeat_ms: u64,
    /// Milliseconds from the cut until it counted none of them any more; `None` where it still did at the end.
    pub gone_ms: Option<f64>,
    /// How many it counted and when, noted at every change: milliseconds from the cut, and the number.
    pub counted: Vec<(f64, u64)>,
}

/// A process's memory over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Milliseconds since publishing started, and resident memory in KiB.
    pub samples: Vec<(f64, u64)>,
    /// From before the first event to the most that was seen later, in KiB.
    pub growth_kib: u64,
    /// Whether publishing was stopped early, before the machine ran short.
    pub stopped_early: bool,
}

/// Something on the timeline of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// Milliseconds since the run's start.
    pub at_ms: f64,
    /// What happened.
    pub what: MomentKind,
    /// The event's number, for `published` and `received`; else what there is to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// What happened at a moment of the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MomentKind {
    /// An event was published.
    Published,
    /// The reader got it.
    Received,
    /// The fault began.
    Cut,
    /// The fault was over: a new connection would have gone through.
    Mended,
    /// The client saw that the connection was gone.
    Closed,
    /// The client began to connect.
    Connecting,
    /// The subscription stood.
    Open,
    /// The server announced a gap.
    Gap,
}
