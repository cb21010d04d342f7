//! The simplest event stream: the time of day once a second, as the tutorials show it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::workshop::{
    finding::{Expectation, Saw},
    http::{Request, ask},
    judge::{Judge, Stop},
    stream::{EventStream, Next},
};

pub(super) const EXPECTATIONS: &[Expectation] = &[
    Expectation {
        name: "answers",
        expects: "GET /dates is answered with status 200",
        next: "Look at what the program does with the path /dates, and send the head before the first event.",
    },
    Expectation {
        name: "content-type",
        expects: "the answer's Content-Type is text/event-stream",
        next: "Set the header Content-Type: text/event-stream; a browser's EventSource gives up on any other.",
    },
    Expectation {
        name: "blank-line",
        expects: "an event arrives within 3 s: a field and, after it, a blank line",
        next: "End each event with a blank line: two line ends in a row, \"\\n\\n\".",
    },
    Expectation {
        name: "data",
        expects: "the event's data is the time of day, in milliseconds since 1970",
        next: "Send `data: ` and the number of milliseconds, Date.now() or its like, and nothing else.",
    },
    Expectation {
        name: "goes-on",
        expects: "further events follow on the same answer, about one a second, each at its time",
        next: "Keep the answer open and write one event each second; do not end it and do not collect them.",
    },
    Expectation {
        name: "two-readers",
        expects: "a second reader gets events too, while the first one still reads",
        next: "Give each request a timer of its own, and never wait for one reader before serving the next.",
    },
    Expectation {
        name: "other-paths",
        expects: "a path that is not there is answered with 404, and not with silence",
        next: "Answer every other path with status 404 and end the answer.",
    },
];

/// From one event to the next: a second, with room for a busy machine. Judged by the mean of several.
const PACE_MS: std::ops::RangeInclusive<u128> = 500..=1800;

pub(super) async fn judge(judge: &mut Judge) -> Result<(), Stop> {
    let server = judge.server()?;
    let opened = EventStream::open(&server, &Request::get("/dates")).await;
    let mut first = judge.need("answers", opened)?;
    let status = first.response.status;
    judge.require(
        "answers",
        status == 200,
        Saw::new(format!("status {status}")).bytes(&first.response.head),
    )?;
    let kind = first.content_type();
    let said = if kind.is_empty() { "no Content-Type".to_owned() } else { kind.clone() };
    judge.require("content-type", kind == "text/event-stream", Saw::new(said).bytes(&first.response.head))?;
    let next = first.next(Duration::from_secs(3)).await;
    let event = match judge.need("blank-line", next)? {
        Next::Event(event) => event,
        other => {
            let saw = match (other, first.bytes_read) {
                (Next::End, 0) => Saw::new("the answer ended without a byte")
                    .next("Keep the answer open: write to it, and do not end it."),
                (Next::End, _) => Saw::new("the answer ended before an event was complete"),
                (_, 0) => Saw::new("not a byte in 3 s")
                    .next("Write each event as it is made, and flush it: nothing may collect it."),
                (_, bytes) => Saw::new(format!("{bytes} bytes and no event: no blank line ends it")),
            };
            judge.require("blank-line", false, saw.bytes(first.bytes()))?;
            return Ok(());
        }
    };
    judge.expect("blank-line", true, Saw::new("an event").bytes(first.bytes()));
    let off = event.data.parse::<u64>().map(|millis| now().abs_diff(u128::from(millis)));
    let saw = match &off {
        Ok(off) => format!("data {:?}, {off} ms from this machine's clock", event.data),
        Err(_) => format!("data {:?}, which is no number", event.data),
    };
    judge.require("data", off.is_ok_and(|off| off < 60_000), Saw::new(saw).bytes(first.bytes()))?;

    let others = first.events(2, Duration::from_secs(6)).await;
    let others = judge.need("goes-on", others)?;
    let Some(last) = others.last().filter(|_| others.len() == 2) else {
        let saw = format!("{} more within 6 s, where 2 were awaited", others.len());
        return judge.require("goes-on", false, Saw::new(saw).bytes(first.bytes()));
    };
    let mean = last.at.duration_since(event.at).as_millis() / 2;
    let saw = Saw::new(format!("3 events, {mean} ms from one to the next"));
    judge.require("goes-on", PACE_MS.contains(&mean), saw.figure(mean as f64, "ms", "500 to 1800 ms"))?;

    let opened = EventStream::open(&server, &Request::get("/dates")).await;
    let mut second = judge.need("two-readers", opened)?;
    let events = second.events(1, Duration::from_secs(4)).await;
    let events = judge.need("two-readers", events)?;
    let still = first.events(1, Duration::from_secs(4)).await;
    let still = judge.need("two-readers", still)?;
    let saw = format!("{} for the second reader, {} more for the first", events.len(), still.len());
    judge.expect("two-readers", !events.is_empty() && !still.is_empty(), Saw::new(saw).bytes(second.bytes()));

    let answer = ask(&server, &Request::get("/nothing-is-here")).await;
    let answer = judge.need("other-paths", answer)?;
    judge.require("other-paths", answer.status == 404, answer.summary())
}

fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}
