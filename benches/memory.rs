//! What a silent reader costs the server in resident memory, and whether it is given back when readers leave,
//! over repeated cycles; held to `benches/budgets.toml`. Arguments, all optional: readers, cycles, `plain`, and the
//! ways to read by (`tcp-floor`, `sse`, …).

mod budgets;
mod site;

use std::{process::ExitCode, time::Duration};

use budgets::{Budgets, median};
use site::{Crowd, Site, Way};
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    site::serve_if_asked();
    pushlab::server::max_connections();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut numbers = words.iter().filter_map(|word| word.parse::<usize>().ok());
    let readers = numbers.next().unwrap_or(10_000);
    let cycles = numbers.next().unwrap_or(3);
    let plain = words.iter().any(|word| word == "plain");
    let runtime = Runtime::new().expect("a runtime");
    let mut budgets = Budgets::of("memory");
    println!("{readers} silent readers; bytes resident per reader while they are there / after they left");
    let ways = site::named(&words, &[Way::Floor, Way::Sse, Way::WebSocket, Way::LongPoll]);
    for way in ways {
        let site = Site::start(plain);
        // One reader's cycle first: what is made at first use belongs to nobody.
        drop(runtime.block_on(Crowd::open(&site, way, "bench", 1)));
        std::thread::sleep(Duration::from_millis(500));
        let (before, descriptors) = (site.rss_kib(), site.descriptors());
        let per_reader = |kib: u64| (kib as f64 - before as f64) * 1024.0 / readers as f64;
        print!("{:<12} from {before} KiB:", way.name());
        let (mut there, mut after) = (Vec::new(), Vec::new());
        for _ in 0..cycles {
            let crowd = runtime.block_on(Crowd::open(&site, way, "bench", readers));
            std::thread::sleep(Duration::from_secs(1));
            there.push(per_reader(site.rss_kib()));
            assert_eq!(crowd.len(), readers);
            drop(crowd);
            // The server tidies up every ten seconds.
            std::thread::sleep(Duration::from_secs(11));
            after.push(per_reader(site.rss_kib()));
            print!("   {:.0} / {:.0}", there[there.len() - 1], after[after.len() - 1]);
        }
        println!();
        let mut hold = |figure: &str, value: f64| {
            if !plain {
                budgets.hold(&format!("{}: {figure}", way.name()), value);
            }
        };
        hold("descriptors left", site.descriptors() as f64 - descriptors as f64);
        hold("bytes per reader", median(there));
        if way == Way::Floor {
            // It gives memory back with the server that it belongs to, which has no readers here.
            continue;
        }
        // What the first cycle leaves is the allocator's; what each further one adds would be a leak.
        let grown = (after[after.len() - 1] - after[0]) / (cycles.max(2) - 1) as f64;
        hold("bytes per reader that each cycle adds", grown);
        hold("bytes per reader after they left", after[after.len() - 1]);
    }
    budgets.verdict()
}
