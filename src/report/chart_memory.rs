//! A server's memory while it publishes to readers that don't read.

use serde::Serialize;

use crate::{
    harness::{definition::Figure, record},
    report::{
        axis::Axis,
        curves::{self, Around, Curve, CurvePanel, extent},
        palette::Look,
        summary::{Group, Summary},
        units::Unit,
    },
};

const SUBTITLE: &str = "Growth of the server's resident memory, in the repetition with the median growth. \
                        Publishing is stopped at 200 MiB.";

/// What the chart shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Memory {
    /// For each condition KiB of growth over milliseconds from the start of publishing.
    pub panels: Vec<CurvePanel>,
    /// For the caption: clients under the condition with the most readers, with their growth in KiB.
    pub words: Vec<(String, f64)>,
    /// That condition.
    pub condition: String,
}

impl Memory {
    /// What the chart asks.
    pub(super) const TITLE: &str = "What do readers that never read cost the server?";

    /// The curves of all conditions under which readers were stalled.
    pub(super) fn of(summary: &Summary<'_>) -> Self {
        let mut memory = Memory { panels: Vec::new(), words: Vec::new(), condition: String::new() };
        for condition in &summary.conditions {
            let curves: Vec<Curve> = summary
                .under(condition)
                .filter_map(|group| {
                    let points = points(typical(group)?);
                    Some(Curve::new(Look::of(summary.series_of(group)), points, false))
                })
                .collect();
            if curves.is_empty() {
                continue;
            }
            memory.panels.push(CurvePanel { heading: condition.describe_among(&summary.conditions), curves });
            memory.condition = condition.describe();
            let word = |group: &Group<'_>| {
                let growth = group.estimate(Figure::RssGrowthKib)?;
                Some((summary.series_of(group).label.clone(), growth.median))
            };
            memory.words = summary.under(condition).filter_map(word).collect();
        }
        memory
    }

    /// One sentence.
    pub(super) fn caption(&self) -> String {
        let each = self.words.iter().map(|(label, kib)| format!("{label} {}", Unit::Kibibytes.format(*kib)));
        let text = each.collect::<Vec<_>>().join(", ");
        if text.is_empty() {
            "No reader was stalled.".to_owned()
        } else {
            format!("{}: the server grew by: {text}.", self.condition)
        }
    }

    /// The picture.
    ///
    /// # Errors
    /// What the drawing library says.
    pub(super) fn draw(&self) -> Result<String, String> {
        let caption = self.caption();
        let around = Around {
            title: Self::TITLE,
            subtitle: SUBTITLE,
            caption: &caption,
            nothing: "no run of this experiment stalled a reader",
        };
        let (times, growth) = extent(&self.panels);
        let x = Axis::linear(Unit::Millis, times);
        let y = Axis::linear(Unit::Bytes, growth).with_room(0.06);
        curves::picture(&around, &self.panels, |_| ((x, "Time since the first event"), (y, "Growth")))
    }
}

/// The memory of the repetition whose growth is the median; the lower of two.
fn typical<'g>(group: &'g Group<'_>) -> Option<&'g record::Memory> {
    let mut all: Vec<_> = group.records.iter().filter_map(|record| record.memory.as_ref()).collect();
    all.sort_by_key(|memory| memory.growth_kib);
    all.get(all.len().checked_sub(1)? / 2).copied()
}

/// In bytes, since that axis knows round numbers of them.
fn points(memory: &record::Memory) -> Vec<(f64, f64)> {
    let before = memory.samples.first().map_or(0, |(_, kib)| *kib);
    let point = |&(at, kib): &(f64, u64)| (at.max(0.0), kib.saturating_sub(before) as f64 * 1024.0);
    memory.samples.iter().map(point).collect()
}
