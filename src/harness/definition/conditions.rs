//! `[[conditions]]`: under what the clients are compared.

use serde::Deserialize;

use super::{Fault, Network, Step, Timetable};
use crate::schedule::Pattern;

/// A matrix of conditions; each combination of its lists is one.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conditions {
    /// Readers at the same time.
    #[serde(default = "one")]
    pub readers: Vec<u32>,
    /// Events per second; 0 leaves the channel idle.
    #[serde(default)]
    pub rate: Vec<f64>,
    /// In the place of a rate: publish as fast as events are taken, with at most so many under way that some reader
    /// does not have yet.
    #[serde(default)]
    pub in_flight: Option<u32>,
    /// Bytes of an event's data.
    #[serde(default = "hundred")]
    pub payload_bytes: Vec<u32>,
    /// How publishes are spaced.
    #[serde(default = "steady")]
    pub pattern: Vec<Pattern>,
    /// What is done to the connection in the middle of the run; an empty list for nothing.
    #[serde(default)]
    pub fault: Vec<Fault>,
    /// Several faults in one run, in the place of `fault`.
    #[serde(default)]
    pub timetable: Option<Timetable>,
    /// What stands between the clients and the server; an empty list for nothing.
    #[serde(default)]
    pub network: Vec<Network>,
    /// Milliseconds between the server's heartbeats, where they differ from the definition's.
    #[serde(default)]
    pub heartbeat_ms: Vec<u64>,
    /// So many readers more of the same client, on another channel of the same server, which are not cut: what
    /// they notice of the others' being cut is measured.
    #[serde(default)]
    pub bystanders: Option<u32>,
    /// Raise the rate step by step until the server can no more; `rate` is where it begins.
    #[serde(default)]
    pub step: Option<Step>,
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

impl Conditions {
    /// Every fault that may come under one of these conditions.
    pub fn faults(&self) -> Vec<Fault> {
        self.fault.iter().copied().chain(self.timetable.iter().flat_map(Timetable::faults)).collect()
    }
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
