//! A server in a process of its own, and a crowd of readers that cost next to nothing: what the benches of
//! the server share.
//!
//! The bench's program starts itself again as the server, so that the server's CPU time and memory are its
//! own. Both are counted as the kernel counts them for a process.

// Each bench is a crate of its own and uses what it needs.
#![allow(dead_code, unreachable_pub)]

use std::{
    cell::Cell,
    env,
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, SocketAddr},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    rc::Rc,
    time::{Duration, Instant},
};

use pushlab::{
    clock::Clock,
    event::Draft,
    harness::process,
    server::{self, Config, State},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    runtime::Runtime,
    task::{JoinSet, LocalSet},
};
use tokio_util::sync::CancellationToken;

const SERVE: &str = "PUSHLAB_BENCH_SERVES";
const PLAIN: &str = "plain";

/// What the last event of a burst has in its data, and no other.
const END: &[u8] = b"END";

/// An event's bytes of data.
pub const PAYLOAD: usize = 100;

/// Readers per source address: a system has some 28,000 ports for each.
const PER_ADDRESS: usize = 8_000;

/// What readers read by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Floor,
    Sse,
    WebSocket,
    LongPoll,
}

impl Way {
    pub fn name(self) -> &'static str {
        match self {
            Way::Floor => "tcp-floor",
            Way::Sse => "sse",
            Way::WebSocket => "websocket",
            Way::LongPoll => "long-poll",
        }
    }
}

/// Serves, if this process was started to; does not return then.
pub fn serve_if_asked() {
    let Ok(how) = env::var(SERVE) else { return };
    Runtime::new().expect("a runtime").block_on(serve(how == PLAIN));
    std::process::exit(0);
}

/// Takes orders by the line: `publish EVENTS PER_SECOND`, answered once the last has been published.
async fn serve(plain: bool) {
    server::max_connections();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let (http, floor) = (server::bind(any).expect("a port"), server::bind(any).expect("a port"));
    let config = Config {
        plain,
        max_connections: 18_000,
        readers_per_channel: 18_000,
        hosts: vec!["lab".to_owned()],
        ..Config::default()
    };
    let state = State::new(config, Clock::start());
    println!("{} {}", http.local_addr().expect("bound"), floor.local_addr().expect("bound"));
    let shutdown = CancellationToken::new();
    tokio::spawn(server::floor::run(floor, state.feed().clone(), shutdown.clone()));
    tokio::spawn(server::run(http, state.clone(), shutdown.clone()));
    let channel = state.feed().channel(&"bench".parse().expect("a good name")).expect("room");
    let orders = std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let words: Vec<&str> = line.split(' ').collect();
            let ["publish", events, rate] = words.as_slice() else { continue };
            let (events, rate): (u32, f64) =
                (events.parse().expect("a number"), rate.parse().expect("a rate"));
            let start = Instant::now();
            for event in 1..=events {
                // On an intended schedule, whatever the server does meanwhile.
                let due = start + Duration::from_secs_f64(f64::from(event) / rate);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                let word = if event == events { "END" } else { "..." };
                channel.publish(Draft::message(format!("{word:x<PAYLOAD$}"))).expect("fits");
            }
            println!("published");
        }
    });
    let _ = tokio::task::spawn_blocking(move || orders.join()).await;
    shutdown.cancel();
}

/// The server's process.
pub struct Site {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    http: SocketAddr,
    floor: SocketAddr,
}

impl Site {
    pub fn start(plain: bool) -> Self {
        let mut child = Command::new(env::current_exe().expect("this program"))
            .env(SERVE, if plain { PLAIN } else { "handover" })
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
        Site { child, orders, answers, http, floor }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn cpu(&self) -> Duration {
        process::usage(self.pid()).cpu.expect("this system tells")
    }

    pub fn rss_kib(&self) -> u64 {
        process::usage(self.pid()).rss_kib.expect("this system tells")
    }

    /// Publishes so many events at a rate; `published` waits until it is done.
    pub fn publish(&mut self, events: u32, rate: f64) {
        writeln!(self.orders, "publish {events} {rate}").expect("the server reads");
    }

    pub fn published(&mut self) {
        self.answers.read_line(&mut String::new()).expect("the server answers");
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
    readers: Vec<TcpStream>,
}

impl Crowd {
    /// Opens so many, a few hundred at a time.
    pub async fn open(site: &Site, way: Way, count: usize) -> Self {
        let address = if way == Way::Floor { site.floor } else { site.http };
        let mut readers = Vec::with_capacity(count);
        let cursor = if way == Way::LongPoll { cursor(site.http).await } else { String::new() };
        while readers.len() < count {
            let mut opening = JoinSet::new();
            for number in readers.len()..count.min(readers.len() + 250) {
                let cursor = cursor.clone();
                opening.spawn(async move { open(address, way, number / PER_ADDRESS, &cursor).await });
            }
            readers.extend(opening.join_all().await);
        }
        Crowd { readers }
    }

    /// Waits until each has read the last event of a burst, and gives the crowd back.
    pub async fn read_to_end_of_burst(self) -> Self {
        let local = LocalSet::new();
        let scratch = Rc::new(Cell::new(vec![0; 256 << 10]));
        let reading: Vec<_> = self
            .readers
            .into_iter()
            .map(|tcp| {
                let scratch = Rc::clone(&scratch);
                local.spawn_local(async move {
                    loop {
                        tcp.readable().await.expect("open");
                        // One after the other into the same memory: nothing is kept of it.
                        let mut memory = scratch.take();
                        let read = tcp.try_read(&mut memory);
                        let done = match read {
                            Ok(0) => panic!("the server ended the stream"),
                            Ok(read) => {
                                let tail = &memory[read.saturating_sub(2 * PAYLOAD)..read];
                                tail.windows(END.len()).any(|three| three == END)
                            }
                            Err(_) => false,
                        };
                        scratch.set(memory);
                        if done {
                            return tcp;
                        }
                    }
                })
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
        Crowd { readers }
    }

    /// Nobody.
    pub fn none() -> Self {
        Crowd { readers: Vec::new() }
    }

    pub fn len(&self) -> usize {
        self.readers.len()
    }
}

async fn cursor(http: SocketAddr) -> String {
    let mut tcp = TcpStream::connect(http).await.expect("connects");
    let request = "GET /channels/bench/short-poll HTTP/1.1\r\nhost: lab\r\nconnection: close\r\n\r\n";
    tcp.write_all(request.as_bytes()).await.expect("writes");
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await.expect("answers");
    let (_, rest) = answer.split_once("\"cursor\":\"").expect("a cursor");
    rest.split('"').next().expect("a cursor").to_owned()
}

/// One reader, subscribed: the bytes that say so have been read.
async fn open(address: SocketAddr, way: Way, source: usize, cursor: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    let source = Ipv4Addr::new(127, 0, 0, 2 + source as u8);
    socket.bind(SocketAddr::from((source, 0))).expect("a port");
    let mut tcp = socket.connect(address).await.expect("connects");
    let head = |rest: &str| format!("GET /channels/bench/{rest}\r\n\r\n");
    let (request, opened) = match way {
        Way::Floor => ("bench\n".to_owned(), &b"\xff\xff\xff\xff"[..]),
        Way::Sse => (head("sse HTTP/1.1\r\nhost: lab"), &b"id: "[..]),
        Way::WebSocket => (
            head(
                "websocket HTTP/1.1\r\nhost: lab\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==",
            ),
            &b"\"cursor\":"[..],
        ),
        Way::LongPoll => (head(&format!("long-poll?after={cursor}&wait=55 HTTP/1.1\r\nhost: lab")), &b""[..]),
    };
    // Ports that wait for late segments would run out over the cycles.
    tcp.set_zero_linger().expect("open");
    tcp.write_all(request.as_bytes()).await.expect("writes");
    let mut read = Vec::new();
    while !opened.is_empty() && !read.windows(opened.len()).any(|window| window == opened) {
        assert!(tcp.read_buf(&mut read).await.expect("reads") > 0, "no stream: {read:?}");
    }
    tcp
}
