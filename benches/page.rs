//! A page that is left open: what it takes of memory, and whether its charts stay smooth.
//!
//! `/compare`, which reads by all four transports at once, is shown 100 events per second in a real Chromium.
//! Two parts, since an hour is long:
//!
//! 1. Real time, `PUSHLAB_PAGE_SECONDS` long (60 where nothing is said; 3600 is the whole hour). Frames are
//!    counted by `requestAnimationFrame` while the charts are drawn anew; memory is read when it begins and
//!    when it ends, each time after the garbage was collected, and what it grew by is carried forward to an
//!    hour.
//! 2. All 360,000 events of an hour, as fast as the page takes them, each of which every panel has to get.
//!    What they leave behind is what an hour would.
//!
//! All readers are cut once at the beginning, so that each panel keeps the drawing of its last cut, as a page does
//! that was open through a bad moment.
//!
//! It fails where the page goes beyond what is promised: `HEAP_MIB`, `NODES`, `LISTENERS`, `RESIDENT_MIB`,
//! `FRAMES`. The same bounds stand in `static/js/board.js`.

#![allow(clippy::unwrap_used, reason = "a bench that panics has said so")]

#[path = "../tests/browser/mod.rs"]
mod browser;
#[path = "../tests/support/mod.rs"]
mod support;

use std::{
    fmt,
    time::{Duration, Instant},
};

use browser::Browser;
use pushlab::{event::Draft, server::Config, transport::Transport};
use serde_json::json;
use support::Server;

/// Of JavaScript's heap, at any time, in MiB: also when the garbage of a while lies about in it.
const HEAP_MIB: f64 = 32.0;
/// Of the document, its text and its detached parts.
const NODES: f64 = 8_000.0;
/// Listeners that come on top of those that the page began with.
const LISTENERS: f64 = 100.0;
/// Of the processes that run pages, on top of what they began with, in MiB; pictures, the network's buffers
/// and the engine's own are in it.
const RESIDENT_MIB: f64 = 128.0;
/// Per second, in the mean of the real-time part.
const FRAMES: f64 = 30.0;

const RATE: u64 = 100;
const HOUR_S: u64 = 3_600;
const PAYLOAD: usize = 120;
/// Events on their way to the slowest panel at most; a channel keeps several times as many.
const AHEAD: u64 = 2_000;
const ROOM: &str = "bench";

/// What a page takes, as DevTools tells.
#[derive(Clone, Copy)]
struct Taken {
    heap_mib: f64,
    nodes: f64,
    listeners: f64,
    /// Of the processes that run pages, all that they are; zero where this system does not tell.
    resident_mib: f64,
}

impl fmt::Display for Taken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Taken { heap_mib, nodes, listeners, resident_mib } = self;
        write!(
            formatter,
            "{heap_mib:.1} MiB of heap, {nodes} nodes, {listeners} listeners, {resident_mib:.0} MiB resident"
        )
    }
}

struct Page {
    browser: Browser,
    server: Server,
    /// The largest heap that was seen, garbage included.
    most_heap_mib: f64,
}

impl Page {
    async fn open() -> Option<Page> {
        let browser = Browser::start("the page left open").await?;
        let server = Server::start(Config::default()).await;
        browser.devtools("Performance.enable", json!({})).await;
        browser.open(&format!("http://{}/compare?room={ROOM}&lang=en", server.address)).await;
        for transport in Transport::ALL {
            browser
                .until(&format!(
                    "document.querySelector('[data-transport=\"{transport}\"]').dataset.state === '1'"
                ))
                .await;
        }
        browser
            .run(
                "window.got = {}; window.frames_seen = 0;
                 for (const panel of document.querySelectorAll('section[data-transport]')) {
                   got[panel.dataset.transport] = 0;
                   panel.addEventListener('pushlab-event', () => got[panel.dataset.transport]++);
                 }
                 const frame = () => { frames_seen++; requestAnimationFrame(frame); };
                 requestAnimationFrame(frame);",
            )
            .await;
        Some(Page { browser, server, most_heap_mib: 0.0 })
    }

    /// What it takes now.
    async fn taken(&mut self) -> Taken {
        let answer = self.browser.devtools("Performance.getMetrics", json!({})).await;
        let metric = |name: &str| {
            let all = answer["metrics"].as_array().unwrap();
            all.iter().find(|it| it["name"] == name).unwrap()["value"].as_f64().unwrap()
        };
        let taken = Taken {
            heap_mib: metric("JSHeapUsedSize") / f64::from(1 << 20),
            nodes: metric("Nodes"),
            listeners: metric("JSEventListeners"),
            resident_mib: self.browser.resident_bytes().unwrap_or(0) as f64 / f64::from(1 << 20),
        };
        self.most_heap_mib = self.most_heap_mib.max(taken.heap_mib);
        taken
    }

    /// What it takes once the garbage is gone.
    async fn held(&mut self) -> Taken {
        self.taken().await;
        for _ in 0..2 {
            self.browser.devtools("HeapProfiler.collectGarbage", json!({})).await;
        }
        self.taken().await
    }

    async fn frames(&self) -> f64 {
        self.browser.value("frames_seen").await.as_f64().unwrap()
    }

    /// Events that the panel which has the fewest has got.
    async fn got(&self) -> u64 {
        self.browser.value("Math.min(...Object.values(got))").await.as_u64().unwrap()
    }

    async fn until_got(&self, count: u64) {
        let start = Instant::now();
        while self.got().await < count {
            assert!(start.elapsed() < Duration::from_secs(60), "stuck: {}", self.browser.value("got").await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Cuts all readers by the page's own button, and waits until each panel has drawn what became of it.
    async fn cut(&self) {
        self.browser.run("document.querySelector('[data-cut=reset]').click();").await;
        for transport in Transport::ALL {
            let drawn = format!(
                "document.querySelector('[data-transport=\"{transport}\"] [data-field=recovery]').textContent !== ''"
            );
            self.browser.until(&drawn).await;
        }
        // That connections were reset is what was asked for, and no complaint about the page.
        self.browser.complaints().await;
    }

    /// A built-in source for a while; what was held at its begin and end, and frames per second.
    async fn in_real_time(&mut self, seconds: u64) -> (Taken, Taken, f64) {
        let spec = json!({ "rate": RATE, "payload_bytes": PAYLOAD }).to_string();
        let put = format!("PUT /channels/{ROOM}/source\nContent-Type: application/json");
        assert_eq!(self.server.ask(&put, &spec).await.status, 200);
        // The lists fill and the charts' minute begins.
        self.until_got(10 * RATE).await;
        self.cut().await;
        let first = self.held().await;
        let (start, from) = (Instant::now(), self.frames().await);
        while start.elapsed() < Duration::from_secs(seconds) {
            tokio::time::sleep(Duration::from_secs(5).min(Duration::from_secs(seconds))).await;
            let taken = self.taken().await;
            let elapsed = start.elapsed().as_secs_f64();
            let rate = (self.frames().await - from) / elapsed;
            println!("page/live: {elapsed:.0} s: {rate:.1} frames/s; {taken}; {} events", self.got().await);
        }
        let frames = (self.frames().await - from) / start.elapsed().as_secs_f64();
        let last = self.held().await;
        let delete = format!("DELETE /channels/{ROOM}/source");
        assert_eq!(self.server.ask(&delete, "").await.status, 204);
        (first, last, frames)
    }

    /// As many events as an hour has, each of which every panel gets; how long they took.
    async fn an_hours_events(&mut self) -> Duration {
        let channel = self.server.state.feed().channel(&ROOM.parse().unwrap()).unwrap();
        // What the source published last may still be on its way.
        tokio::time::sleep(Duration::from_secs(2)).await;
        self.browser.run("for (const slug of Object.keys(got)) got[slug] = 0;").await;
        // A short poll brings a thousand events at most, so the interval is what bounds its pace.
        self.browser
            .run("const interval = document.querySelector('[name=interval]'); interval.value = 50; interval.dispatchEvent(new Event('input'));")
            .await;
        let (start, all) = (Instant::now(), RATE * HOUR_S);
        let mut published = 0;
        while published < all {
            let due = all.min(self.got().await + AHEAD);
            while published < due {
                let data = format!("{{\"seq\":{published},\"at\":0,\"pad\":\"\"}}");
                channel.publish(Draft::message(format!("{data:PAYLOAD$}"))).unwrap();
                published += 1;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
            if published % 20_000 < AHEAD {
                self.taken().await;
            }
        }
        self.until_got(all).await;
        let took = start.elapsed();
        let exact = format!("Object.values(got).every((count) => count === {all})");
        assert_eq!(self.browser.value(&exact).await, true, "each panel gets each event once");
        took
    }
}

async fn bench(seconds: u64) -> Vec<String> {
    let Some(mut page) = Page::open().await else { return Vec::new() };
    let (first, last, frames) = page.in_real_time(seconds).await;
    let live_most = std::mem::take(&mut page.most_heap_mib);
    let per_hour = |from: f64, to: f64| (to - from).max(0.0) * HOUR_S as f64 / seconds as f64;
    let hour_heap = last.heap_mib + per_hour(first.heap_mib, last.heap_mib);
    println!("page/live: {seconds} s at {RATE} events/s by four transports: {frames:.1} frames/s");
    println!("page/live: held at first: {first}");
    println!("page/live: held at last: {last}; an hour on: {hour_heap:.1} MiB; at most {live_most:.1} MiB");
    let took = page.an_hours_events().await;
    let after = page.held().await;
    let most = page.most_heap_mib;
    println!(
        "page/hour: {} events to each panel in {took:.0?}; held then: {after}; at most {most:.1} MiB of heap",
        RATE * HOUR_S
    );
    let complaints = page.browser.complaints().await;
    page.browser.end().await;

    let mut broken: Vec<String> = complaints;
    let mut promise = |what: &str, value: f64, holds: bool| {
        if !holds {
            broken.push(format!("{what}: {value:.1}"));
        }
    };
    promise("MiB of heap at most, live", live_most, live_most <= HEAP_MIB);
    promise("MiB of heap at most, an hour's events at once", most, most <= HEAP_MIB);
    promise("MiB of heap after an hour, by its growth", hour_heap, hour_heap <= HEAP_MIB);
    promise("frames per second", frames, frames >= FRAMES);
    for (when, taken) in [("live", last), ("after an hour's events", after)] {
        promise(&format!("nodes, {when}"), taken.nodes, taken.nodes <= NODES);
        let more = taken.listeners - first.listeners;
        promise(&format!("listeners more, {when}"), more, more <= LISTENERS);
        let more = taken.resident_mib - first.resident_mib;
        promise(&format!("MiB resident more, {when}"), more, more <= RESIDENT_MIB);
    }
    broken
}

fn main() {
    let seconds = std::env::var("PUSHLAB_PAGE_SECONDS").ok().map_or(60, |text| {
        text.parse().unwrap_or_else(|_| panic!("PUSHLAB_PAGE_SECONDS={text}: use a number of seconds"))
    });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let broken = runtime.block_on(bench(seconds));
    assert!(broken.is_empty(), "the page goes beyond what it may: {broken:#?}");
}
