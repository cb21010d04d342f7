//! The surface that charts are drawn on: an SVG of fixed width, and PNG from the same SVG.
//!
//! Plotters' SVG backend rounds to whole units and knows no dashes. So everything is drawn at [`SCALE`]
//! times its size and brought back by the `viewBox`, and dashes are drawn one by one.

use std::sync::{Arc, OnceLock};

use plotters::{
    backend::{DrawingBackend, SVGBackend},
    style::{
        Color as _, FontTransform, RGBColor, ShapeStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};
use resvg::{tiny_skia, usvg};

use crate::report::{
    font::{BOLD, FAMILIES, FAMILY, Font, NORMAL, REGULAR, TITLE, register_font},
    palette::{CARD, Colour, Dash, GRID, INK, Marker, QUIET},
};

/// The width of every chart; its units are pixels of a page this wide.
pub(super) const WIDTH: f64 = 960.0;
/// The space around everything.
pub(super) const MARGIN: f64 = 20.0;

const SCALE: f64 = 2.0;

/// Where a text's given point lies in it, from left to right; vertically it is always the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    /// At its left end.
    Left,
    /// In its middle.
    Centre,
    /// At its right end.
    Right,
}

/// A part of the canvas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    /// Left end.
    pub left: f64,
    /// Upper end.
    pub top: f64,
    /// Right end.
    pub right: f64,
    /// Lower end.
    pub bottom: f64,
}

impl Area {
    /// The place of a share of its width.
    pub(super) fn x(&self, share: f64) -> f64 {
        self.left + (self.right - self.left) * share
    }

    /// The place of a share of its height, counted from below.
    pub(super) fn y(&self, share: f64) -> f64 {
        self.bottom - (self.bottom - self.top) * share
    }

    /// Its width.
    pub(super) fn width(&self) -> f64 {
        self.right - self.left
    }

    /// Its height.
    pub(super) fn height(&self) -> f64 {
        self.bottom - self.top
    }
}

/// A chart in the making.
pub(super) struct Canvas<'a> {
    backend: SVGBackend<'a>,
    problem: Option<String>,
}

/// Draws on a white card of [`WIDTH`] × `height` and gives the SVG. `title` and `description` are for those
/// who can't see it.
///
/// # Errors
/// What the drawing library says.
pub(super) fn draw(
    height: f64,
    title: &str,
    description: &str,
    paint: impl FnOnce(&mut Canvas<'_>),
) -> Result<String, String> {
    register_font();
    let mut svg = String::new();
    let size = ((WIDTH * SCALE) as u32, (height * SCALE).ceil() as u32);
    {
        let mut canvas = Canvas { backend: SVGBackend::with_string(&mut svg, size), problem: None };
        canvas.rectangle(Area { left: 0.0, top: 0.0, right: WIDTH, bottom: height }, CARD);
        paint(&mut canvas);
        let done = canvas.backend.present();
        canvas.note(done);
        if let Some(problem) = canvas.problem {
            return Err(problem);
        }
    }
    let body = svg.split_once('>').map_or("", |(_, body)| body);
    let body = body.replace(&format!("font-family=\"{FAMILY}\""), &format!("font-family=\"{FAMILIES}\""));
    Ok(format!(
        "<svg width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {} {}\" role=\"img\" \
         xmlns=\"http://www.w3.org/2000/svg\">\n<title>{}</title>\n<desc>{}</desc>{body}",
        size.0,
        size.1,
        escaped(title),
        escaped(description)
    ))
}

/// The SVG as a PNG of twice its size, drawn with the embedded font alone.
///
/// # Errors
/// Where the SVG is not well-formed, or too large.
pub(super) fn png(svg: &str) -> Result<Vec<u8>, String> {
    let tree = parse(svg)?;
    let size = tree.size();
    let mut pixels = tiny_skia::Pixmap::new((size.width() * 2.0) as u32, (size.height() * 2.0) as u32)
        .ok_or("a picture needs a size")?;
    resvg::render(&tree, tiny_skia::Transform::from_scale(2.0, 2.0), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| error.to_string())
}

/// Reads an SVG as browsers would.
///
/// # Errors
/// Where it is not well-formed.
pub(super) fn parse(svg: &str) -> Result<usvg::Tree, String> {
    static FONTS: OnceLock<Arc<usvg::fontdb::Database>> = OnceLock::new();
    let fonts = FONTS.get_or_init(|| {
        let mut fonts = usvg::fontdb::Database::new();
        fonts.load_font_data(REGULAR.to_vec());
        fonts.load_font_data(BOLD.to_vec());
        fonts.set_sans_serif_family(FAMILY);
        Arc::new(fonts)
    });
    let options = usvg::Options { fontdb: fonts.clone(), ..usvg::Options::default() };
    usvg::Tree::from_str(svg, &options).map_err(|error| error.to_string())
}

impl Canvas<'_> {
    /// A text, its point in the middle of its height.
    pub(super) fn text(&mut self, x: f64, y: f64, text: &str, align: Align, font: Font) {
        self.place_text(x, y, text, align, font, FontTransform::None);
    }

    /// A text from below to above, around its middle.
    pub(super) fn upright(&mut self, x: f64, y: f64, text: &str, font: Font) {
        self.place_text(x, y, text, Align::Centre, font, FontTransform::Rotate270);
    }

    fn place_text(&mut self, x: f64, y: f64, text: &str, align: Align, font: Font, turn: FontTransform) {
        // XML has no way to write most control characters, not even escaped.
        let text: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        let h_pos = match align {
            Align::Left => HPos::Left,
            Align::Centre => HPos::Center,
            Align::Right => HPos::Right,
        };
        let mut style = font.plotters(font.size * SCALE).pos(Pos::new(h_pos, VPos::Center));
        style.font = style.font.transform(turn);
        let done = self.backend.draw_text(&text, &style, scaled((x, y)));
        self.note(done);
    }

    /// A straight line.
    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), width: f64, colour: Colour) {
        self.path(&[from, to], width, colour, Dash::Solid);
    }

    /// A line through points.
    pub(super) fn path(&mut self, points: &[(f64, f64)], width: f64, colour: Colour, dash: Dash) {
        let style = stroke(width, colour);
        let pieces = match dash {
            Dash::Solid => vec![points.to_vec()],
            Dash::Dashed => dashes(points, 10.0, 6.0),
            Dash::Dotted => dashes(points, 2.5, 5.0),
        };
        for piece in pieces {
            let done = self.backend.draw_path(piece.into_iter().map(scaled), &style);
            self.note(done);
        }
    }

    /// A filled rectangle.
    pub(super) fn rectangle(&mut self, area: Area, colour: Colour) {
        let (from, to) = (scaled((area.left, area.top)), scaled((area.right, area.bottom)));
        let done = self.backend.draw_rect(from, to, &stroke(1.0, colour).filled(), true);
        self.note(done);
    }

    /// A rectangle through which what is behind it can be seen.
    pub(super) fn veil(&mut self, area: Area, colour: Colour, opacity: f64) {
        let (from, to) = (scaled((area.left, area.top)), scaled((area.right, area.bottom)));
        let style = ShapeStyle { color: rgb(colour).mix(opacity), filled: true, stroke_width: 0 };
        let done = self.backend.draw_rect(from, to, &style, true);
        self.note(done);
    }

    /// A point, `radius` pixels from its middle to its edge, with a white rim that sets it off from what it
    /// lies on.
    pub(super) fn marker(&mut self, x: f64, y: f64, radius: f64, marker: Marker, colour: Colour) {
        for (radius, colour) in [(radius + 1.5, CARD), (radius, colour)] {
            self.shape(x, y, radius, marker, colour);
        }
    }

    /// The same without its inside; a cross, which has none, with a ring around it.
    pub(super) fn hollow_marker(&mut self, x: f64, y: f64, radius: f64, marker: Marker, colour: Colour) {
        if marker == Marker::Cross {
            self.ring(x, y, radius + 3.0, colour);
            return self.shape(x, y, radius * 0.6, marker, colour);
        }
        self.marker(x, y, radius + 1.0, marker, colour);
        self.shape(x, y, radius - 2.2, marker, CARD);
    }

    /// A circle's outline.
    pub(super) fn ring(&mut self, x: f64, y: f64, radius: f64, colour: Colour) {
        self.shape(x, y, radius, Marker::Circle, colour);
        self.shape(x, y, radius - 2.5, Marker::Circle, CARD);
    }

    fn shape(&mut self, x: f64, y: f64, r: f64, marker: Marker, colour: Colour) {
        let corners = match marker {
            Marker::Circle => {
                let style = stroke(1.0, colour).filled();
                let done = self.backend.draw_circle(scaled((x, y)), (r * SCALE).round() as u32, &style, true);
                return self.note(done);
            }
            Marker::Square => vec![(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
            Marker::Triangle => vec![(0.0, -1.15), (1.1, 0.85), (-1.1, 0.85)],
            Marker::Diamond => vec![(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)],
            Marker::Cross => {
                for (from, to) in [((-1.0, -1.0), (1.0, 1.0)), ((-1.0, 1.0), (1.0, -1.0))] {
                    let point = |(dx, dy): (f64, f64)| (x + dx * r, y + dy * r);
                    self.line(point(from), point(to), r * 0.55, colour);
                }
                return;
            }
        };
        let corners: Vec<_> = corners.into_iter().map(|(dx, dy)| scaled((x + dx * r, y + dy * r))).collect();
        let done = self.backend.fill_polygon(corners, &stroke(1.0, colour).filled());
        self.note(done);
    }

    /// Title and second line; gives the place below them, which [`header_height`] gives beforehand.
    pub(super) fn header(&mut self, title: &str, subtitle: &str) -> f64 {
        let mut y = MARGIN + TITLE * 0.5;
        let (large, small) = header_fonts();
        for line in large.wrap(title, WIDTH - 2.0 * MARGIN, 2) {
            self.text(MARGIN, y, &line, Align::Left, large);
            y += TITLE * 1.25;
        }
        for line in small.wrap(subtitle, WIDTH - 2.0 * MARGIN, 3) {
            self.text(MARGIN, y, &line, Align::Left, small);
            y += NORMAL * 1.4;
        }
        y
    }

    /// Says in a panel that it has nothing to show, and why.
    pub(super) fn nothing(&mut self, area: Area, why: &str) {
        self.frame(area);
        let font = Font::normal().in_colour(QUIET);
        let lines = font.wrap(&format!("no data: {why}"), area.width() - 24.0, 4);
        let middle = (area.top + area.bottom) / 2.0 - NORMAL * 0.7 * (lines.len() as f64 - 1.0);
        for (index, line) in lines.iter().enumerate() {
            let y = middle + NORMAL * 1.4 * index as f64;
            self.text((area.left + area.right) / 2.0, y, line, Align::Centre, font);
        }
    }

    /// A thin frame.
    pub(super) fn frame(&mut self, area: Area) {
        let Area { left, top, right, bottom } = area;
        self.path(
            &[(left, top), (right, top), (right, bottom), (left, bottom), (left, top)],
            1.0,
            GRID,
            Dash::Solid,
        );
    }

    fn note<E: std::fmt::Display>(&mut self, done: Result<(), E>) {
        if let Err(problem) = done {
            self.problem.get_or_insert(problem.to_string());
        }
    }
}

/// How much a header takes.
pub(super) fn header_height(title: &str, subtitle: &str) -> f64 {
    let (large, small) = header_fonts();
    let width = WIDTH - 2.0 * MARGIN;
    let lines = |font: Font, text, most| font.wrap(text, width, most).len() as f64;
    MARGIN + TITLE * (0.5 + 1.25 * lines(large, title, 2)) + NORMAL * 1.4 * lines(small, subtitle, 3)
}

fn header_fonts() -> (Font, Font) {
    (Font { size: TITLE, bold: true, colour: INK }, Font::normal().in_colour(QUIET))
}

fn rgb(colour: Colour) -> RGBColor {
    RGBColor(colour.0, colour.1, colour.2)
}

fn stroke(width: f64, colour: Colour) -> ShapeStyle {
    rgb(colour).stroke_width((width * SCALE).round() as u32)
}

fn scaled((x, y): (f64, f64)) -> (i32, i32) {
    ((x * SCALE).round() as i32, (y * SCALE).round() as i32)
}

/// The drawn pieces of a broken line.
fn dashes(points: &[(f64, f64)], on: f64, off: f64) -> Vec<Vec<(f64, f64)>> {
    let (mut pieces, mut piece) = (Vec::new(), Vec::new());
    let (mut drawing, mut left) = (true, on);
    for pair in points.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        loop {
            if drawing && piece.is_empty() {
                piece.push(from);
            }
            let rest = (to.0 - from.0).hypot(to.1 - from.1);
            if rest <= left {
                left -= rest;
                if drawing {
                    piece.push(to);
                }
                break;
            }
            let share = left / rest;
            from = (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share);
            if drawing {
                piece.push(from);
                pieces.push(std::mem::take(&mut piece));
            }
            drawing = !drawing;
            left = if drawing { on } else { off };
        }
    }
    pieces.push(piece);
    pieces.retain(|piece| piece.len() > 1);
    pieces
}

fn escaped(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
