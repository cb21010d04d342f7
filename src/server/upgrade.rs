//! From an HTTP request to a WebSocket (RFC 6455, 4.2), and from a WebSocket to its end.

use std::{future::Future, pin::pin, time::Duration};

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use futures_util::StreamExt as _;
use http::{HeaderValue, StatusCode, Version, header};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::oneshot,
};
use tokio_tungstenite::WebSocketStream;
use tungstenite::{
    Error,
    handshake::derive_accept_key,
    protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
};

use super::{
    State,
    config::Config,
    connection::{OnConnection, Wire},
    handover::{Handed, departure::Departure},
    hosts::wants_websocket,
    refusal::Refusal,
};

/// The server's end of a WebSocket.
pub(crate) type Socket = WebSocketStream<Wire>;

/// How long the peer has to answer our close frame and close its side.
const FAREWELL: Duration = Duration::from_secs(1);

/// Its own default of 128 KiB is allocated for each connection at once, and zero-filled at each attempt
/// to read; what clients send here is small.
const READ_BUFFER_BYTES: usize = 4 << 10;

/// From this size on, what is fed is written without waiting for the flush. Above a wake-up's batch, so
/// that a batch is one write.
const WRITE_BUFFER_BYTES: usize = 128 << 10;

/// What a WebSocket's client may send, and what is kept for it.
pub(crate) fn protocol(config: &Config) -> WebSocketConfig {
    // A message is written whole however large it is: an event, of which a byte takes at most six in JSON,
    // or an echo.
    let largest = (6 * config.feed.bytes_per_channel).max(config.max_message_bytes);
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(WRITE_BUFFER_BYTES * 2 + largest)
        .max_message_size(Some(config.max_message_bytes))
        .max_frame_size(Some(config.max_message_bytes))
}

/// Checks the handshake, answers 101 and runs `session` in a task of its own once the protocol has changed.
pub(crate) fn accept<F, S>(
    state: &State,
    connection: &OnConnection,
    request: &Request,
    session: F,
) -> Result<Response, Refusal>
where
    F: FnOnce(Socket) -> S + Send + 'static,
    S: Future<Output = ()> + Send,
{
    let (give, upgraded) = oneshot::channel();
    let response = depart(connection, request, Departure::Session(give))?;
    let (protocol, silence) = (protocol(state.config()), state.config().silence);
    let cut = std::sync::Arc::clone(&connection.0.cut);
    connection.0.tasks.spawn(async move {
        let Ok((wire, leftover)) = upgraded.await else { return };
        let socket =
            WebSocketStream::from_partially_read(wire, leftover.into(), Role::Server, Some(protocol)).await;
        let mut session = pin!(session(socket));
        tokio::select! {
            biased;
            () = cut.killed() => cut.hold_if_silent(silence).await,
            () = session.as_mut() => {}
        }
    });
    Ok(response)
}

/// Checks the handshake, answers 101 and gives the connection to a writer once the protocol has changed.
pub(crate) fn hand_over(
    connection: &OnConnection,
    request: &Request,
    handed: Handed,
) -> Result<Response, Refusal> {
    depart(connection, request, Departure::Stream(handed))
}

fn depart(
    OnConnection(connection): &OnConnection,
    request: &Request,
    departure: Departure,
) -> Result<Response, Refusal> {
    let key = check(request)?;
    connection.stops_polling();
    if let Some(tap) = &connection.tap {
        tap.upgrades();
    }
    if let Some(gate) = &connection.gate {
        gate.after_upgrade(departure);
    }
    let headers = [
        (header::CONNECTION, HeaderValue::from_static("upgrade")),
        (header::UPGRADE, HeaderValue::from_static("websocket")),
    ];
    let mut response = (StatusCode::SWITCHING_PROTOCOLS, headers).into_response();
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.headers_mut().insert(header::SEC_WEBSOCKET_ACCEPT, key);
    Ok(response)
}

/// The value of `Sec-WebSocket-Accept`, if the request is a good handshake.
fn check(request: &Request) -> Result<HeaderValue, Refusal> {
    let headers = request.headers();
    if request.version() != Version::HTTP_11 || !wants_websocket(headers) {
        let message = "this address speaks WebSocket: open it with `new WebSocket(\"ws://…\")` or another WebSocket client";
        return Err(Refusal::new(StatusCode::UPGRADE_REQUIRED, message)
            .with(header::CONNECTION, HeaderValue::from_static("upgrade"))
            .with(header::UPGRADE, HeaderValue::from_static("websocket")));
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        let message = "unknown WebSocket version: send Sec-WebSocket-Version: 13";
        return Err(Refusal::new(StatusCode::UPGRADE_REQUIRED, message)
            .with(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")));
    }
    // Sixteen bytes in base64 are 24 characters, of which the last two fill up.
    let key = headers.get(header::SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes);
    match key {
        Some(key) if key.len() == 24 && key.ends_with(b"==") => {
            HeaderValue::from_str(&derive_accept_key(key))
                .map_err(|_| Refusal::bad_request("bad Sec-WebSocket-Key"))
        }
        _ => Err(Refusal::bad_request("bad Sec-WebSocket-Key: send 16 random bytes in base64")),
    }
}

/// How to end a WebSocket whose peer broke the rules; `None` where there is nobody to tell.
pub(crate) fn verdict(error: &Error) -> Option<CloseFrame> {
    let code = match error {
        Error::Capacity(_) => CloseCode::Size,
        Error::Utf8(_) => CloseCode::Invalid,
        Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => return None,
        Error::Protocol(_) => CloseCode::Protocol,
        _ => return None,
    };
    Some(frame(code, &error.to_string()))
}

/// A close frame whose reason fits: a control frame carries 125 bytes, two of them the code.
pub(crate) fn frame(code: CloseCode, reason: &str) -> CloseFrame {
    let mut end = reason.len().min(120);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    CloseFrame { code, reason: reason[..end].into() }
}

/// Ends a WebSocket in an orderly way: our close frame, the peer's, then FIN.
///
/// What the peer still sends is read and dropped, since a socket that is closed with unread data is
/// reset, and the reset may overtake the close frame.
pub(crate) async fn farewell(mut socket: Socket, frame: Option<CloseFrame>) {
    let end = async {
        if let Some(frame) = frame {
            socket.close(Some(frame)).await.ok()?;
        }
        while let Some(Ok(_)) = socket.next().await {}
        let raw = socket.get_mut();
        raw.shutdown().await.ok()?;
        let mut discarded = [0_u8; 1024];
        while raw.read(&mut discarded).await.ok()? > 0 {}
        Some(())
    };
    let _ = tokio::time::timeout(FAREWELL, end).await;
}
