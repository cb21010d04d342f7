//! Which pages of other origins may read here: those that were named at start, and our own where they come
//! through a network's door, which to a browser is another origin. None else.
//!
//! Only reading: a listed origin still opens no WebSocket, which could publish, and changes nothing.

use std::{fmt, str::FromStr};

use axum::{
    extract::{Request, State as FromState},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::{State, connection::OnConnection, networks::ThroughDoor};

/// An origin as a browser names it: scheme, host and, where it is not the scheme's own, port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

/// Text that is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("use an origin without a path, such as https://lab.example or http://127.0.0.1:8080")]
pub struct BadOrigin;

impl FromStr for Origin {
    type Err = BadOrigin;

    fn from_str(text: &str) -> Result<Self, BadOrigin> {
        let url = url::Url::parse(text).map_err(|_| BadOrigin)?;
        let origin = url.origin();
        let written = origin.ascii_serialization();
        // What a browser sends has no default port and no path; a slash at the end is a common slip.
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let is_web = matches!(url.scheme(), "http" | "https") && url.username().is_empty();
        if origin.is_tuple() && is_bare && is_web { Ok(Origin(written)) } else { Err(BadOrigin) }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// How long a browser may remember that it may ask.
const REMEMBERED_SECONDS: &str = "600";

/// Tells browsers that a listed origin may read what it asked for.
pub(crate) async fn allow(
    FromState(state): FromState<State>,
    connection: OnConnection,
    request: Request,
    next: Next,
) -> Response {
    let allowed = &state.config().allowed_origins;
    // Behind a network's door our own pages are of another origin.
    let through_door = request.extensions().get::<ThroughDoor>().is_some();
    if allowed.is_empty() && !through_door {
        return next.run(request).await;
    }
    let local = connection.0.local.map(|local| local.ip());
    let is_ours = |origin: &HeaderValue| {
        through_door && state.hosts().serves_pages_of(origin.to_str().unwrap_or_default(), local)
    };
    let origin = request.headers().get(header::ORIGIN).cloned();
    let origin =
        origin.filter(|origin| allowed.iter().any(|allowed| *origin == *allowed.0) || is_ours(origin));
    let is_read = [Method::GET, Method::HEAD].contains(request.method());
    let is_preflight = request.method() == Method::OPTIONS && asks_to_read(request.headers());
    let mut response = match origin {
        Some(_) if is_preflight => (
            StatusCode::NO_CONTENT,
            [
                (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD")),
                (
                    header::ACCESS_CONTROL_ALLOW_HEADERS,
                    HeaderValue::from_static("last-event-id, cache-control"),
                ),
                (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(REMEMBERED_SECONDS)),
            ],
        )
            .into_response(),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    // Said also where there is no origin, or a cache would hand that answer to those who have one.
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin.filter(|_| is_read || is_preflight) {
        with_credentials(headers, origin);
    }
    response
}

/// Lets one origin read with its visitor's cookies.
pub(crate) fn with_credentials(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
}

fn asks_to_read(headers: &HeaderMap) -> bool {
    let method = headers.get(header::ACCESS_CONTROL_REQUEST_METHOD);
    method.is_some_and(|method| method == "GET" || method == "HEAD")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_would_send() {
        for (told, origin) in [
            ("http://Lab.example:80", "http://lab.example"),
            ("https://lab.example/", "https://lab.example"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ] {
            assert_eq!(told.parse::<Origin>().expect("good").to_string(), origin);
        }
        for bad in ["*", "null", "lab.example", "http://lab.example/path", "file:///x", "http://a@b", ""] {
            assert_eq!(bad.parse::<Origin>(), Err(BadOrigin), "{bad}");
        }
    }
}
