//! The fields beside `data:`: a name, an id and the pause before another attempt.

use std::{collections::HashMap, time::Duration};

use crate::workshop::{
    finding::{Expectation, Saw},
    http::Request,
    judge::{Judge, Stop},
    stream::{Event, EventStream},
};

pub(super) const EXPECTATIONS: &[Expectation] = &[
    Expectation {
        name: "answers",
        expects: "GET /events is answered with status 200 and Content-Type text/event-stream",
        next: "Answer the path /events with status 200 and the header Content-Type: text/event-stream.",
    },
    Expectation {
        name: "flows",
        expects: "8 events arrive within 6 s",
        next: "Write an event each 250 ms, end each with a blank line, and keep the answer open.",
    },
    Expectation {
        name: "retry",
        expects: "the stream asks readers to wait 2000 ms before they come back",
        next: "Write `retry: 2000` on a line of its own: digits only, and milliseconds.",
    },
    Expectation {
        name: "ids",
        expects: "every event has an id, a number that grows by one from event to event",
        next: "Write a line `id: ` and the event's number before the blank line that ends the event.",
    },
    Expectation {
        name: "same-ids",
        expects: "two readers see the same id on the same event",
        next: "Count the events once for the whole server, and not once for each reader.",
    },
    Expectation {
        name: "names",
        expects: "an event whose id is a multiple of 4 is named bell, and every other one tick",
        next: "Write a line `event: ` and the name in the same block as the data: a blank line forgets the name.",
    },
];

/// Enough for two bells, wherever the reader begins.
const EVENTS: usize = 8;

/// So many of them come before the second reader does.
const HEAD_START: usize = 2;

const WITHIN: Duration = Duration::from_secs(6);

pub(super) async fn judge(judge: &mut Judge) -> Result<(), Stop> {
    let server = judge.server()?;
    let mut first = EventStream::expected(judge, "answers", &server).await?;
    // The second comes later than the first, or counting for each reader would look like counting once.
    let begun = first.events(HEAD_START, WITHIN).await;
    let mut one = judge.need("flows", begun)?;
    let opened = EventStream::open(&server, &Request::get("/events")).await;
    let mut second = judge.need("answers", opened)?;
    let rest = EVENTS - HEAD_START;
    let (more, two) = tokio::join!(first.events(rest, WITHIN), second.events(rest, WITHIN));
    one.extend(judge.need("flows", more)?);
    let two = judge.need("flows", two)?;
    let saw = format!("{} events for the first reader, {} for a later one", one.len(), two.len());
    let all_came = one.len() == EVENTS && two.len() == rest;
    judge.require("flows", all_came, Saw::new(saw).bytes(first.bytes()))?;

    let saw = first.retry.map_or("no retry that a browser would heed".to_owned(), |ms| format!("{ms} ms"));
    judge.expect("retry", first.retry == Some(2000), Saw::new(saw).bytes(first.bytes()));

    let ids: Vec<_> = one.iter().map(|event| event.id.as_str()).collect();
    let numbers: Vec<u64> = ids.iter().filter_map(|id| id.parse().ok()).collect();
    let by_one =
        numbers.len() == EVENTS && numbers.windows(2).all(|two| two[0].checked_add(1) == Some(two[1]));
    let saw = Saw::new(format!("ids {ids:?}")).bytes(first.bytes());
    judge.require("ids", by_one, saw)?;

    let (shared, differing) = compare(&one, &two);
    let saw = match (&differing, shared) {
        (Some(words), _) => words.clone(),
        (None, 0) => "no event in common: the two readers got different data at the same time".to_owned(),
        (None, shared) => format!("{shared} events in common, with the same ids"),
    };
    judge.expect("same-ids", differing.is_none() && shared > 0, Saw::new(saw));

    let wrong = one.iter().zip(&numbers).find(|(event, number)| event.kind != name(**number));
    let saw = match wrong {
        Some((event, number)) => format!("event {number} is named {:?}, not {:?}", event.kind, name(*number)),
        None => format!("{EVENTS} events, each with its name"),
    };
    judge.require("names", wrong.is_none(), Saw::new(saw).bytes(first.bytes()))
}

fn name(number: u64) -> &'static str {
    if number.is_multiple_of(4) { "bell" } else { "tick" }
}

/// How many events both readers saw, told by their data, and the first whose ids differ.
fn compare(one: &[Event], two: &[Event]) -> (usize, Option<String>) {
    let ids: HashMap<_, _> = one.iter().map(|event| (&event.data, &event.id)).collect();
    let mut shared = 0;
    for event in two {
        let Some(id) = ids.get(&event.data) else { continue };
        shared += 1;
        if **id != event.id {
            let words =
                format!("data {:?} has id {id:?} for one reader and {:?} for another", event.data, event.id);
            return (shared, Some(words));
        }
    }
    (shared, None)
}
