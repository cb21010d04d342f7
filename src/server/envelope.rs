//! What is the same for every answer: errors are JSON, a panic is one too, `OPTIONS` is answered.

use std::panic::AssertUnwindSafe;

use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt as _;
use http::{Method, StatusCode, header};

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
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        return method_not_allowed(&method, &path, &response);
    }
    let is_ours = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if is_ours || !(response.status().is_client_error() || response.status().is_server_error()) {
        return response;
    }
    // An extractor's own refusal, such as for a path that is no UTF-8.
    let status = response.status();
    let reason = status.canonical_reason().unwrap_or("refused").to_lowercase();
    Refusal::new(status, format!("{reason}: {method} {path:?}; GET / lists what is here")).into_response()
}

fn method_not_allowed(method: &Method, path: &str, response: &Response) -> Response {
    let allow = response.headers().get(header::ALLOW).cloned();
    let allow = allow.unwrap_or_else(|| http::HeaderValue::from_static(""));
    if method == Method::OPTIONS {
        // No Access-Control header is added: other origins may not read here.
        return (StatusCode::NO_CONTENT, [(header::ALLOW, allow)]).into_response();
    }
    let methods = allow.to_str().unwrap_or_default().replace(',', " or ");
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, format!("{method} is not for {path:?}: use {methods}"))
        .with(header::ALLOW, allow)
        .into_response()
}
