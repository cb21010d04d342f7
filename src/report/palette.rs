//! Which colour, marker and dash stand for what, the same on every chart.
//!
//! The transports' colours are Okabe and Ito's, which people with every kind of colour vision tell apart,
//! darkened where they would be too pale as text on white; a second client of a transport keeps its hue
//! and differs in lightness, marker and dash, so that no chart relies on colour alone.

use crate::{harness::definition::Subject, report::summary::Series, transport::Transport};

/// A colour, as red, green and blue.
pub(super) type Colour = (u8, u8, u8);

/// The card behind every chart. White on light and dark pages alike, so that one palette serves both.
pub(super) const CARD: Colour = (255, 255, 255);
/// Titles and labels.
pub(super) const INK: Colour = (26, 32, 44);
/// Axes' numbers, second lines.
pub(super) const QUIET: Colour = (82, 90, 105);
/// Grid lines and frames.
pub(super) const GRID: Colour = (221, 225, 231);
/// The ground of what needs to be set off.
pub(super) const SHADE: Colour = (243, 244, 247);
/// What is wrong: lost events, and a cut.
pub(super) const ALARM: Colour = (178, 24, 43);

/// The parts of a byte count: payload, framing, HTTP heads, TCP/IP. Told apart by lightness, and none of
/// them a transport's colour.
pub(super) const PARTS: [Colour; 4] = [(33, 43, 67), (122, 104, 174), (232, 184, 74), (196, 202, 212)];

/// The shape of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub(super) enum Marker {
    /// ●
    Circle,
    /// ■
    Square,
    /// ▲
    Triangle,
    /// ◆
    Diamond,
    /// ✕
    Cross,
}

/// How a line is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub(super) enum Dash {
    /// Not at all.
    Solid,
    /// – – –
    Dashed,
    /// · · ·
    Dotted,
}

/// How a client looks.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub(super) struct Look {
    /// What it is called.
    pub label: String,
    /// Its colour.
    pub colour: Colour,
    /// Its points.
    pub marker: Marker,
    /// Its lines.
    pub dash: Dash,
}

impl Look {
    /// Of a client.
    pub(super) fn of(series: &Series) -> Self {
        let (base, marker) = match series.subject {
            Some(Subject::Floor) => ((107, 114, 128), Marker::Cross),
            Some(Subject::Transport(Transport::ShortPoll)) => ((199, 84, 0), Marker::Circle),
            Some(Subject::Transport(Transport::LongPoll)) => ((176, 74, 130), Marker::Square),
            Some(Subject::Transport(Transport::Sse)) => ((0, 105, 170), Marker::Triangle),
            Some(Subject::Transport(Transport::WebSocket)) => ((0, 134, 98), Marker::Diamond),
            None => (INK, Marker::Cross),
        };
        let floor = series.subject == Some(Subject::Floor);
        let (colour, dash) = match (series.variant % 4, floor) {
            (_, true) => (base, Dash::Dashed),
            (0, _) => (base, Dash::Solid),
            (1, _) => (mixed(base, INK, 0.45), Dash::Dashed),
            (2, _) => (mixed(base, CARD, 0.35), Dash::Dotted),
            _ => (mixed(base, INK, 0.75), Dash::Dashed),
        };
        Look { label: series.label.clone(), colour, marker, dash }
    }

    /// The colour for text: dark enough to be read on white (a contrast of 4.5, as WCAG asks).
    pub(super) fn ink(&self) -> Colour {
        let shares = (0..=10).map(|tenth| mixed(self.colour, INK, f64::from(tenth) / 10.0));
        shares.into_iter().find(|colour| 1.05 / (luminance(*colour) + 0.05) >= 4.5).unwrap_or(INK)
    }
}

/// Relative luminance as WCAG defines it.
fn luminance((red, green, blue): Colour) -> f64 {
    let linear = |channel: u8| {
        let share = f64::from(channel) / 255.0;
        if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
}

/// `share` of `other` in `base`.
fn mixed(base: Colour, other: Colour, share: f64) -> Colour {
    let mix = |b: u8, o: u8| (f64::from(b) * (1.0 - share) + f64::from(o) * share).round() as u8;
    (mix(base.0, other.0), mix(base.1, other.1), mix(base.2, other.2))
}
