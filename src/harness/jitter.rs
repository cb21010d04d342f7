//! How late this process itself wakes up.
//!
//! A reader that is woken late stamps its events late, and the transport gets the blame. So while a run is
//! measured, a task of its own asks to be woken at known times and notes by how much that was missed.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::task::JoinHandle;

use crate::clock::Clock;

/// From one wake-up to the next.
const EVERY: Duration = Duration::from_millis(10);

/// The runtime's timer counts in milliseconds and rounds up, so that up to two are its own.
const TOLERATED: Duration = Duration::from_millis(5);

/// A watch over this process's wake-ups.
#[derive(Debug)]
pub struct Jitter {
    lateness: Arc<Mutex<Vec<Duration>>>,
    task: JoinHandle<()>,
}

impl Jitter {
    /// Starts to watch.
    pub fn watch(clock: Clock) -> Self {
        let lateness = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&lateness);
        let task = tokio::spawn(async move {
            let mut due = clock.now();
            loop {
                due = due + EVERY;
                clock.sleep_until(due).await;
                let now = clock.now();
                noted.lock().push(now.since(due));
                due = due.max(now);
            }
        });
        Jitter { lateness, task }
    }

    /// By how many microseconds half of the wake-ups, and 99 in 100, were late at most.
    pub fn percentiles(&self) -> Option<(f64, f64)> {
        let mut lateness = self.lateness.lock();
        let mut at = |percent| Some(at_most(percent, &mut lateness)?.as_secs_f64() * 1e6);
        Some((at(50)?, at(99)?))
    }

    /// What should be said of the figures, where more than one wake-up in ten was too late.
    pub fn doubt(&self) -> Option<String> {
        let ninth = at_most(90, &mut self.lateness.lock())?;
        (ninth > TOLERATED).then(|| {
            format!(
                "the measuring process itself woke up {:.1} ms late in one case of ten: the machine is busy; close \
                 other programs, use fewer readers, or run it on a machine with more cores",
                ninth.as_secs_f64() * 1e3
            )
        })
    }
}

impl Drop for Jitter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How late so many in a hundred were at most.
fn at_most(percent: usize, lateness: &mut [Duration]) -> Option<Duration> {
    lateness.sort_unstable();
    lateness.get(lateness.len() * percent / 100).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_late_wake_up_in_twenty_is_forgiven_and_three_are_not() {
        let mut lateness = vec![Duration::from_millis(1); 19];
        lateness.push(Duration::from_millis(80));
        assert_eq!(at_most(90, &mut lateness), Some(Duration::from_millis(1)));
        lateness.extend([Duration::from_millis(80); 2]);
        assert_eq!(at_most(90, &mut lateness), Some(Duration::from_millis(80)));
        assert_eq!(at_most(90, &mut []), None);
    }
}
