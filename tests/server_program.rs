//! The program `server`: its lines, its signals, its exit status.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod support;

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use support::{patiently, send};
use tokio::{io::AsyncReadExt as _, net::TcpStream};

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).env_remove("RUST_LOG");
    command
}

/// A running server, which does not outlive its test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(arguments: &[&str]) -> (Program, SocketAddr) {
    announced(command().args(["--listen", "127.0.0.1:0"]).args(arguments).spawn().unwrap())
}

/// Waits until a server has said where it listens.
fn announced(mut child: Child) -> (Program, SocketAddr) {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let address = line.strip_prefix("listening on http://").unwrap().trim_end().parse().unwrap();
    (Program(child), address)
}

fn run(arguments: &[&str]) -> Output {
    command().args(arguments).output().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_drains_hundreds_of_streams_within_two_seconds() {
    for signal in ["INT", "TERM"] {
        let (mut program, address) = start(&[]);
        let mut streams = Vec::new();
        for index in 0..300 {
            let mut tcp = TcpStream::connect(address).await.unwrap();
            let upgrade = "Connection: upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==";
            let head = match index % 3 {
                0 => "GET /channels/a/sse".to_owned(),
                1 => format!("GET /channels/a/websocket\n{upgrade}"),
                _ => "GET /dates".to_owned(),
            };
            send(&mut tcp, address, &head, "").await;
            assert!(patiently(tcp.read(&mut [0; 1024])).await.unwrap() > 0);
            streams.push(tcp);
        }
        let sent_at = std::time::Instant::now();
        let id = program.0.id().to_string();
        assert!(Command::new("kill").args([format!("-{signal}"), id]).status().unwrap().success());
        let child = &mut program.0;
        let status = patiently(async {
            loop {
                match child.try_wait().unwrap() {
                    Some(status) => break status,
                    None => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        })
        .await;
        assert_eq!(status.code(), Some(0), "{signal}");
        assert!(sent_at.elapsed() < Duration::from_secs(2), "{signal}: took {:?}", sent_at.elapsed());
        let mut rest = String::new();
        child.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "the address stands alone on standard output");
        for mut tcp in streams {
            patiently(tcp.read_to_end(&mut Vec::new())).await.unwrap();
        }
    }
}

#[test]
fn a_port_in_use_is_named_with_the_next_step() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let held = TcpListener::bind(taken).unwrap();
    let output = run(&["--listen", &taken.to_string()]);
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains(&taken.port().to_string()) && error.contains("--listen"), "{error}");
    assert!(output.stdout.is_empty());
    drop(held);
}

#[test]
fn bad_usage_is_status_2() {
    for arguments in [
        &["--listen", "nowhere"][..],
        &["--max-connections", "0"],
        &["--heartbeat", "x"],
        &["--log-level", "a=b=c"],
        &["--nonsense"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{arguments:?}");
    }
}

#[tokio::test]
async fn its_flags_reach_the_server() {
    let (_program, address) = start(&["--max-connections", "1", "--host", "lab.example"]);
    let mut first = TcpStream::connect(address).await.unwrap();
    send(&mut first, address, "GET /healthz\nHost: lab.example", "").await;
    assert_eq!(support::read_answer(&mut first).await.unwrap().status, 200);
    let mut second = TcpStream::connect(address).await.unwrap();
    assert_eq!(support::read_answer(&mut second).await.unwrap().status, 503);
}

#[tokio::test]
async fn at_the_limit_of_open_files_it_refuses_and_goes_on() {
    // The reserve of 128 is taken off: 22 connections are left.
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 150; exec \"$0\" --listen 127.0.0.1:0", env!("CARGO_BIN_EXE_server")]);
    let (_program, address) = announced(limited.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap());
    let mut held = Vec::new();
    let mut refused = 0;
    for _ in 0..60 {
        let mut tcp = TcpStream::connect(address).await.unwrap();
        send(&mut tcp, address, "GET /healthz", "").await;
        match support::read_answer(&mut tcp).await.unwrap().status {
            200 => held.push(tcp),
            503 => refused += 1,
            other => panic!("status {other}"),
        }
    }
    assert_eq!((held.len(), refused), (22, 38));
    held.clear();
    patiently(async {
        loop {
            let mut tcp = TcpStream::connect(address).await.unwrap();
            send(&mut tcp, address, "GET /healthz", "").await;
            if support::read_answer(&mut tcp).await.unwrap().status == 200 {
                break;
            }
        }
    })
    .await;
}

#[test]
fn completions_are_printed() {
    let output = run(&["--completions", "bash"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stdout).unwrap().contains("--max-connections"));
}

#[tokio::test]
async fn bound_elsewhere_it_tells_a_token_on_standard_error_and_only_the_address_on_standard_output() {
    let mut child = command().args(["--listen", "0.0.0.0:0"]).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let (program, address) = announced(child);
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    let (url, token) = line.trim_end().split_once("/?token=").unwrap();
    assert_eq!(url, format!("to change anything, open http://127.0.0.1:{}", address.port()));
    let local = SocketAddr::from(([127, 0, 0, 1], address.port()));
    for (query, status) in [(String::new(), "401"), (format!("?token={token}"), "201")] {
        let head = format!("POST /channels/a/events{query}\nContent-Type: text/plain\nConnection: close");
        let answer = ask(local, &head, "x").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    assert!(ask(local, "GET /origins\nConnection: close", "").await.ends_with("{\"second\":null}"));
    drop(program);
}

#[tokio::test]
async fn on_the_loopback_it_needs_no_token_and_has_a_second_origin() {
    let (_program, address) = start(&[]);
    let head = "POST /channels/a/events\nContent-Type: text/plain\nConnection: close";
    assert!(ask(address, head, "x").await.starts_with("HTTP/1.1 201 "));
    let origins = ask(address, "GET /origins\nConnection: close", "").await;
    let second = origins.split("{\"second\":\"http://").nth(1).unwrap().trim_end_matches("\"}");
    let answer = ask(second.parse().unwrap(), "GET /healthz\nConnection: close", "").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[test]
fn a_weak_token_and_a_strange_origin_are_bad_usage() {
    for arguments in [["--token", "short"], ["--allow-origin", "lab.example"]] {
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("use ") && said.contains(arguments[1]), "{said}");
    }
}

async fn ask(address: SocketAddr, head: &str, body: &str) -> String {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    send(&mut tcp, address, head, body).await;
    let mut answer = String::new();
    patiently(tcp.read_to_string(&mut answer)).await.unwrap();
    answer
}
