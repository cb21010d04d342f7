use proptest::prelude::*;

use super::*;
use crate::server::wire::layer::{FrameHeader, Piece};

/// What came out, byte by byte, so that where pieces begin does not matter; and the frames' headers.
type Sorted = (Vec<(Layer, u8, Option<u8>)>, Vec<FrameHeader>);

fn sorted(pieces: &[Piece]) -> Sorted {
    let bytes = pieces.iter().flat_map(|piece| {
        piece
            .bytes
            .iter()
            .enumerate()
            .map(|(at, byte)| (piece.layer, *byte, piece.unmasked.as_ref().map(|unmasked| unmasked[at])))
    });
    (bytes.collect(), pieces.iter().filter_map(|piece| piece.fields).collect())
}

/// Pushes bytes in parts; what is left after the message's end is not sorted, only counted.
fn push(mut side: Side, bytes: &[u8], cuts: &[usize]) -> (Sorted, usize) {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).chain([bytes.len()]).collect();
    ends.sort_unstable();
    let (mut out, mut start, mut left) = (Vec::new(), 0, 0);
    for end in ends {
        let mut pieces = Pieces::default();
        left += end - start - side.push(&bytes[start..end], &mut pieces);
        out.extend(pieces.into_vec());
        let told: usize = out.iter().map(|piece| piece.bytes.len()).sum();
        assert_eq!(told + side.pending().1 + left, end, "every byte is counted as soon as it has passed");
        start = end;
    }
    let mut pieces = Pieces::default();
    side.flush(&mut pieces);
    out.extend(pieces.into_vec());
    assert_eq!(side.pending().1, 0);
    (sorted(&out), left)
}

/// The text of each run of one layer.
fn runs(side: Side, bytes: &[u8]) -> Vec<(Layer, String)> {
    let mut runs: Vec<(Layer, String)> = Vec::new();
    for (layer, byte, unmasked) in push(side, bytes, &[]).0.0 {
        match runs.last_mut().filter(|run| run.0 == layer) {
            Some(run) => run.1.push(unmasked.unwrap_or(byte).into()),
            None => runs.push((layer, char::from(unmasked.unwrap_or(byte)).into())),
        }
    }
    runs
}

fn frame(opcode: u8, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    let masked = if mask.is_some() { 0x80 } else { 0 };
    match payload.len() {
        length @ 0..=125 => frame.push(masked | length as u8),
        length @ 126..=0xffff => {
            frame.push(masked | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(masked | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(mask.iter().flatten());
    let mask = mask.unwrap_or_default();
    frame.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
    frame
}

const STREAM_HEAD: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn an_event_stream_is_sorted_across_its_chunks() {
    let body = "9\r\nid: 1\ndat\r\n8;x=y\r\na: hi\n\n:\r\n0\r\nTrailer: x\r\n\r\n";
    let text = format!("{STREAM_HEAD}{body}");
    let run = |layer, text: &str| (layer, text.to_owned());
    assert_eq!(
        runs(Side::response(false), text.as_bytes()),
        [
            run(Layer::Head, STREAM_HEAD),
            run(Layer::Chunk, "9\r\n"),
            run(Layer::Sse, "id: 1\ndat"),
            run(Layer::Chunk, "\r\n8;x=y\r\n"),
            run(Layer::Sse, "a: "),
            run(Layer::Payload, "hi"),
            run(Layer::Sse, "\n\n:"),
            run(Layer::Chunk, "\r\n0\r\nTrailer: x\r\n\r\n"),
        ]
    );
}

#[test]
fn a_message_ends_where_its_framing_says() {
    for (text, to_head, used) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok+", false, 40),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n+", true, 38),
        ("HTTP/1.1 204 No Content\r\n\r\n+", false, 27),
        ("HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n+", false, 48),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n+", false, 52),
    ] {
        let mut side = Side::response(to_head);
        assert_eq!(side.push(text.as_bytes(), &mut Pieces::default()), used, "{text:?}");
        assert!(side.is_over());
    }
    for (text, used) in [
        ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n+", 29),
        ("POST / HTTP/1.1\nContent-Length: 3\n\nabc+", 38),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n+", 58),
    ] {
        let mut side = Side::request();
        assert_eq!(side.push(text.as_bytes(), &mut Pieces::default()), used, "{text:?}");
        assert!(side.is_over());
    }
}

#[test]
fn frames_follow_a_change_of_protocol() {
    let mut bytes = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n".to_vec();
    bytes.extend(frame(1, None, b"hello"));
    let runs = runs(Side::response(false), &bytes);
    let layers: Vec<Layer> = runs.iter().map(|run| run.0).collect();
    assert_eq!(layers, [Layer::Head, Layer::WsHeader, Layer::WsPayload]);
    assert_eq!(runs[2].1, "hello");
}

fn messages() -> impl Strategy<Value = Vec<u8>> {
    let chunks = prop::collection::vec("[ -~\n]{1,40}", 0..6).prop_map(|chunks| {
        let mut text = STREAM_HEAD.to_owned();
        for chunk in &chunks {
            text += &format!("{:x}\r\n{chunk}\r\n", chunk.len());
        }
        (text + "0\r\n\r\nbeyond").into_bytes()
    });
    let masks = prop::option::of(any::<[u8; 4]>());
    let payloads = prop::collection::vec(any::<u8>(), 0..300);
    let frames = prop::collection::vec((0_u8..11, masks, payloads), 0..6).prop_map(|frames| {
        let mut bytes = b"HTTP/1.1 101 Switching Protocols\r\n\r\n".to_vec();
        bytes.extend(frames.iter().flat_map(|(opcode, mask, payload)| frame(*opcode, *mask, payload)));
        bytes
    });
    let anything = prop::collection::vec(any::<u8>(), 0..300);
    let nearly_http = "[ -~\r\n]{0,200}".prop_map(String::into_bytes);
    prop_oneof![chunks, frames, anything, nearly_http]
}

proptest! {
    #[test]
    fn where_reads_and_writes_end_changes_nothing_and_no_byte_is_lost(
        bytes in messages(),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        for side in [Side::request, || Side::response(false), || Side::response(true), Side::frames] {
            let (whole, left) = push(side(), &bytes, &[]);
            prop_assert_eq!(whole.0.len() + left, bytes.len());
            prop_assert_eq!(push(side(), &bytes, &cuts), (whole, left));
        }
    }

    #[test]
    fn masks_are_undone(
        payloads in prop::collection::vec((any::<[u8; 4]>(), prop::collection::vec(any::<u8>(), 0..200)), 0..5),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        let bytes: Vec<u8> =
            payloads.iter().flat_map(|(mask, payload)| frame(2, Some(*mask), payload)).collect();
        let ((sorted, headers), _) = push(Side::frames(), &bytes, &cuts);
        let unmasked: Vec<u8> = sorted.iter().filter_map(|byte| byte.2).collect();
        prop_assert_eq!(unmasked, payloads.iter().flat_map(|(_, payload)| payload.clone()).collect::<Vec<_>>());
        let lengths: Vec<u64> = payloads.iter().map(|(_, payload)| payload.len() as u64).collect();
        prop_assert_eq!(headers.iter().map(|header| header.length).collect::<Vec<_>>(), lengths);
    }
}
