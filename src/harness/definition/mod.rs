//! An experiment's definition: what its TOML file says, checked.
//!
//! The file's shape is the `serde` types below, which refuse unknown keys; [`Definition::parse`] then
//! checks what a shape can't say. What leaves this file is a plan that can be run.

mod check;
mod claim;
mod client;
mod conditions;
mod fault;
mod network;
mod published;
mod step;
mod timetable;

use serde::{Deserialize, Serialize};

pub use claim::{Claim, Comparison, Figure, Operand, Selector};
pub use client::{Client, ReconnectKind, Subject, Upstream};
pub use conditions::{Conditions, PerProfile};
pub use fault::Fault;
pub use network::{Between, Network, OwnNetwork, OwnPath};
pub use published::{Published, PublishedUnit, Quantity};
pub use step::Step;
pub use timetable::{Drawn, TIMETABLE, Timed, Timetable};

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
    /// Milliseconds between the server's heartbeats; the server's own default where it is left out.
    #[serde(default)]
    pub heartbeat_ms: Option<u64>,
    /// The `retry:` time that the server hands to EventSource, in milliseconds.
    #[serde(default)]
    pub retry_ms: Option<u64>,
    /// The servers that it is put to where the command line names none: `built-in`, and files in
    /// `experiments/targets/` without `.toml`.
    #[serde(default = "built_in")]
    pub targets: Vec<String>,
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
    /// Who published the figures of `published`, where and when.
    #[serde(default)]
    pub published_in: Option<String>,
    /// What was different there, so that nobody takes the two columns for the same measurement.
    #[serde(default)]
    pub setup_differences: Option<String>,
    /// Figures that others published, for the report to set beside ours.
    #[serde(default)]
    pub published: Vec<Published>,
}

/// How the runs of one repetition lie in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// One run at a time, in a shuffled order: for everything that depends on load.
    #[default]
    OneByOne,
    /// All clients of a condition on one channel, and all conditions, each with a server of its own, at the
    /// same time: for counts of bytes and for times of human length, which don't depend on a light load.
    Together,
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
    /// The client's first reader, in the way that its `upstream` says: for what sending costs.
    Reader,
    /// The harness, by `POST`, each event only after every reader has the one before. This is how load is
    /// often made, and it exists here to show how that lies: while nothing is delivered nothing is asked
    /// for, so that a stall counts as one late event.
    ClosedLoop,
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
    /// After a cut of many readers: attempts to connect, and the share that is back, over time.
    Storm,
    /// How long the server counts dead readers, against its heartbeat's interval.
    Zombies,
    /// How long a client takes to notice that its connection is dead, against the server's heartbeat's interval.
    Notice,
    /// The server's memory while it publishes to readers that don't read.
    Memory,
    /// The most deliveries per second, and the latency at that, against the number of readers.
    Capacity,
    /// Resident memory against the number of readers, of the server and of the harness.
    MemoryPerReaders,
    /// Several servers side by side: deliveries per second, cost, latency and memory.
    Peers,
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
    /// With the layout `together`: how many repetitions run at the same time.
    #[serde(default = "one_at_once")]
    pub at_once: u32,
    /// With the layout `together`: how many sets of conditions run at the same time; all where it is not said.
    #[serde(default)]
    pub conditions_at_once: Option<u32>,
}

fn built_in() -> Vec<String> {
    vec![crate::harness::target::Target::BUILT_IN.to_owned()]
}

fn one_at_once() -> u32 {
    1
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
        check::check(&definition).map_err(|(key, problem)| BadDefinition::Value {
            file: file.to_owned(),
            key,
            problem,
        })?;
        Ok(definition)
    }

    /// The client of this name.
    pub fn client(&self, name: &str) -> Option<&Client> {
        self.clients.iter().find(|client| client.name == name)
    }
}
