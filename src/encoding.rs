//! An event as text: the SSE block and the JSON message.
//!
//! Both are made from the same [`Event`] by the rules of their standards, and by nothing else in the
//! library, so that server, benches and tests speak of the same bytes.

use std::fmt::Write as _;

use crate::event::{Cursor, DEFAULT_TYPE, Event, GAP_TYPE, Gap};

/// An event as a block of `text/event-stream`.
///
/// `event:` is left out for the default type, as the standard's own default is the same. Each line of
/// the data becomes a `data:` field; empty data is one empty field, since a block without any would not
/// be dispatched at all ([HTML, 9.2.6](https://html.spec.whatwg.org/multipage/server-sent-events.html)).
pub fn sse_block(event: &Event) -> String {
    let mut block = String::with_capacity(event.data.len() + event.kind.len() + 64);
    // Writing to a String can't fail.
    let _ = writeln!(block, "id: {}", event.id);
    if event.kind != DEFAULT_TYPE {
        let _ = writeln!(block, "event: {}", event.kind);
    }
    push_data(&mut block, &event.data);
    block
}

/// A gap as a block of `text/event-stream`; `resume` is the cursor that the reader has after it, so that
/// a reconnect does not announce the same gap again.
pub fn sse_gap(gap: Gap, resume: Cursor) -> String {
    let mut block = format!("id: {resume}\nevent: {GAP_TYPE}\n");
    push_data(&mut block, &json(&gap));
    block
}

/// The first block of a stream: how long to wait before a reconnect, in milliseconds (`None` leaves that to
/// the browser), and where the reader stands. Without data it dispatches no event, but its `id` counts.
pub fn sse_opening(retry_ms: Option<u64>, cursor: Cursor) -> String {
    let retry = retry_ms.map(|ms| format!("retry: {ms}\n")).unwrap_or_default();
    format!("{retry}id: {cursor}\n\n")
}

/// A comment line, which keeps a silent stream alive and which every parser drops.
pub const SSE_HEARTBEAT: &str = ":\n\n";

/// An event as a JSON object, the same in a poll's array and in a WebSocket's message.
pub fn event_json(event: &Event) -> String {
    json(event)
}

/// Any of our plain values as JSON.
pub fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("strings, numbers and structs of them always serialise")
}

fn push_data(block: &mut String, data: &str) {
    for line in data.split('\n') {
        block.push_str("data: ");
        block.push_str(line);
        block.push('\n');
    }
    block.push('\n');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{Draft, Epoch, GapReason};

    fn event(kind: Option<&str>, data: &str) -> Event {
        let id = Cursor { epoch: Epoch::new(10), sequence: 3 };
        Draft::new(kind, data).expect("a good type").with_id(id)
    }

    #[test]
    fn blocks_are_written_as_the_standard_reads_them() {
        assert_eq!(sse_block(&event(None, "x")), "id: a-3\ndata: x\n\n");
        assert_eq!(sse_block(&event(Some("tick"), "x\ny")), "id: a-3\nevent: tick\ndata: x\ndata: y\n\n");
        assert_eq!(sse_block(&event(None, "")), "id: a-3\ndata: \n\n");
        let gap = Gap { missed: Some(2), reason: GapReason::Evicted };
        assert_eq!(
            sse_gap(gap, Cursor { epoch: Epoch::new(10), sequence: 2 }),
            "id: a-2\nevent: gap\ndata: {\"missed\":2,\"reason\":\"evicted\"}\n\n"
        );
    }

    proptest! {
        #[test]
        fn a_standard_parser_reads_back_what_was_written(data in "[ -~\n\u{e9}\u{feff}]{0,40}", kind in "[ -~]{1,12}") {
            prop_assume!(kind != GAP_TYPE);
            let event = event(Some(&kind), &data);
            let mut decoder = sse_core::SseDecoder::new();
            let mut bytes = bytes::Bytes::from(sse_block(&event));
            let Some(Ok(sse_core::SseEvent::Message(read))) = decoder.next(&mut bytes) else {
                return Err(TestCaseError::fail("no message"));
            };
            prop_assert_eq!(read.data.as_str(), event.data.as_str());
            prop_assert_eq!(read.event.as_ref(), event.kind.as_ref());
            let id = event.id.to_string();
            prop_assert_eq!(read.last_event_id.as_deref(), Some(id.as_str()));
        }
    }
}
