//! `POST /channels/{channel}/disconnect`: cut readers, to see what they do about it.

use std::time::Duration;

use axum::{body::Body, extract::State as FromState, response::Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::{
    State,
    connection::{Kill, OnConnection},
    refusal::{Refusal, json_response},
    request::{self, Named},
};
use crate::{encoding, transport::Transport};

/// What to cut, and how.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    /// Readers of this transport only.
    #[serde(default)]
    transport: Option<Transport>,
    how: How,
    /// When, from now. Meanwhile the order holds its connection, so that a page whose browser would send
    /// order and polls over the same one, which is spared, polls over another.
    #[serde(default)]
    delay_ms: u64,
}

/// The longest delay of an order.
const MAX_DELAY_MS: u64 = 60_000;

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum How {
    /// In an orderly way: the last chunk, a close frame, an empty answer; then FIN.
    Close,
    /// At once, with RST.
    Reset,
    /// Nothing passes any more and nobody is told; after a minute it is a reset.
    Silence,
}

/// Cuts the channel's readers and says how many there were. The connection that the order came by is
/// spared, since it carries the answer.
pub(crate) async fn post(
    FromState(state): FromState<State>,
    OnConnection(connection): OnConnection,
    Named(name): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let shape = "{\"how\": \"close\", \"reset\" or \"silence\"}, with \"transport\" for the readers of one only and \"delay_ms\" for later";
    let order: Order = request::json(&state, &headers, body, shape).await?;
    if order.delay_ms > MAX_DELAY_MS {
        return Err(Refusal::bad_request(format!(
            "bad delay_ms {}: use 0 to {MAX_DELAY_MS}",
            order.delay_ms
        )));
    }
    connection.stops_polling();
    if order.delay_ms > 0 {
        tokio::select! {
            () = connection.cut.closed() => {}
            () = tokio::time::sleep(Duration::from_millis(order.delay_ms)) => {}
        }
    }
    let readers = state.readers().take(&name, order.transport);
    for reader in &readers {
        match order.how {
            How::Close => reader.close(),
            How::Reset => reader.kill(Kill::Reset),
            How::Silence => reader.kill(Kill::Silence),
        }
    }
    tracing::info!(channel = %name, how = ?order.how, cut = readers.len(), "readers cut");
    Ok(json_response(StatusCode::OK, encoding::json(&serde_json::json!({ "cut": readers.len() }))))
}
