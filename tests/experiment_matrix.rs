//! Transport × policy × fault from one definition, at a small scale: the program is run as a user runs it; no run is
//! missing, and every event that was lost is explained by its client's policy.

#![allow(clippy::unwrap_used, reason = "a test that panics has said so")]

use std::{collections::HashSet, fs, path::Path, process::Command};

use serde_json::Value;

/// Long enough after the cut that who comes back at all is back, also on a machine that has other things to do.
const DEFINITION: &str = r#"
question = "Which policy survives which fault?"
why = "It is asked in small, since the large one takes its time."
layout = "together"
publisher = "post"
heartbeat_ms = 500
retry_ms = 200
charts = ["recovery-times"]

[[client]]
name = "short-poll"
transport = "short-poll"
interval_ms = 200
answer_within_ms = 3000

[[client]]
name = "long-poll"
transport = "long-poll"
wait_s = 1
answer_within_ms = 3000

[[client]]
name = "long-poll-naive"
transport = "long-poll"
wait_s = 1
answer_within_ms = 3000
reconnect = "fixed"
base_ms = 200
resume = false

[[client]]
name = "sse"
transport = "sse"

[[client]]
name = "sse-new-each-time"
transport = "sse"
reconnect = "fixed"
base_ms = 200
resume = false

[[client]]
name = "sse-extra"
transport = "sse"
reconnect = "exponential-jitter"
quiet_heartbeats = 6

[[client]]
name = "websocket-bare"
transport = "websocket"

[[client]]
name = "websocket-extra"
transport = "websocket"
reconnect = "exponential-jitter"
quiet_heartbeats = 6

[[conditions]]
rate = [10]
fault = [
  "close", "half-close", "mid-character", "mid-header", "silence", "refuse", "http-204", "http-503",
  "http-redirect", "sigterm", "restart", "restart-with-log",
]

[[conditions]]
rate = [10]
timetable = { faults = ["reset", "mid-event", "hold", "http-wrong-type"], count = 3 }
measure_s = { quick = 16, full = 16 }

[quick]
repetitions = 1
warm_up_s = 0
measure_s = 12

[full]
repetitions = 1
warm_up_s = 0
measure_s = 12
"#;

/// Those that hand their cursor back and come back from anything.
const WITH_CURSOR: [&str; 4] = ["short-poll", "long-poll", "sse-extra", "websocket-extra"];

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn no_run_is_missing_and_what_was_lost_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("small.toml");
    fs::write(&file, DEFINITION).unwrap();
    let out = folder.path().join("out");
    let ran = Command::new(env!("CARGO_BIN_EXE_experiment"))
        .args([Path::new("run"), &file, Path::new("--out"), &out])
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));

    let manifest: Value = serde_json::from_str(&read(&out.join("manifest.json"))).unwrap();
    let lines = read(&out.join("small/runs.jsonl"));
    let records: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(manifest["planned"]["small"], records.len());
    assert_eq!(records.len(), 8 * 13);
    let runs: HashSet<_> = records.iter().map(|record| record["run"].as_str().unwrap()).collect();
    assert_eq!(runs.len(), records.len(), "a run for each client and fault");

    for record in &records {
        let client = record["client"].as_str().unwrap();
        assert_eq!(record["err"], Value::Null, "{record}");
        assert!(record["delivered"].as_u64() > Some(0), "{record}");
        assert_eq!(record["explanation"]["unexplained"], 0, "{record}");
        assert_eq!((&record["duplicated"], &record["out_of_order"]), (&0.into(), &0.into()), "{record}");
        if WITH_CURSOR.contains(&client) {
            assert_eq!(record["lost"], record["lost_announced"], "{record}");
        }
    }
    // The explanations are not such that they fit everything: some expect nothing to be lost, and some a loss.
    let lost = |client: &str, fault: &str| {
        let of = |record: &&Value| record["client"] == client && record["parameters"]["fault"] == fault;
        records.iter().find(of).unwrap()["lost"].as_u64().unwrap()
    };
    assert_eq!(lost("sse", "close"), 0);
    for (client, fault) in [
        ("sse", "http-503"),
        ("sse-new-each-time", "refuse"),
        ("long-poll-naive", "http-204"),
        ("websocket-bare", "close"),
    ] {
        assert!(lost(client, fault) > 0, "{client}, {fault}");
    }
    let report = read(&out.join("report.md"));
    assert!(report.contains("a bare WebSocket never comes back"), "{report}");
}
