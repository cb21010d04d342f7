//! The pages: each is a template and what it shows.

use askama::Template;
use axum::{
    extract::{Path, State as FromState},
    response::Response,
};
use http::StatusCode;

use super::{
    exercises::{self, Exercise},
    page::Page,
};
use crate::{
    exercise::BOARD,
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
pub(super) const TOURS: [&str; 3] = ["eventsource", "websocket", "polling"];

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

#[derive(Template)]
#[template(path = "workshop.html")]
struct Workshop {
    page: Page,
    exercises: &'static [Exercise],
}

/// The exercises, and how to begin.
pub(super) async fn workshop(page: Page) -> Result<Response, Refusal> {
    let workshop = Workshop { page, exercises: exercises::all() };
    workshop.page.show(&workshop)
}

#[derive(Template)]
#[template(path = "exercise.html")]
struct ExercisePage {
    page: Page,
    exercise: &'static Exercise,
    before: Option<&'static Exercise>,
    after: Option<&'static Exercise>,
    least_payload: usize,
}

/// An exercise's text and hints, beside what it is about.
pub(super) async fn exercise(Path(name): Path<String>, page: Page) -> Result<Response, Refusal> {
    let Some(exercise) = exercises::find(&name) else {
        let name: String = name.chars().take(64).collect();
        let message = format!("there is no exercise {name:?}: /workshop lists them");
        return Err(Refusal::new(StatusCode::NOT_FOUND, message));
    };
    let all = exercises::all();
    let at = all.partition_point(|it| it.name < exercise.name);
    let (before, after) = (at.checked_sub(1).and_then(|at| all.get(at)), all.get(at + 1));
    let view = ExercisePage { page, exercise, before, after, least_payload: MIN_PAYLOAD_BYTES };
    view.page.show(&view)
}

#[derive(Template)]
#[template(path = "board.html")]
struct Board {
    page: Page,
    exercises: &'static [Exercise],
    channel: &'static str,
}

/// What each room of a class has done, as it does it.
pub(super) async fn board(page: Page) -> Result<Response, Refusal> {
    let board = Board { page, exercises: exercises::all(), channel: BOARD };
    board.page.show(&board)
}
