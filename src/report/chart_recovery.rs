//! How soon a cut connection recovers: noticed, back, caught up; and what was lost over it.

use serde::Serialize;

use crate::{
    harness::definition::Figure,
    report::{
        axis::Axis,
        canvas::{self, Align, Area, Canvas, MARGIN, WIDTH},
        condition::fault_in_words,
        font::{Font, HEADING},
        palette::{ALARM, Colour, INK, Look, Marker, QUIET, SHADE},
        panel::{RowPanel, label_column},
        statistics::Estimate,
        summary::Summary,
        units::{Unit, significant},
    },
};

const SUBTITLE: &str = "Medians, from the cut. ○ noticed · ┃ back · ◆ caught up. Losses are per run.";
/// The column of what never came, right of the axis.
const NEVER: f64 = 78.0;
const WORDS: f64 = 178.0;

/// What the chart shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct RecoveryTimes {
    /// One per condition with a fault.
    pub panels: Vec<Panel>,
}

/// The rows of one fault.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Panel {
    /// The fault.
    pub heading: String,
    /// One per client.
    pub rows: Vec<Row>,
}

/// A client's row; times in milliseconds from the cut, infinite for *never*.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Row {
    /// The client.
    pub look: Look,
    /// Until it knew.
    pub noticed: Estimate,
    /// Until it was open again.
    pub back: Estimate,
    /// Until it had everything.
    pub caught_up: Estimate,
    /// Repetitions in which it never had caught up.
    pub never: usize,
    /// Events lost: the mean over the repetitions, so that a single loss shows.
    pub lost: f64,
    /// Of those, how many no gap announced.
    pub silently: f64,
}

impl RecoveryTimes {
    /// What the chart asks.
    pub(super) const TITLE: &str = "How soon does a cut connection recover, and what is lost?";

    /// The rows of all faults.
    pub(super) fn of(summary: &Summary<'_>) -> Self {
        let cut: Vec<_> = summary.conditions.iter().filter(|c| c.is_cut()).cloned().collect();
        let panels = cut.iter().map(|condition| {
            let rows = summary.under(condition).filter_map(|group| {
                Some(Row {
                    look: Look::of(summary.series_of(group)),
                    noticed: group.estimate(Figure::NoticedMs)?,
                    back: group.estimate(Figure::BackMs)?,
                    caught_up: group.estimate(Figure::CaughtUpMs)?,
                    never: group.values(Figure::CaughtUpMs).iter().filter(|ms| ms.is_infinite()).count(),
                    lost: mean(&group.values(Figure::Lost)),
                    silently: mean(&group.values(Figure::LostSilently)),
                })
            });
            let several = cut.iter().filter(|other| other.fault == condition.fault).count() > 1;
            let fault = condition.fault.as_deref().map_or("", fault_in_words);
            let heading = if several { condition.describe_among(&cut) } else { fault.to_owned() };
            Panel { heading, rows: rows.collect() }
        });
        RecoveryTimes { panels: panels.filter(|panel| !panel.rows.is_empty()).collect() }
    }

    /// One sentence.
    pub(super) fn caption(&self) -> String {
        let sentences = self.panels.iter().filter_map(|panel| {
            let mut rows: Vec<&Row> = panel.rows.iter().collect();
            rows.sort_by(|a, b| a.caught_up.median.total_cmp(&b.caught_up.median));
            let (first, last) = (rows.first()?, rows.last()?);
            let words =
                |row: &Row| format!("{} {}", row.look.label, Unit::Millis.format(row.caught_up.median));
            Some(if rows.len() == 1 {
                format!("{}: caught up after {}", panel.heading, words(first))
            } else {
                format!("{}: first to catch up {}, last {}", panel.heading, words(first), words(last))
            })
        });
        let text = sentences.collect::<Vec<_>>().join("; ");
        if text.is_empty() { "Nothing was cut.".to_owned() } else { format!("{text}.") }
    }

    /// The picture.
    ///
    /// # Errors
    /// What the drawing library says.
    pub(super) fn draw(&self) -> Result<String, String> {
        let panels = self.panels.iter().map(|panel| RowPanel::height(panel.rows.len())).sum::<f64>();
        let height = canvas::header_height(Self::TITLE, SUBTITLE) + panels.max(140.0) + MARGIN;
        let rows = || self.panels.iter().flat_map(|panel| &panel.rows);
        let times = rows().flat_map(|row| [row.noticed.median, row.back.median, row.caught_up.median]);
        // A client that knows at once would stretch the axis by decades that nothing else uses.
        let axis = Axis::logarithmic(Unit::Millis, times.map(|ms| ms.max(0.1)));
        let labels = label_column(rows().map(|row| &row.look));
        canvas::draw(height, Self::TITLE, &self.caption(), |canvas| {
            let mut y = canvas.header(Self::TITLE, SUBTITLE);
            if self.panels.is_empty() {
                let area = Area { left: MARGIN, top: y, right: WIDTH - MARGIN, bottom: height - MARGIN };
                return canvas.nothing(area, "no run of this experiment was cut");
            }
            for panel in &self.panels {
                let ends = (MARGIN + labels, y, WIDTH - MARGIN - NEVER - WORDS);
                let rows =
                    RowPanel::draw(canvas, ends, &panel.heading, panel.rows.len(), axis, "Time from the cut");
                draw_rows(canvas, &rows, panel);
                y += RowPanel::height(panel.rows.len());
            }
        })
    }
}

fn draw_rows(canvas: &mut Canvas<'_>, rows: &RowPanel, panel: &Panel) {
    let looks: Vec<Look> = panel.rows.iter().map(|row| row.look.clone()).collect();
    rows.labels(canvas, &looks);
    let column = Area { left: rows.plot.right, right: rows.plot.right + NEVER, ..rows.plot };
    canvas.rectangle(Area { left: column.left + 1.0, ..column }, SHADE);
    let middle = (column.left + column.right) / 2.0;
    canvas.text(
        middle,
        rows.plot.top - HEADING * 0.75,
        "never",
        Align::Centre,
        Font::normal().in_colour(QUIET),
    );
    for (index, row) in panel.rows.iter().enumerate() {
        let y = rows.y(index);
        let x = |estimate: &Estimate| {
            if estimate.median.is_finite() { rows.x(estimate.median.max(0.1)) } else { middle }
        };
        let (noticed, back, caught_up) = (x(&row.noticed), x(&row.back), x(&row.caught_up));
        let low = noticed.min(back).min(caught_up);
        canvas.line((low, y), (noticed.max(back).max(caught_up), y), 2.5, row.look.colour);
        if let Some(interval) = row.caught_up.interval.filter(|interval| interval.high.is_finite()) {
            let bar = Area {
                left: rows.x(interval.low) - 1.0,
                right: rows.x(interval.high) + 1.0,
                top: y - 8.0,
                bottom: y + 8.0,
            };
            canvas.veil(bar, row.look.colour, 0.22);
        }
        // Three shapes that can be told apart where they coincide: a ring, a bar that sticks out of it, and
        // a diamond inside.
        canvas.ring(noticed, y, 8.5, row.look.colour);
        canvas.line((back, y - 13.0), (back, y + 13.0), 4.0, row.look.colour);
        canvas.marker(caught_up, y, 4.5, Marker::Diamond, row.look.colour);
        let (text, colour) = words(row);
        let font = Font::normal().in_colour(colour);
        let text = font.fit(&text, WIDTH - column.right - 14.0);
        canvas.text(column.right + 10.0, y, &text, Align::Left, font);
    }
}

fn words(row: &Row) -> (String, Colour) {
    let lost = significant(row.lost);
    let (lost, colour) = match (row.lost > 0.0, row.silently > 0.0) {
        (false, _) => ("nothing lost".to_owned(), INK),
        (true, false) => (format!("{lost} lost, said so"), INK),
        (true, true) => (format!("{lost} lost silently"), ALARM),
    };
    let sometimes = row.never > 0 && row.never < row.caught_up.n;
    let never =
        if sometimes { format!("never in {} of {}; ", row.never, row.caught_up.n) } else { String::new() };
    (format!("{never}{lost}"), colour)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
