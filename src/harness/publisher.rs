//! Publishing from the harness: one event at a time by `POST`, each until it is acknowledged.
//!
//! Used where it must be known what was acknowledged even if the server dies, and where a payload is too
//! small for the built-in source. An event whose publish fails is tried again, so numbers have no holes;
//! those after it catch up. A publish whose answer was lost with the server may stand in a log that survives,
//! so before it is tried again it is looked for there.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::{control::Control, payload, plan::Condition, reader::Timing};
use crate::{
    clock::{Clock, Timestamp},
    schedule::Schedule,
};

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
    let mut last = None;
    for (seq, offset) in (1..).zip(schedule) {
        let intended = start + offset;
        tokio::select! {
            () = stop.cancelled() => return,
            () = clock.sleep_until(intended) => {}
        }
        timing.intend(intended);
        let data = payload::numbered(seq, condition.payload_bytes);
        last = control.publish_once(&channel, &data, last.as_deref(), &stop).await;
        if last.is_none() {
            return;
        }
        published.lock().push(Publish { intended, acknowledged: clock.now() });
    }
}
