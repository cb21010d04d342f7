//! `GET /time`: the server's clock, for pages that tell how old an event is.
//!
//! Events carry the server's time, and the browser has a clock of its own. The page asks a few times, takes
//! the quickest exchange, and knows the difference to within half of that exchange's duration.

use axum::{extract::State as FromState, response::Response};
use http::StatusCode;

use crate::server::{State, refusal::json_response};

/// Answers with Unix time in milliseconds, with a fraction.
pub(super) async fn get(FromState(state): FromState<State>) -> Response {
    json_response(StatusCode::OK, format!("{{\"now\":{}}}", state.clock().now().as_millis()))
}
