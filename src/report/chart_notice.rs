//! How long a client takes to notice that its connection is dead, against the interval of the server's heartbeat.

use serde::Serialize;

use crate::{
    harness::definition::Figure,
    report::{
        axis::Axis,
        curves::{self, Around, Curve, CurvePanel, extent},
        summary::Summary,
        units::Unit,
    },
};

const SUBTITLE: &str = "Medians over the repetitions; logarithmic axes. A point on the upper edge: not noticed before the \
                        run ended.";

/// What the chart shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Notice {
    /// For each fault: milliseconds from the cut until the client gave its connection up, over milliseconds from
    /// heartbeat to heartbeat; infinite where it never did.
    pub panels: Vec<CurvePanel>,
}

impl Notice {
    /// What the chart asks.
    pub(super) const TITLE: &str = "How soon does a client notice that its connection is dead?";

    /// The curves of all faults, where the conditions say how far heartbeats lie apart.
    pub(super) fn of(summary: &Summary<'_>) -> Self {
        let panels = curves::panels_by_fault(summary, |group| {
            let heartbeat = group.records.first()?.parameters.heartbeat_ms?;
            Some((heartbeat as f64, group.estimate(Figure::NoticedMs)?.median))
        });
        Notice { panels }
    }

    /// One sentence.
    pub(super) fn caption(&self) -> String {
        let panels = self.panels.iter().map(|panel| {
            let curves: Vec<String> = panel.curves.iter().map(words).collect();
            format!("{}: {}", panel.heading, curves.join(", "))
        });
        let text = panels.collect::<Vec<_>>().join("; ");
        if text.is_empty() {
            "No connection was cut under heartbeats of a known interval.".to_owned()
        } else {
            format!("{text}.")
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
            nothing: "no run of this experiment was cut under heartbeats of a known interval",
        };
        let (intervals, times) = extent(&self.panels);
        let x = Axis::logarithmic(Unit::Millis, intervals.iter().copied());
        // Both axes span the intervals too, so that the times can be read as multiples of them.
        let y = Axis::logarithmic(Unit::Millis, times.into_iter().chain(intervals)).with_room(0.12);
        curves::picture(&around, &self.panels, |_| {
            ((x, "Interval of the server's heartbeat"), (y, "Noticed after"))
        })
    }
}

/// What a client does, in heartbeats where its time grows with them, else as it is.
fn words(curve: &Curve) -> String {
    let label = &curve.look.label;
    let (shortest, longest) = range(curve.points.iter().map(|(_, ms)| *ms));
    if shortest.is_infinite() {
        return format!("{label} never notices");
    }
    if longest.is_infinite() {
        return format!("{label} does not always notice");
    }
    let (fewest, most) = range(curve.points.iter().map(|(interval, ms)| ms / interval));
    // What keeps step with the heartbeat varies less when it is told in heartbeats.
    if most / fewest < longest / shortest {
        let span = span(&format!("{fewest:.1}"), &format!("{most:.1}"));
        format!("{label} notices after {span} heartbeats")
    } else {
        let span = span(&Unit::Millis.format(shortest), &Unit::Millis.format(longest));
        format!("{label} notices after {span}, whatever the heartbeat")
    }
}

/// Once where both are written alike.
fn span(from: &str, to: &str) -> String {
    if from == to { from.to_owned() } else { format!("{from} to {to}") }
}

fn range(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    (values.clone().fold(f64::INFINITY, f64::min), values.fold(0.0, f64::max))
}
