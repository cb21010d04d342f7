//! What one run measured, as one number: a [`Figure`] of a [`Record`].

use crate::{
    harness::{
        definition::Figure,
        record::{Bystanders, Bytes, Latency, Record, Recovery},
    },
    report::{figure_capacity, units::Unit},
};

impl Figure {
    /// Every figure, in the order in which tables and files show them.
    pub const ALL: [Figure; 47] = [
        Figure::LatencyMean,
        Figure::LatencyP50,
        Figure::LatencyP99,
        Figure::LatencyMax,
        Figure::WireBytesPerEvent,
        Figure::ApplicationBytesPerEvent,
        Figure::WireBytesToOpen,
        Figure::WireBytesPerMinute,
        Figure::RequestsPerEvent,
        Figure::Lost,
        Figure::LostSilently,
        Figure::BunchedPercent,
        Figure::Duplicated,
        Figure::Unexplained,
        Figure::RequestsSpent,
        Figure::NoticedMs,
        Figure::BackMs,
        Figure::CaughtUpMs,
        Figure::DeliveriesPerSecond,
        Figure::ServerCpuPerThousand,
        Figure::PeakConnectsPerSecond,
        Figure::PeakReachedPerSecond,
        Figure::BystandersBeforeP50,
        Figure::BystandersBeforeP99,
        Figure::BystandersDuringP50,
        Figure::BystandersDuringP99,
        Figure::BackP50Ms,
        Figure::BackP95Ms,
        Figure::BackMaxMs,
        Figure::ZombieMs,
        Figure::ZombieHeartbeats,
        Figure::NoticedHeartbeats,
        Figure::RssGrowthKib,
        Figure::FramingBytesPerEvent,
        Figure::RoundTripP50,
        Figure::RoundTripP99,
        Figure::ApplicationBytesPerMessage,
        Figure::ClosedLoopP99,
        Figure::RssPerReaderKib,
        Figure::WakeupsPerMinute,
        Figure::ClientCpuPerMinute,
        Figure::CapacityDeliveriesPerSecond,
        Figure::CapacityEventsPerSecond,
        Figure::CapacityServerCpuPerThousand,
        Figure::CapacityClientCpuPerThousand,
        Figure::OpenReaderKib,
        Figure::HarnessReaderKib,
    ];

    /// What it is called in sentences and in headings.
    pub const fn label(self) -> &'static str {
        match self {
            Figure::LatencyMean => "mean latency",
            Figure::LatencyP50 => "median latency",
            Figure::LatencyP99 => "99th percentile of latency",
            Figure::LatencyMax => "longest latency",
            Figure::WireBytesPerEvent => "wire bytes per event",
            Figure::ApplicationBytesPerEvent => "application bytes per event",
            Figure::WireBytesToOpen => "wire bytes to open",
            Figure::WireBytesPerMinute => "wire bytes per minute",
            Figure::RequestsPerEvent => "requests per event",
            Figure::Lost => "events lost",
            Figure::LostSilently => "events lost silently",
            Figure::BunchedPercent => "events of a hundred that came in a bunch",
            Figure::Duplicated => "events duplicated",
            Figure::Unexplained => "events that the policy does not explain",
            Figure::RequestsSpent => "requests spent on recovery",
            Figure::NoticedMs => "time to notice the cut",
            Figure::BackMs => "time to be back",
            Figure::CaughtUpMs => "time to have caught up",
            Figure::DeliveriesPerSecond => "deliveries per second",
            Figure::ServerCpuPerThousand => "server CPU per thousand events",
            Figure::PeakConnectsPerSecond => "peak of connects per second",
            Figure::PeakReachedPerSecond => "peak of connects per second at the server",
            Figure::BystandersBeforeP50 => "bystanders' median latency before the cut",
            Figure::BystandersBeforeP99 => "bystanders' 99th percentile before the cut",
            Figure::BystandersDuringP50 => "bystanders' median latency during the return",
            Figure::BystandersDuringP99 => "bystanders' 99th percentile during the return",
            Figure::BackP50Ms => "time until half are back",
            Figure::BackP95Ms => "time until 95 % are back",
            Figure::BackMaxMs => "time until all are back",
            Figure::ZombieMs => "time that dead readers are counted",
            Figure::ZombieHeartbeats => "heartbeats that dead readers are counted",
            Figure::NoticedHeartbeats => "heartbeats until the cut is noticed",
            Figure::RssGrowthKib => "growth of server memory",
            Figure::FramingBytesPerEvent => "framing bytes per event",
            Figure::RoundTripP50 => "median round trip",
            Figure::RoundTripP99 => "99th percentile of round trip",
            Figure::ApplicationBytesPerMessage => "application bytes per message sent",
            Figure::ClosedLoopP99 => "99th percentile by a closed loop",
            Figure::RssPerReaderKib => "server memory per reader",
            Figure::WakeupsPerMinute => "client wake-ups per minute",
            Figure::ClientCpuPerMinute => "client CPU per minute",
            Figure::CapacityDeliveriesPerSecond => "the most deliveries per second",
            Figure::CapacityEventsPerSecond => "the most events per second",
            Figure::CapacityServerCpuPerThousand => "server CPU per thousand events at capacity",
            Figure::CapacityClientCpuPerThousand => "harness CPU per thousand events at capacity",
            Figure::OpenReaderKib => "server memory per open reader",
            Figure::HarnessReaderKib => "harness memory per open reader",
        }
    }

    /// The name of its column in `summary.csv`, without the unit.
    pub const fn slug(self) -> &'static str {
        match self {
            Figure::LatencyMean => "latency_mean",
            Figure::LatencyP50 => "latency_p50",
            Figure::LatencyP99 => "latency_p99",
            Figure::LatencyMax => "latency_max",
            Figure::WireBytesPerEvent => "wire_per_event",
            Figure::ApplicationBytesPerEvent => "application_per_event",
            Figure::WireBytesToOpen => "wire_to_open",
            Figure::WireBytesPerMinute => "wire_per_minute",
            Figure::RequestsPerEvent => "requests_per_event",
            Figure::Lost => "lost",
            Figure::LostSilently => "lost_silently",
            Figure::BunchedPercent => "bunched_percent",
            Figure::Duplicated => "duplicated",
            Figure::Unexplained => "unexplained",
            Figure::RequestsSpent => "requests_spent",
            Figure::NoticedMs => "noticed_after",
            Figure::BackMs => "back_after",
            Figure::CaughtUpMs => "caught_up_after",
            Figure::DeliveriesPerSecond => "deliveries_per_second",
            Figure::ServerCpuPerThousand => "server_cpu_per_thousand",
            Figure::PeakConnectsPerSecond => "peak_connects_per_second",
            Figure::PeakReachedPerSecond => "peak_reached_per_second",
            Figure::BystandersBeforeP50 => "bystanders_before_p50",
            Figure::BystandersBeforeP99 => "bystanders_before_p99",
            Figure::BystandersDuringP50 => "bystanders_during_p50",
            Figure::BystandersDuringP99 => "bystanders_during_p99",
            Figure::BackP50Ms => "half_back_after",
            Figure::BackP95Ms => "nearly_all_back_after",
            Figure::BackMaxMs => "all_back_after",
            Figure::ZombieMs => "zombies_for",
            Figure::ZombieHeartbeats => "zombie_heartbeats",
            Figure::NoticedHeartbeats => "noticed_heartbeats",
            Figure::RssGrowthKib => "rss_growth",
            Figure::FramingBytesPerEvent => "framing_per_event",
            Figure::RoundTripP50 => "round_trip_p50",
            Figure::RoundTripP99 => "round_trip_p99",
            Figure::ApplicationBytesPerMessage => "application_per_message",
            Figure::ClosedLoopP99 => "closed_loop_p99",
            Figure::RssPerReaderKib => "rss_per_reader",
            Figure::WakeupsPerMinute => "wakeups_per_minute",
            Figure::ClientCpuPerMinute => "client_cpu_per_minute",
            Figure::CapacityDeliveriesPerSecond => "capacity_deliveries_per_second",
            Figure::CapacityEventsPerSecond => "capacity_events_per_second",
            Figure::CapacityServerCpuPerThousand => "capacity_server_cpu_per_thousand",
            Figure::CapacityClientCpuPerThousand => "capacity_client_cpu_per_thousand",
            Figure::OpenReaderKib => "open_reader",
            Figure::HarnessReaderKib => "harness_reader",
        }
    }

    /// What it is measured in.
    pub const fn unit(self) -> Unit {
        match self {
            Figure::LatencyMean | Figure::LatencyP50 | Figure::LatencyP99 | Figure::LatencyMax => {
                Unit::Micros
            }
            Figure::WireBytesPerEvent
            | Figure::ApplicationBytesPerEvent
            | Figure::WireBytesToOpen
            | Figure::WireBytesPerMinute => Unit::Bytes,
            Figure::RequestsPerEvent
            | Figure::Lost
            | Figure::LostSilently
            | Figure::BunchedPercent
            | Figure::Duplicated
            | Figure::Unexplained
            | Figure::RequestsSpent => Unit::Count,
            Figure::PeakConnectsPerSecond | Figure::PeakReachedPerSecond => Unit::Count,
            Figure::ZombieHeartbeats | Figure::NoticedHeartbeats => Unit::Count,
            Figure::BystandersBeforeP50
            | Figure::BystandersBeforeP99
            | Figure::BystandersDuringP50
            | Figure::BystandersDuringP99 => Unit::Micros,
            Figure::NoticedMs | Figure::BackMs | Figure::CaughtUpMs | Figure::ServerCpuPerThousand => {
                Unit::Millis
            }
            Figure::BackP50Ms | Figure::BackP95Ms | Figure::BackMaxMs | Figure::ZombieMs => Unit::Millis,
            Figure::RssGrowthKib | Figure::RssPerReaderKib => Unit::Kibibytes,
            Figure::RoundTripP50 | Figure::RoundTripP99 | Figure::ClosedLoopP99 => Unit::Micros,
            Figure::FramingBytesPerEvent | Figure::ApplicationBytesPerMessage => Unit::Bytes,
            Figure::WakeupsPerMinute | Figure::DeliveriesPerSecond => Unit::Count,
            Figure::ClientCpuPerMinute => Unit::Millis,
            Figure::CapacityDeliveriesPerSecond | Figure::CapacityEventsPerSecond => Unit::Count,
            Figure::CapacityServerCpuPerThousand | Figure::CapacityClientCpuPerThousand => Unit::Millis,
            Figure::OpenReaderKib | Figure::HarnessReaderKib => Unit::Kibibytes,
        }
    }

    /// Whether it is made from what was counted on the readers' connections.
    const fn is_of_connections(self) -> bool {
        matches!(
            self,
            Figure::WireBytesPerEvent
                | Figure::ApplicationBytesPerEvent
                | Figure::WireBytesToOpen
                | Figure::WireBytesPerMinute
                | Figure::RequestsPerEvent
                | Figure::FramingBytesPerEvent
        )
    }

    /// The figure of one run, in [`Figure::unit`].
    ///
    /// `None` where the run failed, or did not measure it (nothing delivered, nothing cut, or a kernel
    /// that does not count, or connections that were not ours to count). A time to something that never came is infinite and not missing: it is
    /// longer than every other.
    pub fn of(self, record: &Record) -> Option<f64> {
        if record.err.is_some() {
            return None;
        }
        // Where the rate is raised, bytes are of all steps and events of one.
        if self.is_of_connections() && (!metered(record) || record.capacity.is_some()) {
            return None;
        }
        let latency = record.latency_us.as_ref();
        match self {
            Figure::LatencyMean => latency.map(|latency| latency.mean),
            Figure::LatencyP50 => latency.map(|latency| latency.p50 as f64),
            Figure::LatencyP99 => latency.map(|latency| latency.p99 as f64),
            Figure::LatencyMax => latency.map(|latency| latency.max as f64),
            Figure::WireBytesPerEvent => per_event(wire(&record.steady)?, record),
            Figure::ApplicationBytesPerEvent => per_event(application(&record.steady), record),
            Figure::WireBytesToOpen => {
                Some(wire(&record.opening)? as f64 / f64::from(record.parameters.readers.max(1)))
            }
            Figure::WireBytesPerMinute => {
                Some(wire(&record.steady)? as f64 * per_reader_second(record)? * 60.0)
            }
            Figure::RequestsPerEvent => per_event(record.steady.requests, record),
            Figure::Lost => Some(record.lost as f64),
            Figure::LostSilently => Some(record.lost.saturating_sub(record.lost_announced) as f64),
            Figure::BunchedPercent => {
                (record.delivered > 0).then(|| record.bunched as f64 * 100.0 / record.delivered as f64)
            }
            Figure::Duplicated => Some(record.duplicated as f64),
            Figure::Unexplained => Some(record.explanation.as_ref()?.unexplained as f64),
            Figure::RequestsSpent => Some(record.recovery.as_ref()?.requests_spent as f64),
            Figure::NoticedMs => recovery_time(record, |recovery| recovery.noticed_ms),
            Figure::BackMs => recovery_time(record, |recovery| recovery.back_ms),
            Figure::CaughtUpMs => recovery_time(record, |recovery| recovery.caught_up_ms),
            Figure::DeliveriesPerSecond => {
                let saturation = record.saturation?;
                (saturation.seconds > 0.0).then(|| saturation.delivered as f64 / saturation.seconds)
            }
            Figure::ServerCpuPerThousand => {
                // Of all steps together, where there are several.
                let seconds = record.cost.server_cpu_s.filter(|_| record.capacity.is_none())?;
                (record.delivered > 0).then(|| seconds * 1e6 / record.delivered as f64)
            }
            Figure::PeakConnectsPerSecond => Some(record.storm.as_ref()?.peak_connects_per_second),
            Figure::PeakReachedPerSecond => {
                let storm = record.storm.as_ref()?;
                // Records of older versions don't have it.
                (!storm.reached.is_empty()).then_some(storm.peak_reached_per_second)
            }
            Figure::BystandersBeforeP50 => Some(bystanders(record)?.before_us.as_ref()?.p50 as f64),
            Figure::BystandersBeforeP99 => Some(bystanders(record)?.before_us.as_ref()?.p99 as f64),
            Figure::BystandersDuringP50 => Some(bystanders(record)?.during_us.as_ref()?.p50 as f64),
            Figure::BystandersDuringP99 => Some(bystanders(record)?.during_us.as_ref()?.p99 as f64),
            Figure::BackP50Ms => Some(or_never(record.storm.as_ref()?.back_p50_ms)),
            Figure::BackP95Ms => Some(or_never(record.storm.as_ref()?.back_p95_ms)),
            Figure::BackMaxMs => Some(or_never(record.storm.as_ref()?.back_max_ms)),
            Figure::ZombieMs => Some(or_never(record.zombies.as_ref()?.gone_ms)),
            Figure::ZombieHeartbeats => {
                let zombies = record.zombies.as_ref()?;
                Some(or_never(zombies.gone_ms) / zombies.heartbeat_ms.max(1) as f64)
            }
            Figure::NoticedHeartbeats => {
                let heartbeat_ms = record.parameters.heartbeat_ms?.max(1) as f64;
                Some(Figure::NoticedMs.of(record)? / heartbeat_ms)
            }
            Figure::RssGrowthKib => Some(record.memory.as_ref()?.growth_kib as f64),
            Figure::FramingBytesPerEvent => Parts::per_event(record).map(|parts| parts.framing),
            Figure::RoundTripP50 => Some(round_trip(record)?.p50 as f64),
            Figure::RoundTripP99 => Some(round_trip(record)?.p99 as f64),
            Figure::ApplicationBytesPerMessage => {
                let upstream = record.upstream.as_ref()?;
                let bytes = upstream.application_out + upstream.application_in;
                (upstream.messages > 0).then(|| bytes as f64 / upstream.messages as f64)
            }
            Figure::ClosedLoopP99 => Some(record.closed_loop_us.as_ref()?.p99 as f64),
            Figure::RssPerReaderKib => {
                let (before, after) = (record.cost.server_rss_before_kib?, record.cost.server_rss_kib?);
                Some((after as f64 - before as f64) / f64::from(record.parameters.readers.max(1)))
            }
            Figure::WakeupsPerMinute => {
                Some(record.cost.client_wakeups? as f64 * per_reader_second(record)? * 60.0)
            }
            Figure::ClientCpuPerMinute => {
                // Without wake-ups of its own the client shares the harness's process, and so its CPU.
                record.cost.client_wakeups?;
                Some(record.cost.client_cpu_s? * 1e3 * per_reader_second(record)? * 60.0)
            }
            Figure::CapacityDeliveriesPerSecond
            | Figure::CapacityEventsPerSecond
            | Figure::CapacityServerCpuPerThousand
            | Figure::CapacityClientCpuPerThousand
            | Figure::OpenReaderKib
            | Figure::HarnessReaderKib => figure_capacity::of(self, record),
        }
    }
}

/// Whether its connections were counted; those of a client in a process of its own, or in a browser, are not.
pub fn metered(record: &Record) -> bool {
    record.bytes.connections > 0
}

fn bystanders(record: &Record) -> Option<&Bystanders> {
    record.storm.as_ref()?.bystanders.as_ref()
}

fn round_trip(record: &Record) -> Option<&Latency> {
    record.upstream.as_ref()?.round_trip_us.as_ref()
}

/// Wire bytes, both ways; `None` where the kernel does not tell.
pub fn wire(bytes: &Bytes) -> Option<u64> {
    Some(bytes.wire_in?.saturating_add(bytes.wire_out?))
}

/// Application bytes, both ways. Sums saturate here, since a damaged record must not end a report.
pub fn application(bytes: &Bytes) -> u64 {
    bytes.application_in.saturating_add(bytes.application_out)
}

/// Wire bytes per second and reader, opening and closing left out.
pub fn wire_per_second(record: &Record) -> Option<f64> {
    if record.err.is_some() {
        return None;
    }
    Some(wire(&record.steady)? as f64 * per_reader_second(record)?)
}

fn per_reader_second(record: &Record) -> Option<f64> {
    let reader_seconds = record.steady_s * f64::from(record.parameters.readers.max(1));
    (reader_seconds > 0.0).then(|| 1.0 / reader_seconds)
}

fn per_event(total: u64, record: &Record) -> Option<f64> {
    (record.delivered > 0).then(|| total as f64 / record.delivered as f64)
}

fn or_never(ms: Option<f64>) -> f64 {
    ms.unwrap_or(f64::INFINITY)
}

fn recovery_time(record: &Record, time: impl Fn(&Recovery) -> Option<f64>) -> Option<f64> {
    record.recovery.as_ref().map(|recovery| time(recovery).unwrap_or(f64::INFINITY))
}

/// Where a connection's bytes went. The parts add up to the total they were made from.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Parts {
    /// The events' data.
    pub payload: f64,
    /// What the transport adds to it: chunk sizes, field names, JSON, frame headers and masks.
    pub framing: f64,
    /// HTTP request and response heads.
    pub heads: f64,
    /// TCP and IP headers and pure ACKs; `None` where the kernel does not tell.
    pub tcp_ip: Option<f64>,
}

impl Parts {
    /// Splits a total. A total whose heads and payload exceed its application bytes has no framing.
    pub fn of(bytes: &Bytes) -> Self {
        let application = application(bytes) as f64;
        // What was counted last gives way, so that the parts still add up where a run was cut between two
        // readings of the counters.
        let heads = (bytes.heads_in.saturating_add(bytes.heads_out) as f64).min(application);
        let payload = (bytes.payload as f64).min(application - heads);
        Parts {
            payload,
            heads,
            framing: application - heads - payload,
            tcp_ip: wire(bytes).map(|wire| (wire as f64 - application).max(0.0)),
        }
    }

    /// What one run's delivered events cost each, opening and closing left out; `None` where none was.
    pub fn per_event(record: &Record) -> Option<Self> {
        if record.err.is_some() || record.delivered == 0 {
            return None;
        }
        Some(Parts::of(&record.steady).scaled(1.0 / record.delivered as f64))
    }

    /// What one reader's opening took.
    pub fn to_open(record: &Record) -> Option<Self> {
        let readers = f64::from(record.parameters.readers.max(1));
        record.err.is_none().then(|| Parts::of(&record.opening).scaled(1.0 / readers))
    }

    /// The sum.
    pub fn total(&self) -> f64 {
        self.payload + self.framing + self.heads + self.tcp_ip.unwrap_or(0.0)
    }

    /// The mean of each part over several runs; means add up where medians don't.
    pub fn mean(runs: &[Parts]) -> Option<Self> {
        if runs.is_empty() {
            return None;
        }
        let mean = |part: fn(&Parts) -> f64| runs.iter().map(part).sum::<f64>() / runs.len() as f64;
        let counted = runs.iter().all(|parts| parts.tcp_ip.is_some());
        Some(Parts {
            payload: mean(|parts| parts.payload),
            framing: mean(|parts| parts.framing),
            heads: mean(|parts| parts.heads),
            tcp_ip: counted.then(|| mean(|parts| parts.tcp_ip.unwrap_or(0.0))),
        })
    }

    fn scaled(self, by: f64) -> Self {
        Parts {
            payload: self.payload * by,
            framing: self.framing * by,
            heads: self.heads * by,
            tcp_ip: self.tcp_ip.map(|bytes| bytes * by),
        }
    }
}
