//! Several servers side by side: how much each delivers, what a delivery costs, and what a reader costs.

use serde::Serialize;

use crate::{
    harness::{
        definition::{Figure, Subject},
        target::Target,
    },
    report::{
        axis::Axis,
        canvas::{self, Align, Area, Canvas, MARGIN, WIDTH},
        font::{Font, HEADING},
        palette::{GRID, Look, QUIET},
        panel::{ABOVE, BELOW, ROW, horizontal_axis},
        statistics::{self, Estimate},
        summary::{Series, Summary},
        units::Unit,
    },
};

const SUBTITLE: &str = "Each point is one repetition; the line is their median and the bar its 95 % interval. \
                        Logarithmic: a grid line may be ten times the one before. A colour is a transport; shaded, \
                        with bold numbers: this project's server.";

/// Between the rows of two transports.
const APART: f64 = 10.0;
/// Beside the names of the transports.
const GAP: f64 = 16.0;

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
    /// The condition, in words.
    pub condition: String,
    /// One per transport and server, those of a transport together.
    pub rows: Vec<Row>,
}

/// One server by one transport.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Row {
    /// The client with its server, in the colour of its transport whatever the server.
    pub look: Look,
    /// The client's own name.
    pub client: String,
    /// The server's.
    pub server: String,
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
                    let server = series.target.clone().unwrap_or_else(|| Target::BUILT_IN.to_owned());
                    let client = series.label.strip_suffix(&format!(" · {server}")).unwrap_or(&series.label);
                    Some(Row {
                        // Rows bear the servers' names: a colour for each of many would say nothing more.
                        look: Look::of(&Series { variant: 0, ..series.clone() }),
                        client: client.to_owned(),
                        server,
                        estimate: statistics::estimate(&values)?,
                        values,
                        is_main: series.target == summary.target,
                    })
                });
                Panel { figure, condition: condition.describe(), rows: rows.collect() }
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
        let heading = format!("{}: {}", capital(panel.figure.label()), panel.condition);
        match (best, other) {
            (Some(best), Some(other)) if best != other => format!(
                "{}: the most is that of {}; of the other servers that of {}.",
                heading,
                words(best),
                words(other)
            ),
            (Some(best), _) => format!("{heading}: the most is that of {}.", words(best)),
            (None, _) => format!("{heading}."),
        }
    }

    /// The picture.
    ///
    /// # Errors
    /// What the drawing library says.
    pub(super) fn draw(&self) -> Result<String, String> {
        let panels = self.panels.iter().map(Panel::height).sum::<f64>();
        let height = canvas::header_height(Self::TITLE, SUBTITLE) + panels.max(160.0) + MARGIN;
        let columns = Columns::of(&self.panels);
        canvas::draw(height, Self::TITLE, &self.caption(), |canvas| {
            let mut y = canvas.header(Self::TITLE, SUBTITLE);
            if self.panels.is_empty() {
                let area = Area { left: MARGIN, top: y, right: WIDTH - MARGIN, bottom: height - MARGIN };
                canvas.nothing(area, "no run of this experiment compares servers");
            }
            for panel in &self.panels {
                draw_panel(canvas, panel, &columns, y);
                y += panel.height();
            }
        })
    }
}

impl Panel {
    /// What it takes in all.
    fn height(&self) -> f64 {
        ABOVE + self.rows_height() + BELOW
    }

    /// What its rows take, with what lies between those of two transports.
    fn rows_height(&self) -> f64 {
        let first_of_another = (1..self.rows.len()).filter(|&row| self.begins_a_client(row)).count();
        ROW * self.rows.len() as f64 + APART * first_of_another as f64
    }

    fn begins_a_client(&self, row: usize) -> bool {
        row == 0 || self.rows[row - 1].client != self.rows[row].client
    }
}

/// Where the rows' names stand: the transport's in front, the server's behind it.
struct Columns {
    clients: f64,
    servers: f64,
}

impl Columns {
    fn of(panels: &[Panel]) -> Self {
        let widest = |name: fn(&Row) -> &String, most: f64| {
            let rows = panels.iter().flat_map(|panel| &panel.rows);
            rows.map(|row| Font::normal().bold().width(name(row))).fold(0.0, f64::max).min(most)
        };
        Columns {
            clients: widest(|row| &row.client, WIDTH / 6.0),
            servers: widest(|row| &row.server, WIDTH / 5.0),
        }
    }
}

fn draw_panel(canvas: &mut Canvas<'_>, panel: &Panel, columns: &Columns, top: f64) {
    let (y, figure) = (top + HEADING * 0.9, capital(panel.figure.label()));
    canvas.text(MARGIN, y, &figure, Align::Left, Font::heading());
    let (x, quiet) = (MARGIN + Font::heading().width(&figure) + GAP, Font::normal().in_colour(QUIET));
    canvas.text(x, y, &quiet.fit(&panel.condition, WIDTH - MARGIN - x), Align::Left, quiet);
    let left = MARGIN + columns.clients + GAP + columns.servers + 12.0;
    let (top, right) = (top + ABOVE, WIDTH - MARGIN - 120.0);
    let plot = Area { left, top, right, bottom: top + panel.rows_height() };
    let values = panel.rows.iter().flat_map(|row| row.values.iter().copied());
    let axis = Axis::logarithmic(panel.figure.unit(), values);
    horizontal_axis(canvas, plot, &axis, &figure);
    let mut y = top - ROW / 2.0;
    for (index, row) in panel.rows.iter().enumerate() {
        y += ROW;
        let font = Font::normal().in_colour(row.look.ink());
        if panel.begins_a_client(index) {
            if index > 0 {
                y += APART;
                let between = y - (ROW + APART) / 2.0;
                canvas.line((MARGIN, between), (plot.right, between), 1.0, GRID);
            }
            let client = font.bold().fit(&row.client, columns.clients);
            canvas.text(MARGIN, y, &client, Align::Left, font.bold());
        }
        let font = if row.is_main { font.bold() } else { font };
        if row.is_main {
            let band = Area { left: plot.left, right: plot.right, top: y - 14.0, bottom: y + 14.0 };
            canvas.veil(band, row.look.colour, 0.12);
        }
        canvas.text(plot.left - 12.0, y, &font.fit(&row.server, columns.servers), Align::Right, font);
        draw_row(canvas, plot, &axis, panel.figure.unit(), row, y);
    }
    canvas.frame(plot);
}

fn draw_row(canvas: &mut Canvas<'_>, plot: Area, axis: &Axis, unit: Unit, row: &Row, y: f64) {
    let at = |value: f64| plot.x(axis.place(value));
    if let Some(interval) = row.estimate.interval {
        let (left, right) = (at(interval.low) - 2.0, at(interval.high) + 2.0);
        canvas.veil(Area { left, right, top: y - 9.0, bottom: y + 9.0 }, row.look.colour, 0.22);
    }
    let value = row.estimate.median;
    canvas.line((at(value), y - 12.0), (at(value), y + 12.0), 3.0, row.look.colour);
    for value in &row.values {
        canvas.marker(at(*value), y, 4.5, row.look.marker, row.look.colour);
    }
    let font = Font::normal().in_colour(row.look.ink());
    let font = if row.is_main { font.bold() } else { font };
    let text = unit.format(if value > 1_000.0 { value.round() } else { value });
    canvas.text(plot.right + 10.0, y, &font.fit(&text, WIDTH - plot.right - 14.0), Align::Left, font);
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    first + characters.as_str()
}
