//! The README's commands work as pasted.

mod readers;

use std::process::Command;

use pushlab::server::Config;
use readers::Server;

/// The README's `curl` lines, with a port of our own.
fn curl_lines(address: &str) -> Vec<String> {
    let readme = include_str!("../README.md");
    let mut lines = Vec::new();
    let mut shell = false;
    for line in readme.lines() {
        match line.strip_prefix("```") {
            Some(language) => shell = language == "sh",
            None if shell && line.starts_with("curl ") => lines.push(line.replace("127.0.0.1:3000", address)),
            None => {}
        }
    }
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn every_curl_line_gets_an_answer() {
    if Command::new("curl").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "curl is missing: install it");
        eprintln!("NOT RUN: curl is missing: install it");
        return;
    }
    let server = Server::start(Config::default()).await;
    let lines = curl_lines(&server.address.to_string());
    assert!(lines.len() >= 9, "{lines:?}");
    for line in lines {
        // Streams don't end: what has come after two seconds must do, and curl then says 28.
        let command =
            line.replacen("curl ", "curl --silent --show-error --max-time 2 --write-out '%{http_code}' ", 1);
        let asking = tokio::task::spawn_blocking(move || Command::new("sh").args(["-c", &command]).output());
        let output = asking.await.expect("no panic").expect("a shell");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let said = format!("{line}: {text} {}", String::from_utf8_lossy(&output.stderr));
        let ended_well =
            output.status.success() || (line.contains("curl -N") && output.status.code() == Some(28));
        assert!(ended_well, "{said}");
        assert!(["200", "201", "204"].iter().any(|good| text.ends_with(good)), "{said}");
    }
}
