//! Readers are cut as ordered, on every transport, and the sockets show it.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod support;

use std::{io, time::Duration};

use futures_util::StreamExt as _;
use pushlab::{server::Config, transport::Transport};
use serde_json::json;
use support::{Server, next_json, patiently, send};
use tokio::{io::AsyncReadExt as _, net::TcpStream};
use tungstenite::Message;

async fn cut(server: &Server, order: &str) -> u64 {
    let answer = server.post("/channels/a/disconnect", order).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["cut"].as_u64().unwrap()
}

/// A socket that reads channel `a` by a transport, with its opening read: a poll waits, or has been
/// answered.
async fn reader(server: &Server, transport: Transport) -> TcpStream {
    let tcp = match transport {
        Transport::ShortPoll => {
            let mut tcp = server.connect().await;
            send(&mut tcp, server.address, "GET /channels/a/short-poll", "").await;
            support::read_answer(&mut tcp).await.unwrap();
            tcp
        }
        Transport::LongPoll => {
            let present = server.get("/channels/a/short-poll").await.json()["cursor"].clone();
            server.wait_for_readers("a", "short-poll", 0).await;
            let mut tcp = server.connect().await;
            let path = format!("GET /channels/a/long-poll?after={}", present.as_str().unwrap());
            send(&mut tcp, server.address, &path, "").await;
            tcp
        }
        Transport::Sse => {
            let mut sse = server.open_sse("/channels/a/sse").await;
            sse.until("\n\n").await;
            sse.tcp
        }
        Transport::WebSocket => {
            let mut socket = server.open_websocket("/channels/a/websocket").await;
            next_json(&mut socket).await;
            socket.into_inner()
        }
    };
    server.wait_for_readers("a", transport.slug(), 1).await;
    tcp
}

#[tokio::test]
async fn a_reset_is_seen_as_one_on_every_transport() {
    let server = Server::start(Config::default()).await;
    for transport in Transport::ALL {
        let mut tcp = reader(&server, transport).await;
        assert_eq!(cut(&server, &format!(r#"{{"transport":"{transport}","how":"reset"}}"#)).await, 1);
        let error = patiently(tcp.read_to_end(&mut Vec::new())).await.expect_err("no end but a reset");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{transport}");
        server.wait_for_readers("a", transport.slug(), 0).await;
    }
}

#[tokio::test]
async fn a_close_is_orderly_on_every_transport() {
    let server = Server::start(Config::default()).await;
    let mut poll = reader(&server, Transport::ShortPoll).await;
    assert_eq!(cut(&server, r#"{"how":"close"}"#).await, 1);
    assert_eq!(patiently(poll.read(&mut [0])).await.unwrap(), 0);

    let mut poll = reader(&server, Transport::LongPoll).await;
    assert_eq!(cut(&server, r#"{"how":"close"}"#).await, 1);
    let answer = support::read_answer(&mut poll).await.unwrap();
    assert_eq!(answer.headers["connection"], "close");
    assert_eq!(answer.json()["events"], json!([]));
    assert_eq!(patiently(poll.read(&mut [0])).await.unwrap(), 0);

    let mut sse = server.open_sse("/channels/a/sse").await;
    sse.until("\n\n").await;
    assert_eq!(cut(&server, r#"{"how":"close"}"#).await, 1);
    sse.read_to_end_of_stream().await.unwrap();
    assert!(sse.ended);

    let mut socket = server.open_websocket("/channels/a/websocket").await;
    next_json(&mut socket).await;
    assert_eq!(cut(&server, r#"{"how":"close"}"#).await, 1);
    assert!(matches!(patiently(socket.next()).await, Some(Ok(Message::Close(Some(_))))));
    while let Some(message) = patiently(socket.next()).await {
        message.unwrap();
    }
    assert_eq!(patiently(socket.get_mut().read(&mut [0])).await.unwrap(), 0, "FIN, and no reset");
}

#[tokio::test]
async fn after_a_silence_nothing_comes_until_a_reset_ends_it() {
    let silence = Duration::from_millis(400);
    let server = Server::start(Config { silence, ..Config::default() }).await;
    for transport in Transport::ALL {
        let mut tcp = reader(&server, transport).await;
        let before = tokio::time::Instant::now();
        assert_eq!(cut(&server, r#"{"how":"silence"}"#).await, 1);
        // Once cut it is no reader any more, although its socket is still there.
        assert_eq!(cut(&server, r#"{"how":"silence"}"#).await, 0);
        server.publish("a", "unheard").await;
        let mut received = Vec::new();
        let error = patiently(tcp.read_to_end(&mut received)).await.expect_err("no end but a reset");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{transport}");
        assert!(!String::from_utf8_lossy(&received).contains("unheard"), "{transport}");
        assert!(before.elapsed() >= silence, "{transport}");
    }
}

#[tokio::test]
async fn only_the_transport_that_was_named_is_cut() {
    let server = Server::start(Config::default()).await;
    let mut sse = server.open_sse("/channels/a/sse").await;
    let mut socket = server.open_websocket("/channels/a/websocket").await;
    next_json(&mut socket).await;
    assert_eq!(cut(&server, r#"{"transport":"websocket","how":"reset"}"#).await, 1);
    assert!(patiently(socket.next()).await.unwrap().is_err());
    server.publish("a", "still here").await;
    sse.until("still here").await;
    assert_eq!(server.post("/channels/b/disconnect", r#"{"how":"close"}"#).await.json(), json!({"cut": 0}));
}

#[tokio::test]
async fn the_connection_that_orders_the_cut_gets_its_answer() {
    let server = Server::start(Config::default()).await;
    let mut tcp = reader(&server, Transport::ShortPoll).await;
    let head = "POST /channels/a/disconnect\nContent-Type: application/json";
    send(&mut tcp, server.address, head, r#"{"how":"reset"}"#).await;
    assert_eq!(support::read_answer(&mut tcp).await.unwrap().json(), json!({"cut": 0}));
}

#[tokio::test]
async fn a_bad_order_is_refused() {
    let server = Server::start(Config::default()).await;
    for bad in
        ["", "{}", r#"{"how":"gently"}"#, r#"{"how":"close","transport":"x"}"#, r#"{"how":"close","x":1}"#]
    {
        let answer = server.post("/channels/a/disconnect", bad).await;
        assert_eq!(answer.status, 400, "{bad}");
        assert!(answer.error().contains("silence"), "{answer:?}");
    }
}
