//! The two polls.

#![allow(clippy::unwrap_used, reason = "a test that panics has said so")]

mod client_support;

use std::time::Duration;

use client_support::{Server, fixed, is_event, nth, read, subscription};
use pushlab::{
    client::{Cause, End, Policy, Reconnect},
    transport::Transport::{self, LongPoll, ShortPoll},
};
use tokio::sync::mpsc;

const POLLS: [Transport; 2] = [ShortPoll, LongPoll];

fn quick() -> Policy {
    Policy { interval: Duration::from_millis(5), ..fixed(1) }
}

fn page(cursor: u32, events: &[u32]) -> String {
    let events = events
        .iter()
        .map(|n| serde_json::json!({ "id": format!("a-{n}"), "type": "tick", "data": n.to_string() }));
    serde_json::json!({ "cursor": format!("a-{cursor}"), "gap": null, "events": events.collect::<Vec<_>>() })
        .to_string()
}

#[tokio::test]
async fn they_go_on_from_the_cursor_over_one_connection() {
    for transport in POLLS {
        let (heads, mut asked) = mpsc::unbounded_channel();
        let server = Server::start(move |_, mut conversation| {
            let heads = heads.clone();
            async move {
                for body in [
                    page(3, &[]),
                    page(5, &[4, 5]),
                    r#"{"cursor":"b-0","gap":{"missed":null,"reason":"restarted"},"events":[]}"#.to_owned(),
                    page(6, &[6]),
                ] {
                    heads.send(conversation.head().await).unwrap();
                    conversation.answer("200 OK", "content-type: application/json\r\n", &body).await;
                }
                conversation.linger().await;
            }
        })
        .await;
        let url = format!("http://{}/channels/a/x?limit=9", server.addr);
        let seen = read(transport, subscription(url, quick()), nth(3, is_event)).await;
        assert_eq!(
            seen.lines,
            [
                "connecting 1",
                "open",
                "event a-4 tick \"4\"",
                "event a-5 tick \"5\"",
                "gap None Restarted",
                "event a-6 tick \"6\"",
            ]
        );
        assert_eq!((seen.totals.connections, seen.totals.requests), (1, 4));
        let wait = if transport == LongPoll { "&wait=25" } else { "" };
        for after in ["", "&after=a-3", "&after=a-5", "&after=b-0"] {
            let head = asked.recv().await.unwrap();
            assert!(
                head.starts_with(&format!("GET /channels/a/x?limit=9{after}{wait} HTTP/1.1\r\n")),
                "{head}"
            );
        }
    }
}

#[tokio::test]
async fn an_idle_connection_that_was_closed_is_replaced_at_once_and_nothing_is_lost() {
    for transport in POLLS {
        for reset in [false, true] {
            let server = Server::start(move |number, mut conversation| async move {
                conversation.head().await;
                let number = number as u32;
                conversation.answer("200 OK", "", &page(number, &[number])).await;
                if reset {
                    // A RST overtakes what was not read yet, so it waits for the next request.
                    conversation.head().await;
                    conversation.reset();
                }
            })
            .await;
            let policy = Policy { reconnect: Reconnect::Fixed(Duration::from_secs(3600)), ..quick() };
            let url = format!("http://{}/", server.addr);
            let seen = read(transport, subscription(url, policy), nth(3, is_event)).await;
            let events: Vec<_> = seen.lines.iter().filter(|line| is_event(line)).collect();
            assert_eq!(events.len(), 3, "{seen:?}");
            assert!(seen.lines.iter().any(|line| line.starts_with("closed")), "it was noticed: {seen:?}");
            assert!(!seen.lines.iter().any(|line| line.starts_with("retrying")), "{seen:?}");
        }
    }
}

#[tokio::test]
async fn a_server_that_announces_each_close_is_no_outage() {
    let server = Server::start(|number, mut conversation| async move {
        conversation.head().await;
        let number = number as u32;
        conversation.answer("200 OK", "connection: close\r\n", &page(number, &[number])).await;
    })
    .await;
    let seen =
        read(ShortPoll, subscription(format!("http://{}/", server.addr), quick()), nth(3, is_event)).await;
    assert_eq!(seen.lines[..2], ["connecting 1", "open"]);
    assert_eq!(seen.lines.len(), 5, "{:?}", seen.lines);
    assert_eq!(seen.totals.connections, 3);
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_given_up_and_asked_for_again() {
    for transport in POLLS {
        let server = Server::start(|number, mut conversation| async move {
            conversation.head().await;
            if number > 0 {
                conversation.answer("200 OK", "", &page(1, &[1])).await;
            }
            conversation.linger().await;
        })
        .await;
        let policy =
            Policy { wait: Duration::from_millis(50), answer_within: Duration::from_millis(150), ..quick() };
        let seen = read(transport, subscription(format!("http://{}/", server.addr), policy), is_event).await;
        let limit = if transport == LongPoll { 200 } else { 150 };
        assert_eq!(seen.lines[1], format!("closed: silent for {limit} ms"));
        assert_eq!(seen.lines[2..4], ["retrying 1", "connecting 2"]);
        assert_eq!(seen.lines.last().unwrap(), "event a-1 tick \"1\"");
    }
}

#[tokio::test]
async fn a_refusal_that_may_pass_is_tried_again_and_another_is_not() {
    for transport in POLLS {
        let server = Server::start(|number, mut conversation| async move {
            conversation.head().await;
            let status = if number == 0 { "503 Service Unavailable" } else { "400 Bad Request" };
            conversation.answer(status, "", r#"{"error":"bad cursor"}"#).await;
            conversation.linger().await;
        })
        .await;
        let seen =
            read(transport, subscription(format!("http://{}/", server.addr), quick()), |_| false).await;
        let End::Failed(cause) = seen.end else { panic!("{seen:?}") };
        assert_eq!(cause, Cause::Refused("400 Bad Request: bad cursor".to_owned()));
        assert!(seen.lines.iter().any(|line| line.contains("503")), "{:?}", seen.lines);
    }
}

#[tokio::test]
async fn a_retry_after_is_heeded_within_bounds() {
    for transport in POLLS {
        let server = Server::start(|number, mut conversation| async move {
            conversation.head().await;
            let headers = match number {
                0 => "retry-after: 0\r\n",
                1 => "retry-after: 1\r\n",
                // A server that has lost its mind.
                _ => "retry-after: 99999999999\r\n",
            };
            conversation.answer("503 Service Unavailable", headers, "").await;
            conversation.linger().await;
        })
        .await;
        let url = format!("http://{}/", server.addr);
        let is_wait = |line: &str| line.starts_with("retrying");
        let seen = read(transport, subscription(url, quick()), nth(3, is_wait)).await;
        let waits: Vec<_> = seen.lines.iter().filter(|line| is_wait(line)).collect();
        assert_eq!(waits, ["retrying 1", "retrying 1000", "retrying 60000"]);
    }
}

#[tokio::test]
async fn once_our_server_has_answered_a_login_page_or_nothing_at_all_is_no_answer() {
    for transport in POLLS {
        let server = Server::start(|number, mut conversation| async move {
            conversation.head().await;
            let number = number as u32;
            match number {
                1 => conversation.answer("200 OK", "content-type: text/html\r\n", "<p>Log in").await,
                2 => conversation.send("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await,
                _ => conversation.answer("200 OK", "", &page(number, &[number])).await,
            }
        })
        .await;
        // Without its cursor too: that it speaks with our server is not forgotten with the connection.
        let policy = Policy { resume: false, ..quick() };
        let seen =
            read(transport, subscription(format!("http://{}/", server.addr), policy), nth(2, is_event)).await;
        let events: Vec<_> = seen.lines.iter().filter(|line| is_event(line)).collect();
        assert_eq!(events, ["event a-0 tick \"0\"", "event a-3 tick \"3\""]);
        let refused = seen.lines.iter().filter(|line| line.contains("no page of events"));
        assert_eq!(refused.count(), 2, "{:?}", seen.lines);
        // It stands again when our server has answered again.
        let opened = seen.lines.iter().filter(|line| *line == "open").count();
        assert_eq!(opened, 2, "{:?}", seen.lines);
    }
}

#[tokio::test]
async fn a_foreign_body_is_an_event_whenever_it_changes() {
    for transport in POLLS {
        let server = Server::start(|_, mut conversation| async move {
            for body in ["one", "one", r#"{"cursor":"mine"}"#, "one"] {
                conversation.head().await;
                conversation.answer("200 OK", "", body).await;
            }
            conversation.head().await;
            conversation.send("HTTP/1.1 204 No Content\r\n\r\n").await;
            conversation.head().await;
            conversation.answer("200 OK", "", "last").await;
            conversation.linger().await;
        })
        .await;
        let url = format!("http://{}/", server.addr);
        let seen = read(transport, subscription(url, quick()), |line| line.contains("last")).await;
        let event = |data: &str| format!("event - message {data:?}");
        let expected = [event("one"), event(r#"{"cursor":"mine"}"#), event("one"), event("last")];
        assert_eq!(seen.lines[2..], expected);
    }
}

#[tokio::test]
async fn without_resume_the_cursor_is_forgotten_with_the_connection() {
    for transport in POLLS {
        let (heads, mut asked) = mpsc::unbounded_channel();
        let server = Server::start(move |number, mut conversation| {
            let heads = heads.clone();
            async move {
                for _ in 0..2 {
                    heads.send(conversation.head().await).unwrap();
                    conversation.answer("200 OK", "", &page(number as u32, &[])).await;
                }
            }
        })
        .await;
        let policy = Policy { resume: false, ..quick() };
        let url = format!("http://{}/", server.addr);
        read(transport, subscription(url, policy), nth(3, |line| line == "open")).await;
        for has_cursor in [false, true, false, true] {
            let head = asked.recv().await.unwrap();
            assert_eq!(head.contains("after="), has_cursor, "{head}");
        }
    }
}

#[tokio::test]
async fn long_poll_is_not_hurried_by_a_server_that_does_not_wait() {
    let server = Server::start(|_, mut conversation| async move {
        while !conversation.head().await.is_empty() {
            conversation.answer("200 OK", "", &page(1, &[])).await;
        }
    })
    .await;
    let context = client_support::context();
    let (stop, meter) = (context.stop.clone(), context.meter.clone());
    tokio::spawn(async move {
        while meter.totals().requests < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop.cancel();
    });
    let policy = Policy { interval: Duration::from_secs(3600), ..Policy::default() };
    let client =
        pushlab::client::subscriber(LongPoll, subscription(format!("http://{}/", server.addr), policy));
    let seen = client_support::run(client, context, |_| false).await;
    assert_eq!((seen.end, seen.totals.requests), (End::Stopped, 2), "the cursor, and one empty answer");
}

/// What is sent behind the first answer, whose connection HTTP may have let go of by then: heads, and the rest.
fn later_answers() -> [(String, String); 3] {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let (two, three, four) = (page(2, &[2]), page(3, &[3]), page(4, &[4]));
    let (first, second) = three.split_at(9);
    let chunks = format!("{:x};x=1\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n", first.len(), second.len());
    let interim = "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n";
    [
        (format!("{head}Content-Length: {}\r\n\r\n", two.len()), two),
        (format!("{head}transfer-encoding: chunked\r\n\r\n"), chunks),
        (format!("{interim}{head}content-length: {}\r\n\r\n", four.len()), four),
    ]
}

#[tokio::test]
async fn requests_differ_by_their_cursor_only_and_answers_come_in_any_pieces() {
    for size in [1, 7, usize::MAX] {
        let (heads, mut asked) = mpsc::unbounded_channel();
        let server = Server::start(move |_, mut conversation| {
            let heads = heads.clone();
            async move {
                heads.send(conversation.head().await).unwrap();
                conversation.answer("200 OK", "", &page(1, &[1])).await;
                for (head, rest) in later_answers() {
                    heads.send(conversation.head().await).unwrap();
                    for piece in (head + &rest).as_bytes().chunks(size) {
                        conversation.send(piece).await;
                        tokio::task::yield_now().await;
                    }
                }
                heads.send(conversation.head().await).unwrap();
                conversation.linger().await;
            }
        })
        .await;
        let url = format!("http://{}/x", server.addr);
        let seen = read(LongPoll, subscription(url, quick()), nth(4, is_event)).await;
        let events = ["1", "2", "3", "4"].map(|n| format!("event a-{n} tick \"{n}\""));
        assert_eq!(seen.lines[2..], events, "in pieces of {size}");
        let mut sent = Vec::new();
        for cursor in ["", "after=a-1&", "after=a-2&", "after=a-3&"] {
            let head = asked.recv().await.unwrap();
            assert!(
                head.starts_with(&format!("GET /x?{cursor}wait=25 HTTP/1.1\r\nhost: {}\r\n", server.addr)),
                "{head}"
            );
            sent.push(head);
        }
        let rest = |head: &String| head.split_once("\r\n").unwrap().1.to_owned();
        assert!(sent.iter().all(|head| rest(head) == rest(&sent[0])), "{sent:?}");
        let out: usize = sent.iter().map(String::len).sum();
        assert_eq!(seen.totals.requests, 4);
        assert_eq!((seen.totals.heads_out, seen.totals.application_out), (out as u64, out as u64));
        let first = page(1, &[1]);
        let (mut heads, mut all) =
            (format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", first.len()), first);
        for (head, rest) in later_answers() {
            heads += &head;
            all += &rest;
        }
        let read = (seen.totals.heads_in, seen.totals.application_in);
        assert_eq!(read, (heads.len() as u64, (heads.len() + all.len()) as u64), "in pieces of {size}");
    }
}

#[tokio::test]
async fn a_later_redirect_is_followed() {
    let (heads, mut asked) = mpsc::unbounded_channel();
    let elsewhere = Server::start(move |_, mut conversation| {
        let heads = heads.clone();
        async move {
            loop {
                let head = conversation.head().await;
                if head.is_empty() {
                    return;
                }
                if head.starts_with("GET /there") {
                    conversation.answer("200 OK", "", &page(2, &[2])).await;
                } else if head.contains("after=a-1") {
                    conversation.answer("307 Temporary Redirect", "location: /there\r\n", "gone").await;
                } else {
                    conversation.answer("200 OK", "", &page(1, &[1])).await;
                }
                heads.send(head).unwrap();
            }
        }
    })
    .await;
    let url = format!("http://{}/here", elsewhere.addr);
    let seen = read(LongPoll, subscription(url, quick()), nth(2, is_event)).await;
    assert_eq!(seen.lines[2..], ["event a-1 tick \"1\"", "event a-2 tick \"2\""]);
    for path in ["/here?wait", "/here?after=a-1", "/there "] {
        // The question that was redirected may be asked once more, by HTTP.
        loop {
            let head = asked.recv().await.unwrap();
            if head.starts_with(&format!("GET {path}")) {
                break;
            }
        }
    }
}
