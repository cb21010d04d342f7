//! Curves in panels: what charts of something over something else share.

use serde::Serialize;

use crate::report::{
    axis::Axis,
    canvas::{self, Align, Area, Canvas, MARGIN, WIDTH},
    condition::fault_in_words,
    font::{Font, HEADING, NORMAL, SMALL},
    palette::{Colour, Dash, Look},
    panel::{horizontal_axis, numbers_width, vertical_axis},
    summary::{Group, Summary},
};

/// The height of a panel's plot.
const PLOT: f64 = 230.0;
/// What a whole panel takes.
const PANEL: f64 = HEADING * 2.0 + PLOT + SMALL * 3.8;
/// What a line of the legend takes.
const LEGEND: f64 = NORMAL * 2.0;
/// In the legend: a sample of the line, and the space behind a label.
const SAMPLE: f64 = 48.0;
const APART: f64 = 30.0;

/// Curves over a common pair of axes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct CurvePanel {
    /// What sets it apart from the others.
    pub heading: String,
    /// One or more per client.
    pub curves: Vec<Curve>,
}

/// A client's curve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Curve {
    /// The client.
    pub look: Look,
    /// From left to right.
    pub points: Vec<(f64, f64)>,
    /// Whether each point gets a marker: where they are few, and the line between them means nothing.
    pub marked: bool,
    /// Where, from left to right, a point's marker is hollow: its figures are doubtful.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hollow: Vec<f64>,
    /// Where an arrow says that it could be more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub at_least: Vec<f64>,
}

impl Curve {
    /// Points and nothing more to say of them.
    pub(super) fn new(look: Look, points: Vec<(f64, f64)>, marked: bool) -> Self {
        Curve { look, points, marked, hollow: Vec::new(), at_least: Vec::new() }
    }
}

/// An axis with what is written beside it.
pub(super) type Titled<'t> = (Axis, &'t str);

/// The largest coordinates of all curves.
pub(super) fn extent(panels: &[CurvePanel]) -> (Vec<f64>, Vec<f64>) {
    panels.iter().flat_map(|panel| &panel.curves).flat_map(|curve| curve.points.iter().copied()).unzip()
}

/// A panel per fault with a curve per client, from left to right, of the points that `point` gives for the groups
/// that have one. Panels and curves come in the groups' order.
pub(super) fn panels_by_fault(
    summary: &Summary<'_>,
    point: impl Fn(&Group<'_>) -> Option<(f64, f64)>,
) -> Vec<CurvePanel> {
    let mut panels: Vec<(&str, CurvePanel)> = Vec::new();
    for group in &summary.groups {
        let (Some(fault), Some(point)) = (group.condition.fault.as_deref(), point(group)) else { continue };
        let look = Look::of(summary.series_of(group));
        let place = panels.iter().position(|(known, _)| *known == fault).unwrap_or_else(|| {
            let heading = fault_in_words(fault).to_owned();
            panels.push((fault, CurvePanel { heading, curves: Vec::new() }));
            panels.len() - 1
        });
        let curves = &mut panels[place].1.curves;
        let curve = curves.iter().position(|curve| curve.look == look).unwrap_or_else(|| {
            curves.push(Curve::new(look, Vec::new(), true));
            curves.len() - 1
        });
        curves[curve].points.push(point);
    }
    for curve in panels.iter_mut().flat_map(|(_, panel)| &mut panel.curves) {
        curve.points.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    panels.into_iter().map(|(_, panel)| panel).collect()
}

/// What stands around the curves of a picture.
pub(super) struct Around<'t> {
    /// What it asks.
    pub title: &'t str,
    /// How to read it.
    pub subtitle: &'t str,
    /// What it answers, in one sentence.
    pub caption: &'t str,
    /// What it says where there is no curve.
    pub nothing: &'t str,
}

/// A whole picture: one panel below the other, each with the axes that `axes` gives for it.
///
/// # Errors
/// What the drawing library says.
pub(super) fn picture<'t>(
    around: &Around<'_>,
    panels: &[CurvePanel],
    axes: impl Fn(&CurvePanel) -> (Titled<'t>, Titled<'t>),
) -> Result<String, String> {
    let Around { title, subtitle, caption, nothing } = *around;
    let curves = LEGEND * legend(panels).len().max(1) as f64 + PANEL * panels.len().max(1) as f64;
    let height = canvas::header_height(title, subtitle) + curves + MARGIN;
    canvas::draw(height, title, caption, |canvas| {
        let y = canvas.header(title, subtitle);
        if panels.is_empty() {
            let area = Area { left: MARGIN, top: y, right: WIDTH - MARGIN, bottom: height - MARGIN };
            return canvas.nothing(area, nothing);
        }
        draw(canvas, y, panels, axes);
    })
}

fn draw<'t>(
    canvas: &mut Canvas<'_>,
    top: f64,
    panels: &[CurvePanel],
    axes: impl Fn(&CurvePanel) -> (Titled<'t>, Titled<'t>),
) {
    let lines = legend(panels);
    draw_legend(canvas, top, &lines);
    let top = top + LEGEND * lines.len() as f64;
    // The same for all panels, so that their horizontal axes lie below each other.
    let numbers = panels.iter().map(|panel| numbers_width(&axes(panel).1.0, PLOT)).fold(66.0, f64::max);
    for (index, panel) in panels.iter().enumerate() {
        let top = top + PANEL * index as f64 + HEADING * 2.0;
        let plot =
            Area { left: MARGIN + 30.0 + numbers, top, right: WIDTH - MARGIN - 20.0, bottom: top + PLOT };
        let heading = Font::heading().fit(&panel.heading, plot.width());
        canvas.text(plot.left, plot.top - HEADING * 0.9, &heading, Align::Left, Font::heading());
        let ((x, x_title), (y, y_title)) = axes(panel);
        vertical_axis(canvas, plot, &y, y_title, true);
        horizontal_axis(canvas, plot, &x, x_title);
        canvas.frame(plot);
        for curve in &panel.curves {
            let line: Vec<_> = curve
                .points
                .iter()
                .map(|(at, value)| (plot.x(x.place(*at)), plot.y(y.place(*value))))
                .collect();
            canvas.path(&line, 3.0, curve.look.colour, curve.look.dash);
            for ((x, y), (at, _)) in line.into_iter().zip(&curve.points).filter(|_| curve.marked) {
                let draw = if curve.hollow.contains(at) { Canvas::hollow_marker } else { Canvas::marker };
                draw(canvas, x, y, 6.0, curve.look.marker, curve.look.colour);
                if curve.at_least.contains(at) {
                    arrow_up(canvas, x, y - 10.0, curve.look.colour);
                }
            }
        }
    }
}

/// A short arrow that begins there.
fn arrow_up(canvas: &mut Canvas<'_>, x: f64, y: f64, colour: Colour) {
    let tip = y - 14.0;
    canvas.line((x, y), (x, tip), 2.0, colour);
    canvas.path(&[(x - 4.0, tip + 5.0), (x, tip), (x + 4.0, tip + 5.0)], 2.0, colour, Dash::Solid);
}

/// Every client once, in lines that are no wider than the picture.
fn legend(panels: &[CurvePanel]) -> Vec<Vec<&Look>> {
    let mut lines: Vec<Vec<&Look>> = Vec::new();
    let mut x = MARGIN;
    for look in panels.iter().flat_map(|panel| &panel.curves).map(|curve| &curve.look) {
        if lines.iter().flatten().any(|known| *known == look) {
            continue;
        }
        let width = SAMPLE + Font::normal().bold().width(&look.label);
        if lines.is_empty() || x + width > WIDTH - MARGIN {
            lines.push(Vec::new());
            x = MARGIN;
        }
        x += width + APART;
        lines.last_mut().into_iter().for_each(|line| line.push(look));
    }
    lines
}

fn draw_legend(canvas: &mut Canvas<'_>, top: f64, lines: &[Vec<&Look>]) {
    for (number, line) in lines.iter().enumerate() {
        let (mut x, y) = (MARGIN, top + LEGEND * number as f64 + NORMAL * 0.8);
        for look in line {
            canvas.path(&[(x, y), (x + 38.0, y)], 3.0, look.colour, look.dash);
            canvas.marker(x + 19.0, y, 5.5, look.marker, look.colour);
            let font = Font::normal().in_colour(look.ink()).bold();
            canvas.text(x + SAMPLE, y, &look.label, Align::Left, font);
            x += SAMPLE + font.width(&look.label) + APART;
        }
    }
}
