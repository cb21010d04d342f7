//! Streams, and the events that the standard makes of them.
//!
//! Written by hand from HTML 9.2.5 and 9.2.6, and not by any encoder: each has one trap.

use crate::workshop::{client::Printed, finding::Expectation};

/// The data of the event that ends each stream, so that nobody waits for what must not come.
pub(super) const LAST: &str = "the last event";

/// One stream.
#[derive(Clone, Copy)]
pub(super) struct Case {
    /// The expectation that it belongs to.
    pub(super) expectation: &'static str,
    /// The body's bytes, without the last event.
    body: &'static [u8],
    /// How many bytes are sent at a time; all at once where `None`.
    pub(super) piece: Option<usize>,
    /// Whether the connection ends right after the body, in the middle of an event.
    pub(super) cut: bool,
    /// Id, type and data of each event.
    events: &'static [(&'static str, &'static str, &'static str)],
}

impl Case {
    /// What is sent.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.body.to_vec();
        if !self.cut {
            bytes.extend(format!("data: {LAST}\n\n").bytes());
        }
        bytes
    }

    /// What has to be printed.
    pub(super) fn expected(&self) -> Vec<Printed> {
        let printed = |id: &str, kind: &str, data: &str| Printed {
            id: id.to_owned(),
            kind: kind.to_owned(),
            data: data.to_owned(),
        };
        let mut events: Vec<_> = self.events.iter().map(|(id, kind, data)| printed(id, kind, data)).collect();
        if !self.cut {
            // The last event id outlives the event that set it, also one that was never dispatched.
            let id = self.final_id();
            events.push(printed(id, "message", LAST));
        }
        events
    }

    fn final_id(&self) -> &'static str {
        match self.expectation {
            "id-without-data" => "9",
            "id-empty" => "",
            _ => self.events.last().map_or("", |(id, ..)| id),
        }
    }
}

const fn case(
    expectation: &'static str,
    body: &'static [u8],
    events: &'static [(&'static str, &'static str, &'static str)],
) -> Case {
    Case { expectation, body, piece: None, cut: false, events }
}

const fn in_pieces(size: usize, case: Case) -> Case {
    Case { piece: Some(size), ..case }
}

const fn cut(case: Case) -> Case {
    Case { cut: true, ..case }
}

pub(super) const CASES: &[Case] = &[
    case("plain", b"data: one\n\ndata: two\n\n", &[("", "message", "one"), ("", "message", "two")]),
    case(
        "id-and-type",
        b"id: 7\nevent: tick\ndata: x\n\ndata: y\n\n",
        &[("7", "tick", "x"), ("7", "message", "y")],
    ),
    in_pieces(
        1,
        case(
            "split",
            b"id: 1\ndata: one\n\ndata: two\n\n",
            &[("1", "message", "one"), ("1", "message", "two")],
        ),
    ),
    in_pieces(
        7,
        case(
            "split",
            b"data: a longer first\n\ndata: second\n\n",
            &[("", "message", "a longer first"), ("", "message", "second")],
        ),
    ),
    case("several-lines", b"data: one\ndata:\ndata: three\n\n", &[("", "message", "one\n\nthree")]),
    case(
        "colon-space",
        b"data:a\n\ndata:  b\n\ndata: c:d \n\n",
        &[("", "message", "a"), ("", "message", " b"), ("", "message", "c:d ")],
    ),
    case(
        "empty-data",
        b"data:\n\ndata\n\ndata\ndata\n\n",
        &[("", "message", ""), ("", "message", ""), ("", "message", "\n")],
    ),
    case("no-data", b"event: ghost\n\n\n\nid: 3\n\ndata: x\n\n", &[("3", "message", "x")]),
    case(
        "comments",
        b": hello\n:\ndata: x\n: data: in between\n:heartbeat\n\n:\n\n",
        &[("", "message", "x")],
    ),
    case(
        "unknown-fields",
        b"foo: bar\ndata: x\nDATA: y\n data: z\ndata : w\nEvent: e\n\n",
        &[("", "message", "x")],
    ),
    case(
        "crlf",
        b"data: one\r\n\r\nevent: e\r\ndata: two\r\n\r\n",
        &[("", "message", "one"), ("", "e", "two")],
    ),
    in_pieces(
        1,
        case(
            "crlf",
            b"data: one\r\ndata: more\r\n\r\ndata: two\r\n\r\n",
            &[("", "message", "one\nmore"), ("", "message", "two")],
        ),
    ),
    case(
        "cr",
        b"data: one\rdata: more\r\rdata: two\r\r",
        &[("", "message", "one\nmore"), ("", "message", "two")],
    ),
    case(
        "cr",
        b"data: a\n\rdata: b\r\n\ndata: c\r\r\n",
        &[("", "message", "a"), ("", "message", "b"), ("", "message", "c")],
    ),
    case("bom", b"\xef\xbb\xbfdata: x\n\n", &[("", "message", "x")]),
    in_pieces(
        1,
        case("bom", b"\xef\xbb\xbfdata: x\n\n\xef\xbb\xbfdata: not data\n\n", &[("", "message", "x")]),
    ),
    case("id-without-data", b"id: 8\ndata: x\n\nid: 9\n\n", &[("8", "message", "x")]),
    case(
        "id-empty",
        b"id: 5\ndata: x\n\nid\ndata: y\n\nid: 6\ndata: z\n\nid:\n\n",
        &[("5", "message", "x"), ("", "message", "y"), ("6", "message", "z")],
    ),
    case(
        "id-nul",
        b"id: 4\ndata: x\n\nid: 5\x006\ndata: y\n\n",
        &[("4", "message", "x"), ("4", "message", "y")],
    ),
    case(
        "retry-nonsense",
        b"retry: soon\nretry: -1\nretry: 1e3\nretry:\nretry\ndata: x\n\n",
        &[("", "message", "x")],
    ),
    in_pieces(1, case("utf-8", "data: é 🦀 漢\n\n".as_bytes(), &[("", "message", "é 🦀 漢")])),
    case(
        "invalid-utf-8",
        b"data: a\xffb\xc3\n\ndata: \xf0\x9f\x92\n\n",
        &[("", "message", "a\u{fffd}b\u{fffd}"), ("", "message", "\u{fffd}")],
    ),
    cut(case("cut", b"data: one\n\nid: 2\ndata: cut in its mid", &[("", "message", "one")])),
    cut(case("cut", b"data: one\n\ndata: whole line, no blank one\n", &[("", "message", "one")])),
];

pub(super) const EXPECTATIONS: &[Expectation] = &[
    Expectation {
        name: "plain",
        expects: "events of one line of data each are printed, one line of JSON for each",
        next: "Ask for the URL that is the last argument, and print {\"id\",\"type\",\"data\"} at each blank line.",
    },
    Expectation {
        name: "id-and-type",
        expects: "id: and event: are taken up; the id stays for later events, the type does not",
        next: "Clear data and type at each blank line, but keep the last id.",
    },
    Expectation {
        name: "split",
        expects: "it makes no difference where the network cuts the bytes: one at a time is as good as all at once",
        next: "Keep what is left of a chunk after its last line end, and put the next chunk behind it.",
    },
    Expectation {
        name: "several-lines",
        expects: "several data: lines are joined by a line feed",
        next: "Collect the data lines and join them with \"\\n\" when the blank line comes.",
    },
    Expectation {
        name: "colon-space",
        expects: "one space after the first colon is dropped, and one only; later colons belong to the value",
        next: "Cut at the first colon; if the value begins with a space, drop that one and nothing else.",
    },
    Expectation {
        name: "empty-data",
        expects: "a data field with nothing in it is an event with empty data, also without its colon",
        next: "Tell `no data field yet` apart from `data that is empty`; a line without a colon is a field name.",
    },
    Expectation {
        name: "no-data",
        expects: "a block without any data field makes no event, and its type does not stay",
        next: "At a blank line where no data field has come, forget the type and print nothing.",
    },
    Expectation {
        name: "comments",
        expects: "lines that begin with a colon are ignored",
        next: "Skip a line whose first character is a colon; it does not end the event either.",
    },
    Expectation {
        name: "unknown-fields",
        expects: "fields of other names are ignored; names are compared as they are, case and spaces too",
        next: "Compare the name before the colon exactly, without trimming or lowering it.",
    },
    Expectation {
        name: "crlf",
        expects: "CR LF ends a line as LF does, also where the network cuts between the two",
        next: "After a CR remember it: an LF that follows, perhaps in the next chunk, belongs to the same line end.",
    },
    Expectation {
        name: "cr",
        expects: "a CR alone ends a line too, and all three line ends may be mixed",
        next: "End a line at LF, at CR, and at CR LF together.",
    },
    Expectation {
        name: "utf-8",
        expects: "a character of several bytes is whole, also where the network cuts it",
        next: "Split lines in bytes and decode whole lines, or use a decoder that is fed piece by piece.",
    },
    Expectation {
        name: "bom",
        expects: "one byte order mark at the very beginning is dropped, and none elsewhere",
        next: "Drop EF BB BF at the beginning of the stream once; later on it is a part of the field's name.",
    },
    Expectation {
        name: "id-without-data",
        expects: "an id in a block without data counts for the events after it",
        next: "Set the last event id at the blank line, also where there is nothing to print.",
    },
    Expectation {
        name: "id-empty",
        expects: "an empty id: takes the last id away",
        next: "Treat an id field without a value as an id that is the empty string.",
    },
    Expectation {
        name: "id-nul",
        expects: "an id with a NUL in it is ignored",
        next: "If the id's value contains U+0000, leave the last event id as it was.",
    },
    Expectation {
        name: "retry-nonsense",
        expects: "a retry: that is not only digits is ignored and does no harm",
        next: "Take retry only where its value consists of ASCII digits.",
    },
    Expectation {
        name: "invalid-utf-8",
        expects: "bytes that are no UTF-8 become U+FFFD, and the stream goes on",
        next: "Decode with replacement: errors=\"replace\", TextDecoder without fatal, from_utf8_lossy.",
    },
    Expectation {
        name: "cut",
        expects: "an event that the end of the stream cuts short is not printed",
        next: "Print at a blank line only: what is left at the end of the stream is thrown away.",
    },
];
