//! Asking again and again, with a cursor that says what is known already.

use std::{collections::HashMap, time::Duration};

use tokio::task::JoinSet;

use crate::workshop::{
    finding::{Expectation, Saw},
    http::{Place, Trouble},
    judge::{Judge, Stop},
    poll::{poll, poll_after, publish},
};

pub(super) const EXPECTATIONS: &[Expectation] = &[
    Expectation {
        name: "publish",
        expects: "POST /publish is answered with status 201 and the event's id",
        next: "Answer POST /publish with status 201 and JSON such as {\"id\": 7}.",
    },
    Expectation {
        name: "poll",
        expects: "GET /poll is answered with status 200, a cursor and a list of events",
        next: "Put a \"cursor\" beside \"events\": the id of the last event that the answer has.",
    },
    Expectation {
        name: "everything",
        expects: "the first poll, without a cursor, has all 3 events that were published, in order",
        next: "Without `after`, answer all events, the oldest first.",
    },
    Expectation {
        name: "only-new",
        expects: "a poll with the first one's cursor has only the 2 events that were published since",
        next: "Answer the events whose id is greater than `after`: not equal to it, and not all.",
    },
    Expectation {
        name: "nothing-new",
        expects: "where nothing is new the list is empty, and the cursor works for the next poll",
        next: "Where there are no new events, answer the cursor that the reader came with.",
    },
    Expectation {
        name: "each-once",
        expects: "of 200 events published by 4 at a time, a reader who polls meanwhile gets 0 twice and loses 0",
        next: "Number the events by counting, and compare the ids as numbers: two events can share a moment.",
    },
    Expectation {
        name: "two-readers",
        expects: "a reader who comes with an older cursor gets everything after it, whoever has read it before",
        next: "Keep the events after they were answered: reading takes nothing away.",
    },
];

const PUBLISHERS: usize = 4;
const EACH: usize = 50;

/// A cursor made of the time gets past the first steps, to the expectation that is about it.
const PAUSE: Duration = Duration::from_millis(40);

/// So many polls are enough, however slow the machine: after the last publication one has all that is left.
const POLLS: usize = 2000;

pub(super) async fn judge(judge: &mut Judge) -> Result<(), Stop> {
    let server = judge.server()?;
    for text in ["one", "two", "three"] {
        let published = publish(&server, text).await;
        judge.need("publish", published)?;
    }
    judge.expect("publish", true, Saw::new("3 events were published"));
    let polled = poll(&server, "").await;
    let first = judge.need("poll", polled)?;
    judge.expect("poll", true, Saw::new(format!("cursor {:?}", first.cursor)));
    judge.require("everything", first.data() == ["one", "two", "three"], first.summary())?;

    tokio::time::sleep(PAUSE).await;
    for text in ["four", "five"] {
        let published = publish(&server, text).await;
        judge.need("publish", published)?;
    }
    let polled = poll_after(&server, &first.cursor, None).await;
    let second = judge.need("only-new", polled)?;
    judge.require("only-new", second.data() == ["four", "five"], second.summary())?;

    let polled = poll_after(&server, &second.cursor, None).await;
    let empty = judge.need("nothing-new", polled)?;
    judge.require("nothing-new", empty.events.is_empty(), empty.summary())?;
    tokio::time::sleep(PAUSE).await;
    let published = publish(&server, "six").await;
    judge.need("publish", published)?;
    let polled = poll_after(&server, &empty.cursor, None).await;
    let next = judge.need("nothing-new", polled)?;
    let saw = format!("an empty list, cursor {:?}, and with it: {}", empty.cursor, next.summary());
    judge.require("nothing-new", next.data() == ["six"], saw)?;

    let counted = meanwhile(&server, &next.cursor).await;
    let (lost, twice, polls) = judge.need("each-once", counted)?;
    let saw = Saw::new(format!("{lost} lost and {twice} twice, in {polls} polls"));
    let figure = saw.figure((lost + twice) as f64, "events", "0 lost, 0 twice");
    judge.require("each-once", lost + twice == 0, figure)?;

    let polled = poll_after(&server, &second.cursor, None).await;
    let late = judge.need("two-readers", polled)?;
    let (seen, all) = (late.events.len(), 1 + PUBLISHERS * EACH);
    let saw = format!("{seen} events after the cursor {:?}, of {all}", second.cursor);
    judge.require("two-readers", seen == all, saw)
}

/// Publishes from several sides and polls at the same time; how many events were lost, how many came more
/// than once, and in how many polls.
async fn meanwhile(server: &Place, cursor: &str) -> Result<(usize, usize, usize), Trouble> {
    let mut publishers = JoinSet::new();
    for publisher in 0..PUBLISHERS {
        let server = server.clone();
        publishers.spawn(async move {
            for number in 0..EACH {
                publish(&server, &format!("{publisher}/{number}")).await?;
            }
            Ok::<_, Trouble>(())
        });
    }
    let mut seen: HashMap<String, usize> = HashMap::new();
    let (mut cursor, mut polls) = (cursor.to_owned(), 0);
    loop {
        // Looked at before the poll: the one after the last publication has to bring all that is left.
        while let Some(ended) = publishers.try_join_next() {
            ended.map_err(|error| Trouble::new(error.to_string()))??;
        }
        let last = publishers.is_empty();
        let batch = poll_after(server, &cursor, None).await?;
        polls += 1;
        for event in batch.events {
            *seen.entry(event.data).or_default() += 1;
        }
        cursor = batch.cursor;
        if last {
            break;
        }
        if polls == POLLS {
            return Err(Trouble::new(format!("the events were not published within {POLLS} polls")));
        }
    }
    let expected = || (0..PUBLISHERS).flat_map(|one| (0..EACH).map(move |number| format!("{one}/{number}")));
    let lost = expected().filter(|text| !seen.contains_key(text)).count();
    let twice = seen.values().filter(|&&times| times > 1).count();
    Ok((lost, twice, polls))
}
