//! Behind a reverse proxy that collects answers, and closes connections on which nothing moves.

use std::time::Duration;

use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use crate::workshop::{
    finding::{Expectation, Saw},
    http::{Place, Request, Trouble},
    judge::{Judge, Stop},
    poll::publish,
    proxy::{BUFFER, Proxy, Seen},
    stream::{EventStream, Next},
};

pub(super) const EXPECTATIONS: &[Expectation] = &[
    Expectation {
        name: "direct",
        expects: "without the proxy: a reader of GET /events gets an event within 1 s after POST /publish",
        next: "Write each publication to every reader as `data: …` and a blank line, and keep the answer open.",
    },
    Expectation {
        name: "at-once",
        expects: "through the proxy: each of 5 events arrives within 1 s after it was published",
        next: "Ask the proxy not to collect this answer: there is a header for that, X-Accel-Buffering.",
    },
    Expectation {
        name: "bytes-per-event",
        expects: "for each of them at most 512 bytes come from the server",
        next: "Leave out what is there to fill the proxy's buffer: every reader pays for it, on every event.",
    },
    Expectation {
        name: "survives-silence",
        expects: "nothing is published for 5 s, and the proxy, which waits for 2 s, does not close the connection",
        next: "Write a comment to every reader each second: a line that begins with a colon, and a blank line.",
    },
    Expectation {
        name: "still-there",
        expects: "then an event is published, and arrives within 1 s on the same connection",
        next: "Keep the reader in your list for as long as its connection stands.",
    },
    Expectation {
        name: "no-other-events",
        expects: "0 events arrive that nobody has published",
        next: "Make the heartbeat a comment, `: ` and no `data:`: a page that reads the stream must not see it.",
    },
];

const EVENTS: usize = 5;
const SOON: Duration = Duration::from_secs(1);
const BYTES_PER_EVENT: usize = 512;
/// nginx itself waits for 60 s.
const READ_TIMEOUT: Duration = Duration::from_secs(2);
/// More than twice as long: a heartbeat that is rarer than the proxy bears misses it, wherever it begins.
const SILENCE: Duration = Duration::from_secs(5);

/// A server may take a reader into its list a moment after it has sent the head.
const LISTED_WITHIN: Duration = Duration::from_millis(150);

pub(super) async fn judge(judge: &mut Judge) -> Result<(), Stop> {
    let server = judge.server()?;
    direct(judge, &server).await?;
    let proxy = Proxy::start(&server, READ_TIMEOUT).await;
    let proxy = proxy.map_err(|error| Stop::CouldNotTell(format!("no port for the proxy: {error}")))?;
    let (mut stream, mut foreign) = at_once(judge, &server, &proxy).await?;

    let before = Instant::now();
    let mut ended = None;
    while ended.is_none() && before.elapsed() < SILENCE {
        match stream.next(SILENCE.saturating_sub(before.elapsed())).await {
            Ok(Next::Event(event)) => foreign.push(event.data),
            Ok(Next::Quiet) => {}
            Ok(Next::End) => ended = Some("the stream was ended".to_owned()),
            Err(trouble) => ended = Some(trouble.what),
        }
    }
    let stands = ended.is_none();
    let (after, seen) = (before.elapsed().as_millis(), proxy.seen());
    let silence = seen.silence.as_millis();
    let saw = match ended {
        None => Saw::new(format!("it stands; the longest silence was {silence} ms")),
        Some(_) if seen.timed_out => Saw::new(format!(
            "after {after} ms the proxy closed the connection: {silence} ms without a byte from the server"
        )),
        Some(what) => Saw::new(format!("after {after} ms: {what}"))
            .next("Keep the answer open: an event stream has no end and no Content-Length."),
    };
    let saw = saw.figure(silence as f64, "ms of silence", "less than 2000 ms");
    judge.require("survives-silence", stands, saw)?;

    let at = Instant::now();
    let published = publish(&server, "the last").await;
    judge.need("still-there", published)?;
    let got = arrival(&mut stream, "the last", &mut foreign).await;
    let late = judge.need("still-there", got)?.map(|came| came.saturating_duration_since(at).as_millis());
    let saw = late.map_or("it did not come".to_owned(), |late| format!("it came after {late} ms"));
    judge.expect("still-there", late.is_some(), saw);

    let count = foreign.len();
    let some: Vec<_> = foreign.iter().take(3).map(|data| format!("{data:.40?}")).collect();
    let saw = match count {
        0 => Saw::new("none came"),
        _ => Saw::new(format!("{count} came: {}", some.join(", "))).bytes(stream.bytes()),
    };
    judge.expect("no-other-events", count == 0, saw.figure(count as f64, "events", "0 events"));
    Ok(())
}

async fn direct(judge: &mut Judge, server: &Place) -> Result<(), Stop> {
    let mut stream = EventStream::expected(judge, "direct", server).await?;
    tokio::time::sleep(LISTED_WITHIN).await;
    let published = publish(server, "direct").await;
    judge.need("direct", published)?;
    let got = arrival(&mut stream, "direct", &mut Vec::new()).await;
    let came = judge.need("direct", got)?.is_some();
    let saw = Saw::new(if came { "it came" } else { "it did not come" }).bytes(stream.bytes());
    judge.require("direct", came, saw)
}

/// When an event with this data comes; `None` where it does not come soon. Others are noted.
async fn arrival(
    stream: &mut EventStream,
    data: &str,
    foreign: &mut Vec<String>,
) -> Result<Option<Instant>, Trouble> {
    let deadline = Instant::now() + SOON;
    loop {
        match stream.next(deadline.saturating_duration_since(Instant::now())).await? {
            Next::Event(event) if event.data == data => return Ok(Some(event.at)),
            Next::Event(event) => foreign.push(event.data),
            Next::Quiet => return Ok(None),
            Next::End => {
                return Err(Trouble::new("the server ended the stream")
                    .next("Keep the answer open: an event stream has no end and no Content-Length."));
            }
        }
    }
}

/// Publishes while a reader reads through the proxy; returns the stream, and data that nobody published.
async fn at_once(
    judge: &mut Judge,
    server: &Place,
    proxy: &Proxy,
) -> Result<(EventStream, Vec<String>), Stop> {
    let behind = server.through(proxy.address());
    let (arrived, arrivals) = watch::channel(0);
    let (stop, mut stopped) = watch::channel(false);
    let reading = async {
        tokio::select! {
            read = read(&behind, &arrived) => Some(read),
            _ = stopped.wait_for(|stopped| *stopped) => None,
        }
    };
    // Publishes until one does not arrive; how many did, and how many bytes they were on the server's side.
    let publishing = async {
        let deadline = Instant::now() + SOON;
        while proxy.seen().head.is_empty() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(LISTED_WITHIN).await;
        let before = proxy.seen().bytes;
        let mut slowest = Duration::ZERO;
        for number in 0..EVENTS {
            let at = Instant::now();
            if let Err(trouble) = publish(server, &data(number)).await {
                stop.send_replace(true);
                return Err(trouble);
            }
            let mut arrivals = arrivals.clone();
            if timeout(SOON, arrivals.wait_for(|&count| count > number)).await.is_err() {
                stop.send_replace(true);
                return Ok((number, slowest, 0));
            }
            slowest = slowest.max(at.elapsed());
        }
        Ok((EVENTS, slowest, proxy.seen().bytes - before))
    };
    let (read, published) = tokio::join!(reading, publishing);
    let (count, slowest, bytes) = judge.need("at-once", published)?;
    let seen = proxy.seen();
    let Some(Ok(read)) = read else {
        let saw = match read {
            Some(Err(trouble)) => trouble.into(),
            _ => held_back(count, &seen),
        };
        judge.expect("at-once", false, saw);
        return Err(Stop::Missed);
    };
    let slowest = slowest.as_millis();
    let saw = Saw::new(format!("{count} of {EVENTS}, the slowest after {slowest} ms"));
    judge.require("at-once", count == EVENTS, saw.figure(slowest as f64, "ms", "at most 1000 ms"))?;
    let each = bytes / EVENTS;
    let saw = Saw::new(format!("{each} bytes for each event of {} bytes", data(0).len()));
    let saw = saw.figure(each as f64, "bytes", format!("at most {BYTES_PER_EVENT} bytes"));
    judge.expect("bytes-per-event", each <= BYTES_PER_EVENT, saw);
    Ok(read)
}

/// Reads all events through the proxy.
async fn read(behind: &Place, arrived: &watch::Sender<usize>) -> Result<(EventStream, Vec<String>), Trouble> {
    // What a browser says. A compressor has a buffer too.
    let request = Request::get("/events").header("Accept-Encoding", "gzip, deflate");
    let mut stream = EventStream::open(behind, &request).await?;
    let mut foreign = Vec::new();
    for number in 0..EVENTS {
        while arrival(&mut stream, &data(number), &mut foreign).await?.is_none() {}
        arrived.send_replace(number + 1);
    }
    Ok((stream, foreign))
}

/// Why an event did not arrive, as far as the proxy knows.
fn held_back(count: usize, seen: &Seen) -> Saw {
    let head = String::from_utf8_lossy(&seen.head).to_ascii_lowercase();
    let number = count + 1;
    if seen.head.is_empty() {
        let saw =
            Saw::new("the server did not answer the proxy: it had sent no head when an event was published");
        return saw.next("Send the head of the answer at once, with res.flushHeaders or its like.");
    }
    if head.contains("\r\ncontent-encoding:") {
        let saw = format!(
            "event {number} of {EVENTS} did not arrive within 1 s: the stream is compressed, and {} bytes of it came",
            seen.bytes
        );
        let next =
            "Do not compress the stream: a compressor collects events too, unless it is flushed after each.";
        return Saw::new(saw).bytes(&seen.head).next(next);
    }
    let saw = match seen.is_buffered {
        true => format!(
            "event {number} of {EVENTS} did not arrive within 1 s: the proxy holds {} bytes back, until its buffer \
             of {BUFFER} bytes is full",
            seen.held
        ),
        false => format!(
            "event {number} of {EVENTS} did not arrive within 1 s, though the proxy holds nothing back"
        ),
    };
    let saw = Saw::new(saw).bytes(&seen.head);
    match head {
        _ if head.contains("\r\ncontent-length:") => saw.next(
            "Leave Content-Length out, since a stream has no end, and tell the proxy X-Accel-Buffering: no.",
        ),
        _ if seen.is_buffered && head.contains("\r\nx-accel-buffering:") => {
            saw.next("Write X-Accel-Buffering: no. The proxy knows no other word for it.")
        }
        _ => saw,
    }
}

fn data(number: usize) -> String {
    format!("news {number}")
}
