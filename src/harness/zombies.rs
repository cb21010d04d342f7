//! How long a server goes on counting readers that are gone without a word.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::task::JoinHandle;

use super::{
    control::Control,
    reader::Sighting,
    record::{MomentKind, Zombies},
};
use crate::clock::{Clock, Timestamp};

/// From one look at the server's count to the next.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// The server's count of readers at one moment, by transport.
#[derive(Debug, Clone, PartialEq)]
pub struct Counted {
    /// When the answer had come.
    pub at: Timestamp,
    /// How many, by the transport's slug.
    pub readers: BTreeMap<String, u64>,
}

/// Looks at the server's count again and again until it is ended.
#[derive(Debug)]
pub struct CountWatch {
    counts: Arc<Mutex<Vec<Counted>>>,
    task: JoinHandle<()>,
}

impl CountWatch {
    /// Starts to look.
    pub fn start(control: Control, channel: String, clock: Clock) -> Self {
        let counts = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn({
            let counts = Arc::clone(&counts);
            async move {
                loop {
                    // A look that fails leaves a hole between two others.
                    if let Ok(readers) = control.readers(&channel).await {
                        counts.lock().push(Counted { at: clock.now(), readers });
                    }
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
        });
        CountWatch { counts, task }
    }

    /// Ends it and gives what was counted.
    pub fn end(self) -> Vec<Counted> {
        std::mem::take(&mut self.counts.lock())
    }
}

impl Drop for CountWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the server believed of the readers that `sightings` are of, which were cut in silence. A reader that
/// came back is a living one from then on; whatever is counted beyond the living is dead.
pub fn zombies(
    cut: Timestamp,
    heartbeat_ms: u64,
    transport: &str,
    counts: &[Counted],
    sightings: &[Vec<Sighting>],
) -> Zombies {
    let since_cut = |at: Timestamp| at.micros_since(cut) as f64 / 1e3;
    let mut counted: Vec<(f64, u64)> = Vec::new();
    for count in counts.iter().filter(|count| count.at >= cut) {
        let living = sightings.iter().filter(|reader| is_back(reader, cut, count.at)).count() as u64;
        let dead = count.readers.get(transport).copied().unwrap_or(0).saturating_sub(living);
        if counted.last().is_none_or(|(_, last)| *last != dead) {
            counted.push((since_cut(count.at), dead));
        }
    }
    let gone_ms = counted.last().filter(|(_, dead)| *dead == 0).map(|(at, _)| *at);
    Zombies { heartbeat_ms, gone_ms, counted }
}

/// Whether a reader stands, at `now`, on a connection that it made after the cut.
fn is_back(sightings: &[Sighting], cut: Timestamp, now: Timestamp) -> bool {
    let since = sightings.iter().filter(|it| it.at >= cut && it.at <= now);
    let last = since.rev().find(|it| matches!(it.what, MomentKind::Open | MomentKind::Closed));
    last.is_some_and(|it| it.what == MomentKind::Open)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::recovery::Spent;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_nanos(0) + Duration::from_millis(millis)
    }

    fn counts(list: &[(u64, u64)]) -> Vec<Counted> {
        let count = |&(ms, readers)| Counted { at: at(ms), readers: [("sse".to_owned(), readers)].into() };
        list.iter().map(count).collect()
    }

    #[test]
    fn the_dead_are_counted_until_the_server_lets_go_of_the_last() {
        let counts = counts(&[(90, 2), (110, 2), (150, 2), (200, 1), (250, 0), (300, 0)]);
        let zombies = zombies(at(100), 50, "sse", &counts, &[Vec::new(), Vec::new()]);
        assert_eq!(zombies.counted, [(10.0, 2), (100.0, 1), (150.0, 0)]);
        assert_eq!(zombies.gone_ms, Some(150.0));
    }

    #[test]
    fn who_came_back_is_none_of_them() {
        let open = Sighting {
            at: at(150),
            what: MomentKind::Open,
            seq: None,
            detail: String::new(),
            spent: Spent::default(),
        };
        let counts = counts(&[(110, 1), (160, 2), (200, 1)]);
        let zombies = zombies(at(100), 50, "sse", &counts, &[vec![open]]);
        assert_eq!(zombies.counted, [(10.0, 1), (100.0, 0)]);
        assert_eq!(zombies.gone_ms, Some(100.0));
    }

    #[test]
    fn what_is_still_counted_at_the_end_is_never_gone() {
        let zombies = zombies(at(100), 50, "sse", &counts(&[(110, 1), (900, 1)]), &[Vec::new()]);
        assert_eq!(zombies.gone_ms, None);
    }
}
