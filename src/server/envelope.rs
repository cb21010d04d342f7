//! What is the same for every answer: errors are JSON, and a panic is one too.

use std::panic::AssertUnwindSafe;

use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt as _;
use http::{StatusCode, header};

use super::refusal::Refusal;

/// Runs a request and brings what comes of it into the shape that the contract promises.
pub(crate) async fn wrap(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().chars().take(120).collect::<String>();
    let Ok(response) = AssertUnwindSafe(next.run(request)).catch_unwind().await else {
        tracing::error!(%method, path, "a handler panicked");
        let message = "the server made a mistake, which its log tells about: please report it";
        return Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message).into_response();
    };
    let is_ours = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if is_ours || !(response.status().is_client_error() || response.status().is_server_error()) {
        return response;
    }
    // An extractor's own refusal, such as for a path that is no UTF-8.
    let status = response.status();
    let reason = status.canonical_reason().unwrap_or("refused").to_lowercase();
    Refusal::new(status, format!("{reason}: {method} {path:?}; GET / lists what is here")).into_response()
}
