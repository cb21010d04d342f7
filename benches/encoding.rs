//! What each transport's text costs: to write on the server, to read on the client.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use pushlab::{
    encoding,
    event::{Cursor, Draft, Epoch, Event},
};

fn event(bytes: usize) -> Event {
    let id = Cursor { epoch: Epoch::new(u64::MAX), sequence: 1_000_000 };
    Draft::message("x".repeat(bytes)).with_id(id)
}

fn write(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encoding/write");
    for bytes in [100, 16 << 10] {
        let event = event(bytes);
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_with_input(BenchmarkId::new("sse", bytes), &event, |bencher, event| {
            bencher.iter(|| encoding::sse_block(black_box(event)));
        });
        // Polls and WebSocket carry the same object.
        group.bench_with_input(BenchmarkId::new("json", bytes), &event, |bencher, event| {
            bencher.iter(|| encoding::event_json(black_box(event)));
        });
    }
    group.finish();
}

fn read(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encoding/read");
    for bytes in [100, 16 << 10] {
        let event = event(bytes);
        group.throughput(Throughput::Bytes(bytes as u64));
        let block = Bytes::from(encoding::sse_block(&event));
        group.bench_with_input(BenchmarkId::new("sse", bytes), &block, |bencher, block| {
            let mut decoder = sse_core::SseDecoder::new();
            bencher.iter(|| decoder.next(&mut block.clone()).is_some());
        });
        let json = encoding::event_json(&event);
        group.bench_with_input(BenchmarkId::new("json", bytes), &json, |bencher, json| {
            bencher.iter(|| serde_json::from_str::<Event>(black_box(json)).is_ok());
        });
    }
    group.finish();
}

criterion_group!(benches, write, read);

fn main() {
    pushlab::report::register_font();
    benches();
    Criterion::default().configure_from_args().final_summary();
}
