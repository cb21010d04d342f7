//! What a record tells of a rate that was raised.

use serde::{Deserialize, Serialize};

/// How far the rate could be raised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    /// Every step, in order. All but the last were kept; whether it was, `ended_by` says.
    pub steps: Vec<CapacityStep>,
    /// Why there was no further one: `p99`, `lost`, `source` (which did not keep its rate), or `most`.
    pub ended_by: String,
    /// The highest rate that was kept, in events per second; 0 where not even the first was.
    pub events_per_second: f64,
    /// Events per second delivered to all readers together in that step.
    pub deliveries_per_second: f64,
    /// Resident memory of the server once all readers had opened and nothing had been published, in KiB.
    pub server_rss_open_kib: Option<u64>,
    /// Resident memory of the harness before its readers connected, in KiB.
    pub harness_rss_before_kib: Option<u64>,
    /// The same once all had opened.
    pub harness_rss_open_kib: Option<u64>,
    /// Descriptors that the server had open before the readers connected.
    pub server_descriptors_before: Option<u64>,
    /// The same once they had left: more, where they did not become as few within some seconds.
    pub server_descriptors_after: Option<u64>,
}

impl Capacity {
    /// The fastest step that was kept; `None` where none was.
    pub fn best(&self) -> Option<&CapacityStep> {
        let kept = if self.ended_by == "most" { 0 } else { 1 };
        self.steps.iter().rev().nth(kept)
    }
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CapacityStep {
    /// Events per second that were asked of the source.
    pub rate: f64,
    /// How often it was measured: a second time where it was not kept at first. What follows is of the last time.
    pub attempts: u32,
    /// Seconds from the first event until the last had arrived, or was given up; without a short poll's own interval.
    pub seconds: f64,
    /// Events published.
    pub published: u64,
    /// Events that should have come, of all readers together.
    pub expected: u64,
    /// Events that came, each counted once.
    pub delivered: u64,
    /// Events that did not come while they were waited for.
    pub lost: u64,
    /// Median latency in microseconds; `None` where nothing came, here and below.
    pub p50_us: Option<u64>,
    /// The 99th percentile.
    pub p99_us: Option<u64>,
    /// CPU seconds of the server.
    pub server_cpu_s: Option<f64>,
    /// CPU seconds of the harness.
    pub client_cpu_s: Option<f64>,
}
