//! Ten thousand readers of each transport, held for a minute at an event a second: every event reaches every
//! reader, in order, and when they have left nothing of them is left.
//!
//! Readers are sockets that do next to nothing with what they get, so that what is shown is the server's.
//! Arguments, all optional: readers, seconds, and the ways to read by (`tcp-floor`, `sse`, …).

mod budgets;
mod site;

use std::{process::ExitCode, time::Duration};

use budgets::Budgets;
use site::{Crowd, Look, Site, Way};
use tokio::runtime::Builder;

fn main() -> ExitCode {
    site::serve_if_asked();
    pushlab::server::max_connections();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut numbers = words.iter().filter_map(|word| word.parse::<u64>().ok());
    let readers = numbers.next().unwrap_or(10_000) as usize;
    let seconds = numbers.next().unwrap_or(60);
    let ways = site::named(&words, &[Way::Floor, Way::ShortPoll, Way::LongPoll, Way::Sse, Way::WebSocket]);
    let mut budgets = Budgets::of("hold");
    println!("{readers} readers for {seconds} s at one event a second");
    println!(
        "{:<12} {:>10} {:>10} {:>6} {:>8} {:>8} {:>8} {:>12} {:>14} {:>12}",
        "",
        "expected",
        "delivered",
        "wrong",
        "p50 ms",
        "p99 ms",
        "max ms",
        "server CPU s",
        "bytes resident",
        "left behind"
    );
    for way in ways {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let mut site = Site::start(false);
        drop(runtime.block_on(Crowd::open(&site, way, "bench", 1)));
        std::thread::sleep(Duration::from_millis(500));
        let (before, descriptors) = (site.rss_kib(), site.descriptors());
        let crowd = runtime.block_on(Crowd::open(&site, way, "bench", readers));
        let cpu = site.cpu();
        let last = site.publish("bench", seconds, 1.0);
        let (crowd, seen) = runtime.block_on(crowd.read_to(last, Look::Each, site.clock));
        site.published();
        let cpu = site.cpu() - cpu;
        let there = (site.rss_kib() as f64 - before as f64) * 1024.0 / readers as f64;
        assert_eq!(crowd.len(), readers);
        drop(crowd);
        // The server tidies up every ten seconds.
        std::thread::sleep(Duration::from_secs(11));
        let left = (site.rss_kib() as f64 - before as f64) * 1024.0 / readers as f64;
        let left_open = site.descriptors() as f64 - descriptors as f64;
        let expected = seconds * readers as u64;
        println!(
            "{:<12} {expected:>10} {:>10} {:>6} {:>8.1} {:>8.1} {:>8.1} {:>12.2} {there:>14.0} {left:>7.0} + {left_open} fd",
            way.name(),
            seen.events,
            seen.out_of_order,
            seen.quantile(0.5) / 1e3,
            seen.quantile(0.99) / 1e3,
            seen.quantile(1.0) / 1e3,
            cpu.as_secs_f64(),
        );
        let mut hold = |figure: &str, value: f64| budgets.hold(&format!("{}: {figure}", way.name()), value);
        hold(
            "events lost, double or out of order",
            expected.abs_diff(seen.events) as f64 + seen.out_of_order as f64,
        );
        hold("descriptors left", left_open);
        if way != Way::Floor {
            // It gives memory back with the server that it belongs to, which has no readers here.
            hold("bytes per reader after they left", left);
        }
    }
    budgets.verdict()
}
