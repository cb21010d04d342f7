//! `GET /`: what is here, for somebody who opens the address in a browser. `GET /healthz` for a machine.

use askama::Template;
use axum::{
    extract::State as FromState,
    response::{Html, IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::{
    State,
    connection::OnConnection,
    refusal::{Refusal, json_response},
};
use crate::transport::Transport;

#[derive(Template)]
#[template(path = "index.html")]
struct Index<'a> {
    /// Where this page was loaded from; the `curl` lines name it.
    host: &'a str,
    transports: [Transport; 4],
    events: usize,
    bytes: usize,
    channels: usize,
}

/// The front page.
pub(crate) async fn index(
    FromState(state): FromState<State>,
    connection: OnConnection,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let local = connection.0.local.map_or_else(|| "127.0.0.1:3000".to_owned(), |local| local.to_string());
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or(&local);
    let limits = state.config().feed;
    let page = Index {
        host,
        transports: Transport::ALL,
        events: limits.events_per_channel,
        bytes: limits.bytes_per_channel,
        channels: limits.channels,
    };
    let page = page.render().map_err(|error| {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the page could not be written: {error}"))
    })?;
    let headers = [
        // The page has no script, and none that finds its way in shall run.
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(
                "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
            ),
        ),
        (HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff")),
    ];
    Ok((headers, Html(page)).into_response())
}

/// That the server answers.
pub(crate) async fn healthz() -> Response {
    json_response(StatusCode::OK, "{\"status\":\"ok\"}")
}

/// Any other address.
pub(crate) async fn not_found(uri: http::Uri) -> Refusal {
    let path: String = uri.path().chars().take(120).collect();
    Refusal::new(StatusCode::NOT_FOUND, format!("there is nothing at {path:?}: GET / lists what is here"))
}
