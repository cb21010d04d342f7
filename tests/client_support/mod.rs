//! A server whose every byte is scripted, and an observer that writes down what it is told.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    future::Future,
    net::SocketAddr,
    ops::ControlFlow,
    sync::{Arc, atomic::AtomicUsize, atomic::Ordering::SeqCst},
    time::Duration,
};

use pushlab::{
    client::{Context, End, Observation, Observer, Policy, Reconnect, Subscriber, Subscription, subscriber},
    clock::{Clock, Timestamp},
    link::{Meter, Totals},
    transport::Transport,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// Long enough for any machine; no test is meant to take it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A server that gives each connection, numbered from 0, to a script.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start<F>(script: impl Fn(usize, Conversation) -> F + Send + 'static) -> Server
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut conversations = tokio::task::JoinSet::new();
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                conversations.spawn(script(number, Conversation { stream }));
            }
        });
        Server { addr, task }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The server's end of a connection.
pub(crate) struct Conversation {
    pub(crate) stream: TcpStream,
}

impl Conversation {
    /// The next request's head; empty where the client has ended.
    pub(crate) async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match self.stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return String::new(),
            }
        }
        String::from_utf8(head).unwrap()
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // A client that is gone is the test's business and not the script's.
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// A whole answer with its length.
    pub(crate) async fn answer(&mut self, status: &str, headers: &str, body: &str) {
        let length = body.len();
        self.send(format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}")).await;
    }

    /// An event stream that has begun; it ends with its connection.
    pub(crate) async fn event_stream(&mut self, body: &str) {
        self.send(format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{body}")).await;
    }

    /// Stays until the client ends.
    pub(crate) async fn linger(&mut self) {
        while matches!(self.stream.read(&mut [0; 1024]).await, Ok(1..)) {}
    }

    pub(crate) fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }
}

/// Writes observations down, a line each, and stops at the first that `until` holds for.
pub(crate) struct Recorder<U> {
    pub(crate) lines: Vec<String>,
    until: U,
}

impl<U: FnMut(&str) -> bool + Send> Observer for Recorder<U> {
    fn observe(&mut self, _at: Timestamp, observation: &Observation<'_>) -> ControlFlow<()> {
        let line = match observation {
            Observation::Connecting { attempt } => format!("connecting {attempt}"),
            Observation::Open => "open".to_owned(),
            Observation::Event { id, kind, data } => format!("event {} {kind} {data:?}", id.unwrap_or("-")),
            Observation::Gap(gap) => format!("gap {:?} {:?}", gap.missed, gap.reason),
            Observation::Closed { cause } => format!("closed: {cause}"),
            Observation::Retrying { after } => format!("retrying {}", after.as_millis()),
        };
        let stop = (self.until)(&line);
        self.lines.push(line);
        if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// What a subscription saw, how it ended, and what it cost.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) lines: Vec<String>,
    pub(crate) end: End,
    pub(crate) totals: Totals,
}

pub(crate) fn context() -> Context {
    Context {
        clock: Clock::start(),
        meter: Arc::new(Meter::default()),
        stop: CancellationToken::new(),
        seed: 1,
    }
}

/// In the test program `client_plain` streams are read in the plain way.
pub(crate) fn subscription(url: impl AsRef<str>, policy: Policy) -> Subscription {
    let mut subscription =
        Subscription { url: url.as_ref().parse().unwrap(), after: None, policy, dialect: None };
    subscription.policy.plain = env!("CARGO_CRATE_NAME") == "client_plain";
    subscription
}

pub(crate) fn fixed(millis: u64) -> Policy {
    Policy { reconnect: Reconnect::Fixed(Duration::from_millis(millis)), ..Policy::default() }
}

pub(crate) async fn read(
    transport: Transport,
    subscription: Subscription,
    until: impl FnMut(&str) -> bool + Send,
) -> Seen {
    run(subscriber(transport, subscription), context(), until).await
}

pub(crate) async fn run(
    subscriber: Box<dyn Subscriber>,
    context: Context,
    until: impl FnMut(&str) -> bool + Send,
) -> Seen {
    let mut recorder = Recorder { lines: Vec::new(), until };
    let meter = Arc::clone(&context.meter);
    let end = tokio::time::timeout(PATIENCE, subscriber.run(context, &mut recorder))
        .await
        .unwrap_or_else(|_| panic!("nothing came to an end"));
    Seen { lines: recorder.lines, end, totals: meter.totals() }
}

/// Holds at the `n`th line for which `matches` holds.
pub(crate) fn nth(n: usize, matches: impl Fn(&str) -> bool + Send) -> impl FnMut(&str) -> bool + Send {
    let count = AtomicUsize::new(0);
    move |line| matches(line) && count.fetch_add(1, SeqCst) + 1 == n
}

pub(crate) fn is_event(line: &str) -> bool {
    line.starts_with("event")
}

/// A request's header.
pub(crate) fn header(head: &str, name: &str) -> Option<String> {
    let (_, value) = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(field, _)| field.eq_ignore_ascii_case(name))?;
    Some(value.to_owned())
}
