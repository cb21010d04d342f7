//! `experiment verify bytes`, as users call it.

#![allow(clippy::unwrap_used, reason = "a test that panics has said so")]

use std::process::{Command, Output};

fn verify(path: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_experiment"));
    command.args(["verify", "bytes"]);
    if let Some(path) = path {
        command.env("PATH", path);
    }
    command.output().unwrap()
}

#[test]
fn every_transport_is_counted_as_a_capture_sees_it() {
    let output = verify(None);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.code() == Some(2) {
        // Nothing was verified, and that is said; what must be verified is verified where CI runs the word
        // itself and takes nothing but 0.
        assert!(err.contains("tcpdump") || err.contains("count segments"), "{err}");
        return;
    }
    assert!(output.status.success(), "{out}{err}");
    let rows = |transport: &str| out.lines().filter(|line| line.starts_with(transport)).count();
    for transport in ["short-poll", "long-poll", "sse", "websocket", "tcp-floor"] {
        assert_eq!(rows(transport), 6, "{out}");
    }
    assert!(out.lines().all(|line| line.chars().count() <= 100), "{out}");
    assert!(out.contains("0 differ"), "{out}");
}

#[test]
fn without_a_capture_tool_it_names_the_package_and_does_not_pass() {
    let empty = tempfile::tempdir().unwrap();
    let output = verify(Some(empty.path().to_str().unwrap()));
    assert_eq!(output.status.code(), Some(2));
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(err.contains("install the package tcpdump or tshark"), "{err}");
}
