//! Figures of a rate that was raised.

use crate::harness::{definition::Figure, record::Record};

/// The value of one of them; `None` where the rate was not raised, where no step was kept, and for all other figures.
pub(super) fn of(figure: Figure, record: &Record) -> Option<f64> {
    let capacity = record.capacity.as_ref()?;
    let per_thousand = |seconds: Option<f64>, delivered: u64| Some(seconds? * 1e6 / delivered as f64);
    let per_reader = |after: Option<u64>, before: Option<u64>| {
        Some((after? as f64 - before? as f64) / f64::from(record.parameters.readers.max(1)))
    };
    match figure {
        Figure::CapacityDeliveriesPerSecond => Some(capacity.deliveries_per_second),
        Figure::CapacityEventsPerSecond => Some(capacity.events_per_second),
        Figure::CapacityServerCpuPerThousand => {
            let step = capacity.best()?;
            per_thousand(step.server_cpu_s, step.delivered)
        }
        Figure::CapacityClientCpuPerThousand => {
            let step = capacity.best()?;
            per_thousand(step.client_cpu_s, step.delivered)
        }
        Figure::OpenReaderKib => per_reader(capacity.server_rss_open_kib, record.cost.server_rss_before_kib),
        Figure::HarnessReaderKib => {
            per_reader(capacity.harness_rss_open_kib, capacity.harness_rss_before_kib)
        }
        _ => None,
    }
}
