//! One event to a thousand readers: what it costs the server and how long it takes, for each stream, for long poll
//! and for the bare TCP floor; by the writers that own many sockets and in the plain way, a task for each reader.
//!
//! Figures are multiples of the floor's in the same run: absolute ones are the machine's. They are held to
//! `benches/budgets.toml`, and the bench ends with status 1 where one is over. Arguments, all optional: readers,
//! repetitions, and which ways are measured beside the floor (`sse`, `websocket`, `long-poll`; then only by the
//! writers).

mod budgets;
mod site;

use std::{process::ExitCode, time::Duration};

use budgets::{Budgets, median};
use site::{Crowd, Look, Seen, Site, Way};
use tokio::runtime::Builder;

/// Spread out, each event a wake-up of its own.
const PACED: (u64, f64) = (200, 20.0);

/// An open loop that no server keeps up with that writes each event to each reader by itself.
const DENSE: (u64, f64) = (4_000, 2_000.0);

/// The lowest rate of the search for the highest one that is kept up with, and how long each is held.
const LOWEST: f64 = 500.0;
const HELD: Duration = Duration::from_secs(1);

/// Up to which 99th percentile, in microseconds, a rate is kept up with: what is expected comes by the clock.
const IN_TIME: f64 = 100_000.0;

/// The step between the rates from the last power of two on.
const STEP: f64 = 1.1;

/// The floor comes first.
const CONTENDERS: [(Way, bool); 7] = [
    (Way::Floor, false),
    (Way::Sse, false),
    (Way::WebSocket, false),
    (Way::LongPoll, false),
    (Way::Sse, true),
    (Way::WebSocket, true),
    (Way::LongPoll, true),
];

/// What one contender did in one repetition.
struct Measured {
    /// µs of the server's CPU per delivery, and of latency.
    paced_cpu: f64,
    paced_p50: f64,
    paced_p99: f64,
    dense_cpu: f64,
    dense_p99: f64,
    /// Deliveries per second at the highest rate that was kept up with.
    saturation: f64,
    /// Of the time that the server's threads ran then, the share of the one that ran most.
    busiest: f64,
    lost: f64,
}

fn measure(way: Way, plain: bool, readers: usize) -> Measured {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut site = Site::start(plain);
    let mut crowd = runtime.block_on(Crowd::open(&site, way, "bench", readers));
    let mut run = |(events, rate): (u64, f64)| {
        let (cpu, threads) = (site.cpu(), site.threads());
        let last = site.publish("bench", events, rate);
        let there = std::mem::replace(&mut crowd, Crowd::none());
        let (there, seen) = runtime.block_on(there.read_to(last, Look::Each, site.clock));
        crowd = there;
        site.published();
        let cpu = (site.cpu() - cpu).as_secs_f64() * 1e6 / (events as f64 * readers as f64);
        (cpu, seen, busiest_of(&threads, &site.threads()))
    };
    let lost = |seen: &Seen, events: u64| {
        let expected = events * readers as u64;
        (expected.abs_diff(seen.events) + seen.out_of_order) as f64
    };
    // Once for the pages that everything touches first.
    run((5, 100.0));
    let (paced_cpu, paced, _) = run(PACED);
    let (dense_cpu, dense, _) = run(DENSE);
    let (mut lost_there, mut busiest) = (0.0, 0.0);
    let saturation = highest(|rate| {
        let events = (rate * HELD.as_secs_f64()) as u64;
        let (_, seen, share) = run((events, rate));
        lost_there += lost(&seen, events);
        let is_in_time = seen.quantile(0.99) < IN_TIME;
        if is_in_time {
            busiest = share;
        }
        is_in_time
    });
    Measured {
        paced_cpu,
        paced_p50: paced.quantile(0.5),
        paced_p99: paced.quantile(0.99),
        dense_cpu,
        dense_p99: dense.quantile(0.99),
        saturation: saturation * readers as f64,
        busiest,
        lost: lost(&paced, PACED.0) + lost(&dense, DENSE.0) + lost_there,
    }
}

/// The highest rate that is kept up with, or 0. Each may be tried twice: the first time can have met a pause of the
/// machine.
fn highest(mut keeps_up: impl FnMut(f64) -> bool) -> f64 {
    let (mut highest, mut next, mut step) = (0.0, LOWEST, 2.0);
    loop {
        if keeps_up(next) || keeps_up(next) {
            highest = next;
        } else if step > STEP && highest > 0.0 {
            step = STEP;
        } else {
            return highest;
        }
        next = highest * step;
    }
}

fn busiest_of(before: &[(u32, Duration)], after: &[(u32, Duration)]) -> f64 {
    let earlier = |id: u32| before.iter().find(|(there, _)| *there == id).map_or(Duration::ZERO, |it| it.1);
    let ran = || after.iter().map(|(id, ran)| ran.saturating_sub(earlier(*id)).as_secs_f64());
    ran().fold(0.0, f64::max) / ran().sum::<f64>()
}

/// One contender's figures: medians, and medians of the ratios to the floor in the same repetition.
struct Row<'a> {
    rounds: &'a [Vec<Measured>],
    index: usize,
}

impl Row<'_> {
    fn of(&self, value: impl Fn(&Measured) -> f64) -> f64 {
        median(self.rounds.iter().map(|round| value(&round[self.index])).collect())
    }

    fn ratio(&self, value: impl Fn(&Measured) -> f64) -> f64 {
        median(self.rounds.iter().map(|round| value(&round[self.index]) / value(&round[0])).collect())
    }
}

fn main() -> ExitCode {
    site::serve_if_asked();
    let mut numbers = std::env::args().skip(1).filter_map(|word| word.parse::<usize>().ok());
    let readers = numbers.next().unwrap_or(1_000);
    let repetitions = numbers.next().unwrap_or(3);
    let words: Vec<String> = std::env::args().collect();
    let is_named = |way| site::is_named(&words, way);
    let all = !CONTENDERS.iter().any(|(way, _)| is_named(*way));
    let contenders: Vec<(Way, bool)> = CONTENDERS
        .into_iter()
        .filter(|&(way, plain)| all || way == Way::Floor || !plain && is_named(way))
        .collect();
    // Interleaved, so that a disturbance of the machine meets all alike.
    let rounds: Vec<Vec<Measured>> = (0..repetitions)
        .map(|_| contenders.iter().map(|&(way, plain)| measure(way, plain, readers)).collect())
        .collect();
    println!(
        "{readers} readers, events of {} bytes, medians of {repetitions} interleaved runs; × multiples of the floor's",
        site::PAYLOAD
    );
    println!(
        "{:<17} | at {}/s: {:>7} {:>7} {:>6} {:>6} {:>6} | at {}/s: {:>6} {:>7} | in time: {:>11} {:>6} {:>8} | {:>4}",
        "",
        PACED.1,
        "µs CPU",
        "×",
        "p50 ms",
        "p99 ms",
        "×",
        DENSE.1,
        "µs CPU",
        "p99 ms",
        "deliveries/s",
        "×",
        "busiest",
        "lost"
    );
    let mut budgets = Budgets::of("fanout");
    for (index, &(way, plain)) in contenders.iter().enumerate() {
        let row = Row { rounds: &rounds, index };
        let name = format!("{}{}", way.name(), if plain { ", plain" } else { "" });
        println!(
            "{name:<17} | {:>15.2} {:>7.2} {:>6.2} {:>6.2} {:>6.2} | {:>17.3} {:>7.2} | {:>21.0} {:>6.2} {:>8.2} | {:>4}",
            row.of(|it| it.paced_cpu),
            row.ratio(|it| it.paced_cpu),
            row.of(|it| it.paced_p50) / 1e3,
            row.of(|it| it.paced_p99) / 1e3,
            row.ratio(|it| it.paced_p99),
            row.of(|it| it.dense_cpu),
            row.of(|it| it.dense_p99) / 1e3,
            row.of(|it| it.saturation),
            row.ratio(|it| it.saturation),
            row.of(|it| it.busiest),
            row.of(|it| it.lost),
        );
        if plain {
            continue;
        }
        let mut hold = |figure: &str, value: f64| {
            budgets.hold(&format!("{name}: {figure}"), value);
        };
        hold("lost", row.of(|it| it.lost));
        if way == Way::Floor {
            continue;
        }
        hold("CPU per delivery at 20/s", row.ratio(|it| it.paced_cpu));
        hold("p99 at 20/s", row.ratio(|it| it.paced_p99));
        hold("deliveries at the highest rate in time", row.ratio(|it| it.saturation));
        hold("share of the busiest thread", row.of(|it| it.busiest));
        // What is expected comes by the clock: no more than a tenth of a second behind is kept up with.
        hold("p99 at 2000/s, in tenths of a second", row.of(|it| it.dense_p99) / 1e5);
    }
    budgets.verdict()
}
