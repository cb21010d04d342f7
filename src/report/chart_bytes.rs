//! What a delivered event costs on the wire, and what the bytes are for.

use serde::Serialize;

use crate::report::{
    axis::Axis,
    canvas::{self, Align, Area, Canvas, MARGIN, WIDTH},
    condition::Condition,
    figure::Parts,
    font::Font,
    palette::{Colour, INK, Look, PARTS},
    panel::{ROW, RowPanel, label_column, legend, not_run},
    statistics::quotient,
    summary::Summary,
    units::{Unit, significant},
};

const LEGEND: [(Colour, &str); 4] = [
    (PARTS[0], "payload"),
    (PARTS[1], "framing"),
    (PARTS[2], "HTTP heads"),
    (PARTS[3], "TCP/IP headers and ACKs"),
];

/// What the chart shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct BytesPerEvent {
    /// The conditions that all panels share.
    pub subtitle: String,
    /// The clients, a row each in every panel.
    pub clients: Vec<Look>,
    /// One per payload.
    pub panels: Vec<Panel>,
}

/// The bars of one payload.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Panel {
    /// Bytes of an event's data.
    pub payload_bytes: u32,
    /// By client; `None` where it was not measured.
    pub bars: Vec<Option<Parts>>,
}

impl BytesPerEvent {
    /// What the chart asks.
    pub(super) const TITLE: &str =
        "What does a delivered event cost on the wire, and what are the bytes for?";

    /// The bars of every payload, at the readers, rate and pattern that most clients and payloads were
    /// measured under; the table has the others.
    pub(super) fn of(summary: &Summary<'_>) -> Self {
        let bars: Vec<_> = summary
            .groups
            .iter()
            .filter(|group| group.condition.fault.is_none() && !group.condition.is_idle())
            .filter_map(|group| {
                let runs: Vec<Parts> = group.records.iter().filter_map(|r| Parts::per_event(r)).collect();
                Some((group, Parts::mean(&runs)?))
            })
            .collect();
        let alike = |a: &Condition, b: &Condition| {
            a.readers == b.readers && a.rate == b.rate && a.pattern == b.pattern
        };
        let support =
            |condition: &Condition| bars.iter().filter(|(g, _)| alike(&g.condition, condition)).count();
        let mut best: Option<&Condition> = None;
        for (group, _) in &bars {
            if best.is_none_or(|best| support(&group.condition) > support(best)) {
                best = Some(&group.condition);
            }
        }
        let Some(best) = best else {
            return BytesPerEvent { subtitle: String::new(), clients: Vec::new(), panels: Vec::new() };
        };
        let chosen: Vec<_> = bars.iter().filter(|(group, _)| alike(&group.condition, best)).collect();
        let mut rows: Vec<usize> = chosen.iter().map(|(group, _)| group.series).collect();
        rows.sort_unstable();
        rows.dedup();
        let mut payloads: Vec<u32> = chosen.iter().map(|(group, _)| group.condition.payload_bytes).collect();
        payloads.sort_unstable();
        payloads.dedup();
        let bar = |payload, row| {
            let found = chosen.iter().find(|(g, _)| g.condition.payload_bytes == payload && g.series == row);
            found.map(|(_, parts)| *parts)
        };
        let panels = payloads.into_iter().map(|payload_bytes| Panel {
            payload_bytes,
            bars: rows.iter().map(|row| bar(payload_bytes, *row)).collect(),
        });
        let panels: Vec<Panel> = panels.collect();
        let mut words = best.clone();
        words.payload_bytes = 0;
        let conditions = words.describe().replace(" of 0 B", "");
        let counted = panels.iter().flat_map(|panel| panel.bars.iter().flatten()).all(|b| b.tcp_ip.is_some());
        let note = if counted {
            ""
        } else {
            " This system does not count TCP/IP bytes for all of them: where that part is missing, it is left out."
        };
        BytesPerEvent {
            subtitle: format!("Both directions, per event and reader, without opening; {conditions}.{note}"),
            clients: rows.into_iter().map(|row| Look::of(&summary.series[row])).collect(),
            panels,
        }
    }

    /// One sentence.
    pub(super) fn caption(&self) -> String {
        let Some(panel) = self.panels.iter().find(|panel| panel.payload_bytes >= 64).or(self.panels.last())
        else {
            return "No event was delivered.".to_owned();
        };
        let mut bars: Vec<(&Look, &Parts)> = self
            .clients
            .iter()
            .zip(&panel.bars)
            .filter_map(|(look, bar)| bar.as_ref().map(|parts| (look, parts)))
            .collect();
        bars.sort_by(|a, b| a.1.total().total_cmp(&b.1.total()));
        let (Some((least, parts)), Some((most, dearest))) = (bars.first(), bars.last()) else {
            return "No event was delivered.".to_owned();
        };
        let size = Unit::Bytes.format(panel.payload_bytes.into());
        let share = 100.0 * quotient(parts.payload, parts.total());
        let cheapest = format!(
            "An event of {size} costs {} by {}, {} % of it payload",
            Unit::Bytes.format(parts.total()),
            least.label,
            significant(share.round())
        );
        if bars.len() == 1 {
            return format!("{cheapest}.");
        }
        format!(
            "{cheapest}; by {} it costs {}, {} times as much.",
            most.label,
            Unit::Bytes.format(dearest.total()),
            significant(quotient(dearest.total(), parts.total()))
        )
    }

    /// The picture.
    ///
    /// # Errors
    /// What the drawing library says.
    pub(super) fn draw(&self) -> Result<String, String> {
        let row_height = RowPanel::height(self.clients.len());
        let rows = self.panels.len().div_ceil(2).max(1) as f64;
        let height =
            canvas::header_height(Self::TITLE, &self.subtitle) + 44.0 + rows * row_height + MARGIN * 0.5;
        canvas::draw(height, Self::TITLE, &self.caption(), |canvas| {
            let mut y = canvas.header(Self::TITLE, &self.subtitle);
            if self.panels.is_empty() {
                let area = Area { left: MARGIN, top: y, right: WIDTH - MARGIN, bottom: height - MARGIN };
                return canvas.nothing(area, "no run of this experiment has delivered an event");
            }
            y += legend(canvas, y, &LEGEND) + 6.0;
            let labels = label_column(&self.clients);
            for pair in self.panels.chunks(2) {
                let gap = 30.0;
                let width =
                    (WIDTH - 2.0 * MARGIN - labels - gap * (pair.len() - 1) as f64) / pair.len() as f64;
                for (column, panel) in pair.iter().enumerate() {
                    let left = MARGIN + labels + column as f64 * (width + gap);
                    let rows = draw_panel(canvas, (left, y, left + width), panel);
                    if column == 0 {
                        rows.labels(canvas, &self.clients);
                    }
                }
                y += row_height;
            }
        })
    }
}

fn draw_panel(canvas: &mut Canvas<'_>, ends: (f64, f64, f64), panel: &Panel) -> RowPanel {
    let heading = format!("Events of {}", Unit::Bytes.format(panel.payload_bytes.into()));
    // Room for the total right of the longest bar.
    let totals = panel.bars.iter().flatten().map(|parts| parts.total());
    let axis = Axis::linear(Unit::Bytes, totals).with_room(105.0 / (ends.2 - ends.0));
    let rows = RowPanel::draw(canvas, ends, &heading, panel.bars.len(), axis, "per delivered event");
    for (index, bar) in panel.bars.iter().enumerate() {
        match bar {
            Some(parts) => stacked_bar(canvas, &rows, index, parts),
            None => not_run(canvas, &rows, index),
        }
    }
    rows
}

/// A bar of a count's parts with the total beside it.
pub(super) fn stacked_bar(canvas: &mut Canvas<'_>, rows: &RowPanel, row: usize, parts: &Parts) {
    let y = rows.y(row);
    let mut sum = 0.0;
    let sizes = [parts.payload, parts.framing, parts.heads, parts.tcp_ip.unwrap_or(0.0)];
    for (size, colour) in sizes.into_iter().zip(PARTS) {
        let (left, right) = (rows.x(sum), rows.x(sum + size));
        sum += size;
        if right - left >= 0.5 {
            canvas.rectangle(Area { left, top: y - ROW * 0.32, right, bottom: y + ROW * 0.32 }, colour);
        }
    }
    let text = Unit::Bytes.format(parts.total());
    let more = if parts.tcp_ip.is_none() { " + TCP/IP" } else { "" };
    let font = Font::normal().in_colour(INK).bold();
    canvas.text(rows.x(sum) + 8.0, y, &format!("{text}{more}"), Align::Left, font);
}
