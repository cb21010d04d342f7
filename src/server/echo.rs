//! `GET /echo`: a WebSocket that sends every message back, for round trips and conformance suites.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State as FromState},
    response::Response,
};
use futures_util::{SinkExt as _, StreamExt as _};
use tungstenite::{Message, protocol::frame::coding::CloseCode};

use super::{
    State,
    connection::{Cut, OnConnection},
    refusal::Refusal,
    upgrade::{self, Socket, farewell, frame, verdict},
};

/// How long a client may say nothing. There is no heartbeat here: what a client receives is what it sent.
const IDLE: Duration = Duration::from_secs(5 * 60);

/// Upgrades and echoes.
pub(crate) async fn get(
    FromState(state): FromState<State>,
    connection: OnConnection,
    request: Request,
) -> Result<Response, Refusal> {
    let cut = Arc::clone(&connection.0.cut);
    upgrade::accept(&state, &connection, &request, |socket| echo(socket, cut))
}

async fn echo(mut socket: Socket, cut: Arc<Cut>) {
    let end = loop {
        let message = tokio::select! {
            () = cut.closed() => break Some(frame(CloseCode::Away, "the server ends")),
            () = tokio::time::sleep(IDLE) => break Some(frame(CloseCode::Normal, "nothing said for too long")),
            message = socket.next() => message,
        };
        match message {
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                // A peer that sends and never reads is given up by the same clock.
                let sent = tokio::select! {
                    sent = tokio::time::timeout(IDLE, socket.send(message)) => sent,
                    () = cut.closed() => return,
                };
                if !matches!(sent, Ok(Ok(()))) {
                    return;
                }
            }
            Some(Ok(Message::Close(_))) => break None,
            Some(Ok(_)) => {}
            Some(Err(error)) => match verdict(&error) {
                Some(frame) => break Some(frame),
                None => return,
            },
            None => return,
        }
    };
    farewell(socket, end).await;
}
