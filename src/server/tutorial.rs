//! `GET /dates` and `GET /sendMessage`: the two streams that SSE tutorials begin with, as `curl` shows
//! them: the time in milliseconds, each second. No ids, no history: what is missed is missed.

use std::time::Duration;

use axum::{extract::State as FromState, response::Response};
use bytes::Bytes;
use futures_util::stream;
use tokio::time::{MissedTickBehavior, interval};

use super::{State, connection::OnConnection, sse};

/// From one message to the next.
const PERIOD: Duration = Duration::from_secs(1);

/// After how many messages `/sendMessage` adds one of the type `myEvent`, for `addEventListener`.
const NAMED_EVERY: u64 = 5;

/// The time, each second.
pub(crate) async fn dates(FromState(state): FromState<State>, connection: OnConnection) -> Response {
    each_second(connection, move |_| format!("data: {}\n\n", now(&state)))
}

/// The same, with a named event now and then.
pub(crate) async fn send_message(FromState(state): FromState<State>, connection: OnConnection) -> Response {
    each_second(connection, move |count| {
        let now = now(&state);
        let named = count % NAMED_EVERY == NAMED_EVERY - 1;
        let named = if named { format!("event: myEvent\ndata: {now}\n\n") } else { String::new() };
        format!("data: {now}\n\n{named}")
    })
}

fn now(state: &State) -> i64 {
    state.clock().now().as_nanos() / 1_000_000
}

/// A stream of a block each second, numbered from 0.
pub(super) fn each_second(
    OnConnection(connection): OnConnection,
    block: impl Fn(u64) -> String + Send + 'static,
) -> Response {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let start = (ticks, connection, block, 0);
    sse::respond(stream::unfold(start, |(mut ticks, connection, block, count)| async move {
        tokio::select! {
            () = connection.cut.closed() => None,
            _ = ticks.tick() => {
                Some((Bytes::from(block(count)), (ticks, connection, block, count + 1)))
            }
        }
    }))
}
