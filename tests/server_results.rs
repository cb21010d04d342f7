//! The runs of experiments over HTTP: listed, shown, started and cancelled.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod support;

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use pushlab::server::Config;
use serde_json::Value;
use support::{Server, Sse, patiently};
use tempfile::TempDir;

const MANIFEST: &str = r#"{"pushlab":"0.1.0","command":["experiment"],"profile":"quick","seed":1,
    "started":"STARTED","finished":null,"target":"built-in","definitions":{"latency":"…"},
    "planned":{"latency":2},"git_revision":null,"machine":{}}"#;

fn write_run(folder: &Path, started: &str) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("manifest.json"), MANIFEST.replace("STARTED", started)).unwrap();
}

async fn server(results: &Path, program: Option<&Path>) -> Server {
    let config = Config {
        results: results.to_owned(),
        experiment_program: program.map(Path::to_owned),
        ..Config::default()
    };
    Server::start(config).await
}

/// A program that stands for `experiment`: what it does once it is started with what we promise.
fn program(folder: &Path, does: &str) -> std::path::PathBuf {
    let path = folder.join("experiment");
    fs::write(
        &path,
        format!("#!/bin/sh\n[ \"$1 $3 $4 $5\" = 'run --profile quick --out' ] || exit 9\nname=$2; out=$6\n{does}\n"),
    )
    .unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

async fn start(server: &Server) -> Value {
    loop {
        let answer = server.post("/results/run", "{\"experiment\":\"latency\",\"transport\":\"sse\"}").await;
        // Another test's child may hold our script open for the moment between its fork and its exec.
        if answer.status != 503 || !answer.error().contains("busy") {
            assert_eq!(answer.status, 202, "{answer:?}");
            return answer.json();
        }
    }
}

async fn listen(server: &Server, started: &Value) -> Sse {
    server.open_sse(started["progress"].as_str().unwrap()).await
}

/// Waits for the last event and returns what it says.
async fn ended(stream: &mut Sse) -> Value {
    let mut text = stream.until("event: ended\ndata: ").await.to_owned();
    while !text.ends_with("\n\n") {
        assert!(stream.more().await.unwrap() > 0);
        text.clone_from(&stream.text);
    }
    let data = text.split("event: ended\ndata: ").nth(1).unwrap().lines().next().unwrap();
    serde_json::from_str(data).unwrap()
}

#[tokio::test]
async fn runs_are_listed_newest_first_and_nothing_else_is() {
    let results = TempDir::new().unwrap();
    let server = server(results.path(), None).await;
    assert_eq!(server.get("/results/runs").await.json(), serde_json::json!([]));
    write_run(&results.path().join("2026-01-01T00-00-00Z"), "2026-01-01T00:00:00Z");
    write_run(&results.path().join("reference"), "2026-02-01T00:00:00Z");
    fs::write(results.path().join("reference/report.html"), "<p>").unwrap();
    std::os::unix::fs::symlink("reference", results.path().join("latest")).unwrap();
    fs::create_dir(results.path().join("empty")).unwrap();
    fs::write(results.path().join("README.md"), "x").unwrap();
    let runs = server.get("/results/runs").await.json();
    let stamps: Vec<_> = runs.as_array().unwrap().iter().map(|run| run["stamp"].as_str().unwrap()).collect();
    assert_eq!(stamps, ["reference", "2026-01-01T00-00-00Z"]);
    assert_eq!(runs[0]["report"], "/results/reference/report.html");
    assert_eq!(runs[1]["report"], Value::Null);
    assert_eq!((&runs[0]["profile"], &runs[0]["planned"]["latency"]), (&"quick".into(), &2.into()));
}

#[tokio::test]
async fn a_report_is_shown_by_itself_and_nothing_outside_of_the_results() {
    let folder = TempDir::new().unwrap();
    let results = folder.path().join("results");
    write_run(&results.join("a"), "2026-01-01T00:00:00Z");
    fs::create_dir(results.join("a/latency")).unwrap();
    fs::write(results.join("a/report.html"), "<script>alert(1)</script>").unwrap();
    fs::write(results.join("a/latency/chart.svg"), "<svg/>").unwrap();
    fs::write(results.join("a/.hidden.json"), "secret").unwrap();
    fs::write(results.join("a/key.pem"), "secret").unwrap();
    fs::write(folder.path().join("outside.json"), "secret").unwrap();
    std::os::unix::fs::symlink("../../outside.json", results.join("a/link.json")).unwrap();
    std::os::unix::fs::symlink("a", results.join("latest")).unwrap();
    let server = server(&results, None).await;
    for stamp in ["a", "latest"] {
        let report = server.get(&format!("/results/{stamp}/report.html")).await;
        assert_eq!(report.headers["content-type"], "text/html; charset=utf-8");
        let policy = &report.headers["content-security-policy"];
        assert!(
            policy.starts_with("default-src 'none'; style-src 'unsafe-inline'; img-src data:"),
            "{policy}"
        );
        assert!(policy.ends_with("sandbox"), "{policy}");
    }
    assert_eq!(server.get("/results/a/latency/chart.svg").await.headers["content-type"], "image/svg+xml");
    for path in [
        "/results/a/link.json",
        "/results/a/.hidden.json",
        "/results/a/key.pem",
        "/results/a/nothing.html",
        "/results/a/latency",
        "/results/../outside.json",
        "/results/a/../../outside.json",
        "/results/a/%2e%2e/%2e%2e/outside.json",
        "/results/%2e%2e/outside.json",
        "/results/a/..%2f..%2foutside.json",
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
        assert!(!answer.body.contains("secret"));
    }
}

#[tokio::test]
async fn an_experiment_runs_one_at_a_time_and_tells_how_far_it_is() {
    let folder = TempDir::new().unwrap();
    let results = folder.path().join("results");
    // It goes on once the test has asked for a second run.
    let does = r#"
        mkdir -p "$out/$name"
        printf '{"planned":{"%s":2}}' "$name" > "$out/manifest.json"
        echo "note: <b>$name</b>" >&2
        echo '{}' > "$out/$name/runs.jsonl"
        while [ ! -e "$out/../../go" ]; do sleep 0.05; done
        echo '{}' >> "$out/$name/runs.jsonl"
        printf 'report: here'"#;
    let program = program(folder.path(), does);
    let server = server(&results, Some(&program)).await;
    assert_eq!(server.get("/results/run").await.json()["running"], Value::Null);
    let started = start(&server).await;
    let stamp = started["running"]["stamp"].as_str().unwrap();
    let mut stream = listen(&server, &started).await;
    stream.until("event: line\ndata: note: <b>latency</b>\n\n").await;
    stream.until("event: progress\ndata: {\"planned\":2,\"recorded\":1}").await;
    let second = server.post("/results/run", "{\"experiment\":\"bandwidth\"}").await;
    assert_eq!(second.status, 409);
    assert!(second.error().contains("latency"));
    assert_eq!(server.get("/results/run").await.json()["running"]["experiment"], "latency");
    fs::write(folder.path().join("go"), "").unwrap();
    let end = ended(&mut stream).await;
    assert_eq!((&end["how"], &end["code"], &end["stamp"]), (&"finished".into(), &0.into(), &stamp.into()));
    assert!(stream.text.contains("event: progress\ndata: {\"planned\":2,\"recorded\":2}"));
    assert!(stream.text.contains("event: line\ndata: report: here\n\n"));
    assert_eq!(server.get("/results/run").await.json()["running"], Value::Null);
    assert_eq!(fs::read_link(results.join("latest")).unwrap(), Path::new(stamp));
    start(&server).await;
}

#[tokio::test]
async fn a_cancelled_experiment_is_interrupted_as_by_ctrl_c() {
    let folder = TempDir::new().unwrap();
    let does = "trap 'echo interrupted; exit 1' INT; echo ready; while :; do sleep 0.05; done";
    let program = program(folder.path(), does);
    let server = server(&folder.path().join("results"), Some(&program)).await;
    assert_eq!(server.ask("DELETE /results/run", "").await.status, 204, "also where nothing runs");
    let started = start(&server).await;
    let mut stream = listen(&server, &started).await;
    stream.until("data: ready\n\n").await;
    assert_eq!(server.ask("DELETE /results/run", "").await.status, 204);
    let end = ended(&mut stream).await;
    assert_eq!((&end["how"], &end["code"]), (&"cancelled".into(), &1.into()));
    assert!(stream.text.contains("data: interrupted\n\n"));
}

#[tokio::test]
async fn the_servers_end_ends_the_experiment() {
    let folder = TempDir::new().unwrap();
    let does = r#"trap '' INT TERM; echo $$ > "$out/../../id.new"; mv "$out/../../id.new" "$out/../../id"; while :; do sleep 0.05; done"#;
    let results = folder.path().join("results");
    fs::create_dir_all(&results).unwrap();
    let program = program(folder.path(), &does.replace("echo $$", "mkdir -p \"$out\"; echo $$"));
    let server = server(&results, Some(&program)).await;
    start(&server).await;
    let id = patiently(async {
        loop {
            if let Ok(id) = fs::read_to_string(folder.path().join("id")) {
                break id.trim().to_owned();
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await;
    server.shutdown.cancel();
    patiently(server.running).await.unwrap().unwrap();
    let alive = std::process::Command::new("kill").args(["-0", &id]).output().unwrap();
    assert!(!alive.status.success(), "it is gone when the server is");
}

#[tokio::test]
async fn the_real_program_is_understood_also_when_it_refuses() {
    let folder = TempDir::new().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_experiment"));
    let server = server(&folder.path().join("results"), Some(program)).await;
    let answer = server.post("/results/run", "{\"experiment\":\"no-such-experiment\"}").await;
    assert_eq!(answer.status, 202);
    let mut stream = listen(&server, &answer.json()).await;
    let end = ended(&mut stream).await;
    assert_eq!((&end["how"], &end["code"]), (&"failed".into(), &2.into()), "{}", stream.text);
    assert!(stream.text.contains("no-such-experiment"));
}

#[tokio::test]
async fn what_can_not_be_started_is_said() {
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("experiment");
    let with_missing = server(folder.path(), Some(&missing)).await;
    let answer = with_missing.post("/results/run", "{\"experiment\":\"latency\"}").await;
    assert_eq!(answer.status, 503);
    assert!(answer.error().contains("could not be started"), "{answer:?}");
    assert_eq!(with_missing.get("/results/run").await.json()["running"], Value::Null);
    let beside = server(folder.path(), None).await;
    let answer = beside.post("/results/run", "{\"experiment\":\"latency\"}").await;
    assert!(
        answer.error().contains("cargo build --bins"),
        "a test has no such program beside it: {answer:?}"
    );
    for bad in [
        "{\"experiment\":\"--out\"}",
        "{\"experiment\":\"../x\"}",
        "{}",
        "{\"experiment\":\"a\",\"transport\":\"pigeon\"}",
    ] {
        assert_eq!(beside.post("/results/run", bad).await.status, 400, "{bad}");
    }
    assert_eq!(beside.ask("POST /results/run\nOrigin: http://evil.example", "").await.status, 403);
}
