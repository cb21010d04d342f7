//! A reader who stops reading, while much is published.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use crate::workshop::{
    finding::{Expectation, Saw},
    http::{Place, Request, Trouble},
    judge::{Judge, Stop},
    memory::Listeners,
    poll::publish,
    stream::{EventStream, Next},
};

pub(super) const EXPECTATIONS: &[Expectation] = &[
    Expectation {
        name: "stream",
        expects: "three readers open GET /events, and each gets the first 16 events",
        next: "Answer with Content-Type: text/event-stream, and write each publication to every reader.",
    },
    Expectation {
        name: "publishes",
        expects: "while one of them does not read any more, each of 250 publications is answered within 8 s",
        next: "Do not wait for a reader where you publish: put the event into a queue of the reader's own.",
    },
    Expectation {
        name: "others",
        expects: "the two others get all 250 events in order: 0 lost, 0 twice",
        next: "Write to each reader by itself, and let none wait for another.",
    },
    Expectation {
        name: "memory",
        expects: "of the 64 MB published, at most half stays in the server's memory",
        next: "Cut off a reader for whom more than two megabytes wait, and keep no list of all events for ever.",
    },
    Expectation {
        name: "announced",
        expects: "when the slow reader reads again, nothing is missing silently: it was cut off, or `event: gap` \
                  stands where events are missing",
        next: "Where events can't be delivered, end the reader's connection: it comes back and asks for them.",
    },
];

const WARM_UP: usize = 16;
/// Few and large: what is to be shown is a matter of bytes, and each publication takes a round trip.
const EVENTS: usize = 250;
const EVENT_BYTES: usize = 256 * 1000;
/// Readers who read are never further behind than this: a server has no reason to give them up.
const BEHIND: usize = 4;
const OTHERS: usize = 2;
const MEGABYTE: f64 = 1e6;
const GROWS_AT_MOST: f64 = 32.0;

/// For an event to arrive, and for an answer, however loaded the machine is.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long memory that is free already may take to be given back.
const SETTLES: Duration = Duration::from_millis(1500);

pub(super) async fn judge(judge: &mut Judge) -> Result<(), Stop> {
    let server = judge.server()?;
    let mut slow = EventStream::expected(judge, "stream", &server).await?;
    let mut others = Vec::new();
    for _ in 0..OTHERS {
        let opened = EventStream::open(&server, &Request::get("/events")).await;
        others.push(judge.need("stream", opened)?);
    }
    // A server may take a reader into its list a moment after it has sent the head.
    tokio::time::sleep(Duration::from_millis(150)).await;
    for number in 0..WARM_UP {
        let published = publish(&server, &text(number)).await;
        judge.need("stream", published)?;
        for reader in others.iter_mut().chain([&mut slow]) {
            let next = reader.next(PATIENCE).await;
            let got = matches!(&next, Ok(Next::Event(event)) if is_text(&event.data, number));
            judge.require("stream", got, not_the_first(number, &next))?;
        }
    }
    judge.expect("stream", true, format!("{} readers got {WARM_UP} events each", OTHERS + 1));

    let process = Listeners::at(server.address());
    let before = process.as_ref().and_then(Listeners::resident);
    flood(judge, &server, &mut others).await?;
    let told = memory(judge, process.as_ref(), before).await;
    if matches!(told, Err(Stop::Missed)) {
        return told;
    }
    read_again(judge, &server, &mut slow, &mut others).await?;
    told
}

/// Publishes all, while the others read.
async fn flood(judge: &mut Judge, server: &Place, others: &mut [EventStream]) -> Result<(), Stop> {
    let (progress, seen): (Vec<_>, Vec<_>) = others.iter().map(|_| watch::channel(0)).unzip();
    let reading = join_all(others.iter_mut().zip(progress).map(|(reader, got)| read(reader, got)));
    let publishing = async {
        for number in 0..EVENTS {
            for mut seen in seen.iter().cloned() {
                let near = seen.wait_for(|&got| got + BEHIND > number);
                // A reader that has ended, or hears nothing, says so itself.
                if !matches!(timeout(PATIENCE, near).await, Ok(Ok(_))) {
                    return (number, None);
                }
            }
            if let Err(trouble) = publish(server, &text(number)).await {
                return (number, Some(trouble));
            }
        }
        (EVENTS, None)
    };
    let (read, (published, trouble)) = tokio::join!(reading, publishing);
    let counts = Saw::new(format!("{published} of {EVENTS} were answered"));
    match trouble {
        Some(trouble) => {
            let saw = Saw::new(format!("publication {published} of {EVENTS}: {}", trouble.what));
            judge.require("publishes", false, saw)?;
        }
        None => drop(judge.expect("publishes", true, counts)),
    }
    for (number, read) in read.into_iter().enumerate() {
        let Read { got, fault } = read;
        let whole = got == EVENTS && fault.is_none();
        let fault = fault.unwrap_or_default();
        let saw = match whole {
            true => Saw::new(format!("{OTHERS} readers got {EVENTS} events in order")),
            false => {
                Saw::new(format!("reader {} got {got} of {EVENTS} events, and then {fault}", number + 1))
            }
        };
        let saw = match fault == CUT {
            true => {
                saw.next("Cut off only who is far behind: these two are never more than a megabyte behind.")
            }
            false => saw,
        };
        judge.require("others", whole, saw)?;
    }
    Ok(())
}

/// What one of the others got, and what came in place of the next event.
struct Read {
    got: usize,
    fault: Option<String>,
}

const CUT: &str = "it was cut off";

async fn read(reader: &mut EventStream, got: watch::Sender<usize>) -> Read {
    for number in 0..EVENTS {
        let fault = match reader.next(PATIENCE).await {
            Ok(Next::Event(event)) if is_text(&event.data, number) => {
                got.send_replace(number + 1);
                continue;
            }
            Ok(Next::Event(event)) => {
                format!("event {:.20?} came in place of {number}", beginning(&event.data))
            }
            Ok(Next::Quiet) => format!("nothing for {} s", PATIENCE.as_secs()),
            Ok(Next::End) | Err(_) => CUT.to_owned(),
        };
        return Read { got: number, fault: Some(fault) };
    }
    Read { got: EVENTS, fault: None }
}

/// Judges how much memory the server has taken since. What it can't tell is said when all the rest is.
async fn memory(judge: &mut Judge, process: Option<&Listeners>, before: Option<u64>) -> Result<(), Stop> {
    let settled = Instant::now() + SETTLES;
    let mut grown = f64::MAX;
    loop {
        let (Some(before), Some(now)) = (before, process.and_then(Listeners::resident)) else {
            return Err(Stop::CouldNotTell(
                "the server's memory can't be read: that needs Linux, and a server that runs on this machine as \
                 the same user; all else has been judged"
                    .to_owned(),
            ));
        };
        grown = grown.min((now as f64 - before as f64) / MEGABYTE);
        if grown <= GROWS_AT_MOST || Instant::now() > settled {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let published = EVENTS as f64 * EVENT_BYTES as f64 / MEGABYTE;
    let saw = format!("the server grew by {grown:.0} MB, while {published:.0} MB were published");
    let saw = Saw::new(saw).figure(grown.round(), "MB", format!("at most {GROWS_AT_MOST} MB"));
    judge.require("memory", grown <= GROWS_AT_MOST, saw)
}

/// The slow reader reads again, to the end of what there is.
async fn read_again(
    judge: &mut Judge,
    server: &Place,
    slow: &mut EventStream,
    others: &mut [EventStream],
) -> Result<(), Stop> {
    let mut log = Log::default();
    let mut end = log.read(slow, Duration::from_millis(1000)).await;
    if end == End::Quiet {
        // What is not there by now comes never, unless it is announced: a last event brings it to light.
        let published = publish(server, &text(EVENTS)).await;
        judge.need("announced", published)?;
        for other in others {
            let _ = other.next(PATIENCE).await;
        }
        end = log.read(slow, Duration::from_secs(3)).await;
    }
    let (met, saw) = match (log.hole, end) {
        (Some((last, next)), _) => {
            (false, format!("event {next} came after event {last}, with no word of what is missing"))
        }
        (None, End::Cut) => (true, format!("it got {} events in order, and was then cut off", log.next)),
        (None, End::Last) if log.gaps > 0 => (true, format!("{} gaps were announced", log.gaps)),
        (None, End::Last) => (true, "it got every event".to_owned()),
        (None, End::Quiet) => {
            (false, format!("it got {} events, and then nothing: no gap, and no end of the stream", log.next))
        }
    };
    judge.expect("announced", met, saw);
    Ok(())
}

/// What the slow reader has read.
#[derive(Default)]
struct Log {
    /// The number of the event that is to come next.
    next: usize,
    /// A gap has been announced, and may be followed by any later event.
    may_skip: bool,
    gaps: usize,
    /// The numbers on both sides of the first hole that nobody announced.
    hole: Option<(usize, usize)>,
}

#[derive(PartialEq, Eq)]
enum End {
    Cut,
    Quiet,
    /// The event that is published last has come.
    Last,
}

impl Log {
    async fn read(&mut self, slow: &mut EventStream, quiet: Duration) -> End {
        loop {
            match slow.next(quiet).await {
                Ok(Next::Event(event)) if event.kind == "gap" => {
                    self.gaps += 1;
                    self.may_skip = true;
                }
                Ok(Next::Event(event)) => {
                    let Some(number) = number(&event.data) else { continue };
                    if number != self.next && !(self.may_skip && number > self.next) {
                        self.hole.get_or_insert((self.next.saturating_sub(1), number));
                    }
                    self.may_skip = false;
                    self.next = number + 1;
                    if number == EVENTS {
                        return End::Last;
                    }
                }
                Ok(Next::End) | Err(_) => return End::Cut,
                Ok(Next::Quiet) => return End::Quiet,
            }
        }
    }
}

/// The data of event `number`.
fn text(number: usize) -> String {
    let mut text = format!("{number}.");
    text += &".".repeat(EVENT_BYTES - text.len());
    text
}

fn is_text(data: &str, number: usize) -> bool {
    data.len() == EVENT_BYTES && self::number(data) == Some(number)
}

fn number(data: &str) -> Option<usize> {
    beginning(data).parse().ok()
}

fn beginning(data: &str) -> &str {
    data.split('.').next().unwrap_or_default()
}

/// What came in place of one of the first events, while all read.
fn not_the_first(number: usize, next: &Result<Next, Trouble>) -> Saw {
    let instead = match next {
        Ok(Next::Event(event)) => format!("{:.20?} came", beginning(&event.data)),
        Ok(Next::Quiet) => format!("nothing within {} s", PATIENCE.as_secs()),
        Ok(Next::End) | Err(_) => {
            return Saw::new(format!("in place of event {number}, {CUT}")).next(
                "Cut off only who is far behind: these read, and write() says false long before a megabyte.",
            );
        }
    };
    Saw::new(format!("event {number}: {instead}"))
}
