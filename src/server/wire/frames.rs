//! WebSocket frames (RFC 6455, 5.2) as they pass, in any pieces.

use super::layer::{FrameHeader, Layer, Pieces};

/// The longest header: two bytes, eight of length, four of mask.
const HEADER_BYTES: usize = 14;

/// A reader of one direction's frames.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// A header that is not complete yet.
    header: Vec<u8>,
    /// Bytes of the current payload that are still to come.
    left: u64,
    mask: Option<[u8; 4]>,
    /// How many bytes of the current payload have passed; the mask repeats every four.
    passed: u64,
}

impl Frames {
    /// Bytes that have passed and are not yet in a piece.
    pub(super) fn pending(&self) -> usize {
        self.header.len()
    }

    /// Takes what is pending, as at the end of a connection.
    pub(super) fn flush(&mut self, pieces: &mut Pieces) {
        pieces.add(Layer::WsHeader, &std::mem::take(&mut self.header));
    }

    pub(super) fn push(&mut self, mut bytes: &[u8], pieces: &mut Pieces) {
        while let Some(&first) = bytes.first() {
            if self.left > 0 {
                let here = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
                let (payload, rest) = bytes.split_at(here);
                self.payload(payload, pieces);
                bytes = rest;
                continue;
            }
            self.header.push(first);
            bytes = &bytes[1..];
            if let Some(header) = parse(&self.header) {
                pieces.add_header(&self.header, header);
                self.header.clear();
                (self.left, self.mask, self.passed) = (header.length, header.mask, 0);
            }
        }
    }

    fn payload(&mut self, payload: &[u8], pieces: &mut Pieces) {
        match self.mask {
            None => pieces.add(Layer::WsPayload, payload),
            Some(mask) => {
                let start = (self.passed % 4) as usize;
                let unmasked: Vec<u8> =
                    payload.iter().enumerate().map(|(at, byte)| byte ^ mask[(start + at) % 4]).collect();
                pieces.add_masked(payload, &unmasked);
            }
        }
        self.left -= payload.len() as u64;
        self.passed += payload.len() as u64;
    }
}

/// Where messages begin and end, for one who need not know what they say.
#[derive(Debug, Default)]
pub(crate) struct Boundary {
    header: Vec<u8>,
    /// Bytes of the current payload that are still to come.
    left: u64,
    /// The first fragment of a message has passed and the last has not.
    in_fragments: bool,
}

impl Boundary {
    /// Takes note of bytes, in any pieces.
    pub(crate) fn pass(&mut self, mut bytes: &[u8]) {
        while let Some(&first) = bytes.first() {
            if self.left > 0 {
                let here = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
                bytes = &bytes[here..];
                self.left -= here as u64;
                continue;
            }
            self.header.push(first);
            bytes = &bytes[1..];
            if let Some(header) = parse(&self.header) {
                self.header.clear();
                self.left = header.length;
                // Control frames may come between the fragments of a message.
                if header.opcode < 8 {
                    self.in_fragments = !header.fin;
                }
            }
        }
    }

    /// Whether the next byte begins a message.
    pub(crate) fn is_between_messages(&self) -> bool {
        self.header.is_empty() && self.left == 0 && !self.in_fragments
    }
}

/// A header, once it is complete.
fn parse(bytes: &[u8]) -> Option<FrameHeader> {
    debug_assert!(bytes.len() <= HEADER_BYTES);
    let [first, second, ..] = *bytes else { return None };
    let length_bytes = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let masked = second & 0x80 != 0;
    if bytes.len() < 2 + length_bytes + if masked { 4 } else { 0 } {
        return None;
    }
    let length = match length_bytes {
        0 => u64::from(second & 0x7f),
        _ => bytes[2..2 + length_bytes].iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
    };
    let mask = masked.then(|| bytes[2 + length_bytes..].try_into().ok()).flatten();
    let (fin, rsv, opcode) = (first & 0x80 != 0, first >> 4 & 7, first & 15);
    Some(FrameHeader { fin, rsv, opcode, masked, length, mask })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_standard_are_read() {
        // RFC 6455, 5.7: a masked "Hello", and headers with the two longer forms of a length.
        let mut pieces = Pieces::default();
        let mut frames = Frames::default();
        frames.push(&[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58], &mut pieces);
        let pieces = pieces.into_vec();
        let mask = Some([0x37, 0xfa, 0x21, 0x3d]);
        let expected = FrameHeader { fin: true, rsv: 0, opcode: 1, masked: true, length: 5, mask };
        assert_eq!(pieces[0].fields, Some(expected));
        assert_eq!(pieces[1].unmasked.as_deref(), Some(&b"Hello"[..]));
        assert_eq!(pieces[1].bytes, [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
        assert_eq!(parse(&[0x82, 0x7e, 0x01, 0x00]).map(|header| header.length), Some(256));
        let long = parse(&[0x42, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]).expect("complete");
        assert_eq!((long.length, long.fin, long.rsv, long.opcode), (65_536, false, 4, 2));
    }
}
