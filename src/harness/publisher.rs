//! Publishing from the harness: one event at a time by `POST`, each until it is acknowledged.
//!
//! Used where it must be known what was acknowledged even if the server dies, and where a payload is too
//! small for the built-in source. An event whose publish fails is tried again, so numbers have no holes;
//! those after it catch up. A publish whose answer was lost with the server may stand twice in a log that
//! survives; the in-memory log dies with it.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::{control::Control, payload, plan::Condition, reader::Timing};
use crate::{
    clock::{Clock, Timestamp},
    schedule::Schedule,
};

/// From one attempt at an event to the next.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// What was published, in order: number `n` at index `n - 1`.
pub type Published = Arc<Mutex<Vec<Publish>>>;

/// One acknowledged publish.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Publish {
    /// When it was meant to be.
    pub intended: Timestamp,
    /// When the acknowledgement had arrived.
    pub acknowledged: Timestamp,
}

/// Publishes on schedule from `start` on until told to stop. An event that is under way then is finished.
pub async fn publish(
    control: Control,
    channel: String,
    condition: Condition,
    (clock, start): (Clock, Timestamp),
    timing: Arc<Timing>,
    published: Published,
    stop: CancellationToken,
) {
    let schedule = Schedule::new(condition.rate, condition.pattern, condition.seed);
    for (seq, offset) in (1..).zip(schedule) {
        let intended = start + offset;
        tokio::select! {
            () = stop.cancelled() => return,
            () = clock.sleep_until(intended) => {}
        }
        timing.intend(intended);
        while control.publish(&channel, payload::numbered(seq, condition.payload_bytes)).await.is_err() {
            // The server is down, or going down. Whether it stays down is for the run to notice.
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(TRY_AGAIN_AFTER) => {}
            }
        }
        published.lock().push(Publish { intended, acknowledged: clock.now() });
    }
}
