//! Several servers side by side: how much each delivers, what a delivery costs, and what a reader costs.

use serde::Serialize;

use crate::{
    harness::definition::{Figure, Subject},
    report::{
        axis::Axis,
        canvas::{self, Align, Area, Canvas, MARGIN, WIDTH},
        font::Font,
        palette::Look,
        panel::{RowPanel, label_column},
        statistics::{self, Estimate},
        summary::Summary,
    },
};

const SUBTITLE: &str = "Each point is one repetition; the line is their median and the bar its 95 % interval. \
                        Logarithmic: a grid line may be ten times the one before.";

/// What is compared, in this order, where it was measured.
const FIGURES: [Figure; 5] = [
    Figure::DeliveriesPerSecond,
    Figure::ServerCpuPerThousand,
    Figure::LatencyP50,
    Figure::LatencyP99,
    Figure::RssPerReaderKib,
];

/// What the chart shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Peers {
    /// One per figure and condition.
    pub panels: Vec<Panel>,
}

/// The servers under one condition.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Panel {
    /// The figure.
    pub figure: Figure,
    /// The condition.
    pub heading: String,
    /// One per transport and server.
    pub rows: Vec<Row>,
}

/// One server by one transport.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Row {
    /// The client with its server.
    pub look: Look,
    /// A value per repetition.
    pub values: Vec<f64>,
    /// Their median.
    pub estimate: Estimate,
    /// Whether the server is the one that others are compared with.
    pub is_main: bool,
}

impl Peers {
    /// What the chart asks.
    pub(super) const TITLE: &str = "How do servers compare?";

    /// All figures that several servers were measured by.
    pub(super) fn of(summary: &Summary<'_>) -> Self {
        let panels = FIGURES.into_iter().flat_map(|figure| {
            summary.conditions.iter().map(move |condition| {
                let rows = summary.under(condition).filter_map(|group| {
                    let series = summary.series_of(group);
                    // What a reader costs is told by readers that only wait.
                    let is_told = figure != Figure::RssPerReaderKib || condition.is_idle();
                    let values: Vec<f64> =
                        group.values(figure).into_iter().filter(|it| is_told && *it > 0.0).collect();
                    (series.subject != Some(Subject::Floor)).then_some(())?;
                    Some(Row {
                        look: Look::of(series),
                        estimate: statistics::estimate(&values)?,
                        values,
                        is_main: series.target == summary.target,
                    })
                });
                let heading = format!("{}: {}", capital(figure.label()), condition.describe());
                Panel { figure, heading, rows: rows.collect() }
            })
        });
        Peers { panels: panels.filter(|panel| !panel.rows.is_empty()).collect() }
    }

    /// One sentence.
    pub(super) fn caption(&self) -> String {
        let Some(panel) = self.panels.first() else { return "No server was measured.".to_owned() };
        let best = panel.rows.iter().max_by(|a, b| a.estimate.median.total_cmp(&b.estimate.median));
        let others = panel.rows.iter().filter(|row| !row.is_main);
        let other = others.max_by(|a, b| a.estimate.median.total_cmp(&b.estimate.median));
        let words = |row: &Row| {
            format!("{} ({})", row.look.label, panel.figure.unit().format(row.estimate.median.round()))
        };
        match (best, other) {
            (Some(best), Some(other)) if best != other => format!(
                "{}: the most is that of {}; of the other servers that of {}.",
                panel.heading,
                words(best),
                words(other)
            ),
            (Some(best), _) => format!("{}: the most is that of {}.", panel.heading, words(best)),
            (None, _) => format!("{}.", panel.heading),
        }
    }

    /// The picture.
    ///
    /// # Errors
    /// What the drawing library says.
    pub(super) fn draw(&self) -> Result<String, String> {
        let panels = self.panels.iter().map(|panel| RowPanel::height(panel.rows.len())).sum::<f64>();
        let height = canvas::header_height(Self::TITLE, SUBTITLE) + panels.max(160.0) + MARGIN;
        let labels = label_column(self.panels.iter().flat_map(|panel| &panel.rows).map(|row| &row.look));
        canvas::draw(height, Self::TITLE, &self.caption(), |canvas| {
            let mut y = canvas.header(Self::TITLE, SUBTITLE);
            if self.panels.is_empty() {
                let area = Area { left: MARGIN, top: y, right: WIDTH - MARGIN, bottom: height - MARGIN };
                canvas.nothing(area, "no run of this experiment compares servers");
            }
            for panel in &self.panels {
                let values = panel.rows.iter().flat_map(|row| row.values.iter().copied());
                let axis = Axis::logarithmic(panel.figure.unit(), values);
                let ends = (MARGIN + labels, y, WIDTH - MARGIN - 130.0);
                let title = capital(panel.figure.label());
                let rows = RowPanel::draw(canvas, ends, &panel.heading, panel.rows.len(), axis, &title);
                draw_rows(canvas, &rows, panel);
                y += RowPanel::height(panel.rows.len());
            }
        })
    }
}

fn draw_rows(canvas: &mut Canvas<'_>, rows: &RowPanel, panel: &Panel) {
    let looks: Vec<Look> = panel.rows.iter().map(|row| row.look.clone()).collect();
    rows.labels(canvas, &looks);
    for (index, row) in panel.rows.iter().enumerate() {
        let y = rows.y(index);
        if row.is_main {
            let band = Area { left: rows.plot.left, right: rows.plot.right, top: y - 14.0, bottom: y + 14.0 };
            canvas.veil(band, row.look.colour, 0.08);
        }
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
        for value in &row.values {
            canvas.marker(rows.x(*value), y, 4.5, row.look.marker, row.look.colour);
        }
        let value = row.estimate.median;
        let text = panel.figure.unit().format(if value > 1_000.0 { value.round() } else { value });
        let font = Font::normal().in_colour(row.look.ink());
        let text = font.fit(&text, WIDTH - rows.plot.right - 14.0);
        canvas.text(rows.plot.right + 10.0, y, &text, Align::Left, font);
    }
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    first + characters.as_str()
}
