//! `GET /stream`: an answer that its reader writes himself, for the tour.
//!
//! To see what a browser makes of a comment, of `retry:`, of a 204 or of a wrong content type, one needs a
//! server that sends just that. This one sends the text that its query holds, to whoever asked for it and
//! nobody else. It is never HTML: the content type is one of two, and browsers are told not to guess.

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::server::{connection::OnConnection, refusal::Refusal, sse};

/// Bytes of text that an answer may be asked to hold. An address much longer than this no server takes.
const MAX_TEXT: usize = 4 << 10;

/// What stands for the `Last-Event-ID` of the request.
const LAST_ID: &str = "{last-event-id}";

/// What an answer is to be.
#[derive(Debug, PartialEq)]
struct Script {
    status: StatusCode,
    text: String,
    /// Whether the stream stays open after its text, until somebody cuts it.
    stays: bool,
    is_event_stream: bool,
    cors: Cors,
}

/// What the answer says to pages of other origins.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Cors {
    /// Nothing, so they may not read it.
    None,
    /// All of them may read it, but not with credentials.
    Any,
    /// The page that asks may, also with credentials: if it is ours under another name.
    Ours,
}

/// Answers as the query says. `again-text` and `again-status` count instead of `text` and `status` where the
/// request is a reconnect: where it brings a `Last-Event-ID`.
pub(super) async fn get(
    OnConnection(connection): OnConnection,
    request: Request,
) -> Result<Response, Refusal> {
    let script = Script::parse(request.uri().query().unwrap_or_default(), request.headers())?;
    let text = stream::iter((!script.text.is_empty()).then(|| Bytes::from(script.text)));
    let mut response = match (script.status, script.stays) {
        (StatusCode::OK, true) => {
            let wait = stream::once(async move {
                connection.cut.closed().await;
                Bytes::new()
            });
            // An empty piece would be an empty chunk, which ends the body before its end.
            sse::respond(text.chain(wait).filter(|piece| std::future::ready(!piece.is_empty())))
        }
        (StatusCode::NO_CONTENT, _) => StatusCode::NO_CONTENT.into_response(),
        (status, _) => {
            let mut response = sse::respond(text);
            *response.status_mut() = status;
            response
        }
    };
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    if !script.is_event_stream {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    }
    match (script.cors, request.headers().get(header::ORIGIN)) {
        (Cors::None, _) | (Cors::Ours, None) => {}
        (Cors::Any, _) => {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
        (Cors::Ours, Some(origin)) if is_loopback(origin) => {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            headers.insert(header::VARY, HeaderValue::from_static("origin"));
        }
        (Cors::Ours, Some(_)) => {}
    }
    Ok(response)
}

/// Whether an origin is the loopback under one of its names: the explicit list that the tour's step on
/// credentials goes by.
fn is_loopback(origin: &HeaderValue) -> bool {
    let Some(authority) = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://")) else {
        return false;
    };
    let authority = authority.parse::<http::uri::Authority>();
    authority.is_ok_and(|authority| ["localhost", "127.0.0.1", "[::1]"].contains(&authority.host()))
}

impl Script {
    fn parse(query: &str, headers: &HeaderMap) -> Result<Self, Refusal> {
        let last = headers.get("last-event-id").map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
        let again = last.as_deref().is_some_and(|id| !id.is_empty());
        let mut script = Script {
            status: StatusCode::OK,
            text: String::new(),
            stays: false,
            is_event_stream: true,
            cors: Cors::None,
        };
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "text" if !again => script.text = value.into_owned(),
                "status" if !again => script.status = status(&value)?,
                "again-text" if again => script.text = value.into_owned(),
                "again-status" if again => script.status = status(&value)?,
                "stay" => script.stays = value == "true",
                "type" => script.is_event_stream = value != "plain",
                "cors" => {
                    script.cors = match &*value {
                        "any" => Cors::Any,
                        "ours" => Cors::Ours,
                        _ => Cors::None,
                    };
                }
                _ => {}
            }
        }
        if script.text.len() > MAX_TEXT {
            return Err(Refusal::bad_request(format!(
                "the text is longer than {MAX_TEXT} bytes: shorten it"
            )));
        }
        // Line ends stay as they were asked for, since CR and LF are part of what the tour shows.
        script.text = script.text.replace(LAST_ID, &last.unwrap_or_default());
        Ok(script)
    }
}

/// The statuses with which an EventSource does different things.
fn status(word: &str) -> Result<StatusCode, Refusal> {
    match word {
        "200" => Ok(StatusCode::OK),
        "204" => Ok(StatusCode::NO_CONTENT),
        "404" => Ok(StatusCode::NOT_FOUND),
        "500" => Ok(StatusCode::INTERNAL_SERVER_ERROR),
        "503" => Ok(StatusCode::SERVICE_UNAVAILABLE),
        _ => Err(Refusal::bad_request("bad status: use 200, 204, 404, 500 or 503")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reconnect_is_answered_by_the_second_half_of_the_script() {
        let query = "text=data:1&again-text=data:%7Blast-event-id%7D&again-status=404";
        let first = Script::parse(query, &HeaderMap::new()).expect("a good script");
        assert_eq!((first.status, &*first.text), (StatusCode::OK, "data:1"));
        let mut headers = HeaderMap::new();
        headers.insert("last-event-id", HeaderValue::from_static("7"));
        let again = Script::parse(query, &headers).expect("a good script");
        assert_eq!((again.status, &*again.text), (StatusCode::NOT_FOUND, "data:7"));
    }

    #[test]
    fn a_text_has_a_limit_and_a_status_is_one_of_a_few() {
        let long = format!("text={}", "x".repeat(MAX_TEXT + 1));
        assert!(Script::parse(&long, &HeaderMap::new()).is_err());
        assert!(Script::parse("status=302", &HeaderMap::new()).is_err());
    }

    #[test]
    fn only_the_loopback_is_answered_with_credentials() {
        for (origin, is) in [
            ("http://localhost:3000", true),
            ("http://127.0.0.1:3000", true),
            ("http://localhost.evil.example", false),
            ("http://127.0.0.1@evil.example", false),
            ("null", false),
        ] {
            assert_eq!(is_loopback(&HeaderValue::from_static(origin)), is, "{origin}");
        }
    }
}
