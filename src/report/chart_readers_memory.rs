//! What readers take of a process's memory, against their number.

use serde::Serialize;

use crate::{
    harness::definition::Figure,
    report::{
        axis::Axis,
        chart_capacity::over_readers,
        curves::{self, Around, CurvePanel},
        summary::Summary,
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
}

impl MemoryPerReaders {
    /// What the chart asks.
    pub(super) const TITLE: &str = "What does one more reader take of memory?";

    /// The curves of all clients whose rate was raised.
    pub(super) fn of(summary: &Summary<'_>) -> Self {
        let panel = |heading, figure| over_readers(summary, heading, &[(figure, 1024.0)]);
        let mut panels =
            vec![panel("Server", Figure::OpenReaderKib), panel("Harness", Figure::HarnessReaderKib)];
        panels.retain(|panel| !panel.curves.is_empty());
        MemoryPerReaders { panels }
    }

    /// One sentence.
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
        if text.is_empty() { "No rate was raised.".to_owned() } else { format!("{text}.") }
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
        curves::picture(&around, &self.panels, |panel| {
            let (readers, bytes) = curves::extent(std::slice::from_ref(panel));
            let x = Axis::logarithmic(Unit::Count, readers);
            ((x, "Readers"), (Axis::logarithmic(Unit::Bytes, bytes).with_room(0.12), "Per reader"))
        })
    }
}
