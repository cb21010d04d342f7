//! A server in a process of its own, and a crowd of readers that cost next to nothing: what the benches of
//! the server share.
//!
//! The bench's program starts itself again as the server, so that the server's CPU time and memory are its
//! own. Both are counted as the kernel counts them for a process.

// Each bench is a crate of its own and uses what it needs.
#![allow(dead_code, unreachable_pub)]

mod mark;
mod reader;

use std::{
    cell::RefCell,
    env, fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    rc::Rc,
    time::Duration,
};

use pushlab::{
    clock::Clock,
    event::Draft,
    feed::{Channel, Limits},
    harness::process,
    server::{self, Config, State},
};
use tokio::{
    runtime::Runtime,
    task::{JoinSet, LocalSet},
};
use tokio_util::sync::CancellationToken;

pub use self::{
    mark::PAYLOAD,
    reader::{Look, Seen, Way},
};
use self::{mark::data, reader::Reader};

const SERVE: &str = "PUSHLAB_BENCH_SERVES";
const PLAIN: &str = "plain";

/// Whether a bench's arguments name a way.
pub fn is_named(words: &[String], way: Way) -> bool {
    words.iter().any(|word| word == way.name())
}

/// The ways that a bench's arguments name, or all of them.
pub fn named(words: &[String], all: &[Way]) -> Vec<Way> {
    let named: Vec<Way> = all.iter().copied().filter(|way| is_named(words, *way)).collect();
    if named.is_empty() { all.to_vec() } else { named }
}

/// Serves, if this process was started to; does not return then.
pub fn serve_if_asked() {
    let Ok(how) = env::var(SERVE) else { return };
    Runtime::new().expect("a runtime").block_on(serve(how == PLAIN));
    std::process::exit(0);
}

/// Takes orders by the line: `publish CHANNEL EVENTS PER_SECOND`, answered once the last has been published.
async fn serve(plain: bool) {
    server::max_connections();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let (http, floor) = (server::bind(any).expect("a port"), server::bind(any).expect("a port"));
    let config = Config {
        plain,
        max_connections: 18_000,
        readers_per_channel: 18_000,
        hosts: vec!["lab".to_owned()],
        // Whoever is behind for a moment is not to miss anything: it is losses that are counted.
        feed: Limits { events_per_channel: 100_000, bytes_per_channel: 64 << 20, ..Limits::default() },
        ..Config::default()
    };
    let clock = Clock::inherited();
    let state = State::new(config, clock);
    println!("{} {}", http.local_addr().expect("bound"), floor.local_addr().expect("bound"));
    let shutdown = CancellationToken::new();
    tokio::spawn(server::floor::run(floor, state.feed().clone(), shutdown.clone()));
    tokio::spawn(server::run(http, state.clone(), shutdown.clone()));
    let orders = std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let words: Vec<&str> = line.split(' ').collect();
            let ["publish", channel, events, rate] = words.as_slice() else { continue };
            let channel = state.feed().channel(&channel.parse().expect("a good name")).expect("room");
            let (events, rate) = (events.parse().expect("a number"), rate.parse().expect("a rate"));
            std::thread::spawn(move || {
                publish(&channel, events, rate, clock);
                println!("published");
            });
        }
    });
    let _ = tokio::task::spawn_blocking(move || orders.join()).await;
    shutdown.cancel();
}

/// Publishes events on an intended schedule, whatever the server does meanwhile. They carry the numbers that
/// the channel gives them, and the times at which they are due.
fn publish(channel: &Channel, events: u64, rate: f64, clock: Clock) {
    let (start, first) = (clock.now(), channel.head().sequence);
    for event in 1..=events {
        let due = start + Duration::from_secs_f64(event as f64 / rate);
        std::thread::sleep(due.since(clock.now()));
        channel.publish(Draft::message(data(first + event, due))).expect("fits");
    }
}

/// The server's process.
pub struct Site {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    http: SocketAddr,
    floor: SocketAddr,
    pub clock: Clock,
    /// How many events each channel has by now.
    published: std::collections::HashMap<String, u64>,
}

impl Site {
    pub fn start(plain: bool) -> Self {
        let clock = Clock::start();
        let mut child = Command::new(env::current_exe().expect("this program"))
            .env(SERVE, if plain { PLAIN } else { "handover" })
            .env(Clock::ANCHOR_VARIABLE, clock.anchor_ns().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts again");
        let orders = child.stdin.take().expect("piped");
        let mut answers = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        answers.read_line(&mut line).expect("an answer");
        let (http, floor) = line.trim().split_once(' ').expect("two addresses");
        let (http, floor) = (http.parse().expect("one"), floor.parse().expect("one"));
        Site { child, orders, answers, http, floor, clock, published: Default::default() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn address(&self, way: Way) -> SocketAddr {
        if way == Way::Floor { self.floor } else { self.http }
    }

    pub fn cpu(&self) -> Duration {
        process::usage(self.pid()).cpu.expect("this system tells")
    }

    pub fn rss_kib(&self) -> u64 {
        process::usage(self.pid()).rss_kib.expect("this system tells")
    }

    /// How many files and sockets the server has open, where the system tells.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).map_or(0, Iterator::count)
    }

    /// How long each of the server's threads ran, by their ids.
    pub fn threads(&self) -> Vec<(u32, Duration)> {
        let Ok(tasks) = fs::read_dir(format!("/proc/{}/task", self.pid())) else { return Vec::new() };
        let one = |task: fs::DirEntry| {
            let id = task.file_name().to_str()?.parse().ok()?;
            let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
            let nanos = text.split(' ').next()?.parse().ok()?;
            Some((id, Duration::from_nanos(nanos)))
        };
        tasks.filter_map(|task| one(task.ok()?)).collect()
    }

    /// Publishes so many events at a rate, and gives the number of the last; `published` waits until it is
    /// done.
    pub fn publish(&mut self, channel: &str, events: u64, rate: f64) -> u64 {
        writeln!(self.orders, "publish {channel} {events} {rate}").expect("the server reads");
        let published = self.published.entry(channel.to_owned()).or_default();
        *published += events;
        *published
    }

    pub fn published(&mut self) {
        self.answers.read_line(&mut String::new()).expect("the server answers");
    }

    /// Starts the server's own source on a channel.
    pub fn start_source(&self, channel: &str, rate: f64) {
        let body = format!(r#"{{"rate":{rate},"payload_bytes":{PAYLOAD},"pattern":"steady"}}"#);
        let request = format!(
            "PUT /channels/{channel}/source HTTP/1.1\r\nhost: lab\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut tcp = std::net::TcpStream::connect(self.http).expect("connects");
        tcp.write_all(request.as_bytes()).expect("writes");
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).expect("answers");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Readers that have been told that they read.
pub struct Crowd {
    readers: Vec<Reader>,
}

impl Crowd {
    /// Opens so many on a channel, a few hundred at a time.
    pub async fn open(site: &Site, way: Way, channel: &str, count: usize) -> Self {
        let address = site.address(way);
        let mut readers = Vec::with_capacity(count);
        while readers.len() < count {
            let mut opening = JoinSet::new();
            for number in readers.len()..count.min(readers.len() + 250) {
                let channel = channel.to_owned();
                opening.spawn(async move { Reader::open(address, way, channel, number).await });
            }
            readers.extend(opening.join_all().await);
        }
        Crowd { readers }
    }

    /// Waits until each has read the event of this number, and gives the crowd back, and what all have seen.
    pub async fn read_to(self, last: u64, look: Look, clock: Clock) -> (Self, Seen) {
        let local = LocalSet::new();
        let (scratch, seen) = (Rc::new(RefCell::new(vec![0; 256 << 10])), Rc::new(RefCell::new(Seen::new())));
        let reading: Vec<_> = self
            .readers
            .into_iter()
            .map(|reader| {
                let (scratch, seen) = (Rc::clone(&scratch), Rc::clone(&seen));
                local.spawn_local(reader.read_to(last, look, clock, scratch, seen))
            })
            .collect();
        let mut readers = Vec::with_capacity(reading.len());
        local
            .run_until(async {
                for reader in reading {
                    readers.push(reader.await.expect("no panic"));
                }
            })
            .await;
        drop(local);
        let seen = seen.replace(Seen::new());
        (Crowd { readers }, seen)
    }

    /// Nobody.
    pub fn none() -> Self {
        Crowd { readers: Vec::new() }
    }

    pub fn len(&self) -> usize {
        self.readers.len()
    }
}
