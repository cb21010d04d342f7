//! One event to a thousand readers: what it costs the server, for each stream and the bare TCP floor, by the
//! writers that own many sockets and in the plain way, a task for each reader.
//!
//! Read the figures as multiples of the floor's in the same run: absolute ones are the machine's. Arguments,
//! all optional: readers, repetitions.

mod site;

use std::time::{Duration, Instant};

use site::{Crowd, Site, Way};
use tokio::runtime::Builder;

/// Spread out, each event a wake-up of its own.
const PACED: (u32, f64) = (60, 20.0);

/// An open loop that no server keeps up with that writes each event to each reader by itself.
const DENSE: (u32, f64) = (4_000, 2_000.0);

/// As fast as can be, so that readers get thousands at a time. What is compared here is mostly how many bytes
/// an event has in each format.
const BURST: (u32, f64) = (8_000, 40_000.0);

struct Measured {
    paced_cpu: Duration,
    dense_cpu: Duration,
    dense_time: Duration,
    burst_time: Duration,
}

fn measure(way: Way, plain: bool, readers: usize) -> Measured {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut site = Site::start(plain);
    let mut crowd = runtime.block_on(Crowd::open(&site, way, readers));
    let mut run = |(events, rate): (u32, f64)| {
        let (cpu, begun) = (site.cpu(), Instant::now());
        site.publish(events, rate);
        let there = std::mem::replace(&mut crowd, Crowd::none());
        crowd = runtime.block_on(there.read_to_end_of_burst());
        let took = begun.elapsed();
        site.published();
        (site.cpu() - cpu, took)
    };
    // Once for the pages that everything touches first.
    run((5, 100.0));
    let (paced_cpu, _) = run(PACED);
    let (dense_cpu, dense_time) = run(DENSE);
    let (_, burst_time) = run(BURST);
    Measured { paced_cpu, dense_cpu, dense_time, burst_time }
}

fn median(mut ratios: Vec<f64>) -> f64 {
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

fn main() {
    site::serve_if_asked();
    let mut numbers = std::env::args().skip(1).filter_map(|word| word.parse::<usize>().ok());
    let readers = numbers.next().unwrap_or(1_000);
    let repetitions = numbers.next().unwrap_or(3);
    let contenders = [
        (Way::Floor, false),
        (Way::Sse, false),
        (Way::WebSocket, false),
        (Way::Sse, true),
        (Way::WebSocket, true),
    ];
    // Interleaved, so that a disturbance of the machine meets all alike.
    let rounds: Vec<Vec<Measured>> = (0..repetitions)
        .map(|_| contenders.iter().map(|&(way, plain)| measure(way, plain, readers)).collect())
        .collect();
    println!(
        "{readers} readers, events of {} bytes, medians of {repetitions} interleaved runs",
        site::PAYLOAD
    );
    println!(
        "{:<18} {:>17} {:>9} {:>17} {:>9} {:>9} {:>17} {:>9}",
        "",
        "at 20/s: µs each",
        "of floor",
        "at 2000/s: µs",
        "of floor",
        "took s",
        "burst: each/s",
        "of floor"
    );
    for (index, &(way, plain)) in contenders.iter().enumerate() {
        let of = |value: &dyn Fn(&Measured) -> f64| {
            let absolute = median(rounds.iter().map(|round| value(&round[index])).collect());
            let ratio = median(rounds.iter().map(|round| value(&round[index]) / value(&round[0])).collect());
            (absolute, ratio)
        };
        let each =
            |cpu: Duration, events: u32| cpu.as_secs_f64() * 1e6 / (f64::from(events) * readers as f64);
        let (paced, paced_ratio) = of(&|it| each(it.paced_cpu, PACED.0));
        let (dense, dense_ratio) = of(&|it| each(it.dense_cpu, DENSE.0));
        let (took, _) = of(&|it| it.dense_time.as_secs_f64());
        let (burst, burst_ratio) =
            of(&|it| f64::from(BURST.0) * readers as f64 / it.burst_time.as_secs_f64());
        let name = format!("{}{}", way.name(), if plain { ", plain" } else { "" });
        println!(
            "{name:<18} {paced:>17.2} {paced_ratio:>9.2} {dense:>17.3} {dense_ratio:>9.2} {took:>9.2} {burst:>17.0} {burst_ratio:>9.2}"
        );
    }
}
