//! Clients that are not ours read the same events with the same ids.
//!
//! They come from npm (`npm ci --prefix tests/third_party`). Where they are missing, the test says so and
//! passes, unless `PUSHLAB_REQUIRE_THIRD_PARTY=1` demands them, as CI does.

mod readers;

use std::{path::Path, process::Command};

use pushlab::{event::Draft, server::Config};
use readers::Server;
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn they_all_read_the_same_events_with_the_same_ids() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/third_party");
    if !folder.join("node_modules/ws").is_dir() {
        let demanded = std::env::var("PUSHLAB_REQUIRE_THIRD_PARTY").is_ok_and(|value| value == "1");
        assert!(!demanded, "third-party clients are missing: run `npm ci --prefix tests/third_party`");
        eprintln!("NOT RUN: third-party clients are missing: run `npm ci --prefix tests/third_party`");
        return;
    }
    let server = Server::start(Config::default()).await;
    let channel = server.channel("c");
    let cursor = channel.head().to_string();
    let mut published = Vec::new();
    for (kind, data) in [
        (None, "plain"),
        (Some("tick"), "with a type"),
        (None, "two\nlines"),
        (None, ""),
        (None, " 🦀 <b>&amp;</b> \u{feff}"),
    ] {
        let draft = Draft::new(kind, data).expect("a good type");
        let id = channel.publish(draft).expect("fits").to_string();
        published.push(serde_json::json!({"id": id, "type": kind.unwrap_or("message"), "data": data}));
    }
    let base = format!("http://{}", server.address);
    let count = published.len().to_string();
    let reading = tokio::task::spawn_blocking(move || {
        Command::new("node").arg(folder.join("read.mjs")).args([&base, "c", &cursor, &count]).output()
    });
    let output = tokio::time::timeout(readers::PATIENCE, reading).await.expect("in time").expect("no panic");
    let output = output.expect("node is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen: serde_json::Map<String, Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(seen.len(), 4);
    for (client, events) in seen {
        assert_eq!(events, Value::Array(published.clone()), "{client}");
    }
}
