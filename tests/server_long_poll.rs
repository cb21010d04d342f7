//! Long polls that wait, on connections that stay: each answer is one of HTTP's own, whoever writes it.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod support;

use std::time::Duration;

use pushlab::{event::Draft, feed::Limits, server::Config};
use serde_json::json;
use support::{Answer, PATIENCE, Server, patiently, read_answer, send};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

async fn present(server: &Server) -> String {
    let answer = server.get("/channels/a/short-poll").await.json();
    answer["cursor"].as_str().unwrap().to_owned()
}

async fn ask(server: &Server, tcp: &mut TcpStream, query: &str) {
    send(tcp, server.address, &format!("GET /channels/a/long-poll?{query}"), "").await;
}

/// Publishes an event once a poll waits, without a request.
async fn publish_to_one(server: &Server, text: &str) -> String {
    server.wait_for_readers("a", "long-poll", 1).await;
    let channel = server.state.feed().channel(&"a".parse().unwrap()).unwrap();
    channel.publish(Draft::message(text)).unwrap().to_string()
}

fn data(answer: &Answer) -> Vec<String> {
    let answer = answer.json();
    let events = answer["events"].as_array().unwrap().iter();
    events.map(|event| event["data"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_answer_that_was_waited_for_has_the_head_of_any_other() {
    let origin = "https://elsewhere.example";
    let config = Config { allowed_origins: vec![origin.parse().unwrap()], ..Config::default() };
    let server = Server::start(config).await;
    let mut tcp = server.connect().await;
    let mut cursor = present(&server).await;
    for asks_from in ["", "\nOrigin: https://elsewhere.example", "\nOrigin: https://nobody.example"] {
        let head = format!("GET /channels/a/long-poll?after={cursor}{asks_from}");
        send(&mut tcp, server.address, &head, "").await;
        let id = publish_to_one(&server, "x").await;
        let waited = read_answer(&mut tcp).await.unwrap();
        assert_eq!((waited.status, data(&waited)), (200, vec!["x".to_owned()]));
        assert_eq!(waited.json()["cursor"], id);
        send(&mut tcp, server.address, &head, "").await;
        let at_once = read_answer(&mut tcp).await.unwrap();
        let without_date = |answer: &Answer| {
            let mut headers = answer.headers.clone();
            assert!(headers.remove("date").is_some());
            headers
        };
        assert_eq!(without_date(&waited), without_date(&at_once), "{asks_from}");
        assert_eq!(waited.body, at_once.body);
        cursor = id;
    }
}

#[tokio::test]
async fn a_connection_carries_polls_and_anything_else_one_after_the_other() {
    let server = Server::start(Config::default()).await;
    let mut tcp = server.connect().await;
    let cursor = present(&server).await;
    // The time is over, and then again; the connection goes on.
    for wait in ["0", "0.02", "0.02"] {
        ask(&server, &mut tcp, &format!("after={cursor}&wait={wait}")).await;
        let answer = read_answer(&mut tcp).await.unwrap();
        assert_eq!(answer.json(), json!({"cursor": cursor, "gap": null, "events": []}));
    }
    send(&mut tcp, server.address, "GET /healthz-not", "").await;
    assert_eq!(read_answer(&mut tcp).await.unwrap().status, 404);
    ask(&server, &mut tcp, &format!("after={cursor}")).await;
    publish_to_one(&server, "x").await;
    assert_eq!(data(&read_answer(&mut tcp).await.unwrap()), ["x"]);
    // An answer to `HEAD` is not waited for beyond its time, and has no body.
    send(&mut tcp, server.address, &format!("HEAD /channels/a/long-poll?after={cursor}"), "").await;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        assert!(patiently(tcp.read_buf(&mut head)).await.unwrap() > 0);
    }
    send(&mut tcp, server.address, "GET /channels/a/sse", "").await;
    let mut opening = Vec::new();
    while !opening.windows(4).any(|four| four == b"id: ") {
        assert!(patiently(tcp.read_buf(&mut opening)).await.unwrap() > 0);
    }
    server.wait_for_readers("a", "long-poll", 0).await;
}

#[tokio::test]
async fn what_was_judged_once_is_judged_anew_where_anything_but_the_cursor_differs() {
    let server = Server::start(Config::default()).await;
    let mut tcp = server.connect().await;
    let mut cursor = present(&server).await;
    let mut heads = Vec::new();
    // The first is judged, the next are asked alike, and answered at once or after a wait.
    for number in 0..4 {
        ask(&server, &mut tcp, &format!("after={cursor}&wait=9")).await;
        let id = publish_to_one(&server, &format!("{number}")).await;
        let answer = read_answer(&mut tcp).await.unwrap();
        assert_eq!((answer.status, data(&answer)), (200, vec![number.to_string()]));
        let missed = publish_to_one(&server, "meanwhile").await;
        ask(&server, &mut tcp, &format!("after={id}&wait=9")).await;
        let at_once = read_answer(&mut tcp).await.unwrap();
        assert_eq!((at_once.status, data(&at_once)), (200, vec!["meanwhile".to_owned()]));
        heads.extend([answer.headers, at_once.headers].map(|mut headers| {
            headers.retain(|name, _| !["date", "content-length"].contains(&&**name));
            headers
        }));
        cursor = missed;
    }
    assert!(heads.windows(2).all(|two| two[0] == two[1]), "{heads:?}");
    let rebound = format!("GET /channels/a/long-poll?after={cursor}&wait=9\nHost: rebound.example");
    let elsewhere = format!("GET /channels/a/long-poll?after={cursor}&wait=soon");
    let ahead = format!("GET /channels/a/long-poll?after={cursor}9&wait=9");
    for (asked, status) in [(rebound, 421), (elsewhere, 400), (ahead, 400)] {
        let mut tcp = server.connect().await;
        for _ in 0..3 {
            ask(&server, &mut tcp, &format!("after={cursor}&wait=0")).await;
            assert_eq!(read_answer(&mut tcp).await.unwrap().status, 200);
        }
        send(&mut tcp, server.address, &asked, "").await;
        assert_eq!(read_answer(&mut tcp).await.unwrap().status, status, "{asked}");
    }
}

#[tokio::test]
async fn what_is_asked_ahead_is_answered_in_its_turn() {
    let server = Server::start(Config::default()).await;
    let mut tcp = server.connect().await;
    let cursor = present(&server).await;
    let host = server.address;
    let poll = |limit| {
        format!("GET /channels/a/long-poll?after={cursor}&limit={limit} HTTP/1.1\r\nHost: {host}\r\n\r\n")
    };
    let state = format!("GET /channels/a HTTP/1.1\r\nHost: {host}\r\n\r\n");
    tcp.write_all(format!("{}{}{state}", poll(1), poll(2)).as_bytes()).await.unwrap();
    // More of it comes while the first one waits, in two pieces.
    let (early, late) = state.split_at(20);
    server.wait_for_readers("a", "long-poll", 1).await;
    tcp.write_all(early.as_bytes()).await.unwrap();
    let channel = server.state.feed().channel(&"a".parse().unwrap()).unwrap();
    channel.publish(Draft::message("one")).unwrap();
    channel.publish(Draft::message("two")).unwrap();
    let mut bytes = Vec::new();
    let mut answers = async |wanted: usize| {
        let count = |bytes: &[u8]| String::from_utf8_lossy(bytes).matches("HTTP/1.1 200 OK").count();
        while count(&bytes) < wanted || !bytes.ends_with(b"}") {
            assert!(patiently(tcp.read_buf(&mut bytes)).await.unwrap() > 0);
        }
        let text = String::from_utf8(bytes.clone()).unwrap();
        if wanted == 3 {
            tcp.write_all(late.as_bytes()).await.unwrap();
        }
        text.split("HTTP/1.1 200 OK").skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    answers(3).await;
    let answers = answers(4).await;
    assert!(answers[0].contains(r#""data":"one""#), "{answers:?}");
    assert!(answers[1].contains(r#""data":"one""#) && answers[1].contains(r#""data":"two""#), "{answers:?}");
    assert!(answers[2].contains(r#""readers""#) && answers[3].contains(r#""readers""#), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polls_on_one_connection_miss_nothing_of_what_is_published_meanwhile() {
    const EVENTS: usize = 2_000;
    let server = Server::start(Config::default()).await;
    let cursor = present(&server).await;
    let channel = server.state.feed().channel(&"a".parse().unwrap()).unwrap();
    let publishing = tokio::spawn(async move {
        for number in 0..EVENTS {
            channel.publish(Draft::message(number.to_string())).unwrap();
            if number % 3 == 0 {
                tokio::time::sleep(Duration::from_micros(200)).await;
            }
        }
    });
    let mut readers = Vec::new();
    for limit in [1, 7, 1_000] {
        let (mut tcp, address, mut cursor) = (server.connect().await, server.address, cursor.clone());
        readers.push(tokio::spawn(async move {
            let mut came = 0;
            while came < EVENTS {
                let head = format!("GET /channels/a/long-poll?after={cursor}&limit={limit}");
                send(&mut tcp, address, &head, "").await;
                let answer = read_answer(&mut tcp).await.unwrap();
                assert_eq!(answer.json()["gap"], json!(null));
                for number in data(&answer) {
                    assert_eq!(number, came.to_string());
                    came += 1;
                }
                cursor = answer.json()["cursor"].as_str().unwrap().to_owned();
            }
        }));
    }
    publishing.await.unwrap();
    for reader in readers {
        tokio::time::timeout(2 * PATIENCE, reader).await.expect("ends").unwrap();
    }
}

#[tokio::test]
async fn an_answer_is_whole_however_slowly_it_is_read() {
    const EVENTS: usize = 200;
    let feed = Limits { bytes_per_channel: 64 << 20, ..Limits::default() };
    let server = Server::start(Config { feed, ..Config::default() }).await;
    let mut cursor = present(&server).await;
    let mut tcp = server.connect().await;
    let mut came = 0;
    let channel = server.state.feed().channel(&"a".parse().unwrap()).unwrap();
    while came < EVENTS {
        ask(&server, &mut tcp, &format!("after={cursor}&limit=10000")).await;
        // Ahead of reading, so that the next answer comes before this one has been taken.
        if came == 0 {
            server.wait_for_readers("a", "long-poll", 1).await;
            for _ in 0..EVENTS {
                channel.publish(Draft::message("x".repeat(64 << 10))).unwrap();
            }
        }
        let answer = read_answer(&mut tcp).await.unwrap().json();
        came += answer["events"].as_array().unwrap().len();
        cursor = answer["cursor"].as_str().unwrap().to_owned();
    }
    assert_eq!(came, EVENTS);
}

#[tokio::test]
async fn a_connection_that_lies_idle_between_two_polls_is_closed() {
    let config = Config { header_timeout: Duration::from_secs(1), ..Config::default() };
    let server = Server::start(config).await;
    let cursor = present(&server).await;
    let mut tcp = server.connect().await;
    // A wait is no idling.
    ask(&server, &mut tcp, &format!("after={cursor}&wait=1.5")).await;
    assert_eq!(read_answer(&mut tcp).await.unwrap().status, 200);
    assert_eq!(patiently(tcp.read(&mut [0])).await.unwrap(), 0);
    server.wait_for_readers("a", "long-poll", 0).await;
}

#[tokio::test]
async fn who_leaves_while_waiting_is_no_reader_any_more() {
    let server = Server::start(Config::default()).await;
    let cursor = present(&server).await;
    let mut tcp = server.connect().await;
    ask(&server, &mut tcp, &format!("after={cursor}")).await;
    server.wait_for_readers("a", "long-poll", 1).await;
    drop(tcp);
    server.wait_for_readers("a", "long-poll", 0).await;
}

#[tokio::test]
async fn at_the_servers_end_a_wait_is_answered_and_its_connection_closed() {
    let server = Server::start(Config::default()).await;
    let cursor = present(&server).await;
    let (mut waiting, mut idle) = (server.connect().await, server.connect().await);
    ask(&server, &mut idle, &format!("after={cursor}&wait=0.01")).await;
    assert_eq!(read_answer(&mut idle).await.unwrap().status, 200);
    ask(&server, &mut waiting, &format!("after={cursor}")).await;
    server.wait_for_readers("a", "long-poll", 2).await;
    server.shutdown.cancel();
    let answer = read_answer(&mut waiting).await.unwrap();
    assert_eq!(
        (answer.headers["connection"].as_str(), answer.json()["events"].clone()),
        ("close", json!([]))
    );
    assert_eq!(patiently(waiting.read(&mut [0])).await.unwrap(), 0);
    assert_eq!(patiently(idle.read(&mut [0])).await.unwrap(), 0);
    patiently(server.running).await.unwrap().unwrap();
}
