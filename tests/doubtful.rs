//! What spoils a measurement is said, by the record and by the report.

#![allow(clippy::unwrap_used, reason = "a test that panics has said so")]

mod session;

use std::{
    fs,
    path::Path,
    process::{Child, Command},
};

use pushlab::{
    clock::Clock,
    harness::{catalogue::Sourced, definition::Definition, record::Record},
    report,
};

const DEFINITION: &str = r#"
question = "Is it said?"
why = "Figures that can't be believed must not look like those that can."
[[client]]
name = "sse"
transport = "sse"
[[client]]
name = "tcp-floor"
transport = "tcp-floor"
[[conditions]]
rate = [50.0]
[quick]
repetitions = 1
warm_up_s = 0.1
measure_s = 1.0
[full]
repetitions = 1
warm_up_s = 0.1
measure_s = 1.0
"#;

const PROGRAM: &str = env!("CARGO_BIN_EXE_experiment");

/// Runs the definition by the program, in an environment that a test has spoilt.
fn run(spoil: impl FnOnce(&mut Command)) -> (Vec<Record>, String) {
    let dir = tempfile::tempdir().unwrap();
    let (file, out) = (dir.path().join("said.toml"), dir.path().join("out"));
    fs::write(&file, DEFINITION).unwrap();
    let mut command = Command::new(PROGRAM);
    command.arg("run").arg(&file).arg("--out").arg(&out);
    spoil(&mut command);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("Some figures are doubtful"), "{output:?}");
    said(&out)
}

/// The records of a run, and its report.
fn said(out: &Path) -> (Vec<Record>, String) {
    let lines = fs::read_to_string(out.join("said/runs.jsonl")).unwrap();
    let records: Vec<Record> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 2);
    for record in &records {
        assert_eq!(record.err, None);
        let harness = record.harness.expect("the harness says what it cost");
        assert!(harness.clock_read_ns > 0.0);
        assert!(harness.wake_late_p50_us <= harness.wake_late_p99_us && harness.wake_late_p50_us.is_some());
    }
    (records, fs::read_to_string(out.join("report.md")).unwrap())
}

#[track_caller]
fn assert_said(records: &[Record], report: &str, words: &str) {
    for record in records {
        assert!(record.doubtful.iter().any(|it| it.contains(words)), "{}: {:?}", record.run, record.doubtful);
    }
    let doubtful = report.split("**Doubtful figures:**").nth(1).expect("a section of its own");
    assert!(doubtful.contains(words), "{doubtful}");
}

#[test]
fn a_slow_server() {
    let (records, report) = run(|command| {
        command.env("PUSHLAB_SLOW_SERVER_MS", "30");
    });
    assert_said(&records, &report, "the server is slow whatever the transport");
}

/// Ends a loop that would never end.
struct Busy(Child);

impl Drop for Busy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_machine_short_of_cpu() {
    let cores = std::thread::available_parallelism().unwrap().get();
    let _busy: Vec<Busy> = (0..cores.max(2))
        .map(|_| Busy(Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap()))
        .collect();
    let (records, report) = run(|_| {});
    assert_said(&records, &report, "the machine was busy: other programs took about");
}

/// A server whose clock is not ours, by so many milliseconds.
async fn with_clock_off_by(millis: i64) -> (Vec<Record>, String) {
    let clock = Clock::start();
    let wrong = Clock::from_anchor(clock.anchor_ns() + millis * 1_000_000);
    let definition = Definition::parse("said", "said.toml", DEFINITION).unwrap();
    let experiment = Sourced { definition, text: DEFINITION.to_owned() };
    let ran = session::run(experiment, 1, &session::environment(clock, wrong)).await;
    assert_eq!(ran.outcome.failed, 0);
    report::write(ran.folder()).unwrap();
    said(ran.folder())
}

#[tokio::test]
async fn a_clock_that_is_behind() {
    let (records, report) = with_clock_off_by(-2_000).await;
    assert_said(&records, &report, "ms behind ours");
}

#[tokio::test]
async fn a_clock_that_is_ahead() {
    let (records, report) = with_clock_off_by(2_000).await;
    assert_said(&records, &report, "ms ahead of ours");
    assert_said(&records, &report, "came before they were meant to be published");
}
