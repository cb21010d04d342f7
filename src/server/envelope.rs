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

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, middleware::from_fn, routing::get};
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;

    async fn fail() -> StatusCode {
        panic!("a mistake of ours, made for this test")
    }

    #[tokio::test]
    async fn a_panic_and_a_bare_status_become_errors_in_json() {
        let router = Router::new()
            .route("/panic", get(fail))
            .route("/bare", get(|| async { StatusCode::URI_TOO_LONG }))
            .layer(from_fn(wrap));
        for (path, status) in [("/panic", 500), ("/bare", 414)] {
            let request = http::Request::get(path).body(Body::empty()).expect("a good request");
            let response = router.clone().oneshot(request).await.expect("infallible");
            assert_eq!(response.status().as_u16(), status);
            let body = response.into_body().collect().await.expect("in memory").to_bytes();
            let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
            assert!(body["error"].is_string(), "{path}: {body}");
        }
    }
}
