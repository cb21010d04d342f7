//! What readers take of a process's memory, against their number.

use serde::Serialize;

use crate::{
    harness::definition::Figure,
    report::{
        axis::Axis,
        chart_capacity::over_readers,
        curves::{self, Around, CurvePanel},
        summary::{Group, Summary},
        units::Unit,
    },
};

const SUBTITLE: &str = "Resident memory that each open reader adds, before anything is published. Medians over the \
                        repetitions; logarithmic axes; the floor is dashed. Few readers share what the first one sets up.";

/// What the chart shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct MemoryPerReaders {
    /// Of the server and of the harness: bytes per reader, over readers.
    pub panels: Vec<CurvePanel>,
    /// Of how many runs it is known how many descriptors the server had, and in how many it had more once its readers
    /// had left than before they came.
    pub descriptors: (usize, usize),
}

impl MemoryPerReaders {
    /// What the chart asks.
    pub(super) const TITLE: &str = "What does one more reader take of memory?";

    /// The curves of all clients whose rate was raised.
    pub(super) fn of(summary: &Summary<'_>) -> Self {
        let of = |heading, figure, grows| over_readers(summary, heading, figure, 1024.0, grows);
        let mut panels = vec![
            of("Server", Figure::OpenReaderKib, |group| grows(group, Figure::OpenReaderKib)),
            of("Harness", Figure::HarnessReaderKib, |group| grows(group, Figure::HarnessReaderKib)),
        ];
        panels.retain(|panel| !panel.curves.is_empty());
        let records = summary.groups.iter().flat_map(|group| &group.records);
        let told: Vec<_> = records
            .filter_map(|record| record.capacity.as_ref())
            .filter_map(|capacity| capacity.server_descriptors_before.zip(capacity.server_descriptors_after))
            .collect();
        let left = told.iter().filter(|(before, after)| after > before).count();
        MemoryPerReaders { panels, descriptors: (told.len(), left) }
    }

    /// Some sentences.
    pub(super) fn caption(&self) -> String {
        let panels = self.panels.iter().map(|panel| {
            let last = panel.curves.iter().filter_map(|curve| {
                let (readers, bytes) = curve.points.last()?;
                let (readers, bytes) = (Unit::Count.format(*readers), Unit::Bytes.format(*bytes));
                Some(format!("{} {bytes} (of {readers})", curve.look.label))
            });
            format!("{}, per reader: {}", panel.heading, last.collect::<Vec<_>>().join(", "))
        });
        let text = panels.collect::<Vec<_>>().join("; ");
        let descriptors = match self.descriptors {
            (0, _) => String::new(),
            (all, 0) => {
                format!(" Once all had left, the server had as few descriptors as before, in all {all} runs.")
            }
            (all, left) => {
                format!(" Once all had left, the server kept descriptors of theirs in {left} of {all} runs.")
            }
        };
        if text.is_empty() { "No rate was raised.".to_owned() } else { format!("{text}.{descriptors}") }
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
            nothing: "no run of this experiment raised its rate",
        };
        // The same for both, so that server and harness can be compared.
        let (readers, bytes) = curves::extent(&self.panels);
        curves::picture(&around, &self.panels, |_| {
            let x = Axis::logarithmic(Unit::Count, readers.iter().copied());
            let y = Axis::logarithmic(Unit::Bytes, bytes.iter().copied()).with_room(0.12);
            ((x, "Readers"), (y, "Per reader"))
        })
    }
}

/// Few readers may fit into memory that was there already; a logarithmic axis has no place for them.
fn grows(group: &Group<'_>, figure: Figure) -> bool {
    group.estimate(figure).is_some_and(|it| it.median > 0.0)
}
