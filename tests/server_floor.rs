//! The bare TCP floor keeps to the words at the head of its file.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod support;

use std::{net::SocketAddr, sync::Arc};

use pushlab::{
    event::Draft,
    feed::{Feed, Limits},
    server::floor,
};
use support::patiently;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

async fn start(limits: Limits) -> (Arc<Feed>, SocketAddr, CancellationToken) {
    let feed = Arc::new(Feed::new(limits));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    tokio::spawn(floor::run(listener, Arc::clone(&feed), shutdown.clone()));
    (feed, address, shutdown)
}

async fn subscribe(address: SocketAddr, line: &str) -> TcpStream {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    tcp.write_all(line.as_bytes()).await.unwrap();
    tcp
}

async fn frame(tcp: &mut TcpStream) -> String {
    patiently(async {
        let mut data = vec![0; tcp.read_u32().await.unwrap() as usize];
        tcp.read_exact(&mut data).await.unwrap();
        String::from_utf8(data).unwrap()
    })
    .await
}

#[tokio::test]
async fn events_follow_the_mark_each_with_its_length() {
    let (feed, address, shutdown) = start(Limits::default()).await;
    let channel = feed.channel(&"a".parse().unwrap()).unwrap();
    let before = channel.head();
    channel.publish(Draft::message("before")).unwrap();
    let mut now = subscribe(address, "a\n").await;
    let mut after = subscribe(address, &format!("a {before}\n")).await;
    for tcp in [&mut now, &mut after] {
        assert_eq!(patiently(tcp.read_u32()).await.unwrap(), floor::SUBSCRIBED);
    }
    for data in ["é", "", "x\ny"] {
        channel.publish(Draft::message(data)).unwrap();
    }
    assert_eq!(frame(&mut after).await, "before");
    for tcp in [&mut now, &mut after] {
        for data in ["é", "", "x\ny"] {
            assert_eq!(frame(tcp).await, data);
        }
    }
    shutdown.cancel();
    assert_eq!(patiently(now.read(&mut [0])).await.unwrap(), 0);
}

#[tokio::test]
async fn what_can_not_be_served_is_closed() {
    let (feed, address, _shutdown) = start(Limits { events_per_channel: 1, ..Limits::default() }).await;
    let channel = feed.channel(&"a".parse().unwrap()).unwrap();
    let start = channel.head();
    for _ in 0..2 {
        channel.publish(Draft::message("x")).unwrap();
    }
    let ahead = channel.head().to_string().replace("-2", "-3");
    let long = format!("{}\n", "a".repeat(200));
    for line in ["A\n".to_owned(), "a nonsense\n".to_owned(), format!("a {ahead}\n"), long] {
        let mut tcp = subscribe(address, &line).await;
        let mut bytes = Vec::new();
        // A line that was not read whole makes the end a reset.
        let _ = patiently(tcp.read_to_end(&mut bytes)).await;
        assert!(bytes.is_empty(), "{line:?}");
    }
    let mut gap = subscribe(address, &format!("a {start}\n")).await;
    let mut bytes = Vec::new();
    patiently(gap.read_to_end(&mut bytes)).await.unwrap();
    assert_eq!(bytes, floor::SUBSCRIBED.to_be_bytes(), "the mark, and no event after the gap");
}
