//! When the bytes of one direction may go on: delay, jitter and rate.
//!
//! Pure: it is told the time and sleeps nowhere.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::time::Instant;

use crate::link::conditions::Path;

/// What waits for its turn on a link of limited rate before the sender is made to wait: a router's queue.
/// What is read at once is taken in whole, so that a very slow link holds up to one read more.
const QUEUE: Duration = Duration::from_millis(100);

/// Where the rate is limited, bytes arrive as they are sent and not all at the last one's time: in pieces
/// of what an Ethernet segment with timestamps carries.
const SEGMENT: usize = 1_448;

/// One direction's schedule.
#[derive(Debug)]
pub(super) struct Lane {
    path: Path,
    random: StdRng,
    /// When the link has sent everything that it took in.
    free: Instant,
    last_due: Instant,
}

impl Lane {
    /// A link that sends nothing before `opens`; `seed` decides the jitter.
    pub(super) fn new(path: Path, seed: u64, opens: Instant) -> Self {
        Lane { path, random: StdRng::seed_from_u64(seed), free: opens, last_due: opens }
    }

    /// Takes in a piece at `now` and says when it has arrived at the other end. Never before an earlier one.
    pub(super) fn due(&mut self, now: Instant, bytes: usize) -> Instant {
        let sending = self.path.rate_bits_s.map_or(Duration::ZERO, |rate| {
            // A rate of nothing would be a time without end; definitions refuse it.
            Duration::from_secs_f64(bytes as f64 * 8.0 / rate.max(1) as f64)
        });
        self.free = self.free.max(now) + sending;
        let jitter = self.path.jitter.mul_f64(self.random.random());
        self.last_due = self.last_due.max(self.free + self.path.delay + jitter);
        self.last_due
    }

    /// From when on it takes in more: a queue that is full holds the sender up, and nothing is dropped.
    pub(super) fn room_at(&self) -> Instant {
        self.free.checked_sub(QUEUE).unwrap_or(self.free)
    }

    /// The most bytes of a piece.
    pub(super) fn piece(&self) -> usize {
        let unlimited = if self.path.rate_bits_s.is_some() { SEGMENT } else { usize::MAX };
        self.path.chunk_bytes.unwrap_or(unlimited).max(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn lane(path: Path) -> (Lane, Instant) {
        let now = Instant::now();
        (Lane::new(path, 7, now), now)
    }

    #[test]
    fn nothing_added_is_due_at_once() {
        let (mut lane, now) = lane(Path::default());
        assert_eq!(lane.due(now, 100_000), now);
        assert!(lane.room_at() <= now);
        assert_eq!(lane.piece(), usize::MAX);
    }

    #[test]
    fn a_delay_is_added_to_each_piece() {
        let (mut lane, now) = lane(Path { delay: 35 * MS, ..Path::default() });
        assert_eq!(lane.due(now, 1), now + 35 * MS);
        assert_eq!(lane.due(now + 10 * MS, 1), now + 45 * MS);
    }

    #[test]
    fn a_rate_sends_one_piece_after_the_other() {
        let (mut lane, now) = lane(Path { rate_bits_s: Some(8_000), ..Path::default() });
        assert_eq!(lane.due(now, 10), now + 10 * MS);
        assert_eq!(lane.due(now, 10), now + 20 * MS, "behind the first");
        assert_eq!(lane.due(now + 50 * MS, 10), now + 60 * MS, "what was idle is not saved up");
    }

    #[test]
    fn a_full_queue_holds_the_sender_up_until_there_is_room() {
        let (mut lane, now) = lane(Path { rate_bits_s: Some(8_000), ..Path::default() });
        lane.due(now, 100);
        assert!(lane.room_at() <= now, "100 ms wait, which is what the queue holds");
        lane.due(now, 500);
        assert_eq!(lane.room_at(), now + 500 * MS);
    }

    #[test]
    fn nothing_passes_before_the_link_opens() {
        let now = Instant::now();
        let mut lane = Lane::new(Path { delay: 5 * MS, ..Path::default() }, 7, now + 10 * MS);
        assert_eq!(lane.due(now, 1), now + 15 * MS);
    }

    #[test]
    fn the_seed_decides_the_jitter() {
        let now = Instant::now();
        let path = Path { jitter: 10 * MS, ..Path::default() };
        let dues = |seed| {
            let mut lane = Lane::new(path, seed, now);
            // Far enough apart that no piece waits for another.
            (0..50).map(|n| lane.due(now + n * 20 * MS, 1) - (now + n * 20 * MS)).collect::<Vec<_>>()
        };
        assert_eq!(dues(1), dues(1));
        assert_ne!(dues(1), dues(2));
        assert!(dues(1).iter().all(|jitter| *jitter <= 10 * MS));
        assert!(dues(1).iter().max() > dues(1).iter().min().map(|least| *least + 5 * MS).as_ref());
    }

    proptest! {
        #[test]
        fn order_is_kept_and_nothing_comes_early(
            arrivals in prop::collection::vec((0_u32..20, 0_usize..5_000), 1..80),
            delay in 0_u32..50,
            jitter in 0_u32..50,
            rate in prop::option::of(1_000_u64..100_000_000),
            seed: u64,
        ) {
            let now = Instant::now();
            let path = Path { delay: delay * MS, jitter: jitter * MS, rate_bits_s: rate, chunk_bytes: None };
            let mut lane = Lane::new(path, seed, now);
            let (mut at, mut before) = (now, now);
            for (pause, bytes) in arrivals {
                at += pause * MS;
                let due = lane.due(at, bytes);
                prop_assert!(due >= before, "overtakes");
                prop_assert!(due >= at + path.delay, "early");
                before = due;
            }
        }
    }
}
