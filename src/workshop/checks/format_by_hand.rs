//! An event stream that was typed by hand, read as the standard says.

use std::num::NonZeroUsize;

use sse_core::{SseDecoder, SseEvent};

use crate::workshop::{
    finding::{Expectation, Saw},
    judge::{FILE_BYTES, Judge, Stop},
};

pub(super) const EXPECTATIONS: &[Expectation] = &[
    Expectation {
        name: "comment",
        expects: "the first line is a comment",
        next: "Begin the first line with a colon.",
    },
    Expectation {
        name: "plain",
        expects: "the first event's data is hello, and it has no type and no id of its own",
        next: "Write `data: hello` and a blank line behind it: the blank line ends the event.",
    },
    Expectation {
        name: "name-and-id",
        expects: "the second event is of type greeting and has id 1",
        next: "Write `event: greeting` and `id: 1`, a line each, in the same block as the data.",
    },
    Expectation {
        name: "several-lines",
        expects: "the second event's data is two lines, good morning and Ada",
        next: "Write a `data:` line for each line of the text.",
    },
    Expectation {
        name: "spaces",
        expects: "the third event's data begins with two spaces, and its type is not given",
        next: "Write three spaces after the colon: the first of them does not count.",
    },
    Expectation {
        name: "empty",
        expects: "the fourth event is of type end, has id 2 and empty data",
        next: "Write `data:` with nothing behind it, and the blank line also after the last event.",
    },
    Expectation {
        name: "retry",
        expects: "readers are asked to wait 1500 ms before they come back",
        next: "Write `retry: 1500` on a line of its own: digits only, and milliseconds.",
    },
    Expectation {
        name: "nothing-more",
        expects: "there are four events, and no half one behind them",
        next: "Take away what stands after the blank line of the fourth event.",
    },
    Expectation {
        name: "small",
        expects: "the file has at most 200 bytes",
        next: "Shorten the comment; spaces after colons may go where the value does not begin with one.",
    },
];

const BYTES: usize = 200;

/// Type, id and data of each event. An id stays for the events after it.
const WANTED: [(&str, &str, &str); 4] = [
    ("message", "", "hello"),
    ("greeting", "1", "good morning\nAda"),
    ("message", "1", "  two spaces"),
    ("end", "2", ""),
];

/// What the standard makes of bytes.
#[derive(Debug, Default)]
struct Read {
    events: Vec<(String, String, String)>,
    retry: Option<u32>,
}

pub(super) async fn judge(judge: &mut Judge) -> Result<(), Stop> {
    let bytes = judge.file_bytes()?;

    let begins = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let line = begins.split(|byte| b"\r\n".contains(byte)).next().unwrap_or_default();
    let saw = if line.is_empty() { "the first line is empty" } else { "the first line is:" };
    judge.expect("comment", line.starts_with(b":"), Saw::new(saw).bytes(line));

    let Read { events, retry } = interpret(&bytes);
    let unended = interpret(&[&bytes[..], b"\n\n"].concat()).events.len() > events.len();
    let saw = |number: usize| {
        let text = match events.get(number) {
            Some((kind, id, data)) => {
                format!("event {} is of type {kind:?}, with id {id:?} and data {data:?}", number + 1)
            }
            None if unended => {
                format!("{} complete events, and one that no blank line ends", events.len())
            }
            None => format!("{} complete events", events.len()),
        };
        Saw::new(text).bytes(&bytes)
    };
    let is = |number: usize| {
        events.get(number).is_some_and(|(kind, id, data)| (&**kind, &**id, &**data) == WANTED[number])
    };
    judge.require("plain", is(0), saw(0))?;
    let (kind, id, data) = WANTED[1];
    judge.expect("name-and-id", events.get(1).is_some_and(|it| it.0 == kind && it.1 == id), saw(1));
    judge.expect("several-lines", events.get(1).is_some_and(|it| it.2 == data), saw(1));
    let (kind, _, data) = WANTED[2];
    // Its id is the second event's, and has been judged there.
    judge.expect("spaces", events.get(2).is_some_and(|it| it.0 == kind && it.2 == data), saw(2));
    judge.expect("empty", is(3), saw(3));
    let words = retry.map_or("no retry that a browser would heed".to_owned(), |ms| format!("{ms} ms"));
    judge.expect("retry", retry == Some(1500), Saw::new(words).bytes(&bytes));
    let words =
        format!("{} complete events{}", events.len(), if unended { ", and one that never ends" } else { "" });
    let mut saw = Saw::new(words).bytes(&bytes);
    if events.len() < WANTED.len() {
        saw = saw.next("End each event with a blank line, the last one too, and give each a `data:`.");
    }
    judge.expect("nothing-more", events.len() == WANTED.len() && !unended, saw);
    let saw = Saw::new(format!("{} bytes", bytes.len()));
    let bar = format!("at most {BYTES} bytes");
    judge.expect("small", bytes.len() <= BYTES, saw.figure(bytes.len() as f64, "bytes", bar));
    Ok(())
}

fn interpret(bytes: &[u8]) -> Read {
    let limit = NonZeroUsize::new(FILE_BYTES).unwrap_or(NonZeroUsize::MIN);
    let mut decoder = SseDecoder::with_limit(limit);
    let mut rest = bytes::Bytes::copy_from_slice(bytes);
    let mut read = Read::default();
    while let Some(event) = decoder.next(&mut rest) {
        match event {
            Ok(SseEvent::Retry(millis)) => read.retry = Some(millis),
            Ok(SseEvent::Message(message)) => read.events.push((
                message.event.to_string(),
                message.last_event_id.as_deref().unwrap_or_default().to_owned(),
                message.data.to_string(),
            )),
            // Only what is longer than the limit, and nothing is.
            Err(_) => break,
        }
    }
    read
}
