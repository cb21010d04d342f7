//! Events as bytes on the wire: what a run of them is in each format, with the framing around it.
//!
//! What the server sends is the same for all readers, so it can be made once: an SSE chunk has no reader's
//! name in it, and frames from server to client carry no mask (RFC 6455, 5.1).

use std::io::Write as _;

use bytes::{BufMut as _, Bytes, BytesMut};

use super::poll;
use crate::{encoding, feed::Batch};

/// How a stream's reader is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Format {
    /// Blocks of `text/event-stream`, each run of events one chunk of the transfer coding.
    Sse,
    /// A JSON text frame per event.
    WebSocket,
    /// A poll's whole answer, which ends it.
    LongPoll,
    /// The bare TCP floor: a length and the data.
    Floor,
}

/// The end of an answer in chunks.
pub(super) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// A ping without payload, which any peer must answer.
pub(super) const PING: &[u8] = &[0x89, 0];

/// The longest header of a frame that carries no mask.
const FRAME_HEADER_BYTES: usize = 10;

impl Format {
    /// A batch as it goes over the wire, an answer under its head; `None` where the format has no way to say
    /// that there is a gap.
    pub(super) fn join(self, head: &[u8], batch: &Batch) -> Option<Bytes> {
        let joined = match self {
            Format::LongPoll => return Some(poll::answer(head, batch, poll::After::Open)),
            Format::Sse => {
                let gap = batch.gap.map(|gap| encoding::sse_gap(gap, batch.start)).unwrap_or_default();
                let blocks: usize = batch.entries.iter().map(|entry| entry.sse().len()).sum();
                let parts = batch.entries.iter().map(|entry| entry.sse().as_ref());
                chunk(gap.len() + blocks, [gap.as_bytes()].into_iter().chain(parts))
            }
            Format::WebSocket => {
                let gap = batch.gap.map(|gap| encoding::json(&serde_json::json!({ "gap": gap })));
                let sizes = batch.entries.iter().map(|entry| entry.json().len() + FRAME_HEADER_BYTES);
                let mut frames = BytesMut::with_capacity(sizes.sum::<usize>() + 64);
                if let Some(json) = gap {
                    text_frame(&mut frames, json.as_bytes());
                }
                for entry in &batch.entries {
                    text_frame(&mut frames, entry.json());
                }
                frames
            }
            Format::Floor => {
                if batch.gap.is_some() {
                    return None;
                }
                let mut frames =
                    BytesMut::with_capacity(batch.entries.iter().map(|entry| entry.data.len() + 4).sum());
                for entry in &batch.entries {
                    // A channel's bound in bytes is far below 4 GiB, and so is each event in it. All ones
                    // mean something else.
                    frames.put_u32(u32::try_from(entry.data.len()).unwrap_or(u32::MAX - 1));
                    frames.put_slice(entry.data.as_bytes());
                }
                frames
            }
        };
        Some(joined.freeze())
    }

    /// A sign of life on a silent stream; polls and the floor give none.
    pub(super) fn heartbeat(self) -> Bytes {
        match self {
            Format::Sse => {
                let comment = encoding::SSE_HEARTBEAT.as_bytes();
                chunk(comment.len(), [comment]).freeze()
            }
            Format::WebSocket => Bytes::from_static(PING),
            Format::LongPoll | Format::Floor => Bytes::new(),
        }
    }
}

/// One chunk of the transfer coding (RFC 9112, 7.1), of parts that have so many bytes together.
fn chunk<'a>(bytes: usize, parts: impl IntoIterator<Item = &'a [u8]>) -> BytesMut {
    // Sixteen digits and two line ends at most.
    let mut chunk = BytesMut::with_capacity(bytes + 20).writer();
    // Writing to memory can't fail. The digits are upper-case, as hyper's are.
    let _ = write!(chunk, "{bytes:X}\r\n");
    let mut chunk = chunk.into_inner();
    for part in parts {
        chunk.put_slice(part);
    }
    chunk.put_slice(b"\r\n");
    chunk
}

/// Adds a text frame that is a whole message (RFC 6455, 5.2), its length in the shortest form.
pub(crate) fn text_frame(frames: &mut impl bytes::BufMut, text: &[u8]) {
    frames.put_u8(0x81);
    match text.len() {
        short @ 0..126 => frames.put_u8(short as u8),
        medium @ 126..65_536 => {
            frames.put_u8(126);
            frames.put_u16(medium as u16);
        }
        long => {
            frames.put_u8(127);
            frames.put_u64(long as u64);
        }
    }
    frames.put_slice(text);
}

#[cfg(test)]
mod tests {
    use tungstenite::protocol::frame::Frame;
    use tungstenite::protocol::frame::coding::{Data, OpCode};

    use super::*;
    use crate::{
        event::Draft,
        feed::{Channel, Limits, ReadLimit},
    };

    #[test]
    fn a_run_is_one_chunk_whose_size_is_right() {
        let channel = Channel::new(Limits { events_per_channel: 2, ..Limits::default() });
        let start = channel.head();
        for data in ["lost", "a", "b"] {
            channel.publish(Draft::message(data)).expect("fits");
        }
        let batch = channel.since(start, ReadLimit::default()).expect("not ahead");
        let joined = Format::Sse.join(b"", &batch).expect("can tell a gap");
        let text = std::str::from_utf8(&joined).expect("text");
        let (size, rest) = text.split_once("\r\n").expect("a size line");
        let payload = rest.strip_suffix("\r\n").expect("a line end after the payload");
        assert_eq!(usize::from_str_radix(size, 16), Ok(payload.len()));
        assert!(payload.contains("event: gap\ndata: {\"missed\":1,\"reason\":\"evicted\"}\n\n"));
        assert!(payload.ends_with("data: b\n\n"));
        assert_eq!(Format::Floor.join(b"", &batch), None, "the floor never skips in silence");
        assert_eq!(Format::Sse.heartbeat(), "3\r\n:\n\n\r\n");
    }

    #[test]
    fn frames_are_those_that_the_library_writes() {
        for length in [0, 125, 126, 65_535, 65_536] {
            let text = vec![b'x'; length];
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            text_frame(&mut ours, &text);
            let frame = Frame::message(text, OpCode::Data(Data::Text), true);
            frame.format(&mut theirs).expect("memory");
            assert_eq!(ours, theirs, "{length} bytes");
        }
    }
}
