//! Publishing an event once, although the server may die before it answers.

use http::Method;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::{Control, ControlError, TRY_AGAIN_AFTER};
use crate::event::Gap;

/// What became of an event that was to be published once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Once {
    /// It is in the log, by this id.
    Acknowledged(String),
    /// The server died before it answered, and its log with it: some readers may have had the event.
    Unknown,
}

/// Where an event stands in a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    /// There, by this id.
    At(String),
    /// Nowhere behind the cursor.
    Nowhere,
    /// The log that the cursor belongs to is gone.
    LogGone,
}

impl Control {
    /// Publishes one event for as long as it takes; `None` where it was told to stop while the server was
    /// away. An answer may be lost with a server that took the event, so before it is tried again it is looked
    /// for behind `last`, the id of the one before. Where the log is gone too, it is not tried again: whoever
    /// had it would get it twice.
    pub async fn publish_once(
        &self,
        channel: &str,
        data: &str,
        last: Option<&str>,
        stop: &CancellationToken,
    ) -> Option<Once> {
        loop {
            let nothing_done = match self.publish(channel, data.to_owned()).await {
                Ok(id) => return Some(Once::Acknowledged(id)),
                Err(error) => error.nothing_done,
            };
            // The server is down, or going down. Whether it stays down is for the run to notice.
            loop {
                tokio::select! {
                    () = stop.cancelled() => return None,
                    () = tokio::time::sleep(TRY_AGAIN_AFTER) => {}
                }
                let Some(last) = last else { break };
                match self.find(channel, last, data).await {
                    Ok(Found::At(id)) => return Some(Once::Acknowledged(id)),
                    Ok(Found::LogGone) if !nothing_done => return Some(Once::Unknown),
                    Ok(Found::Nowhere | Found::LogGone) => break,
                    Err(_) => {}
                }
            }
        }
    }

    /// Whether an event of this data is in a channel behind a cursor.
    ///
    /// # Errors
    /// Where the server does not answer.
    async fn find(&self, channel: &str, after: &str, data: &str) -> Result<Found, ControlError> {
        #[derive(Deserialize)]
        struct Answer {
            gap: Option<Gap>,
            events: Vec<Event>,
        }
        #[derive(Deserialize)]
        struct Event {
            id: String,
            data: String,
        }
        let path = format!("channels/{channel}/short-poll");
        let query = format!("after={after}");
        let answer = self.ask_with(Method::GET, &path, Some(&query), None).await?;
        let answer: Result<Answer, _> = serde_json::from_slice(&answer);
        let answer = answer.map_err(|error| self.error(Method::GET, &path, error.to_string()))?;
        let event = answer.events.into_iter().find(|event| event.data == data);
        Ok(match event {
            Some(event) => Found::At(event.id),
            None if answer.gap.is_some() => Found::LogGone,
            None => Found::Nowhere,
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use url::Url;

    use super::*;

    /// A listening server, and requests to it.
    async fn server() -> (TcpListener, Control) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = Url::parse(&format!("http://{}/", listener.local_addr().expect("bound"))).expect("a URL");
        (listener, Control::new(base))
    }

    /// Takes one connection up and reads a request's head.
    async fn asked(listener: &TcpListener) -> (tokio::net::TcpStream, String) {
        let (mut tcp, _) = listener.accept().await.expect("a connection");
        let mut head = Vec::new();
        while !head.windows(4).any(|window| window == b"\r\n\r\n") {
            assert!(tcp.read_buf(&mut head).await.expect("a head") > 0);
        }
        (tcp, String::from_utf8(head).expect("text"))
    }

    async fn answer(mut tcp: tokio::net::TcpStream, body: &str) {
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        tcp.write_all(answer.as_bytes()).await.expect("written");
    }

    #[tokio::test]
    async fn an_event_whose_answer_was_lost_is_looked_for_behind_the_one_before() {
        let (listener, control) = server().await;
        let server = async {
            let (tcp, head) = asked(&listener).await;
            let event = r#"{"id":"a-8","type":"message","data":"26"}"#;
            answer(tcp, &format!(r#"{{"cursor":"a-8","gap":null,"events":[{event}]}}"#)).await;
            head
        };
        let (found, head) = tokio::join!(control.find("x", "a-7", "26"), server);
        assert_eq!(found.expect("an answer"), Found::At("a-8".to_owned()));
        // Without the cursor the server would begin at the present, where no event is found.
        assert!(head.starts_with("GET /channels/x/short-poll?after=a-7 HTTP/1.1\r\n"), "{head}");
    }

    #[tokio::test]
    async fn an_event_that_died_with_a_server_and_its_log_is_not_published_again() {
        let (listener, control) = server().await;
        let server = async {
            let (tcp, head) = asked(&listener).await;
            assert!(head.starts_with("POST "), "{head}");
            drop(tcp);
            let (tcp, head) = asked(&listener).await;
            assert!(head.starts_with("GET "), "it is looked for before it is tried again: {head}");
            answer(tcp, r#"{"cursor":"b-0","gap":{"missed":null,"reason":"restarted"},"events":[]}"#).await;
        };
        let stop = CancellationToken::new();
        let (once, ()) = tokio::join!(control.publish_once("x", "26", Some("a-7"), &stop), server);
        assert_eq!(once, Some(Once::Unknown));
    }

    #[tokio::test]
    async fn an_event_that_was_refused_is_published_again() {
        let (listener, control) = server().await;
        let server = async {
            let (mut tcp, _) = asked(&listener).await;
            let refusal =
                "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
            tcp.write_all(refusal.as_bytes()).await.expect("written");
            drop(tcp);
            let (tcp, _) = asked(&listener).await;
            answer(tcp, r#"{"cursor":"b-0","gap":{"missed":null,"reason":"restarted"},"events":[]}"#).await;
            let (tcp, head) = asked(&listener).await;
            assert!(head.starts_with("POST "), "{head}");
            answer(tcp, r#"{"id":"b-1"}"#).await;
        };
        let stop = CancellationToken::new();
        let (once, ()) = tokio::join!(control.publish_once("x", "26", Some("a-7"), &stop), server);
        assert_eq!(once, Some(Once::Acknowledged("b-1".to_owned())));
    }
}
