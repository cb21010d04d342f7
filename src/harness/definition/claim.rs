//! `[[claim]]`: what the figures are asked to confirm or refute.

use serde::{Deserialize, Serialize};

use super::Fault;

/// A sentence that the figures confirm, refute or leave undecided: `left`, compared with `times` × `right`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// A short name, such as `S1`.
    pub id: String,
    /// The sentence.
    pub sentence: String,
    /// Where people meet it.
    pub source: String,
    /// The figure that the sentence is about.
    pub left: Selector,
    /// How it should compare.
    pub is: Comparison,
    /// What it is compared with: another figure, or a value in the figure's unit.
    pub right: Operand,
    /// A factor on the right side.
    #[serde(default = "unity")]
    pub times: f64,
}

fn unity() -> f64 {
    1.0
}

/// Which figure of which runs.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selector {
    /// What is measured.
    pub figure: Figure,
    /// The client's name, or `*` for each of them.
    pub client: String,
    /// Only runs against this server, or against every other than ours (`*`); ours where it is left out, or the only
    /// one.
    #[serde(default)]
    pub target: Option<String>,
    /// Only runs with so many readers.
    #[serde(default)]
    pub readers: Option<u32>,
    /// Only runs at this rate.
    #[serde(default)]
    pub rate: Option<f64>,
    /// Only runs with this payload.
    #[serde(default)]
    pub payload_bytes: Option<u32>,
    /// Only runs with this fault.
    #[serde(default)]
    pub fault: Option<Fault>,
    /// Only runs over this network, or with nothing in between (`direct`).
    #[serde(default)]
    pub network: Option<String>,
}

impl Selector {
    /// In the place of a client's name: every client.
    pub const EVERY: &str = "*";

    /// Whether it selects runs against this server, where `main` is the one that others are compared with.
    pub fn takes_target(&self, target: Option<&str>, main: Option<&str>) -> bool {
        match self.target.as_deref() {
            None => target == main,
            Some(Selector::EVERY) => target != main,
            Some(name) => target == Some(name),
        }
    }

    /// Whether it selects runs of this client.
    pub fn takes(&self, client: &str) -> bool {
        self.client == client || self.client == Selector::EVERY
    }
}

/// The right side of a claim.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Operand {
    /// A value in the left figure's unit.
    Value(f64),
    /// Another figure.
    Figure(Selector),
}

/// How the left side should compare with the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Comparison {
    /// Smaller.
    Less,
    /// Larger.
    Greater,
    /// Within a tenth of it, either way.
    About,
    /// Exactly the same, for counts.
    Equal,
}

/// A figure that can be computed from one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Figure {
    /// Microseconds.
    LatencyMean,
    /// Microseconds.
    LatencyP50,
    /// Microseconds.
    LatencyP99,
    /// Microseconds.
    LatencyMax,
    /// Wire bytes, both ways, per delivered event, without what opening took.
    WireBytesPerEvent,
    /// Application bytes, both ways, per delivered event, without what opening took.
    ApplicationBytesPerEvent,
    /// Wire bytes, both ways, until the subscription stood, per reader.
    WireBytesToOpen,
    /// Wire bytes, both ways, per minute and reader, without what opening took.
    WireBytesPerMinute,
    /// Requests per delivered event.
    RequestsPerEvent,
    /// Events.
    Lost,
    /// Events lost and not announced by a gap.
    LostSilently,
    /// Of a hundred events, those that came within a millisecond of the one before them.
    BunchedPercent,
    /// Events.
    Duplicated,
    /// Events lost, duplicated, out of order or announced as missing that the client's policy does not explain.
    Unexplained,
    /// HTTP requests from the cut until all was caught up with.
    RequestsSpent,
    /// Milliseconds from the cut.
    NoticedMs,
    /// Milliseconds from the cut.
    BackMs,
    /// Milliseconds from the cut.
    CaughtUpMs,
    /// Events delivered to all readers together, per second, where they are published as fast as they are taken.
    DeliveriesPerSecond,
    /// Milliseconds of server CPU per thousand events delivered.
    ServerCpuPerThousand,
    /// The most attempts to connect within a tenth of a second after a cut, as a rate per second.
    PeakConnectsPerSecond,
    /// The same of those that came as far as a TCP connection.
    PeakReachedPerSecond,
    /// Microseconds: the latency of readers that are not cut, before the cut.
    BystandersBeforeP50,
    /// Microseconds: the same.
    BystandersBeforeP99,
    /// Microseconds: from the cut until the last of the others was back.
    BystandersDuringP50,
    /// Microseconds: the same.
    BystandersDuringP99,
    /// Milliseconds from the cut until half of the readers were back.
    BackP50Ms,
    /// Milliseconds from the cut until 95 in 100 readers were back.
    BackP95Ms,
    /// Milliseconds from the cut until the last reader was back.
    BackMaxMs,
    /// Milliseconds from the cut until the server no longer counted its dead readers.
    ZombieMs,
    /// The same in heartbeats of the server.
    ZombieHeartbeats,
    /// Heartbeats of the server, from the cut, where the conditions say how far they lie apart.
    NoticedHeartbeats,
    /// KiB by which the server's resident memory grew while it published.
    RssGrowthKib,
    /// Bytes that the transport adds to the data, per delivered event: application bytes without the data
    /// and without HTTP heads.
    FramingBytesPerEvent,
    /// Microseconds from when a message was meant to be sent until it was acknowledged.
    RoundTripP50,
    /// Microseconds from when a message was meant to be sent until it was acknowledged.
    RoundTripP99,
    /// Application bytes, both ways, of a message and its acknowledgement, without its delivery.
    ApplicationBytesPerMessage,
    /// Microseconds as a closed loop counts them: from when an event was really published.
    ClosedLoopP99,
    /// KiB of the server's resident memory per open subscription.
    RssPerReaderKib,
    /// Times per minute that a client in a process of its own was woken.
    WakeupsPerMinute,
    /// Milliseconds of CPU per minute of a client in a process of its own.
    ClientCpuPerMinute,
    /// Events per second delivered to all readers together, at the highest rate that could be kept.
    CapacityDeliveriesPerSecond,
    /// Events per second published, at the highest rate that could be kept.
    CapacityEventsPerSecond,
    /// Milliseconds of server CPU per thousand events delivered at that rate.
    CapacityServerCpuPerThousand,
    /// Milliseconds of the harness's CPU per thousand events delivered at that rate.
    CapacityClientCpuPerThousand,
    /// KiB of the server's resident memory per open subscription before anything was published.
    OpenReaderKib,
    /// KiB of the harness's own resident memory per open subscription.
    HarnessReaderKib,
}
