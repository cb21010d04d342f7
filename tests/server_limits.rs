//! Bounds on what a stranger can make the server hold, and how each is said.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod support;

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use pushlab::{feed::Limits, server::Config, transport::Transport};
use support::{Answer, Server, next_json, patiently};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tungstenite::Message;

#[tokio::test]
async fn a_connection_too_many_is_told_so_and_served_again_once_there_is_room() {
    let server = Server::start(Config { max_connections: 2, ..Config::default() }).await;
    let first = server.open_sse("/channels/a/sse").await;
    let _second = server.open_websocket("/channels/a/websocket").await;
    let refused = server.get("/healthz").await;
    assert_eq!((refused.status, refused.headers["connection"].as_str()), (503, "close"));
    assert!(refused.headers.contains_key("retry-after"));
    assert!(refused.error().contains("2 connections"));
    drop(first);
    patiently(async {
        while server.get("/healthz").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_reader_too_many_is_refused_by_every_transport() {
    let server = Server::start(Config { readers_per_channel: 1, ..Config::default() }).await;
    let _reader = server.open_sse("/channels/a/sse").await;
    let upgrade = "Connection: upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==";
    for transport in Transport::ALL {
        let answer = server.ask(&format!("GET /channels/a/{transport}\n{upgrade}"), "").await;
        assert_eq!(answer.status, 503, "{transport}");
        assert!(answer.headers.contains_key("retry-after"), "{transport}");
        assert!(answer.error().contains("readers"), "{answer:?}");
        assert_eq!(server.get("/channels/b/short-poll").await.status, 200, "another channel has room");
    }
}

#[tokio::test]
async fn a_channel_too_many_is_refused() {
    let limits = Limits { channels: 1, ..Limits::default() };
    let server = Server::start(Config { feed: limits, ..Config::default() }).await;
    server.publish("a", "x").await;
    for head in
        ["GET /channels/b/sse", "GET /channels/b", "POST /channels/b/events\nContent-Type: text/plain"]
    {
        let answer = server.ask(head, "").await;
        assert_eq!(answer.status, 503, "{head}");
        assert!(answer.error().contains("channels"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_request_that_does_not_get_on_is_given_up() {
    let short = Duration::from_millis(100);
    let config = Config { header_timeout: short, body_timeout: short, ..Config::default() };
    let server = Server::start(config).await;
    // A head that never ends, and a connection on which nothing is asked any more.
    for head in ["GET /healthz HTTP/1.1\r\nHost: ", ""] {
        let mut tcp = server.connect().await;
        tcp.write_all(head.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        patiently(tcp.read_to_end(&mut bytes)).await.unwrap();
    }
    let mut tcp = server.connect().await;
    let head = "POST /channels/a/events\nContent-Type: text/plain\nContent-Length: 10\nConnection: close";
    support::send(&mut tcp, server.address, head, "").await;
    let mut bytes = Vec::new();
    patiently(tcp.read_to_end(&mut bytes)).await.unwrap();
    let answer = Answer::parse(&bytes);
    assert_eq!(answer.status, 408);
    assert!(answer.error().contains("did not arrive"));
}

#[tokio::test]
async fn a_head_without_end_is_cut_off() {
    let server = Server::start(Config::default()).await;
    let mut tcp = server.connect().await;
    tcp.write_all(b"GET /healthz HTTP/1.1\r\nX: ").await.unwrap();
    // However much is sent, the server stops to take it.
    let endless = async { while tcp.write_all(&[b'x'; 8192]).await.is_ok() {} };
    patiently(endless).await;
    assert_eq!(server.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_websocket_message_too_large_ends_the_connection_with_1009() {
    let server = Server::start(Config { max_message_bytes: 1_000, ..Config::default() }).await;
    for path in ["/echo", "/channels/a/websocket"] {
        let mut socket = server.open_websocket(path).await;
        if path != "/echo" {
            next_json(&mut socket).await;
        }
        socket.send(Message::text("x".repeat(2_000))).await.unwrap();
        let Message::Close(Some(frame)) = patiently(socket.next()).await.unwrap().unwrap() else {
            panic!("{path}: no close frame")
        };
        assert_eq!(u16::from(frame.code), 1009, "{path}");
    }
}

#[tokio::test]
async fn a_websocket_peer_that_breaks_the_protocol_is_told_with_1002() {
    let server = Server::start(Config::default()).await;
    let mut socket = server.open_websocket("/echo").await;
    // An unmasked frame, which no client may send.
    socket.get_mut().write_all(&[0x81, 0x01, b'x']).await.unwrap();
    let Message::Close(Some(frame)) = patiently(socket.next()).await.unwrap().unwrap() else {
        panic!("no close frame")
    };
    assert_eq!(u16::from(frame.code), 1002);
}
