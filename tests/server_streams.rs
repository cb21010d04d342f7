//! The promise on open streams: every event in order once, or a gap that says what is missing.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod support;

use std::time::Duration;

use futures_util::StreamExt as _;
use pushlab::{feed::Limits, server::Config};
use serde_json::{Value, json};
use support::{PATIENCE, Server, next_json, patiently};
use tokio::io::AsyncReadExt as _;
use tungstenite::Message;

/// A server whose channels keep two events.
async fn forgetful() -> Server {
    let limits = Limits { events_per_channel: 2, ..Limits::default() };
    Server::start(Config { feed: limits, ..Config::default() }).await
}

#[tokio::test]
async fn an_evicted_position_opens_where_the_reader_stood_and_announces_the_gap_first() {
    let server = forgetful().await;
    let start = server.get("/channels/a/short-poll").await.json()["cursor"].as_str().unwrap().to_owned();
    let mut ids = Vec::new();
    for data in ["1", "2", "3", "4"] {
        ids.push(server.publish("a", data).await);
    }
    let gap = json!({"missed": 2, "reason": "evicted"});
    let left = |index: usize, data: &str| json!({"id": ids[index], "type": "message", "data": data});

    // Twice: a reader that was cut right after the opening is told again.
    for _ in 0..2 {
        let mut sse = server.open_sse(&format!("/channels/a/sse?after={start}")).await;
        sse.until("data: 4\n\n").await;
        let expected = format!(
            "retry: 1000\nid: {start}\n\nid: {}\nevent: gap\ndata: {gap}\n\nid: {}\ndata: 3\n\nid: {}\ndata: 4\n\n",
            ids[1], ids[2], ids[3]
        );
        assert_eq!(sse.text, expected);

        let mut socket = server.open_websocket(&format!("/channels/a/websocket?after={start}")).await;
        for expected in [json!({"cursor": start}), json!({"gap": gap}), left(2, "3"), left(3, "4")] {
            assert_eq!(next_json(&mut socket).await, expected);
        }
    }
    for poll in ["short-poll", "long-poll"] {
        let answer = server.get(&format!("/channels/a/{poll}?after={start}")).await.json();
        assert_eq!(answer, json!({"cursor": ids[3], "gap": gap, "events": [left(2, "3"), left(3, "4")]}));
    }
    // A reader that stands where the gap ended has been told and is not told again.
    let mut sse = server.open_sse(&format!("/channels/a/sse?after={}", ids[1])).await;
    assert!(!sse.until("data: 4\n\n").await.contains("gap"));
}

#[tokio::test]
async fn a_cursor_of_another_life_gets_a_gap_of_unknown_size_even_with_nothing_there() {
    let server = Server::start(Config::default()).await;
    let present = server.get("/channels/a/short-poll").await.json()["cursor"].as_str().unwrap().to_owned();
    let gap = json!({"missed": null, "reason": "restarted"});
    for poll in ["short-poll", "long-poll"] {
        let answer = server.get(&format!("/channels/a/{poll}?after=old-7")).await.json();
        assert_eq!(answer, json!({"cursor": present, "gap": gap, "events": []}));
    }
    let mut sse = server.open_sse("/channels/a/sse?after=old-7").await;
    sse.until("event: gap\n").await;
    sse.until("restarted\"}\n\n").await;
    assert_eq!(sse.text, format!("retry: 1000\nid: old-7\n\nid: {present}\nevent: gap\ndata: {gap}\n\n"));
    let mut socket = server.open_websocket("/channels/a/websocket?after=old-7").await;
    assert_eq!(next_json(&mut socket).await, json!({"cursor": "old-7"}));
    assert_eq!(next_json(&mut socket).await, json!({"gap": gap}));
}

/// More than the kernel's buffers on both sides take in.
const FLOOD: usize = 400;
const FLOOD_BYTES: usize = 64 << 10;

async fn flood(server: &Server) {
    let channel = server.state.feed().channel(&"a".parse().unwrap()).unwrap();
    for number in 0..FLOOD {
        let mut data = format!("{number} ");
        data.extend(std::iter::repeat_n('x', FLOOD_BYTES));
        channel.publish(pushlab::event::Draft::message(data)).unwrap();
        // The server gets its turn, so that it writes for as long as it can.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// What a reader has to account for: the numbers that came, and those that a gap stands for.
#[derive(Default)]
struct Account {
    next: u64,
    missed: u64,
}

impl Account {
    fn event(&mut self, data: &str) {
        let number: u64 = data.split(' ').next().unwrap().parse().unwrap();
        assert_eq!(number, self.next, "in order, once, or announced");
        self.next += 1;
    }

    fn gap(&mut self, gap: &Value) {
        assert_eq!(gap["reason"], "evicted");
        self.missed += gap["missed"].as_u64().unwrap();
        self.next += gap["missed"].as_u64().unwrap();
    }

    fn is_complete(&self) -> bool {
        self.next == FLOOD as u64
    }
}

#[tokio::test]
async fn an_sse_reader_too_slow_for_the_log_is_told_how_much_it_missed() {
    let limits = Limits { bytes_per_channel: 1 << 20, ..Limits::default() };
    let server = Server::start(Config { feed: limits, ..Config::default() }).await;
    let mut sse = server.open_sse("/channels/a/sse").await;
    sse.until("\n\n").await;
    flood(&server).await;
    sse.text.clear();
    let mut account = Account::default();
    while !account.is_complete() {
        assert!(sse.more().await.unwrap() > 0);
        while let Some(end) = sse.text.find("\n\n") {
            let block: String = sse.text.drain(..end + 2).collect();
            let data = block.split("data: ").nth(1).unwrap().trim_end();
            if block.contains("event: gap\n") {
                account.gap(&serde_json::from_str(data).unwrap());
            } else {
                account.event(data);
            }
        }
    }
    assert!(account.missed > 0, "the server held everything for a reader that did not read");
}

#[tokio::test]
async fn a_websocket_reader_too_slow_for_the_log_is_told_how_much_it_missed() {
    let limits = Limits { bytes_per_channel: 1 << 20, ..Limits::default() };
    let server = Server::start(Config { feed: limits, ..Config::default() }).await;
    let mut socket = server.open_websocket("/channels/a/websocket").await;
    next_json(&mut socket).await;
    flood(&server).await;
    let mut account = Account::default();
    while !account.is_complete() {
        let message = next_json(&mut socket).await;
        match message.get("gap") {
            Some(gap) => account.gap(gap),
            None => account.event(message["data"].as_str().unwrap()),
        }
    }
    assert!(account.missed > 0, "the server held everything for a reader that did not read");
}

#[tokio::test]
async fn silent_streams_carry_signs_of_life() {
    let heartbeat = Duration::from_millis(200);
    let server = Server::start(Config { heartbeat, ..Config::default() }).await;
    let mut sse = server.open_sse("/channels/a/sse").await;
    sse.until("\n\n:\n\n:\n\n").await;
    let mut socket = server.open_websocket("/channels/a/websocket").await;
    next_json(&mut socket).await;
    // A peer that answers them, as this one does while it reads, is kept for longer than the pings that it may leave unanswered.
    for _ in 0..6 {
        assert!(matches!(patiently(socket.next()).await, Some(Ok(Message::Ping(_)))));
    }
}

#[tokio::test]
async fn a_websocket_peer_that_does_not_answer_pings_is_dropped() {
    let heartbeat = Duration::from_millis(50);
    let server = Server::start(Config { heartbeat, ..Config::default() }).await;
    let socket = server.open_websocket("/channels/a/websocket").await;
    server.wait_for_readers("a", "websocket", 0).await;
    drop(socket);
}

#[tokio::test]
async fn a_reader_that_leaves_is_no_longer_counted() {
    let server = Server::start(Config::default()).await;
    let sse = server.open_sse("/channels/a/sse").await;
    let mut socket = server.open_websocket("/channels/a/websocket").await;
    server.wait_for_readers("a", "sse", 1).await;
    server.wait_for_readers("a", "websocket", 1).await;
    drop(sse);
    socket.close(None).await.unwrap();
    server.wait_for_readers("a", "sse", 0).await;
    server.wait_for_readers("a", "websocket", 0).await;
}

#[tokio::test]
async fn shutdown_ends_every_kind_of_stream_in_its_own_way() {
    let server = Server::start(Config::default()).await;
    let present = server.publish("a", "x").await;
    let mut sse = server.open_sse("/channels/a/sse").await;
    let mut dates = server.open_sse("/dates").await;
    let mut socket = server.open_websocket("/channels/a/websocket").await;
    let mut echo = server.open_websocket("/echo").await;
    let mut parked = server.connect().await;
    let wait = format!("GET /channels/a/long-poll?after={present}");
    support::send(&mut parked, server.address, &wait, "").await;
    let mut idle = server.connect().await;
    support::send(&mut idle, server.address, "GET /healthz", "").await;
    support::read_answer(&mut idle).await.unwrap();
    server.wait_for_readers("a", "long-poll", 1).await;

    server.shutdown.cancel();
    for stream in [&mut sse, &mut dates] {
        stream.read_to_end_of_stream().await.unwrap();
        assert!(stream.ended, "without its last chunk");
    }
    for socket in [&mut socket, &mut echo] {
        let close = async {
            loop {
                match socket.next().await {
                    Some(Ok(Message::Close(Some(frame)))) => return u16::from(frame.code),
                    Some(Ok(_)) => {}
                    other => panic!("no close frame but {other:?}"),
                }
            }
        };
        assert_eq!(patiently(close).await, 1001);
    }
    let answer = support::read_answer(&mut parked).await.unwrap();
    assert_eq!(answer.json(), json!({"cursor": present, "gap": null, "events": []}));
    assert_eq!(answer.headers["connection"], "close");
    assert_eq!(patiently(idle.read(&mut [0])).await.unwrap(), 0);
    tokio::time::timeout(PATIENCE, server.running).await.expect("bounded").unwrap().unwrap();
}

#[tokio::test]
async fn shutdown_does_not_wait_for_a_reader_that_does_not_read() {
    let server = Server::start(Config::default()).await;
    let mut sse = server.open_sse("/channels/a/sse").await;
    sse.until("\n\n").await;
    flood(&server).await;
    server.shutdown.cancel();
    patiently(server.running).await.unwrap().unwrap();
}
