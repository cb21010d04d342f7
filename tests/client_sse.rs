//! The SSE client is an EventSource by the standard.

#![allow(clippy::unwrap_used, reason = "a test that panics has said so")]

mod client_support;

use std::time::Duration;

use client_support::{Server, fixed, header, is_event, nth, read, subscription};
use pushlab::{
    client::{Cause, End, Policy},
    transport::Transport::Sse,
};
use tokio::sync::mpsc;

const EXPECTED: [&str; 6] = [
    "event 1 message \"a\\nb\\n\"",
    "event 1 tick \"c\"",
    "event 1 message \"ends in CR\"",
    "event - message \" two spaces\"",
    "gap Some(3) Evicted",
    "event 7 gap \"not ours\"",
];

/// Answers that are no event stream, and what is said of them.
const WRONG: [(&str, &str, &str); 5] = [
    ("404 Not Found", "", "404 Not Found: no such channel"),
    ("503 Service Unavailable", "content-type: text/event-stream\r\n", "503"),
    ("200 OK", "content-type: text/html\r\n", "text/html"),
    ("200 OK", "", "content type is none"),
    ("301 Moved Permanently", "", "301"),
];

#[tokio::test]
async fn a_nasty_stream_is_read_by_the_standard_whatever_its_chunks() {
    let stream = "\u{feff}:comment\nretry:1\nid:1\ndata:a\r\ndata: b\rdata\n\n\
        event:tick\nid: no\0good\nretry: 12x\nunknown: x\nnosuchfield\ndata: c\r\n\r\n\
        data: ends in CR\r\r\
        event: nothing without data\n\n\
        id\ndata:  two spaces\n\n\
        event: gap\ndata: {\"missed\":3,\"reason\":\"evicted\"}\n\n\
        id: 7\nevent: gap\ndata: not ours\n\n\
        id: 8\ndata: cut in mid-ev";
    for chunk in [1, 2, 3, 7, stream.len()] {
        let server = Server::start(move |_, mut conversation| async move {
            let head = conversation.head().await;
            if header(&head, "last-event-id").as_deref() == Some("7") {
                conversation.answer("204 No Content", "", "").await;
                return;
            }
            conversation.event_stream("").await;
            conversation.stream.set_nodelay(true).unwrap();
            for bytes in stream.as_bytes().chunks(chunk) {
                conversation.send(bytes).await;
                tokio::task::yield_now().await;
            }
        })
        .await;
        let url = format!("http://{}/", server.addr);
        let seen = read(Sse, subscription(url, Policy::default()), |_| false).await;
        let told: Vec<_> =
            seen.lines.iter().filter(|line| is_event(line) || line.starts_with("gap")).collect();
        assert_eq!(told, EXPECTED, "in chunks of {chunk}");
        // Neither the event that was cut nor its id counted, or 204 would not have been the answer.
        assert_eq!(seen.end, End::Finished);
    }
}

#[tokio::test]
async fn it_reconnects_after_the_servers_time_with_the_last_id_even_of_a_block_without_data() {
    let (heads, mut asked) = mpsc::unbounded_channel();
    let server = Server::start(move |number, mut conversation| {
        let heads = heads.clone();
        async move {
            heads.send(conversation.head().await).unwrap();
            match number {
                0 => conversation.event_stream("retry: 20\nid: a-4\n\n").await,
                1 => conversation.reset(),
                2 => conversation.event_stream("id: a-5\ndata: x\n\n").await,
                _ => conversation.answer("204 No Content", "", "").await,
            }
        }
    })
    .await;
    let url = format!("http://{}/channels/a/sse?limit=3", server.addr);
    let mut subscription = subscription(url, Policy::default());
    subscription.after = Some("a-3".to_owned());
    let seen = read(Sse, subscription, |_| false).await;
    let reset = "closed: broken off: Connection reset by peer (os error 104)";
    let lines: Vec<_> =
        seen.lines.iter().map(|line| if line.contains("reset") { reset } else { line }).collect();
    assert_eq!(
        lines,
        [
            "connecting 1",
            "open",
            "closed: closed by the server",
            "retrying 20",
            "connecting 1",
            reset,
            "retrying 20",
            "connecting 2",
            "open",
            "event a-5 message \"x\"",
            "closed: closed by the server",
            "retrying 20",
            "connecting 1",
            "closed: the server said that there is nothing more (204)",
        ]
    );
    assert_eq!(seen.end, End::Finished);
    for id in [None, Some("a-4"), Some("a-4"), Some("a-5")] {
        let head = asked.recv().await.unwrap();
        assert!(head.starts_with("GET /channels/a/sse?limit=3&after=a-3 HTTP/1.1\r\n"), "{head}");
        assert_eq!(header(&head, "last-event-id").as_deref(), id);
        assert_eq!(header(&head, "accept").as_deref(), Some("text/event-stream"));
        assert_eq!(header(&head, "host"), Some(server.addr.to_string()));
    }
}

#[tokio::test]
async fn without_resume_it_starts_at_the_present() {
    let (heads, mut asked) = mpsc::unbounded_channel();
    let server = Server::start(move |_, mut conversation| {
        let heads = heads.clone();
        async move {
            heads.send(conversation.head().await).unwrap();
            conversation.event_stream("id: a-4\ndata: x\n\n").await;
        }
    })
    .await;
    let mut subscription =
        subscription(format!("http://{}/", server.addr), Policy { resume: false, ..fixed(1) });
    subscription.after = Some("a-3".to_owned());
    read(Sse, subscription, nth(2, is_event)).await;
    assert!(asked.recv().await.unwrap().starts_with("GET /?after=a-3 "));
    let second = asked.recv().await.unwrap();
    assert!(second.starts_with("GET / ") && header(&second, "last-event-id").is_none(), "{second}");
}

#[tokio::test]
async fn an_answer_that_is_no_event_stream_fails_it_for_good() {
    for (status, headers, words) in WRONG {
        let server = Server::start(move |_, mut conversation| async move {
            conversation.head().await;
            conversation.answer(status, headers, r#"{"error":"no such channel"}"#).await;
            conversation.linger().await;
        })
        .await;
        let url = format!("http://{}/", server.addr);
        let seen = read(Sse, subscription(url, Policy::default()), |_| false).await;
        let End::Failed(cause @ Cause::Refused(_)) = seen.end else { panic!("{status}: {seen:?}") };
        assert!(cause.to_string().contains(words), "{cause}");
        assert_eq!(seen.lines.len(), 2, "one attempt: {:?}", seen.lines);
    }
}

#[tokio::test]
async fn a_page_that_makes_a_new_one_each_time_comes_back_after_any_answer() {
    let no_content = ("204 No Content", "", "204");
    for (status, headers, words) in WRONG.into_iter().chain([no_content]) {
        let server = Server::start(move |number, mut conversation| async move {
            conversation.head().await;
            match number {
                // It is not told of a Retry-After either.
                0 => conversation.answer(status, &format!("retry-after: 3600\r\n{headers}"), "").await,
                _ => conversation.event_stream("data: x\n\n").await,
            }
            conversation.linger().await;
        })
        .await;
        let url = format!("http://{}/", server.addr);
        let seen = read(Sse, subscription(url, fixed(1)), is_event).await;
        assert!(seen.lines[1].contains(words.split(':').next().unwrap()), "{:?}", seen.lines);
        assert_eq!(seen.lines[2..5], ["retrying 1", "connecting 2", "open"], "{status}");
    }
}

#[tokio::test]
async fn without_a_retry_time_it_waits_for_its_own() {
    for (stream, wait) in [("data: x\n\n", 30), ("retry: 7\ndata: x\n\n", 7)] {
        let server = Server::start(move |_, mut conversation| async move {
            conversation.head().await;
            conversation.event_stream(stream).await;
        })
        .await;
        let policy = Policy { reconnection_time: Duration::from_millis(30), ..Policy::default() };
        let url = format!("http://{}/", server.addr);
        let seen = read(Sse, subscription(url, policy), |line| line.starts_with("retrying")).await;
        assert_eq!(seen.lines.last(), Some(&format!("retrying {wait}")));
    }
}

#[tokio::test]
async fn redirects_are_followed_within_bounds_and_to_other_ports() {
    let target = Server::start(|_, mut conversation| async move {
        let head = conversation.head().await;
        assert!(head.starts_with("GET /there?x=1 "), "{head}");
        conversation.event_stream("Data: ignored\ndata: arrived\n\n").await;
        conversation.linger().await;
    })
    .await;
    let there = format!("http://{}/there?x=1", target.addr);
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let there = there.clone();
        let server = Server::start(move |_, mut conversation| {
            let location = format!("location: {there}\r\n");
            async move {
                conversation.head().await;
                conversation.answer(status, &location, "moved").await;
            }
        })
        .await;
        let seen = read(Sse, subscription(format!("http://{}/", server.addr), fixed(1)), is_event).await;
        assert_eq!(seen.lines.last().unwrap(), "event - message \"arrived\"");
        assert_eq!((seen.totals.connections, seen.totals.requests), (2, 2));
    }
    let circle = Server::start(|_, mut conversation| async move {
        conversation.head().await;
        conversation.answer("302 Found", "location: /\r\n", "").await;
    })
    .await;
    let url = format!("http://{}/", circle.addr);
    let seen = read(Sse, subscription(url, Policy::default()), |_| false).await;
    assert_eq!(seen.end, End::Failed(Cause::Refused("more than 20 redirects".to_owned())));
}

#[tokio::test]
async fn a_refused_connection_is_tried_again_and_counts_its_attempts() {
    let addr = {
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        gone.local_addr().unwrap()
    };
    let url = format!("http://{addr}/");
    let seen = read(Sse, subscription(url, fixed(1)), |line| line == "connecting 3").await;
    assert!(seen.lines[1].starts_with("closed: could not connect"), "{:?}", seen.lines);
    assert_eq!((seen.end, seen.totals.connections), (End::Stopped, 0));
}

#[tokio::test]
async fn silence_is_noticed_where_the_policy_has_a_limit() {
    let server = Server::start(|number, mut conversation| async move {
        conversation.head().await;
        // The first is silent from the start, the second after its first event.
        if number > 0 {
            conversation.event_stream("data: x\n\n").await;
        }
        conversation.linger().await;
    })
    .await;
    let policy = Policy { quiet_limit: Some(Duration::from_millis(150)), ..fixed(1) };
    let url = format!("http://{}/", server.addr);
    let seen = read(Sse, subscription(url, policy), nth(2, is_event)).await;
    let silent = "closed: silent for 150 ms";
    assert_eq!(seen.lines[..4], ["connecting 1", silent, "retrying 1", "connecting 2"]);
    let event = seen.lines.iter().position(|line| is_event(line)).unwrap();
    assert_eq!(seen.lines[event + 1..event + 4], [silent, "retrying 1", "connecting 1"]);
}

#[tokio::test]
async fn an_event_beyond_all_bounds_ends_it_and_is_not_skipped() {
    let server = Server::start(|_, mut conversation| async move {
        conversation.head().await;
        conversation.event_stream("data: ").await;
        let block = vec![b'x'; 1 << 20];
        for _ in 0..17 {
            conversation.send(&block).await;
        }
        conversation.linger().await;
    })
    .await;
    let seen = read(Sse, subscription(format!("http://{}/", server.addr), fixed(1)), |_| false).await;
    let End::Failed(Cause::Refused(why)) = seen.end else { panic!("{:?}", seen.end) };
    assert!(why.contains("larger than"), "{why}");
}

#[tokio::test]
async fn tls_is_refused_in_words() {
    let seen =
        read(Sse, subscription("https://127.0.0.1/", fixed(1)), nth(2, |line| line.starts_with("closed")))
            .await;
    assert!(seen.lines[1].contains("use an http://"), "{:?}", seen.lines);
    assert!(matches!(seen.end, End::Failed(_)), "{:?}", seen.end);
}
