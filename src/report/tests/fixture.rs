//! Run folders made up for the tests: what a whole run leaves behind, drawn from a seed.

use std::{collections::BTreeMap, fs, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hdrhistogram::{
    Histogram,
    serialization::{Serializer, V2DeflateSerializer},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::harness::{
    manifest::{Machine, Manifest},
    record::{Bytes, Latency, Moment, MomentKind, Parameters, Record, Recovery},
};

pub(super) const LATENCY: &str = include_str!("latency.toml");

pub(super) const BANDWIDTH: &str = include_str!("bandwidth.toml");

pub(super) const RECONNECT: &str = include_str!("reconnect.toml");

pub(super) fn manifest(definitions: &[(&str, &str)], planned: u64) -> Manifest {
    Manifest {
        left_out: Vec::new(),
        pushlab: "0.1.0".to_owned(),
        command: ["experiment", "run", "latency", "--profile", "full"].map(str::to_owned).to_vec(),
        profile: "full".to_owned(),
        seed: 7,
        started: "2026-01-02T03:04:05Z".to_owned(),
        finished: Some("2026-01-02T03:14:05Z".to_owned()),
        target: "built-in".to_owned(),
        targets: Default::default(),
        definitions: definitions
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect(),
        planned: definitions.iter().map(|(name, _)| ((*name).to_owned(), planned)).collect(),
        git_revision: Some("abc1234".to_owned()),
        machine: Machine {
            platform: "linux x86_64".to_owned(),
            kernel: Some("Linux 6.1.0".to_owned()),
            cpu: Some("Example CPU at 3 GHz".to_owned()),
            cores: 2,
            memory_mib: Some(8_192),
            congestion_control: Some("cubic".to_owned()),
        },
    }
}

/// Writes a run folder; the records go to the experiment that each names.
pub(super) fn write_folder(dir: &Path, manifest: &Manifest, records: &[Record]) {
    fs::write(dir.join("manifest.json"), serde_json::to_string_pretty(manifest).unwrap()).unwrap();
    let mut lines: BTreeMap<&str, String> = BTreeMap::new();
    for record in records {
        let text = lines.entry(&record.experiment).or_default();
        text.push_str(&serde_json::to_string(record).unwrap());
        text.push('\n');
    }
    for (experiment, text) in lines {
        fs::create_dir_all(dir.join(experiment)).unwrap();
        fs::write(dir.join(experiment).join("runs.jsonl"), text).unwrap();
    }
}

/// A record of a run in which nothing was measured yet.
pub(super) fn blank(experiment: &str, client: &str, transport: &str, repetition: u32) -> Record {
    let parameters = Parameters {
        heartbeat_ms: None,
        step: None,
        in_flight: None,
        timetable: Vec::new(),
        bystanders: 0,
        readers: 1,
        rate: 20.0,
        payload_bytes: 100,
        pattern: "steady".to_owned(),
        interval_ms: None,
        fault: None,
        network: None,
        warm_up_s: 1.0,
        measure_s: 10.0,
        seed: 7,
    };
    Record {
        experiment: experiment.to_owned(),
        run: format!("{client}-{repetition}"),
        transport: transport.to_owned(),
        client: client.to_owned(),
        repetition,
        started_ms: 1_767_323_045_000.0,
        steady_s: 10.0,
        ..Record::blank(parameters)
    }
}

pub(super) fn latency(samples: impl IntoIterator<Item = u64>) -> Latency {
    let mut histogram = Histogram::<u64>::new(3).unwrap();
    for sample in samples {
        histogram.record(sample).unwrap();
    }
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(&histogram, &mut bytes).unwrap();
    Latency {
        count: histogram.len(),
        min: histogram.min(),
        mean: histogram.mean(),
        p50: histogram.value_at_quantile(0.5),
        p90: histogram.value_at_quantile(0.9),
        p99: histogram.value_at_quantile(0.99),
        p999: histogram.value_at_quantile(0.999),
        max: histogram.max(),
        histogram: STANDARD.encode(bytes),
    }
}

/// Name, transport, interval in milliseconds, base latency in microseconds, and in bytes: framing and heads
/// per exchange, and what opening takes.
type Client = (&'static str, &'static str, Option<u64>, u64, [u64; 3]);

const CLIENTS: [Client; 10] = [
    ("tcp-floor", "tcp-floor", None, 110, [4, 0, 60]),
    ("short-poll-100ms", "short-poll", Some(100), 350, [60, 290, 350]),
    ("short-poll-250ms", "short-poll", Some(250), 350, [60, 290, 350]),
    ("short-poll-1s", "short-poll", Some(1_000), 350, [60, 290, 350]),
    ("short-poll-4s", "short-poll", Some(4_000), 350, [60, 290, 350]),
    ("long-poll", "long-poll", None, 520, [60, 300, 360]),
    ("sse", "sse", None, 240, [34, 0, 420]),
    ("websocket", "websocket", None, 230, [48, 0, 480]),
    ("websocket-bare", "websocket", None, 230, [48, 0, 480]),
    ("websocket-backoff", "websocket", None, 235, [48, 0, 480]),
];

fn measured(experiment: &str, client: &str, repetition: u32, parameters: Parameters) -> Record {
    let (_, transport, interval, base, [framing, heads, open]) =
        CLIENTS.into_iter().find(|(name, ..)| *name == client).unwrap();
    let mut random = StdRng::seed_from_u64(u64::from(repetition) * 1_000 + base + interval.unwrap_or(0));
    let mut record = blank(experiment, client, transport, repetition);
    let readers = u64::from(parameters.readers);
    let events = (parameters.rate * parameters.measure_s) as u64 * readers;
    let load = if readers > 1 { 6.0 } else { 1.0 };
    let drift = random.random_range(0.92..1.08);
    let mut sample = || {
        let unlucky = if random.random_range(0..100) == 0 { random.random_range(2.0..12.0) } else { 1.0 };
        let wait = interval.map_or(0.0, |ms| random.random_range(0.0..ms as f64 * 1e3));
        (base as f64 * load * drift * unlucky * random.random_range(0.8..1.4) + wait) as u64
    };
    // A thousand samples show a distribution as well as all of them would.
    let samples: Vec<u64> = (0..events.min(1_000)).map(|_| sample()).collect();
    let requests = match interval {
        Some(ms) => (parameters.measure_s * 1e3 / ms as f64) as u64 * readers,
        None if transport == "long-poll" => events.max((parameters.measure_s / 25.0) as u64 * readers),
        None => 0,
    };
    let payload = events * u64::from(parameters.payload_bytes);
    let exchanges = if requests > 0 { requests } else { events };
    let heartbeat = if parameters.rate == 0.0 && requests == 0 { 3 * readers } else { 0 };
    let application = payload + exchanges * framing + requests * heads + heartbeat;
    let segments = 2 * exchanges + application / 1_400;
    record.opening = bytes(open * readers, 0, open * readers, 7 * readers);
    record.bytes = bytes(
        application + open * readers,
        payload,
        requests * heads + open * readers,
        segments + 7 * readers,
    );
    record.bytes.requests = requests;
    record.steady = Bytes { requests, ..bytes(application, payload, requests * heads, segments) };
    record.steady_s = parameters.measure_s;
    (record.expected, record.delivered) = (events, events);
    record.latency_us = (!samples.is_empty()).then(|| latency(samples));
    record.cost.server_cpu_s = Some(events as f64 * 2e-5);
    record.run = format!("{client}-{}-{}-{repetition}", parameters.readers, parameters.payload_bytes);
    record.parameters = Parameters { interval_ms: interval, ..parameters };
    record
}

fn bytes(application: u64, payload: u64, heads: u64, segments: u64) -> Bytes {
    Bytes {
        payload,
        application_in: application - application / 4,
        application_out: application / 4,
        heads_in: heads / 2,
        heads_out: heads - heads / 2,
        wire_in: Some(application - application / 4 + segments * 52 / 2),
        wire_out: Some(application / 4 + segments * 52 / 2),
        segments_in: Some(segments / 2),
        segments_out: Some(segments / 2),
        connections: 1,
        requests: 0,
    }
}

/// Every run of the three definitions.
pub(super) fn records() -> Vec<Record> {
    let mut records = Vec::new();
    let base = blank("", "", "", 1).parameters;
    for repetition in 1..=5 {
        for readers in [1, 100] {
            let clients = [
                "tcp-floor",
                "short-poll-100ms",
                "short-poll-1s",
                "long-poll",
                "sse",
                "websocket",
                "websocket-backoff",
            ];
            for client in clients {
                records.push(measured("latency", client, repetition, Parameters { readers, ..base.clone() }));
            }
        }
    }
    for repetition in 1..=3 {
        for client in [
            "tcp-floor",
            "short-poll-100ms",
            "short-poll-250ms",
            "short-poll-1s",
            "short-poll-4s",
            "long-poll",
            "sse",
            "websocket",
        ] {
            for (rate, payload_bytes) in [(1.0, 16), (1.0, 100), (1.0, 1024), (1.0, 16_384), (0.0, 100)] {
                let parameters = Parameters { rate, payload_bytes, measure_s: 20.0, ..base.clone() };
                let mut record = measured("bandwidth", client, repetition, parameters);
                record.started_ms += 1e6;
                records.push(record);
            }
        }
        for client in ["short-poll-1s", "long-poll", "sse", "websocket-bare", "websocket-backoff"] {
            for fault in ["close", "reset", "silence", "restart"] {
                records.push(cut(client, fault, repetition));
            }
        }
    }
    records
}

/// A run of eight seconds, cut after three.
pub(super) fn cut(client: &str, fault: &str, repetition: u32) -> Record {
    let parameters = Parameters { fault: Some(fault.to_owned()), ..blank("", "", "", 1).parameters };
    let mut record = measured("reconnect", client, repetition, parameters);
    record.started_ms += 2e6;
    let shift = f64::from(repetition) * 7.0;
    let (noticed, back) = match (client, fault) {
        ("websocket-bare", "silence") => (None, None),
        ("websocket-bare", _) => (Some(1.0 + shift / 10.0), None),
        ("short-poll-1s", "silence") => (Some(2_400.0 + shift), Some(2_410.0 + shift)),
        (_, "silence") => (Some(3_000.0 + shift), Some(3_900.0 + shift)),
        ("short-poll-1s", _) => (Some(300.0 + shift * 20.0), Some(310.0 + shift * 20.0)),
        ("long-poll", _) => (Some(0.6 + shift / 10.0), Some(12.0 + shift)),
        ("sse", _) => (Some(0.7 + shift / 10.0), Some(1_000.0 + shift)),
        _ => (Some(0.8 + shift / 10.0), Some(80.0 + shift * 4.0)),
    };
    let restart = if fault == "restart" { 400.0 } else { 0.0 };
    let back = back.map(|ms: f64| ms + restart);
    let cut_at = 3_000.0;
    let lost_until = if fault == "restart" { back.map(|ms| ms - 300.0) } else { None };
    let mut moments = Vec::new();
    let mut say = |at_ms: f64, what, detail: String| moments.push(Moment { at_ms, what, detail });
    say(cut_at, MomentKind::Cut, String::new());
    say(cut_at + restart, MomentKind::Mended, String::new());
    let mut lost = 0;
    for number in 1..160_u32 {
        let at = f64::from(number) * 50.0;
        say(at, MomentKind::Published, number.to_string());
        let got = match back {
            _ if at < cut_at => Some(at + 1.0),
            None => None,
            Some(ms) if lost_until.is_some_and(|until| at < cut_at + until) && ms > 0.0 => None,
            Some(ms) => Some(at.max(cut_at + ms + 5.0) + 1.0),
        };
        match got {
            Some(at) => say(at, MomentKind::Received, number.to_string()),
            None => lost += 1,
        }
    }
    record.timeline = moments;
    record.lost = lost;
    record.lost_announced = if back.is_some() { lost } else { 0 };
    record.delivered = record.expected - lost;
    record.recovery = Some(Recovery {
        cut_ms: record.started_ms + cut_at,
        noticed_ms: noticed,
        back_ms: back,
        caught_up_ms: back.map(|ms| ms + 6.0),
        bytes_spent: 4_000,
        requests_spent: 3,
    });
    record.run = format!("{client}-{fault}-{repetition}");
    record
}
