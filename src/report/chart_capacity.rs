//! How many deliveries per second a server can keep up, against the number of its readers.

use serde::Serialize;

use crate::{
    harness::definition::Figure,
    report::{
        axis::Axis,
        curves::{self, Around, Curve, CurvePanel},
        palette::Look,
        summary::Summary,
        units::Unit,
    },
};

const SUBTITLE: &str = "At the highest rate that was kept: nothing lost, and the 99th percentile within the bound. \
                        Medians over the repetitions; logarithmic axes; the floor is dashed.";

/// What the chart shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Capacity {
    /// Events per second delivered to all readers together, over readers.
    pub deliveries: CurvePanel,
    /// The 99th percentile of latency at that, in microseconds, over readers.
    pub latency: CurvePanel,
    /// Clients whose runs were doubtful, with how many of how many.
    pub doubtful: Vec<(String, usize, usize)>,
}

impl Capacity {
    /// What the chart asks.
    pub(super) const TITLE: &str = "How many deliveries per second can one server keep up?";

    /// The curves of all clients whose rate was raised.
    pub(super) fn of(summary: &Summary<'_>) -> Self {
        Capacity {
            deliveries: over_readers(
                summary,
                "Deliveries per second",
                &[(Figure::CapacityDeliveriesPerSecond, 1.0)],
            ),
            latency: over_readers(summary, "Latency at that rate", &[(Figure::LatencyP99, 1.0)]),
            doubtful: doubtful(summary),
        }
    }

    /// One sentence.
    pub(super) fn caption(&self) -> String {
        let most = |curve: &Curve| {
            let best = curve.points.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1))?;
            let (readers, deliveries) = (Unit::Count.format(best.0), Unit::Count.format(best.1));
            Some(format!("{} {deliveries} per second (at {readers} readers)", curve.look.label))
        };
        let each: Vec<_> = self.deliveries.curves.iter().filter_map(most).collect();
        if each.is_empty() {
            return "No rate was raised.".to_owned();
        }
        let doubtful =
            self.doubtful.iter().map(|(label, doubtful, all)| format!("{label} {doubtful} of {all}"));
        let doubtful = doubtful.collect::<Vec<_>>().join(", ");
        let doubtful = if doubtful.is_empty() { doubtful } else { format!(" Doubtful runs: {doubtful}.") };
        format!("The most: {}.{doubtful}", each.join(", "))
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
        let panels: Vec<_> = [&self.deliveries, &self.latency]
            .into_iter()
            .filter(|it| !it.curves.is_empty())
            .cloned()
            .collect();
        curves::picture(&around, &panels, |panel| {
            let (readers, values) = curves::extent(std::slice::from_ref(panel));
            let is_latency = panel.heading == self.latency.heading;
            let (unit, title) = if is_latency {
                (Unit::Micros, "99th percentile")
            } else {
                (Unit::Count, "Deliveries per second")
            };
            let x = Axis::logarithmic(Unit::Count, readers);
            ((x, "Readers"), (Axis::logarithmic(unit, values).with_room(0.12), title))
        })
    }
}

/// How many of each client's runs were doubtful, where any was.
fn doubtful(summary: &Summary<'_>) -> Vec<(String, usize, usize)> {
    let mut all: Vec<(String, usize, usize)> = Vec::new();
    for group in &summary.groups {
        let runs = group.records.iter().filter(|record| record.capacity.is_some());
        let (count, doubtful) = (runs.clone().count(), runs.filter(|it| !it.doubtful.is_empty()).count());
        let label = &summary.series_of(group).label;
        match all.iter_mut().find(|(known, ..)| known == label) {
            Some(known) => (known.1, known.2) = (known.1 + doubtful, known.2 + count),
            None => all.push((label.clone(), doubtful, count)),
        }
    }
    all.retain(|(_, doubtful, _)| *doubtful > 0);
    all
}

/// A curve for each client over the number of its readers, of the first of these figures that it has, each with what
/// it is multiplied by. Only of runs whose rate was raised.
pub(super) fn over_readers(summary: &Summary<'_>, heading: &str, figures: &[(Figure, f64)]) -> CurvePanel {
    let mut curves: Vec<Curve> = Vec::new();
    for group in &summary.groups {
        if group.records.iter().all(|record| record.capacity.is_none()) {
            continue;
        }
        // What no step kept has no latency at a rate that was kept; what opening took of memory it has all the same.
        let is_kept = group.estimate(Figure::CapacityDeliveriesPerSecond).is_some_and(|it| it.median > 0.0);
        if !is_kept && figures.iter().any(|(figure, _)| *figure == Figure::LatencyP99) {
            continue;
        }
        let value = figures.iter().find_map(|&(figure, times)| Some(group.estimate(figure)?.median * times));
        // A logarithmic axis has no place for nothing.
        let Some(value) = value.filter(|value| *value > 0.0) else { continue };
        let look = Look::of(summary.series_of(group));
        let place = curves.iter().position(|curve| curve.look == look).unwrap_or_else(|| {
            curves.push(Curve { look, points: Vec::new(), marked: true });
            curves.len() - 1
        });
        curves[place].points.push((f64::from(group.condition.readers), value));
    }
    for curve in &mut curves {
        curve.points.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    CurvePanel { heading: heading.to_owned(), curves }
}
