//! An SSE parser, read against a hostile server: what HTML 9.2.6 says of every byte.

mod cases;

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::time::Instant;

use self::cases::{CASES, Case, LAST};
use crate::workshop::{
    client::{Client, Printed, Prints},
    excerpt::one_line,
    finding::{Expectation, Saw},
    http::Trouble,
    judge::{Judge, Stop},
    scripted::{Act, Heard, Scripted},
};

pub(super) const EXPECTATIONS: &[Expectation] = cases::EXPECTATIONS;

/// How long a program may take from its start to its first event, however loaded the machine is.
const PATIENCE: Duration = Duration::from_secs(15);
/// Once it has shown how fast it is, it is waited for so much longer, and no less than the least.
const SLOWER: u32 = 10;
const LEAST: Duration = Duration::from_secs(4);
/// How long a program is watched after the server has cut the stream, for an event that must not come.
const AFTERWARDS: Duration = Duration::from_secs(2);
/// How many cases run at a time: a program's start is most of a case.
const AT_ONCE: usize = 4;

pub(super) async fn judge(judge: &mut Judge) -> Result<(), Stop> {
    let begun = Instant::now();
    let [first, others @ ..] = CASES else { return Ok(()) };
    let (met, saw) = run(judge, first, PATIENCE).await?;
    // A program that prints nothing at all is not waited for two dozen times.
    judge.require(first.expectation, met, saw)?;
    let patience = (begun.elapsed() * SLOWER).clamp(LEAST, PATIENCE);
    let results: Vec<_> = {
        let judge = &*judge;
        let runs: Vec<_> = others.iter().map(|case| run(judge, case, patience)).collect();
        stream::iter(runs).buffered(AT_ONCE).collect().await
    };
    for (case, result) in others.iter().zip(results) {
        let (met, saw) = result?;
        judge.expect(case.expectation, met, saw);
    }
    Ok(())
}

/// Serves one case's bytes to the client once, and says "nothing more" to whoever asks again.
async fn run(judge: &Judge, case: &'static Case, patience: Duration) -> Result<(bool, Saw), Stop> {
    let body = case.bytes();
    let script = move |heard: &Heard| match (heard.number, case.piece) {
        (0, Some(size)) => vec![Act::stream_head(), Act::Pieces(case.bytes(), size)],
        (0, None) => vec![Act::stream_head(), Act::Send(case.bytes())],
        _ => vec![Act::status("204 No Content", "")],
    };
    let server = Scripted::start(script).await;
    let server = server.map_err(|error| Stop::CouldNotTell(format!("no port to serve on: {error}")))?;
    let mut client = judge.client(&server.url)?;
    let printed = read(&mut client, &server, case.cut, patience).await;
    let ended = client.ended();
    client.stop().await;
    let printed = match printed {
        Ok(printed) => printed,
        Err(trouble) => return Ok((false, Saw::from(trouble))),
    };
    let expected: Vec<Printed> = case.expected();
    if printed == expected {
        return Ok((
            true,
            Saw::new(format!("{} of {} events as they should be", printed.len(), expected.len())),
        ));
    }
    let ended = ended.map(|status| format!(", and ended ({status})")).unwrap_or_default();
    let asked = if server.requests().is_empty() { ". It never asked for the stream" } else { "" };
    let saw = format!(
        "it printed {}{ended}{asked}; expected was {}. The stream was:",
        shown(&printed),
        shown(&expected)
    );
    Ok((false, Saw::new(saw).bytes(&body)))
}

/// What the client prints until the last event; for a stream that is cut, until it has had time to print
/// what it must not.
async fn read(
    client: &mut Client,
    server: &Scripted,
    cut: bool,
    patience: Duration,
) -> Result<Vec<Printed>, Trouble> {
    let mut printed = Vec::new();
    if cut {
        // An EventSource comes back for more, a plain parser ends; either has seen the stream's end then.
        tokio::select! {
            _ = server.wait_for_requests(2, patience) => {}
            _ = client.wait(patience) => {}
            () = async {
                server.wait_for_requests(1, patience).await;
                tokio::time::sleep(AFTERWARDS).await;
            } => {}
        }
    }
    let within = if cut { Duration::from_millis(300) } else { patience };
    while let Prints::Event(event) = client.next(within).await? {
        let last = event.data == LAST;
        printed.push(event);
        if last || printed.len() > 1000 {
            break;
        }
    }
    Ok(printed)
}

fn shown(events: &[Printed]) -> String {
    let one = |event: &Printed| {
        let json = |text: &str| serde_json::Value::from(text).to_string();
        let Printed { id, kind, data } = event;
        one_line(&format!(r#"{{"id":{},"type":{},"data":{}}}"#, json(id), json(kind), json(data)))
    };
    match events {
        [] => "nothing".to_owned(),
        events => events.iter().take(6).map(one).collect::<Vec<_>>().join(" "),
    }
}
