//! What a reader sees when its connection is cut: one run per client and fault, moment by moment.

use serde::Serialize;

use crate::{
    harness::record::{Moment, MomentKind, Record},
    report::{
        axis::Axis,
        canvas::{self, Area, Canvas, MARGIN, WIDTH},
        condition::fault_in_words,
        palette::{ALARM, Colour, INK, Look, Marker},
        panel::{ROW, RowPanel, label_column, legend},
        summary::{Group, Summary},
        units::Unit,
    },
};

const SUBTITLE: &str = "Each row is one run: its first reader, in the repetition that took the middle time to recover. \
                        Upper ticks: published; lower ticks: received; ◆ caught up.";
const PUBLISHED: Colour = (120, 128, 142);
/// The veils' colours as they look on white, for the legend.
const UNNOTICED: Colour = (224, 163, 170);
const REOPENING: Colour = (244, 219, 168);

/// What the chart shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Timeline {
    /// One per condition with a fault.
    pub panels: Vec<Panel>,
}

/// The rows of one fault.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Panel {
    /// The fault.
    pub heading: String,
    /// One per client.
    pub lanes: Vec<Lane>,
    /// Seconds from the cut to the end of what is shown.
    pub until: f64,
}

/// A client's row; all times in seconds from the cut.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Lane {
    /// The client.
    pub look: Look,
    /// When events were published.
    pub published: Vec<f64>,
    /// When those were published that the reader never got.
    pub lost: Vec<f64>,
    /// When the reader got one.
    pub received: Vec<f64>,
    /// When the fault was over; `None` where that is not recorded.
    pub mended: Option<f64>,
    /// When the client knew.
    pub noticed: Option<f64>,
    /// When it was open again.
    pub back: Option<f64>,
    /// When it had everything.
    pub caught_up: Option<f64>,
}

impl Timeline {
    /// What the chart asks.
    pub(super) const TITLE: &str = "What does a reader see when its connection is cut?";

    /// The rows of all faults.
    pub(super) fn of(summary: &Summary<'_>) -> Self {
        let cut = summary.conditions.iter().filter(|condition| condition.is_cut());
        let cut: Vec<_> = cut.cloned().collect();
        let panels = cut.iter().map(|condition| {
            let lanes = summary.under(condition).filter_map(|group| lane(summary, group));
            let lanes: Vec<Lane> = lanes.collect();
            let fault = condition.fault.as_deref().map_or("", fault_in_words);
            let alike =
                cut.iter().filter(|other| other.fault == condition.fault).cloned().collect::<Vec<_>>();
            let heading = match alike.as_slice() {
                [_] => fault.to_owned(),
                _ => condition.describe_among(&cut),
            };
            Panel { heading, until: until(&lanes), lanes }
        });
        Timeline { panels: panels.filter(|panel| !panel.lanes.is_empty()).collect() }
    }

    /// One sentence.
    pub(super) fn caption(&self) -> String {
        let lanes = || self.panels.iter().flat_map(|panel| panel.lanes.iter().map(move |lane| (panel, lane)));
        if self.panels.is_empty() {
            return "No cut was recorded.".to_owned();
        }
        let never: Vec<String> = lanes()
            .filter(|(_, lane)| lane.back.is_none())
            .map(|(panel, lane)| format!("{} ({})", lane.look.label, panel.heading))
            .collect();
        let slowest = lanes()
            .filter_map(|(panel, lane)| Some((lane.caught_up.or(lane.back)?, panel, lane)))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let slowest = slowest.map(|(seconds, panel, lane)| {
            format!(
                "The longest recovery shown took {}: {} ({}).",
                Unit::Millis.format(seconds * 1e3),
                lane.look.label,
                panel.heading
            )
        });
        let never = (!never.is_empty()).then(|| format!("Never back: {}.", never.join(", ")));
        [slowest, never].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// The picture.
    ///
    /// # Errors
    /// What the drawing library says.
    pub(super) fn draw(&self) -> Result<String, String> {
        let panels = self.panels.iter().map(|panel| RowPanel::height(panel.lanes.len())).sum::<f64>();
        let height = canvas::header_height(Self::TITLE, SUBTITLE) + 70.0 + panels.max(120.0) + MARGIN * 0.5;
        let lanes = self.panels.iter().flat_map(|panel| &panel.lanes);
        let labels = label_column(lanes.map(|lane| &lane.look));
        canvas::draw(height, Self::TITLE, &self.caption(), |canvas| {
            let mut y = canvas.header(Self::TITLE, SUBTITLE);
            if self.panels.is_empty() {
                let area = Area { left: MARGIN, top: y, right: WIDTH - MARGIN, bottom: height - MARGIN };
                return canvas.nothing(area, "no run of this experiment was cut and kept its timeline");
            }
            let entries = [
                (PUBLISHED, "published"),
                (ALARM, "published and lost"),
                (UNNOTICED, "cut, not noticed"),
                (REOPENING, "noticed, not back"),
            ];
            y += legend(canvas, y, &entries) + 6.0;
            for panel in &self.panels {
                let axis = Axis::between(Unit::Millis, -0.15 * panel.until * 1e3, panel.until * 1e3);
                let ends = (MARGIN + labels, y, WIDTH - MARGIN - 12.0);
                let rows = RowPanel::draw(
                    canvas,
                    ends,
                    &panel.heading,
                    panel.lanes.len(),
                    axis,
                    "Time from the cut",
                );
                let looks: Vec<Look> = panel.lanes.iter().map(|lane| lane.look.clone()).collect();
                rows.labels(canvas, &looks);
                for (row, lane) in panel.lanes.iter().enumerate() {
                    draw_lane(canvas, &rows, row, lane, panel.until);
                }
                let x = rows.x(0.0);
                canvas.line((x, rows.plot.top), (x, rows.plot.bottom), 2.5, ALARM);
                y += RowPanel::height(panel.lanes.len());
            }
        })
    }
}

fn lane(summary: &Summary<'_>, group: &Group<'_>) -> Option<Lane> {
    let record = middle(group)?;
    let recovery = record.recovery.as_ref()?;
    let moments = |kind: MomentKind| record.timeline.iter().filter(move |moment| moment.what == kind);
    let cut_ms = moments(MomentKind::Cut).next().map_or(recovery.cut_ms - record.started_ms, |cut| cut.at_ms);
    let seconds = |moment: &Moment| (moment.at_ms - cut_ms) / 1e3;
    let got: std::collections::HashSet<&str> =
        moments(MomentKind::Received).map(|moment| moment.detail.as_str()).collect();
    // What was on its way when the run ended is not lost; only what the count of losses covers is drawn so.
    let missing = moments(MomentKind::Published).filter(|moment| !got.contains(moment.detail.as_str()));
    let lost = if record.lost > 0 { missing.map(seconds).collect() } else { Vec::new() };
    let after = |time: Option<f64>| time.map(|ms| ms / 1e3);
    Some(Lane {
        look: Look::of(summary.series_of(group)),
        published: moments(MomentKind::Published).map(seconds).collect(),
        lost,
        received: moments(MomentKind::Received).map(seconds).collect(),
        mended: moments(MomentKind::Mended).next().map(seconds),
        noticed: after(recovery.noticed_ms),
        back: after(recovery.back_ms),
        caught_up: after(recovery.caught_up_ms),
    })
}

/// The repetition in the middle, by the time until it had caught up.
fn middle<'a>(group: &Group<'a>) -> Option<&'a Record> {
    let mut records: Vec<&'a Record> = group
        .records
        .iter()
        .copied()
        .filter(|record| record.recovery.is_some() && !record.timeline.is_empty())
        .collect();
    let time =
        |record: &Record| record.recovery.and_then(|recovery| recovery.caught_up_ms).unwrap_or(f64::INFINITY);
    records.sort_by(|a, b| time(a).total_cmp(&time(b)));
    records.get(records.len().saturating_sub(1) / 2).copied()
}

/// A little longer than the last return; all of the run where somebody never returned.
fn until(lanes: &[Lane]) -> f64 {
    let last = |lane: &Lane| {
        lane.published
            .iter()
            .chain(&lane.received)
            .copied()
            .filter(|time| time.is_finite())
            .fold(0.0, f64::max)
    };
    let end = lanes.iter().map(|lane| match lane.caught_up {
        Some(time) => (time * 1.25).min(last(lane).max(time)),
        None => last(lane),
    });
    let end = end.fold(0.0, f64::max);
    if end > 0.0 { end } else { 1.0 }
}

fn draw_lane(canvas: &mut Canvas<'_>, rows: &RowPanel, row: usize, lane: &Lane, until: f64) {
    let y = rows.y(row);
    let x = |seconds: f64| rows.x(seconds * 1e3);
    let low = -0.15 * until;
    let shown = |seconds: &&f64| (low..=until).contains(*seconds);
    let noticed = lane.noticed.unwrap_or(until);
    let back = lane.back.unwrap_or(until);
    let band = |from: f64, to: f64| Area {
        left: x(from),
        top: y - ROW * 0.42,
        right: x(to),
        bottom: y + ROW * 0.42,
    };
    canvas.rectangle(band(0.0, noticed.min(back)), UNNOTICED);
    if back > noticed {
        canvas.rectangle(band(noticed, back), REOPENING);
    }
    for time in lane.published.iter().filter(shown) {
        canvas.line((x(*time), y - ROW * 0.36), (x(*time), y - ROW * 0.1), 1.5, PUBLISHED);
    }
    for time in lane.lost.iter().filter(shown) {
        canvas.line((x(*time), y - ROW * 0.42), (x(*time), y - ROW * 0.02), 2.5, ALARM);
    }
    for time in lane.received.iter().filter(shown) {
        canvas.line((x(*time), y + ROW * 0.06), (x(*time), y + ROW * 0.36), 2.0, lane.look.colour);
    }
    if let Some(time) = lane.caught_up.filter(|time| *time <= until) {
        canvas.marker(x(time), y, 6.0, Marker::Diamond, INK);
    }
}
