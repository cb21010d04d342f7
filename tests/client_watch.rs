//! `experiment watch`, without its process around it.

#![allow(clippy::unwrap_used, reason = "a test that panics has said so")]

mod client_support;

use std::{
    io::{self, Write},
    num::NonZeroU64,
};

use client_support::{PATIENCE, Server, header};
use pushlab::{
    transport::Transport,
    watch::{WatchArgs, WatchError, run},
};
use tokio_util::sync::CancellationToken;

fn args(url: String) -> WatchArgs {
    WatchArgs { url, transport: None, after: None, count: None, json: true }
}

async fn watch(args: &WatchArgs) -> (String, Result<(), WatchError>) {
    let mut out = Vec::new();
    let end = tokio::time::timeout(PATIENCE, run(args, &mut out, CancellationToken::new())).await;
    (String::from_utf8(out).unwrap(), end.expect("an end"))
}

#[tokio::test]
async fn a_channel_is_read_by_its_stream_and_204_is_a_good_end() {
    let server = Server::start(|number, mut conversation| async move {
        let head = conversation.head().await;
        assert!(head.starts_with("GET /channels/demo/sse?after=a-1 "), "{head}");
        if number > 0 {
            assert_eq!(header(&head, "last-event-id").as_deref(), Some("a-3"));
            conversation.answer("204 No Content", "", "").await;
            return;
        }
        conversation
            .event_stream(
                "retry: 7\n\nid: a-2\nevent: gap\ndata: {\"missed\":1,\"reason\":\"evicted\"}\n\nid: a-3\ndata: é\n\n",
            )
            .await;
    })
    .await;
    let mut args = args(format!("http://{}/channels/demo", server.addr));
    args.after = Some("a-1".to_owned());
    let (out, end) = watch(&args).await;
    end.unwrap();
    assert_eq!(
        out,
        r#"{"kind":"open"}
{"kind":"gap","missed":1,"reason":"evicted"}
{"kind":"event","id":"a-3","type":"message","data":"é"}
{"kind":"closed","cause":"closed by the server"}
{"kind":"retrying","after_ms":7}
{"kind":"closed","cause":"the server said that there is nothing more (204)"}
"#
    );
}

#[tokio::test]
async fn it_ends_after_the_count_and_counts_events_only() {
    let server = Server::start(|_, mut conversation| async move {
        conversation.head().await;
        conversation.event_stream("event: gap\ndata: {\"missed\":1,\"reason\":\"evicted\"}\n\n").await;
        for n in 0..9 {
            conversation.send(format!("event: n\ndata: {n}\n\n")).await;
        }
        conversation.linger().await;
    })
    .await;
    let mut args = args(format!("http://{}/any/stream", server.addr));
    args.count = NonZeroU64::new(2);
    args.json = false;
    let (out, end) = watch(&args).await;
    end.unwrap();
    let lines: Vec<_> = out.lines().map(|line| &line["12:34:56.789  ".len()..]).collect();
    assert_eq!(
        lines,
        [
            "connecting",
            "open",
            "gap         1 missing events, evicted: newer ones took their place",
            "event       -  n  0",
            "event       -  n  1",
        ]
    );
}

#[tokio::test]
async fn where_the_standard_says_to_fail_it_fails_with_1() {
    let server = Server::start(|_, mut conversation| async move {
        conversation.head().await;
        conversation.answer("200 OK", "content-type: text/plain\r\n", "hello").await;
        conversation.linger().await;
    })
    .await;
    let (out, end) = watch(&args(format!("http://{}/", server.addr))).await;
    let error = end.expect_err("failed");
    assert_eq!(error.exit_status(), 1);
    assert!(error.to_string().contains("text/plain"), "{error}");
    assert!(out.starts_with(r#"{"kind":"closed","cause":"refused: "#), "{out}");
}

#[tokio::test]
async fn a_target_that_cannot_be_read_is_bad_usage() {
    let mut args = args("ws://127.0.0.1:1/".to_owned());
    args.transport = Some(Transport::LongPoll);
    let (out, end) = watch(&args).await;
    assert_eq!((out.as_str(), end.expect_err("bad usage").exit_status()), ("", 2));
}

#[tokio::test]
async fn told_to_stop_it_ends_well() {
    let server = Server::start(|_, mut conversation| async move { conversation.linger().await }).await;
    let stop = CancellationToken::new();
    stop.cancel();
    let args = args(format!("http://{}/", server.addr));
    run(&args, &mut Vec::new(), stop).await.unwrap();
}

#[tokio::test]
async fn a_reader_that_has_gone_away_ends_it_quietly_and_a_full_disk_does_not() {
    struct Broken(io::ErrorKind);
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let server = Server::start(|_, mut conversation| async move {
        conversation.head().await;
        conversation.event_stream("data: x\n\n").await;
        conversation.linger().await;
    })
    .await;
    let args = args(format!("http://{}/", server.addr));
    run(&args, &mut Broken(io::ErrorKind::BrokenPipe), CancellationToken::new()).await.unwrap();
    let full = run(&args, &mut Broken(io::ErrorKind::StorageFull), CancellationToken::new()).await;
    let error = full.expect_err("a full disk");
    assert!(matches!(error, WatchError::Output(_)) && error.exit_status() == 1, "{error}");
}
