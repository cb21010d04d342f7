//! How many deliveries per second a server can keep up, against the number of its readers.

use serde::Serialize;

use crate::{
    harness::definition::Figure,
    report::{
        axis::Axis,
        curves::{self, Around, Curve, CurvePanel},
        palette::Look,
        summary::{Group, Summary},
        units::Unit,
    },
};

const SUBTITLE: &str = "At the highest rate that was kept: nothing lost, and the 99th percentile within its bound; 0 \
                        where not even the first rate was. Medians; the floor is dashed. Hollow: doubtful, the harness \
                        may have been the limit. Arrow: it kept all that was published.";

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
        let mut deliveries =
            over_readers(summary, "Deliveries per second", Figure::CapacityDeliveriesPerSecond, 1.0, |_| {
                true
            });
        let mut latency = over_readers(summary, "Latency at that rate", Figure::LatencyP99, 1.0, is_kept);
        mark(summary, &mut deliveries, is_doubtful, |curve| &mut curve.hollow);
        mark(summary, &mut latency, is_doubtful, |curve| &mut curve.hollow);
        mark(summary, &mut deliveries, is_open_ended, |curve| &mut curve.at_least);
        Capacity { deliveries, latency, doubtful: doubtful(summary) }
    }

    /// Some sentences.
    pub(super) fn caption(&self) -> String {
        let most = |curve: &Curve| {
            let best = curve.points.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1))?;
            let (readers, deliveries) = (Unit::Count.format(best.0), Unit::Count.format(best.1));
            let at_least = if curve.at_least.contains(&best.0) { "at least " } else { "" };
            Some(format!("{} {at_least}{deliveries} per second (at {readers} readers)", curve.look.label))
        };
        let each: Vec<_> = self.deliveries.curves.iter().filter_map(most).collect();
        if each.is_empty() {
            return "No rate was raised.".to_owned();
        }
        let list = |words: Vec<String>, sentence: &str| {
            if words.is_empty() { String::new() } else { format!(" {sentence}: {}.", words.join(", ")) }
        };
        let none = self.deliveries.curves.iter().filter_map(|curve| {
            let none = curve.points.iter().filter(|(_, value)| *value == 0.0);
            let readers: Vec<_> = none.map(|(readers, _)| Unit::Count.format(*readers)).collect();
            (!readers.is_empty()).then(|| format!("{} with {}", curve.look.label, readers.join(" and ")))
        });
        let none = list(none.collect(), "Not even the first rate was kept, by readers");
        let doubtful = self.doubtful.iter().map(|(label, some, all)| format!("{label} {some} of {all}"));
        let doubtful = list(doubtful.collect(), "Doubtful runs");
        format!("The most: {}.{none}{doubtful}", each.join(", "))
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
        // The same for both, so that one can be read below the other.
        let (readers, _) = curves::extent(&panels);
        curves::picture(&around, &panels, |panel| {
            let (_, values) = curves::extent(std::slice::from_ref(panel));
            let is_latency = panel.heading == self.latency.heading;
            let (unit, title) =
                if is_latency { (Unit::Micros, "99th percentile") } else { (Unit::Count, "Per second") };
            let has_nothing = values.contains(&0.0);
            let axis = Axis::logarithmic(unit, values).with_room(0.14);
            let axis = if has_nothing { axis.with_zero() } else { axis };
            ((Axis::logarithmic(Unit::Count, readers.iter().copied()), "Readers"), (axis, title))
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

/// Whether a median of these runs rests on doubtful ones: at least half are.
fn is_doubtful(group: &Group<'_>) -> bool {
    let doubtful = group.records.iter().filter(|record| !record.doubtful.is_empty()).count();
    2 * doubtful >= group.records.len()
}

/// Whether it was not the server that ended most of these runs, but that no more was published.
fn is_open_ended(group: &Group<'_>) -> bool {
    if !is_kept(group) {
        return false;
    }
    let ended =
        group.records.iter().filter_map(|record| record.capacity.as_ref()).map(|it| it.ended_by.as_str());
    2 * ended.filter(|by| ["most", "source"].contains(by)).count() > group.records.len()
}

/// What no step kept has no latency at a rate that was kept.
fn is_kept(group: &Group<'_>) -> bool {
    group.estimate(Figure::CapacityDeliveriesPerSecond).is_some_and(|it| it.median > 0.0)
}

/// Marks the points of the groups that are so.
fn mark(
    summary: &Summary<'_>,
    panel: &mut CurvePanel,
    is_so: fn(&Group<'_>) -> bool,
    marks: fn(&mut Curve) -> &mut Vec<f64>,
) {
    for group in summary.groups.iter().filter(|group| is_so(group)) {
        let (look, readers) = (Look::of(summary.series_of(group)), f64::from(group.condition.readers));
        let has_it =
            |curve: &&mut Curve| curve.look == look && curve.points.iter().any(|(at, _)| *at == readers);
        panel.curves.iter_mut().filter(has_it).for_each(|curve| marks(curve).push(readers));
    }
}

/// A curve for each client over the number of its readers, of a figure multiplied by `times`. Only of runs whose rate
/// was raised, and that `belongs` says yes to.
pub(super) fn over_readers(
    summary: &Summary<'_>,
    heading: &str,
    figure: Figure,
    times: f64,
    belongs: fn(&Group<'_>) -> bool,
) -> CurvePanel {
    let mut curves: Vec<Curve> = Vec::new();
    for group in &summary.groups {
        if group.records.iter().all(|record| record.capacity.is_none()) || !belongs(group) {
            continue;
        }
        let Some(estimate) = group.estimate(figure) else { continue };
        let look = Look::of(summary.series_of(group));
        let place = curves.iter().position(|curve| curve.look == look).unwrap_or_else(|| {
            curves.push(Curve::new(look, Vec::new(), true));
            curves.len() - 1
        });
        curves[place].points.push((f64::from(group.condition.readers), estimate.median * times));
    }
    for curve in &mut curves {
        curve.points.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    // In the order of the definition, and not of the conditions that each has points for.
    curves.sort_by_key(|curve| summary.series.iter().position(|series| series.label == curve.look.label));
    CurvePanel { heading: heading.to_owned(), curves }
}
