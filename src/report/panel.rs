//! Panels: the frames, grids and labels that several charts share.

use crate::report::{
    axis::Axis,
    canvas::{Align, Area, Canvas, MARGIN, WIDTH},
    font::{Font, HEADING, NORMAL, SMALL},
    palette::{Colour, GRID, INK, Look, QUIET},
};

/// The height of one client's row.
pub(super) const ROW: f64 = 30.0;
/// What stands above a panel's plot.
pub(super) const ABOVE: f64 = HEADING * 1.9;
/// What stands below it: numbers and the axis's title.
pub(super) const BELOW: f64 = SMALL * 3.3;

/// A panel with a row per client over a common axis.
pub(super) struct RowPanel {
    /// Where the rows are.
    pub plot: Area,
    axis: Axis,
}

impl RowPanel {
    /// What a panel of so many rows takes in all.
    pub(super) fn height(rows: usize) -> f64 {
        ABOVE + rows.max(1) as f64 * ROW + BELOW
    }

    /// Draws heading, rules and axis. `left` and `right` are the ends of the plot, `top` the panel's.
    pub(super) fn draw(
        canvas: &mut Canvas<'_>,
        (left, top, right): (f64, f64, f64),
        heading: &str,
        rows: usize,
        axis: Axis,
        axis_title: &str,
    ) -> Self {
        let bottom = top + ABOVE + rows.max(1) as f64 * ROW;
        let plot = Area { left, top: top + ABOVE, right, bottom };
        canvas.text(
            left,
            top + HEADING * 0.9,
            &Font::heading().fit(heading, right - left),
            Align::Left,
            Font::heading(),
        );
        horizontal_axis(canvas, plot, &axis, axis_title);
        canvas.frame(plot);
        RowPanel { plot, axis }
    }

    /// Writes the clients' names left of the rows.
    pub(super) fn labels(&self, canvas: &mut Canvas<'_>, looks: &[Look]) {
        for (row, look) in looks.iter().enumerate() {
            let font = Font::normal().in_colour(look.ink()).bold();
            let label = font.fit(&look.label, self.plot.left - MARGIN - 12.0);
            canvas.text(self.plot.left - 12.0, self.y(row), &label, Align::Right, font);
        }
    }

    /// The middle of a row.
    pub(super) fn y(&self, row: usize) -> f64 {
        self.plot.top + (row as f64 + 0.5) * ROW
    }

    /// The place of a value.
    pub(super) fn x(&self, value: f64) -> f64 {
        self.plot.x(self.axis.place(value))
    }
}

/// How much room the clients' names need, within a third of the chart.
pub(super) fn label_column<'a>(looks: impl IntoIterator<Item = &'a Look>) -> f64 {
    let font = Font::normal().bold();
    let widest = looks.into_iter().map(|look| font.width(&look.label)).fold(0.0, f64::max);
    widest.clamp(60.0, WIDTH / 3.2) + 12.0
}

/// Grid lines from below, numbers and the title under the plot. Numbers that would touch are left out.
pub(super) fn horizontal_axis(canvas: &mut Canvas<'_>, plot: Area, axis: &Axis, title: &str) {
    let font = Font::small();
    let mut free_from = f64::NEG_INFINITY;
    for (value, label) in axis.ticks((plot.width() / 85.0).max(2.0) as usize) {
        let x = plot.x(axis.place(value));
        canvas.line((x, plot.top), (x, plot.bottom), 1.0, GRID);
        let half = font.width(&label) / 2.0;
        if x - half >= free_from && x + half <= (plot.right + 14.0).min(WIDTH - 2.0) {
            canvas.text(x, plot.bottom + SMALL * 0.95, &label, Align::Centre, font);
            free_from = x + half + 14.0;
        }
    }
    let title_font = Font::small().in_colour(INK);
    let x = (plot.left + plot.right) / 2.0;
    let title = title_font.fit(title, plot.width().max(title_font.width(title).min(plot.width() + 60.0)));
    canvas.text(x, plot.bottom + SMALL * 2.25, &title, Align::Centre, title_font);
}

/// Grid lines from the left, numbers beside them, and the title upright in front; `numbers` is false for a
/// panel that shares them with its neighbour.
pub(super) fn vertical_axis(canvas: &mut Canvas<'_>, plot: Area, axis: &Axis, title: &str, numbers: bool) {
    for (value, label) in axis.ticks((plot.height() / 38.0).max(2.0) as usize) {
        let y = plot.y(axis.place(value));
        canvas.line((plot.left, y), (plot.right, y), 1.0, GRID);
        if numbers {
            canvas.text(plot.left - 8.0, y, &label, Align::Right, Font::small());
        }
    }
    if numbers {
        let y = (plot.top + plot.bottom) / 2.0;
        let x = plot.left - 20.0 - numbers_width(axis, plot.height()).max(66.0);
        canvas.upright(x, y, title, Font::small().in_colour(INK));
    }
}

/// How wide the numbers are beside a vertical axis of this height.
pub(super) fn numbers_width(axis: &Axis, height: f64) -> f64 {
    let labels = axis.ticks((height / 38.0).max(2.0) as usize);
    labels.iter().map(|(_, label)| Font::small().width(label)).fold(0.0, f64::max)
}

/// A line of coloured boxes with their meaning; gives the height that it took.
pub(super) fn legend(canvas: &mut Canvas<'_>, top: f64, entries: &[(Colour, &str)]) -> f64 {
    let font = Font::normal();
    let (mut x, mut y) = (MARGIN, top + NORMAL * 0.7);
    for (colour, text) in entries {
        let width = 22.0 + font.width(text);
        if x + width > WIDTH - MARGIN {
            x = MARGIN;
            y += NORMAL * 1.5;
        }
        let swatch = Area { left: x, top: y - 7.0, right: x + 14.0, bottom: y + 7.0 };
        canvas.rectangle(swatch, *colour);
        canvas.text(x + 22.0, y, text, Align::Left, font);
        x += width + 26.0;
    }
    y - top + NORMAL
}

/// Moves places apart so that neighbours are at least `gap` from each other and all lie between the ends;
/// the order stays.
pub(super) fn spread(places: &[f64], gap: f64, low: f64, high: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by(|a, b| places[*a].total_cmp(&places[*b]));
    let mut result = places.to_vec();
    let mut floor = low;
    for &index in &order {
        result[index] = result[index].max(floor);
        floor = result[index] + gap;
    }
    let mut ceiling = high;
    for &index in order.iter().rev() {
        result[index] = result[index].min(ceiling);
        ceiling = result[index] - gap;
    }
    result
}

/// Quiet text in a row that has nothing to show.
pub(super) fn not_run(canvas: &mut Canvas<'_>, panel: &RowPanel, row: usize) {
    let font = Font::small().in_colour(QUIET);
    canvas.text(panel.plot.left + 10.0, panel.y(row), "not measured", Align::Left, font);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_touch_are_moved_apart_in_order() {
        let spread = spread(&[10.0, 11.0, 50.0, 99.0, 99.5], 10.0, 0.0, 100.0);
        assert_eq!(spread[..3], [10.0, 20.0, 50.0]);
        assert_eq!(spread[3..], [90.0, 100.0]);
    }
}
