//! `GET /channels/{channel}`: what the channel holds, who reads it, and who publishes by itself.

use std::collections::BTreeMap;

use axum::{extract::State as FromState, response::Response};
use http::StatusCode;
use serde::Serialize;

use super::{State, refusal::json_response, request::Used, source::Progress};
use crate::{encoding, feed::Holdings, transport::Transport};

#[derive(Debug, Serialize)]
struct Description {
    channel: String,
    #[serde(flatten)]
    holdings: Holdings,
    /// Readers by transport, each named also where it has none. A poll's reader is a connection whose
    /// last request polled this channel.
    readers: BTreeMap<&'static str, usize>,
    /// The built-in publisher, `null` where none runs.
    source: Option<Progress>,
    limits: ChannelLimits,
}

#[derive(Debug, Serialize)]
struct ChannelLimits {
    events: usize,
    bytes: usize,
    readers: usize,
}

/// Describes a channel as it is now.
pub(crate) async fn get(FromState(state): FromState<State>, used: Used) -> Response {
    let count = |transport: Transport| (transport.slug(), state.readers().count(&used.name, transport));
    let description = Description {
        channel: used.name.to_string(),
        holdings: used.channel.holdings(),
        readers: Transport::ALL.map(count).into(),
        source: state.sources().progress(&used.name),
        limits: ChannelLimits {
            events: state.config().feed.events_per_channel,
            bytes: state.config().feed.bytes_per_channel,
            readers: state.config().readers_per_channel,
        },
    };
    json_response(StatusCode::OK, encoding::json(&description))
}
