//! The whole way from made-up run folders to what is written.

mod beside;
mod comparison;
mod fixture;
mod looks;
mod notice;
mod scripted;
mod verdicts;

use std::fs;

use tempfile::TempDir;

use super::{summary::Summary, *};
use crate::harness::{definition::Chart, record::Record};

const ALL: [(&str, &str); 3] =
    [("bandwidth", fixture::BANDWIDTH), ("latency", fixture::LATENCY), ("reconnect", fixture::RECONNECT)];

/// A run folder that goes when it is dropped.
fn folder(definitions: &[(&str, &str)], planned: u64, records: &[Record]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fixture::write_folder(dir.path(), &fixture::manifest(definitions, planned), records);
    dir
}

/// The records of one experiment, few enough for a snapshot: three repetitions of exact values.
fn few() -> Vec<Record> {
    let mut records = Vec::new();
    for (client, transport, base) in
        [("tcp-floor", "tcp-floor", 100), ("sse", "sse", 250), ("short-poll-1s", "short-poll", 500_000)]
    {
        for repetition in 1..=3 {
            let mut record = fixture::blank("latency", client, transport, repetition);
            let step = u64::from(repetition) * base / 50;
            record.latency_us = Some(fixture::latency((0..100).map(|i| base + step + i * base / 200)));
            (record.expected, record.delivered) = (100, 100);
            record.bytes.connections = 1;
            record.steady.payload = 10_000;
            record.steady.application_in = 13_400;
            (record.steady.wire_in, record.steady.wire_out) = (Some(18_600), Some(5_200));
            (record.opening.wire_in, record.opening.wire_out) = (Some(0), Some(0));
            records.push(record);
        }
    }
    records
}

#[test]
fn a_whole_run_becomes_a_whole_report() {
    let records = fixture::records();
    let dir = folder(
        &ALL[..1],
        120,
        &records.into_iter().filter(|r| r.experiment == "bandwidth").collect::<Vec<_>>(),
    );
    let written = write(dir.path()).unwrap();
    assert_eq!(written.incomplete, Vec::<String>::new());
    assert_eq!(written.verdicts, [("S4".to_owned(), Outcome::Holds)]);
    let names = [
        "summary.csv",
        "bytes-per-event.svg",
        "bytes-per-event.png",
        "opening-and-idle.svg",
        "polling-frontier.png",
    ];
    for name in names {
        assert!(written.files.contains(&dir.path().join("bandwidth").join(name)), "{name}");
    }
    let html = fs::read_to_string(&written.html).unwrap();
    // Self-contained: a link may lead to a file beside it, but nothing is fetched.
    for fetched in ["<script", "<link", "src=\"", "@import", "url("] {
        assert!(!html.contains(fetched), "{fetched}");
    }
    assert_eq!(html.matches("<svg").count(), 3);
    assert!(html.find("What the figures say").unwrap() < html.find("<svg").unwrap());
    let png = fs::read(dir.path().join("bandwidth/polling-frontier.png")).unwrap();
    assert!(png.starts_with(b"\x89PNG"));
}

#[test]
fn the_same_records_draw_the_same_report() {
    let dir = folder(&ALL[1..2], 9, &few());
    let first = write(dir.path()).unwrap();
    let read =
        |written: &Written| written.files.iter().map(|file| fs::read(file).unwrap()).collect::<Vec<_>>();
    let before = read(&first);
    assert_eq!(read(&write(dir.path()).unwrap()), before);
}

#[test]
fn markdown_and_csv_of_a_few_records() {
    let dir = folder(&ALL[1..2], 9, &few());
    write(dir.path()).unwrap();
    insta::assert_snapshot!("report.md", fs::read_to_string(dir.path().join("report.md")).unwrap());
    insta::assert_snapshot!(
        "summary.csv",
        fs::read_to_string(dir.path().join("latency/summary.csv")).unwrap()
    );
    insta::assert_snapshot!("terminal", terminal_summary(dir.path()).unwrap());
}

#[test]
fn a_terminal_of_eighty_columns_is_enough() {
    let dir = folder(&ALL, 70, &fixture::records());
    let text = terminal_summary(dir.path()).unwrap();
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
    }
    assert!(text.contains("S5b") && text.contains("never"), "{text}");
}

#[test]
fn what_is_not_whole_is_said_first() {
    let mut records = few();
    records.truncate(7);
    records[0].err = Some("the server <b>died</b>".to_owned());
    records[1].doubtful = vec!["the harness was short of CPU: close other programs".to_owned()];
    let dir = folder(&ALL[1..2], 9, &records);
    let mut manifest = fixture::manifest(&ALL[1..2], 9);
    manifest.finished = None;
    fs::write(dir.path().join("manifest.json"), serde_json::to_string(&manifest).unwrap()).unwrap();
    let runs = dir.path().join("latency/runs.jsonl");
    let text = fs::read_to_string(&runs).unwrap();
    // The last line of a run that was killed while it wrote.
    fs::write(&runs, format!("{text}{{\"experiment\": \"lat")).unwrap();

    let written = write(dir.path()).unwrap();
    let [cut, missing, failed, line] = written.incomplete.as_slice() else {
        panic!("{:?}", written.incomplete)
    };
    assert!(cut.contains("cut short"), "{cut}");
    assert_eq!(missing, "latency: 7 of 9 planned runs were recorded.");
    assert_eq!(failed, "latency: 1 of 7 runs failed; they are listed below.");
    assert!(line.contains("latency/runs.jsonl:8:"), "{line}");
    let html = fs::read_to_string(&written.html).unwrap();
    assert!(html.find("This run is not whole").unwrap() < html.find("What the figures say").unwrap());
    assert!(html.contains("the server &#60;b&#62;died") && !html.contains("<b>died"), "text is never markup");
    assert!(html.contains("close other programs"));
    let markdown = fs::read_to_string(&written.markdown).unwrap();
    assert!(markdown.contains("&lt;b&gt;died") && markdown.contains("not whole"));
}

#[test]
fn a_folder_without_records_still_has_its_report() {
    let dir = folder(&ALL, 70, &[]);
    let written = write(dir.path()).unwrap();
    assert!(written.verdicts.iter().all(|(_, outcome)| *outcome == Outcome::Undecided));
    assert_eq!(written.incomplete.len(), 3);
    let svg = fs::read_to_string(dir.path().join("reconnect/timeline.svg")).unwrap();
    assert!(svg.contains("no data: "), "{svg}");
    terminal_summary(dir.path()).unwrap();
}

#[test]
fn errors_name_the_file_and_the_next_step() {
    let dir = tempfile::tempdir().unwrap();
    let error = write(dir.path()).unwrap_err().to_string();
    assert!(error.contains("manifest.json") && error.contains("results/latest"), "{error}");

    fs::write(dir.path().join("manifest.json"), "{}").unwrap();
    let error = write(dir.path()).unwrap_err().to_string();
    assert!(error.contains("manifest.json") && error.contains("missing field"), "{error}");

    let manifest = fixture::manifest(&[("../elsewhere", fixture::LATENCY)], 1);
    fixture::write_folder(dir.path(), &manifest, &[]);
    assert!(matches!(write(dir.path()), Err(ReportError::Name { .. })));

    fixture::write_folder(dir.path(), &fixture::manifest(&[("latency", "question = 1")], 1), &[]);
    let error = write(dir.path()).unwrap_err().to_string();
    assert!(error.contains("definitions.latency"), "{error}");

    fixture::write_folder(dir.path(), &fixture::manifest(&ALL[1..2], 1), &[]);
    fs::write(dir.path().join("latency"), "a file where a folder should be").unwrap();
    let error = write(dir.path()).unwrap_err().to_string();
    assert!(error.contains("latency"), "{error}");
}

#[test]
fn a_histogram_that_cannot_be_read_is_said() {
    let mut records = few();
    records[4].latency_us.as_mut().unwrap().histogram = "not base64".to_owned();
    let dir = folder(&ALL[1..2], 9, &records);
    let html = fs::read_to_string(write(dir.path()).unwrap().html).unwrap();
    assert!(html.contains("run sse-2: its latency histogram can"), "the run is named");
}

#[test]
fn damaged_numbers_do_not_end_a_report() {
    let mut records = few();
    records[0].delivered = u64::MAX;
    records[1].bytes.wire_in = Some(u64::MAX);
    records[2].bytes.application_in = u64::MAX;
    records[3].parameters.rate = -1.0;
    records[4].steady_s = -1.0;
    records[5].started_ms = f64::MAX;
    let dir = folder(&ALL[1..2], 9, &records);
    write(dir.path()).unwrap();
    terminal_summary(dir.path()).unwrap();
}

#[test]
fn a_client_looks_the_same_in_every_experiment() {
    let dir = folder(&ALL, 70, &fixture::records());
    let folder = RunFolder::read(dir.path()).unwrap();
    let mut known = Vec::new();
    let looks = |summary: &Summary<'_>, name: &str| {
        summary.series.iter().find(|series| series.name == name).map(palette::Look::of)
    };
    let all: Vec<Summary<'_>> =
        folder.experiments.iter().map(|experiment| Summary::of(experiment, &mut known)).collect();
    let names: Vec<&str> = folder.experiments.iter().map(|e| e.definition.name.as_str()).collect();
    assert_eq!(names, ["latency", "bandwidth", "reconnect"], "in the order in which they ran");
    assert_eq!(looks(&all[0], "short-poll-1s"), looks(&all[1], "short-poll-1s"));
    assert_ne!(looks(&all[1], "short-poll-1s"), looks(&all[1], "short-poll-100ms"));
}

/// Every chart that a definition can ask for.
const CHARTS: [Chart; 13] = [
    Chart::Percentiles,
    Chart::Strip,
    Chart::BytesPerEvent,
    Chart::OpeningAndIdle,
    Chart::PollingFrontier,
    Chart::Timeline,
    Chart::RecoveryTimes,
    Chart::Capacity,
    Chart::MemoryPerReaders,
    Chart::Storm,
    Chart::Zombies,
    Chart::Notice,
    Chart::Memory,
];
