//! `kill -9` between any two events: every client that reconnects has all events, or an explicit gap.

mod readers;

use std::{
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
};

use pushlab::{event::GapReason, harness::control::Control, transport::Transport};
use readers::{eager, read_with, url};

/// The server program, killed when it is dropped.
struct Program(Child);

impl Program {
    /// Starts it on a port and waits until it answers.
    fn start(address: SocketAddr) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_server"))
            .args(["--listen", &address.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        assert_eq!(line, format!("listening on http://{address}\n"));
        Program(child)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SIGKILL on Unix: no drain, no goodbye.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that is free now, and that the server can have again and again.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound")
}

/// Publishes numbers until each is acknowledged, and returns their ids.
async fn publish(control: &Control, numbers: std::ops::RangeInclusive<u64>) -> Vec<String> {
    let mut ids = Vec::new();
    for number in numbers {
        ids.push(control.publish("c", number.to_string()).await.expect("acknowledged"));
    }
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_event_it_falls_between() {
    const BEFORE: u64 = 4;
    const AFTER: u64 = 3;
    for transport in Transport::ALL {
        // After none, one, …, all of the events of the first life.
        for killed_after in 0..=BEFORE {
            let address = free_address();
            let program = Program::start(address);
            let control = Control::new(url(address, ""));
            // It knows its place from the beginning: who is cut off before it was told one begins anew.
            let place = control.head("c").await.expect("a cursor").to_string();
            let reader = read_with(transport, address, "c", Some(&place), eager(), None);
            reader.opened().await;
            let first_ids = publish(&control, 1..=killed_after).await;
            drop(program);

            let program = Program::start(address);
            let second_ids = publish(&control, killed_after + 1..=killed_after + AFTER).await;
            // The reader may be back before or after these; it must account for them either way.
            let last = (killed_after + AFTER).to_string();
            let came = |seen: &readers::Seen| seen.events.last().is_some_and(|(_, data)| *data == last);
            let what = format!("the last event came by {transport}, killed after {killed_after}");
            let seen = reader.until(&what, came).await;

            let case = format!("{transport}, killed after {killed_after}: {seen:?}");
            let (old, new): (Vec<_>, Vec<_>) =
                seen.ids().into_iter().partition(|id| first_ids.iter().any(|old| old == id));
            assert!(
                first_ids.iter().map(String::as_str).take(old.len()).eq(old.iter().copied()),
                "in order, once: {case}"
            );
            assert_eq!(new, second_ids, "all of the second life, in order, once: {case}");
            assert_eq!(seen.gaps.len(), 1, "the lost history is announced, once: {case}");
            assert_eq!(seen.gaps[0].reason, GapReason::Restarted, "{case}");
            assert_eq!(seen.gap_at[0], old.len(), "before the events that are still there: {case}");
            drop(program);
        }
    }
}
