//! `PUT` and `DELETE /channels/{channel}/source`: the built-in publisher.
//!
//! Open loop: every event carries the time at which it was *meant* to be published, and one that comes
//! late, because the machine was busy, says so in every latency counted from it. It is never skipped and
//! the later ones are never moved.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `publisher` | the thread that keeps to a [schedule](crate::schedule) |
//! | here | what may run, and the endpoints |

mod publisher;

use std::{collections::HashMap, sync::Arc};

use axum::{body::Body, extract::State as FromState, response::Response};
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

pub use publisher::MIN_PAYLOAD_BYTES;
use publisher::Publisher;

use super::{
    State,
    refusal::{Refusal, json_response},
    request::{self, Named, Used},
};
use crate::{encoding, feed::ChannelName, schedule::Pattern};

/// Events per second at most.
const MAX_RATE: f64 = 100_000.0;

/// Events per second at least; slower ones are better sent by hand.
const MIN_RATE: f64 = 0.001;

/// Bytes per second at most. Beyond it a source could not keep its schedule and would only burn a core.
const MAX_BYTES_PER_SECOND: f64 = (64 << 20) as f64;

/// What a source is to publish.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Events per second, on average.
    pub rate: f64,
    /// Bytes of an event's data, exactly.
    pub payload_bytes: usize,
    /// How they are spaced.
    #[serde(default)]
    pub pattern: Pattern,
    /// What random pauses are drawn from; drawn itself where there is none.
    #[serde(default)]
    pub seed: Option<u64>,
}

/// A running source.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Progress {
    /// What it was told.
    #[serde(flatten)]
    pub spec: Spec,
    /// Events that it has published; also the `seq` of the newest.
    pub published: u64,
}

impl Spec {
    fn check(&self, largest: usize) -> Result<(), Refusal> {
        if !(MIN_RATE..=MAX_RATE).contains(&self.rate) {
            return Err(Refusal::bad_request(format!(
                "bad rate {}: use {MIN_RATE} to {MAX_RATE} events per second",
                self.rate
            )));
        }
        if !(MIN_PAYLOAD_BYTES..=largest).contains(&self.payload_bytes) {
            return Err(Refusal::bad_request(format!(
                "bad payload_bytes {}: use {MIN_PAYLOAD_BYTES}, which the JSON {{\"seq\",\"at\",\"pad\"}} takes, to {largest}",
                self.payload_bytes
            )));
        }
        if self.rate * self.payload_bytes as f64 > MAX_BYTES_PER_SECOND {
            return Err(Refusal::bad_request(format!(
                "rate times payload_bytes is more than {MAX_BYTES_PER_SECOND} bytes per second: lower one of them"
            )));
        }
        Ok(())
    }
}

/// All running sources, at most one per channel.
#[derive(Debug)]
pub(crate) struct Sources {
    limit: usize,
    running: Mutex<HashMap<ChannelName, Publisher>>,
}

impl Sources {
    pub(crate) fn new(limit: usize) -> Self {
        Sources { limit, running: Mutex::default() }
    }

    /// How a channel's source is doing.
    pub(crate) fn progress(&self, channel: &ChannelName) -> Option<Progress> {
        let running = self.running.lock();
        running.get(channel).filter(|publisher| !publisher.is_over()).map(Publisher::progress)
    }

    /// Ends every source, as at shutdown.
    pub(crate) fn stop_all(&self) {
        self.running.lock().clear();
    }

    fn stop(&self, channel: &ChannelName) {
        self.running.lock().remove(channel);
    }

    fn start(&self, state: &State, used: Used, spec: Spec) -> Result<Progress, Refusal> {
        let mut running = self.running.lock();
        running.retain(|_, publisher| !publisher.is_over());
        // Dropped before the new one begins, so that the two never publish side by side.
        running.remove(&used.name);
        if running.len() >= self.limit {
            let message = format!(
                "all {} sources are in use: DELETE one, or wait until one without readers ends",
                self.limit
            );
            return Err(Refusal::busy(message));
        }
        let name = used.name.clone();
        let readers = Arc::clone(state.readers());
        let is_read = Box::new(move || readers.any(&name));
        let publisher =
            Publisher::start(used.channel, spec, state.clock(), state.config().source_idle, is_read)
                .map_err(|error| {
                    Refusal::busy(format!("no thread for the source: {error}: try again later"))
                })?;
        let progress = publisher.progress();
        running.insert(used.name, publisher);
        Ok(progress)
    }
}

/// Starts a channel's source, or replaces it; its events are numbered from 1.
pub(crate) async fn put(
    FromState(state): FromState<State>,
    used: Used,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let shape = "{\"rate\": events per second, \"payload_bytes\": n, \"pattern\": \"steady\", \"poisson\" or \"burst\"}";
    let spec: Spec = request::json(&state, &headers, body, shape).await?;
    let config = state.config();
    spec.check(config.max_body_bytes.min(config.feed.bytes_per_channel))?;
    // Drawn here, so that the answer tells it and the same pauses can be asked for again.
    let spec = Spec { seed: spec.seed.or_else(|| Some(u64::from(rand::random::<u32>()))), ..spec };
    let progress = state.sources().start(&state, used, spec)?;
    Ok(json_response(StatusCode::OK, encoding::json(&progress)))
}

/// Ends a channel's source; 204 also where there was none.
pub(crate) async fn delete(FromState(state): FromState<State>, Named(name): Named) -> StatusCode {
    state.sources().stop(&name);
    StatusCode::NO_CONTENT
}
