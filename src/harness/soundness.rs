//! What the measuring itself does to the figures: checked in every run, and said where it is too much.
//!
//! | what | how it is known | doubtful where |
//! | --- | --- | --- |
//! | clocks agree | the server stamps an event between two readings of our clock | the stamp lies outside |
//! | the server answers | requests that do nothing, just before and just after | half take more than 5 ms |
//! | the machine is ours | what other programs took of all cores | more than a quarter |
//! | we get a core | our time in the run queue | more than half of the time that a core was wanted |
//! | we are not the limit | our share of all cores | more than 70 % |
//! | we wake in time | see [`jitter`](super::jitter) | one wake-up in ten more than 5 ms late |
//! | the clock is cheap | a thousand readings | more than 2 µs each |
//!
//! Nothing of this is asked of the server while it is measured.

use std::time::{Duration, Instant};

use super::{
    control::{Control, ControlError},
    process,
    record::{Harness, Record},
    schedstat::{Machine, Scheduled},
};
use crate::clock::{Clock, Timestamp};

/// Requests that do nothing, each time.
const PROBES: usize = 5;

/// A server that comes to life for moments only must not answer all of them in one.
const PAUSE: Duration = Duration::from_millis(2);

/// Hundreds of times what a free server on the loopback takes, and still less than what tells transports
/// apart where networks are slow.
const ANSWERS_WITHIN: Duration = Duration::from_millis(5);

/// Readers of one machine always wait for each other a little, as they are all woken by one event.
const WAIT_SHARE: f64 = 0.5;

/// One core of four: with less there is still a core for each of the two that are measured.
const OTHERS_SHARE: f64 = 0.25;

/// What is left of the cores must do for the server and the kernel.
const CPU_SHARE: f64 = 0.7;

/// A reading without a system call takes some 25 ns, one with it some hundred.
const CLOCK_READ: Duration = Duration::from_micros(2);

/// A watch over one run.
pub(super) struct Watch {
    control: Control,
    server: Vec<u32>,
    /// The group of the processes that clients run in, where they run in a browser.
    browser: Option<u32>,
    /// What was found before the run began.
    doubts: Vec<String>,
    clock_read: Duration,
    before: Vec<Duration>,
    running: Option<Running>,
}

/// What is taken when measuring begins.
#[derive(Clone, Copy)]
struct Running {
    since: Instant,
    own: Option<Scheduled>,
    server: Option<Scheduled>,
    browser: Option<Duration>,
    machine: Option<Machine>,
}

/// What was found in a run: the same for all its clients.
pub(super) struct Findings {
    harness: Harness,
    doubts: Vec<String>,
}

impl Watch {
    /// Checks what has to be right before anything is measured. `server` are the ids of the processes of a server
    /// that runs here, and `has_our_clock` says whether it was given our clock. `browser` is the group of the processes of a
    /// browser that clients read in, which are no strangers.
    pub(super) async fn begin(
        control: Control,
        server: Vec<u32>,
        has_our_clock: bool,
        browser: Option<u32>,
        clock: Clock,
    ) -> Result<Self, ControlError> {
        let mut doubts = Vec::new();
        if has_our_clock {
            doubts.extend(clocks_disagree(&control, clock).await?);
        }
        let (clock_read, before) = (clock_read(clock), answers(&control).await?);
        Ok(Watch { control, server, browser, doubts, clock_read, before, running: None })
    }

    /// Measuring begins.
    pub(super) fn measure(&mut self) {
        self.running = Some(Running {
            since: Instant::now(),
            own: Scheduled::of(std::process::id()),
            server: Scheduled::of_all(&self.server),
            browser: self.browser.and_then(process::group_cpu),
            machine: Machine::now(),
        });
    }

    /// Measuring has ended. `wake_late` is how late this process woke up, in microseconds.
    pub(super) async fn end(mut self, wake_late: Option<(f64, f64)>) -> Findings {
        let mut harness = Harness {
            clock_read_ns: self.clock_read.as_secs_f64() * 1e9,
            wake_late_p50_us: wake_late.map(|(p50, _)| p50),
            wake_late_p99_us: wake_late.map(|(_, p99)| p99),
            ..Harness::default()
        };
        if let Some(running) = self.running {
            let spent = |pid: u32, earlier: Option<Scheduled>| Some(Scheduled::of(pid)?.since(earlier?));
            let own = spent(std::process::id(), running.own);
            let server =
                Scheduled::of_all(&self.server).zip(running.server).map(|(now, then)| now.since(then));
            let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
            let capacity = running.since.elapsed().as_secs_f64() * cores;
            let share = |of: Option<Scheduled>| of.map(|of| of.ran.as_secs_f64() / capacity);
            harness.cpu_share = share(own);
            let pages = self.browser.and_then(process::group_cpu).zip(running.browser);
            let pages = pages.map(|(now, then)| now.saturating_sub(then).as_secs_f64() / capacity);
            let taken = Machine::now().zip(running.machine).and_then(|(now, then)| now.taken_since(then));
            harness.other_cpu_share = taken
                .zip(share(own))
                .map(|(taken, own)| {
                    taken - own - share(server).unwrap_or_default() - pages.unwrap_or_default()
                })
                .map(|others| others.max(0.0));
            harness.cpu_wait_share = own.map(Scheduled::wait_share);
            harness.server_cpu_wait_share = server.map(Scheduled::wait_share);
        }
        // A server that does not answer any more has had its say in the run's own error.
        let mut answers = answers(&self.control).await.unwrap_or_default();
        answers.append(&mut self.before);
        answers.sort_unstable();
        let answer = answers.get(answers.len() / 2).copied();
        harness.answer_us = answer.map(|answer| answer.as_secs_f64() * 1e6);
        let mut sound = harness;
        // Only the loopback is known to take no time of its own.
        sound.answer_us = sound.answer_us.filter(|_| !self.server.is_empty());
        self.doubts.extend(doubts(&sound));
        Findings { harness, doubts: self.doubts }
    }
}

impl Findings {
    /// Puts them into a record.
    pub(super) fn note(&self, record: &mut Record) {
        record.harness = Some(self.harness);
        record.doubtful.extend(self.doubts.iter().cloned());
    }
}

/// Why the figures should be doubted, each with what to do next. Figures are rounded, so that many runs in
/// the same trouble share a sentence.
fn doubts(harness: &Harness) -> Vec<String> {
    let mut doubts = Vec::new();
    let over = |share: Option<f64>, most: f64| share.filter(|share| *share > most);
    let tenths = |share: f64| format!("{:.0} %", (share * 10.0).round() * 10.0);
    if let Some(share) = over(harness.other_cpu_share, OTHERS_SHARE) {
        doubts.push(format!(
            "the machine was busy: other programs took about {} of all cores; close them and run it again",
            tenths(share)
        ));
    }
    if let Some(share) = over(harness.cpu_wait_share, WAIT_SHARE) {
        doubts.push(format!(
            "the measuring process was short of CPU: about {} of the time that it wanted a core it waited for one; \
             close other programs, use fewer readers or a lower rate, or run it on a machine with more cores",
            tenths(share)
        ));
    }
    if let Some(share) = over(harness.cpu_share, CPU_SHARE) {
        doubts.push(format!(
            "the measuring process itself took about {} of all cores, so that it and not the transport may be the \
             limit; use fewer readers or a lower rate, or a machine with more cores",
            tenths(share)
        ));
    }
    if harness.answer_us.is_some_and(|micros| micros > ANSWERS_WITHIN.as_secs_f64() * 1e6) {
        doubts.push(format!(
            "the server is slow whatever the transport: half of the requests that do nothing took more than {} ms \
             before and after the run; see what slows it down (a debugger, a limit on its CPU, a busy machine) and \
             run it again",
            ANSWERS_WITHIN.as_millis()
        ));
    }
    if harness.clock_read_ns > CLOCK_READ.as_secs_f64() * 1e9 {
        doubts.push(format!(
            "reading the clock takes more than {} µs here: latencies include it; choose the clock source tsc, or a \
             machine that is not emulated",
            CLOCK_READ.as_micros()
        ));
    }
    doubts
}

/// How long requests that do nothing take.
async fn answers(control: &Control) -> Result<Vec<Duration>, ControlError> {
    let mut answers = Vec::with_capacity(PROBES);
    for _ in 0..PROBES {
        let asked = Instant::now();
        control.healthy().await?;
        answers.push(asked.elapsed());
        tokio::time::sleep(PAUSE).await;
    }
    Ok(answers)
}

/// One reading of the clock, on average. The best of several rounds, since a thread may lose its core.
fn clock_read(clock: Clock) -> Duration {
    const READINGS: u32 = 200;
    let round = || {
        let began = Instant::now();
        for _ in 0..READINGS {
            std::hint::black_box(clock.now());
        }
        began.elapsed() / READINGS
    };
    (0..5).map(|_| round()).min().unwrap_or_default()
}

/// Lets the server stamp an event, and looks whether its stamp lies between two readings of our clock.
async fn clocks_disagree(control: &Control, clock: Clock) -> Result<Option<String>, ControlError> {
    let asked = clock.now();
    let stamp = control.stamp(&format!("clock-{:016x}", rand::random::<u64>())).await?;
    Ok(outside(asked, stamp, clock.now()))
}

fn outside(asked: Timestamp, stamp: Timestamp, received: Timestamp) -> Option<String> {
    let (off, word) = if stamp < asked {
        (asked.since(stamp), "behind")
    } else if stamp > received {
        (stamp.since(received), "ahead of")
    } else {
        return None;
    };
    Some(format!(
        "the server's clock is at least {} ms {word} ours, so that its latencies are wrong by as much; start it with \
         the clock anchor of the process that measures (the environment variable {})",
        off.as_millis().max(1),
        Clock::ANCHOR_VARIABLE
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_has_to_lie_between_asking_and_receiving() {
        let at =
            |millis: u64| Timestamp::from_nanos(1_700_000_000_000_000_000) + Duration::from_millis(millis);
        assert_eq!(outside(at(10), at(10), at(20)), None);
        assert_eq!(outside(at(10), at(20), at(20)), None);
        let behind = outside(at(60), at(10), at(70)).expect("behind");
        assert!(behind.contains("at least 50 ms behind ours"), "{behind}");
        assert!(outside(at(10), at(90), at(20)).expect("ahead").contains("70 ms ahead of ours"));
    }

    #[test]
    fn each_trouble_is_said_with_what_to_do_and_none_without() {
        let fine = Harness {
            clock_read_ns: 30.0,
            cpu_share: Some(0.3),
            cpu_wait_share: Some(0.1),
            server_cpu_wait_share: Some(0.9),
            other_cpu_share: Some(0.1),
            answer_us: Some(300.0),
            ..Harness::default()
        };
        assert_eq!(doubts(&fine), Vec::<String>::new());
        assert_eq!(doubts(&Harness::default()), Vec::<String>::new(), "what is not known is no trouble");
        for (trouble, words) in [
            (
                Harness { cpu_wait_share: Some(0.52), ..fine },
                "the measuring process was short of CPU: about 50 %",
            ),
            (Harness { other_cpu_share: Some(0.97), ..fine }, "other programs took about 100 % of all cores"),
            (Harness { cpu_share: Some(0.8), ..fine }, "took about 80 % of all cores"),
            (Harness { answer_us: Some(30_000.0), ..fine }, "the server is slow"),
            (Harness { clock_read_ns: 4_000.0, ..fine }, "reading the clock"),
        ] {
            let said = doubts(&trouble);
            assert!(
                matches!(said.as_slice(), [one] if one.contains(words) && one.contains("; ")),
                "{said:?}"
            );
        }
    }
}
