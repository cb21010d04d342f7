//! Errors as clients get them: a status and `{"error": "what, and what to do"}`.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};

use crate::{
    encoding,
    event::{BadCursor, BadType},
    feed::{Ahead, BadName, NotStored, TooLarge, TooManyChannels},
};

/// A request that is not served, and why.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    status: StatusCode,
    message: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    /// A refusal whose message says what is wrong and what to do.
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Refusal { status, message: message.into(), headers: Vec::new() }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Refusal::new(StatusCode::BAD_REQUEST, message)
    }

    /// Over a limit that passes by itself.
    pub(crate) fn busy(message: impl Into<String>) -> Self {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message)
            .with(header::RETRY_AFTER, HeaderValue::from_static("5"))
    }

    /// With one more header.
    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// What is wrong and what to do.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The body that every error has.
    pub(crate) fn json(&self) -> String {
        encoding::json(&serde_json::json!({ "error": self.message }))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = json_response(self.status, self.json());
        for (name, value) in self.headers {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// An answer in JSON. None is worth keeping: each tells how things stand at this moment.
pub(crate) fn json_response(status: StatusCode, body: impl Into<axum::body::Body>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, body.into()).into_response()
}

impl From<BadCursor> for Refusal {
    fn from(error: BadCursor) -> Self {
        Refusal::bad_request(error.to_string())
    }
}

impl From<Ahead> for Refusal {
    fn from(error: Ahead) -> Self {
        Refusal::bad_request(error.to_string())
    }
}

impl From<BadName> for Refusal {
    fn from(error: BadName) -> Self {
        Refusal::bad_request(error.to_string())
    }
}

impl From<BadType> for Refusal {
    fn from(error: BadType) -> Self {
        Refusal::bad_request(error.to_string())
    }
}

impl From<TooLarge> for Refusal {
    fn from(error: TooLarge) -> Self {
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string())
    }
}

impl From<NotStored> for Refusal {
    fn from(error: NotStored) -> Self {
        Refusal::busy(error.to_string())
    }
}

impl From<TooManyChannels> for Refusal {
    fn from(error: TooManyChannels) -> Self {
        Refusal::busy(error.to_string())
    }
}
