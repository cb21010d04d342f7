//! A reader's other direction: frames on its WebSocket, and requests beside it.

#![allow(clippy::unwrap_used, reason = "a test that panics has said so")]

mod client_support;

use std::sync::Arc;

use client_support::{Conversation, PATIENCE, Server, context, header, run, subscription};
use futures_util::{SinkExt as _, StreamExt as _};
use pushlab::client::{Cause, Policy, publish};
use tokio::{io::AsyncReadExt as _, net::TcpStream};
use tokio_tungstenite::WebSocketStream;
use tungstenite::{Message, handshake::derive_accept_key, protocol::Role};

async fn accept(mut conversation: Conversation) -> WebSocketStream<TcpStream> {
    let head = conversation.head().await;
    let accept = derive_accept_key(header(&head, "sec-websocket-key").unwrap().as_bytes());
    conversation
        .send(format!(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accept}\r\n\r\n"
        ))
        .await;
    WebSocketStream::from_raw_socket(conversation.stream, Role::Server, None).await
}

/// A request's body, by its length.
async fn body(conversation: &mut Conversation, head: &str) -> String {
    let mut body = vec![0; header(head, "content-length").unwrap().parse().unwrap()];
    conversation.stream.read_exact(&mut body).await.unwrap();
    String::from_utf8(body).unwrap()
}

#[tokio::test]
async fn frames_share_the_readers_connection_and_are_counted_to_the_byte() {
    let server = Server::start(|_, conversation| async move {
        let mut socket = accept(conversation).await;
        for answer in [r#"{"published":{"id":"a-1"}}"#, r#"{"error":"too fast"}"#] {
            let asked = socket.next().await.unwrap().unwrap().into_text().unwrap();
            assert!(asked.starts_with(r#"{"publish":{"data":""#), "{asked}");
            // Events in between are nobody's answer.
            socket.send(Message::text(r#"{"id":"a-1","type":"message","data":"x"}"#)).await.unwrap();
            socket.send(Message::text(answer)).await.unwrap();
        }
        // The third message is never answered.
        let _ = socket.next().await;
        socket.close(None).await.unwrap();
        while socket.next().await.is_some() {}
    })
    .await;
    let url = format!("ws://{}/x", server.addr);
    let (reader, mut publisher) = publish::websocket(subscription(url, Policy::default()));
    let reading = tokio::spawn(run(reader, context(), |_| false));
    let publishing = async {
        let first = publisher.publish("x\"y").await.unwrap();
        let text = r#"{"publish":{"data":"x\"y"}}"#;
        assert_eq!(first.bytes_out, 2 + 4 + text.len() as u64, "header, mask, text");
        assert_eq!(first.bytes_in, 2 + r#"{"published":{"id":"a-1"}}"#.len() as u64);
        let refused = publisher.publish("again").await;
        assert_eq!(refused, Err(Cause::Refused("too fast".to_owned())));
        let lost = publisher.publish("more").await;
        assert!(matches!(lost, Err(Cause::Closed(Some(_)))), "{lost:?}");
        let gone = publisher.publish("nobody is there").await;
        assert!(gone.is_err());
    };
    tokio::time::timeout(PATIENCE, publishing).await.unwrap();
    let seen = reading.await.unwrap();
    let events = seen.lines.iter().filter(|line| line.starts_with("event")).count();
    assert_eq!(events, 2, "answers are no events: {:?}", seen.lines);
}

#[tokio::test]
async fn posts_keep_their_connection_and_make_a_new_one_where_it_is_lost() {
    let server = Server::start(|number, mut conversation| async move {
        for status in ["201 Created", "429 Too Many Requests", "201 Created"] {
            let head = conversation.head().await;
            if head.is_empty() {
                return;
            }
            assert!(head.starts_with("POST /channels/a/events HTTP/1.1\r\n"), "{head}");
            assert_eq!(header(&head, "content-type").as_deref(), Some("application/json"));
            assert_eq!(body(&mut conversation, &head).await, r#"{"data":"x"}"#);
            if number == 1 {
                return conversation.reset();
            }
            conversation.answer(status, "", r#"{"id":"a-1"}"#).await;
        }
    })
    .await;
    let context = context();
    let meter = Arc::clone(&context.meter);
    let url = format!("http://{}/channels/a/events", server.addr).parse().unwrap();
    let mut publisher = publish::post(url, context).await.unwrap();
    assert_eq!((meter.totals().connections, meter.totals().requests), (1, 0), "connected beforehand");
    let first = publisher.publish("x").await.unwrap();
    let totals = meter.totals();
    assert_eq!((first.bytes_out, first.bytes_in), (totals.application_out, totals.application_in));
    assert_eq!(totals.application_out - totals.heads_out, r#"{"data":"x"}"#.len() as u64);
    let refused = publisher.publish("x").await.unwrap_err();
    assert!(matches!(refused, Cause::Refused(_)), "{refused:?}");
    // After a refusal it starts anew, and there the connection breaks.
    publisher.publish("x").await.unwrap_err();
    publisher.publish("x").await.unwrap();
    assert_eq!(meter.totals().connections, 3);
    publisher.close().await;
}
