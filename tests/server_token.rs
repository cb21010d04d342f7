//! Who may change things, and which other origins may read.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod support;

use futures_util::SinkExt as _;
use pushlab::server::Config;
use support::{Server, next_json, patiently, send};
use tungstenite::{Message, client::IntoClientRequest as _};

const TOKEN: &str = "0123456789abcdef-TOKEN";

async fn guarded() -> Server {
    Server::start(Config { token: Some(TOKEN.parse().unwrap()), ..Config::default() }).await
}

#[tokio::test]
async fn without_a_token_nothing_is_needed() {
    let server = Server::start(Config::default()).await;
    server.publish("a", "x").await;
    assert_eq!(server.get("/?token=anything").await.status, 200);
}

#[tokio::test]
async fn changing_needs_the_token_and_reading_does_not() {
    let server = guarded().await;
    for (head, body) in [
        ("POST /channels/a/events\nContent-Type: text/plain", "x"),
        ("PUT /channels/a/source\nContent-Type: application/json", "{\"rate\":1,\"payload_bytes\":100}"),
        ("DELETE /channels/a/source", ""),
        ("POST /channels/a/disconnect\nContent-Type: application/json", "{\"how\":\"close\"}"),
        ("POST /wire/session", ""),
        ("POST /results/run\nContent-Type: application/json", "{\"experiment\":\"latency\"}"),
        ("DELETE /results/run", ""),
        ("POST /channels/a/events?token=0123456789abcdef-WRONG\nContent-Type: text/plain", "x"),
    ] {
        let refused = server.ask(head, body).await;
        assert_eq!(refused.status, 401, "{head}");
        assert!(refused.error().contains("?token="), "{refused:?}");
        assert_eq!(refused.headers["www-authenticate"], "Bearer");
    }
    for path in ["/", "/channels/a", "/channels/a/short-poll", "/results/runs", "/healthz"] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
    assert_eq!(server.get("/channels/a").await.json()["published"].as_u64().unwrap_or(0), 0);
}

#[tokio::test]
async fn the_token_is_taken_from_the_query_a_header_or_the_cookie() {
    let server = guarded().await;
    let port = server.address.port();
    let other = port ^ 1;
    for (query, header, status) in [
        (format!("?token={TOKEN}"), "X: x".to_owned(), 201),
        (String::new(), format!("Authorization: Bearer {TOKEN}"), 201),
        (String::new(), format!("Authorization: Basic {TOKEN}"), 401),
        (String::new(), format!("Cookie: a=b; pushlab-token-{port}={TOKEN}"), 201),
        (String::new(), format!("Cookie: pushlab-token-{other}={TOKEN}"), 401),
        (String::new(), format!("Cookie: pushlab-token-{port}={TOKEN}x"), 401),
    ] {
        let head = format!("POST /channels/a/events{query}\nContent-Type: text/plain\n{header}");
        assert_eq!(server.ask(&head, "x").await.status, status, "{head}");
    }
    let foreign = format!("POST /channels/a/events?token={TOKEN}\nOrigin: http://evil.example");
    assert_eq!(server.ask(&foreign, "").await.status, 403, "the token is no leave for another origin");
}

#[tokio::test]
async fn whoever_opens_a_page_with_the_token_gets_a_cookie_and_an_address_without_it() {
    let server = guarded().await;
    let page = server.ask(&format!("GET /?x=1&token={TOKEN}\nAccept: text/html"), "").await;
    assert_eq!((page.status, page.headers["location"].as_str()), (303, "/?x=1"));
    let cookie = &page.headers["set-cookie"];
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
    let pair = cookie.split(';').next().unwrap();
    let head = format!("POST /channels/a/events\nContent-Type: text/plain\nCookie: {pair}");
    assert_eq!(server.ask(&head, "x").await.status, 201);
    let fetched = server.get(&format!("/channels/a?token={TOKEN}")).await;
    assert_eq!(fetched.status, 200, "a script is answered at once");
    assert!(fetched.headers.contains_key("set-cookie"));
    let wrong = server.ask("GET /?token=0123456789abcdef-WRONG\nAccept: text/html", "").await;
    assert_eq!(wrong.status, 200);
    assert!(!wrong.headers.contains_key("set-cookie"));
}

#[tokio::test]
async fn a_websocket_reads_without_the_token_and_publishes_with_it() {
    let server = guarded().await;
    for (token, may) in [(None, false), (Some(TOKEN), true)] {
        let mut request =
            format!("ws://{}/channels/a/websocket", server.address).into_client_request().unwrap();
        if let Some(token) = token {
            request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        let (mut socket, _) =
            patiently(tokio_tungstenite::client_async(request, server.connect().await)).await.unwrap();
        assert!(next_json(&mut socket).await["cursor"].is_string());
        socket.send(Message::text("{\"publish\":{\"data\":\"x\"}}")).await.unwrap();
        let answer = next_json(&mut socket).await;
        if may {
            // The event may come before the answer.
            assert!(answer["published"].is_object() || answer["data"] == "x", "{answer}");
        } else {
            assert!(answer["error"].as_str().unwrap().contains("token"), "{answer}");
        }
    }
}

#[tokio::test]
async fn the_wire_view_shows_stars_for_the_token() {
    let server = guarded().await;
    let opened = server.ask(&format!("POST /wire/session\nAuthorization: Bearer {TOKEN}"), "").await;
    let session = opened.json()["session"].as_str().unwrap().to_owned();
    let mut stream = server.open_sse(&format!("/wire/{session}")).await;
    let mut tcp = server.connect().await;
    let path = format!("/channels/a/short-poll?wire={session}&token={TOKEN}");
    let head = format!("GET {path}\nAuthorization: Bearer {TOKEN}\nX-End: yes");
    send(&mut tcp, server.address, &head, "").await;
    let stars = "*".repeat(TOKEN.len());
    stream.until("set-cookie").await;
    assert!(
        stream.text.contains(&format!("token={stars}")) && stream.text.contains(&format!("Bearer {stars}"))
    );
    let hex: String = TOKEN.bytes().map(|byte| format!("{byte:02x}")).collect();
    assert!(!stream.text.contains(TOKEN) && !stream.text.contains(&hex), "{}", stream.text);
}

#[tokio::test]
async fn listed_origins_read_and_others_do_not() {
    const FRIEND: &str = "https://lab.example";
    let config = Config { allowed_origins: vec![FRIEND.parse().unwrap()], ..Config::default() };
    let server = Server::start(config).await;
    let read = server.ask(&format!("GET /channels/a/short-poll\nOrigin: {FRIEND}"), "").await;
    assert_eq!(read.headers["access-control-allow-origin"], FRIEND);
    assert_eq!(read.headers["access-control-allow-credentials"], "true");
    assert_eq!(read.headers["vary"], "Origin");
    for origin in ["https://evil.example", "null", "https://lab.example.evil", "http://lab.example"] {
        let read = server.ask(&format!("GET /channels/a/short-poll\nOrigin: {origin}"), "").await;
        assert!(!read.headers.contains_key("access-control-allow-origin"), "{origin}");
        assert_eq!(read.headers["vary"], "Origin");
    }
    let preflight = |method: &str| {
        format!("OPTIONS /channels/a/sse\nOrigin: {FRIEND}\nAccess-Control-Request-Method: {method}")
    };
    let asked = server.ask(&preflight("GET"), "").await;
    assert_eq!((asked.status, asked.headers["access-control-allow-methods"].as_str()), (204, "GET, HEAD"));
    assert!(asked.headers["access-control-allow-headers"].contains("last-event-id"));
    let asked = server.ask(&preflight("POST"), "").await;
    assert!(!asked.headers.contains_key("access-control-allow-origin"), "{asked:?}");
    for head in [
        format!("POST /channels/a/events\nContent-Type: text/plain\nOrigin: {FRIEND}"),
        format!("GET /channels/a/websocket\nConnection: upgrade\nUpgrade: websocket\nOrigin: {FRIEND}"),
    ] {
        let refused = server.ask(&head, "x").await;
        assert_eq!(refused.status, 403, "a listed origin reads and does no more");
        assert!(!refused.headers.contains_key("access-control-allow-origin"));
    }
}

#[tokio::test]
async fn where_none_is_listed_answers_say_nothing_of_it() {
    let server = Server::start(Config::default()).await;
    let read = server.ask("GET /channels/a/short-poll\nOrigin: https://lab.example", "").await;
    assert!(!read.headers.contains_key("vary") && !read.headers.contains_key("access-control-allow-origin"));
}
