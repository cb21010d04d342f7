//! The experiments about storms, zombies and stalled readers, at a small scale: the program is run as a user
//! runs it, and its records are read.

#![allow(clippy::unwrap_used, reason = "a test that panics has said so")]

use std::{fs, path::Path, process::Command};

use serde_json::Value;

/// Runs a definition and gives its records.
fn run(name: &str, definition: &str) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(format!("{name}.toml"));
    let profile = "repetitions = 1\nwarm_up_s = 0\nmeasure_s = 1\n";
    fs::write(
        &file,
        format!("question = \"?\"\nwhy = \"?\"\n{definition}\n[quick]\n{profile}[full]\n{profile}"),
    )
    .unwrap();
    let out = folder.path().join("out");
    let ran = Command::new(env!("CARGO_BIN_EXE_experiment"))
        .args([Path::new("run"), &file, Path::new("--out"), &out])
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let lines = fs::read_to_string(out.join(name).join("runs.jsonl")).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn sum(list: &Value) -> u64 {
    list.as_array().unwrap().iter().map(|each| each.as_u64().unwrap()).sum()
}

#[test]
fn readers_that_are_all_cut_at_once_are_counted_as_they_come_back() {
    let records = run(
        "storm",
        r#"
        publisher = "post"
        charts = ["storm"]
        [[client]]
        name = "fixed"
        transport = "websocket"
        reconnect = "fixed"
        base_ms = 100
        [[client]]
        name = "jitter"
        transport = "websocket"
        reconnect = "exponential-jitter"
        base_ms = 200
        [[conditions]]
        readers = [30]
        rate = [5]
        fault = ["disconnect"]
        measure_s = { quick = 4, full = 4 }
        "#,
    );
    assert_eq!(records.len(), 2);
    for record in records {
        let storm = &record["storm"];
        assert_eq!(storm["cut"], 30, "{record}");
        assert_eq!(sum(&storm["back"]), 30, "{record}");
        assert!(sum(&storm["connects"]) >= 30, "{record}");
        assert!(storm["back_p50_ms"].as_f64() <= storm["back_max_ms"].as_f64(), "{record}");
        assert_eq!(record["lost"], 0);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_server_lets_go_of_dead_readers_unless_something_acknowledges_for_them() {
    let records = run(
        "zombies",
        r#"
        layout = "together"
        publisher = "post"
        charts = ["zombies"]
        [[client]]
        name = "sse"
        transport = "sse"
        reconnect = "never"
        [[client]]
        name = "websocket"
        transport = "websocket"
        reconnect = "never"
        [[conditions]]
        readers = [2]
        rate = [5]
        fault = ["unplug", "silence"]
        heartbeat_ms = [250]
        measure_s = { quick = 12, full = 12 }
        "#,
    );
    assert_eq!(records.len(), 4);
    for record in records {
        let zombies = &record["zombies"];
        assert_eq!(zombies["counted"][0][1], 2, "at first both are counted: {record}");
        let comments_are_acknowledged =
            record["client"] == "sse" && record["parameters"]["fault"] == "silence";
        assert_eq!(zombies["gone_ms"].is_null(), comments_are_acknowledged, "{record}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn stalled_readers_cost_a_queue_each_or_nothing() {
    let records = run(
        "slow-reader",
        r#"
        charts = ["memory"]
        [[client]]
        name = "cursor"
        transport = "sse"
        stalled = true
        [[client]]
        name = "queue"
        transport = "sse"
        stalled = true
        queueing = true
        [[conditions]]
        readers = [10]
        rate = [2000]
        payload_bytes = [4096]
        measure_s = { quick = 3, full = 3 }
        "#,
    );
    let growth = |name: &str| {
        let record = records.iter().find(|record| record["client"] == name).unwrap();
        record["memory"]["growth_kib"].as_u64().unwrap()
    };
    assert!(growth("queue") > 2 * growth("cursor"), "{} and {} KiB", growth("queue"), growth("cursor"));
}
