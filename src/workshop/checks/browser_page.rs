//! The browser page: what it shows, what it does not run, and how it comes back and closes.

use std::{fs, io::Read as _, net::SocketAddr, path::Path, time::Duration};

use serde_json::json;

use crate::{
    link::{Relay, relay::Fault},
    workshop::{
        excerpt::one_line,
        finding::{Expectation, Saw},
        judge::{Judge, Stop},
        page::Page,
        scripted::{Act, Heard, Scripted},
    },
};

pub(super) const EXPECTATIONS: &[Expectation] = &[
    Expectation {
        name: "asks",
        expects: "the page asks for the event stream at /events",
        next: "Open it in a script of the page: new EventSource(\"/events\").",
    },
    Expectation {
        name: "shows",
        expects: "the first event is the first <li> of the <ol id=\"events\">",
        next: "In onmessage, make an element li, put event.data into it and append it to the list.",
    },
    Expectation {
        name: "named",
        expects: "an event of the type alarm is in the list too, in its place",
        next: "source.addEventListener(\"alarm\", …): onmessage hears only events without a name.",
    },
    Expectation {
        name: "text",
        expects: "an event whose data is <img src=x onerror=…> is shown as these letters, and nothing of it runs",
        next: "Put the data in by textContent: innerHTML makes elements of it, and runs what they say.",
    },
    Expectation {
        name: "state",
        expects: "<output id=\"state\"> says open, connecting while the server is away, and open again",
        next: "Set it in onopen and in onerror, where source.readyState says which it is.",
    },
    Expectation {
        name: "one-connection",
        expects: "the page comes back with one request, and this has the header Last-Event-ID",
        next: "Leave coming back to the EventSource: it does so by itself, and says where it was. Make only \
               one.",
    },
    Expectation {
        name: "once",
        expects: "after the cut the list goes on: each event once",
        next: "Append what comes, and touch neither the list nor the source when the connection is cut.",
    },
    Expectation {
        name: "end",
        expects: "at an event of the type end, the page closes the connection, says closed and does not come \
                  back",
        next: "On end, call source.close() and set the state: the EventSource would come back for ever.",
    },
    Expectation {
        name: "button",
        expects: "a click on <button id=\"close\"> closes the connection: the page says closed and does not \
                  come back",
        next: "On click, call source.close() and set the state.",
    },
];

/// How long what must come may take, however loaded the machine is.
const WITHIN: Duration = Duration::from_secs(12);
/// How long the server is away, and is watched for a request that must not come: some times `RETRY`.
const AWAY: Duration = Duration::from_millis(1200);
const RETRY: Duration = Duration::from_millis(200);
const PAGE_BYTES: u64 = 1024 * 1024;

const HOSTILE: &str = "<img src=x onerror=\"document.title = 'a stranger ran this'\"><b>5 &lt; 6</b>";
const STATE: &str = "(document.querySelector('#state')?.textContent ?? '').trim().toLowerCase()";
const LIST: &str = "[...document.querySelectorAll('ol#events > li')].map((li) => li.textContent.trim())";

pub(super) async fn judge(judge: &mut Judge) -> Result<(), Stop> {
    let html = read(judge.file()?)?;
    let page = Page::start().await?;
    reads(judge, &page, html.clone()).await?;
    button(judge, &page, html).await?;
    page.close().await;
    Ok(())
}

/// From the first event to the last, with two cuts between.
async fn reads(judge: &mut Judge, page: &Page, html: Vec<u8>) -> Result<(), Stop> {
    let (server, relay) = serve(html, |last| match last {
        0 => [event(1, "", "one"), event(2, "alarm", "two"), event(3, "", HOSTILE)].concat(),
        3 => event(4, "", "four"),
        4 => [event(5, "", "five"), event(6, "end", "that was all")].concat(),
        _ => String::new(),
    })
    .await?;
    let opened = page.open(&home(&relay)).await;
    if let Err(trouble) = &opened
        && server.requests().is_empty()
    {
        return Err(Stop::CouldNotTell(format!("the browser did not ask for the page: {}", trouble.what)));
    }
    judge.need("asks", opened)?;
    let came = asked(&server, 1, WITHIN).await == 1;
    let paths: Vec<_> = server.requests().into_iter().take(6).map(|heard| heard.path).collect();
    // A page that waits for somebody to press a button says so here.
    let answers = page.value("true").await;
    judge.need("asks", answers)?;
    let said = if came { String::new() } else { complaint(page).await };
    judge.require("asks", came, format!("the page's requests: {paths:?}{said}"))?;

    let long = format!("{LIST}.length >= 3");
    let waited = page.until(&long, &json!(true), WITHIN / 2).await;
    judge.need("shows", waited)?;
    let listed = list(judge, page, "shows").await?;
    let saw = if listed.is_empty() {
        format!("no li in an ol with the id events{}", complaint(page).await)
    } else {
        shown(&listed)
    };
    let met = listed.first().is_some_and(|first| first == "one");
    let saw = if met { "\"one\" is the first of the list".to_owned() } else { saw };
    judge.require("shows", met, saw)?;
    let met = listed.get(1).is_some_and(|second| second == "two");
    let saw = if met { "\"two\" is the second".to_owned() } else { shown(&listed) };
    judge.require("named", met, saw)?;
    let made = page.value("document.querySelectorAll('#events img, #events b').length").await;
    let made = judge.need("text", made)?.as_u64().unwrap_or_default();
    let ran = page.until("document.title.startsWith('a stranger')", &json!(true), AWAY.mul_f64(0.3)).await;
    let ran = judge.need("text", ran)? == json!(true);
    let is_text = listed == ["one", "two", HOSTILE];
    let saw = match (made, ran) {
        (0, false) if is_text => Saw::new("the hostile event is shown as letters"),
        (0, false) if listed.iter().any(|text| text.contains("&lt;img")) => {
            Saw::new(shown(&listed)).next("textContent shows a text as it is: escape nothing in it.")
        }
        (0, false) => Saw::new(shown(&listed)),
        (_, true) => {
            Saw::new(format!("the data became {made} elements, and its script ran: it set the page's title"))
        }
        (_, false) => Saw::new(format!("the data became {made} elements of the page")),
    };
    judge.require("text", made == 0 && !ran && is_text, saw)?;

    state(judge, page, "state", "open", "while events came").await?;
    let refusing = relay.apply(Fault::Refuse);
    drop(relay.apply(Fault::Reset));
    state(judge, page, "state", "connecting", "while the server was away").await?;
    tokio::time::sleep(AWAY).await;
    drop(refusing);
    asked(&server, 2, WITHIN).await;
    let waited = page.until(&format!("{LIST}.at(-1)"), &json!("four"), WITHIN / 2).await;
    judge.need("once", waited)?;
    // Whoever comes more than once does so within some times the retry time.
    tokio::time::sleep(AWAY).await;
    let later: Vec<_> = streams(&server).split_off(1);
    let ids: Vec<_> = later.iter().map(|heard| heard.header("last-event-id").unwrap_or("none")).collect();
    let saw = match ids.as_slice() {
        ["3"] => Saw::new("one request after the cut, with Last-Event-ID: 3"),
        [id] => Saw::new(format!("one request after the cut, with Last-Event-ID: {id:.20} and not 3")),
        ids => {
            let saw = format!("{} requests after the cut, with Last-Event-ID: {}", ids.len(), first(ids));
            Saw::new(saw).figure(ids.len() as f64, "requests", "1 request")
        }
    };
    judge.require("one-connection", ids == ["3"], saw)?;
    state(judge, page, "state", "open", "after the server was back").await?;
    let listed = list(judge, page, "once").await?;
    let met = listed == ["one", "two", HOSTILE, "four"];
    let saw = if met { "four events, each once".to_owned() } else { shown(&listed) };
    judge.require("once", met, saw)?;

    drop(relay.apply(Fault::Reset));
    asked(&server, 3, WITHIN).await;
    state(judge, page, "end", "closed", "after an event of the type end").await?;
    stays_away(judge, "end", &server, &relay, 3).await
}

async fn button(judge: &mut Judge, page: &Page, html: Vec<u8>) -> Result<(), Stop> {
    let (server, relay) = serve(html, |_| event(1, "", "one")).await?;
    let opened = page.open(&home(&relay)).await;
    judge.need("button", opened)?;
    asked(&server, 1, WITHIN).await;
    let opened = page.until(STATE, &json!("open"), WITHIN).await;
    judge.need("button", opened)?;
    let clicked = page
        .value("(document.querySelector('button#close')?.click(), !!document.querySelector('button#close'))");
    let clicked = judge.need("button", clicked.await)?;
    judge.require("button", clicked == json!(true), "there is no button with the id close")?;
    state(judge, page, "button", "closed", "after the click").await?;
    stays_away(judge, "button", &server, &relay, 1).await
}

/// Cuts whatever connection there may be, and waits for a request that must not come.
async fn stays_away(
    judge: &mut Judge,
    name: &'static str,
    server: &Scripted,
    relay: &Relay,
    had: usize,
) -> Result<(), Stop> {
    drop(relay.apply(Fault::Reset));
    tokio::time::sleep(AWAY).await;
    let more = streams(server).len() - had;
    let saw = match more {
        0 => "it said closed, and did not come back".to_owned(),
        _ => format!("it said closed, and came back when the connection was cut ({more} requests)"),
    };
    judge.require(name, more == 0, saw)
}

async fn state(
    judge: &mut Judge,
    page: &Page,
    name: &'static str,
    wanted: &str,
    when: &str,
) -> Result<(), Stop> {
    let seen = page.until(STATE, &json!(wanted), WITHIN / 2).await;
    let seen = judge.need(name, seen)?;
    let seen = seen.as_str().unwrap_or_default();
    let said = if seen == wanted { String::new() } else { complaint(page).await };
    judge.require(name, seen == wanted, format!("{when} it said {:?}{said}", one_line(seen)))
}

async fn list(judge: &mut Judge, page: &Page, name: &'static str) -> Result<Vec<String>, Stop> {
    let value = judge.need(name, page.value(LIST).await)?;
    let items = value.as_array().into_iter().flatten();
    Ok(items.map(|item| item.as_str().unwrap_or_default().to_owned()).collect())
}

/// What the page's console complains of, as the end of a sentence.
async fn complaint(page: &Page) -> String {
    let complaint = page.complaint().await;
    if complaint.is_empty() { complaint } else { format!("; its console: {}", one_line(&complaint)) }
}

/// The page at `/`, and at `/events` a stream that says what follows the last event id and then is quiet;
/// and a relay to cut it at.
async fn serve(
    html: Vec<u8>,
    after: impl Fn(u32) -> String + Send + Sync + 'static,
) -> Result<(Scripted, Relay), Stop> {
    let no_port = |error: std::io::Error| Stop::CouldNotTell(format!("no port to serve on: {error}"));
    let server = Scripted::start(move |heard: &Heard| match heard.path.as_str() {
        "/" => {
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
                 Cache-Control: no-store\r\nConnection: close\r\n\r\n",
                html.len()
            );
            vec![Act::Send([head.as_bytes(), &html].concat())]
        }
        "/events" => {
            let last = heard.header("last-event-id").and_then(|id| id.parse().ok()).unwrap_or(0);
            let text = format!("retry: {}\n\n{}", RETRY.as_millis(), after(last));
            vec![Act::stream_head(), Act::Send(text.into()), Act::Linger]
        }
        _ => vec![Act::status("404 Not Found", "")],
    })
    .await
    .map_err(no_port)?;
    let address: SocketAddr = server.address();
    let relay = Relay::start(address).await.map_err(no_port)?;
    Ok((server, relay))
}

fn home(relay: &Relay) -> String {
    format!("http://{}/", relay.addr())
}

fn streams(server: &Scripted) -> Vec<Heard> {
    server.requests().into_iter().filter(|heard| heard.path == "/events").collect()
}

/// Waits until the stream was asked for so often; how often it was, at most that.
async fn asked(server: &Scripted, count: usize, within: Duration) -> usize {
    let deadline = tokio::time::Instant::now() + within;
    loop {
        let times = streams(server).len().min(count);
        if times == count || tokio::time::Instant::now() > deadline {
            return times;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn event(id: u32, kind: &str, data: &str) -> String {
    let kind = if kind.is_empty() { String::new() } else { format!("event: {kind}\n") };
    format!("id: {id}\n{kind}data: {data}\n\n")
}

fn read(file: &Path) -> Result<Vec<u8>, Stop> {
    let unread = |error: std::io::Error| Stop::CouldNotTell(format!("{}: {error}", file.display()));
    let mut html = Vec::new();
    fs::File::open(file).map_err(unread)?.take(PAGE_BYTES).read_to_end(&mut html).map_err(unread)?;
    Ok(html)
}

fn shown(listed: &[String]) -> String {
    let some: Vec<_> = listed.iter().take(8).map(|text| format!("{text:.60?}")).collect();
    format!("the list has {}: [{}]", listed.len(), some.join(", "))
}

fn first(ids: &[&str]) -> String {
    let some: Vec<_> = ids.iter().take(5).map(|id| format!("{id:.20}")).collect();
    if some.is_empty() { "none".to_owned() } else { some.join(", ") }
}
