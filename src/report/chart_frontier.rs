//! The polling frontier: how much traffic buys how much freshness, by asking more often or by not asking.

use serde::Serialize;

use crate::{
    harness::definition::{Figure, Subject},
    report::{
        axis::Axis,
        canvas::{self, Align, Area, Canvas, MARGIN, WIDTH},
        figure,
        font::{Font, HEADING, NORMAL, SMALL},
        palette::{CARD, Colour, Dash, Look, QUIET},
        panel::{horizontal_axis, vertical_axis},
        statistics,
        summary::{Group, Summary},
        units::Unit,
    },
    transport::Transport,
};

const SUBTITLE: &str = "Mean delay against wire bytes per second and reader; both axes are logarithmic. \
                        Further down is fresher, further left is cheaper.";

/// What the chart shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Frontier {
    /// At the lowest and at the highest rate that short polling was measured at most intervals under.
    pub panels: Vec<Panel>,
}

/// The points under one condition.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Panel {
    /// The condition.
    pub heading: String,
    /// Events per second.
    pub rate: f64,
    /// Short polling, from the shortest interval to the longest.
    pub curve: Vec<Point>,
    /// Everything else.
    pub points: Vec<Point>,
}

/// A client's place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Point {
    /// The client.
    pub look: Look,
    /// What stands beside the point: the interval on the curve, else the client's label.
    pub label: String,
    /// Whether this is the bare TCP stream.
    pub is_floor: bool,
    /// Wire bytes per second and reader: the median over repetitions.
    pub bytes_per_second: f64,
    /// Microseconds: the median over repetitions of the mean latency.
    pub delay_us: f64,
}

impl Frontier {
    /// What the chart asks.
    pub(super) const TITLE: &str = "What does fresher data cost: polling faster, or pushing?";

    /// The points of all fitting conditions.
    pub(super) fn of(summary: &Summary<'_>) -> Self {
        let mut conditions: Vec<_> = summary
            .conditions
            .iter()
            .filter(|condition| condition.fault.is_none() && !condition.is_idle())
            .collect();
        // Of several payloads the one next to 100 B, as a small message is what most feeds carry.
        conditions.sort_by_key(|condition| (condition.payload_bytes.abs_diff(100), condition.readers));
        let panels = conditions.into_iter().map(|condition| {
            let (heading, rate) = (condition.describe(), condition.rate);
            let mut panel = Panel { heading, rate, curve: Vec::new(), points: Vec::new() };
            for group in summary.under(condition) {
                let Some(point) = point(summary, group) else { continue };
                let polls =
                    summary.series_of(group).subject == Some(Subject::Transport(Transport::ShortPoll));
                if polls { panel.curve.push(point) } else { panel.points.push(point) }
            }
            panel.curve.sort_by(|a, b| a.delay_us.total_cmp(&b.delay_us));
            panel
        });
        let mut panels: Vec<Panel> =
            panels.filter(|panel| panel.curve.len() + panel.points.len() > 0).collect();
        let most = panels.iter().map(|panel| panel.curve.len()).max().unwrap_or(0);
        panels.retain(|panel| panel.curve.len() == most);
        // From the rarest events to the most frequent, and nothing in between: the picture shows how the
        // frontier moves, and the tables have every point.
        panels.sort_by(|a, b| a.rate.total_cmp(&b.rate));
        panels.dedup_by_key(|panel| panel.rate);
        if panels.len() > 2 {
            panels.drain(1..panels.len() - 1);
        }
        Frontier { panels }
    }

    /// One sentence.
    pub(super) fn caption(&self) -> String {
        let Some(panel) = self.panels.first() else {
            return "No delay was measured together with wire bytes.".to_owned();
        };
        let words = |point: &Point| {
            let (delay, bytes) =
                (Unit::Micros.format(point.delay_us), Unit::Bytes.format(point.bytes_per_second));
            format!("{} is {delay} late on average for {bytes} a second", point.look.label)
        };
        let freshest =
            |points: &[Point]| points.iter().min_by(|a, b| a.delay_us.total_cmp(&b.delay_us)).cloned();
        let pushed: Vec<Point> = panel.points.iter().filter(|point| !point.is_floor).cloned().collect();
        match (freshest(&panel.curve), freshest(&pushed)) {
            (Some(polled), Some(pushed)) => {
                format!("{}: {}; {}.", panel.heading, words(&polled), words(&pushed))
            }
            (Some(only), None) | (None, Some(only)) => format!("{}: {}.", panel.heading, words(&only)),
            (None, None) => format!("{}: only the floor was measured.", panel.heading),
        }
    }

    /// The picture.
    ///
    /// # Errors
    /// What the drawing library says.
    pub(super) fn draw(&self) -> Result<String, String> {
        let plot_height = if self.panels.len() > 1 { 380.0 } else { 460.0 };
        let each = HEADING * 2.0 + plot_height + SMALL * 3.6;
        let top = canvas::header_height(Self::TITLE, SUBTITLE);
        let height = top + self.panels.len().max(1) as f64 * each + MARGIN * 0.5;
        let all = || self.panels.iter().flat_map(|panel| panel.curve.iter().chain(&panel.points));
        // Twice the range at each end, as labels need room around the outermost points.
        let wide = |value: f64| [value / 2.0, value * 2.0];
        let across = Axis::logarithmic(Unit::Bytes, all().flat_map(|point| wide(point.bytes_per_second)));
        let up = Axis::logarithmic(Unit::Micros, all().flat_map(|point| wide(point.delay_us)));
        canvas::draw(height, Self::TITLE, &self.caption(), |canvas| {
            let mut y = canvas.header(Self::TITLE, SUBTITLE);
            if self.panels.is_empty() {
                let area = Area { left: MARGIN, top: y, right: WIDTH - MARGIN, bottom: height - MARGIN };
                canvas.nothing(area, "no run measured both delay and wire bytes (which only Linux counts)");
            }
            for panel in &self.panels {
                let plot_top = y + HEADING * 2.0;
                let plot = Area {
                    left: MARGIN + 92.0,
                    top: plot_top,
                    right: WIDTH - MARGIN,
                    bottom: plot_top + plot_height,
                };
                let heading = Font::heading().fit(&panel.heading, plot.width());
                canvas.text(plot.left, y + HEADING, &heading, Align::Left, Font::heading());
                horizontal_axis(canvas, plot, &across, "Wire bytes per second and reader");
                vertical_axis(canvas, plot, &up, "Mean delay", true);
                canvas.frame(plot);
                draw_points(canvas, plot, panel, &across, &up);
                y += each;
            }
        })
    }
}

fn point(summary: &Summary<'_>, group: &Group<'_>) -> Option<Point> {
    let bytes: Vec<f64> = group.records.iter().filter_map(|record| figure::wire_per_second(record)).collect();
    let series = summary.series_of(group);
    let interval = series.interval_ms.map(|ms| format!("every {}", Unit::Millis.format(ms as f64)));
    Some(Point {
        look: Look::of(series),
        is_floor: series.subject == Some(Subject::Floor),
        label: interval.unwrap_or_else(|| series.label.clone()),
        bytes_per_second: statistics::median(&bytes).filter(|bytes| *bytes > 0.0)?,
        delay_us: statistics::median(&group.values(Figure::LatencyMean)).filter(|delay| *delay > 0.0)?,
    })
}

fn draw_points(canvas: &mut Canvas<'_>, plot: Area, panel: &Panel, across: &Axis, up: &Axis) {
    let place =
        |point: &Point| (plot.x(across.place(point.bytes_per_second)), plot.y(up.place(point.delay_us)));
    let curve: Vec<_> = panel.curve.iter().map(place).collect();
    let polling = panel.curve.first().map_or(QUIET, |_| SHORT_POLL);
    canvas.path(&curve, 3.0, polling, Dash::Solid);
    let all: Vec<&Point> = panel.curve.iter().chain(&panel.points).collect();
    let mut taken: Vec<Area> = all.iter().map(|point| around(place(point), 9.0, 9.0)).collect();
    // Labels keep clear of the curve as well as of each other.
    for pair in curve.windows(2) {
        let steps = ((pair[1].0 - pair[0].0).hypot(pair[1].1 - pair[0].1) / 8.0).ceil().max(1.0);
        for step in 0..=steps as usize {
            let share = step as f64 / steps;
            let at =
                (pair[0].0 + (pair[1].0 - pair[0].0) * share, pair[0].1 + (pair[1].1 - pair[0].1) * share);
            taken.push(around(at, 2.0, 2.0));
        }
    }
    for (index, point) in all.iter().enumerate() {
        let (x, y) = place(point);
        let on_curve = index < panel.curve.len();
        let (colour, marker) = if on_curve {
            (polling, crate::report::palette::Marker::Circle)
        } else {
            (point.look.colour, point.look.marker)
        };
        canvas.marker(x, y, 8.0, marker, colour);
        let font = Font::normal().in_colour(if on_curve { colour } else { point.look.ink() }).bold();
        let label =
            if index == 0 && on_curve { format!("Short poll {}", point.label) } else { point.label.clone() };
        let label = font.fit(&label, plot.width() * 0.45);
        label_at(canvas, plot, (x, y), &label, font, &mut taken);
    }
}

/// The first client's colour of its transport, for the whole curve.
const SHORT_POLL: Colour = (199, 84, 0);

fn around((x, y): (f64, f64), half_width: f64, half_height: f64) -> Area {
    Area { left: x - half_width, top: y - half_height, right: x + half_width, bottom: y + half_height }
}

/// Puts a label where it covers nothing, as near to its point as possible, with a thin line where that is
/// not beside it.
fn label_at(
    canvas: &mut Canvas<'_>,
    plot: Area,
    (x, y): (f64, f64),
    label: &str,
    font: Font,
    taken: &mut Vec<Area>,
) {
    let (width, half) = (font.width(label), NORMAL * 0.62);
    let mut places = Vec::new();
    for away in [0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0] {
        let (dx, dy) = (14.0 + width / 2.0, away * half * 1.2);
        for down in [-dy, dy] {
            places.extend([(x + dx, y + down), (x - dx, y + down)]);
        }
        places.extend([(x, y - 22.0 - dy), (x, y + 22.0 + dy)]);
    }
    let free = |at: &(f64, f64)| {
        let area = around(*at, width / 2.0, half);
        let inside = area.left > plot.left + 2.0
            && area.right < plot.right - 2.0
            && area.top > plot.top + 2.0
            && area.bottom < plot.bottom - 2.0;
        let clear = |other: &Area| {
            area.right < other.left
                || other.right < area.left
                || area.bottom < other.top
                || other.bottom < area.top
        };
        inside && taken.iter().all(clear)
    };
    let at = places.iter().copied().find(free).unwrap_or(places[0]);
    if (at.1 - y).abs() > 34.0 {
        canvas.line(
            (x, y + (at.1 - y).signum() * 10.0),
            (at.0, at.1 - (at.1 - y).signum() * half),
            1.0,
            font.colour,
        );
    }
    canvas.veil(around(at, width / 2.0 + 2.0, half), CARD, 0.8);
    canvas.text(at.0, at.1, label, Align::Centre, font);
    taken.push(around(at, width / 2.0 + 3.0, half + 1.0));
}
