//! A question that waits for its answer, and the moments in which nobody waits.

use std::{collections::HashMap, time::Duration};

use futures_util::future::join_all;
use tokio::time::{Instant, timeout};

use crate::workshop::{
    finding::{Expectation, Saw},
    http::{Place, Trouble},
    judge::{Judge, Stop},
    poll::{Batch, poll, poll_after, publish},
};

pub(super) const EXPECTATIONS: &[Expectation] = &[
    Expectation {
        name: "waits",
        expects: "a poll with `wait=5` is not answered for half a second while nothing is published",
        next: "Where nothing is newer than the cursor, keep the answer and send it when something is published.",
    },
    Expectation {
        name: "wakes",
        expects: "then an event is published, and the waiting poll is answered with it within 1 s",
        next: "On each publication, answer everybody who waits.",
    },
    Expectation {
        name: "between-polls",
        expects: "3 events published while nobody waits are all in the next poll's answer, within 1 s",
        next: "Keep the events, and look whether some are newer than `after` before you wait.",
    },
    Expectation {
        name: "every-waiter",
        expects: "4 readers wait, an event is published, and all 4 are answered with it",
        next: "Wake all who wait: notify_all, or a loop over all of them, and not the first alone.",
    },
    Expectation {
        name: "times-out",
        expects: "with `wait=1` and no news: an answer within 5 s, an empty list and a cursor that works",
        next: "After `wait` seconds answer an empty list, and the cursor that the reader came with.",
    },
    Expectation {
        name: "each-once",
        expects: "of 100 events published in bursts, a reader who polls meanwhile loses 0 and gets 0 twice",
        next: "Choose the events and the cursor in one step: no event may come between.",
    },
];

const QUIET: Duration = Duration::from_millis(500);
const WAITERS: usize = 4;
const BURSTS: usize = 20;
const BURST: usize = 5;

/// For what has to come soon, with room for a busy machine.
const SOON: Duration = Duration::from_secs(1);
const TIMES_OUT_WITHIN: Duration = Duration::from_secs(5);

pub(super) async fn judge(judge: &mut Judge) -> Result<(), Stop> {
    let server = judge.server()?;
    let waiting = poll(&server, "after=0&wait=5");
    tokio::pin!(waiting);
    if let Ok(early) = timeout(QUIET, &mut waiting).await {
        let batch = judge.need("waits", early)?;
        return judge.require("waits", false, format!("answered at once, with {}", batch.summary()));
    }
    judge.expect("waits", true, Saw::new("not answered for 500 ms"));
    let published = publish(&server, "one").await;
    judge.need("wakes", published)?;
    let cursor = soon(judge, "wakes", waiting, &["one"]).await?;

    for text in ["two", "three", "four"] {
        let published = publish(&server, text).await;
        judge.need("between-polls", published)?;
    }
    let next = poll_after(&server, &cursor, Some(5));
    let cursor = soon(judge, "between-polls", next, &["two", "three", "four"]).await?;

    let readers =
        join_all((0..WAITERS).map(|_| timeout(TIMES_OUT_WITHIN, poll_after(&server, &cursor, Some(20)))));
    let publishing = async {
        tokio::time::sleep(QUIET).await;
        publish(&server, "five").await
    };
    let (answers, published) = tokio::join!(readers, publishing);
    judge.need("every-waiter", published)?;
    let mut woken = Vec::new();
    for answer in answers.into_iter().flatten() {
        let batch = judge.need("every-waiter", answer)?;
        if batch.data() == ["five"] {
            woken.push(batch.cursor);
        }
    }
    let saw = Saw::new(format!("{} of {WAITERS} were answered with it", woken.len()));
    let figure = saw.figure(woken.len() as f64, "readers", format!("{WAITERS} readers"));
    judge.require("every-waiter", woken.len() == WAITERS, figure)?;
    let cursor = woken.pop().unwrap_or(cursor);

    let asked = Instant::now();
    let Ok(answer) = timeout(TIMES_OUT_WITHIN, poll_after(&server, &cursor, Some(1))).await else {
        return judge.require("times-out", false, Saw::new("no answer within 5 s"));
    };
    let empty = judge.need("times-out", answer)?;
    let took = asked.elapsed().as_millis();
    judge.require("times-out", empty.events.is_empty(), empty.summary())?;
    let published = publish(&server, "six").await;
    judge.need("times-out", published)?;
    let answer = poll_after(&server, &empty.cursor, Some(1)).await;
    let next = judge.need("times-out", answer)?;
    let saw = format!("an empty list, cursor {:?}, and with it: {}", empty.cursor, next.summary());
    let figure = Saw::new(saw).figure(took as f64, "ms", "at most 5000 ms");
    judge.require("times-out", next.data() == ["six"], figure)?;

    let counted = bursts(&server, next.cursor).await;
    let (lost, twice, polls) = judge.need("each-once", counted)?;
    let saw = Saw::new(format!("{lost} lost and {twice} twice, in {polls} polls"));
    let figure = saw.figure((lost + twice) as f64, "events", "0 lost, 0 twice");
    judge.require("each-once", lost + twice == 0, figure)
}

/// Expects an answer with these events soon; returns its cursor.
async fn soon(
    judge: &mut Judge,
    name: &'static str,
    answer: impl Future<Output = Result<Batch, Trouble>>,
    expected: &[&str],
) -> Result<String, Stop> {
    let asked = Instant::now();
    let Ok(answer) = timeout(SOON, answer).await else {
        judge.require(name, false, Saw::new("no answer within 1 s"))?;
        return Err(Stop::Missed);
    };
    let batch = judge.need(name, answer)?;
    let saw = Saw::new(batch.summary()).figure(asked.elapsed().as_millis() as f64, "ms", "at most 1000 ms");
    judge.require(name, batch.data() == expected, saw)?;
    Ok(batch.cursor)
}

/// Publishes in bursts and polls at the same time; how many events were lost, how many came more than once,
/// and in how many polls.
async fn bursts(server: &Place, mut cursor: String) -> Result<(usize, usize, usize), Trouble> {
    let publishing = async {
        for burst in 0..BURSTS {
            for number in 0..BURST {
                publish(server, &format!("{burst}/{number}")).await?;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        publish(server, "the end").await
    };
    let reading = async {
        let (mut seen, mut polls) = (HashMap::<String, usize>::new(), 0);
        // One event an answer is the most that a server may need, and an empty one where a machine is slow.
        while !seen.contains_key("the end") && polls < 2 * BURSTS * BURST {
            let batch = poll_after(server, &cursor, Some(2)).await?;
            polls += 1;
            for event in batch.events {
                *seen.entry(event.data).or_default() += 1;
            }
            cursor = batch.cursor;
        }
        Ok((seen, polls))
    };
    let (_, (seen, polls)) = tokio::try_join!(publishing, reading)?;
    let expected = (0..BURSTS).flat_map(|burst| (0..BURST).map(move |number| format!("{burst}/{number}")));
    let lost = expected.filter(|text| !seen.contains_key(text)).count();
    Ok((lost, seen.values().filter(|&&times| times > 1).count(), polls))
}
