//! `/tour/…`: streams with one lesson each, for the tour of `EventSource` and for `curl`.
//!
//! | path | what it shows |
//! | --- | --- |
//! | `status/{code}` | 204 ends an `EventSource` for good; so does any other status but 200 |
//! | `wrong-type` | a stream of another content type is none |
//! | `retry?ms=&visits=` | `retry:` sets the wait before the reconnect, which happens as the stream ends; after so many visits, 204 ends it |
//! | `last-event-id?id=` | what a reconnect tells the server |
//! | `raw?body=` | any text as a stream, to be edited and tried: comments, types, data in several lines |

use std::time::Duration;

use axum::{
    Router,
    extract::{Path, RawQuery},
    response::{IntoResponse as _, Response},
    routing::get,
};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;

use super::{State, connection::OnConnection, only, refusal::Refusal, sse};
use crate::encoding;

/// Bytes of a stream that a student writes.
const RAW_BYTES: usize = 8 << 10;

/// Bytes of an id that a student gives.
const ID_BYTES: usize = 256;

/// The longest wait that the tour asks a browser for, in milliseconds.
const MAX_RETRY_MS: u32 = 60_000;

/// From one sign of life on a silent stream to the next.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The streams, on the first origin.
pub(crate) fn routes() -> Router<State> {
    Router::new()
        .route("/status/{code}", only("GET, HEAD", get(status)))
        .route("/wrong-type", only("GET, HEAD", get(wrong_type)))
        .route("/retry", only("GET, HEAD", get(retry)))
        .route("/last-event-id", only("GET, HEAD", get(last_event_id)))
        .route("/raw", only("GET, HEAD", get(raw)))
}

async fn status(Path(code): Path<String>) -> Response {
    match code.as_str() {
        "204" => StatusCode::NO_CONTENT.into_response(),
        "500" => {
            let message = "this address always answers 500: an EventSource gives up on it, use another";
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message).into_response()
        }
        _ => Refusal::new(StatusCode::NOT_FOUND, "the tour has /tour/status/204 and /tour/status/500")
            .into_response(),
    }
}

async fn wrong_type() -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff")),
    ];
    (headers, "data: this looks like an event, but its content type says that it is text\n\n").into_response()
}

/// Tells how long to wait, and ends. Its id counts the visits; whoever comes once more than `visits` is told
/// not to come back.
async fn retry(RawQuery(query): RawQuery, headers: HeaderMap) -> Result<Response, Refusal> {
    let number = |name: &str, most: u32| match value(query.as_deref(), name) {
        None => Ok(None),
        Some(text) => match text.parse::<u32>() {
            Ok(number) if number <= most => Ok(Some(number)),
            _ => Err(Refusal::bad_request(format!("bad {name}: use a whole number from 0 to {most}"))),
        },
    };
    let ms = number("ms", MAX_RETRY_MS)?.unwrap_or(1_000);
    let visit = visits(&headers) + 1;
    if number("visits", u32::MAX)?.is_some_and(|visits| visit > visits.into()) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let data = encoding::json(&json!({ "visit": visit, "retry_ms": ms }));
    Ok(whole(format!("retry: {ms}\nid: {visit}\ndata: {data}\n\n")))
}

/// Says which id the request came with, gives the event the one that it was asked for, and ends.
async fn last_event_id(RawQuery(query): RawQuery, headers: HeaderMap) -> Result<Response, Refusal> {
    let id = value(query.as_deref(), "id").unwrap_or_else(|| "1".to_owned());
    if id.len() > ID_BYTES || id.contains(['\r', '\n', '\0']) {
        let message = format!("bad id: use one line of at most {ID_BYTES} bytes");
        return Err(Refusal::bad_request(message));
    }
    let sent = headers.get("last-event-id").map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
    let data = encoding::json(&json!({ "last_event_id": sent }));
    Ok(whole(format!("retry: 100\nid: {id}\ndata: {data}\n\n")))
}

/// Sends the text of `body` as it is and stays open, so that it comes once; with `end` it ends instead.
async fn raw(connection: OnConnection, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let query = query.as_deref();
    let text = value(query, "body").ok_or_else(|| {
        Refusal::bad_request(
            "there is no stream to send: add its text as ?body=, such as data%3A%20hello%0A%0A",
        )
    })?;
    if text.len() > RAW_BYTES {
        let message = format!("the stream is longer than {RAW_BYTES} bytes: send a shorter one");
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message));
    }
    let mut response = if value(query, "end").is_some() { whole(text) } else { staying(connection, text) };
    response
        .headers_mut()
        .insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// A stream that ends after its text.
fn whole(text: String) -> Response {
    sse::respond(stream::iter([Bytes::from(text)]))
}

/// A stream that says nothing after its text but that it is there.
fn staying(OnConnection(connection): OnConnection, text: String) -> Response {
    sse::respond(stream::unfold((connection, Some(text)), |(connection, text)| async move {
        if let Some(text) = text {
            return Some((Bytes::from(text), (connection, None)));
        }
        tokio::select! {
            () = connection.cut.closed() => None,
            () = tokio::time::sleep(HEARTBEAT) => {
                Some((Bytes::from_static(encoding::SSE_HEARTBEAT.as_bytes()), (connection, None)))
            }
        }
    }))
}

/// How often a browser was here, by the id that it was given.
fn visits(headers: &HeaderMap) -> u64 {
    let id = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    id.and_then(|id| id.parse::<u32>().ok()).unwrap_or_default().into()
}

fn value(query: Option<&str>, name: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
