//! The doors of the named networks: what they delay, where they lead, and who may read there.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod support;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use pushlab::{link::conditions::Profile, server::Config, transport::Transport};
use serde_json::Value;
use support::{Answer, Server, patiently, read_answer, send};
use tokio::{io::AsyncReadExt as _, net::TcpStream};

/// Opens a network's door and tells where it is.
async fn door(server: &Server, name: &str) -> SocketAddr {
    let opened = server.ask(&format!("PUT /networks/{name}"), "").await;
    assert_eq!(opened.status, 200, "{opened:?}");
    let port = opened.json()["port"].as_u64().unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], u16::try_from(port).unwrap()));
    // The relay opens it in its own time.
    patiently(async {
        while TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    address
}

/// One request to an address, under its own name.
async fn ask(address: SocketAddr, head: &str) -> Answer {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    send(&mut tcp, address, &format!("{head}\nConnection: close"), "").await;
    let mut bytes = Vec::new();
    patiently(tcp.read_to_end(&mut bytes)).await.unwrap();
    Answer::parse(&bytes)
}

/// The head of an answer that may never end.
async fn head(address: SocketAddr, request: &str) -> Answer {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    send(&mut tcp, address, request, "").await;
    let mut bytes = Vec::new();
    while !bytes.windows(4).any(|four| four == b"\r\n\r\n") {
        assert!(patiently(tcp.read_buf(&mut bytes)).await.unwrap() > 0, "no answer");
    }
    Answer::parse(&bytes)
}

const UPGRADE: &str = "Connection: upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==";

fn way(transport: Transport) -> String {
    let path = format!("GET /channels/far/{transport}?after=");
    if transport == Transport::WebSocket { format!("{path}\n{UPGRADE}") } else { format!("{path}&wait=0") }
}

#[tokio::test]
async fn each_network_is_listed_with_what_it_does_and_shut_until_it_is_asked_for() {
    let server = Server::start_whole(Config::default()).await;
    let listed = server.get("/networks").await.json();
    let names: Vec<_> = listed["networks"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
    assert_eq!(names, Profile::ALL.map(|network| Value::from(network.slug())));
    let mobile = &listed["networks"][3];
    assert_eq!((&mobile["open"], &mobile["to_client"]["delay_ms"]), (&false.into(), &35.0.into()));
    let port = u16::try_from(mobile["port"].as_u64().unwrap()).unwrap();
    patiently(async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(door(&server, "mobile").await.port(), port);
    assert_eq!(server.get("/networks").await.json()["networks"][3]["open"], true);
    assert_eq!(server.ask("PUT /networks/carrier-pigeon", "").await.status, 404);

    let alone = Server::start(Config::default()).await;
    assert_eq!(alone.get("/networks").await.json()["networks"], serde_json::json!([]));
    let refused = alone.ask("PUT /networks/mobile", "").await;
    assert!(refused.status == 404 && refused.error().contains("--network-ports"), "{refused:?}");
}

#[tokio::test]
async fn behind_a_network_every_exchange_takes_as_long_as_it_would_there() {
    let server = Server::start_whole(Config::default()).await;
    let satellite = door(&server, "satellite").await;
    let mut tcp = TcpStream::connect(satellite).await.unwrap();
    // The handshake and the exchange: four times the way up and down. Only the least time is certain.
    let started = Instant::now();
    send(&mut tcp, satellite, "GET /channels/far/short-poll", "").await;
    assert_eq!(read_answer(&mut tcp).await.unwrap().status, 200);
    assert!(started.elapsed() >= 2 * Duration::from_millis(2 * 279), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_door_leads_to_the_four_ways_of_reading_for_our_own_pages_and_to_nothing_else() {
    let server = Server::start_whole(Config::default()).await;
    let near = door(&server, "loopback").await;
    let ours = format!("http://{}", server.address);
    for transport in Transport::ALL {
        let answer = head(near, &format!("{}\nOrigin: {ours}", way(transport))).await;
        let opened = if transport == Transport::WebSocket { 101 } else { 200 };
        assert_eq!(answer.status, opened, "{transport}: {answer:?}");
        assert_eq!(answer.headers["access-control-allow-origin"], ours, "{transport}");

        for foreign in ["http://evil.example", "null", &format!("http://{near}")] {
            let answer = head(near, &format!("{}\nOrigin: {foreign}", way(transport))).await;
            assert!(!answer.headers.contains_key("access-control-allow-origin"), "{foreign}: {answer:?}");
            if transport == Transport::WebSocket {
                assert_eq!(answer.status, 403, "{foreign} opens no WebSocket");
            }
        }
    }
    for path in ["GET /", "GET /compare", "GET /channels/far", "GET /static/js/demo.js", "GET /networks"] {
        let answer = ask(near, path).await;
        assert_eq!(answer.status, 403, "{path}: {answer:?}");
    }
    for change in ["POST /channels/far/events", "PUT /networks/loopback", "POST /channels/far/disconnect"] {
        assert_eq!(ask(near, &format!("{change}\nOrigin: {ours}")).await.status, 403, "{change}");
    }
    let rebound =
        ask(near, &format!("GET /channels/far/short-poll\nHost: evil.example:{}", near.port())).await;
    assert_eq!(rebound.status, 421);
    let preflight = "OPTIONS /channels/far/sse\nAccess-Control-Request-Method: GET";
    let allowed = ask(near, &format!("{preflight}\nOrigin: {ours}")).await;
    assert_eq!(allowed.headers["access-control-allow-origin"], ours);
    // Without a door, reading from another origin is as closed as it was.
    let direct = server.ask(&format!("GET /channels/far/short-poll\nOrigin: http://{near}"), "").await;
    assert!(!direct.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn opening_a_door_is_a_change_and_pages_are_allowed_to_read_there() {
    let token = "0123456789abcdef";
    let config = Config { token: Some(token.parse().unwrap()), ..Config::default() };
    let server = Server::start_whole(config).await;
    assert_eq!(server.ask("PUT /networks/wifi", "").await.status, 401);
    let foreign = format!("PUT /networks/wifi?token={token}\nOrigin: http://evil.example");
    assert_eq!(server.ask(&foreign, "").await.status, 403);
    let opened = server.ask(&format!("PUT /networks/wifi?token={token}"), "").await.json();
    let page = server.get("/compare").await;
    let policy = &page.headers["content-security-policy"];
    let port = &opened["port"];
    assert!(policy.contains(&format!("http://127.0.0.1:{port} ws://127.0.0.1:{port}")), "{policy}");
    assert!(!page.body.contains("name=\"network\" autocomplete=\"off\" disabled"));
    // Behind a proxy the doors are out of reach, and none is offered.
    let hosts = vec!["lab.example".to_owned()];
    let proxied = Server::start_whole(Config { hosts, ..Config::default() }).await;
    let page = proxied.ask("GET /compare\nHost: lab.example", "").await;
    assert!(!page.headers["content-security-policy"].contains("ws://lab.example:"), "{page:?}");
    assert!(page.body.contains("name=\"network\" autocomplete=\"off\" disabled"));
}
