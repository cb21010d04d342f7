//! A WebSocket to a student's server.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};
use tokio_tungstenite::WebSocketStream;
use tungstenite::{Error, Message, error::ProtocolError, protocol::WebSocketConfig};

use super::http::{Place, Trouble};

const OPENS_WITHIN: Duration = Duration::from_secs(8);
const MESSAGE_BYTES: usize = 1024 * 1024;

/// An open socket.
#[derive(Debug)]
pub(super) struct Socket {
    inner: WebSocketStream<TcpStream>,
}

/// What came of waiting for a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping, which has been answered.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// A close frame, with its code.
    Close(Option<u16>),
    /// The connection ended without one.
    End,
    /// Nothing within the time.
    Quiet,
}

impl Socket {
    /// Opens a socket at a path such as `/ws`.
    pub(super) async fn open(place: &Place, path: &str) -> Result<Self, Trouble> {
        let stream = place.connect().await?;
        let url = format!("ws://{}{path}", place.host());
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES))
            .max_frame_size(Some(MESSAGE_BYTES))
            .max_write_buffer_size(4 * MESSAGE_BYTES);
        let opening = tokio_tungstenite::client_async_with_config(&url, stream, Some(config));
        match timeout(OPENS_WITHIN, opening).await {
            Ok(Ok((inner, _))) => Ok(Socket { inner }),
            Ok(Err(Error::Http(answer))) => {
                Err(Trouble::new(format!("{url}: answered {} and not 101", answer.status().as_u16())))
            }
            Ok(Err(error)) => Err(Trouble::new(format!("{url}: the handshake failed: {error}"))),
            Err(_) => Err(Trouble::new(format!("{url}: no handshake within {} s", OPENS_WITHIN.as_secs()))),
        }
    }

    /// Sends a message.
    pub(super) async fn send(&mut self, message: Message) -> Result<(), Trouble> {
        let failed = |error: String| Trouble::new(format!("a message could not be sent: {error}"));
        match timeout(OPENS_WITHIN, self.inner.send(message)).await {
            Ok(sent) => sent.map_err(|error| failed(error.to_string())),
            Err(_) => Err(failed(format!("it was not taken within {} s", OPENS_WITHIN.as_secs()))),
        }
    }

    /// Sends several messages or frames by one write, as far as the system takes them.
    pub(super) async fn send_at_once(&mut self, messages: Vec<Message>) -> Result<(), Trouble> {
        let failed = |error: String| Trouble::new(format!("messages could not be sent: {error}"));
        let sending = async {
            for message in messages {
                self.inner.feed(message).await?;
            }
            self.inner.flush().await
        };
        match timeout(OPENS_WITHIN, sending).await {
            Ok(sent) => sent.map_err(|error| failed(error.to_string())),
            Err(_) => Err(failed(format!("they were not taken within {} s", OPENS_WITHIN.as_secs()))),
        }
    }

    /// Goes away without a goodbye.
    pub(super) fn reset(self) {
        // Where it is not possible, the connection is closed, which is a going away too.
        let _ = self.inner.get_ref().set_zero_linger();
    }

    /// The next frame or message of any sort.
    pub(super) async fn hear(&mut self, within: Duration) -> Result<Heard, Trouble> {
        self.hear_until(Instant::now() + within).await
    }

    /// The next message of text or bytes, an end or quiet; pings and pongs are passed over.
    pub(super) async fn message(&mut self, within: Duration) -> Result<Heard, Trouble> {
        let deadline = Instant::now() + within;
        loop {
            match self.hear_until(deadline).await? {
                Heard::Ping(_) | Heard::Pong(_) if Instant::now() < deadline => {}
                Heard::Ping(_) | Heard::Pong(_) => return Ok(Heard::Quiet),
                heard => return Ok(heard),
            }
        }
    }

    async fn hear_until(&mut self, deadline: Instant) -> Result<Heard, Trouble> {
        let Ok(next) = timeout_at(deadline, self.inner.next()).await else { return Ok(Heard::Quiet) };
        Ok(match next {
            None
            | Some(Err(
                Error::ConnectionClosed
                | Error::AlreadyClosed
                | Error::Io(_)
                | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake),
            )) => Heard::End,
            Some(Err(error)) => {
                return Err(Trouble::new(format!("what came is no WebSocket message: {error}")));
            }
            Some(Ok(Message::Text(text))) => Heard::Text(text.to_string()),
            Some(Ok(Message::Binary(bytes))) => Heard::Binary(bytes.to_vec()),
            Some(Ok(Message::Ping(bytes))) => Heard::Ping(bytes.to_vec()),
            Some(Ok(Message::Pong(bytes))) => Heard::Pong(bytes.to_vec()),
            Some(Ok(Message::Close(frame))) => Heard::Close(frame.map(|frame| frame.code.into())),
            Some(Ok(Message::Frame(_))) => Heard::Quiet,
        })
    }
}
