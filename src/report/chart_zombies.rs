//! How long a server counts readers that are gone, against the interval of its heartbeat.

use serde::Serialize;

use crate::{
    harness::definition::Figure,
    report::{
        axis::Axis,
        curves::{self, Around, CurvePanel, extent},
        summary::Summary,
        units::Unit,
    },
};

const SUBTITLE: &str = "Medians over the repetitions; logarithmic axes. A point on the upper edge: still counted when \
                        the run ended.";

/// What the chart shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Zombies {
    /// For each fault: milliseconds from the cut until the dead were no longer counted, over milliseconds
    /// from heartbeat to heartbeat; infinite where they still were at the end.
    pub panels: Vec<CurvePanel>,
}

impl Zombies {
    /// What the chart asks.
    pub(super) const TITLE: &str = "How long does the server keep readers that are gone?";

    /// The curves of all faults that make dead readers.
    pub(super) fn of(summary: &Summary<'_>) -> Self {
        let panels = curves::panels_by_fault(summary, |group| {
            let heartbeat = group.records.iter().find_map(|it| Some(it.zombies.as_ref()?.heartbeat_ms))?;
            Some((heartbeat as f64, group.estimate(Figure::ZombieMs)?.median))
        });
        Zombies { panels }
    }

    /// One sentence.
    pub(super) fn caption(&self) -> String {
        let panels = self.panels.iter().map(|panel| {
            let curves = panel.curves.iter().map(|curve| {
                let mut heartbeats: Vec<f64> =
                    curve.points.iter().map(|(interval, ms)| ms / interval).collect();
                heartbeats.sort_by(f64::total_cmp);
                match heartbeats.as_slice() {
                    [.., longest] if longest.is_infinite() => {
                        format!("{} is not let go of", curve.look.label)
                    }
                    [shortest, .., longest] => {
                        format!(
                            "{} is let go of after {shortest:.1} to {longest:.1} heartbeats",
                            curve.look.label
                        )
                    }
                    [only] => format!("{} is let go of after {only:.1} heartbeats", curve.look.label),
                    [] => String::new(),
                }
            });
            format!("{}: {}", panel.heading, curves.collect::<Vec<_>>().join(", "))
        });
        let text = panels.collect::<Vec<_>>().join("; ");
        if text.is_empty() { "No reader was left for dead.".to_owned() } else { format!("{text}.") }
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
            nothing: "no run of this experiment left a reader for dead",
        };
        let (intervals, times) = extent(&self.panels);
        let x = Axis::logarithmic(Unit::Millis, intervals.iter().copied());
        // Both axes span the intervals too, so that the times can be read as multiples of them.
        let y = Axis::logarithmic(Unit::Millis, times.into_iter().chain(intervals)).with_room(0.12);
        curves::picture(&around, &self.panels, |_| {
            ((x, "Interval of the server's heartbeat"), (y, "Still counted for"))
        })
    }
}
