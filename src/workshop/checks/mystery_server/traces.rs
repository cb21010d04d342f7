//! What is behind each trace of `workshop/16-mystery-server/`, and where in it that can be seen.
//!
//! `tests/workshop_traces.rs` has recorded them, and says how.

use crate::transport::Transport;

/// What was wrong on the way between reader and server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing.
    None,
    /// Every byte takes longer.
    Delay,
    /// The connection was reset.
    Reset,
    /// Nothing came through any more, and nobody was told.
    Silence,
    /// Nothing came through for a while, and then everything did.
    Stall,
}

impl Fault {
    pub(super) const ALL: [Fault; 5] =
        [Fault::None, Fault::Delay, Fault::Reset, Fault::Silence, Fault::Stall];

    /// The word for it in an answer.
    pub(super) fn word(self) -> &'static str {
        match self {
            Fault::None => "none",
            Fault::Delay => "delay",
            Fault::Reset => "reset",
            Fault::Silence => "silence",
            Fault::Stall => "stall",
        }
    }

    /// The one of this word.
    pub(super) fn named(word: &str) -> Option<Fault> {
        Fault::ALL.into_iter().find(|fault| fault.word() == word)
    }
}

/// One trace. What tells and what is asked is of transport, interval and fault, in this order.
pub(super) struct Trace {
    pub(super) name: &'static str,
    pub(super) expectation: &'static str,
    pub(super) transport: Transport,
    pub(super) interval_ms: f64,
    pub(super) fault: Fault,
    /// What in the trace tells it: said to whoever has found it.
    pub(super) tells: [&'static str; 3],
    /// Where to look, for whoever has not.
    pub(super) asks: [&'static str; 3],
}

pub(super) const TRACES: &[Trace] = &[
    Trace {
        name: "a",
        expectation: "trace-a",
        transport: Transport::ShortPoll,
        interval_ms: 1000.0,
        fault: Fault::None,
        tells: [
            "every question is answered at once, whether there is something new or not",
            "between 4000 and 7000 ms the questions are 1000 ms apart",
            "no answer is late or missing, and all is on connection 1",
        ],
        asks: [
            "Look at any question: how long is it until its answer, and what does the reader do until its next one?",
            "Between 4000 and 7000 ms nothing was published: how far apart are the questions there, in ms?",
            "Is there any question at all whose answer is late or missing?",
        ],
    },
    Trace {
        name: "b",
        expectation: "trace-b",
        transport: Transport::Sse,
        interval_ms: 2000.0,
        fault: Fault::Reset,
        tells: [
            "after its request the reader says nothing more: all comes from the server",
            "from 3020 ms on nothing was published for a while, and something small comes every 2000 ms",
            "at 9200 ms the connection ends at a stroke, and the reader is back a second later on another",
        ],
        asks: [
            "After the request, which side never speaks again on that connection?",
            "What comes between 3100 and 7600 ms, when nothing was published: how far apart is it?",
            "What happens at 9200 ms, and on which connection does the reader go on?",
        ],
    },
    Trace {
        name: "c",
        expectation: "trace-c",
        transport: Transport::LongPoll,
        interval_ms: 4000.0,
        fault: Fault::Delay,
        tells: [
            "a question stands open until there is something to say, and the next one follows its answer at once",
            "a question is answered with nothing after 4300 ms, of which 300 are the way there and back",
            "no answer comes in less than 300 ms, not even the first",
        ],
        asks: [
            "Some answers take 300 ms, others thousands: what does the server do in between?",
            "A question at about 3400 ms is answered with nothing at about 7700: how much of that is the way there and back?",
            "How long does the quickest of all answers take, on a connection that has long been open?",
        ],
    },
    Trace {
        name: "d",
        expectation: "trace-d",
        transport: Transport::WebSocket,
        interval_ms: 1500.0,
        fault: Fault::Silence,
        tells: [
            "the reader answers small things with a few bytes on the same connection, and they are no request",
            "between 3100 and 7600 ms the small things are 1500 ms apart",
            "after 13524 ms nothing comes, not even the last event, and nobody ends the connection",
        ],
        asks: [
            "The reader sends a few bytes long after its request: what are they an answer to?",
            "Between 3100 and 7600 ms nothing was published: how far apart are the small things that come?",
            "Something is due at about 15000 ms and at 16850: does it come, does it come later, does anybody end the connection?",
        ],
    },
    Trace {
        name: "e",
        expectation: "trace-e",
        transport: Transport::Sse,
        interval_ms: 1000.0,
        fault: Fault::Stall,
        tells: [
            "after its request the reader says nothing more: all comes from the server",
            "up to 5057 ms, and at the end of the trace, something small comes every 1000 ms",
            "nothing comes from 5057 to 11300 ms, and then all that was due, at once",
        ],
        asks: [
            "After the request, which side never speaks again?",
            "What comes between 17000 and 20000 ms, when nothing was published: how far apart is it?",
            "How many bytes come at 11300 ms, and how many were due since 5057?",
        ],
    },
    Trace {
        name: "f",
        expectation: "trace-f",
        transport: Transport::LongPoll,
        interval_ms: 2500.0,
        fault: Fault::Silence,
        tells: [
            "a question stands open until there is something to say, and the next one follows its answer at once",
            "a question at 3020 ms is answered with nothing after 2500 ms",
            "the question of 7710 ms is never answered: the reader gives it up, and asks on another connection",
        ],
        asks: [
            "Does each answer come at once, or only when there is something to say?",
            "A question at about 3020 ms is answered with nothing: after how long?",
            "What became of the question of 7710 ms, and which side ended its connection?",
        ],
    },
];
