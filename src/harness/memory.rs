//! A process's memory, watched while it publishes to readers that don't read.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{process, record::Memory};
use crate::clock::{Clock, Timestamp};

/// From one look to the next.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The growth at which publishing stops: enough to see where it leads, and no danger to the machine.
pub const ENOUGH_KIB: u64 = 200 << 10;

/// Samples of a process's resident memory, taken until it is ended.
#[derive(Debug)]
pub struct MemoryWatch {
    samples: Arc<Mutex<Vec<(Timestamp, u64)>>>,
    full: CancellationToken,
    task: JoinHandle<()>,
}

impl MemoryWatch {
    /// Starts to watch; the first sample, taken at once, is what growth is counted from.
    pub fn start(pid: u32, clock: Clock) -> Self {
        let look = move || process::usage(pid).rss_kib.map(|kib| (clock.now(), kib));
        let samples = Arc::new(Mutex::new(Vec::from_iter(look())));
        let full = CancellationToken::new();
        let task = tokio::spawn({
            let (samples, full) = (Arc::clone(&samples), full.clone());
            async move {
                loop {
                    tokio::time::sleep(LOOK_EVERY).await;
                    let mut samples = samples.lock();
                    samples.extend(look());
                    if growth(&samples) >= ENOUGH_KIB {
                        full.cancel();
                    }
                }
            }
        });
        MemoryWatch { samples, full, task }
    }

    /// Resolves once the process has grown by [`ENOUGH_KIB`].
    pub async fn full(&self) {
        self.full.cancelled().await;
    }

    /// Ends it and gives what was seen, on an axis that starts at `start`. `None` where the system does not
    /// tell.
    pub fn end(self, start: Timestamp) -> Option<Memory> {
        let samples = self.samples.lock();
        let since = |at: Timestamp| at.micros_since(start) as f64 / 1e3;
        (!samples.is_empty()).then(|| Memory {
            samples: samples.iter().map(|&(at, kib)| (since(at), kib)).collect(),
            growth_kib: growth(&samples),
            stopped_early: self.full.is_cancelled(),
        })
    }
}

impl Drop for MemoryWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn growth(samples: &[(Timestamp, u64)]) -> u64 {
    let before = samples.first().map_or(0, |(_, kib)| *kib);
    samples.iter().map(|(_, kib)| kib.saturating_sub(before)).max().unwrap_or(0)
}
