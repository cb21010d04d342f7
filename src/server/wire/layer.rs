//! What a byte of a connection belongs to, and runs of such bytes.

use serde::Serialize;

/// The layers that the wire view tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Layer {
    /// HTTP heads: request line or status line, headers, the blank line.
    Head,
    /// The transfer coding: chunk sizes, the line ends around chunks, trailers.
    Chunk,
    /// Field names, ids, types, comments and line ends of an event stream; all but values of `data`.
    Sse,
    /// Headers of WebSocket frames, with their masks.
    WsHeader,
    /// What WebSocket frames carry, control frames included.
    WsPayload,
    /// Bodies; of an event stream the values of `data` only.
    Payload,
}

impl Layer {
    /// Each once, in the order in which totals count them.
    pub(crate) const ALL: [Layer; 6] =
        [Layer::Head, Layer::Chunk, Layer::Sse, Layer::WsHeader, Layer::WsPayload, Layer::Payload];
}

/// Which way bytes went, seen from the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Direction {
    /// From the page to the server.
    In,
    /// From the server to the page.
    Out,
}

/// The header of a WebSocket frame, bit by bit (RFC 6455, 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct FrameHeader {
    /// Whether this frame is the last of its message.
    pub(crate) fin: bool,
    /// The three reserved bits as a number; 4 is the first.
    pub(crate) rsv: u8,
    /// 0 continuation, 1 text, 2 binary, 8 close, 9 ping, 10 pong.
    pub(crate) opcode: u8,
    /// Whether the payload is masked, as every client's is.
    pub(crate) masked: bool,
    /// Bytes of payload.
    pub(crate) length: u64,
    /// The mask as eight hexadecimal digits, where there is one.
    #[serde(serialize_with = "mask_in_hex")]
    pub(crate) mask: Option<[u8; 4]>,
}

fn mask_in_hex<S: serde::Serializer>(mask: &Option<[u8; 4]>, serializer: S) -> Result<S::Ok, S::Error> {
    mask.map(|mask| hex(&mask)).serialize(serializer)
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// A run of bytes of one layer, as they passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) layer: Layer,
    /// The bytes on the wire.
    pub(crate) bytes: Vec<u8>,
    /// The same with the mask undone, where they were masked.
    pub(crate) unmasked: Option<Vec<u8>>,
    /// What a frame's header says; such a piece is one whole header.
    pub(crate) fields: Option<FrameHeader>,
}

/// A piece is shown as a whole, so it is kept to a size that a page can show.
const PIECE_BYTES: usize = 4 << 10;

/// Pieces in the making: neighbours of one layer become one.
#[derive(Debug, Default)]
pub(crate) struct Pieces(Vec<Piece>);

impl Pieces {
    /// Adds bytes of a layer.
    pub(crate) fn add(&mut self, layer: Layer, bytes: &[u8]) {
        self.extend(layer, bytes, None);
    }

    /// Adds bytes of a masked payload.
    pub(crate) fn add_masked(&mut self, bytes: &[u8], unmasked: &[u8]) {
        self.extend(Layer::WsPayload, bytes, Some(unmasked));
    }

    /// Adds a frame's header.
    pub(crate) fn add_header(&mut self, bytes: &[u8], fields: FrameHeader) {
        let bytes = bytes.to_vec();
        self.0.push(Piece { layer: Layer::WsHeader, bytes, unmasked: None, fields: Some(fields) });
    }

    /// What there is, in the order in which it passed.
    pub(crate) fn into_vec(self) -> Vec<Piece> {
        self.0
    }

    fn extend(&mut self, layer: Layer, mut bytes: &[u8], mut unmasked: Option<&[u8]>) {
        while !bytes.is_empty() {
            let open = self.0.last_mut().filter(|piece| {
                piece.layer == layer
                    && piece.fields.is_none()
                    && piece.unmasked.is_some() == unmasked.is_some()
                    && piece.bytes.len() < PIECE_BYTES
            });
            let Some(piece) = open else {
                let unmasked = unmasked.map(|_| Vec::new());
                self.0.push(Piece { layer, bytes: Vec::new(), unmasked, fields: None });
                continue;
            };
            let fits = bytes.len().min(PIECE_BYTES - piece.bytes.len());
            piece.bytes.extend_from_slice(&bytes[..fits]);
            bytes = &bytes[fits..];
            if let (Some(kept), Some(more)) = (&mut piece.unmasked, &mut unmasked) {
                kept.extend_from_slice(&more[..fits]);
                *more = &more[fits..];
            }
        }
    }
}
