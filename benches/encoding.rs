//! What each transport's text costs: to write on the server, to read on the client. Writing is held to
//! `benches/budgets.toml`, as a multiple of copying the same bytes.

mod budgets;

use std::{hint::black_box, process::ExitCode};

use budgets::{Budgets, ratio};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use pushlab::{
    encoding,
    event::{Cursor, Draft, Epoch, Event},
};

const SIZES: [usize; 2] = [100, 16 << 10];

fn event(bytes: usize) -> Event {
    let id = Cursor { epoch: Epoch::new(u64::MAX), sequence: 1_000_000 };
    Draft::message("x".repeat(bytes)).with_id(id)
}

fn write(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encoding/write");
    for bytes in SIZES {
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
    for bytes in SIZES {
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

fn main() -> ExitCode {
    pushlab::report::register_font();
    benches();
    Criterion::default().configure_from_args().final_summary();
    let mut budgets = Budgets::of("encoding");
    type Write = fn(&Event) -> String;
    let ways: [(&str, Write); 2] = [("sse", encoding::sse_block), ("json", encoding::event_json)];
    for bytes in SIZES {
        let event = event(bytes);
        for (name, write) in ways {
            let text = write(&event);
            let rounds = if bytes > 1_000 { 2_000 } else { 20_000 };
            let ratio = ratio(
                15,
                rounds,
                || drop(black_box(write(black_box(&event)))),
                || drop(black_box(black_box(&text).clone())),
            );
            println!("encoding/write/{name}/{bytes}: × {ratio:.2} of a copy");
            budgets.hold(&format!("write {name} {bytes}"), ratio);
        }
    }
    budgets.verdict()
}
