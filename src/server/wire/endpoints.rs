//! `POST /wire/session`, and `GET` and `DELETE /wire/{session}`.

use std::{pin::Pin, sync::Arc, time::Duration};

use axum::{
    extract::{Path, State as FromState},
    response::Response,
};
use bytes::Bytes;
use futures_util::{Stream, stream};
use http::{HeaderMap, StatusCode};
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::{
    layer::hex,
    session::{News, Passed, Position, Session},
};
use crate::{
    encoding,
    server::{
        State,
        connection::OnConnection,
        refusal::{Refusal, json_response},
        sse,
    },
};

/// How much of a session's history one write tells.
const BATCH_BYTES: usize = 16 << 10;

/// The pause after a stream has told all there was, so that a busy page is told in batches.
const PAUSE: Duration = Duration::from_millis(20);

/// Opens a session.
pub(crate) async fn open(FromState(state): FromState<State>) -> Result<Response, Refusal> {
    let name = state.wires().open().ok_or_else(|| {
        Refusal::busy(
            "all wire views are in use: close another page's, or wait a minute until it is given up",
        )
    })?;
    Ok(json_response(StatusCode::CREATED, encoding::json(&json!({ "session": name }))))
}

/// Ends a session; 204 also where there was none.
pub(crate) async fn close(FromState(state): FromState<State>, Path(name): Path<String>) -> StatusCode {
    state.wires().end(&name);
    StatusCode::NO_CONTENT
}

/// Streams a session: what is still kept, then what passes.
pub(crate) async fn watch(
    FromState(state): FromState<State>,
    OnConnection(connection): OnConnection,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let session = state.wires().session(&name).ok_or_else(|| {
        Refusal::new(
            StatusCode::NOT_FOUND,
            "there is no such wire view, or nobody watched it for a minute: POST /wire/session opens one",
        )
    })?;
    let (number, changed) = session.open_stream();
    let watcher = Watcher {
        session,
        number,
        changed,
        position: resumed(&headers),
        version: 0,
        told_all: false,
        heartbeat: state.config().heartbeat,
        closed: Box::pin(connection.cut.closed_owned()),
    };
    Ok(sse::respond(watcher.into_stream()))
}

/// The place that a stream which reconnects goes on from: its last id is ours, two numbers.
fn resumed(headers: &HeaderMap) -> Position {
    let id = headers.get("last-event-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    let numbers =
        id.split_once('-').and_then(|(pieces, bytes)| Some((pieces.parse().ok()?, bytes.parse().ok()?)));
    numbers.map_or_else(Position::default, |(pieces, bytes)| Position { pieces, bytes })
}

struct Watcher {
    session: Arc<Session>,
    number: u64,
    changed: watch::Receiver<u64>,
    position: Position,
    version: u64,
    told_all: bool,
    heartbeat: Duration,
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Watcher {
    fn into_stream(self) -> impl Stream<Item = Bytes> + Send {
        stream::unfold(self, |mut watcher| async move {
            let piece = watcher.next().await?;
            Some((piece, watcher))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        if self.told_all {
            let news = async {
                tokio::time::sleep(PAUSE).await;
                self.changed.changed().await
            };
            tokio::select! {
                () = self.closed.as_mut() => return None,
                changed = tokio::time::timeout(self.heartbeat, news) => match changed {
                    Ok(changed) => changed.ok()?,
                    Err(_) => return Some(Bytes::from_static(encoding::SSE_HEARTBEAT.as_bytes())),
                },
            }
        }
        self.changed.mark_unchanged();
        let news = self.session.news(self.position, BATCH_BYTES, &mut self.version, self.number)?;
        self.told_all = news.is_all;
        self.position = news.pieces.last().map_or(self.position, |passed| passed.end);
        if news.pieces.is_empty()
            && let Some(skipped) = news.skipped
        {
            self.position.pieces += skipped.pieces;
            self.position.bytes += skipped.bytes;
        }
        Some(written(&news))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.session.close_stream();
    }
}

fn written(news: &News) -> Bytes {
    // A wake-up that brings nothing new still is a sign of life.
    let mut text = String::from(if news.totals.is_none() { encoding::SSE_HEARTBEAT } else { "" });
    let mut block = |kind: &str, id: Option<Position>, data: &serde_json::Value| {
        text += &format!("event: {kind}\n");
        if let Some(id) = id {
            text += &format!("id: {}-{}\n", id.pieces, id.bytes);
        }
        text += &format!("data: {}\n\n", encoding::json(data));
    };
    if let Some(skipped) = news.skipped {
        block("skipped", None, &json!({ "pieces": skipped.pieces, "bytes": skipped.bytes }));
    }
    for passed in &news.pieces {
        block("bytes", Some(passed.end), &described(passed));
    }
    if let Some(totals) = &news.totals {
        block("totals", None, &json!(totals));
    }
    text.into()
}

fn described(passed: &Passed) -> serde_json::Value {
    let piece = &passed.piece;
    let clear = piece.unmasked.as_deref().unwrap_or(&piece.bytes);
    let mut value = json!({
        "connection": passed.connection,
        "direction": passed.direction,
        "at": passed.at.as_millis(),
        "layer": piece.layer,
        "hex": hex(&piece.bytes),
        "text": String::from_utf8_lossy(clear),
    });
    if let Some(fields) = &piece.fields {
        value["fields"] = json!(fields);
    }
    value
}
