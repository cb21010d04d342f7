//! What short poll and long poll share: an answer is a batch of the log as JSON.

use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;

use super::{
    State,
    connection::OnConnection,
    refusal::{Refusal, json_response},
    request::{Query, Used},
};
use crate::{
    encoding,
    event::Cursor,
    feed::{Batch, ReadLimit},
    transport::Transport,
};

/// Events in an answer where the client does not say.
const DEFAULT_LIMIT: usize = 1_000;

/// Bytes of data in an answer: more than a stream's batch, as the next answer is a whole interval away.
const MAX_BYTES: usize = 1 << 20;

/// How much one answer holds at most.
pub(super) fn limit(query: &Query) -> ReadLimit {
    ReadLimit { events: query.limit.unwrap_or(DEFAULT_LIMIT), bytes: MAX_BYTES }
}

/// Counts the connection among the channel's readers.
pub(super) fn join(
    state: &State,
    connection: &OnConnection,
    used: &Used,
    transport: Transport,
) -> Result<(), Refusal> {
    connection.0.polls(state.readers(), &used.name, transport).map_err(|full| Refusal::busy(full.to_string()))
}

/// The answer to a poll: `{"cursor","gap","events"}`. The events' JSON is made once for all readers, so it
/// is only joined here.
pub(super) fn answer(batch: &Batch) -> Response {
    json_response(StatusCode::OK, Bytes::from(body(batch)))
}

/// The same without what HTTP adds.
pub(super) fn body(batch: &Batch) -> Vec<u8> {
    let events: usize = batch.entries.iter().map(|entry| entry.json().len() + 1).sum();
    let mut body = Vec::with_capacity(events + 96);
    body.extend_from_slice(b"{\"cursor\":");
    body.extend_from_slice(encoding::json(&batch.cursor).as_bytes());
    body.extend_from_slice(b",\"gap\":");
    body.extend_from_slice(encoding::json(&batch.gap).as_bytes());
    body.extend_from_slice(b",\"events\":[");
    for (index, entry) in batch.entries.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(entry.json());
    }
    body.extend_from_slice(b"]}");
    body
}

/// What a poller is told to whom there is nothing to tell.
pub(super) fn nothing_after(cursor: Cursor) -> Batch {
    Batch { gap: None, start: cursor, entries: Vec::new(), cursor }
}
