//! The thread that keeps to a schedule.
//!
//! A thread and not a task: tokio's timer counts in milliseconds and rounds up, so a task would be a
//! millisecond late on average, many times what the transports under measurement take. A parked thread is
//! woken by the kernel's high-resolution timer: on a small virtual machine 104 µs late at the median as it
//! comes, 54 µs once its timer slack is taken away. Spinning for the last stretch would be exact, but would
//! take its time from the very server whose cost is measured. There are few sources, so there are few
//! threads.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{Progress, Spec};
use crate::{
    clock::{Clock, Timestamp},
    event::Draft,
    feed::{Channel, PublishError},
    schedule::Schedule,
};

/// The least that an event's data can have: `{"seq":…,"at":…,"pad":""}` with the longest numbers.
pub const MIN_PAYLOAD_BYTES: usize = 40 + MAX_SEQ_DIGITS as usize;

/// A source ends before its number gets longer, which would take centuries at most rates and four months
/// at the highest.
const MAX_SEQ_DIGITS: u32 = 12;

/// From the request to the first event, so that not even that one is late.
const LEAD: Duration = Duration::from_millis(5);

/// The longest sleep: how often a slow source looks whether anybody reads.
const LONGEST_PARK: Duration = Duration::from_secs(1);

/// How many events a source hands in before it waits until they are stored.
const WAIT_EVERY: u64 = 256;

/// A running source; dropping it ends it.
#[derive(Debug)]
pub(super) struct Publisher {
    spec: Spec,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    published: AtomicU64,
    stop: AtomicBool,
}

impl Publisher {
    /// Starts the thread. It ends by itself once `is_read` has said no for `idle`.
    pub(super) fn start(
        channel: Arc<Channel>,
        spec: Spec,
        clock: Clock,
        idle: Duration,
        is_read: Box<dyn Fn() -> bool + Send>,
    ) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let run = {
            let shared = Arc::clone(&shared);
            move || {
                sleep_precisely();
                Run { channel, spec, clock, idle, is_read, shared }.run();
            }
        };
        let thread = thread::Builder::new().name("source".to_owned()).spawn(run)?;
        Ok(Publisher { spec, shared, thread: Some(thread) })
    }

    pub(super) fn progress(&self) -> Progress {
        Progress { spec: self.spec, published: self.shared.published.load(Ordering::Relaxed) }
    }

    /// Whether it has ended by itself.
    pub(super) fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It looks at the flag before each event and is awake, so this takes microseconds. A thread
            // that panicked has told so on its own.
            let _ = thread.join();
        }
    }
}

struct Run {
    channel: Arc<Channel>,
    spec: Spec,
    clock: Clock,
    idle: Duration,
    is_read: Box<dyn Fn() -> bool + Send>,
    shared: Arc<Shared>,
}

impl Run {
    fn run(self) {
        let start = self.clock.now() + LEAD;
        let schedule = Schedule::new(self.spec.rate, self.spec.pattern, self.spec.seed.unwrap_or_default());
        let mut read_at = self.clock.now();
        let mut looked_at = read_at;
        for (seq, offset) in (1..10_u64.pow(MAX_SEQ_DIGITS)).zip(schedule) {
            let at = start + offset;
            // Two events may lie hours apart, or the source be late for ever: it looks in both cases.
            loop {
                let now = self.clock.now();
                if self.shared.stop.load(Ordering::SeqCst) {
                    return;
                }
                if now.since(looked_at) >= LONGEST_PARK {
                    looked_at = now;
                    if (self.is_read)() {
                        read_at = now;
                    } else if now.since(read_at) >= self.idle {
                        tracing::info!("a source without readers has ended");
                        return;
                    }
                }
                if now >= at {
                    break;
                }
                thread::park_timeout(at.since(now).min(LONGEST_PARK));
            }
            if let Err(error) = self.publish(Draft::message(data(seq, at, self.spec.payload_bytes)), seq) {
                tracing::warn!(%error, "a source has ended");
                return;
            }
            self.shared.published.store(seq, Ordering::Relaxed);
        }
    }
}

impl Run {
    /// Nobody waits for a source's acknowledgement, so that events may share a flush to the disk; but no more
    /// may be on their way than that, if the disk is slower than the source.
    fn publish(&self, draft: Draft, seq: u64) -> Result<(), PublishError> {
        let submitted = self.channel.submit(draft)?;
        if seq.is_multiple_of(WAIT_EVERY) {
            submitted.stored_blocking()?;
        }
        Ok(())
    }
}

/// An event's data, of exactly so many bytes.
fn data(seq: u64, at: Timestamp, payload_bytes: usize) -> String {
    let mut data = format!("{{\"seq\":{seq},\"at\":{at},\"pad\":\"");
    let pad = payload_bytes.saturating_sub(data.len() + 2);
    data.extend(std::iter::repeat_n('x', pad));
    data.push_str("\"}");
    data
}

/// Takes the thread's timer slack away: Linux lets a sleeper oversleep by 50 µs to save wake-ups.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn sleep_precisely() {
    let slack_ns: libc::c_ulong = 1;
    // SAFETY: PR_SET_TIMERSLACK takes one integer, touches no memory of ours and concerns this thread only.
    // Where it fails the source is a little later, and says so in its latencies.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, slack_ns) };
}

#[cfg(not(target_os = "linux"))]
fn sleep_precisely() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_has_exactly_the_bytes_that_were_asked_for() {
        let at = Timestamp::from_nanos(1_700_000_000_123_456_789);
        for seq in [1, 10_u64.pow(MAX_SEQ_DIGITS) - 1] {
            for size in [MIN_PAYLOAD_BYTES, 100, 16_384] {
                let data = data(seq, at, size);
                assert_eq!(data.len(), size);
                let value: serde_json::Value = serde_json::from_str(&data).expect("JSON");
                assert_eq!(value["seq"], seq);
                assert_eq!(value["at"], 1_700_000_000_123.456);
                assert!(value["pad"].is_string());
            }
        }
    }
}
