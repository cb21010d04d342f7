//! Publishing in a target's own way.

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tungstenite::protocol::Message;
use url::Url;

use super::{Described, Program, fill::fill};

/// The most that an answer may hold.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// The way to publish to a target.
#[derive(Debug)]
pub struct Publishing {
    described: std::sync::Arc<Described>,
    means: Means,
}

#[derive(Debug)]
enum Means {
    Request { url: Url, method: Method, http: Box<Client<HttpConnector, Full<Bytes>>> },
    Socket { url: Url, socket: Option<Box<WebSocketStream<MaybeTlsStream<TcpStream>>>> },
}

impl Publishing {
    /// The way of this target on this channel; `None` where it publishes by itself.
    pub fn to(program: &Program, channel: &str) -> Option<Self> {
        let described = std::sync::Arc::clone(program.described());
        let publish = &described.description.publish;
        let means = if let Some(url) = &publish.websocket {
            let mut url = program.url(url, channel, None);
            // Paths are relative to an http base.
            let _ = url.set_scheme("ws");
            Means::Socket { url, socket: None }
        } else {
            let url = program.url(publish.url.as_ref()?, channel, None);
            let method = Method::from_bytes(publish.method.as_bytes()).unwrap_or(Method::POST);
            let mut connector = HttpConnector::new();
            connector.set_nodelay(true);
            let http = Box::new(Client::builder(TokioExecutor::new()).build(connector));
            Means::Request { url, method, http }
        };
        Some(Publishing { described, means })
    }

    /// Publishes an event with this data: acknowledged by the request's answer, or sent by the WebSocket, which
    /// acknowledges nothing.
    ///
    /// # Errors
    /// A sentence: why it was not.
    pub async fn publish(&mut self, data: &str) -> Result<(), String> {
        let publish = &self.described.description.publish;
        let json = crate::encoding::json(&data);
        let body = fill(&publish.body, &[("data", data), ("json", &json)]);
        match &mut self.means {
            Means::Request { url, method, http } => {
                let request = Request::builder()
                    .method(&*method)
                    .uri(url.as_str())
                    .header(header::CONTENT_TYPE, &publish.content_type)
                    .body(Full::new(Bytes::from(body)))
                    .map_err(|error| format!("{method} {url}: {error}"))?;
                let answer =
                    http.request(request).await.map_err(|error| format!("{method} {url}: {error}"))?;
                let status = answer.status();
                let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect().await;
                body.map_err(|error| format!("{method} {url}: {error}"))?;
                if status.is_success() { Ok(()) } else { Err(format!("{method} {url}: {status}")) }
            }
            Means::Socket { url, socket } => {
                let open = match socket {
                    Some(open) => open,
                    None => {
                        let (made, _) = tokio_tungstenite::connect_async(url.as_str())
                            .await
                            .map_err(|error| format!("{url}: {error}"))?;
                        socket.insert(Box::new(made))
                    }
                };
                let sent = async {
                    // What the server sends meanwhile, such as our own events, must not fill its buffers.
                    while let Some(Some(Ok(_))) = futures_util::FutureExt::now_or_never(open.next()) {}
                    open.send(Message::text(body)).await
                };
                if let Err(error) = sent.await {
                    *socket = None;
                    return Err(format!("{url}: {error}"));
                }
                Ok(())
            }
        }
    }
}
