//! The repetitions' medians, one point each: what differs between clients, against what differs between runs
//! of the same one.

use serde::Serialize;

use crate::{
    harness::definition::{Figure, Subject},
    report::{
        axis::Axis,
        canvas::{self, Align, Area, Canvas, MARGIN, WIDTH},
        font::Font,
        palette::{Dash, Look, QUIET},
        panel::{RowPanel, label_column},
        statistics::{self, Estimate},
        summary::Summary,
        units::{Unit, significant},
    },
};

const SUBTITLE: &str = "Each point is one repetition's median; the bar is the 95 % interval of their median. \
                        The dashed line is the floor: bare TCP.";

/// What the chart shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Strip {
    /// One per condition.
    pub panels: Vec<Panel>,
}

/// The strips under one condition.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Panel {
    /// The condition.
    pub heading: String,
    /// One per client.
    pub rows: Vec<Row>,
    /// The floor's median in microseconds; `None` where it was not run.
    pub floor: Option<f64>,
}

/// A client's strip.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Row {
    /// The client.
    pub look: Look,
    /// Each repetition's median, in microseconds.
    pub medians: Vec<f64>,
    /// Their median.
    pub estimate: Estimate,
    /// Whether this is the floor itself.
    pub is_floor: bool,
}

impl Strip {
    /// What the chart asks.
    pub(super) const TITLE: &str = "Do clients differ by more than their repetitions do?";

    /// The strips of all conditions with latencies.
    pub(super) fn of(summary: &Summary<'_>) -> Self {
        let panels = summary.conditions.iter().map(|condition| {
            let rows: Vec<Row> = summary
                .under(condition)
                .filter_map(|group| {
                    let medians = group.values(Figure::LatencyP50);
                    let series = summary.series_of(group);
                    Some(Row {
                        look: Look::of(series),
                        estimate: statistics::estimate(&medians)?,
                        medians,
                        is_floor: series.subject == Some(Subject::Floor),
                    })
                })
                .collect();
            let floor = rows.iter().find(|row| row.is_floor).map(|row| row.estimate.median);
            Panel { heading: condition.describe_among(&summary.conditions), rows, floor }
        });
        Strip { panels: panels.filter(|panel| !panel.rows.is_empty()).collect() }
    }

    /// One sentence.
    pub(super) fn caption(&self) -> String {
        let Some(panel) = self.panels.last() else { return "No latency was measured.".to_owned() };
        let mut rows: Vec<&Row> = panel.rows.iter().filter(|row| !row.is_floor).collect();
        rows.sort_by(|a, b| a.estimate.median.total_cmp(&b.estimate.median));
        let [first, rest @ ..] = rows.as_slice() else {
            return format!("{}: only the floor was measured.", panel.heading);
        };
        let time = |row: &Row| format!("{} ({})", row.look.label, Unit::Micros.format(row.estimate.median));
        let Some(last) = rest.last() else { return format!("{}: {}.", panel.heading, time(first)) };
        let floor = panel.floor.map(|floor| {
            format!(", {} times the floor", significant(statistics::quotient(first.estimate.median, floor)))
        });
        format!(
            "{}: the lowest median is that of {}{}; the highest is that of {}.",
            panel.heading,
            time(first),
            floor.unwrap_or_default(),
            time(last)
        )
    }

    /// The picture.
    ///
    /// # Errors
    /// What the drawing library says.
    pub(super) fn draw(&self) -> Result<String, String> {
        let panels = self.panels.iter().map(|panel| RowPanel::height(panel.rows.len())).sum::<f64>();
        let height = canvas::header_height(Self::TITLE, SUBTITLE) + panels.max(160.0) + MARGIN;
        let rows = self.panels.iter().flat_map(|panel| &panel.rows);
        let axis = Axis::logarithmic(Unit::Micros, rows.clone().flat_map(|row| row.medians.iter().copied()));
        let labels = label_column(rows.map(|row| &row.look));
        canvas::draw(height, Self::TITLE, &self.caption(), |canvas| {
            let mut y = canvas.header(Self::TITLE, SUBTITLE);
            if self.panels.is_empty() {
                let area = Area { left: MARGIN, top: y, right: WIDTH - MARGIN, bottom: height - MARGIN };
                canvas.nothing(area, "no run of this experiment has received an event");
            }
            for panel in &self.panels {
                // Values stand in a column of their own, where no point can lie under them.
                let ends = (MARGIN + labels, y, WIDTH - MARGIN - 200.0);
                let rows =
                    RowPanel::draw(canvas, ends, &panel.heading, panel.rows.len(), axis, "Median latency");
                draw_rows(canvas, &rows, panel);
                y += RowPanel::height(panel.rows.len());
            }
        })
    }
}

fn draw_rows(canvas: &mut Canvas<'_>, rows: &RowPanel, panel: &Panel) {
    let looks: Vec<Look> = panel.rows.iter().map(|row| row.look.clone()).collect();
    rows.labels(canvas, &looks);
    if let Some(floor) = panel.floor {
        let x = rows.x(floor);
        canvas.path(&[(x, rows.plot.top), (x, rows.plot.bottom)], 2.0, QUIET, Dash::Dashed);
    }
    for (index, row) in panel.rows.iter().enumerate() {
        let y = rows.y(index);
        if let Some(interval) = row.estimate.interval {
            let bar = Area {
                left: rows.x(interval.low) - 2.0,
                top: y - 9.0,
                right: rows.x(interval.high) + 2.0,
                bottom: y + 9.0,
            };
            canvas.veil(bar, row.look.colour, 0.22);
        }
        let x = rows.x(row.estimate.median);
        canvas.line((x, y - 12.0), (x, y + 12.0), 3.0, row.look.colour);
        for median in &row.medians {
            canvas.marker(rows.x(*median), y, 4.5, row.look.marker, row.look.colour);
        }
        let mut text = Unit::Micros.format(row.estimate.median);
        if let (Some(floor), false) = (panel.floor, row.is_floor) {
            let multiple = statistics::quotient(row.estimate.median, floor);
            text.push_str(&format!(" · {} × floor", significant(multiple)));
        }
        let font = Font::normal().in_colour(row.look.ink());
        let text = font.fit(&text, WIDTH - rows.plot.right - 14.0);
        canvas.text(rows.plot.right + 10.0, y, &text, Align::Left, font);
    }
}
