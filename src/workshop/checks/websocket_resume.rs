//! Resuming over WebSocket, where nobody does the browser's half: the reader says in the query where it was.

use std::{collections::HashMap, time::Duration};

use futures_util::future::try_join_all;
use serde_json::Value;
use tokio::time::Instant;
use tungstenite::Message;

use crate::{
    link::{
        Relay,
        relay::{Fault, Side},
    },
    workshop::{
        account::Account,
        finding::{Expectation, Saw},
        http::{Place, Trouble},
        judge::{Judge, Stop},
        poll::{Told, told},
        socket::{Heard, Socket},
    },
};

pub(super) const EXPECTATIONS: &[Expectation] = &[
    Expectation {
        name: "opens",
        expects: "GET /ws is answered with a WebSocket; what one says, both who are there get as {\"id\", \"data\"}",
        next: "Give each text that arrives an id, and send {\"id\": …, \"data\": \"the text\"} to every open socket.",
    },
    Expectation {
        name: "ids",
        expects: "an event has the same id for every reader, and no two events have the same",
        next: "Count the events once for the whole server, and not once for each socket.",
    },
    Expectation {
        name: "resumes",
        expects: "five events are said while a reader is away; it comes back with ?after=ID and gets these five",
        next: "Keep the events. Where a socket opens with `after`, first send those behind it, and not that one again.",
    },
    Expectation {
        name: "fresh",
        expects: "who comes without `after` gets nothing old",
        next: "Where there is no `after`, begin at the present: a missing value is not the number 0.",
    },
    Expectation {
        name: "once",
        expects: "200 events, four at a time, and a reader that is cut off ten times: 0 lost, 0 twice",
        next: "Choose what is sent and where the reader goes on from there in one step, with nothing between.",
    },
    Expectation {
        name: "back-soon",
        expects: "after each of these cuts the reader has its next event within 2000 ms of asking",
        next: "Send what was missed as soon as the socket is open, and do not wait for the next event.",
    },
    Expectation {
        name: "seam",
        expects: "a reader comes back to 12 MB of old events and reads slowly, while 20 are said: each once, in order",
        next: "Between the old events and the new ones there must be no moment: let one loop send both, from a \
               cursor of the reader's own.",
    },
    Expectation {
        name: "unknown-cursor",
        expects: "with an `after` that never was, the socket opens all the same, and a new event comes",
        next: "Where `after` is no id of yours, begin at the present.",
    },
];

const MEANWHILE: usize = 5;
/// Between what is said one by one, so that ids by a clock are judged where events come in a crowd, on fast and
/// slow machines alike.
const TICK: Duration = Duration::from_millis(5);
const EVENTS: usize = 200;
const AT_A_TIME: usize = 4;
const CUTS: usize = 10;
/// More than the system takes into its buffers for a reader who does not read.
const OLD: usize = 96;
const OLD_BYTES: usize = 128 * 1024;
const NEW: usize = 20;
/// How long what must come may take, however loaded the machine is.
const WITHIN: Duration = Duration::from_secs(3);
const BACK_WITHIN: Duration = Duration::from_secs(2);

pub(super) async fn judge(judge: &mut Judge) -> Result<(), Stop> {
    let server = judge.server()?;
    let opened = Reader::open(&server, None).await;
    let mut speaker = judge.need("opens", opened)?;
    let last = ids(judge, &server, &mut speaker).await?;
    resumes(judge, &server, &mut speaker, &last).await?;
    fresh(judge, &server, &mut speaker).await?;
    let last = once(judge, &server, &mut speaker).await?;
    seam(judge, &server, &mut speaker, last).await?;
    unknown_cursor(judge, &server, &mut speaker).await
}

/// Two readers, of whom one comes later, agree on ids; returns the last.
async fn ids(judge: &mut Judge, server: &Place, speaker: &mut Reader) -> Result<String, Stop> {
    let first = judge.need("opens", speaker.say("one").await)?;
    let opened = Reader::open(server, None).await;
    let mut late = judge.need("opens", opened)?;
    let mut mine = vec![first];
    for text in ["two", "three"] {
        tokio::time::sleep(TICK).await;
        mine.push(judge.need("opens", speaker.say(text).await)?);
    }
    let events = judge.need("opens", late.until("three").await)?;
    let is_there = events.last().is_some_and(|event| event.data == "three");
    judge.require("opens", is_there, format!("the one who said nothing got {}", shown(&events)))?;
    judge.expect("opens", true, Saw::new("both got what one of them said"));
    // What came before the reader's time is another expectation's.
    let theirs: Vec<_> =
        events.into_iter().filter(|event| event.data != "one").map(|event| event.id).collect();
    let met = theirs == mine[1..] && mine[0] != mine[1] && mine[1] != mine[2];
    let saw = match met {
        true => format!("{} for both", mine[1..].join(", ")),
        false => format!(
            "the ids {} for one of them, and {} for the one who came later",
            mine.join(", "),
            theirs.join(", ")
        ),
    };
    judge.require("ids", met, saw)?;
    Ok(mine.pop().unwrap_or_default())
}

async fn resumes(judge: &mut Judge, server: &Place, speaker: &mut Reader, last: &str) -> Result<(), Stop> {
    let mut expected: Vec<_> = (1..=MEANWHILE).map(|number| format!("meanwhile {number}")).collect();
    for text in &expected {
        tokio::time::sleep(TICK).await;
        judge.need("resumes", speaker.say(text).await)?;
    }
    let opened = Reader::open(server, Some(last)).await;
    let mut reader = judge.need("resumes", opened)?;
    // Without a pause a server that begins at the present might not have begun.
    let mut events = judge.need("resumes", reader.events(MEANWHILE).await)?;
    expected.push("new".to_owned());
    judge.need("resumes", speaker.say("new").await)?;
    events.extend(judge.need("resumes", reader.until("new").await)?);
    let account = Account::of(&expected, data(&events));
    let saw = match account.is_good() {
        true => Saw::new("the 5 from meanwhile and the new one, each once"),
        false => Saw::new(format!("with ?after={last} it got {}: {account}", shown(&events))),
    };
    judge.require("resumes", account.is_good(), saw)
}

async fn fresh(judge: &mut Judge, server: &Place, speaker: &mut Reader) -> Result<(), Stop> {
    let opened = Reader::open(server, None).await;
    let mut reader = judge.need("fresh", opened)?;
    tokio::time::sleep(TICK).await;
    judge.need("fresh", speaker.say("just now").await)?;
    let events = judge.need("fresh", reader.until("just now").await)?;
    let met = events.len() == 1 && events[0].data == "just now";
    judge.require("fresh", met, format!("without `after` it got {}", shown(&events)))
}

/// Says much, cuts and comes back, all at once; returns the last id.
async fn once(judge: &mut Judge, server: &Place, speaker: &mut Reader) -> Result<String, Stop> {
    let relay = Relay::start(server.address()).await;
    let relay = relay.map_err(|error| Stop::CouldNotTell(format!("no port for a relay: {error}")))?;
    let place = server.through(relay.addr());
    let begin = judge.need("once", speaker.say("begin").await)?;
    let opened = try_join_all((0..AT_A_TIME).map(|_| Reader::open(server, None))).await;
    let mut speakers = judge.need("once", opened)?;
    let saying = async {
        for round in 0..EVENTS / AT_A_TIME {
            let each = speakers.iter_mut().zip(0..);
            try_join_all(each.map(async |(speaker, number)| speaker.say(&format!("{round}/{number}")).await))
                .await?;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        speaker.say("the end").await
    };
    let (end, read) = tokio::join!(saying, through_cuts(&place, &relay, begin));
    let end = judge.need("once", end)?;
    let (events, cuts, slowest) = judge.need("once", read)?;
    let (mut times, mut bearers) = (HashMap::<&str, usize>::new(), HashMap::<&str, usize>::new());
    for event in &events {
        *times.entry(&event.data).or_default() += 1;
        *bearers.entry(&event.id).or_default() += 1;
    }
    let all = (0..EVENTS / AT_A_TIME).flat_map(|round| (0..AT_A_TIME).map(move |it| format!("{round}/{it}")));
    let lost = all.filter(|text| !times.contains_key(text.as_str())).count();
    let twice: usize = times.values().map(|times| times - 1).sum();
    // An event that came again has its own id again.
    let shared = bearers.values().map(|times| times - 1).sum::<usize>().saturating_sub(twice);
    let mut what = format!("{cuts} cuts: {lost} lost, {twice} twice");
    if shared > 0 {
        what += &format!(", {shared} with an id that another event has too");
    }
    let wrong = lost + twice + shared;
    let saw = match wrong {
        0 => Saw::new(format!("{cuts} cuts, and each of {EVENTS} events once")),
        _ => Saw::new(what).figure(wrong as f64, "events", "0 lost, 0 twice"),
    };
    let saw = match shared {
        0 => saw,
        _ => saw.next(
            "Count the events, and let the count be the id: a clock can show two of them the same time.",
        ),
    };
    judge.require("once", wrong == 0, saw)?;
    let millis = slowest.as_millis() as f64;
    let saw = Saw::new(format!("the slowest took {millis} ms")).figure(millis, "ms", "at most 2000 ms");
    judge.expect("back-soon", slowest <= BACK_WITHIN, saw);
    Ok(end)
}

/// Reads to the end, and is cut off on the way; all events, the number of cuts, and the longest time from
/// asking again to the next event.
async fn through_cuts(
    place: &Place,
    relay: &Relay,
    mut last: String,
) -> Result<(Vec<Told>, usize, Duration), Trouble> {
    let (mut events, mut slowest, mut cuts) = (Vec::<Told>::new(), Duration::ZERO, 0);
    // As many times again as cuts, for a server that closes a socket by itself.
    for attempt in 0..4 * CUTS {
        let asked = Instant::now();
        let mut reader = Reader::open(place, Some(&last)).await?;
        // By a number of bytes that falls into a frame, and each time into another part of it.
        let bytes = 97 + 37 * attempt as u64;
        let cut = Fault::CutAfter { side: Side::ToClient, bytes, reset: attempt % 2 == 0 };
        let guard = (cuts < CUTS).then(|| relay.apply(cut));
        let mut is_first = attempt > 0;
        loop {
            match reader.next().await? {
                Next::Event(event) => {
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
                Next::Quiet => return Ok((events, cuts, slowest)),
                Next::End => break,
            }
        }
        cuts += usize::from(guard.is_some());
    }
    Ok((events, cuts, slowest))
}

/// Comes back to more than the system's buffers take, and does not read while something new is said.
async fn seam(judge: &mut Judge, server: &Place, speaker: &mut Reader, last: String) -> Result<(), Stop> {
    let mut expected = Vec::new();
    for number in 0..OLD {
        let text = format!("old {number:02} {}", ".".repeat(OLD_BYTES));
        judge.need("seam", speaker.say(&text).await)?;
        expected.push(text);
    }
    let opened = Reader::open(server, Some(&last)).await;
    let mut reader = judge.need("seam", opened)?;
    // The first old event is there: the server is in the midst of them.
    let mut events = judge.need("seam", reader.events(1).await)?;
    for number in 0..NEW {
        let text = format!("new {number}");
        judge.need("seam", speaker.say(&text).await)?;
        expected.push(text);
    }
    events.extend(judge.need("seam", reader.events(expected.len() - 1).await)?);
    // What comes twice comes before this.
    expected.push("the last".to_owned());
    judge.need("seam", speaker.say("the last").await)?;
    events.extend(judge.need("seam", reader.until("the last").await)?);
    let account = Account::of(&expected, data(&events));
    let wrong = account.lost + account.twice + account.disordered;
    let saw = match account.is_good() {
        true => Saw::new(format!("{OLD} old events, and then {NEW} new ones, each once")),
        false => {
            Saw::new(account.to_string()).figure(wrong as f64, "events", "0 lost, twice or out of order")
        }
    };
    judge.require("seam", account.is_good(), saw)
}

async fn unknown_cursor(judge: &mut Judge, server: &Place, speaker: &mut Reader) -> Result<(), Stop> {
    for cursor in ["nonsense", "1000000"] {
        let opened = Reader::open(server, Some(cursor)).await;
        let mut reader = judge.need("unknown-cursor", opened)?;
        let text = format!("after {cursor}");
        judge.need("unknown-cursor", speaker.say(&text).await)?;
        let events = judge.need("unknown-cursor", reader.until(&text).await)?;
        let met = events.last().is_some_and(|event| event.data == text);
        let then = if met { "a new event came" } else { "no new event came within 3 s" };
        judge.require("unknown-cursor", met, format!("?after={cursor}: the socket opened, and {then}"))?;
    }
    Ok(())
}

/// A socket on which events come.
struct Reader {
    socket: Socket,
}

/// What came of waiting for an event.
enum Next {
    Event(Told),
    End,
    Quiet,
}

impl Reader {
    async fn open(place: &Place, after: Option<&str>) -> Result<Self, Trouble> {
        let escaped = |id: &str| url::form_urlencoded::byte_serialize(id.as_bytes()).collect::<String>();
        let path = after.map_or("/ws".to_owned(), |id| format!("/ws?after={}", escaped(id)));
        Ok(Reader { socket: Socket::open(place, &path).await? })
    }

    /// Says a text, and waits until it comes back; returns its id.
    async fn say(&mut self, text: &str) -> Result<String, Trouble> {
        self.socket.send(Message::text(text)).await?;
        let deadline = Instant::now() + WITHIN;
        while Instant::now() < deadline {
            match self.next().await? {
                Next::Event(event) if event.data == text => return Ok(event.id),
                Next::Event(_) => {}
                Next::End => {
                    return Err(Trouble::new(format!("the socket on which {text:.40?} was said was closed")));
                }
                Next::Quiet => break,
            }
        }
        Err(Trouble::new(format!("who said {text:.40?} did not get it back as an event within 3 s")))
    }

    /// The next event. JSON without `data`, such as a cursor, is passed over.
    async fn next(&mut self) -> Result<Next, Trouble> {
        let deadline = Instant::now() + WITHIN;
        loop {
            match self.socket.message(deadline.saturating_duration_since(Instant::now())).await? {
                Heard::Text(text) => {
                    let bad = || {
                        Trouble::new("a message is not of the form {\"id\": …, \"data\": \"…\"}")
                            .bytes(text.as_bytes())
                    };
                    let json: Value = serde_json::from_str(&text).map_err(|_| bad())?;
                    if json.is_object() && json.get("data").is_none() {
                        continue;
                    }
                    return told(&json).map(Next::Event).ok_or_else(bad);
                }
                Heard::Quiet => return Ok(Next::Quiet),
                Heard::Close(_) | Heard::End => return Ok(Next::End),
                Heard::Binary(_) => {
                    return Err(Trouble::new("a binary message came: send JSON as a text message"));
                }
                Heard::Ping(_) | Heard::Pong(_) => {}
            }
        }
    }

    /// So many events, or fewer where no more come.
    async fn events(&mut self, count: usize) -> Result<Vec<Told>, Trouble> {
        let mut events = Vec::new();
        while events.len() < count
            && let Next::Event(event) = self.next().await?
        {
            events.push(event);
        }
        Ok(events)
    }

    /// Events until one has this data, which is among them, or nothing more comes.
    async fn until(&mut self, data: &str) -> Result<Vec<Told>, Trouble> {
        let mut events = Vec::<Told>::new();
        while events.last().is_none_or(|event| event.data != data)
            && events.len() < 10 * EVENTS
            && let Next::Event(event) = self.next().await?
        {
            events.push(event);
        }
        Ok(events)
    }
}

fn data(events: &[Told]) -> impl Iterator<Item = &str> {
    events.iter().map(|event| event.data.as_str())
}

fn shown(events: &[Told]) -> String {
    let some: Vec<_> = events.iter().take(12).map(|event| format!("{:.40?}", event.data)).collect();
    let more = if events.len() > some.len() { ", …" } else { "" };
    format!("[{}{more}]", some.join(", "))
}
