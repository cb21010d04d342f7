//! `GET /channels/{channel}/short-poll`: what is there now.
//!
//! The client asks on a timer and is answered at once, mostly with nothing. An event waits for the next
//! question: half an interval on average, a whole one at worst.

use axum::{extract::State as FromState, response::Response};

use super::{
    State,
    connection::OnConnection,
    polling,
    refusal::Refusal,
    request::{Query, Used},
};
use crate::transport::Transport;

/// Answers with the events after the client's cursor. Without one the client starts at the present, which
/// it is told.
pub(crate) async fn get(
    FromState(state): FromState<State>,
    connection: OnConnection,
    used: Used,
    query: Query,
) -> Result<Response, Refusal> {
    let after = query.after.unwrap_or_else(|| used.channel.head());
    let batch = used.channel.since(after, polling::limit(&query))?;
    polling::join(&state, &connection, &used, Transport::ShortPoll)?;
    Ok(polling::answer(&batch))
}
