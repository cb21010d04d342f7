//! An experiment's definition: what its TOML file says, checked.
//!
//! The file's shape is the `serde` types below, which refuse unknown keys; [`Definition::parse`] then
//! checks what a shape can't say. What leaves this file is a plan that can be run.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    client::{Policy, Reconnect},
    transport::Transport,
};

/// One question and how it is put.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// The file's name without `.toml`.
    #[serde(skip)]
    pub name: String,
    /// The question, as the report's heading.
    pub question: String,
    /// Why somebody would ask it.
    pub why: String,
    /// Whether the clients run one after the other, or all at the same time on the same events.
    #[serde(default)]
    pub layout: Layout,
    /// Who publishes.
    #[serde(default)]
    pub publisher: Publisher,
    /// What the report draws.
    #[serde(default)]
    pub charts: Vec<Chart>,
    /// The clients that are compared, in the order in which charts show them.
    #[serde(rename = "client")]
    pub clients: Vec<Client>,
    /// The conditions under which each client runs; each table is a matrix of its own.
    pub conditions: Vec<Conditions>,
    /// The short form, for a first look.
    pub quick: Profile,
    /// The long form, for figures that are to be relied on.
    pub full: Profile,
    /// What the figures are asked to confirm or refute.
    #[serde(default, rename = "claim")]
    pub claims: Vec<Claim>,
}

/// How the runs of one repetition lie in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// One run at a time, in a shuffled order: for everything that depends on load.
    #[default]
    OneByOne,
    /// All clients of a condition at the same time on one channel: for counts, which don't.
    SideBySide,
}

/// Who publishes the events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Publisher {
    /// The server's built-in source, so that a latency starts inside the server.
    #[default]
    Source,
    /// The harness, by `POST`, so that what was acknowledged is known even if the server dies.
    Post,
}

/// A chart that the report can draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chart {
    /// Latency against percentile, on a logarithmic axis.
    Percentiles,
    /// A strip of the repetitions' medians per client, with their spread.
    Strip,
    /// Stacked bars: payload, framing, HTTP heads, TCP/IP, per delivered event.
    BytesPerEvent,
    /// Bytes to open a subscription and bytes per idle minute.
    OpeningAndIdle,
    /// Mean delay against bytes per second: polling at several intervals as a curve, push as points.
    PollingFrontier,
    /// Per client: publishes, the cut, the silence, the return, the catching up.
    Timeline,
    /// Times to notice, to be back and to be caught up.
    RecoveryTimes,
}

/// One client that is compared: a transport and what it does with it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Its name in records, charts and claims.
    pub name: String,
    /// How it is called on charts; the name where there is none.
    #[serde(default)]
    pub label: Option<String>,
    /// What it reads by.
    pub transport: Subject,
    /// Short poll: milliseconds from request to request.
    #[serde(default)]
    pub interval_ms: Option<u64>,
    /// Long poll: seconds that it asks the server to wait.
    #[serde(default)]
    pub wait_s: Option<u64>,
    /// What it does when its connection is gone.
    #[serde(default)]
    pub reconnect: ReconnectKind,
    /// With `fixed` and the exponential ones: the first wait in milliseconds.
    #[serde(default)]
    pub base_ms: Option<u64>,
    /// With the exponential ones: the longest wait in milliseconds.
    #[serde(default)]
    pub cap_ms: Option<u64>,
    /// Give the connection up when nothing came for so many milliseconds.
    #[serde(default)]
    pub quiet_limit_ms: Option<u64>,
    /// Polls: how many milliseconds an answer may take beyond the wait that was asked for.
    #[serde(default)]
    pub answer_within_ms: Option<u64>,
    /// Whether a reconnect says where it stood.
    #[serde(default)]
    pub resume: Option<bool>,
}

/// What a client reads by: a transport, or the bare stream that is the floor under all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Subject {
    /// The physical floor: the same payload over a bare TCP stream.
    Floor,
    /// One of the four.
    Transport(Transport),
}

impl Subject {
    /// The name in files.
    pub const fn slug(self) -> &'static str {
        match self {
            Subject::Floor => "tcp-floor",
            Subject::Transport(transport) => transport.slug(),
        }
    }
}

impl TryFrom<String> for Subject {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        if word == "tcp-floor" {
            return Ok(Subject::Floor);
        }
        word.parse().map(Subject::Transport).map_err(|error| format!("{error}, or tcp-floor"))
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> String {
        subject.slug().to_owned()
    }
}

/// The word for a [`Reconnect`] in a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReconnectKind {
    /// What the transport does by itself.
    #[default]
    Standard,
    /// Nothing.
    Never,
    /// The same wait each time.
    Fixed,
    /// Doubling waits.
    Exponential,
    /// Doubling waits, each drawn between zero and its length.
    ExponentialJitter,
}

impl Client {
    /// The label on charts.
    pub fn label(&self) -> &str {
        self.label.as_deref().unwrap_or(&self.name)
    }

    /// The client's behaviour as the client library takes it.
    pub fn policy(&self) -> Policy {
        let standard = Policy::default();
        let millis = |value: Option<u64>, default| value.map_or(default, Duration::from_millis);
        let base = millis(self.base_ms, Duration::from_millis(100));
        let cap = millis(self.cap_ms, Duration::from_secs(5));
        Policy {
            interval: millis(self.interval_ms, standard.interval),
            wait: self.wait_s.map_or(standard.wait, Duration::from_secs),
            answer_within: millis(self.answer_within_ms, standard.answer_within),
            reconnect: match self.reconnect {
                ReconnectKind::Standard => Reconnect::Standard,
                ReconnectKind::Never => Reconnect::Never,
                ReconnectKind::Fixed => Reconnect::Fixed(base),
                ReconnectKind::Exponential => Reconnect::Exponential { base, cap, jitter: false },
                ReconnectKind::ExponentialJitter => Reconnect::Exponential { base, cap, jitter: true },
            },
            quiet_limit: self.quiet_limit_ms.map(Duration::from_millis),
            resume: self.resume.unwrap_or(standard.resume),
        }
    }
}

/// A matrix of conditions; each combination of its lists is one.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conditions {
    /// Readers at the same time.
    #[serde(default = "one")]
    pub readers: Vec<u32>,
    /// Events per second; 0 leaves the channel idle.
    pub rate: Vec<f64>,
    /// Bytes of an event's data.
    #[serde(default = "hundred")]
    pub payload_bytes: Vec<u32>,
    /// How publishes are spaced.
    #[serde(default = "steady")]
    pub pattern: Vec<Pattern>,
    /// What is done to the connection in the middle of the run; an empty list for nothing.
    #[serde(default)]
    pub fault: Vec<Fault>,
    /// Which clients run under these conditions; all where it is left out.
    #[serde(default)]
    pub clients: Vec<String>,
    /// Seconds measured, where it differs from the profile's.
    #[serde(default)]
    pub measure_s: Option<PerProfile>,
    /// Leave these conditions out of the quick form.
    #[serde(default)]
    pub full_only: bool,
}

fn one() -> Vec<u32> {
    vec![1]
}

fn hundred() -> Vec<u32> {
    vec![100]
}

fn steady() -> Vec<Pattern> {
    vec![Pattern::Steady]
}

/// A value for each profile.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerProfile {
    /// In the quick form.
    pub quick: f64,
    /// In the full form.
    pub full: f64,
}

/// How publishes are spaced around the same mean rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pattern {
    /// Evenly.
    Steady,
    /// With independent, exponentially distributed pauses.
    Poisson,
    /// A second's worth at once, once a second.
    Burst,
}

impl Pattern {
    /// The word in files and in the source's JSON.
    pub const fn slug(self) -> &'static str {
        match self {
            Pattern::Steady => "steady",
            Pattern::Poisson => "poisson",
            Pattern::Burst => "burst",
        }
    }
}

/// What is done to a client's connection, or to its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The connection is ended in an orderly way (FIN).
    Close,
    /// The connection is reset (RST).
    Reset,
    /// Nothing passes any more, in either direction, and nobody is told.
    Silence,
    /// The server process is killed and started again.
    Restart,
}

impl Fault {
    /// The word in files.
    pub const fn slug(self) -> &'static str {
        match self {
            Fault::Close => "close",
            Fault::Reset => "reset",
            Fault::Silence => "silence",
            Fault::Restart => "restart",
        }
    }
}

/// How long and how often.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// How often every run is repeated.
    pub repetitions: u32,
    /// Seconds left out at the beginning of each run.
    pub warm_up_s: f64,
    /// Seconds measured in each run.
    pub measure_s: f64,
}

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
    /// The client's name.
    pub client: String,
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
    /// Events.
    Duplicated,
    /// Milliseconds from the cut.
    NoticedMs,
    /// Milliseconds from the cut.
    BackMs,
    /// Milliseconds from the cut.
    CaughtUpMs,
    /// Milliseconds of server CPU per thousand events delivered.
    ServerCpuPerThousand,
}

/// What is wrong with a definition: the file, the place in it, and the fix.
#[derive(Debug, thiserror::Error)]
pub enum BadDefinition {
    /// Not the shape of a definition; the text names line, key and what was expected.
    #[error("{file}: {problem}")]
    Shape {
        /// The file.
        file: String,
        /// What the TOML reader says.
        problem: String,
    },
    /// A value that can't be run.
    #[error("{file}: {key}: {problem}")]
    Value {
        /// The file.
        file: String,
        /// The key.
        key: String,
        /// What is wrong and what to write instead.
        problem: String,
    },
}

impl Definition {
    /// Reads a definition from its file's text; `file` is how errors call it.
    ///
    /// # Errors
    /// Where a key is unknown, missing or holds what can't be run.
    pub fn parse(name: &str, file: &str, text: &str) -> Result<Self, BadDefinition> {
        let mut definition: Definition = toml::from_str(text).map_err(|error| BadDefinition::Shape {
            file: file.to_owned(),
            problem: error.to_string().trim_end().to_owned(),
        })?;
        name.clone_into(&mut definition.name);
        Ok(definition)
    }
}
