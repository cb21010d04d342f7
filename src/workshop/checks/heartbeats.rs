//! Heartbeats: signs of life in both directions, and what becomes of a reader that gives none.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{task::JoinHandle, time::Instant};

use crate::{
    link::{Relay, relay::Fault},
    workshop::{
        finding::{Expectation, Saw},
        http::{More, Place, Request, Trouble, ask},
        judge::{Judge, Stop},
        poll::publish,
        stream::{EventStream, Next},
    },
};

pub(super) const EXPECTATIONS: &[Expectation] = &[
    Expectation {
        name: "hello",
        expects: "GET /events begins with an event of type hello whose data is a number of this reader's own",
        next: "Count the readers, and begin each stream with \"event: hello\\ndata: 7\\n\\n\".",
    },
    Expectation {
        name: "heartbeat",
        expects: "where there is no news, something comes every second",
        next: "Set a timer that writes \": still here\\n\\n\" to every reader once a second.",
    },
    Expectation {
        name: "comments",
        expects: "a heartbeat is a comment, of which no page hears, and an event between two arrives as it was",
        next: "Begin the heartbeat's line with a colon.",
    },
    Expectation {
        name: "leaves",
        expects: "GET /readers counts who is there: 3, and 2 after one has closed its connection",
        next: "Take a reader off the list when its connection closes, and count the list.",
    },
    Expectation {
        name: "keeps",
        expects: "readers whose number comes by POST /alive are kept, and get events after 5 s too",
        next: "On POST /alive, look the number up and note the time: 3 s count from then.",
    },
    Expectation {
        name: "silent-cut",
        expects: "a reader who is cut off without a word is counted no more within 6000 ms",
        next: "Let go of readers whose number has not come by POST /alive for 3 s: nobody will tell you that \
               they are gone.",
    },
    Expectation {
        name: "ends-it",
        expects: "a reader who never says that it is alive sees its stream end within 6000 ms",
        next: "End the answer of whoever you let go of: response.destroy(), or leave the thread that writes.",
    },
];

const SIGNS: usize = 3;
/// Where every second is asked for: room for a loaded machine.
const SIGN_WITHIN: Duration = Duration::from_millis(2500);
const LEAVES_WITHIN: Duration = Duration::from_secs(5);
const KEPT_FOR: Duration = Duration::from_secs(5);
const LET_GO_WITHIN: Duration = Duration::from_secs(6);
const SAYS_EVERY: Duration = Duration::from_millis(500);
const WITHIN: Duration = Duration::from_secs(3);

pub(super) async fn judge(judge: &mut Judge) -> Result<(), Stop> {
    let server = judge.server()?;
    let relay = Relay::start(server.address()).await;
    let relay = relay.map_err(|error| Stop::CouldNotTell(format!("no port for a relay: {error}")))?;
    let behind = server.through(relay.addr());
    let begun = Instant::now();
    let mut stays = Reader::open(judge, &server).await?;
    let leaves = Reader::open(judge, &server).await?;
    let mut silent = Reader::open(judge, &behind).await?;
    let numbers = [&stays.number, &leaves.number, &silent.number];
    let own = numbers.iter().all(|number| numbers.iter().filter(|other| other == &number).count() == 1);
    judge.require("hello", own, format!("three readers got the numbers {numbers:?}"))?;
    let (alive, leaving, cut) = (Alive::says(&stays), Alive::says(&leaves), Alive::says(&silent));

    heartbeats(judge, &mut stays.stream).await?;
    comments(judge, &server, &mut stays.stream, begun).await?;

    let counted = readers(&server).await;
    let counted = judge.need("leaves", counted)?;
    judge.require("leaves", counted == 3, format!("with three readers, GET /readers said {counted}"))?;
    drop((leaves, leaving));
    let (counted, took) = counts_at_most(judge, "leaves", &server, 2, LEAVES_WITHIN).await?;
    let saw = Saw::new(format!("after one of three had left, GET /readers said {counted}"));
    let figure = saw.figure(took.as_millis() as f64, "ms", "at most 5000 ms");
    judge.require("leaves", counted == 2, figure)?;

    tokio::time::sleep_until(begun + KEPT_FOR).await;
    let published = publish(&server, "still there?").await;
    judge.need("keeps", published)?;
    for (who, reader) in [("a reader", &mut stays), ("a reader behind the relay", &mut silent)] {
        let came = reader.hears("still there?").await;
        let came = judge.need("keeps", came)?;
        let refused = [&alive, &cut].iter().find_map(|alive| alive.refused());
        let saw = match (came, refused) {
            (true, _) => "two readers got an event after 5 s".to_owned(),
            (false, Some(answer)) => format!("{who} got no event after 5 s; POST /alive: {answer}"),
            (false, None) => format!("{who} said that it was alive, and got no event after 5 s"),
        };
        judge.require("keeps", came, saw)?;
    }

    // From here on nothing passes the relay, and nobody is told.
    let silence = relay.apply(Fault::Silence { new_connections_pass: false });
    let mut mute = Reader::open(judge, &server).await?;
    judge.expect("hello", true, "four readers got a number each");
    let cut_at = Instant::now();
    let by = cut_at + LET_GO_WITHIN;
    let counting = async {
        // At first there are three: the one who stays, and two of whom nothing is heard.
        let counted = counts_at_most_by(&server, 1, by).await;
        (counted, cut_at.elapsed())
    };
    let ((counted, took), ending) = tokio::join!(counting, mute.ends(by));
    let counted = judge.need("silent-cut", counted)?;
    let took = took.as_millis() as f64;
    let saw = match counted {
        1 => "only the one who says that it is alive is counted".to_owned(),
        _ => format!("of one who stays and two who are silent, GET /readers still counted {counted}"),
    };
    judge.require("silent-cut", counted == 1, Saw::new(saw).figure(took, "ms", "at most 6000 ms"))?;
    let saw = if ending { "its stream ended" } else { "it is counted no more, and its stream is still open" };
    judge.expect("ends-it", ending, saw);
    drop((silence, alive, cut));
    Ok(())
}

/// Some signs of life, each in time.
async fn heartbeats(judge: &mut Judge, stream: &mut EventStream) -> Result<(), Stop> {
    let mut slowest = Duration::ZERO;
    for sign in 0..SIGNS {
        let since = Instant::now();
        let more = judge.need("heartbeat", stream.read(since + SIGN_WITHIN).await)?;
        slowest = slowest.max(since.elapsed());
        if !matches!(more, More::Bytes(_)) {
            // An end after a while is another expectation's.
            if more == More::End && sign > 0 {
                break;
            }
            let how = if more == More::End { "the stream ended" } else { "nothing came for 2500 ms" };
            let saw = Saw::new(format!("after {sign} signs of life {how}")).bytes(stream.bytes());
            return judge.require("heartbeat", false, saw);
        }
    }
    let millis = slowest.as_millis() as f64;
    let saw = Saw::new(format!("the longest pause was {millis} ms"));
    judge.require("heartbeat", true, saw.figure(millis, "ms", "at most 2500 ms"))
}

/// The stream of a reader who said that it was alive has ended.
fn ended_too_early(judge: &mut Judge, begun: Instant) -> Result<(), Stop> {
    let millis = begun.elapsed().as_millis();
    let saw = format!("a stream ended after {millis} ms, though its number came by POST /alive every 500 ms");
    judge.require("keeps", false, saw)
}

/// What came so far is no event, and one that is published comes as it was.
async fn comments(
    judge: &mut Judge,
    server: &Place,
    stream: &mut EventStream,
    begun: Instant,
) -> Result<(), Stop> {
    let published = publish(server, "news").await;
    judge.need("comments", published)?;
    let next = stream.next(WITHIN).await;
    let next = judge.need("comments", next)?;
    if next == Next::End {
        return ended_too_early(judge, begun);
    }
    let saw = match &next {
        Next::Event(event) if event.data == "news" => "no event, until one was published".to_owned(),
        Next::Event(event) => format!("an event of type {:.40?} with data {:.40?}", event.kind, event.data),
        Next::End | Next::Quiet => "an event was published, and did not come within 3 s".to_owned(),
    };
    let met = matches!(&next, Next::Event(event) if event.data == "news" && event.kind == "message");
    judge.require("comments", met, Saw::new(saw).bytes(stream.bytes()))
}

/// A reader with its number.
struct Reader {
    place: Place,
    stream: EventStream,
    number: String,
}

impl Reader {
    async fn open(judge: &mut Judge, place: &Place) -> Result<Self, Stop> {
        let mut stream = EventStream::expected(judge, "hello", place).await?;
        let next = judge.need("hello", stream.next(WITHIN).await)?;
        let number = match &next {
            Next::Event(event) if event.kind == "hello" => event.data.trim().to_owned(),
            _ => String::new(),
        };
        let saw = match next {
            Next::Event(event) => {
                format!("an event of type {:.40?} with data {:.40?}", event.kind, event.data)
            }
            Next::End => "the stream ended".to_owned(),
            Next::Quiet => "no event within 3 s".to_owned(),
        };
        judge.require("hello", !number.is_empty(), Saw::new(saw).bytes(stream.bytes()))?;
        Ok(Reader { place: place.clone(), stream, number })
    }

    async fn hears(&mut self, data: &str) -> Result<bool, Trouble> {
        let deadline = Instant::now() + WITHIN;
        loop {
            let within = deadline.saturating_duration_since(Instant::now());
            match self.stream.next(within).await {
                Ok(Next::Event(event)) if event.data == data => return Ok(true),
                // A flood has no quiet moment.
                Ok(Next::Event(_)) if Instant::now() < deadline => {}
                Ok(Next::Event(_)) => return Ok(false),
                // A reset is an error of reading, and an end.
                Ok(Next::End | Next::Quiet) | Err(_) => return Ok(false),
            }
        }
    }

    /// Whether its stream ends by then.
    async fn ends(&mut self, by: Instant) -> bool {
        loop {
            match self.stream.next(by.saturating_duration_since(Instant::now())).await {
                Ok(Next::Event(_)) if Instant::now() < by => {}
                Ok(Next::Event(_) | Next::Quiet) => return false,
                Ok(Next::End) | Err(_) => return true,
            }
        }
    }
}

/// Says again and again, by the way that the reader's stream goes, that it is alive; until dropped.
struct Alive {
    refused: Arc<Mutex<Option<String>>>,
    task: JoinHandle<()>,
}

impl Alive {
    fn says(reader: &Reader) -> Self {
        let refused = Arc::new(Mutex::new(None));
        let (place, number, known) = (reader.place.clone(), reader.number.clone(), Arc::clone(&refused));
        let task = tokio::spawn(async move {
            loop {
                let request = Request::post("/alive", "text/plain", number.clone());
                let refusal = match ask(&place, &request).await {
                    Ok(answer) if (200..300).contains(&answer.status) => None,
                    Ok(answer) => Some(answer.summary()),
                    Err(trouble) => Some(trouble.what),
                };
                if let Some(refusal) = refusal {
                    known.lock().get_or_insert(refusal);
                }
                tokio::time::sleep(SAYS_EVERY).await;
            }
        });
        Alive { refused, task }
    }

    /// The first answer that was not a good one.
    fn refused(&self) -> Option<String> {
        self.refused.lock().clone()
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn readers(server: &Place) -> Result<u64, Trouble> {
    let answer = ask(server, &Request::get("/readers")).await?;
    let json = answer.json()?;
    json["readers"].as_u64().ok_or_else(|| {
        Trouble::new(format!("GET /readers was answered {}", answer.summary()))
            .next("Answer GET /readers with JSON such as {\"readers\": 3}.")
    })
}

/// Asks until it says at most so many, or the time is over; what it said last, and how long that took.
async fn counts_at_most(
    judge: &mut Judge,
    name: &'static str,
    server: &Place,
    most: u64,
    within: Duration,
) -> Result<(u64, Duration), Stop> {
    let begun = Instant::now();
    let counted = counts_at_most_by(server, most, begun + within).await;
    Ok((judge.need(name, counted)?, begun.elapsed()))
}

async fn counts_at_most_by(server: &Place, most: u64, by: Instant) -> Result<u64, Trouble> {
    loop {
        let counted = readers(server).await?;
        if counted <= most || Instant::now() > by {
            return Ok(counted);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
