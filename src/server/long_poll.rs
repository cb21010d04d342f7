//! `GET /channels/{channel}/long-poll`: what is there, as soon as there is something.
//!
//! The answer is held back until there is an event or the wait is over, so an event travels at once; but
//! each one costs a request, and until the next request arrives the client hears nothing. The cursor is
//! what makes that harmless: events of that moment are in the next answer.

use std::time::Duration;

use axum::{extract::State as FromState, response::Response};
use http::{HeaderValue, header};

use super::{
    State,
    connection::OnConnection,
    polling,
    refusal::Refusal,
    request::{Query, Used},
};
use crate::transport::Transport;

/// How long the server waits where the client does not say.
const DEFAULT_WAIT: Duration = Duration::from_secs(25);

/// Answers with the events after the client's cursor, waiting for the first one. Without a cursor the
/// client is told the present at once: had it to wait for an event to learn where it stands, all that
/// is published before its next request would be lost.
pub(crate) async fn get(
    FromState(state): FromState<State>,
    connection: OnConnection,
    used: Used,
    query: Query,
) -> Result<Response, Refusal> {
    polling::join(&state, &connection, &used, Transport::LongPoll)?;
    let Some(after) = query.after else {
        return Ok(polling::answer(&polling::nothing_after(used.channel.head())));
    };
    tokio::select! {
        biased;
        batch = used.channel.wait_after(after, polling::limit(&query)) => Ok(polling::answer(&batch?)),
        () = connection.0.cut.closed() => {
            let mut response = polling::answer(&polling::nothing_after(after));
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            Ok(response)
        }
        () = tokio::time::sleep(query.wait.unwrap_or(DEFAULT_WAIT)) => {
            Ok(polling::answer(&polling::nothing_after(after)))
        }
    }
}
