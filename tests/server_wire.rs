//! The wire view: what a page is told of its own connections, against the bytes that a raw client counts.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod support;

use std::{collections::HashMap, time::Duration};

use pushlab::server::Config;
use serde_json::Value;
use support::{Server, Sse, patiently};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Without heartbeats, so that nothing passes which the test has not asked for.
async fn quiet_server() -> Server {
    Server::start(Config { heartbeat: Duration::from_secs(3_600), ..Config::default() }).await
}

async fn open_session(server: &Server) -> String {
    let answer = server.post("/wire/session", "").await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let session = answer.json()["session"].as_str().unwrap().to_owned();
    assert_eq!(session.len(), 32, "128 bits in hexadecimal");
    session
}

/// A client that sees and keeps every byte.
struct Raw {
    tcp: TcpStream,
    sent: Vec<u8>,
    received: Vec<u8>,
}

impl Raw {
    async fn connect(server: &Server) -> Raw {
        Raw { tcp: server.connect().await, sent: Vec::new(), received: Vec::new() }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.tcp.write_all(bytes).await.unwrap();
        self.sent.extend_from_slice(bytes);
    }

    async fn request(&mut self, server: &Server, line: &str, headers: &str, body: &str) {
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let host = server.address;
        self.send(format!("{line} HTTP/1.1\r\nHost: {host}\r\n{headers}{length}\r\n{body}").as_bytes()).await;
    }

    /// Reads until what came since `from` has this in it.
    async fn until(&mut self, from: usize, wanted: &str) {
        while !String::from_utf8_lossy(&self.received[from..]).contains(wanted) {
            let read = patiently(self.tcp.read_buf(&mut self.received)).await.unwrap();
            assert!(read > 0, "ended without {wanted:?}: {:?}", String::from_utf8_lossy(&self.received));
        }
    }

    /// One poll and all of its answer, which says how long it is.
    async fn poll(&mut self, server: &Server, path: &str) -> Value {
        let from = self.received.len();
        self.request(server, &format!("GET {path}"), "", "").await;
        self.until(from, "\r\n\r\n").await;
        loop {
            let text = String::from_utf8(self.received[from..].to_vec()).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() == length.parse::<usize>().unwrap() {
                return serde_json::from_str(body).unwrap();
            }
            assert!(patiently(self.tcp.read_buf(&mut self.received)).await.unwrap() > 0);
        }
    }
}

/// What a page has been told of one connection.
#[derive(Debug, Default, Clone)]
struct Told {
    /// Bytes by direction, put together from the pieces.
    bytes: HashMap<String, Vec<u8>>,
    pieces: Vec<Value>,
    totals: Value,
}

impl Told {
    fn total(&self, direction: &str) -> u64 {
        let layers = self.totals[direction].as_object();
        layers.into_iter().flatten().map(|(_, bytes)| bytes.as_u64().unwrap()).sum()
    }

    fn layer(&self, direction: &str, layer: &str) -> u64 {
        self.totals[direction][layer].as_u64().unwrap()
    }

    /// The text of all pieces of a layer.
    fn text(&self, direction: &str, layer: &str) -> String {
        let pieces = self.pieces.iter().filter(|it| it["direction"] == direction && it["layer"] == layer);
        pieces.map(|piece| piece["text"].as_str().unwrap()).collect()
    }
}

fn from_hex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn told(stream: &Sse) -> HashMap<u64, Told> {
    let mut connections: HashMap<u64, Told> = HashMap::new();
    let whole = stream.text.rfind("\n\n").map_or("", |end| &stream.text[..end]);
    for block in whole.split("\n\n") {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
        let Some(data) = field("data: ") else { continue };
        let data: Value = serde_json::from_str(data).unwrap();
        match field("event: ") {
            Some("bytes") => {
                let told = connections.entry(data["connection"].as_u64().unwrap()).or_default();
                assert!(data["at"].as_f64().unwrap() > 1e12);
                let direction = data["direction"].as_str().unwrap().to_owned();
                told.bytes.entry(direction).or_default().extend(from_hex(data["hex"].as_str().unwrap()));
                told.pieces.push(data);
            }
            Some("totals") => {
                for total in data["connections"].as_array().unwrap() {
                    let told = connections.entry(total["connection"].as_u64().unwrap()).or_default();
                    told.totals = total.clone();
                }
            }
            Some("skipped") => panic!("nothing here is too much to be kept: {data}"),
            _ => {}
        }
    }
    connections
}

/// Reads the stream until a connection's totals and pieces are those of the raw client, exactly.
async fn until_equal(stream: &mut Sse, connection: u64, raw: &Raw) -> Told {
    let wanted = (raw.sent.len() as u64, raw.received.len() as u64);
    loop {
        let told = told(stream).remove(&connection).unwrap_or_default();
        let totals = (told.total("in"), told.total("out"));
        assert!(totals.0 <= wanted.0 && totals.1 <= wanted.1, "{totals:?} of {wanted:?}: {told:?}");
        let pieces = |direction| told.bytes.get(direction).map_or(0, Vec::len) as u64;
        if totals == wanted && (pieces("in"), pieces("out")) == wanted {
            assert_eq!(told.bytes.get("in").cloned().unwrap_or_default(), raw.sent);
            assert_eq!(told.bytes.get("out").cloned().unwrap_or_default(), raw.received);
            return told;
        }
        assert!(stream.more().await.unwrap() > 0, "ended at {totals:?} of {wanted:?}");
    }
}

/// Reads the stream until the page is told something.
async fn until_told(stream: &mut Sse, is_told: impl Fn(&HashMap<u64, Told>) -> bool) -> HashMap<u64, Told> {
    loop {
        let told = told(stream);
        if is_told(&told) {
            return told;
        }
        assert!(stream.more().await.unwrap() > 0, "ended: {told:?}");
    }
}

/// Reads the last chunk; the connection stays.
async fn until_ended(stream: &mut Sse) {
    while !stream.ended {
        assert!(stream.more().await.unwrap() > 0);
    }
}

#[tokio::test]
async fn polls_are_counted_to_the_byte_request_after_request() {
    let server = quiet_server().await;
    for transport in ["short-poll", "long-poll"] {
        let session = open_session(&server).await;
        let mut stream = server.open_sse(&format!("/wire/{session}")).await;
        let mut raw = Raw::connect(&server).await;
        let mut cursor = String::new();
        for count in 0..3 {
            if count > 0 {
                server.publish(transport, "tick <tock>").await;
            }
            let path = format!("/channels/{transport}/{transport}?after={cursor}&wire={session}");
            let batch = raw.poll(&server, &path).await;
            assert_eq!(batch["events"].as_array().unwrap().len(), count.min(1));
            cursor = batch["cursor"].as_str().unwrap().to_owned();
        }
        let told = until_equal(&mut stream, 1, &raw).await;
        assert_eq!(told.totals["open"], true);
        assert_eq!(told.layer("in", "head"), raw.sent.len() as u64);
        assert_eq!(told.text("in", "head").matches("GET /channels/").count(), 3);
        assert_eq!(told.text("out", "payload").matches("tick <tock>").count(), 2);
        assert_eq!(
            told.layer("out", "head") + told.layer("out", "payload"),
            raw.received.len() as u64,
            "a poll has heads and bodies only"
        );
        drop(raw);
        until_told(&mut stream, |told| told[&1].totals["open"] == false).await;
    }
}

#[tokio::test]
async fn an_event_stream_is_counted_to_the_byte() {
    let server = quiet_server().await;
    let session = open_session(&server).await;
    let mut stream = server.open_sse(&format!("/wire/{session}")).await;
    let mut raw = Raw::connect(&server).await;
    raw.request(&server, &format!("GET /channels/a/sse?wire={session}"), "Accept: text/event-stream\r\n", "")
        .await;
    raw.until(0, "\nid: ").await;
    for text in ["one", "two\nlines", "last"] {
        server.publish("a", text).await;
    }
    raw.until(0, "data: last\n\n\r\n").await;
    let told = until_equal(&mut stream, 1, &raw).await;
    assert_eq!(told.text("out", "payload"), "onetwolineslast");
    assert!(told.text("out", "sse").contains("retry: "));
    assert!(told.layer("out", "chunk") >= 4 * 4, "each piece has a size and line ends: {told:?}");
    assert_eq!(told.layer("out", "ws-header") + told.layer("out", "ws-payload"), 0);
}

#[tokio::test]
async fn a_websocket_is_counted_to_the_byte_in_both_directions() {
    let server = quiet_server().await;
    let session = open_session(&server).await;
    let mut stream = server.open_sse(&format!("/wire/{session}")).await;
    let mut raw = Raw::connect(&server).await;
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    raw.request(&server, &format!("GET /channels/a/websocket?wire={session}"), upgrade, "").await;
    raw.until(0, "{\"cursor\":").await;
    let message = br#"{"publish":{"data":"hello"}}"#;
    let mask = [1, 2, 3, 250];
    let mut frame = vec![0x81, 0x80 | message.len() as u8];
    frame.extend(mask);
    frame.extend(message.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
    // In two parts, so that a header and a mask are cut as well.
    raw.send(&frame[..3]).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    raw.send(&frame[3..]).await;
    raw.until(0, "{\"published\":").await;
    raw.until(0, "\"data\":\"hello\"}").await;
    let told = until_equal(&mut stream, 1, &raw).await;
    assert_eq!(told.text("in", "ws-payload").as_bytes(), message, "the mask is undone");
    assert_eq!(told.layer("in", "ws-header"), 6);
    let header = told.pieces.iter().find(|it| it["layer"] == "ws-header" && it["direction"] == "in").unwrap();
    let expected = serde_json::json!({
        "fin": true, "rsv": 0, "opcode": 1, "masked": true, "length": message.len(), "mask": "010203fa",
    });
    assert_eq!(header["fields"], expected);
    let headers = told.pieces.iter().filter(|it| it["layer"] == "ws-header" && it["direction"] == "out");
    assert_eq!(headers.count(), 3, "the cursor, the answer, the event");
}

#[tokio::test]
async fn a_request_with_a_body_is_counted_too() {
    let server = quiet_server().await;
    let session = open_session(&server).await;
    let mut stream = server.open_sse(&format!("/wire/{session}")).await;
    let mut raw = Raw::connect(&server).await;
    let body = "x".repeat(200_000);
    let path = format!("POST /channels/a/events?wire={session}");
    raw.request(&server, &path, "Content-Type: text/plain\r\n", &body).await;
    raw.until(0, "\"}").await;
    let told = until_equal(&mut stream, 1, &raw).await;
    assert_eq!(told.layer("in", "payload"), 200_000);
}

#[tokio::test]
async fn of_a_shared_connection_each_page_sees_its_own_requests_only() {
    let server = quiet_server().await;
    let (mine, theirs) = (open_session(&server).await, open_session(&server).await);
    let mut my_stream = server.open_sse(&format!("/wire/{mine}")).await;
    let mut their_stream = server.open_sse(&format!("/wire/{theirs}")).await;
    let mut raw = Raw::connect(&server).await;
    for (channel, query) in [
        ("private-0", String::new()),
        ("mine-1", format!("?wire={mine}")),
        ("private-2", String::new()),
        ("private-3", "?wire=00000000000000000000000000000000".to_owned()),
        ("theirs-4", format!("?wire={theirs}")),
        ("mine-5", format!("?wire={mine}")),
        ("private-6", String::new()),
    ] {
        raw.poll(&server, &format!("/channels/{channel}/short-poll{query}")).await;
    }
    let my_told =
        until_told(&mut my_stream, |told| told.get(&2).is_some_and(|it| it.totals["open"] == false)).await;
    let their_told =
        until_told(&mut their_stream, |told| told.get(&1).is_some_and(|it| it.totals["open"] == false)).await;
    let heads = |told: &HashMap<u64, Told>| {
        let mut connections: Vec<_> = told.iter().collect();
        connections.sort_by_key(|(number, _)| **number);
        let heads = connections.iter().map(|(_, told)| told.text("in", "head"));
        heads.map(|head| head.split('/').nth(2).unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(heads(&my_told), ["mine-1", "mine-5"]);
    assert_eq!(heads(&their_told), ["theirs-4"]);
    assert!(!my_stream.text.contains("private") && !their_stream.text.contains("private"));
    assert!(!my_stream.text.contains("theirs") && !their_stream.text.contains("mine"));
    for told in my_told.values().chain(their_told.values()) {
        assert_eq!(told.text("out", "head").matches("HTTP/1.1 200").count(), 1);
    }
}

#[tokio::test]
async fn a_stream_that_comes_back_goes_on_after_its_last_id_and_never_sees_itself() {
    let server = quiet_server().await;
    let session = open_session(&server).await;
    let path = format!("/wire/{session}?wire={session}");
    let mut stream = server.open_sse(&path).await;
    let mut raw = Raw::connect(&server).await;
    raw.poll(&server, &format!("/channels/first/short-poll?wire={session}")).await;
    until_equal(&mut stream, 1, &raw).await;
    let id = stream.text.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().unwrap();
    let mut again = server.connect().await;
    support::send(&mut again, server.address, &format!("GET {path}\nLast-Event-ID: {id}"), "").await;
    until_ended(&mut stream).await;
    raw.poll(&server, &format!("/channels/second/short-poll?wire={session}")).await;
    let mut text = String::new();
    while !text.contains("\\\"events\\\":[]}") {
        let mut read = [0; 4096];
        let count = patiently(again.read(&mut read)).await.unwrap();
        assert!(count > 0);
        text += &String::from_utf8_lossy(&read[..count]);
    }
    assert!(text.contains("/channels/second/") && !text.contains("/channels/first/"), "{text}");
    assert!(!text.contains("GET /wire/"));
}

#[tokio::test]
async fn sessions_are_bounded_end_when_told_and_nobody_guesses_them() {
    let server = quiet_server().await;
    assert_eq!(server.get("/wire/00000000000000000000000000000000").await.status, 404);
    let sessions: Vec<String> = {
        let mut sessions = Vec::new();
        for _ in 0..64 {
            sessions.push(open_session(&server).await);
        }
        sessions
    };
    let refused = server.post("/wire/session", "").await;
    assert_eq!(refused.status, 503);
    assert!(refused.error().contains("wire views"));
    let mut stream = server.open_sse(&format!("/wire/{}", sessions[0])).await;
    for _ in 0..2 {
        assert_eq!(server.ask(&format!("DELETE /wire/{}", sessions[0]), "").await.status, 204);
    }
    until_ended(&mut stream).await;
    assert_eq!(server.get(&format!("/wire/{}", sessions[0])).await.status, 404);
    open_session(&server).await;
}

#[tokio::test]
async fn a_foreign_page_opens_no_wire_view() {
    let server = quiet_server().await;
    let answer = server.ask("POST /wire/session\nOrigin: http://evil.example", "").await;
    assert_eq!(answer.status, 403);
}
