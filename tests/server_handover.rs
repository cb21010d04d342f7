//! Streams that HTTP has let go of: what is special about the moment, and that nobody waits for anybody.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod support;

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use pushlab::{event::Draft, feed::Limits, server::Config};
use support::{Server, next_json, patiently, send};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tungstenite::Message;

/// Reads until the bytes so far have something.
async fn until(tcp: &mut tokio::net::TcpStream, wanted: &str) -> String {
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains(wanted) {
        let more = patiently(tcp.read_buf(&mut read)).await.unwrap();
        assert!(more > 0, "ended without {wanted:?}: {}", String::from_utf8_lossy(&read));
    }
    String::from_utf8_lossy(&read).into_owned()
}

/// A client's frame; a mask of zeros is one too.
fn frame(first: u8, payload: &str) -> Vec<u8> {
    let mut frame = vec![first, 0x80 | payload.len() as u8, 0, 0, 0, 0];
    frame.extend(payload.as_bytes());
    frame
}

#[tokio::test]
async fn an_answer_without_a_body_leaves_its_connection_with_http() {
    let server = Server::start(Config::default()).await;
    let mut tcp = server.connect().await;
    for _ in 0..2 {
        send(&mut tcp, server.address, "HEAD /channels/a/sse", "").await;
        assert!(until(&mut tcp, "\r\n\r\n").await.contains("text/event-stream"));
    }
    // The same connection carries a stream after other answers.
    send(&mut tcp, server.address, "GET /channels/a/sse", "").await;
    until(&mut tcp, "retry: 1000\nid: ").await;
    server.publish("a", "after the head").await;
    until(&mut tcp, "data: after the head\n\n").await;
    server.wait_for_readers("a", "sse", 1).await;
}

#[tokio::test]
async fn an_older_client_gets_a_stream_without_chunks() {
    let server = Server::start(Config::default()).await;
    let mut tcp = server.connect().await;
    let request = format!("GET /channels/a/sse HTTP/1.0\r\nHost: {}\r\n\r\n", server.address);
    tcp.write_all(request.as_bytes()).await.unwrap();
    let opening = until(&mut tcp, "\n\n").await;
    assert!(!opening.to_ascii_lowercase().contains("transfer-encoding"), "{opening}");
    assert!(opening.contains("\r\n\r\nretry: "), "{opening}");
    let id = server.publish("a", "x").await;
    assert_eq!(until(&mut tcp, "x\n\n").await, format!("id: {id}\ndata: x\n\n"));
}

#[tokio::test]
async fn what_a_client_says_before_it_is_answered_is_heard() {
    let server = Server::start(Config::default()).await;
    let mut tcp = server.connect().await;
    let mut bytes = format!(
        "GET /channels/a/websocket HTTP/1.1\r\nHost: {}\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        server.address
    )
    .into_bytes();
    // Head, a message in two fragments with a ping between them, and one more, all at once.
    bytes.extend(frame(0x01, r#"{"publish":{"da"#));
    bytes.extend(frame(0x89, "hi"));
    bytes.extend(frame(0x80, r#"ta":"first"}}"#));
    bytes.extend(frame(0x81, r#"{"publish":{"data":"second"}}"#));
    tcp.write_all(&bytes).await.unwrap();
    let text = until(&mut tcp, r#""data":"second"}"#).await;
    let places: Vec<_> = [r#"{"cursor":"#, r#"{"published":"#, r#""data":"first"}"#, r#""data":"second"}"#]
        .iter()
        .map(|part| text.find(part).unwrap_or_else(|| panic!("no {part} in {text:?}")))
        .collect();
    assert!(places.is_sorted(), "{text:?}");
    assert!(text.contains("\u{2}hi"), "a pong carries what the ping did: {text:?}");
}

#[tokio::test]
async fn a_long_talk_in_both_directions_loses_nothing() {
    const MESSAGES: usize = 3_000;
    let server = Server::start(Config::default()).await;
    let socket = server.open_websocket("/channels/a/websocket").await;
    let (mut say, mut hear) = socket.split();
    // Said without waiting for any answer: the server hears no further than it can answer.
    let saying = tokio::spawn(async move {
        for number in 0..MESSAGES {
            let message = format!(r#"{{"publish":{{"data":"{number}"}}}}"#);
            say.send(Message::text(message)).await.unwrap();
        }
        say
    });
    let (mut published, mut came) = (0, 0);
    while published < MESSAGES || came < MESSAGES {
        let Message::Text(text) = patiently(hear.next()).await.unwrap().unwrap() else { continue };
        let message: serde_json::Value = serde_json::from_str(&text).unwrap();
        if message.get("published").is_some() {
            published += 1;
        } else if let Some(data) = message["data"].as_str() {
            assert_eq!(data, came.to_string());
            came += 1;
        }
    }
    let _open_until_here = saying.await.unwrap();
}

#[tokio::test]
async fn nobody_waits_for_a_reader_that_does_not_read() {
    const EVENTS: usize = 200;
    // A log that holds all of it, so that nobody who reads may miss any; more than sockets take in.
    let feed = Limits { bytes_per_channel: 64 << 20, ..Limits::default() };
    let server = Server::start(Config { feed, ..Config::default() }).await;
    let mut stalled = server.open_sse("/channels/a/sse").await;
    let mut stalled_too = server.open_websocket("/channels/a/websocket").await;
    next_json(&mut stalled_too).await;
    let mut reading = server.open_sse("/channels/a/sse").await;
    let mut elsewhere = server.open_sse("/channels/b/sse").await;
    let channel = server.state.feed().channel(&"a".parse().unwrap()).unwrap();
    for number in 0..EVENTS {
        channel.publish(Draft::message(format!("{number} {}", "x".repeat(64 << 10)))).unwrap();
        reading.until(&format!("data: {number} ")).await;
        reading.text.clear();
    }
    server.publish("b", "not held up").await;
    elsewhere.until("not held up").await;
    // Whoever was stalled goes on from where it stood, and misses nothing either.
    for number in 0..EVENTS {
        let message = next_json(&mut stalled_too).await;
        assert!(message["data"].as_str().unwrap().starts_with(&format!("{number} ")));
    }
    stalled.until(&format!("data: {} ", EVENTS - 1)).await;
    for number in 0..EVENTS {
        assert!(stalled.text.contains(&format!("data: {number} ")), "{number}");
    }
}

#[tokio::test]
async fn a_reader_that_vanishes_while_it_is_stalled_is_let_go() {
    let feed = Limits { bytes_per_channel: 64 << 20, ..Limits::default() };
    let server = Server::start(Config { feed, ..Config::default() }).await;
    let stalled = server.open_sse("/channels/a/sse").await;
    let channel = server.state.feed().channel(&"a".parse().unwrap()).unwrap();
    for _ in 0..200 {
        channel.publish(Draft::message("x".repeat(64 << 10))).unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    server.wait_for_readers("a", "sse", 1).await;
    drop(stalled);
    server.wait_for_readers("a", "sse", 0).await;
}
