//! The pages' files and policies, and the streams of the tour on both origins.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod support;

use std::net::SocketAddr;

use pushlab::server::{self, Config};
use support::{Answer, PATIENCE, Server, Sse, patiently, send};
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
};

async fn server() -> Server {
    Server::start(Config::default()).await
}

#[tokio::test]
async fn a_file_has_its_type_and_is_sent_once() {
    let server = server().await;
    let font = server.ask("HEAD /static/fonts/DejaVuSans.ttf", "").await;
    assert_eq!(font.status, 200);
    assert_eq!(font.headers["content-type"], "font/ttf");
    assert_eq!(font.headers["x-content-type-options"], "nosniff");
    let licence = server.get("/static/fonts/LICENSE-DejaVu").await;
    assert_eq!(licence.headers["content-type"], "text/plain; charset=utf-8");
    assert!(licence.body.contains("Bitstream"));
    let tag = &licence.headers["etag"];
    let again = server.ask(&format!("GET /static/fonts/LICENSE-DejaVu\nIf-None-Match: {tag}"), "").await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    assert_eq!(again.headers["etag"], *tag);
    let changed = server.ask("GET /static/fonts/LICENSE-DejaVu\nIf-None-Match: \"other\"", "").await;
    assert_eq!(changed.status, 200);
}

#[tokio::test]
async fn nothing_but_the_files_is_there() {
    let server = server().await;
    for path in [
        "/static/",
        "/static/nothing.js",
        "/static/../Cargo.toml",
        "/static/%2e%2e/Cargo.toml",
        "/static/fonts",
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.error().is_empty());
    }
    assert_eq!(server.post("/static/fonts/LICENSE-DejaVu", "{}").await.status, 405);
}

#[tokio::test]
async fn a_page_brings_a_policy_and_a_transport_does_not() {
    let server = server().await;
    let page = server.get("/").await;
    let policy = &page.headers["content-security-policy"];
    assert!(policy.contains("frame-ancestors 'none'") && policy.contains("base-uri 'none'"), "{policy}");
    assert_eq!(page.headers["referrer-policy"], "no-referrer");
    assert_eq!(page.headers["x-content-type-options"], "nosniff");
    let poll = server.get("/channels/a/short-poll").await;
    assert!(!poll.headers.contains_key("content-security-policy"), "its head is measured: {poll:?}");
}

/// The start of a stream's text, with its head.
async fn start_of(address: SocketAddr, head: &str, wanted: &str) -> Answer {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    send(&mut tcp, address, head, "").await;
    let mut bytes = Vec::new();
    while !String::from_utf8_lossy(&bytes).contains(wanted) {
        assert!(
            patiently(tcp.read_buf(&mut bytes)).await.unwrap() > 0,
            "{}",
            String::from_utf8_lossy(&bytes)
        );
    }
    Answer::parse(&bytes)
}

/// Reads the last chunk; the connection stays.
async fn until_ended(stream: &mut Sse) {
    while !stream.ended {
        assert!(stream.more().await.unwrap() > 0);
    }
}

#[tokio::test]
async fn the_tour_has_a_stream_for_each_lesson() {
    let server = server().await;
    assert_eq!(server.get("/tour/status/204").await.status, 204);
    let broken = server.get("/tour/status/500").await;
    assert_eq!(broken.status, 500);
    assert!(!broken.error().is_empty());
    assert_eq!(server.get("/tour/status/418").await.status, 404);
    let wrong = server.get("/tour/wrong-type").await;
    assert!(wrong.headers["content-type"].starts_with("text/plain") && wrong.body.starts_with("data: "));

    let mut retry = server.open_sse("/tour/retry?ms=250").await;
    until_ended(&mut retry).await;
    assert_eq!(retry.text, "retry: 250\nid: 1\ndata: {\"retry_ms\":250,\"visit\":1}\n\n");
    assert_eq!(server.get("/tour/retry?ms=600000").await.status, 400);
    for (visits, status) in [(1, 204), (2, 200)] {
        let head = format!("GET /tour/retry?ms=0&visits={visits}\nLast-Event-ID: 1");
        assert_eq!(server.ask(&head, "").await.status, status, "the second of {visits}");
    }
    let again = server.ask("GET /tour/last-event-id?id=8%20x\nLast-Event-ID: 7", "").await;
    assert!(again.body.contains("id: 8 x\ndata: {\"last_event_id\":\"7\"}"), "{again:?}");
    let first = server.get("/tour/last-event-id").await;
    assert!(first.body.contains("id: 1\ndata: {\"last_event_id\":null}"), "{first:?}");
    assert_eq!(server.get("/tour/last-event-id?id=1%0Adata%3A%20x").await.status, 400, "one line");

    let path = "/tour/raw?body=data%3A%20%3Cimg%20onerror%3D1%3E%0A%0A";
    let stream = start_of(server.address, &format!("GET {path}"), "data: <img onerror=1>\n\n").await;
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    let mut raw = server.open_sse("/tour/raw?body=x&end").await;
    until_ended(&mut raw).await;
    assert_eq!(raw.text, "x");
    assert_eq!(server.get("/tour/raw").await.status, 400);
    let long = format!("/tour/raw?body={}", "x".repeat(9_000));
    assert_eq!(server.get(&long).await.status, 413);
}

#[tokio::test]
async fn the_second_origin_lets_itself_be_read_as_each_path_says() {
    let server = server().await;
    assert_eq!(server.get("/origins").await.json()["second"], serde_json::Value::Null);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let second = listener.local_addr().unwrap();
    tokio::spawn(server::run_second_origin(listener, server.state.clone(), server.shutdown.clone()));
    tokio::time::timeout(PATIENCE, async {
        while server.get("/origins").await.json()["second"] != format!("http://{second}") {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    let port = server.address.port();
    let as_localhost = server.ask(&format!("GET /origins\nHost: localhost:{port}"), "").await;
    assert_eq!(as_localhost.json()["second"], format!("http://localhost:{}", second.port()));

    let origin = format!("http://{}", server.address);
    let ask = async |path: &str, origin: &str| {
        let cookies = "Cookie: pushlab-token-1=secret; pushlab-tour=biscuit";
        let head = format!("GET /tour/cors/{path}\nOrigin: {origin}\n{cookies}");
        start_of(second, &head, "data: ").await
    };
    let open = ask("open", &origin).await;
    assert_eq!(open.headers["access-control-allow-origin"], "*");
    assert!(!open.headers.contains_key("access-control-allow-credentials"));
    assert!(open.body.contains("\"cookie\":\"biscuit\"") && !open.body.contains("secret"), "{open:?}");
    let credentials = ask("credentials", &origin).await;
    assert_eq!(credentials.headers["access-control-allow-origin"], origin);
    assert_eq!(credentials.headers["access-control-allow-credentials"], "true");
    let foreign = ask("credentials", "http://evil.example").await;
    assert!(!foreign.headers.contains_key("access-control-allow-origin"));
    let closed = ask("closed", &origin).await;
    assert_eq!(closed.status, 200);
    assert!(!closed.headers.contains_key("access-control-allow-origin"));

    let elsewhere = start_of(second, "GET /channels/a\nConnection: close", "error").await;
    assert_eq!(elsewhere.status, 404, "there is nothing but the tour");
    let misled =
        start_of(second, "GET /tour/cors/open\nHost: evil.example\nConnection: close", "error").await;
    assert_eq!(misled.status, 421);
}
