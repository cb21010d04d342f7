//! From an HTTP request to a WebSocket (RFC 6455, 4.2), and from a WebSocket to its end.

use std::{future::Future, pin::pin, time::Duration};

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use futures_util::StreamExt as _;
use http::{HeaderValue, StatusCode, Version, header};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::WebSocketStream;
use tungstenite::{
    Error,
    handshake::derive_accept_key,
    protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
};

use super::{State, connection::OnConnection, hosts::wants_websocket, refusal::Refusal};

/// The server's end of a WebSocket.
pub(crate) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// How long the peer has to answer our close frame and close its side.
const FAREWELL: Duration = Duration::from_secs(1);

/// Its own default of 128 KiB is allocated for each connection at once, and zero-filled at each attempt
/// to read; what clients send here is small.
const READ_BUFFER_BYTES: usize = 4 << 10;

/// From this size on, what is fed is written without waiting for the flush. Above a wake-up's batch, so
/// that a batch is one write.
const WRITE_BUFFER_BYTES: usize = 128 << 10;

/// Checks the handshake, answers 101 and runs `session` once the protocol has changed.
pub(crate) fn accept<F, S>(
    state: &State,
    OnConnection(connection): OnConnection,
    mut request: Request,
    session: F,
) -> Result<Response, Refusal>
where
    F: FnOnce(Socket) -> S + Send + 'static,
    S: Future<Output = ()> + Send,
{
    let key = check(&request)?;
    let upgrade = hyper::upgrade::on(&mut request);
    // A message is written whole however large it is: an event, of which a byte takes at most six in JSON,
    // or an echo.
    let largest = (6 * state.config().feed.bytes_per_channel).max(state.config().max_message_bytes);
    let protocol = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(WRITE_BUFFER_BYTES * 2 + largest)
        .max_message_size(Some(state.config().max_message_bytes))
        .max_frame_size(Some(state.config().max_message_bytes));
    let silence = state.config().silence;
    connection.stops_polling();
    if let Some(tap) = &connection.tap {
        tap.upgrades();
    }
    let cut = std::sync::Arc::clone(&connection.cut);
    connection.tasks.spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        let io = TokioIo::new(upgraded);
        let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(protocol)).await;
        let mut session = pin!(session(socket));
        tokio::select! {
            biased;
            () = cut.killed() => cut.hold_if_silent(silence).await,
            () = session.as_mut() => {}
        }
    });
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
