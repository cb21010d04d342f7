//! The WebSocket client, bare and with the extra code.

#![allow(clippy::unwrap_used, reason = "a test that panics has said so")]

mod client_support;

use std::time::{Duration, Instant};

use client_support::{
    Conversation, PATIENCE, Server, context, fixed, header, is_event, nth, read, run, subscription,
};
use futures_util::{SinkExt as _, StreamExt as _};
use pushlab::{
    client::{Cause, End, Policy, subscriber},
    transport::Transport::WebSocket,
};
use tokio::{net::TcpStream, sync::mpsc};
use tokio_tungstenite::WebSocketStream;
use tungstenite::{
    Message,
    handshake::derive_accept_key,
    protocol::{CloseFrame, Role, frame::coding::CloseCode},
};

/// Answers the handshake, and gives back its request beside the stream.
async fn accept(mut conversation: Conversation) -> (String, WebSocketStream<TcpStream>) {
    let head = conversation.head().await;
    let key = header(&head, "sec-websocket-key").unwrap();
    let accept = derive_accept_key(key.as_bytes());
    conversation
        .send(format!(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accept}\r\n\r\n"
        ))
        .await;
    (head, WebSocketStream::from_raw_socket(conversation.stream, Role::Server, None).await)
}

fn event(id: &str, data: &str) -> Message {
    Message::text(format!(r#"{{"id":"{id}","type":"message","data":"{data}"}}"#))
}

#[tokio::test]
async fn bare_it_tells_what_came_and_ends_with_its_connection() {
    let server = Server::start(|_, conversation| async move {
        let (_, mut socket) = accept(conversation).await;
        for message in [
            Message::text(r#"{"cursor":"a-1"}"#),
            event("a-2", "x"),
            Message::text(r#"{"gap":{"missed":null,"reason":"restarted"}}"#),
            Message::text("plain"),
            Message::binary(&b"bin\xff"[..]),
            Message::text(r#"{"published":{"id":"a-3"}}"#),
            Message::text(r#"{"cursor":"not the first"}"#),
            Message::text(r#"{"error":"too fast"}"#),
        ] {
            socket.send(message).await.unwrap();
        }
        let close = CloseFrame { code: CloseCode::Away, reason: "restart".into() };
        socket.close(Some(close)).await.unwrap();
        let answer = socket.next().await;
        assert!(matches!(answer, Some(Ok(Message::Close(_)))), "{answer:?}");
    })
    .await;
    let seen =
        read(WebSocket, subscription(format!("ws://{}/x", server.addr), Policy::default()), |_| false).await;
    assert_eq!(
        seen.lines,
        [
            "connecting 1",
            "open",
            "event a-2 message \"x\"",
            "gap None Restarted",
            "event - message \"plain\"",
            "event - message \"bin\u{fffd}\"",
            "event - message \"{\\\"cursor\\\":\\\"not the first\\\"}\"",
            "event - error \"too fast\"",
            "closed: closed by the server: 1001 restart",
        ]
    );
    assert_eq!(seen.end, End::Finished, "an orderly close");
    assert_eq!((seen.totals.connections, seen.totals.requests), (1, 1));
}

#[tokio::test]
async fn bare_it_fails_when_the_connection_breaks() {
    for reset in [true, false] {
        let server = Server::start(move |_, conversation| async move {
            let (_, mut socket) = accept(conversation).await;
            socket.send(event("a-1", "x")).await.unwrap();
            // A RST overtakes what was not read yet: the client has answered first.
            socket.send(Message::Ping("p".into())).await.unwrap();
            assert!(matches!(socket.next().await, Some(Ok(Message::Pong(_)))));
            if reset {
                socket.into_inner().set_zero_linger().unwrap();
            }
        })
        .await;
        let url = format!("http://{}/x", server.addr);
        let seen = read(WebSocket, subscription(url, Policy::default()), |_| false).await;
        assert!(matches!(seen.end, End::Failed(Cause::Broken(_))), "{seen:?}");
        assert_eq!(seen.lines[2], "event a-1 message \"x\"");
    }
}

#[tokio::test]
async fn with_the_extra_code_it_returns_to_where_it_stood() {
    for (resume, after) in [(true, ["", "?after=a-1", "?after=a-2"]), (false, ["", "", ""])] {
        let (heads, mut asked) = mpsc::unbounded_channel();
        let server = Server::start(move |number, conversation| {
            let heads = heads.clone();
            async move {
                let (head, mut socket) = accept(conversation).await;
                heads.send(head).unwrap();
                socket.send(Message::text(r#"{"cursor":"a-1"}"#)).await.unwrap();
                if number > 0 {
                    socket.send(event("a-2", "x")).await.unwrap();
                }
                // Until the client has read all that: then the connection breaks off.
                socket.send(Message::Ping("p".into())).await.unwrap();
                socket.next().await;
            }
        })
        .await;
        let policy = Policy { resume, ..fixed(1) };
        let url = format!("ws://{}/x", server.addr);
        let seen = read(WebSocket, subscription(url, policy), nth(2, is_event)).await;
        assert_eq!(seen.lines.iter().filter(|line| *line == "open").count(), 3);
        assert_eq!(seen.lines.iter().filter(|line| *line == "connecting 1").count(), 3);
        for after in after {
            let head = asked.recv().await.unwrap();
            assert!(head.starts_with(&format!("GET /x{after} HTTP/1.1\r\n")), "{head}");
        }
    }
}

#[tokio::test]
async fn any_answer_but_101_fails_the_handshake_and_is_tried_again_where_the_page_does() {
    const ANSWERS: [(&str, &str); 6] = [
        ("503 Service Unavailable", "retry-after: 3600\r\n"),
        ("400 Bad Request", ""),
        ("307 Temporary Redirect", "location: /\r\n"),
        ("204 No Content", ""),
        ("200 OK", "content-type: text/html\r\n"),
        ("500 Internal Server Error", ""),
    ];
    let server = || {
        Server::start(|number, mut conversation| async move {
            match ANSWERS.get(number) {
                Some((status, headers)) => {
                    conversation.head().await;
                    conversation.answer(status, headers, r#"{"error":"not now"}"#).await;
                    conversation.linger().await;
                }
                None => drop(accept(conversation).await),
            }
        })
    };
    let (persistent, bare) = (server().await, server().await);
    let url = format!("ws://{}/", persistent.addr);
    let seen = read(WebSocket, subscription(url, fixed(1)), |line| line == "open").await;
    let closed: Vec<_> = seen.lines.iter().filter(|line| line.starts_with("closed")).collect();
    assert_eq!(closed.len(), ANSWERS.len(), "{closed:?}");
    for ((status, _), closed) in ANSWERS.iter().zip(closed) {
        assert!(closed.contains(status), "{closed}");
    }
    let url = format!("ws://{}/", bare.addr);
    let seen = read(WebSocket, subscription(url, Policy::default()), |_| false).await;
    assert!(matches!(seen.end, End::Failed(Cause::Refused(_))), "{:?}", seen.end);
    assert_eq!(seen.totals.requests, 1, "it gives up at the first");
}

#[tokio::test]
async fn an_ordinary_web_server_is_told_from_a_websocket() {
    let server = Server::start(|_, mut conversation| async move {
        conversation.head().await;
        conversation.answer("200 OK", "", "hello").await;
        conversation.linger().await;
    })
    .await;
    let url = format!("ws://{}/", server.addr);
    let seen = read(WebSocket, subscription(url, Policy::default()), |_| false).await;
    assert!(matches!(seen.end, End::Failed(Cause::Refused(_))), "{:?}", seen.end);
}

#[tokio::test]
async fn pings_are_answered_and_break_the_silence() {
    // Wide of the pings' 10 ms, for machines that are busy with other things.
    const LIMIT: Duration = Duration::from_secs(1);
    let server = Server::start(|_, conversation| async move {
        let (_, mut socket) = accept(conversation).await;
        // For longer than the limit.
        let start = Instant::now();
        while start.elapsed() < LIMIT * 5 / 4 {
            socket.send(Message::Ping("p".into())).await.unwrap();
            assert!(matches!(socket.next().await, Some(Ok(Message::Pong(_)))));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        socket.send(event("a-1", "x")).await.unwrap();
        // Silent from here.
        tokio::time::sleep(PATIENCE).await;
    })
    .await;
    let policy = Policy { quiet_limit: Some(LIMIT), ..Policy::default() };
    let seen = read(WebSocket, subscription(format!("ws://{}/", server.addr), policy), |_| false).await;
    assert_eq!(seen.lines[2..], ["event a-1 message \"x\"", "closed: silent for 1000 ms"]);
    assert_eq!(seen.end, End::Failed(Cause::Silent(LIMIT)));
}

#[tokio::test]
async fn told_to_stop_it_says_goodbye() {
    let (goodbyes, mut told) = mpsc::unbounded_channel();
    let server = Server::start(move |_, conversation| {
        let goodbyes = goodbyes.clone();
        async move {
            let (_, mut socket) = accept(conversation).await;
            socket.send(event("a-1", "x")).await.unwrap();
            while let Some(message) = socket.next().await {
                goodbyes.send(message.unwrap()).unwrap();
            }
        }
    })
    .await;
    let context = context();
    let stop = context.stop.clone();
    let client = subscriber(WebSocket, subscription(format!("ws://{}/", server.addr), Policy::default()));
    let seen = run(client, context, |line| {
        if is_event(line) {
            stop.cancel();
        }
        false
    })
    .await;
    assert_eq!(seen.end, End::Stopped);
    assert!(matches!(told.recv().await, Some(Message::Close(_))));
}

#[tokio::test]
async fn a_message_beyond_all_bounds_ends_it() {
    let server = Server::start(|_, conversation| async move {
        let (_, socket) = accept(conversation).await;
        let mut stream = socket.into_inner();
        // The head alone of a text frame of 4 GiB.
        let head = [&[0x81, 127][..], &(4_u64 << 30).to_be_bytes()].concat();
        tokio::io::AsyncWriteExt::write_all(&mut stream, &head).await.unwrap();
        Conversation { stream }.linger().await;
    })
    .await;
    let seen = read(WebSocket, subscription(format!("ws://{}/", server.addr), fixed(1)), |_| false).await;
    let End::Failed(Cause::Refused(why)) = seen.end else { panic!("{:?}", seen.end) };
    assert!(why.contains("larger than"), "{why}");
}
