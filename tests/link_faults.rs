//! What the relay answers in a server's place, and where exactly it cuts.

#![allow(clippy::unwrap_used, reason = "a test that panics has said so")]

mod readers;

use std::net::SocketAddr;

use pushlab::{
    event::Draft,
    link::{
        Relay,
        relay::{Answer, Fault, Spot},
    },
    server::Config,
};
use readers::{PATIENCE, Server};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// A server that may be asked for by any port, since relays stand in front of it.
async fn server() -> Server {
    Server::start(Config { hosts: vec!["127.0.0.1".to_owned()], ..Config::default() }).await
}

/// Asks on a connection of its own and gives all that is answered.
async fn ask(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    rest(stream).await
}

async fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.unwrap().unwrap();
    String::from_utf8(bytes).unwrap()
}

/// A stream through the relay that has been read up to where events follow.
async fn opened(address: SocketAddr, transport: &str, until: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let upgrade = if transport == "websocket" { upgrade } else { "" };
    let head = format!("GET /channels/a/{transport} HTTP/1.1\r\nhost: {address}\r\n{upgrade}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    while !read.ends_with(until) {
        read.push(timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap());
    }
    stream
}

/// What stands at the end of the first thing that a stream says.
const OPENINGS: [(&str, &[u8]); 2] = [("sse", b"\n\n\r\n"), ("websocket", b"\"}")];

#[tokio::test]
async fn a_number_of_connections_is_answered_and_the_next_one_passes() {
    let server = server().await;
    for (answer, start, says) in [
        (Answer::InternalServerError, "HTTP/1.1 500 ", "out of order"),
        (Answer::Unavailable { retry_after_s: 7 }, "HTTP/1.1 503 ", "retry-after: 7\r\n"),
        (Answer::NoContent, "HTTP/1.1 204 ", ""),
        (Answer::Redirect, "HTTP/1.1 307 ", "location: /healthz?x=1\r\n"),
        (Answer::WrongType, "HTTP/1.1 200 ", "content-type: text/html"),
    ] {
        let relay = Relay::start(server.address).await.unwrap();
        let standing = opened(relay.addr(), "sse", OPENINGS[0].1).await;
        let _guard = relay.apply(Fault::Answer { answer, times: Some(2) });
        rest(standing).await;
        for _ in 0..2 {
            let told = ask(relay.addr(), "/healthz?x=1").await;
            assert!(told.starts_with(start) && told.contains(says), "{answer:?}: {told}");
        }
        let through = ask(relay.addr(), "/healthz").await;
        assert!(through.starts_with("HTTP/1.1 200 ") && !through.contains("text/html"), "{through}");
    }
}

#[tokio::test]
async fn for_as_long_as_its_guard_is_kept_everybody_is_answered() {
    let server = server().await;
    let relay = Relay::start(server.address).await.unwrap();
    let guard = relay.apply(Fault::Answer { answer: Answer::InternalServerError, times: None });
    for _ in 0..5 {
        assert!(ask(relay.addr(), "/healthz").await.starts_with("HTTP/1.1 500 "));
    }
    drop(guard);
    assert!(ask(relay.addr(), "/healthz").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_cut_within_a_character_lands_after_its_first_byte() {
    for (transport, opening) in OPENINGS {
        let server = server().await;
        let relay = Relay::start(server.address).await.unwrap();
        let mut stream = opened(relay.addr(), transport, opening).await;
        let _guard = relay.apply(Fault::CutAt { spot: Spot::Character, reset: false });
        let channel = server.channel("a");
        // Of 200 bytes and more, so that a WebSocket frame's length holds bytes that look like characters'.
        channel.publish(Draft::message("plain ".repeat(34))).unwrap();
        channel.publish(Draft::message("caf\u{e9} au lait")).unwrap();
        let mut bytes = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.unwrap().unwrap();
        assert!(bytes.ends_with(b"caf\xc3"), "{transport}: {}", String::from_utf8_lossy(&bytes));
    }
}

#[tokio::test]
async fn a_cut_within_a_header_leaves_its_first_byte() {
    for (transport, opening) in OPENINGS {
        let server = server().await;
        let relay = Relay::start(server.address).await.unwrap();
        let mut stream = opened(relay.addr(), transport, opening).await;
        let _guard = relay.apply(Fault::CutAt { spot: Spot::Header, reset: false });
        server.channel("a").publish(Draft::message("x".repeat(200))).unwrap();
        let mut bytes = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.unwrap().unwrap();
        match transport {
            // A text frame, all at once; its length is still to come.
            "websocket" => assert_eq!(bytes, [0x81]),
            // The first digit of a chunk's size of three.
            _ => assert!(matches!(bytes[..], [b'0'..=b'9' | b'A'..=b'F' | b'a'..=b'f']), "{bytes:?}"),
        }
        let mut new = opened(relay.addr(), transport, opening).await;
        server.channel("a").publish(Draft::message("y")).unwrap();
        timeout(PATIENCE, new.read_u8()).await.unwrap().expect("a new connection passes");
    }
}
