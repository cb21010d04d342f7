//! Publishing from the harness, or by a reader in it: one event at a time, each until it is acknowledged.
//!
//! Used where it must be known what was acknowledged even if the server dies, and where a payload is too
//! small for the built-in source. An event whose publish fails is tried again, so numbers have no holes;
//! those after it catch up. A publish whose answer was lost with the server may stand in a log that survives,
//! so before it is tried again it is looked for there; where the log did not survive, it is not tried again.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::{
    control::{Control, Once, TRY_AGAIN_AFTER},
    definition::Fault,
    payload,
    plan::Condition,
    reader::{Notes, Timing},
    target,
};
use crate::{
    client,
    clock::{Clock, Timestamp},
    schedule::Schedule,
};

/// How long a reader's message may take to be answered; the harness's own requests have such a limit too.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// How often a closed loop looks whether its event has come.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// What was published, in order: number `n` at index `n - 1`.
pub type Published = Arc<Mutex<Vec<Publish>>>;

/// One acknowledged publish.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Publish {
    /// When it was meant to be.
    pub intended: Timestamp,
    /// When the acknowledgement had arrived, or it was clear that none would.
    pub acknowledged: Timestamp,
}

/// How an event is published.
#[derive(Debug)]
pub enum Way {
    /// By the harness's own request, to a channel; with the id of the event before.
    Control(Box<Control>, String, Option<String>),
    /// In a target's own way.
    Target(target::Publishing),
    /// By the reader itself.
    Reader(client::publish::Publisher),
}

/// What publishing by a reader took, in application bytes, and how often it failed.
#[derive(Debug, Default)]
pub struct Sent {
    /// Messages: frames, or requests with their heads.
    pub bytes_out: u64,
    /// Their acknowledgements.
    pub bytes_in: u64,
    /// Per message, when it was meant to be sent and how long its acknowledgement took from then on, in
    /// microseconds. Where nothing but this process's own timer was late, the time runs from its ringing.
    pub round_trips: Vec<(Timestamp, u64)>,
    /// Why the last attempt failed that did; `None` where every one was acknowledged.
    pub failure: Option<String>,
}

/// What a publisher is started with.
#[derive(Debug)]
pub struct Publishing {
    /// How.
    pub way: Way,
    /// The schedule and the payload.
    pub condition: Condition,
    /// The clock.
    pub clock: Clock,
    /// When the schedule begins.
    pub start: Timestamp,
    /// Where intended times are noted.
    pub timing: Arc<Timing>,
    /// Where acknowledged publishes are noted.
    pub published: Published,
    /// Ends it. An event that is under way then is finished.
    pub stop: CancellationToken,
    /// A closed loop: all these must have an event before the next one is published. Empty for a publisher
    /// that keeps to its schedule whatever becomes of its events.
    pub closed_loop: Vec<Arc<Notes>>,
    /// Not by schedule but as fast as those take it, with at most so many events under way.
    pub in_flight: Option<u32>,
}

impl Publishing {
    /// Publishes on schedule until told to stop.
    pub async fn run(self) -> Sent {
        if let Some(in_flight) = self.in_flight {
            return self.saturate(in_flight).await;
        }
        let Publishing { mut way, condition, clock, start, timing, published, stop, closed_loop, .. } = self;
        let mut sent = Sent::default();
        let within_characters = condition.has(|fault| fault == Fault::MidCharacter);
        let schedule = Schedule::new(condition.rate, condition.pattern, condition.seed);
        for (seq, offset) in (1..).zip(schedule) {
            let intended = start + offset;
            let is_behind = clock.now() >= intended;
            tokio::select! {
                () = stop.cancelled() => break,
                () = clock.sleep_until(intended) => {}
            }
            let begun = if is_behind { intended } else { clock.now() };
            timing.intend(intended);
            if !closed_loop.is_empty() {
                timing.sent(clock.now());
            }
            let data = if within_characters {
                payload::accented(seq, condition.payload_bytes)
            } else {
                payload::numbered(seq, condition.payload_bytes)
            };
            let Some(acknowledged) = until_acknowledged(&mut way, &data, clock, &mut sent, &stop).await
            else {
                break;
            };
            published.lock().push(Publish { intended, acknowledged });
            let micros = u64::try_from(acknowledged.micros_since(begun)).unwrap_or_default();
            sent.round_trips.push((intended, micros));
            for reader in &closed_loop {
                while reader.highest() < seq && !stop.is_cancelled() {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
        }
        if let Way::Reader(publisher) = way {
            publisher.close().await;
        }
        sent
    }

    /// Publishes as fast as all readers take it: one event after the other, each until it is acknowledged, with at
    /// most so many under way that some reader does not have yet.
    async fn saturate(self, in_flight: u32) -> Sent {
        let Publishing { mut way, condition, clock, start, timing, published, stop, closed_loop, .. } = self;
        let (mut sent, mut all_have) = (Sent::default(), 0);
        clock.sleep_until(start).await;
        for seq in 1_u64.. {
            while seq.saturating_sub(all_have) > u64::from(in_flight) {
                all_have = closed_loop.iter().map(|reader| reader.highest()).min().unwrap_or(seq);
                if stop.is_cancelled() {
                    return sent;
                }
                if seq.saturating_sub(all_have) > u64::from(in_flight) {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
            if stop.is_cancelled() {
                break;
            }
            let intended = clock.now();
            timing.intend(intended);
            let data = payload::numbered(seq, condition.payload_bytes);
            let acknowledged = until_acknowledged(&mut way, &data, clock, &mut sent, &stop).await;
            let Some(acknowledged) = acknowledged else { break };
            published.lock().push(Publish { intended, acknowledged });
        }
        sent
    }
}

/// Publishes one event, and again where that failed: the server is down, or going down. Whether it stays
/// down is for the run to notice. `None` where it was told to stop meanwhile.
async fn until_acknowledged(
    way: &mut Way,
    data: &str,
    clock: Clock,
    sent: &mut Sent,
    stop: &CancellationToken,
) -> Option<Timestamp> {
    loop {
        let failure = match way {
            Way::Control(control, channel, last) => {
                match control.publish_once(channel, data, last.as_deref(), stop).await? {
                    Once::Acknowledged(id) => *last = Some(id),
                    // It counts as published: some may have had it, and to the others its loss is announced.
                    Once::Unknown => {}
                }
                return Some(clock.now());
            }
            Way::Target(target) => match tokio::time::timeout(ANSWER_WITHIN, target.publish(data)).await {
                Ok(Ok(())) => return Some(clock.now()),
                Ok(Err(problem)) => problem,
                Err(_) => format!("no answer within {} s", ANSWER_WITHIN.as_secs()),
            },
            Way::Reader(publisher) => {
                let answered = tokio::time::timeout(ANSWER_WITHIN, publisher.publish(data)).await;
                match answered {
                    Ok(Ok(acknowledged)) => {
                        sent.bytes_out += acknowledged.bytes_out;
                        sent.bytes_in += acknowledged.bytes_in;
                        return Some(acknowledged.at);
                    }
                    Ok(Err(cause)) => cause.to_string(),
                    Err(_) => format!("no answer within {} s", ANSWER_WITHIN.as_secs()),
                }
            }
        };
        sent.failure = Some(failure);
        tokio::select! {
            () = stop.cancelled() => return None,
            () = tokio::time::sleep(TRY_AGAIN_AFTER) => {}
        }
    }
}
