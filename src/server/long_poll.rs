//! `GET /channels/{channel}/long-poll`: what is there, as soon as there is something.
//!
//! The answer is held back until there is an event or the wait is over, so an event travels at once; but
//! each one costs a request, and until the next request arrives the client hears nothing. The cursor is
//! what makes that harmless: events of that moment are in the next answer.
//!
//! The plain way to wait is [`wait`], the one to read first. Usually a writer takes the socket over until the
//! answer is written, as it does with streams (`handover`): what waits then is a socket and a cursor, and no
//! HTTP connection with its buffers.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, HttpBody as _},
    extract::{Request, State as FromState},
    response::Response,
};
use http::{HeaderValue, Method, StatusCode, Version, header};

use super::{
    State,
    connection::{Cut, OnConnection},
    handover::{Format, Handed, Waits, departure::Departure},
    hosts::has_token,
    polling,
    refusal::{Refusal, json_response},
    request::{Query, Used},
};
use crate::{
    event::Cursor,
    feed::{Ahead, Channel, ReadLimit},
    transport::Transport,
};

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
    request: Request,
) -> Result<Response, Refusal> {
    polling::join(&state, &connection, &used, Transport::LongPoll)?;
    let Some(after) = query.after else {
        return Ok(polling::answer(&polling::nothing_after(used.channel.head())));
    };
    let limit = polling::limit(&query);
    let time = query.wait.unwrap_or(DEFAULT_WAIT);
    if let Some(gate) = &connection.0.gate
        && !state.config().plain
        && can_be_answered_later(&request)
    {
        let batch = used.channel.since(after, limit)?;
        if !batch.is_empty() {
            return Ok(polling::answer(&batch));
        }
        gate.if_held_back(Departure::Stream(Handed {
            waits: Some(Waits::new(limit, time)),
            ..Handed::new(used.channel, Format::LongPoll, after)
        }));
        return Ok(json_response(StatusCode::OK, Body::empty()));
    }
    Ok(wait(&used.channel, after, limit, time, &connection.0.cut).await?)
}

/// Waits for an event, for the end of the time, or for the connection's.
async fn wait(
    channel: &Arc<Channel>,
    after: Cursor,
    limit: ReadLimit,
    time: Duration,
    cut: &Cut,
) -> Result<Response, Ahead> {
    tokio::select! {
        biased;
        batch = channel.wait_after(after, limit) => Ok(polling::answer(&batch?)),
        () = cut.closed() => {
            let mut response = polling::answer(&polling::nothing_after(after));
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            Ok(response)
        }
        () = tokio::time::sleep(time) => Ok(polling::answer(&polling::nothing_after(after))),
    }
}

/// Whether the connection can go on after an answer that HTTP has no part in: what an older client, one
/// that closes, or one with a body to be read needs is best known to hyper. An answer to `HEAD` has no
/// body to wait for.
fn can_be_answered_later(request: &Request) -> bool {
    request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && request.body().is_end_stream()
        && !has_token(request.headers(), header::CONNECTION, "close")
}
