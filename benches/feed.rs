//! The feed alone: publishing, reading after a cursor, waking those who wait.

use std::{hint::black_box, sync::Arc};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use pushlab::{
    event::{Cursor, Draft},
    feed::{Channel, Limits, ReadLimit},
};

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

/// From one publish until every waiting reader has the event.
fn wake(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    let mut group = criterion.benchmark_group("feed/wake");
    group.sample_size(20);
    for readers in [1_usize, 100, 10_000] {
        group.throughput(Throughput::Elements(readers as u64));
        group.bench_with_input(BenchmarkId::from_parameter(readers), &readers, |bencher, &readers| {
            let channel = Arc::new(Channel::new(Limits::default()));
            let (done, mut all_done) = tokio::sync::watch::channel(0_usize);
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
            let mut published = 0;
            bencher.iter(|| {
                published += 1;
                let wanted = published * readers;
                let _ = channel.publish(Draft::message("x"));
                runtime.block_on(async { all_done.wait_for(|done| *done >= wanted).await.map(drop) })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, publish, since, wake);

fn main() {
    // Criterion draws by plotters too, which has no font of its own.
    pushlab::report::register_font();
    benches();
    Criterion::default().configure_from_args().final_summary();
}
