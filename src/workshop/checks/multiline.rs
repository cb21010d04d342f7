//! Texts of several lines, which an event stream carries line by line.

use std::time::Duration;

use crate::workshop::{
    finding::{Expectation, Saw},
    http::{Place, Trouble},
    judge::{Judge, Stop},
    poll::publish,
    stream::EventStream,
};

pub(super) const EXPECTATIONS: &[Expectation] = &[
    Expectation {
        name: "answers",
        expects: "GET /events is answered with status 200 and Content-Type text/event-stream",
        next: "Answer the path /events with status 200 and the header Content-Type: text/event-stream.",
    },
    Expectation {
        name: "one-line",
        expects: "a published text of one line arrives as one event, as it is",
        next: "Write `data: `, the text as it came, a line end and a blank line to each reader.",
    },
    Expectation {
        name: "lines",
        expects: "a text of two lines arrives as one event, with a line feed between",
        next: "Write `data: ` before each line of the text, and one blank line after the last.",
    },
    Expectation {
        name: "cr-and-crlf",
        expects: "CR and CRLF end a line as LF does, and a CRLF is one line end",
        next: "Split the text at \\r\\n, \\n and \\r, the longest first.",
    },
    Expectation {
        name: "empty-lines",
        expects: "empty lines remain, at the start, between and at the end of a text",
        next: "Write `data: ` for an empty line too: only a line without anything ends the event.",
    },
    Expectation {
        name: "as-written",
        expects: "spaces, other signs and lines that look like fields arrive as they were written",
        next: "Write one space after the colon, always; a browser takes one away. Change nothing in the text.",
    },
];

/// Texts as they are published and as they have to arrive, and the expectation that each is about.
const TEXTS: &[(&str, &str, &str)] = &[
    ("one-line", "a notice", "a notice"),
    ("lines", "one\ntwo", "one\ntwo"),
    ("cr-and-crlf", "one\rtwo", "one\ntwo"),
    ("cr-and-crlf", "one\r\ntwo\r\nthree", "one\ntwo\nthree"),
    ("empty-lines", "one\n\ntwo", "one\n\ntwo"),
    ("empty-lines", "\none", "\none"),
    ("empty-lines", "one\n", "one\n"),
    ("as-written", "  two spaces\n and one", "  two spaces\n and one"),
    ("as-written", "x\nevent: bell\nid: 7\n: hm\ndata: y", "x\nevent: bell\nid: 7\n: hm\ndata: y"),
    ("as-written", "one\u{2028}line\u{c}still", "one\u{2028}line\u{c}still"),
];

/// Published after each text, so that what must not come would have come before it.
const MARK: &str = "the next text";

const WITHIN: Duration = Duration::from_secs(4);

pub(super) async fn judge(judge: &mut Judge) -> Result<(), Stop> {
    let server = judge.server()?;
    let mut stream = EventStream::expected(judge, "answers", &server).await?;
    for (name, text, expected) in TEXTS {
        let sent = send(&server, &mut stream, text).await;
        let came = judge.need(name, sent)?;
        let words = match came.as_slice() {
            [] => format!("{text:?} was published, and no event came"),
            came => format!("{text:?} was published, and came as {came:?}"),
        };
        judge.require(name, came == [*expected], Saw::new(words).bytes(stream.bytes()))?;
    }
    Ok(())
}

/// Publishes a text and the mark, and returns what came before the mark.
async fn send(server: &Place, stream: &mut EventStream, text: &str) -> Result<Vec<String>, Trouble> {
    publish(server, text).await?;
    publish(server, MARK).await?;
    let mut came = Vec::new();
    // A text as JSON has the mark in it; more than a few events are wrong whatever they are.
    while came.len() < 8 {
        let Some(event) = stream.events(1, WITHIN).await?.pop() else { break };
        if event.data.contains(MARK) {
            break;
        }
        came.push(event.data);
    }
    Ok(came)
}
