//! What a silent reader costs the server in resident memory, and whether it is given back when readers leave,
//! over repeated cycles. Arguments, all optional: readers, cycles, `plain`.

mod site;

use std::time::Duration;

use site::{Crowd, Site, Way};
use tokio::runtime::Runtime;

fn main() {
    site::serve_if_asked();
    pushlab::server::max_connections();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut numbers = words.iter().filter_map(|word| word.parse::<usize>().ok());
    let readers = numbers.next().unwrap_or(10_000);
    let cycles = numbers.next().unwrap_or(3);
    let plain = words.iter().any(|word| word == "plain");
    let runtime = Runtime::new().expect("a runtime");
    println!("{readers} silent readers; bytes resident per reader while they are there, and after they left");
    for way in [Way::Floor, Way::Sse, Way::WebSocket, Way::LongPoll] {
        let site = Site::start(plain);
        // One reader's cycle first: what is made at first use belongs to nobody.
        drop(runtime.block_on(Crowd::open(&site, way, 1)));
        std::thread::sleep(Duration::from_millis(500));
        let before = site.rss_kib();
        let per_reader = |kib: u64| (kib as f64 - before as f64) * 1024.0 / readers as f64;
        print!("{:<12} from {before} KiB:", way.name());
        for _ in 0..cycles {
            let crowd = runtime.block_on(Crowd::open(&site, way, readers));
            std::thread::sleep(Duration::from_secs(1));
            let there = per_reader(site.rss_kib());
            assert_eq!(crowd.len(), readers);
            drop(crowd);
            // The server tidies up every ten seconds.
            std::thread::sleep(Duration::from_secs(11));
            print!("   {there:.0} / {:.0}", per_reader(site.rss_kib()));
        }
        println!();
    }
}
