//! The page of results, in a real browser: a run is started, followed by the transport of one's choice,
//! cancelled, and its report linked.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod browser;
mod support;

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use browser::Browser;
use pushlab::{server::Config, transport::Transport};
use serde_json::json;
use support::Server;
use tempfile::TempDir;

/// A program that stands for `experiment`: it plans four runs, records one whenever a file lets it go on, and
/// draws its report, also when it is interrupted.
const PROGRAM: &str = r#"#!/bin/sh
out=$6
mkdir -p "$out/$2"
cat > "$out/manifest.json" <<END
{"started":"2026-01-01T00:00:00Z","finished":null,"profile":"quick","target":"built-in","planned":{"$2":4},"git_revision":null}
END
finish() { echo '<p>the report</p>' > "$out/report.html"; exit $1; }
trap 'echo interrupted; finish 1' INT
for run in 1 2 3 4; do
  while [ ! -e "$0.go-$run" ]; do sleep 0.05; done
  echo '{}' >> "$out/$2/runs.jsonl"
  echo "run $run is <b>done</b>"
done
finish 0
"#;

fn program(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("experiment");
    fs::write(&path, PROGRAM).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Presses the button until a run is on: another test's child may hold our script open for the moment between
/// its fork and its exec.
async fn start(browser: &Browser) {
    loop {
        browser
            .run(
                "document.querySelector('[data-field=told]').textContent = '';\
                 document.querySelector('form').requestSubmit();",
            )
            .await;
        browser.until(&format!("{TOLD} !== ''")).await;
        if browser.value("document.body.dataset.run").await == "on" {
            // What was refused so far is no complaint about the page.
            browser.complaints().await;
            return;
        }
    }
}

const TOLD: &str = "document.querySelector('[data-field=told]').textContent";

#[tokio::test]
async fn a_run_is_started_followed_by_each_transport_and_its_report_linked() {
    let Some(browser) = Browser::start("a run from the page of results").await else { return };
    let folder = TempDir::new().unwrap();
    let results = folder.path().join("results");
    let path = program(folder.path());
    let config =
        Config { results: results.clone(), experiment_program: Some(path.clone()), ..Config::default() };
    let server = Server::start(config).await;
    let go = |run: u32| fs::write(format!("{}.go-{run}", path.display()), "").unwrap();
    let choose = |transport: Transport| {
        format!(
            "const choice = document.querySelector('[name=transport]'); choice.value = '{transport}';\
             choice.dispatchEvent(new Event('change'));"
        )
    };
    let url = format!("http://{}/results?lang=en", server.address);
    browser.open(&url).await;
    browser.until("!document.querySelector('[data-field=none]').hidden").await;
    assert_eq!(browser.value("document.querySelector('[data-do=cancel]').disabled").await, true);
    start(&browser).await;
    // Each run is told by another transport, chosen while it goes on.
    for (run, transport) in (1_u32..).zip(Transport::ALL) {
        browser.run(&choose(transport)).await;
        if run == 3 {
            // A page that comes late hears of the run that is on.
            browser.open(&url).await;
            assert_eq!(browser.value("document.body.dataset.run").await, "on");
            assert_eq!(browser.value("document.querySelector('form button').disabled").await, true);
        }
        go(run);
        browser.until(&format!("document.querySelector('progress').value === {run}")).await;
        let line = format!(
            "document.querySelector('[data-list=lines]').textContent.includes('run {run} is <b>done</b>')"
        );
        browser.until(&line).await;
    }
    browser.until("!document.querySelector('[data-field=report]').hidden").await;
    assert_eq!(browser.value(TOLD).await, "latency is finished.");
    let report = browser.value("document.querySelector('[data-field=report]').href").await;
    assert_eq!(browser.value("document.querySelector('[data-list=runs] a').href").await, report);
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.client.goto(report.as_str().unwrap()).await.unwrap();
    browser.until("document.body.textContent.includes('the report')").await;
    browser.end().await;
}

#[tokio::test]
async fn a_run_is_cancelled_and_what_it_has_is_kept() {
    let Some(browser) = Browser::start("a run is cancelled").await else { return };
    let folder = TempDir::new().unwrap();
    let path = program(folder.path());
    let config = Config {
        results: folder.path().join("results"),
        experiment_program: Some(path.clone()),
        ..Config::default()
    };
    let server = Server::start(config).await;
    browser.open(&format!("http://{}/results?lang=en", server.address)).await;
    start(&browser).await;
    fs::write(format!("{}.go-1", path.display()), "").unwrap();
    browser.until("document.querySelector('progress').value === 1").await;
    // One at a time, whoever asks.
    let second = server.post("/results/run", &json!({"experiment": "bandwidth"}).to_string()).await;
    assert_eq!(second.status, 409);
    browser.run("document.querySelector('[data-do=cancel]').click();").await;
    browser.until(&format!("{TOLD} === 'latency was cancelled.'")).await;
    browser.until("!document.querySelector('[data-field=report]').hidden").await;
    assert_eq!(browser.value("document.querySelector('form button').disabled").await, false);
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.end().await;
}
