//! `GET /channels/{channel}/sse`: one answer that never ends, in the `text/event-stream` format.
//!
//! The plain way is [`EventStream`], a body that is pulled by hyper: it is asked for its next piece only when
//! there is room to write one. A reader that does not read is therefore not read for, and costs its cursor
//! and one batch. It is what `server --plain` does, and the one to read first; usually a writer takes the
//! socket over once hyper has written the answer's head and the opening (`handover`).

use std::{convert::Infallible, pin::Pin, sync::Arc};

use axum::{
    body::Body,
    extract::{Request, State as FromState},
    response::{IntoResponse, Response},
};
use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::{Stream, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Version, header};
use http_body_util::StreamBody;
use hyper::body::Frame;
use tokio::time::{Duration, Instant, Sleep, sleep_until};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::{
    State,
    connection::OnConnection,
    handover::{Format, Handed, departure::Opening},
    readers::Reader,
    refusal::Refusal,
    request::{Query, Used},
};
use crate::{
    encoding,
    event::Cursor,
    feed::{Batch, Follower},
    transport::Transport,
};

/// Streams the events after the reader's cursor. The `Last-Event-ID` header wins over `after`: a browser
/// that reconnects sends both, and `after` is from when the page was loaded.
pub(crate) async fn get(
    FromState(state): FromState<State>,
    OnConnection(connection): OnConnection,
    used: Used,
    query: Query,
    request: Request,
) -> Result<Response, Refusal> {
    let headers = request.headers();
    let after = last_event_id(headers)?.or(query.after);
    let follower = used.channel.follow(after, state.config().write_batch)?;
    connection.stops_polling();
    let reader = state
        .readers()
        .join(&used.name, Transport::Sse, Arc::clone(&connection.cut))
        .map_err(|full| Refusal::busy(full.to_string()))?;
    let retry = (!query.without_retry).then_some(state.config().retry);
    if let Some(gate) = &connection.gate
        && !state.config().plain
        // Without chunks, as to an older client, the stream is the connection's rest: hyper knows how.
        && request.version() == Version::HTTP_11
    {
        let cursor = follower.cursor();
        let handed = Handed { reader: Some(reader), ..Handed::new(used.channel, Format::Sse, cursor) };
        let opening = opening(retry, cursor);
        return Ok(answer(Body::new(Opening::new(opening, Arc::clone(gate), handed))));
    }
    let heartbeat = state.config().heartbeat;
    let events = EventStream {
        opening: Some(retry),
        follower,
        heartbeat,
        silent_at: Box::pin(sleep_until(Instant::now() + heartbeat)),
        wrote_at: Instant::now(),
        closed: Box::pin(connection.cut.closed_owned()),
        _reader: reader,
    };
    Ok(respond(events.into_stream()))
}

/// An answer in `text/event-stream` with pieces that are ready to be written.
pub(super) fn respond(pieces: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    use futures_util::StreamExt as _;
    let frames = pieces.map(|piece| Ok::<_, Infallible>(Frame::data(piece)));
    answer(Body::new(StreamBody::new(frames)))
}

fn answer(body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // nginx holds a stream back until its buffer is full, unless it is told not to.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (headers, body).into_response()
}

/// The first block. It carries the reader's own position, even where the log no longer reaches back to it: a
/// connection that is cut right here has lost nothing, and the gap is announced again.
fn opening(retry: Option<Duration>, cursor: Cursor) -> Bytes {
    encoding::sse_opening(retry.map(|retry| retry.as_millis() as u64), cursor).into()
}

/// An empty header is what a browser means by having no id yet.
fn last_event_id(headers: &HeaderMap) -> Result<Option<Cursor>, Refusal> {
    match headers.get("last-event-id").map(HeaderValue::as_bytes) {
        None | Some(b"") => Ok(None),
        Some(id) => Ok(Some(String::from_utf8_lossy(id).parse()?)),
    }
}

/// What is between the log and the answer's body.
struct EventStream {
    /// The opening, with the reconnect time if one is to be said, until it is said.
    opening: Option<Option<Duration>>,
    follower: Follower,
    heartbeat: Duration,
    /// When to look whether a heartbeat is due. It is not set anew for every event, which would cost
    /// more than writing one, but when it rings.
    silent_at: Pin<Box<Sleep>>,
    wrote_at: Instant,
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
    _reader: Reader,
}

impl EventStream {
    fn into_stream(self) -> impl Stream<Item = Bytes> + Send {
        stream::unfold(self, |mut events| async move {
            let piece = events.next().await?;
            events.wrote_at = Instant::now();
            Some((piece, events))
        })
    }

    /// What to write next; `None` once the stream is to end.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(retry) = self.opening.take() {
            return Some(opening(retry, self.follower.cursor()));
        }
        loop {
            tokio::select! {
                biased;
                () = self.closed.as_mut() => return None,
                batch = self.follower.next() => return Some(piece(&batch)),
                () = self.silent_at.as_mut() => {
                    let due = self.wrote_at + self.heartbeat;
                    let is_due = due <= Instant::now();
                    let next = if is_due { Instant::now() + self.heartbeat } else { due };
                    self.silent_at.as_mut().reset(next);
                    if is_due {
                        return Some(Bytes::from_static(encoding::SSE_HEARTBEAT.as_bytes()));
                    }
                }
            }
        }
    }
}

/// All of a batch in one piece, so that a wake-up is one chunk and one write. The usual case, one event,
/// is not even copied: all readers' sockets are written from the same bytes.
fn piece(batch: &Batch) -> Bytes {
    if let (None, [entry]) = (batch.gap, batch.entries.as_slice()) {
        return entry.sse().clone();
    }
    // The gap's block carries the place before the first event that is still there: a reader that is cut
    // after it has been told, and goes on with that event.
    let gap = batch.gap.map(|gap| encoding::sse_gap(gap, batch.start)).unwrap_or_default();
    let events: usize = batch.entries.iter().map(|entry| entry.sse().len()).sum();
    let mut piece = BytesMut::with_capacity(gap.len() + events);
    piece.put_slice(gap.as_bytes());
    for entry in &batch.entries {
        piece.put_slice(entry.sse());
    }
    piece.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::Draft,
        feed::{Channel, Limits, ReadLimit},
    };

    #[tokio::test]
    async fn a_gap_is_followed_from_the_first_event_that_is_left() {
        let limits = Limits { events_per_channel: 2, ..Limits::default() };
        let channel = Arc::new(Channel::new(limits));
        let start = channel.head();
        let ids: Vec<_> =
            ["a", "b", "c", "d"].map(|data| channel.publish(Draft::message(data)).expect("fits")).into();
        let mut follower = channel.follow(Some(start), ReadLimit::default()).expect("not ahead");
        assert_eq!(follower.cursor(), start);
        let text = piece(&follower.next().await);
        let expected = format!(
            "id: {}\nevent: gap\ndata: {{\"missed\":2,\"reason\":\"evicted\"}}\n\nid: {}\ndata: c\n\nid: {}\ndata: d\n\n",
            ids[1], ids[2], ids[3]
        );
        assert_eq!(text, expected.as_bytes());
    }

    #[tokio::test]
    async fn one_event_is_written_from_the_shared_bytes() {
        let channel = Arc::new(Channel::new(Limits::default()));
        let mut readers = [(); 2].map(|()| channel.follow(None, ReadLimit::default()).expect("the present"));
        channel.publish(Draft::message("x")).expect("fits");
        let [first, second] = &mut readers;
        let (first, second) = (piece(&first.next().await), piece(&second.next().await));
        assert_eq!(first.as_ptr(), second.as_ptr());
    }
}
