//! `experiment` over networks: what a definition says stands between, or the program refuses.

#![allow(clippy::unwrap_used, reason = "a test that panics has said so")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

fn experiment(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_experiment")).args(arguments).current_dir(folder).output().unwrap()
}

const DEFINITION: &str = r#"
    question = "?"
    why = "?"
    charts = ["percentiles", "strip"]
    [[client]]
    name = "sse"
    transport = "sse"
    [[client]]
    name = "long-poll"
    transport = "long-poll"
    [[conditions]]
    rate = [20]
    network = ["direct", "loopback", "mobile", { name = "crumbs", to_client = { chunk_bytes = 7, jitter_ms = 3 } }]
    [quick]
    repetitions = 1
    warm_up_s = 0
    measure_s = 0.4
    [full]
    repetitions = 1
    warm_up_s = 0
    measure_s = 1
    [[published]]
    row = "somebody's SSE"
    quantity = "latency-mean"
    value = 12.5
    unit = "ms"
    client = "sse"
"#;

const PUBLISHED: &str = "published_in = 'Somebody 1999'\nsetup_differences = 'Another machine.'\n";

#[test]
fn every_network_delivers_everything_and_a_way_takes_its_time() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("ways.toml"), format!("{PUBLISHED}{DEFINITION}")).unwrap();
    let ran = experiment(dir.path(), &["run", "ways.toml", "--out", "out"]);
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{out}{err}");
    assert!(out.contains("The relay itself") && out.contains("12.5 ms"), "{out}");
    let runs = fs::read_to_string(dir.path().join("out/ways/runs.jsonl")).unwrap();
    let records: Vec<Value> = runs.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 8);
    for record in &records {
        assert_eq!((&record["err"], &record["lost"]), (&Value::Null, &0.into()), "{record}");
        if record["parameters"]["network"] == "mobile" {
            assert!(record["latency_us"]["min"].as_u64().unwrap() >= 35_000, "{record}");
        }
    }
    let over = |name: &str| records.iter().filter(|it| it["parameters"]["network"] == name).count();
    assert_eq!((over("loopback"), over("mobile"), over("crumbs")), (2, 2, 2));
    let report = fs::read_to_string(dir.path().join("out/report.md")).unwrap();
    assert!(report.contains("Another machine.") && report.contains("crumbs"), "{report}");
}

#[test]
fn a_definition_without_the_differences_or_with_an_unknown_network_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (text, word) in [
        (DEFINITION.to_owned(), "setup_differences"),
        (format!("{PUBLISHED}{}", DEFINITION.replace("\"mobile\"", "\"moon\"")), "satellite"),
    ] {
        fs::write(dir.path().join("bad.toml"), text).unwrap();
        let checked = experiment(dir.path(), &["check", "bad.toml"]);
        let err = String::from_utf8_lossy(&checked.stderr);
        assert_eq!(checked.status.code(), Some(2), "{err}");
        assert!(err.contains("bad.toml") && err.contains(word), "{err}");
    }
}

#[test]
fn where_segments_can_not_be_lost_the_program_says_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let refused = Command::new(env!("CARGO_BIN_EXE_experiment"))
        .args(["run", "loss", "--out", "out"])
        .current_dir(dir.path())
        // Without `ip` and `nft`.
        .env("PATH", dir.path())
        .output()
        .unwrap();
    let err = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{err}");
    for word in ["loss", "iproute2", "nftables", "root"] {
        assert!(err.contains(word), "{word}: {err}");
    }
    assert!(!dir.path().join("out").exists(), "nothing was measured instead");
    let elsewhere = ["run", "loss", "--target", "http://127.0.0.1:1", "--out", "out"];
    assert_eq!(experiment(dir.path(), &elsewhere).status.code(), Some(2));
}

#[test]
fn papers_are_named_by_their_folder_and_run_by_that_name() {
    let dir = tempfile::tempdir().unwrap();
    let listed = experiment(dir.path(), &["list"]);
    let out = String::from_utf8_lossy(&listed.stdout);
    for paper in ["aquilio", "bozdag-2007", "johannessen-2014", "quantum-leap"] {
        assert!(out.contains(&format!("papers/{paper} ")), "{out}");
    }
    let ran = experiment(dir.path(), &["run", "papers/aquilio", "--repeat", "1", "--out", "out"]);
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{out}{err}");
    assert!(out.contains("Published beside ours") && out.contains("3609 bytes"), "{out}");
    assert!(dir.path().join("out/papers/aquilio/runs.jsonl").is_file());
    let page = fs::read_to_string(dir.path().join("out/report.html")).unwrap();
    assert!(page.contains("papers/aquilio/summary.csv") && page.contains("What is different"), "{page}");
    let redrawn = experiment(dir.path(), &["report", "out"]);
    assert!(redrawn.status.success(), "{}", String::from_utf8_lossy(&redrawn.stderr));
}
