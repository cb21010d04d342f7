//! Resuming with Last-Event-ID: cut by resets, in mid-event, and while old events are still being sent.

use std::{collections::HashMap, time::Duration};

use futures_util::future::try_join_all;
use tokio::time::Instant;

use crate::{
    link::{
        Relay,
        relay::{Fault, Side},
    },
    workshop::{
        account::Account,
        finding::{Expectation, Saw},
        http::{Place, Request, Trouble},
        judge::{Judge, Stop},
        poll::publish,
        stream::{Event, EventStream, Next},
    },
};

pub(super) const EXPECTATIONS: &[Expectation] = &[
    Expectation {
        name: "answers",
        expects: "GET /events is answered at once with status 200 and Content-Type: text/event-stream",
        next: "Send the head before the first event is there: in Node, call response.flushHeaders().",
    },
    Expectation {
        name: "ids",
        expects: "every reader gets each event with the id that POST /publish answered",
        next: "Count the events once for the whole server, and write `id: ` with the count before `data: `.",
    },
    Expectation {
        name: "resumes",
        expects: "who was cut off and comes back with Last-Event-ID gets the 5 events that were published \
                  meanwhile, in order, and then the new one",
        next: "Keep the events in a list. On GET /events, look at the header Last-Event-ID and first send what \
               stands behind that event.",
    },
    Expectation {
        name: "fresh",
        expects: "who comes without Last-Event-ID gets what is new, and nothing old",
        next: "Where the header is missing, send no old events.",
    },
    Expectation {
        name: "once",
        expects: "of 200 events, published four at a time, a reader who is cut off 10 times gets each: 0 \
                  lost, 0 twice, in order",
        next: "Compare ids as numbers that no two events share, and send those after the reader's last: > and \
               not >=.",
    },
    Expectation {
        name: "back-soon",
        expects: "after each cut, the next event that is due comes within 2000 ms of asking again",
        next: "Send the old events as soon as the request is there, and wait for nothing before that.",
    },
    Expectation {
        name: "seam",
        expects: "of 20 events that are published while a reader is still being sent 6 MB of old ones, it \
                  gets each after those: 0 lost, 0 twice, in order",
        next: "Copy the old events and put the reader on the list in one step, with nothing between: under one \
               lock, or without an await.",
    },
    Expectation {
        name: "unknown-id",
        expects: "with a Last-Event-ID that never was, the stream opens all the same, and a new event comes",
        next: "Where the id is none of yours, begin at the present.",
    },
];

const MEANWHILE: usize = 5;
const EVENTS: usize = 200;
const AT_A_TIME: usize = 4;
const CUTS: usize = 10;
/// More than the system takes into its buffers for a reader who does not read.
const OLD: usize = 48;
const OLD_BYTES: usize = 128 * 1024;
const NEW: usize = 20;
/// How long what must come may take, however loaded the machine is.
const WITHIN: Duration = Duration::from_secs(3);
const BACK_WITHIN: Duration = Duration::from_secs(2);

pub(super) async fn judge(judge: &mut Judge) -> Result<(), Stop> {
    let server = judge.server()?;
    let relay = Relay::start(server.address()).await;
    let relay = relay.map_err(|error| Stop::CouldNotTell(format!("no port for a relay: {error}")))?;
    let place = server.through(relay.addr());
    let reader = EventStream::expected(judge, "answers", &place).await?;
    let last = ids(judge, &server, reader).await?;
    drop(relay.apply(Fault::Reset));
    resumes(judge, &server, &last).await?;
    fresh(judge, &server).await?;
    let last = once(judge, &server, &place, &relay).await?;
    seam(judge, &server, last).await?;
    unknown_id(judge, &server).await
}

/// Two readers and their publisher agree on ids; returns the last.
async fn ids(judge: &mut Judge, server: &Place, mut reader: EventStream) -> Result<String, Stop> {
    // Comes after a first event, so that a count of its own would differ.
    let mut told = Vec::new();
    let published = publish(server, "one").await;
    told.push((judge.need("ids", published)?, "one".to_owned()));
    let mut late = judge.need("ids", resume(server, None).await)?;
    for text in ["two", "three"] {
        let published = publish(server, text).await;
        told.push((judge.need("ids", published)?, text.to_owned()));
    }
    for (reader, expected) in [(&mut reader, &told[..]), (&mut late, &told[1..])] {
        let events = judge.need("ids", until(reader, "three").await)?;
        // What came before their time is another expectation's.
        let new = events.into_iter().filter(|event| expected.iter().any(|(_, data)| *data == event.data));
        let seen: Vec<_> = new.map(|event| (event.id, event.data)).collect();
        let saw = Saw::new(format!("published as {}; a reader got {}", pairs(expected), pairs(&seen)));
        judge.require("ids", seen == expected, saw.bytes(reader.bytes()))?;
    }
    Ok(told.pop().map(|(id, _)| id).unwrap_or_default())
}

/// Publishes while nobody reads, comes back, and reads to an event that is new.
async fn resumes(judge: &mut Judge, server: &Place, last: &str) -> Result<(), Stop> {
    let mut expected: Vec<_> = (1..=MEANWHILE).map(|number| format!("meanwhile {number}")).collect();
    for text in &expected {
        let published = publish(server, text).await;
        judge.need("resumes", published)?;
    }
    let mut reader = judge.need("resumes", resume(server, Some(last)).await)?;
    expected.push("new".to_owned());
    let published = publish(server, "new").await;
    judge.need("resumes", published)?;
    let events = judge.need("resumes", until(&mut reader, "new").await)?;
    let account = Account::of(&expected, events.iter().map(|event| &*event.data));
    let saw = Saw::new(format!("with Last-Event-ID: {last} it got {}: {account}", shown(&events)));
    let saw = match &account {
        _ if account.is_good() => Saw::new("the 5 events from meanwhile and the new one, each once"),
        Account { lost: 0, foreign: 1.., .. } => {
            saw.next("Send only what stands behind the event that the reader names, and not that one again.")
        }
        _ => saw,
    };
    judge.require("resumes", account.is_good(), saw)
}

async fn fresh(judge: &mut Judge, server: &Place) -> Result<(), Stop> {
    let mut reader = judge.need("fresh", resume(server, None).await)?;
    let published = publish(server, "just now").await;
    judge.need("fresh", published)?;
    let events = judge.need("fresh", until(&mut reader, "just now").await)?;
    let met = events.len() == 1 && events[0].data == "just now";
    judge.require("fresh", met, format!("without the header it got {}", shown(&events)))
}

/// Publishes, cuts and comes back, all at once; returns the last id.
async fn once(judge: &mut Judge, server: &Place, place: &Place, relay: &Relay) -> Result<String, Stop> {
    let published = publish(server, "begin").await;
    let begin = judge.need("once", published)?;
    let publishing = async {
        for round in 0..EVENTS / AT_A_TIME {
            let texts = (0..AT_A_TIME).map(|number| format!("{round}/{number}"));
            let publishing = texts.map(async |text| publish(server, &text).await.map(|id| (id, text)));
            // Which of them came first is the server's to say, by what readers get.
            try_join_all(publishing).await?;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        publish(server, "the end").await
    };
    let (end, read) = tokio::join!(publishing, through_cuts(place, relay, begin));
    let end = judge.need("once", end)?;
    let (events, cuts, slowest) = judge.need("once", read)?;
    let mut times = HashMap::<&str, usize>::new();
    let mut bearers = HashMap::<&str, usize>::new();
    for event in &events {
        *times.entry(&event.data).or_default() += 1;
        *bearers.entry(&event.id).or_default() += 1;
    }
    let all = (0..EVENTS / AT_A_TIME).flat_map(|round| (0..AT_A_TIME).map(move |it| format!("{round}/{it}")));
    let lost = all.filter(|text| !times.contains_key(text.as_str())).count();
    let twice: usize = times.values().map(|times| times - 1).sum();
    // An event that came again has its own id again.
    let shared = bearers.values().map(|times| times - 1).sum::<usize>().saturating_sub(twice);
    // A round is published after the one before it was answered.
    let rounds: Vec<usize> =
        events.iter().filter_map(|event| event.data.split_once('/')?.0.parse().ok()).collect();
    let disordered = if twice == 0 { rounds.windows(2).filter(|two| two[1] < two[0]).count() } else { 0 };
    let mut what = format!("{cuts} cuts: {lost} lost, {twice} twice, {disordered} out of order");
    if shared > 0 {
        what += &format!(", {shared} with an id that another event has too");
    }
    let wrong = lost + twice + disordered + shared;
    let saw = match wrong {
        0 => Saw::new(format!("{cuts} cuts, and each of {EVENTS} events once")),
        _ => Saw::new(what).figure(wrong as f64, "events", "0 lost, 0 twice"),
    };
    judge.require("once", wrong == 0, saw)?;
    let millis = slowest.as_millis() as f64;
    let saw = Saw::new(format!("the slowest took {millis} ms")).figure(millis, "ms", "at most 2000 ms");
    judge.expect("back-soon", slowest <= BACK_WITHIN, saw);
    Ok(end)
}

/// Reads to the end, and is cut off on the way; all events, the number of cuts, and the longest time from
/// asking again to an event that was there already.
async fn through_cuts(
    place: &Place,
    relay: &Relay,
    mut last: String,
) -> Result<(Vec<Event>, usize, Duration), Trouble> {
    let (mut events, mut slowest) = (Vec::<Event>::new(), Duration::ZERO);
    let mut cuts = 0;
    // As many times again as cuts, for a server that ends a stream by itself.
    for attempt in 0..4 * CUTS {
        let asked = Instant::now();
        let mut reader = resume(place, Some(&last)).await?;
        // By a number of bytes that falls into an event, and each time into another part of it.
        let bytes = 97 + 37 * attempt as u64;
        let cut = Fault::CutAfter { side: Side::ToClient, bytes, reset: attempt % 2 == 0 };
        let guard = (cuts < CUTS).then(|| relay.apply(cut));
        let mut is_first = attempt > 0;
        loop {
            match reader.next(WITHIN).await {
                Ok(Next::Event(event)) => {
                    if std::mem::take(&mut is_first) {
                        slowest = slowest.max(asked.elapsed());
                    }
                    last.clone_from(&event.id);
                    let is_end = event.data == "the end";
                    events.push(event);
                    if is_end || events.len() > 20 * EVENTS {
                        return Ok((events, cuts, slowest));
                    }
                }
                // Nothing more comes: what was lost is counted by whoever asked.
                Ok(Next::Quiet) => return Ok((events, cuts, slowest)),
                // A reset is an error of reading.
                Ok(Next::End) | Err(_) => break,
            }
        }
        cuts += usize::from(guard.is_some());
    }
    Ok((events, cuts, slowest))
}

/// Comes back to more than the system's buffers take, and does not read while something new is published.
async fn seam(judge: &mut Judge, server: &Place, last: String) -> Result<(), Stop> {
    let mut expected = Vec::new();
    for number in 0..OLD {
        let text = format!("old {number:02} {}", ".".repeat(OLD_BYTES));
        let published = publish(server, &text).await;
        judge.need("seam", published)?;
        expected.push(text);
    }
    let mut reader = judge.need("seam", resume(server, Some(&last)).await)?;
    // The first old event is there: the server is in the midst of them.
    let mut events = judge.need("seam", reader.events(1, WITHIN).await)?;
    for number in 0..NEW {
        let text = format!("new {number}");
        let published = publish(server, &text).await;
        judge.need("seam", published)?;
        expected.push(text);
    }
    let rest = reader.events(expected.len() - 1, 3 * WITHIN);
    events.extend(judge.need("seam", rest.await)?);
    // What comes twice comes before this.
    expected.push("the last".to_owned());
    let published = publish(server, "the last").await;
    judge.need("seam", published)?;
    events.extend(judge.need("seam", until(&mut reader, "the last").await)?);
    let account = Account::of(&expected, events.iter().map(|event| &*event.data));
    let wrong = account.lost + account.twice + account.disordered;
    let saw = match account.is_good() {
        true => Saw::new(format!("{OLD} old events, and then {NEW} new ones, each once")),
        false => Saw::new(account.to_string()).figure(wrong as f64, "events", "0 lost, 0 twice"),
    };
    judge.require("seam", account.is_good(), saw)
}

async fn unknown_id(judge: &mut Judge, server: &Place) -> Result<(), Stop> {
    for id in ["nonsense", "1000000"] {
        let opened = resume(server, Some(id)).await;
        let opened = opened
            .map_err(|trouble| Trouble { what: format!("Last-Event-ID: {id}: {}", trouble.what), ..trouble });
        let mut reader = judge.need("unknown-id", opened)?;
        let status = reader.response.status;
        let saw = Saw::new(format!("Last-Event-ID: {id}: status {status}"));
        judge.require("unknown-id", status == 200, saw.bytes(&reader.response.head))?;
        let text = format!("after {id}");
        let published = publish(server, &text).await;
        judge.need("unknown-id", published)?;
        let events = judge.need("unknown-id", until(&mut reader, &text).await)?;
        let met = events.last().is_some_and(|event| event.data == text);
        let then = if met { "a new event came" } else { "no new event came within 3 s" };
        judge.require("unknown-id", met, format!("Last-Event-ID: {id}: the stream opened, and {then}"))?;
    }
    Ok(())
}

async fn resume(place: &Place, last: Option<&str>) -> Result<EventStream, Trouble> {
    let request = Request::get("/events");
    let request = match last {
        Some(last) => request.header("Last-Event-ID", last),
        None => request,
    };
    EventStream::open(place, &request).await
}

/// Events until one has this data, which is among them, or nothing more comes.
async fn until(reader: &mut EventStream, data: &str) -> Result<Vec<Event>, Trouble> {
    let mut events = Vec::<Event>::new();
    while events.last().is_none_or(|event| event.data != data) && events.len() < 10 * EVENTS {
        match reader.next(WITHIN).await? {
            Next::Event(event) => events.push(event),
            Next::End | Next::Quiet => break,
        }
    }
    Ok(events)
}

fn pairs(events: &[(String, String)]) -> String {
    let some: Vec<_> = events.iter().take(8).map(|(id, data)| format!("{id:.20}: {data:.40?}")).collect();
    format!("[{}]", some.join(", "))
}

fn shown(events: &[Event]) -> String {
    let some: Vec<_> = events.iter().take(12).map(|event| format!("{:.40?}", event.data)).collect();
    let more = if events.len() > some.len() { ", …" } else { "" };
    format!("[{}{more}]", some.join(", "))
}
