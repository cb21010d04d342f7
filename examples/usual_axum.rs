//! The axum code that most people would write: `Sse` and `WebSocketUpgrade` over a `broadcast` channel, and a long
//! poll over a list. It is measured beside our server (`experiments/targets/usual-axum.toml`), as what its design
//! costs: a queue per reader, a write per event.
//!
//! ```sh
//! PORT=3000 cargo run --release --example usual_axum
//! ```

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Query, State, WebSocketUpgrade, ws},
    http::StatusCode,
    response::{
        IntoResponse,
        sse::{Event, KeepAlive, Sse},
    },
    routing::{get, post},
};
use futures_util::stream;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use tokio::{
    net::TcpListener,
    sync::{broadcast, watch},
};

/// Messages that a slow reader may be behind; one that is further behind loses some.
const QUEUE: usize = 1_024;

struct Shared {
    messages: broadcast::Sender<String>,
    /// For the long poll, which has to know what came between two questions.
    history: RwLock<Vec<String>>,
    count: watch::Sender<usize>,
}

type Server = State<Arc<Shared>>;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let shared = Arc::new(Shared {
        messages: broadcast::channel(QUEUE).0,
        history: RwLock::default(),
        count: watch::channel(0).0,
    });
    let app = Router::new()
        .route("/publish", post(publish))
        .route("/events", get(events))
        .route("/ws", get(websocket))
        .route("/poll", get(poll))
        .with_state(shared);
    let port = std::env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(3000);
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(listener, app).await
}

async fn publish(State(shared): Server, data: String) -> StatusCode {
    let count = {
        let mut history = shared.history.write();
        history.push(data.clone());
        history.len()
    };
    // Nobody may be there to hear it.
    let _ = shared.messages.send(data);
    shared.count.send_replace(count);
    StatusCode::CREATED
}

async fn events(State(shared): Server) -> impl IntoResponse {
    let next = |mut messages: broadcast::Receiver<String>| async {
        let data = next_of(&mut messages).await?;
        Some((Ok::<_, Infallible>(Event::default().data(data)), messages))
    };
    Sse::new(stream::unfold(shared.messages.subscribe(), next)).keep_alive(KeepAlive::default())
}

async fn websocket(State(shared): Server, upgrade: WebSocketUpgrade) -> impl IntoResponse {
    let mut messages = shared.messages.subscribe();
    upgrade.on_upgrade(|mut socket| async move {
        loop {
            tokio::select! {
                data = next_of(&mut messages) => {
                    let Some(data) = data else { return };
                    if socket.send(ws::Message::text(data)).await.is_err() {
                        return;
                    }
                }
                heard = socket.recv() => {
                    if !matches!(heard, Some(Ok(_))) {
                        return;
                    }
                }
            }
        }
    })
}

/// The next message; what was lost to slowness is passed over.
async fn next_of(messages: &mut broadcast::Receiver<String>) -> Option<String> {
    loop {
        match messages.recv().await {
            Ok(data) => return Some(data),
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return None,
        }
    }
}

#[derive(Deserialize)]
struct Question {
    after: Option<usize>,
    wait: Option<f64>,
}

#[derive(Serialize)]
struct Answer {
    cursor: usize,
    events: Vec<Told>,
}

#[derive(Serialize)]
struct Told {
    id: usize,
    data: String,
}

async fn poll(State(shared): Server, Query(question): Query<Question>) -> Json<Answer> {
    let after = question.after.unwrap_or_else(|| shared.history.read().len());
    let wait = Duration::try_from_secs_f64(question.wait.unwrap_or(0.0)).unwrap_or_default();
    let mut count = shared.count.subscribe();
    // Whether there is news or the time is over, what is there is the answer.
    let _ =
        tokio::time::timeout(wait.min(Duration::from_secs(60)), count.wait_for(|count| *count > after)).await;
    let history = shared.history.read();
    let news = history.iter().enumerate().skip(after);
    let events: Vec<_> = news.map(|(index, data)| Told { id: index + 1, data: data.clone() }).collect();
    Json(Answer { cursor: after.max(history.len()), events })
}
