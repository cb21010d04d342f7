//! A chart, drawn: what all of them have in common, and which file draws which.

use crate::{
    harness::definition::Chart,
    report::{
        chart_bytes::BytesPerEvent, chart_capacity::Capacity, chart_frontier::Frontier, chart_memory::Memory,
        chart_notice::Notice, chart_opening::Opening, chart_peers::Peers, chart_percentiles::Percentiles,
        chart_readers_memory::MemoryPerReaders, chart_recovery::RecoveryTimes, chart_storm::Storm,
        chart_strip::Strip, chart_timeline::Timeline, chart_zombies::Zombies, folder::ReportError,
        summary::Summary,
    },
};

/// A chart as a picture with its words.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Drawn {
    /// Its file's name without `.svg`.
    pub slug: &'static str,
    /// The question that it answers.
    pub title: &'static str,
    /// What it shows, in one sentence made from its figures.
    pub caption: String,
    /// The picture.
    pub svg: String,
}

/// Draws a chart of an experiment.
///
/// # Errors
/// What the drawing library says.
pub(super) fn draw(chart: Chart, experiment: &str, summary: &Summary<'_>) -> Result<Drawn, ReportError> {
    let (title, caption, svg) = match chart {
        Chart::Percentiles => {
            let data = Percentiles::of(summary);
            (Percentiles::TITLE, data.caption(), data.draw())
        }
        Chart::Strip => {
            let data = Strip::of(summary);
            (Strip::TITLE, data.caption(), data.draw())
        }
        Chart::BytesPerEvent => {
            let data = BytesPerEvent::of(summary);
            (BytesPerEvent::TITLE, data.caption(), data.draw())
        }
        Chart::OpeningAndIdle => {
            let data = Opening::of(summary);
            (Opening::TITLE, data.caption(), data.draw())
        }
        Chart::PollingFrontier => {
            let data = Frontier::of(summary);
            (Frontier::TITLE, data.caption(), data.draw())
        }
        Chart::Timeline => {
            let data = Timeline::of(summary);
            (Timeline::TITLE, data.caption(), data.draw())
        }
        Chart::RecoveryTimes => {
            let data = RecoveryTimes::of(summary);
            (RecoveryTimes::TITLE, data.caption(), data.draw())
        }
        Chart::Storm => {
            let data = Storm::of(summary);
            (Storm::TITLE, data.caption(), data.draw())
        }
        Chart::Zombies => {
            let data = Zombies::of(summary);
            (Zombies::TITLE, data.caption(), data.draw())
        }
        Chart::Peers => {
            let data = Peers::of(summary);
            (Peers::TITLE, data.caption(), data.draw())
        }
        Chart::Notice => {
            let data = Notice::of(summary);
            (Notice::TITLE, data.caption(), data.draw())
        }
        Chart::Memory => {
            let data = Memory::of(summary);
            (Memory::TITLE, data.caption(), data.draw())
        }
        Chart::Capacity => {
            let data = Capacity::of(summary);
            (Capacity::TITLE, data.caption(), data.draw())
        }
        Chart::MemoryPerReaders => {
            let data = MemoryPerReaders::of(summary);
            (MemoryPerReaders::TITLE, data.caption(), data.draw())
        }
    };
    let slug = slug(chart);
    let svg = svg.map_err(|problem| ReportError::Draw { chart: format!("{experiment}/{slug}"), problem })?;
    Ok(Drawn { slug, title, caption, svg })
}

const fn slug(chart: Chart) -> &'static str {
    match chart {
        Chart::Percentiles => "percentiles",
        Chart::Strip => "strip",
        Chart::BytesPerEvent => "bytes-per-event",
        Chart::OpeningAndIdle => "opening-and-idle",
        Chart::PollingFrontier => "polling-frontier",
        Chart::Timeline => "timeline",
        Chart::RecoveryTimes => "recovery-times",
        Chart::Storm => "storm",
        Chart::Zombies => "zombies",
        Chart::Notice => "notice",
        Chart::Memory => "memory",
        Chart::Capacity => "capacity",
        Chart::MemoryPerReaders => "memory-per-readers",
        Chart::Peers => "peers",
    }
}
