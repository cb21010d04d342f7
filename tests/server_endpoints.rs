//! Each endpoint does what the contract says, and says what is wrong where it can't.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod support;

use futures_util::{SinkExt as _, StreamExt as _};
use pushlab::{feed::Limits, server::Config, transport::Transport};
use serde_json::{Value, json};
use support::{Server, next_json, patiently};
use tungstenite::Message;

#[tokio::test]
async fn an_event_is_published_in_json_and_as_text_and_read_by_all_transports() {
    let server = Server::start(Config::default()).await;
    let start = server.get("/channels/a/short-poll").await.json()["cursor"].as_str().unwrap().to_owned();
    let text = server.publish("a", "plain\r\ntext").await;
    let answer = server.post("/channels/a/events", r#"{"type":"tick","data":"é"}"#).await;
    assert_eq!(answer.status, 201);
    let typed = answer.json()["id"].as_str().unwrap().to_owned();
    let expected = json!([
        {"id": text, "type": "message", "data": "plain\ntext"},
        {"id": typed, "type": "tick", "data": "é"},
    ]);

    for poll in ["short-poll", "long-poll"] {
        let answer = server.get(&format!("/channels/a/{poll}?after={start}")).await;
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert_eq!(answer.json(), json!({"cursor": typed, "gap": null, "events": expected}), "{poll}");
    }
    let mut sse = server.open_sse(&format!("/channels/a/sse?after={start}")).await;
    for header in
        ["content-type: text/event-stream\r\n", "cache-control: no-store\r\n", "x-accel-buffering: no\r\n"]
    {
        assert!(sse.head.contains(header), "{}", sse.head);
    }
    sse.until("data: é\n\n").await;
    assert_eq!(
        sse.text,
        format!(
            "retry: 1000\nid: {start}\n\nid: {text}\ndata: plain\ndata: text\n\nid: {typed}\nevent: tick\ndata: é\n\n"
        )
    );
    let mut socket = server.open_websocket(&format!("/channels/a/websocket?after={start}")).await;
    assert_eq!(next_json(&mut socket).await, json!({"cursor": start}));
    for event in expected.as_array().unwrap() {
        assert_eq!(next_json(&mut socket).await, *event);
    }
}

#[tokio::test]
async fn without_a_cursor_every_transport_starts_at_the_present_and_tells_it_at_once() {
    let server = Server::start(Config::default()).await;
    let present = server.publish("a", "old").await;
    for query in ["", "?after="] {
        for poll in ["short-poll", "long-poll"] {
            let answer = server.get(&format!("/channels/a/{poll}{query}")).await;
            assert_eq!(answer.json(), json!({"cursor": present, "gap": null, "events": []}));
        }
        let mut sse = server.open_sse(&format!("/channels/a/sse{query}")).await;
        sse.until("\n\n").await;
        assert_eq!(sse.text, format!("retry: 1000\nid: {present}\n\n"));
        let mut socket = server.open_websocket(&format!("/channels/a/websocket{query}")).await;
        assert_eq!(next_json(&mut socket).await, json!({"cursor": present}));
    }
}

#[tokio::test]
async fn a_poll_is_limited_and_goes_on_from_its_cursor() {
    let server = Server::start(Config::default()).await;
    let start = server.get("/channels/a/short-poll").await.json()["cursor"].as_str().unwrap().to_owned();
    let ids = [server.publish("a", "1").await, server.publish("a", "2").await];
    let first = server.get(&format!("/channels/a/short-poll?after={start}&limit=1")).await.json();
    assert_eq!(first["cursor"], ids[0]);
    assert_eq!(first["events"].as_array().unwrap().len(), 1);
    let second = server.get(&format!("/channels/a/long-poll?after={}&limit=1", ids[0])).await.json();
    assert_eq!(second["events"][0]["data"], "2");
}

#[tokio::test]
async fn a_long_poll_waits_for_an_event_or_until_its_time_is_over() {
    let server = Server::start(Config::default()).await;
    let present = server.publish("a", "old").await;
    let empty = server.get(&format!("/channels/a/long-poll?after={present}&wait=0.05")).await;
    assert_eq!(empty.json(), json!({"cursor": present, "gap": null, "events": []}));
    let path = format!("/channels/a/long-poll?after={present}&wait=55");
    let waiting = server.get(&path);
    let publishing = async {
        server.wait_for_readers("a", "long-poll", 1).await;
        server.publish("a", "new").await
    };
    let (answer, id) = tokio::join!(waiting, publishing);
    assert_eq!(answer.json()["events"], json!([{"id": id, "type": "message", "data": "new"}]));
}

#[tokio::test]
async fn a_bad_query_or_name_is_refused_before_anything_starts() {
    let server = Server::start(Config::default()).await;
    let present = server.publish("a", "x").await;
    let ahead = present.replace("-1", "-2");
    for transport in Transport::ALL {
        let upgrade = "Connection: upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==";
        for (path, names) in [
            (format!("/channels/a/{transport}?after=nonsense"), "nonsense"),
            (format!("/channels/a/{transport}?after={ahead}"), "ahead"),
            (format!("/channels/A/{transport}"), "channel name"),
        ] {
            let answer = server.ask(&format!("GET {path}\n{upgrade}"), "").await;
            assert_eq!(answer.status, 400, "{path}: {answer:?}");
            assert!(answer.error().contains(names), "{answer:?}");
        }
    }
    let answer = server.ask("GET /channels/a/sse\nLast-Event-ID: nonsense", "").await;
    assert_eq!(answer.status, 400);
    for query in ["limit=0", "limit=10001", "wait=56", "wait=x"] {
        let answer = server.get(&format!("/channels/a/long-poll?after={present}&{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.error().contains(&query[..4]), "{answer:?}");
    }
}

#[tokio::test]
async fn last_event_id_wins_over_after() {
    let server = Server::start(Config::default()).await;
    let first = server.publish("a", "1").await;
    let second = server.publish("a", "2").await;
    let head = format!("GET /channels/a/sse?after={first}\nLast-Event-ID: {second}");
    let mut tcp = server.connect().await;
    support::send(&mut tcp, server.address, &head, "").await;
    let mut text = Vec::new();
    while !String::from_utf8_lossy(&text).contains("retry: 1000") {
        use tokio::io::AsyncReadExt as _;
        assert!(patiently(tcp.read_buf(&mut text)).await.unwrap() > 0);
    }
    let text = String::from_utf8_lossy(&text);
    assert!(text.contains(&format!("id: {second}\n\n")), "{text}");
}

#[tokio::test]
async fn a_bad_publication_is_refused_with_what_to_do() {
    let limits = Limits { bytes_per_channel: 100, ..Limits::default() };
    let server = Server::start(Config { feed: limits, max_body_bytes: 1_000, ..Config::default() }).await;
    let long = "x".repeat(200);
    let longer = "x".repeat(2_000);
    let json = "Content-Type: application/json";
    for (headers, body, status, says) in [
        (json, "", 400, "data"),
        (json, "{", 400, "JSON"),
        (json, r#"{"data":1}"#, 400, "string"),
        (json, r#"{"data":"x","id":"y"}"#, 400, "unknown field"),
        (json, r#"{"type":"a\nb","data":"x"}"#, 400, "newline"),
        (json, r#"{"type":"gap","data":"x"}"#, 400, "reserved"),
        ("Content-Type: text/html", "x", 415, "text/plain"),
        ("Content-Type: text/plain; charset=latin1", "x", 415, "UTF-8"),
        ("X-None: x", "x", 415, "application/json"),
        ("Content-Type: text/plain", long.as_str(), 413, "100"),
        ("Content-Type: text/plain", longer.as_str(), 413, "1000"),
    ] {
        let answer = server.ask(&format!("POST /channels/a/events\n{headers}"), body).await;
        assert_eq!(answer.status, status, "{headers} {body}: {answer:?}");
        assert!(answer.error().contains(says), "{answer:?}");
    }
    // Nothing of that has taken a number.
    assert!(server.publish("a", "").await.ends_with("-1"), "empty data is an event like any other");
    let utf8 = "Content-Type: text/plain; charset=\"UTF-8\"";
    assert_eq!(server.ask(&format!("POST /channels/a/events\n{utf8}"), "x").await.status, 201);
}

#[tokio::test]
async fn a_body_that_is_no_utf8_is_refused() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let server = Server::start(Config::default()).await;
    let mut tcp = server.connect().await;
    let head = format!(
        "POST /channels/a/events HTTP/1.1\r\nHost: {}\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nConnection: close\r\n\r\n",
        server.address
    );
    tcp.write_all(&[head.as_bytes(), b"\xff\xfe"].concat()).await.unwrap();
    let mut bytes = Vec::new();
    patiently(tcp.read_to_end(&mut bytes)).await.unwrap();
    let answer = support::Answer::parse(&bytes);
    assert_eq!(answer.status, 400);
    assert!(answer.error().contains("UTF-8"));
}

#[tokio::test]
async fn a_websocket_publishes_and_is_told_what_was_wrong() {
    let server = Server::start(Config::default()).await;
    let mut socket = server.open_websocket("/channels/a/websocket").await;
    let opening = next_json(&mut socket).await;
    assert!(opening["cursor"].is_string());
    socket.send(Message::text(r#"{"publish":{"type":"t","data":"x"}}"#)).await.unwrap();
    let mut both = [next_json(&mut socket).await, next_json(&mut socket).await];
    // Which comes first is not promised.
    both.sort_by_key(|message| message.get("published").is_none());
    let id = both[0]["published"]["id"].clone();
    assert_eq!(both[1], json!({"id": id, "type": "t", "data": "x"}));
    for bad in ["x", "{}", r#"{"publish":{"data":1}}"#, r#"{"publish":{"type":"gap","data":""}}"#] {
        socket.send(Message::text(bad)).await.unwrap();
        assert!(next_json(&mut socket).await["error"].is_string(), "{bad}");
    }
    socket.send(Message::binary(vec![1])).await.unwrap();
    let Message::Close(Some(frame)) = patiently(socket.next()).await.unwrap().unwrap() else {
        panic!("no close frame")
    };
    assert_eq!(u16::from(frame.code), 1003);
}

#[tokio::test]
async fn a_websocket_address_asks_for_a_websocket() {
    let server = Server::start(Config::default()).await;
    for path in ["/echo", "/channels/a/websocket"] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 426);
        assert_eq!(answer.headers["upgrade"], "websocket");
        assert!(answer.error().contains("WebSocket"));
        let old = "Connection: upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 8";
        let answer = server.ask(&format!("GET {path}\n{old}"), "").await;
        assert_eq!((answer.status, answer.headers["sec-websocket-version"].as_str()), (426, "13"));
        let no_key = "Connection: upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13";
        assert_eq!(server.ask(&format!("GET {path}\n{no_key}"), "").await.status, 400);
    }
}

#[tokio::test]
async fn echo_sends_text_and_binary_back() {
    let server = Server::start(Config::default()).await;
    let mut socket = server.open_websocket("/echo").await;
    for message in [Message::text("hé"), Message::binary(vec![0, 255]), Message::text("")] {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(patiently(socket.next()).await.unwrap().unwrap(), message);
    }
    socket.close(None).await.unwrap();
    while let Some(Ok(message)) = patiently(socket.next()).await {
        assert!(message.is_close(), "{message:?}");
    }
}

#[tokio::test]
async fn the_tutorials_streams_tell_the_time() {
    let server = Server::start(Config::default()).await;
    for path in ["/dates", "/sendMessage"] {
        let mut stream = server.open_sse(path).await;
        let text = stream.until("\n\n").await;
        let millis: u64 = text.strip_prefix("data: ").unwrap().split('\n').next().unwrap().parse().unwrap();
        assert!(millis > 1_600_000_000_000, "{text}");
        assert!(stream.head.contains("text/event-stream"));
    }
}

#[tokio::test]
async fn the_source_publishes_what_it_was_told_and_stops() {
    let server = Server::start(Config::default()).await;
    let mut sse = server.open_sse("/channels/a/sse").await;
    let put = |spec: &'static str| server.ask("PUT /channels/a/source\nContent-Type: application/json", spec);
    let answer = put(r#"{"rate":200,"payload_bytes":100,"pattern":"burst"}"#).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["pattern"], "burst");
    sse.until("\"seq\":200,").await;
    assert!(server.get("/channels/a").await.json()["source"]["published"].as_u64().unwrap() >= 200);
    for line in sse.text.lines().filter_map(|line| line.strip_prefix("data: ")) {
        assert_eq!(line.len(), 100);
        let data: Value = serde_json::from_str(line).unwrap();
        assert!(data["at"].is_f64() && data["seq"].is_u64() && data["pad"].is_string());
    }
    // A new one takes its place and counts from 1.
    let before = sse.text.matches("\"seq\":1,").count();
    assert_eq!(put(r#"{"rate":0.001,"payload_bytes":60,"pattern":"steady"}"#).await.status, 200);
    while sse.text.matches("\"seq\":1,").count() == before {
        sse.more().await.unwrap();
    }
    for _ in 0..2 {
        assert_eq!(server.ask("DELETE /channels/a/source", "").await.status, 204);
    }
    assert_eq!(server.get("/channels/a").await.json()["source"], Value::Null);
}

#[tokio::test]
async fn a_bad_source_is_refused_with_its_bounds() {
    let server = Server::start(Config { max_sources: 1, ..Config::default() }).await;
    for (spec, says) in [
        (r#"{"rate":0,"payload_bytes":100,"pattern":"steady"}"#, "rate"),
        (r#"{"rate":100001,"payload_bytes":100,"pattern":"steady"}"#, "100000"),
        (r#"{"rate":1,"payload_bytes":10,"pattern":"steady"}"#, "52"),
        (r#"{"rate":1,"payload_bytes":9999999,"pattern":"steady"}"#, "1048576"),
        (r#"{"rate":100000,"payload_bytes":100000,"pattern":"steady"}"#, "per second"),
        (r#"{"rate":1,"payload_bytes":100,"pattern":"wild"}"#, "poisson"),
        (r#"{"rate":1,"payload_bytes":100,"pattern":"steady","x":1}"#, "unknown field"),
    ] {
        let answer = server.ask("PUT /channels/a/source\nContent-Type: application/json", spec).await;
        assert_eq!(answer.status, 400, "{spec}");
        assert!(answer.error().contains(says), "{answer:?}");
    }
    let good = r#"{"rate":1,"payload_bytes":100,"pattern":"steady"}"#;
    let put = "source\nContent-Type: application/json";
    assert_eq!(server.ask(&format!("PUT /channels/a/{put}"), good).await.status, 200);
    assert_eq!(server.ask(&format!("PUT /channels/b/{put}"), good).await.status, 503);
    assert_eq!(server.ask("PUT /channels/a/source", good).await.status, 415);
}

#[tokio::test]
async fn a_source_without_readers_ends() {
    let config = Config { source_idle: std::time::Duration::from_millis(1), ..Config::default() };
    let server = Server::start(config).await;
    let spec = r#"{"rate":10,"payload_bytes":100,"pattern":"poisson","seed":7}"#;
    let answer = server.ask("PUT /channels/a/source\nContent-Type: application/json", spec).await;
    assert_eq!(answer.json()["seed"], 7);
    patiently(async {
        while !server.get("/channels/a").await.json()["source"].is_null() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_channel_says_what_it_holds_and_who_reads_it() {
    let server = Server::start(Config::default()).await;
    let id = server.publish("a", "hello").await;
    let _sse = server.open_sse("/channels/a/sse").await;
    let _socket = server.open_websocket("/channels/a/websocket").await;
    let mut poller = server.connect().await;
    support::send(&mut poller, server.address, "GET /channels/a/short-poll", "").await;
    support::read_answer(&mut poller).await.unwrap();
    let channel = server.get("/channels/a").await.json();
    assert_eq!(channel["cursor"], id);
    assert_eq!(channel["events"], 1);
    assert_eq!(channel["bytes"], "message".len() + "hello".len());
    let readers = json!({"short-poll": 1, "long-poll": 0, "sse": 1, "websocket": 1});
    assert_eq!(channel["readers"], readers);
    // The connection that polls something else no longer counts here.
    support::send(&mut poller, server.address, "GET /channels/b/long-poll", "").await;
    support::read_answer(&mut poller).await.unwrap();
    server.wait_for_readers("a", "short-poll", 0).await;
    server.wait_for_readers("b", "long-poll", 1).await;
    drop(poller);
    server.wait_for_readers("b", "long-poll", 0).await;
}

#[tokio::test]
async fn the_front_page_says_what_is_here_and_holds_no_script_of_its_own() {
    let server = Server::start(Config::default()).await;
    let page = server.get("/").await;
    assert_eq!(page.status, 200);
    assert!(page.headers["content-type"].starts_with("text/html"));
    assert!(page.headers["content-security-policy"].contains("default-src 'self'"));
    for transport in Transport::ALL {
        assert!(page.body.contains(transport.label()), "{transport}");
        assert!(page.body.contains(&format!("{}/channels/demo/{transport}", server.address)), "{transport}");
    }
    for script in page.body.split("<script").skip(1) {
        assert!(script.contains("\"></script>"), "an inline script: {script}");
    }
    assert!(!page.body.contains("<style") && !page.body.contains(" style="));
    assert_eq!(server.get("/healthz").await.json(), json!({"status": "ok"}));
}

#[tokio::test]
async fn unknown_addresses_and_methods_are_errors_in_json() {
    let server = Server::start(Config::default()).await;
    for path in ["/nowhere", "/channels", "/channels/a/nowhere"] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.error().contains(path), "{answer:?}");
    }
    for (method, path, allow) in [
        ("POST", "/channels/a/sse", "GET, HEAD"),
        ("GET", "/channels/a/events", "POST"),
        ("PATCH", "/channels/a/source", "PUT, DELETE"),
        ("DELETE", "/", "GET, HEAD"),
    ] {
        let answer = server.ask(&format!("{method} {path}"), "").await;
        assert_eq!((answer.status, answer.headers["allow"].as_str()), (405, allow), "{method} {path}");
        assert!(answer.error().contains(method));
        let answer = server.ask(&format!("OPTIONS {path}"), "").await;
        assert_eq!((answer.status, answer.headers["allow"].as_str()), (204, allow), "{path}");
    }
    let answer = server.get("/channels/%ff/sse").await;
    assert_eq!(answer.status, 400);
    answer.error();
    let head = server.ask("HEAD /channels/a/sse", "").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    server.wait_for_readers("a", "sse", 0).await;
}

#[tokio::test]
async fn a_foreign_host_or_origin_is_turned_away() {
    let server = Server::start(Config { hosts: vec!["lab.example".to_owned()], ..Config::default() }).await;
    let port = server.address.port();
    let own = server.address;
    let status = async |head: String| server.ask(&head, "x").await.status;
    assert_eq!(status(format!("GET /healthz\nHost: localhost:{port}")).await, 200);
    assert_eq!(status("GET /healthz\nHost: lab.example".to_owned()).await, 200);
    assert_eq!(status(format!("GET /healthz\nHost: evil.example:{port}")).await, 421);
    assert_eq!(status(format!("GET /healthz\nHost: a\nHost: {own}")).await, 400);
    let post = "POST /channels/a/events\nContent-Type: text/plain\nOrigin:";
    assert_eq!(status(format!("{post} http://localhost:{port}")).await, 201);
    assert_eq!(status(format!("{post} http://evil.example")).await, 403);
    assert_eq!(status(format!("{post} null")).await, 403);
    assert_eq!(status("DELETE /channels/a/source\nOrigin: null".to_owned()).await, 403);
    let upgrade = "Connection: upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==";
    for path in ["/echo", "/channels/a/websocket"] {
        let answer = server.ask(&format!("GET {path}\n{upgrade}\nOrigin: http://evil.example"), "").await;
        assert_eq!(answer.status, 403);
        assert!(answer.error().contains("evil.example"));
    }
    // Reading is not changing: what another page may see of it is the browser's affair.
    assert_eq!(status("GET /healthz\nOrigin: http://evil.example".to_owned()).await, 200);
}

#[tokio::test]
async fn http_1_1_without_a_host_is_a_bad_request() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let server = Server::start(Config::default()).await;
    for (version, status) in [("1.1", 400), ("1.0", 200)] {
        let mut tcp = server.connect().await;
        let request = format!("GET /healthz HTTP/{version}\r\nConnection: close\r\n\r\n");
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        patiently(tcp.read_to_end(&mut bytes)).await.unwrap();
        assert_eq!(support::Answer::parse(&bytes).status, status, "HTTP/{version}");
    }
}
