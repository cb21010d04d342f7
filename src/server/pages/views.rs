//! The pages: each is a template and what it shows.

use askama::Template;
use axum::{
    extract::{Path, State as FromState},
    response::Response,
};
use http::StatusCode;

use super::page::Page;
use crate::{
    feed::Limits,
    server::{State, refusal::Refusal, source::MIN_PAYLOAD_BYTES},
    transport::Transport,
};

#[derive(Template)]
#[template(path = "index.html")]
struct Index {
    page: Page,
    limits: Limits,
}

/// The front page: what is here, and how to get at it in a terminal.
pub(super) async fn index(FromState(state): FromState<State>, page: Page) -> Result<Response, Refusal> {
    let index = Index { page, limits: state.config().feed };
    index.page.show(&index)
}

#[derive(Template)]
#[template(path = "demo.html")]
struct Demo {
    page: Page,
    transport: Transport,
    least_payload: usize,
}

/// One transport, live: the same page four times.
pub(super) async fn demo(Path(slug): Path<String>, page: Page) -> Result<Response, Refusal> {
    let transport = slug
        .parse()
        .map_err(|error| Refusal::new(StatusCode::NOT_FOUND, format!("no such demo: {error}")))?;
    let demo = Demo { page, transport, least_payload: MIN_PAYLOAD_BYTES };
    demo.page.show(&demo)
}

/// The lessons; what they set is in `static/js/compare.js`.
const PRESETS: [&str; 4] = ["ticker", "chat", "alert", "train"];

#[derive(Template)]
#[template(path = "compare.html")]
struct Compare {
    page: Page,
    presets: [&'static str; 4],
    least_payload: usize,
}

/// All four on one channel, side by side.
pub(super) async fn compare(page: Page) -> Result<Response, Refusal> {
    let compare = Compare { page, presets: PRESETS, least_payload: MIN_PAYLOAD_BYTES };
    compare.page.show(&compare)
}

/// The subjects that have a tour.
const TOURS: [&str; 3] = ["eventsource", "websocket", "polling"];

#[derive(Template)]
#[template(path = "tour.html")]
struct Tour {
    page: Page,
    subject: &'static str,
    tours: [&'static str; 3],
}

/// One browser API, piece by piece.
pub(super) async fn tour(Path(subject): Path<String>, page: Page) -> Result<Response, Refusal> {
    let Some(subject) = TOURS.into_iter().find(|tour| *tour == subject) else {
        let message = format!("no such tour: use {}", TOURS.map(|tour| format!("/tour/{tour}")).join(", "));
        return Err(Refusal::new(StatusCode::NOT_FOUND, message));
    };
    let tour = Tour { page, subject, tours: TOURS };
    tour.page.show(&tour)
}

#[derive(Template)]
#[template(path = "results.html")]
struct Results {
    page: Page,
}

/// What was measured before, and measuring again.
pub(super) async fn results(page: Page) -> Result<Response, Refusal> {
    let results = Results { page };
    results.page.show(&results)
}
