//! One clock for server and harness.
//!
//! A latency that crosses two processes is the difference of two stamps, so both must come from one
//! clock. The wall clock may be stepped in the middle of a run; the monotonic clock is not, and on
//! one machine it is the same for all processes. So every stamp is the monotonic clock plus an *anchor*,
//! the wall time at which the monotonic clock stood at zero, read once by the parent process and handed
//! down to the server under test ([`Clock::ANCHOR_VARIABLE`]).

use std::{
    fmt,
    ops::Add,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A clock that never steps back, and whose readings are Unix time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Unix time in nanoseconds at the monotonic clock's zero.
    anchor_ns: i64,
}

impl Clock {
    /// The environment variable in which a parent hands its anchor to a child.
    pub const ANCHOR_VARIABLE: &'static str = "PUSHLAB_CLOCK_ANCHOR";

    /// Reads the wall clock once and runs on the monotonic clock from there.
    pub fn start() -> Self {
        // Three readings, of which the one with the narrowest bracket is kept: a thread that loses its
        // core between the two clock calls would shift every stamp by as much.
        let anchor_ns = (0..3)
            .map(|_| {
                let before = monotonic_ns();
                let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                let after = monotonic_ns();
                (after - before, wall.as_nanos() as i64 - before.midpoint(after))
            })
            .min()
            .map_or(0, |(_, anchor_ns)| anchor_ns);
        Clock { anchor_ns }
    }

    /// The clock of the process that started this one, or a new one.
    pub fn inherited() -> Self {
        std::env::var(Self::ANCHOR_VARIABLE)
            .ok()
            .and_then(|text| text.parse().ok())
            .map_or_else(Self::start, Self::from_anchor)
    }

    /// A clock with a known anchor: Unix nanoseconds at the monotonic clock's zero.
    pub const fn from_anchor(anchor_ns: i64) -> Self {
        Clock { anchor_ns }
    }

    /// The anchor to hand to a child process, in Unix nanoseconds.
    pub const fn anchor_ns(self) -> i64 {
        self.anchor_ns
    }

    /// The time now.
    pub fn now(self) -> Timestamp {
        Timestamp(self.anchor_ns + monotonic_ns())
    }

    /// Sleeps until `due`, and not at all where that is past.
    pub async fn sleep_until(self, due: Timestamp) {
        let left_ns = due.0 - self.now().0;
        if left_ns > 0 {
            tokio::time::sleep(Duration::from_nanos(left_ns as u64)).await;
        }
    }
}

/// A moment, in nanoseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From nanoseconds since the Unix epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        Timestamp(nanos)
    }

    /// From milliseconds since the Unix epoch, as the feed's `at` carries them: with three digits after the
    /// point, so to the microsecond.
    pub fn from_millis(millis: f64) -> Self {
        // In our century an f64 holds such a number to a quarter of a microsecond. What is finer than its
        // digits is noise, and would take a microsecond off every other latency.
        Timestamp((millis * 1e3).round() as i64 * 1_000)
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Milliseconds since the Unix epoch, with their fraction.
    pub fn as_millis(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// Microseconds from `earlier` to here; negative where the clocks of two machines disagree.
    pub fn micros_since(self, earlier: Timestamp) -> i64 {
        (self.0 - earlier.0) / 1_000
    }

    /// The time from `earlier` to here, zero where `earlier` is later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_nanos((self.0 - earlier.0).max(0) as u64)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;

    fn add(self, time: Duration) -> Timestamp {
        Timestamp(self.0 + time.as_nanos() as i64)
    }
}

/// Unix milliseconds with three digits after the point, the form of the feed's `at`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.div_euclid(1_000);
        write!(f, "{}.{:03}", micros.div_euclid(1_000), micros.rem_euclid(1_000))
    }
}

/// The monotonic clock, the same for every process of this machine since it was started.
#[cfg(unix)]
#[allow(unsafe_code)]
fn monotonic_ns() -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid, writable timespec; CLOCK_MONOTONIC exists on every supported Unix.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// Elsewhere `Instant` hides its zero, so the wall clock stands in: two processes still agree.
#[cfg(not(unix))]
fn monotonic_ns() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_unix_time_and_never_steps_back() {
        let clock = Clock::start();
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as f64;
        let first = clock.now();
        assert!((first.as_millis() - wall).abs() < 60_000.0, "{first} is not near {wall}");
        assert!(clock.now() >= first);
    }

    #[test]
    fn a_child_with_the_same_anchor_reads_the_same_clock() {
        let parent = Clock::start();
        let child = Clock::from_anchor(parent.anchor_ns());
        let (before, between, after) = (parent.now(), child.now(), parent.now());
        assert!(before <= between && between <= after);
    }

    #[test]
    fn a_timestamp_is_written_in_milliseconds_with_a_fraction() {
        let at = Timestamp::from_nanos(1_700_000_000_123_456_789);
        assert_eq!(at.to_string(), "1700000000123.456");
        assert_eq!(Timestamp::from_millis(1_700_000_000_123.456).to_string(), "1700000000123.456");
        assert_eq!((at + Duration::from_millis(2)).micros_since(at), 2_000);
        for micros in 0..2_000 {
            let at = Timestamp::from_nanos(1_700_000_000_000_000_000 + micros * 1_000);
            let read: f64 = at.to_string().parse().expect("a number");
            assert_eq!(Timestamp::from_millis(read), at, "what is written reads back");
        }
    }
}
