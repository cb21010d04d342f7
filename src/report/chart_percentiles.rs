//! Latency against percentile: how long most events take, and how long the unlucky ones do.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::{
    harness::definition::Subject,
    report::{
        axis::Axis,
        canvas::{self, Align, Area, Canvas, MARGIN, WIDTH},
        font::{Font, HEADING, NORMAL, SMALL},
        palette::{Dash, GRID, Look},
        panel::{spread, vertical_axis},
        summary::{Group, Summary},
        units::Unit,
    },
};

const PLOT_HEIGHT: f64 = 380.0;
const SUBTITLE: &str = "From the intended time of publishing to the reader, over all repetitions; \
                        logarithmic.";
const CLOSED_LOOP: &str = " Dotted: the same events as a closed loop counts them, from when it got round to \
                           publishing each.";
/// The percentiles that the axis names.
const NAMED: [(f64, &str); 4] = [(0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %")];

/// What the chart shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Percentiles {
    /// One per condition.
    pub panels: Vec<Panel>,
}

/// The curves under one condition.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Panel {
    /// The condition.
    pub heading: String,
    /// One per client.
    pub curves: Vec<Curve>,
}

/// A client's curve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Curve {
    /// The client.
    pub look: Look,
    /// Whether this is the bare TCP stream.
    pub is_floor: bool,
    /// Whether it counts as a closed loop does, beside the same client's curve that counts from the intended
    /// time.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub closed_loop: bool,
    /// Shares of the events, from 0 to at most 0.999, with the latency in microseconds that they stay within.
    pub points: Vec<(f64, f64)>,
}

impl Percentiles {
    /// What the chart asks.
    pub(super) const TITLE: &str = "How long does an event take to arrive?";

    /// The curves of all conditions with latencies.
    pub(super) fn of(summary: &Summary<'_>) -> Self {
        let panels = summary.conditions.iter().map(|condition| Panel {
            heading: condition.describe_among(&summary.conditions),
            curves: summary.under(condition).flat_map(|group| curves(summary, group)).collect(),
        });
        Percentiles { panels: panels.filter(|panel| !panel.curves.is_empty()).collect() }
    }

    /// One sentence.
    pub(super) fn caption(&self) -> String {
        let Some(panel) = self.panels.last() else { return "No latency was measured.".to_owned() };
        let at = |curve: &Curve, share: f64| {
            let point = curve.points.iter().rev().find(|(each, _)| *each <= share + 1e-9);
            point.map_or(f64::NAN, |(_, latency)| *latency)
        };
        let compared = || panel.curves.iter().filter(|curve| !curve.is_floor && !curve.closed_loop);
        let fastest = compared().min_by(|a, b| at(a, 0.5).total_cmp(&at(b, 0.5)));
        let slowest = compared().max_by(|a, b| at(a, 0.5).total_cmp(&at(b, 0.5)));
        let closed: Vec<String> = panel
            .curves
            .iter()
            .filter(|curve| curve.closed_loop)
            .map(|curve| format!("{} within {}", curve.look.label, Unit::Micros.format(at(curve, 0.99))))
            .collect();
        let closed = match closed.as_slice() {
            [] => String::new(),
            all => format!(" A closed loop says of the same events that 99 % are there: {}.", all.join(", ")),
        };
        let words = |curve: &Curve| {
            let time = |share| Unit::Micros.format(at(curve, share));
            format!(
                "{} has half of the events there within {} and 99 % within {}",
                curve.look.label,
                time(0.5),
                time(0.99)
            )
        };
        match (fastest, slowest) {
            (Some(fastest), Some(slowest)) if fastest != slowest => {
                format!("{}: {}; {}.{closed}", panel.heading, words(fastest), words(slowest))
            }
            (Some(only), _) => format!("{}: {}.{closed}", panel.heading, words(only)),
            (None, _) => format!("{}: only the floor was measured.", panel.heading),
        }
    }

    /// The picture.
    ///
    /// # Errors
    /// What the drawing library says.
    pub(super) fn draw(&self) -> Result<String, String> {
        let lies = self.panels.iter().flat_map(|panel| &panel.curves).any(|curve| curve.closed_loop);
        let subtitle = format!("{SUBTITLE}{}", if lies { CLOSED_LOOP } else { "" });
        let top = canvas::header_height(Self::TITLE, &subtitle);
        let rows = self.panels.chunks(2);
        let row_height = HEADING * 2.0 + PLOT_HEIGHT + SMALL * 3.6;
        let height = top + rows.len().max(1) as f64 * row_height + MARGIN * 0.5;
        canvas::draw(height, Self::TITLE, &self.caption(), |canvas| {
            let mut y = canvas.header(Self::TITLE, &subtitle);
            if self.panels.is_empty() {
                let area = Area { left: MARGIN, top: y, right: WIDTH - MARGIN, bottom: height - MARGIN };
                canvas.nothing(area, "no run of this experiment has received an event");
            }
            let latencies = self.panels.iter().flat_map(|panel| &panel.curves);
            let latencies = latencies.flat_map(|curve| curve.points.iter().map(|(_, latency)| *latency));
            let axis = Axis::logarithmic(Unit::Micros, latencies);
            for row in rows {
                draw_row(canvas, y, row, &axis);
                y += row_height;
            }
        })
    }
}

/// A client's curve, and the one that a closed loop would draw of the same events where there was one.
fn curves(summary: &Summary<'_>, group: &Group<'_>) -> impl Iterator<Item = Curve> {
    let series = summary.series_of(group);
    let is_floor = series.subject == Some(Subject::Floor);
    let look = Look::of(series);
    let closed = Look { label: format!("{}, closed loop", look.label), dash: Dash::Dotted, ..look.clone() };
    let curve = |look, closed_loop, histogram: &Option<Histogram<u64>>| Curve {
        look,
        is_floor,
        closed_loop,
        points: points(histogram.as_ref()),
    };
    [curve(look, false, &group.histogram), curve(closed, true, &group.closed_loop)]
        .into_iter()
        .filter(|curve| !curve.points.is_empty())
}

/// One point at every half per cent, and in the tail at every tenth of a decade; up to the last percentile
/// that so many samples have, as beyond it the curve would only repeat the longest.
fn points(histogram: Option<&Histogram<u64>>) -> Vec<(f64, f64)> {
    let Some(histogram) = histogram.filter(|histogram| !histogram.is_empty()) else {
        return Vec::new();
    };
    let last = (1.0 - 1.0 / histogram.len() as f64).min(0.999);
    let body = (0..=18).map(|step| f64::from(step) * 0.05);
    let tail = (1..=20).map(|step| 1.0 - 10.0_f64.powf(-1.0 - f64::from(step) / 10.0));
    let shares = body.chain(tail).filter(|share| *share <= last + 1e-9);
    shares.map(|share| (share, histogram.value_at_quantile(share) as f64)).collect()
}

/// Nines: 0 %, 90 %, 99 % and 99.9 % lie equally far apart.
fn nines(share: f64) -> f64 {
    -(1.0 - share).max(1e-9).log10() / 3.0
}

fn draw_row(canvas: &mut Canvas<'_>, top: f64, panels: &[Panel], axis: &Axis) {
    let looks = ends(panels);
    let font = Font { size: SMALL, ..Font::normal().bold() };
    let widest = looks.iter().map(|(look, _)| font.width(&look.label)).fold(0.0, f64::max);
    let (left, gap, labels) = (MARGIN + 92.0, 34.0, widest.min(245.0) + 46.0);
    let each = (WIDTH - MARGIN - labels - left - gap * (panels.len() - 1) as f64) / panels.len() as f64;
    let mut end = left;
    for (index, panel) in panels.iter().enumerate() {
        let start = left + index as f64 * (each + gap);
        let plot = Area {
            left: start,
            top: top + HEADING * 2.0,
            right: start + each,
            bottom: top + HEADING * 2.0 + PLOT_HEIGHT,
        };
        draw_panel(canvas, plot, panel, axis, index == 0);
        end = plot.right;
    }
    let (low, high) = (top + HEADING * 2.0 + 8.0, top + HEADING * 2.0 + PLOT_HEIGHT - 8.0);
    let area =
        Area { left: 0.0, top: top + HEADING * 2.0, right: WIDTH, bottom: top + HEADING * 2.0 + PLOT_HEIGHT };
    let wished: Vec<f64> = looks.iter().map(|(_, latency)| area.y(axis.place(*latency))).collect();
    for ((look, _), (y, from)) in
        looks.iter().zip(spread(&wished, NORMAL * 1.35, low, high).iter().zip(&wished))
    {
        canvas.path(&[(end + 3.0, *from), (end + 18.0, *y)], 1.5, look.colour, look.dash);
        canvas.marker(end + 27.0, *y, 5.5, look.marker, look.colour);
        let text = font.fit(&look.label, WIDTH - MARGIN * 0.5 - end - 38.0);
        canvas.text(end + 38.0, *y, &text, Align::Left, font.in_colour(look.ink()));
    }
}

/// Every client of a row of panels, with where its curve ends in the last panel that has it.
fn ends(panels: &[Panel]) -> Vec<(&Look, f64)> {
    let mut ends: Vec<(&Look, f64)> = Vec::new();
    for curve in panels.iter().flat_map(|panel| &panel.curves) {
        let Some((_, latency)) = curve.points.last() else { continue };
        match ends.iter_mut().find(|(look, _)| **look == curve.look) {
            Some(end) => end.1 = *latency,
            None => ends.push((&curve.look, *latency)),
        }
    }
    ends
}

fn draw_panel(canvas: &mut Canvas<'_>, plot: Area, panel: &Panel, axis: &Axis, first: bool) {
    let heading = Font::heading().fit(&panel.heading, plot.width());
    canvas.text(plot.left, plot.top - HEADING * 0.9, &heading, Align::Left, Font::heading());
    vertical_axis(canvas, plot, axis, "Latency", first);
    for (share, label) in NAMED {
        let x = plot.x(nines(share));
        canvas.line((x, plot.top), (x, plot.bottom), 1.0, GRID);
        let align = if share > 0.99 { Align::Right } else { Align::Centre };
        let x = if share > 0.99 { x + 14.0 } else { x };
        canvas.text(x, plot.bottom + SMALL * 0.95, label, align, Font::small());
    }
    canvas.frame(plot);
    let below = Font::small().in_colour(crate::report::palette::INK);
    let x = (plot.left + plot.right) / 2.0;
    canvas.text(x, plot.bottom + SMALL * 2.3, "of the events arrive within", Align::Centre, below);
    for curve in &panel.curves {
        // A curve that ends early, for want of samples, is led on to its label.
        if let Some((share, latency)) = curve.points.last() {
            let y = plot.y(axis.place(*latency));
            canvas.line((plot.x(nines(*share)), y), (plot.right, y), 1.0, curve.look.colour);
        }
        let place = |(share, latency): &(f64, f64)| (plot.x(nines(*share)), plot.y(axis.place(*latency)));
        let line: Vec<_> = curve.points.iter().map(place).collect();
        canvas.path(&line, 3.0, curve.look.colour, curve.look.dash);
        for (named, _) in NAMED {
            if let Some(point) = curve.points.iter().find(|(share, _)| (share - named).abs() < 1e-6) {
                let (x, y) = place(point);
                canvas.marker(x, y, 5.0, curve.look.marker, curve.look.colour);
            }
        }
    }
}
