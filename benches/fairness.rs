//! Whether others feel a reader that stalls, or a channel that is flooded: the p99 of readers at 20 events a second
//! beside each, as a multiple of what it is without, in the same run; held to `benches/budgets.toml`. Arguments,
//! both optional: readers, repetitions.

mod budgets;
mod site;

use std::process::ExitCode;

use budgets::{Budgets, median};
use site::{Crowd, Look, Site, Way};
use tokio::runtime::{Builder, Runtime};

const PACED: (u64, f64) = (100, 20.0);

/// Enough that no socket takes it in: kernels swallow some megabytes for a reader that does not read.
const STALLING: (u64, f64) = (60_000, 60_000.0);

/// As many events as a flood has for the time that is measured.
const FLOOD: (u64, f64) = (5_500, 1_000.0);

/// Who stalls, each with megabytes of the kernel's memory; and who is flooded.
const STALLED: usize = 20;
const FLOODED: usize = 100;

/// What else the server has to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    Nothing,
    Stalled,
    Flooded,
}

const ALL: [Beside; 3] = [Beside::Nothing, Beside::Stalled, Beside::Flooded];

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// The readers' p99 in microseconds.
fn measure(way: Way, readers: usize, beside: Beside) -> f64 {
    let runtime = runtime();
    let mut site = Site::start(false);
    let mut crowd = runtime.block_on(Crowd::open(&site, way, "bench", readers));
    let mut others = Crowd::none();
    let mut flooded = None;
    match beside {
        Beside::Nothing => {}
        Beside::Stalled => {
            // On the same channel, so that the same rounds come to them.
            others = runtime.block_on(Crowd::open(&site, way, "bench", STALLED));
            let last = site.publish("bench", STALLING.0, STALLING.1);
            (crowd, _) = runtime.block_on(crowd.read_to(last, Look::Last, site.clock));
            site.published();
        }
        Beside::Flooded => {
            // With the runtime that it is read by: sockets belong to the one that opened them.
            let its_own = self::runtime();
            let crowd = its_own.block_on(Crowd::open(&site, way, "flood", FLOODED));
            let (last, clock) = (site.publish("flood", FLOOD.0, FLOOD.1), site.clock);
            // By a thread of its own: it is the server that is to be shared, not the one who measures.
            flooded = Some(std::thread::spawn(move || {
                drop(its_own.block_on(crowd.read_to(last, Look::Last, clock)));
            }));
        }
    }
    let last = site.publish("bench", PACED.0, PACED.1);
    let (_, seen) = runtime.block_on(crowd.read_to(last, Look::Each, site.clock));
    assert_eq!((seen.events, seen.out_of_order), (PACED.0 * readers as u64, 0));
    site.published();
    if let Some(flooded) = flooded {
        flooded.join().expect("no panic");
    }
    drop(others);
    seen.quantile(0.99)
}

fn main() -> ExitCode {
    site::serve_if_asked();
    let mut numbers = std::env::args().skip(1).filter_map(|word| word.parse::<usize>().ok());
    let readers = numbers.next().unwrap_or(100);
    let repetitions = numbers.next().unwrap_or(3);
    println!(
        "{readers} readers at {}/s: p99 in ms, alone; beside {STALLED} that stall on their channel; beside a channel with {FLOODED} readers at {}/s; medians of {repetitions} interleaved runs",
        PACED.1, FLOOD.1
    );
    println!("{:<12} {:>8} {:>8} {:>6} {:>8} {:>6}", "", "alone", "stalled", "×", "flooded", "×");
    let mut budgets = Budgets::of("fairness");
    for way in [Way::Floor, Way::Sse, Way::WebSocket, Way::LongPoll] {
        // Interleaved, so that a disturbance of the machine meets all alike.
        let rounds: Vec<[f64; 3]> =
            (0..repetitions).map(|_| ALL.map(|beside| measure(way, readers, beside))).collect();
        let of = |index: usize| median(rounds.iter().map(|round| round[index]).collect());
        let ratio = |index: usize| median(rounds.iter().map(|round| round[index] / round[0]).collect());
        println!(
            "{:<12} {:>8.2} {:>8.2} {:>6.2} {:>8.2} {:>6.2}",
            way.name(),
            of(0) / 1e3,
            of(1) / 1e3,
            ratio(1),
            of(2) / 1e3,
            ratio(2)
        );
        if way != Way::Floor {
            budgets.hold(&format!("{}: p99 beside stalled readers", way.name()), ratio(1));
            budgets.hold(&format!("{}: p99 beside a flooded channel", way.name()), ratio(2));
        }
    }
    budgets.verdict()
}
