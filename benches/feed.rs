//! The feed alone: publishing, reading after a cursor, waking those who wait. What waking costs is held to
//! `benches/budgets.toml`, as a multiple of what it costs to wake as many tasks with nothing to tell.

mod budgets;

use std::{hint::black_box, process::ExitCode, sync::Arc};

use budgets::{Budgets, ratio};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use pushlab::{
    event::{Cursor, Draft},
    feed::{Channel, Limits, ReadLimit},
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::watch,
};

const READERS: [usize; 3] = [1, 100, 10_000];

fn publish(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("feed/publish");
    for bytes in [16_usize, 100, 16 << 10] {
        group.throughput(Throughput::Elements(1));
        group.bench_with_input(BenchmarkId::from_parameter(bytes), &bytes, |bencher, &bytes| {
            let channel = Channel::new(Limits::default());
            let data = "x".repeat(bytes);
            bencher.iter(|| channel.publish(Draft::message(data.clone())));
        });
    }
    group.finish();
}

/// A reader that is so many events behind.
fn since(criterion: &mut Criterion) {
    let channel = Channel::new(Limits::default());
    let newest = (0..2_000).map(|_| channel.publish(Draft::message("x".repeat(100)))).last();
    let head = newest.expect("published").expect("fits");
    let mut group = criterion.benchmark_group("feed/since");
    for behind in [0_u64, 1, 1_000] {
        let after = Cursor { sequence: head.sequence - behind, ..head };
        group.bench_with_input(BenchmarkId::from_parameter(behind), &after, |bencher, &after| {
            bencher.iter(|| black_box(channel.since(after, ReadLimit::default())));
        });
    }
    group.finish();
}

/// Readers that wait on a channel in tasks of their own, and what one round of waking them is.
struct Waiting {
    runtime: Runtime,
    channel: Arc<Channel>,
    done: watch::Receiver<usize>,
    wanted: usize,
    readers: usize,
}

fn two_cores() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).build().expect("a runtime")
}

impl Waiting {
    fn new(readers: usize) -> Self {
        let runtime = two_cores();
        let channel = Arc::new(Channel::new(Limits::default()));
        let (done, all_done) = watch::channel(0);
        let done = Arc::new(done);
        for _ in 0..readers {
            let mut follower = channel.follow(None, ReadLimit::default()).expect("the present");
            let done = Arc::clone(&done);
            runtime.spawn(async move {
                loop {
                    let batch = follower.next().await;
                    done.send_modify(|done| *done += batch.entries.len());
                }
            });
        }
        Waiting { runtime, channel, done: all_done, wanted: 0, readers }
    }

    /// From one publish until every waiting reader has the event.
    fn round(&mut self) {
        self.wanted += self.readers;
        self.channel.publish(Draft::message("x")).expect("fits");
        let wanted = self.wanted;
        let all_done = self.done.wait_for(|done| *done >= wanted);
        self.runtime.block_on(async { all_done.await.map(drop) }).expect("they read on");
    }
}

/// The same tasks, waiting for a number that changes.
struct Bare {
    runtime: Runtime,
    number: watch::Sender<usize>,
    done: watch::Receiver<usize>,
    wanted: usize,
    readers: usize,
}

impl Bare {
    fn new(readers: usize) -> Self {
        let runtime = two_cores();
        let number = watch::Sender::new(0);
        let (done, all_done) = watch::channel(0);
        let done = Arc::new(done);
        for _ in 0..readers {
            let (mut number, done) = (number.subscribe(), Arc::clone(&done));
            runtime.spawn(async move {
                while number.changed().await.is_ok() {
                    number.borrow_and_update();
                    done.send_modify(|done| *done += 1);
                }
            });
        }
        Bare { runtime, number, done: all_done, wanted: 0, readers }
    }

    fn round(&mut self) {
        self.wanted += self.readers;
        self.number.send_modify(|number| *number += 1);
        let wanted = self.wanted;
        let all_done = self.done.wait_for(|done| *done >= wanted);
        self.runtime.block_on(async { all_done.await.map(drop) }).expect("they go on");
    }
}

/// From one publish until every waiting reader has the event.
fn wake(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("feed/wake");
    group.sample_size(20);
    for readers in READERS {
        group.throughput(Throughput::Elements(readers as u64));
        group.bench_with_input(BenchmarkId::from_parameter(readers), &readers, |bencher, &readers| {
            let mut waiting = Waiting::new(readers);
            bencher.iter(|| waiting.round());
        });
    }
    group.finish();
}

criterion_group!(benches, publish, since, wake);

fn main() -> ExitCode {
    // Criterion draws by plotters too, which has no font of its own.
    pushlab::report::register_font();
    benches();
    Criterion::default().configure_from_args().final_summary();
    let mut budgets = Budgets::of("feed");
    for readers in READERS {
        let (mut waiting, mut bare) = (Waiting::new(readers), Bare::new(readers));
        let rounds = (20_000 / readers).clamp(20, 2_000) as u32;
        let ratio = ratio(9, rounds, || waiting.round(), || bare.round());
        println!("feed/wake/{readers}: × {ratio:.2} of a bare watch");
        budgets.hold(&format!("wake {readers}"), ratio);
    }
    budgets.verdict()
}
