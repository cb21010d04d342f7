//! What somebody sees who opens the address in a browser, and what the pages need besides the channels.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `catalogue`, `language` | every visible string, once per language; which one a visitor gets |
//! | `page` | what all pages share: the language, the room, the headers |
//! | `views` | the pages themselves, each a template with what it shows |
//! | `exercises` | the workshop's texts, which are part of the program |
//! | `time` | the server's clock, so that a page can tell how far its own is off |
//!
//! The pages are the lesson's front: plain HTML from `templates/`, plain modules from `static/js/`, no
//! build step, no framework. They use the same endpoints as everybody else.

mod catalogue;
mod exercises;
mod language;
mod page;
mod time;
mod views;

use axum::{Router, response::Response, routing::get};
use http::StatusCode;

use super::{
    State, only,
    refusal::{Refusal, json_response},
};

/// Every page, and the endpoints that only pages use.
pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/", only("GET, HEAD", get(views::index)))
        .route("/demo/{transport}", only("GET, HEAD", get(views::demo)))
        .route("/compare", only("GET, HEAD", get(views::compare)))
        .route("/tour/{subject}", only("GET, HEAD", get(views::tour)))
        .route("/results", only("GET, HEAD", get(views::results)))
        .route("/workshop", only("GET, HEAD", get(views::workshop)))
        .route("/workshop/{name}", only("GET, HEAD", get(views::exercise)))
        .route("/board", only("GET, HEAD", get(views::board)))
        .route("/i18n/{file}", only("GET, HEAD", get(catalogue::get)))
        .route("/time", only("GET, HEAD", get(time::get)))
        .route("/healthz", only("GET, HEAD", get(healthz)))
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
