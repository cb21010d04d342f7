//! The embedded font: text is measured and drawn by it alone, so that charts look the same everywhere.

use std::sync::Once;

use plotters::style::{FontFamily, FontStyle, IntoFont as _, RGBColor, TextStyle, register_font as register};

use crate::report::palette::{Colour, INK, QUIET};

/// The smallest text, still legible from the back of a classroom.
pub(super) const SMALL: f64 = 16.0;
/// Labels.
pub(super) const NORMAL: f64 = 17.0;
/// Titles of panels.
pub(super) const HEADING: f64 = 18.0;
/// Titles of charts.
pub(super) const TITLE: f64 = 25.0;
pub(super) const FAMILY: &str = "DejaVu Sans";
/// For viewers without DejaVu: Verdana has nearly its widths, and every other sans-serif is narrower, so
/// that nothing that fits here overlaps there.
pub(super) const FAMILIES: &str = "DejaVu Sans, Verdana, sans-serif";
pub(super) static REGULAR: &[u8] = include_bytes!("../../static/fonts/DejaVuSans.ttf");
pub(super) static BOLD: &[u8] = include_bytes!("../../static/fonts/DejaVuSans-Bold.ttf");

/// Makes the embedded font known to plotters, once per process. Whatever draws by plotters without a
/// system's fonts (criterion's benches too) has to call it first.
pub fn register_font() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for name in [FAMILY, "sans-serif"] {
            // The embedded files are good fonts; a test draws with them.
            let _ = register(name, FontStyle::Normal, REGULAR);
            let _ = register(name, FontStyle::Bold, BOLD);
        }
    });
}

/// How a text looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Font {
    /// Pixels.
    pub size: f64,
    /// Bold or regular.
    pub bold: bool,
    /// Its colour.
    pub colour: Colour,
}

impl Font {
    /// Regular ink.
    pub(super) const fn normal() -> Self {
        Font { size: NORMAL, bold: false, colour: INK }
    }

    /// Small and quiet, for axes.
    pub(super) const fn small() -> Self {
        Font { size: SMALL, bold: false, colour: QUIET }
    }

    /// A panel's heading.
    pub(super) const fn heading() -> Self {
        Font { size: HEADING, bold: true, colour: INK }
    }

    /// The same in another colour.
    pub(super) const fn in_colour(self, colour: Colour) -> Self {
        Font { colour, ..self }
    }

    /// The same in bold.
    pub(super) const fn bold(self) -> Self {
        Font { bold: true, ..self }
    }

    /// How wide a text is, in pixels.
    pub(super) fn width(self, text: &str) -> f64 {
        register_font();
        // Measured large, since plotters rounds down to whole pixels.
        let style = self.plotters(64.0);
        let width = style.font.layout_box(text).map_or(0, |((left, _), (right, _))| right - left);
        f64::from(width) * self.size / 64.0
    }

    /// The text, or as much of its beginning as fits, with an ellipsis.
    pub(super) fn fit(self, text: &str, width: f64) -> String {
        if self.width(text) <= width {
            return text.to_owned();
        }
        let mut kept: Vec<char> = text.chars().take(400).collect();
        while kept.pop().is_some() {
            let short = format!("{}…", kept.iter().collect::<String>().trim_end());
            if self.width(&short) <= width {
                return short;
            }
        }
        String::new()
    }

    /// The text in lines of at most that width, at most `most` of them.
    pub(super) fn wrap(self, text: &str, width: f64, most: usize) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for word in text.split_whitespace() {
            let full = lines.len() == most;
            match lines.last_mut() {
                Some(line) if full || self.width(&format!("{line} {word}")) <= width => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(word.to_owned()),
            }
        }
        lines.into_iter().map(|line| self.fit(&line, width)).collect()
    }

    pub(super) fn plotters(self, size: f64) -> TextStyle<'static> {
        let style = if self.bold { FontStyle::Bold } else { FontStyle::Normal };
        // The backend writes the size divided by 1.24.
        (FontFamily::Name(FAMILY), size * 1.24, style).into_font().color(&RGBColor(
            self.colour.0,
            self.colour.1,
            self.colour.2,
        ))
    }
}
