//! HTTP/1.1 messages (RFC 9112) as they pass in one direction, and what may follow them: WebSocket frames.
//!
//! This reads what hyper has accepted or written, so it does not judge: what it can't follow becomes
//! payload, and every byte is counted once whatever it is.

use super::{
    events::EventFields,
    frames::Frames,
    layer::{Layer, Pieces},
};

/// A head longer than this is not followed; hyper takes none that is.
const HEAD_BYTES: usize = 64 << 10;

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct Side {
    kind: Kind,
    at: At,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Request,
    /// An answer; to `HEAD` it has no body whatever its headers say.
    Response {
        to_head: bool,
    },
}

#[derive(Debug)]
enum At {
    Head(Head),
    Body(Framing, Content),
    /// The message is over; what comes now belongs to the next one.
    End,
    WebSocket(Frames),
}

#[derive(Debug, Default)]
struct Head {
    bytes: Vec<u8>,
    /// Bytes of the current line besides its end.
    line: usize,
    /// Whether there was a line that is not empty: HTTP allows empty ones before the first.
    begun: bool,
}

#[derive(Debug)]
enum Framing {
    Length(u64),
    Chunked(Chunked),
    UntilClose,
}

#[derive(Debug, Clone, Copy)]
enum Chunked {
    /// In a size line; the size so far, and whether its digits are over.
    Size(u64, bool),
    Data(u64),
    /// In the line end after a chunk.
    DataEnd,
    /// In the trailer section; bytes of the current line.
    Trailer(usize),
}

#[derive(Debug)]
enum Content {
    Plain,
    Events(EventFields),
}

impl Side {
    /// A direction in which a request is about to begin.
    pub(super) fn request() -> Self {
        Side { kind: Kind::Request, at: At::Head(Head::default()) }
    }

    /// A direction in which an answer is about to begin.
    pub(super) fn response(to_head: bool) -> Self {
        Side { kind: Kind::Response { to_head }, at: At::Head(Head::default()) }
    }

    /// A direction in which WebSocket frames begin.
    pub(super) fn frames() -> Self {
        Side { kind: Kind::Request, at: At::WebSocket(Frames::default()) }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.at, At::End)
    }

    pub(super) fn is_websocket(&self) -> bool {
        matches!(self.at, At::WebSocket(_))
    }

    /// Bytes that have passed and are not yet in a piece, and their layer.
    pub(super) fn pending(&self) -> (Layer, usize) {
        match &self.at {
            At::Head(head) => (Layer::Head, head.bytes.len()),
            At::WebSocket(frames) => (Layer::WsHeader, frames.pending()),
            At::Body(..) | At::End => (Layer::Payload, 0),
        }
    }

    /// Takes what is pending, as at the end of a connection.
    pub(super) fn flush(&mut self, pieces: &mut Pieces) {
        match &mut self.at {
            At::Head(head) => pieces.add(Layer::Head, &std::mem::take(&mut head.bytes)),
            At::WebSocket(frames) => frames.flush(pieces),
            At::Body(..) | At::End => {}
        }
    }

    /// Sorts bytes into layers, and says how many of them belonged to this message.
    pub(super) fn push(&mut self, bytes: &[u8], pieces: &mut Pieces) -> usize {
        let mut used = 0;
        while used < bytes.len() {
            let rest = &bytes[used..];
            used += match &mut self.at {
                At::End => return used,
                At::WebSocket(frames) => {
                    frames.push(rest, pieces);
                    rest.len()
                }
                At::Head(head) => {
                    let (taken, is_complete) = head.take(rest);
                    if is_complete {
                        pieces.add(Layer::Head, &head.bytes);
                        self.at = after_head(self.kind, &head.bytes);
                    } else if head.bytes.len() > HEAD_BYTES {
                        pieces.add(Layer::Head, &head.bytes);
                        self.at = At::Body(Framing::UntilClose, Content::Plain);
                    }
                    taken
                }
                At::Body(framing, content) => {
                    let (taken, is_over) = framing.take(rest, content, pieces);
                    if is_over {
                        self.at = At::End;
                    }
                    taken
                }
            };
        }
        used
    }
}

impl Head {
    /// Takes bytes up to the blank line, and says how many and whether it was there.
    fn take(&mut self, bytes: &[u8]) -> (usize, bool) {
        for (at, &byte) in bytes.iter().enumerate() {
            match byte {
                b'\n' if self.line == 0 && self.begun => {
                    self.bytes.extend_from_slice(&bytes[..=at]);
                    return (at + 1, true);
                }
                b'\n' => self.line = 0,
                b'\r' => {}
                _ => {
                    self.line += 1;
                    self.begun = true;
                }
            }
        }
        self.bytes.extend_from_slice(bytes);
        (bytes.len(), false)
    }
}

/// What follows a head.
fn after_head(kind: Kind, head: &[u8]) -> At {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.lines().skip_while(|line| line.is_empty());
    let first = lines.next().unwrap_or_default();
    let status = first.split(' ').nth(1).unwrap_or_default();
    if let Kind::Response { to_head } = kind {
        match status {
            "101" => return At::WebSocket(Frames::default()),
            // The final answer is still to come.
            _ if status.starts_with('1') => return At::Head(Head::default()),
            "204" | "304" => return At::End,
            _ if to_head => return At::End,
            _ => {}
        }
    }
    let (mut length, mut chunked, mut content) = (None, false, Content::Plain);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim().to_ascii_lowercase();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse::<u64>().ok(),
            "transfer-encoding" => chunked = value.ends_with("chunked"),
            "content-type" if value.starts_with("text/event-stream") => {
                content = Content::Events(EventFields::START);
            }
            _ => {}
        }
    }
    match (chunked, length, kind) {
        (true, _, _) => At::Body(Framing::Chunked(Chunked::Size(0, false)), content),
        (false, Some(0), _) | (false, None, Kind::Request) => At::End,
        (false, Some(length), _) => At::Body(Framing::Length(length), content),
        (false, None, Kind::Response { .. }) => At::Body(Framing::UntilClose, content),
    }
}

impl Framing {
    /// Takes some bytes, at least one, and says how many and whether the body is over.
    fn take(&mut self, bytes: &[u8], content: &mut Content, pieces: &mut Pieces) -> (usize, bool) {
        match self {
            Framing::UntilClose => {
                content.push(bytes, pieces);
                (bytes.len(), false)
            }
            Framing::Length(left) => {
                let here = take_at_most(bytes, left);
                content.push(here, pieces);
                (here.len(), *left == 0)
            }
            Framing::Chunked(Chunked::Data(left)) => {
                let here = take_at_most(bytes, left);
                content.push(here, pieces);
                if *left == 0 {
                    *self = Framing::Chunked(Chunked::DataEnd);
                }
                (here.len(), false)
            }
            Framing::Chunked(chunked) => {
                let byte = bytes[0];
                pieces.add(Layer::Chunk, &[byte]);
                let next = chunked.step(byte);
                let is_over = next.is_none();
                if let Some(next) = next {
                    *chunked = next;
                }
                (1, is_over)
            }
        }
    }
}

fn take_at_most<'a>(bytes: &'a [u8], left: &mut u64) -> &'a [u8] {
    let here = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
    *left -= here as u64;
    &bytes[..here]
}

impl Chunked {
    /// What comes after a byte of the coding itself; `None` at its end.
    fn step(self, byte: u8) -> Option<Chunked> {
        Some(match (self, byte) {
            (Chunked::Size(0, _), b'\n') => Chunked::Trailer(0),
            (Chunked::Size(size, _), b'\n') => Chunked::Data(size),
            (Chunked::Size(size, false), digit) if digit.is_ascii_hexdigit() => {
                let digit = char::from(digit).to_digit(16).unwrap_or_default();
                Chunked::Size(size.saturating_mul(16).saturating_add(digit.into()), false)
            }
            // An extension, or the CR before the LF.
            (Chunked::Size(size, _), _) => Chunked::Size(size, true),
            (Chunked::DataEnd, b'\n') => Chunked::Size(0, false),
            (Chunked::DataEnd, _) => Chunked::DataEnd,
            (Chunked::Trailer(0), b'\n') => return None,
            (Chunked::Trailer(_), b'\n') => Chunked::Trailer(0),
            (Chunked::Trailer(line), b'\r') => Chunked::Trailer(line),
            (Chunked::Trailer(line), _) => Chunked::Trailer(line + 1),
            (Chunked::Data(left), _) => Chunked::Data(left),
        })
    }
}

impl Content {
    fn push(&mut self, bytes: &[u8], pieces: &mut Pieces) {
        match self {
            Content::Plain => pieces.add(Layer::Payload, bytes),
            Content::Events(fields) => {
                for &byte in bytes {
                    pieces.add(fields.step(byte), &[byte]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
