//! `experiment` as a user meets it: words, exit statuses, files, and what goes wrong.
#![cfg(unix)]
// A test that fails here says so by panicking.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use pushlab::harness::{manifest::Manifest, record::Record};
use tempfile::TempDir;

/// Longer than anything here takes, however loaded the machine is.
const PATIENCE: Duration = Duration::from_secs(60);

/// Every transport and the floor, for a short while.
const SHORT: &str = r#"
question = "Does it run?"
why = "So that a test need not take long."
charts = ["percentiles", "strip"]
conditions = [{ rate = [50] }]
quick = { repetitions = 2, warm_up_s = 0.1, measure_s = 0.4 }
full = { repetitions = 2, warm_up_s = 0.1, measure_s = 0.4 }
client = [
  { name = "floor", transport = "tcp-floor" },
  { name = "short", transport = "short-poll", interval_ms = 50 },
  { name = "long", transport = "long-poll" },
  { name = "sse", transport = "sse" },
  { name = "ws", transport = "websocket" },
]
"#;

fn experiment(dir: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_experiment"));
    command.current_dir(dir).args(words).stdin(Stdio::null());
    command
}

fn run(dir: &Path, words: &[&str]) -> Output {
    experiment(dir, words).output().expect("it starts")
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn folder_with(text: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("mine.toml"), text).unwrap();
    dir
}

fn records(folder: &Path) -> Vec<Record> {
    let text = fs::read_to_string(folder.join("mine/runs.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn manifest(folder: &Path) -> Manifest {
    serde_json::from_str(&fs::read_to_string(folder.join("manifest.json")).unwrap()).unwrap()
}

#[track_caller]
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until the harness has started a server under test, and names its process.
fn server_of(harness: &Child) -> u32 {
    let parent = harness.id().to_string();
    wait_for("the server under test", || {
        fs::read_dir("/proc").unwrap().find_map(|entry| {
            let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let after_name = stat.rsplit_once(')')?.1;
            let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
            let ours = after_name.split_ascii_whitespace().nth(1)? == parent;
            (ours && command.contains("serve-for-experiment")).then_some(pid)
        })
    })
}

fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill").args([name, &pid.to_string()]).status().expect("kill is there");
    assert!(sent.success());
}

#[test]
fn a_run_leaves_a_line_per_run_and_a_report() {
    let dir = folder_with(SHORT);
    let output = run(dir.path(), &["run", "mine.toml", "--seed", "7"]);
    assert!(output.status.success(), "{}", error(&output));
    let latest = dir.path().join("results/latest");
    let records = records(&latest);
    assert_eq!(records.len(), 10);
    assert_eq!(manifest(&latest).planned["mine"], 10);
    assert!(manifest(&latest).finished.is_some());
    for record in &records {
        assert_eq!(record.err, None, "{}", record.run);
        assert!(record.expected > 0 && record.delivered == record.expected, "{}", record.run);
        assert_eq!((record.lost, record.duplicated, record.out_of_order), (0, 0, 0), "{}", record.run);
        assert!(record.latency_us.as_ref().is_some_and(|latency| latency.count > 0), "{}", record.run);
        assert!(record.bytes.application_in > record.bytes.payload, "{}", record.run);
    }
    for file in ["report.html", "report.md", "mine/summary.csv", "mine/percentiles.svg", "mine/strip.png"] {
        assert!(latest.join(file).is_file(), "{file}");
    }

    // Everything that is drawn can be drawn again from the records.
    let before = fs::read_to_string(latest.join("mine/summary.csv")).unwrap();
    for file in ["report.html", "report.md", "mine/summary.csv", "mine/percentiles.svg", "mine/strip.png"] {
        fs::remove_file(latest.join(file)).unwrap();
    }
    assert!(run(dir.path(), &["report", "results/latest"]).status.success());
    assert_eq!(fs::read_to_string(latest.join("mine/summary.csv")).unwrap(), before);
    assert!(latest.join("report.html").is_file());
}

#[test]
fn bad_usage_names_the_thing_and_the_next_step_with_status_2() {
    let dir = folder_with(&SHORT.replace("rate = [50]", "rat = [50]"));
    fs::write(dir.path().join("file"), "").unwrap();
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let cases: [(&[&str], &[&str]); 8] = [
        (&["run", "latencies"], &["latencies", "experiment list"]),
        (&["run", "mine.toml"], &["mine.toml", "rat", "line 5"]),
        (&["check", "mine.toml"], &["mine.toml", "rat"]),
        (&["check", "missing.toml"], &["missing.toml"]),
        (&["run", "latency", "--target", closed.as_str()], &[closed.as_str(), "--target"]),
        (&["run", "latency", "--target", "ftp://x/"], &["ftp://x/", "http://"]),
        (&["run", "latency", "--out", "file/out"], &["file/out", "--out"]),
        (&["report", "nowhere"], &["nowhere"]),
    ];
    for (words, said) in cases {
        let output = run(dir.path(), words);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {}", error(&output));
        for part in said {
            assert!(error(&output).contains(part), "{words:?} should say {part:?}: {}", error(&output));
        }
        assert!(!error(&output).contains("panicked"), "{}", error(&output));
    }
    assert_eq!(run(dir.path(), &["run", "--profile", "slow"]).status.code(), Some(2));
}

#[test]
fn every_value_that_cannot_be_run_is_named_with_its_key() {
    let cases = [
        (
            "name = \"short\", transport = \"short-poll\", interval_ms = 50",
            "name = \"short\", transport = \"short-poll\"",
            "interval_ms",
        ),
        ("name = \"ws\"", "name = \"sse\"", "name"),
        ("transport = \"websocket\"", "transport = \"websockets\"", "websockets"),
        ("rate = [50]", "rate = [-1]", "rate"),
        ("rate = [50]", "rate = []", "rate"),
        ("rate = [50]", "rate = [50], readers = [0]", "readers"),
        ("rate = [50]", "rate = [50], payload_bytes = [16]", "payload_bytes"),
        ("rate = [50]", "rate = [50], fault = [\"restart\"]", "fault"),
        ("rate = [50]", "rate = [50], clients = [\"nobody\"]", "nobody"),
        ("repetitions = 2", "repetitions = 0", "repetitions"),
        ("measure_s = 0.4", "measure_s = 0", "measure_s"),
    ];
    for (good, bad, key) in cases {
        let dir = folder_with(&SHORT.replace(good, bad));
        let output = run(dir.path(), &["check", "mine.toml"]);
        assert_eq!(output.status.code(), Some(2), "{bad}: {}", error(&output));
        assert!(
            error(&output).contains("mine.toml") && error(&output).contains(key),
            "{bad}: {}",
            error(&output)
        );
    }
}

#[test]
fn an_interrupted_session_keeps_what_it_has_and_says_that_it_is_partial() {
    let dir = folder_with(&SHORT.replace("repetitions = 2", "repetitions = 200"));
    let out = dir.path().join("out");
    let mut child = experiment(dir.path(), &["run", "mine.toml", "--out", "out"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = || fs::read_to_string(out.join("mine/runs.jsonl")).map_or(0, |text| text.lines().count());
    wait_for("two records", || (lines() >= 2).then_some(()));
    signal("-INT", child.id());
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(lines() >= 2);
    assert!(manifest(&out).finished.is_none());
    assert!(fs::read_to_string(out.join("report.html")).unwrap().contains("artial"), "the report says so");
}

#[test]
fn a_server_that_dies_is_a_row_with_err_and_the_rest_goes_on() {
    let dir = folder_with(&SHORT.replace("measure_s = 0.4", "measure_s = 1"));
    let child = experiment(dir.path(), &["run", "mine.toml", "--out", "out", "--repeat", "1"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    signal("-KILL", server_of(&child));
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", error(&output));
    let records = records(&dir.path().join("out"));
    assert_eq!(records.len(), 5, "a line for every planned run");
    let failed: Vec<_> = records.iter().filter(|record| record.err.is_some()).collect();
    assert_eq!(failed.len(), 1, "only the run whose server died");
    assert!(error(&output).contains(&failed[0].run), "said at once: {}", error(&output));
}

#[test]
fn a_full_disk_is_said_and_nothing_is_lost() {
    let dir = folder_with(SHORT);
    // The system refuses what goes beyond a few KiB per file, as a full disk or a quota does.
    let script = format!(
        "trap '' XFSZ; ulimit -f 12; exec {} run mine.toml --out out",
        env!("CARGO_BIN_EXE_experiment")
    );
    let output = Command::new("sh").args(["-c", &script]).current_dir(dir.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", error(&output));
    assert!(error(&output).contains("runs.jsonl") && error(&output).contains("--out"), "{}", error(&output));
    assert!(!error(&output).contains("panicked"), "{}", error(&output));
    let text = fs::read_to_string(dir.path().join("out/mine/runs.jsonl")).unwrap();
    let whole = text.lines().filter(|line| serde_json::from_str::<Record>(line).is_ok()).count();
    assert!(whole >= 1, "what was written before is kept");
}

#[test]
fn list_names_the_core_experiments_and_check_finds_them_good() {
    let dir = tempfile::tempdir().unwrap();
    let list = run(dir.path(), &["list"]);
    let text = String::from_utf8_lossy(&list.stdout).into_owned();
    for name in ["latency", "bandwidth", "reconnect"] {
        assert!(text.contains(name), "{text}");
    }
    assert!(run(dir.path(), &["check"]).status.success());
}
