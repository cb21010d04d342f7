//! One reader of the server's own source at 20 events a second: how long an event takes from when it was due, for
//! each transport that waits, as multiples of the bare TCP floor's in the same run; held to
//! `benches/budgets.toml`. Arguments, both optional: events, repetitions.

mod budgets;
mod site;

use std::process::ExitCode;

use budgets::{Budgets, median};
use site::{Crowd, Look, Site, Way};
use tokio::runtime::Builder;

const RATE: f64 = 20.0;

/// The floor comes first.
const WAYS: [Way; 4] = [Way::Floor, Way::Sse, Way::WebSocket, Way::LongPoll];

fn measure(way: Way, events: u64) -> (f64, f64) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let site = Site::start(false);
    let crowd = runtime.block_on(Crowd::open(&site, way, "bench", 1));
    site.start_source("bench", RATE);
    let (_, seen) = runtime.block_on(crowd.read_to(events, Look::Source, site.clock));
    (seen.quantile(0.5), seen.quantile(0.99))
}

fn main() -> ExitCode {
    site::serve_if_asked();
    let mut numbers = std::env::args().skip(1).filter_map(|word| word.parse::<usize>().ok());
    let events = numbers.next().unwrap_or(100) as u64;
    let repetitions = numbers.next().unwrap_or(5);
    // Interleaved, so that a disturbance of the machine meets all alike.
    let rounds: Vec<Vec<(f64, f64)>> =
        (0..repetitions).map(|_| WAYS.iter().map(|&way| measure(way, events)).collect()).collect();
    println!(
        "one reader, {events} events of {} bytes at {RATE}/s, medians of {repetitions} interleaved runs",
        site::PAYLOAD
    );
    println!("{:<12} {:>8} {:>6} {:>8} {:>6}", "", "p50 µs", "×", "p99 µs", "×");
    let mut budgets = Budgets::of("latency");
    for (index, way) in WAYS.iter().enumerate() {
        let of = |value: &dyn Fn(&(f64, f64)) -> f64| {
            let absolute = median(rounds.iter().map(|round| value(&round[index])).collect());
            let ratio = median(rounds.iter().map(|round| value(&round[index]) / value(&round[0])).collect());
            (absolute, ratio)
        };
        let ((p50, p50_ratio), (p99, p99_ratio)) = (of(&|it| it.0), of(&|it| it.1));
        println!("{:<12} {p50:>8.0} {p50_ratio:>6.2} {p99:>8.0} {p99_ratio:>6.2}", way.name());
        if *way != Way::Floor {
            budgets.hold(&format!("{}: p50", way.name()), p50_ratio);
        }
    }
    budgets.verdict()
}
