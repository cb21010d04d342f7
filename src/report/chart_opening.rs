//! What it costs to open a subscription, and to keep it while nothing happens.

use serde::Serialize;

use crate::{
    harness::{definition::Figure, record::Record},
    report::{
        axis::Axis,
        canvas::{self, Align, Area, Canvas, MARGIN, WIDTH},
        chart_bytes::stacked_bar,
        figure::{Parts, application},
        font::Font,
        palette::{Colour, GRID, Look, PARTS},
        panel::{RowPanel, label_column, legend, not_run},
        statistics,
        summary::{Group, Summary},
        units::{Unit, significant},
    },
};

const LEGEND: [(Colour, &str); 3] =
    [(PARTS[1], "framing"), (PARTS[2], "HTTP heads"), (PARTS[3], "TCP/IP headers and ACKs")];

/// What the chart shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Opening {
    /// A row per client.
    pub rows: Vec<Row>,
    /// The shortest time that an idle minute was extrapolated from, in seconds; `None` where all were
    /// counted for a minute or more, or none was.
    pub extrapolated_from_s: Option<f64>,
}

/// A client's row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Row {
    /// The client.
    pub look: Look,
    /// What one reader's opening took; `None` where it was not measured.
    pub opening: Option<Parts>,
    /// The median of bytes per idle minute and reader; `None` where it was not measured.
    pub idle: Option<f64>,
    /// Whether `idle` counts TCP/IP.
    pub idle_on_wire: bool,
}

impl Opening {
    /// What the chart asks.
    pub(super) const TITLE: &str =
        "What does it cost to subscribe, and to stay subscribed while nothing happens?";

    /// One row per client that was measured without a cut.
    pub(super) fn of(summary: &Summary<'_>) -> Self {
        let mut rows = Vec::new();
        let mut shortest = f64::INFINITY;
        for (index, series) in summary.series.iter().enumerate() {
            let groups = summary.groups.iter().filter(|g| g.series == index && g.condition.fault.is_none());
            let groups: Vec<&Group<'_>> = groups.collect();
            // An idle run's opening is as good as any; where there is none, the first condition's counts.
            let idle = groups.iter().find(|group| group.condition.is_idle());
            let Some(source) = idle.or(groups.first()) else { continue };
            let opening: Vec<Parts> =
                source.records.iter().filter_map(|record| Parts::to_open(record)).collect();
            let on_wire = idle.map(|group| group.values(Figure::WireBytesPerMinute)).unwrap_or_default();
            let idle_values = match (on_wire.is_empty(), idle) {
                (true, Some(group)) => {
                    group.records.iter().filter_map(|r| application_per_minute(r)).collect()
                }
                _ => on_wire.clone(),
            };
            let counted = idle.iter().flat_map(|group| &group.records).map(|record| record.steady_s);
            shortest = counted.fold(shortest, f64::min);
            let row = Row {
                look: Look::of(series),
                opening: Parts::mean(&opening),
                idle: statistics::median(&idle_values),
                idle_on_wire: !on_wire.is_empty(),
            };
            if row.opening.is_some() || row.idle.is_some() {
                rows.push(row);
            }
        }
        Opening { rows, extrapolated_from_s: (shortest < 60.0).then_some(shortest) }
    }

    /// One sentence.
    pub(super) fn caption(&self) -> String {
        let range = |value: &dyn Fn(&Row) -> Option<f64>| {
            let mut values: Vec<(f64, &str)> =
                self.rows.iter().filter_map(|row| Some((value(row)?, row.look.label.as_str()))).collect();
            values.sort_by(|a, b| a.0.total_cmp(&b.0));
            let ((least, cheap), (most, dear)) = (*values.first()?, *values.last()?);
            let (least, most) = (Unit::Bytes.format(least), Unit::Bytes.format(most));
            Some(if cheap == dear {
                format!("{least} ({cheap})")
            } else {
                format!("from {least} ({cheap}) to {most} ({dear})")
            })
        };
        let opening = range(&|row| row.opening.map(|parts| parts.total()));
        let idle = range(&|row| row.idle);
        match (opening, idle) {
            (Some(opening), Some(idle)) => {
                format!("Subscribing takes {opening}; a minute without events takes {idle}.")
            }
            (Some(opening), None) => format!("Subscribing takes {opening}; no run was idle."),
            (None, Some(idle)) => format!("A minute without events takes {idle}."),
            (None, None) => "Nothing was counted.".to_owned(),
        }
    }

    fn subtitle(&self) -> String {
        let extrapolated = self.extrapolated_from_s.map_or(String::new(), |seconds| {
            format!(" A minute is extrapolated from {} s.", significant(seconds))
        });
        let uncounted = self.rows.iter().any(|row| {
            row.opening.is_some_and(|parts| parts.tcp_ip.is_none())
                || (row.idle.is_some() && !row.idle_on_wire)
        });
        let uncounted =
            if uncounted { " This system does not count TCP/IP bytes; they are left out." } else { "" };
        format!("Bytes in both directions, per reader.{extrapolated}{uncounted}")
    }

    /// The picture.
    ///
    /// # Errors
    /// What the drawing library says.
    pub(super) fn draw(&self) -> Result<String, String> {
        let subtitle = self.subtitle();
        let height = canvas::header_height(Self::TITLE, &subtitle)
            + 44.0
            + RowPanel::height(self.rows.len().max(4))
            + MARGIN * 0.5;
        canvas::draw(height, Self::TITLE, &self.caption(), |canvas| {
            let mut y = canvas.header(Self::TITLE, &subtitle);
            if self.rows.is_empty() {
                let area = Area { left: MARGIN, top: y, right: WIDTH - MARGIN, bottom: height - MARGIN };
                return canvas.nothing(area, "no run of this experiment has opened a subscription");
            }
            y += legend(canvas, y, &LEGEND) + 6.0;
            let looks: Vec<Look> = self.rows.iter().map(|row| row.look.clone()).collect();
            let (labels, gap) = (label_column(&looks), 36.0);
            let width = (WIDTH - 2.0 * MARGIN - labels - gap) / 2.0;
            let left = MARGIN + labels;
            self.draw_opening(canvas, (left, y, left + width)).labels(canvas, &looks);
            self.draw_idle(canvas, (left + width + gap, y, WIDTH - MARGIN));
        })
    }

    fn draw_opening(&self, canvas: &mut Canvas<'_>, ends: (f64, f64, f64)) -> RowPanel {
        let totals = self.rows.iter().filter_map(|row| Some(row.opening?.total()));
        let axis = Axis::linear(Unit::Bytes, totals).with_room(105.0 / (ends.2 - ends.0));
        let rows = RowPanel::draw(canvas, ends, "To subscribe", self.rows.len(), axis, "until it stands");
        for (index, row) in self.rows.iter().enumerate() {
            match &row.opening {
                Some(parts) => stacked_bar(canvas, &rows, index, parts),
                None => not_run(canvas, &rows, index),
            }
        }
        rows
    }

    /// Points and no bars: the axis is logarithmic, and a bar's length would mean nothing on it.
    fn draw_idle(&self, canvas: &mut Canvas<'_>, ends: (f64, f64, f64)) {
        let values = self.rows.iter().filter_map(|row| row.idle);
        let axis = Axis::logarithmic(Unit::Bytes, values).with_room(105.0 / (ends.2 - ends.0));
        let rows = RowPanel::draw(
            canvas,
            ends,
            "Per idle minute",
            self.rows.len(),
            axis,
            "per minute (logarithmic)",
        );
        for (index, row) in self.rows.iter().enumerate() {
            let Some(idle) = row.idle else {
                not_run(canvas, &rows, index);
                continue;
            };
            let (x, y) = (rows.x(idle), rows.y(index));
            canvas.line((rows.plot.left, y), (x, y), 2.0, GRID);
            canvas.marker(x, y, 6.5, row.look.marker, row.look.colour);
            let font = Font::normal().in_colour(row.look.ink()).bold();
            canvas.text(x + 14.0, y, &Unit::Bytes.format(idle), Align::Left, font);
        }
    }
}

fn application_per_minute(record: &Record) -> Option<f64> {
    let bytes = application(&record.steady) as f64;
    let readers = f64::from(record.parameters.readers.max(1));
    (record.steady_s > 0.0).then(|| bytes / record.steady_s / readers * 60.0)
}
