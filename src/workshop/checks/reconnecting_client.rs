//! A client that comes back: cut off, reset, moved, sent away and failed.

use std::time::Duration;

use crate::workshop::{
    client::{Client, Prints},
    finding::{Expectation, Saw},
    judge::{Judge, Stop},
    scripted::{Act, Heard, Scripted},
};

pub(super) const EXPECTATIONS: &[Expectation] = &[
    Expectation {
        name: "reads",
        expects: "the events before the first cut are printed",
        next: "Ask for the URL that is the last argument, and print an event at each blank line.",
    },
    Expectation {
        name: "comes-back",
        expects: "after the server has ended the stream, the client asks again",
        next: "Put a loop around asking and reading: sleep for the retry time, in milliseconds, and ask again.",
    },
    Expectation {
        name: "pause",
        expects: "it waits for the retry time that the stream gave, 600 ms, and not much longer",
        next: "Keep the number of `retry:`, and sleep so many milliseconds before you ask again.",
    },
    Expectation {
        name: "last-event-id",
        expects: "it says in the header Last-Event-ID which whole event it saw last",
        next: "Keep the id at each blank line, and send it as the header Last-Event-ID when you ask again.",
    },
    Expectation {
        name: "reset",
        expects: "it also comes back when the connection is reset",
        next: "Catch the error of reading, and go on with the loop.",
    },
    Expectation {
        name: "once",
        expects: "all 6 events are printed in order: 0 lost, 0 twice, none of them half",
        next: "Begin each answer with an empty buffer and no data: what was cut is sent again.",
    },
    Expectation {
        name: "stops-on-204",
        expects: "status 204 ends it: it does not ask again",
        next: "Leave the loop where the status is 204: the server has nothing more to say.",
    },
    Expectation {
        name: "fails-on-500",
        expects: "status 500 ends it with an exit status other than 0, and it does not ask again",
        next: "Where the status is neither 200 nor 204, say so on standard error and exit with status 1.",
    },
    Expectation {
        name: "follows-301",
        expects: "it follows status 301 to the URL in Location",
        next: "Ask again at once at the URL in Location, which may be a path on the same server.",
    },
];

const EVENTS: u32 = 6;
const RETRY: Duration = Duration::from_millis(600);
/// A timer may be a little early by another clock.
const LEAST: Duration = Duration::from_millis(550);
const MOST: Duration = Duration::from_millis(3000);
/// How long a program may take to start, and to ask again, however loaded the machine is.
const PATIENCE: Duration = Duration::from_secs(12);
/// How long a client that does not end is watched for a request that must not come.
const AFTERWARDS: Duration = Duration::from_millis(2500);

pub(super) async fn judge(judge: &mut Judge) -> Result<(), Stop> {
    cut_off(judge).await?;
    failed(judge).await?;
    moved(judge).await
}

/// The end of a stream in mid-event, then a reset, then the rest, then 204.
async fn cut_off(judge: &mut Judge) -> Result<(), Stop> {
    let server = serve(|heard| {
        let from = heard.header("last-event-id").and_then(|id| id.parse().ok()).unwrap_or(0u32);
        let text =
            |count: u32| (from + 1..=EVENTS).take(count as usize).map(event).collect::<String>().into_bytes();
        match heard.number {
            0 => {
                let begin =
                    format!("retry: {}\n\n{}{}id: 3\ndata: num", RETRY.as_millis(), event(1), event(2));
                vec![Act::stream_head(), Act::Send(begin.into())]
            }
            // The pause lets the client read before the reset throws away what it has not read.
            1 => vec![
                Act::stream_head(),
                Act::Send(text(2)),
                Act::Pause(Duration::from_millis(400)),
                Act::Reset,
            ],
            2 => vec![Act::stream_head(), Act::Send(text(EVENTS))],
            _ => vec![Act::status("204 No Content", "")],
        }
    })
    .await?;
    let mut client = judge.client(&server.url)?;
    let mut printed = read(&mut client, 2, PATIENCE).await;
    judge.require("reads", printed.len() >= 2, shown(&printed))?;

    let came = asks(&server, &mut client, 2).await;
    let requests = server.requests();
    let ended = client.ended().map(|status| format!(", and the client ended ({status})")).unwrap_or_default();
    judge.require("comes-back", came, format!("{} requests{ended}", requests.len()))?;
    let pause = requests[1].at - requests[0].at;
    let millis = pause.as_millis() as f64;
    let saw = Saw::new(format!("it asked again after {millis} ms"));
    let bar = format!("from {} to {} ms", LEAST.as_millis(), MOST.as_millis());
    judge.require("pause", (LEAST..=MOST).contains(&pause), saw.figure(millis, "ms", bar))?;
    let id = requests[1].header("last-event-id");
    let saw = match id {
        Some(id) => Saw::new(format!("Last-Event-ID: {id}; the last whole event had id 2")),
        None => Saw::new(format!("no such header in GET {}", requests[1].path)),
    };
    judge.require("last-event-id", id == Some("2"), saw)?;

    let came = asks(&server, &mut client, 3).await;
    let ended = client.ended().map(|status| format!(", and the client ended ({status})")).unwrap_or_default();
    judge.require("reset", came, format!("{} requests{ended}", server.requests().len()))?;
    // What is printed before the answer 204 is asked for is all that will be.
    server.wait_for_requests(4, PATIENCE).await;
    printed.extend(read(&mut client, 1000, Duration::from_millis(500)).await);
    let wanted: Vec<_> = (1..=EVENTS).map(|id| (id.to_string(), data(id))).collect();
    judge.expect("once", printed == wanted, shown(&printed));

    let asked = server.wait_for_requests(4, PATIENCE).await;
    let ended = client.wait(AFTERWARDS).await;
    let more = server.requests().len().saturating_sub(4);
    let saw = match (asked, ended) {
        (false, _) => "it never came to the answer 204".to_owned(),
        (true, Some(status)) => format!("{more} more requests, and it ended ({status})"),
        (true, None) => format!("{more} more requests in {} ms", AFTERWARDS.as_millis()),
    };
    judge.expect("stops-on-204", asked && more == 0, saw);
    client.stop().await;
    Ok(())
}

async fn failed(judge: &mut Judge) -> Result<(), Stop> {
    let server = serve(|_| vec![Act::status("500 Internal Server Error", "")]).await?;
    let mut client = judge.client(&server.url)?;
    server.wait_for_requests(1, PATIENCE).await;
    let ended = client.wait(PATIENCE).await;
    let requests = server.requests().len();
    let how = ended.map_or("it did not end".to_owned(), |status| format!("it ended ({status})"));
    let met = requests == 1 && ended.is_some_and(|status| !status.success());
    judge.expect("fails-on-500", met, format!("{requests} requests, and {how}"));
    client.stop().await;
    Ok(())
}

async fn moved(judge: &mut Judge) -> Result<(), Stop> {
    let server = serve(|heard| match (heard.path.as_str(), heard.header("last-event-id")) {
        ("/moved", None) => vec![Act::stream_head(), Act::Send(event(1).into())],
        (_, Some(_)) => vec![Act::status("204 No Content", "")],
        _ => vec![Act::status("301 Moved Permanently", "Location: /moved\r\n")],
    })
    .await?;
    let mut client = judge.client(&server.url)?;
    let printed = read(&mut client, 1, PATIENCE).await;
    let paths: Vec<_> = server.requests().into_iter().take(4).map(|heard| heard.path).collect();
    let saw = format!("it asked for {paths:?}; {}", shown(&printed));
    judge.expect("follows-301", printed == [("1".to_owned(), data(1))], saw);
    client.stop().await;
    Ok(())
}

async fn serve(script: impl Fn(&Heard) -> Vec<Act> + Send + Sync + 'static) -> Result<Scripted, Stop> {
    let server = Scripted::start(script).await;
    server.map_err(|error| Stop::CouldNotTell(format!("no port to serve on: {error}")))
}

/// Waits for so many requests, and no longer than the client lives.
async fn asks(server: &Scripted, client: &mut Client, count: usize) -> bool {
    tokio::select! {
        came = server.wait_for_requests(count, PATIENCE) => came,
        _ = client.wait(PATIENCE) => server.requests().len() >= count,
    }
}

fn data(id: u32) -> String {
    format!("number {id}")
}

fn event(id: u32) -> String {
    format!("id: {id}\ndata: {}\n\n", data(id))
}

/// Ids and data of so many printed events, or fewer where the time is over or a line is no event.
async fn read(client: &mut Client, count: usize, within: Duration) -> Vec<(String, String)> {
    let mut printed = Vec::new();
    while printed.len() < count {
        match client.next(within).await {
            Ok(Prints::Event(event)) => printed.push((event.id, event.data)),
            Ok(Prints::End | Prints::Quiet) => break,
            Err(trouble) => {
                printed.push((String::new(), trouble.what));
                break;
            }
        }
    }
    printed
}

fn shown(printed: &[(String, String)]) -> String {
    let some: Vec<_> = printed.iter().take(10).map(|(id, data)| format!("{id:.20}: {data:.60?}")).collect();
    format!("it printed {} events: [{}]", printed.len(), some.join(", "))
}
