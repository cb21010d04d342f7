//! One reader of a bench: a socket, and as little as can be done with what comes.

use std::{
    cell::RefCell,
    net::{Ipv4Addr, SocketAddr},
    rc::Rc,
    time::Duration,
};

use hdrhistogram::Histogram;
use memchr::memmem;
use pushlab::clock::Clock;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

use super::mark::{Mark, last_mark, marks, source_times};

/// Readers per source address: a system has some 28,000 ports for each.
const PER_ADDRESS: usize = 8_000;

/// Between two questions of a short poll.
const INTERVAL: Duration = Duration::from_secs(1);

const PING: &[u8] = &[0x89, 0];

/// A client's frame is masked, here with zeros.
const PONG: &[u8] = &[0x8a, 0x80, 0, 0, 0, 0];

/// What readers read by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Floor,
    Sse,
    WebSocket,
    LongPoll,
    ShortPoll,
}

impl Way {
    pub fn name(self) -> &'static str {
        match self {
            Way::Floor => "tcp-floor",
            Way::Sse => "sse",
            Way::WebSocket => "websocket",
            Way::LongPoll => "long-poll",
            Way::ShortPoll => "short-poll",
        }
    }

    fn polls(self) -> bool {
        matches!(self, Way::LongPoll | Way::ShortPoll)
    }
}

/// How closely readers look at what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Each event's number and time.
    Each,
    /// The last one of each read, to know when all have come.
    Last,
    /// Events of the server's own source, as many as are to be read.
    Source,
}

/// The longest latency that is told apart, in microseconds: ten minutes.
const LONGEST: u64 = 600_000_000;

/// What readers have seen together.
pub struct Seen {
    /// From when an event was due to when it was read, in microseconds.
    pub latency: Histogram<u64>,
    pub events: u64,
    /// Events that did not follow the one before.
    pub out_of_order: u64,
}

impl Seen {
    pub(super) fn new() -> Self {
        let latency = Histogram::new_with_bounds(1, LONGEST, 3).expect("good bounds");
        Seen { latency, events: 0, out_of_order: 0 }
    }

    /// A quantile of the latency, in microseconds.
    pub fn quantile(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64
    }
}

pub(super) struct Reader {
    tcp: TcpStream,
    way: Way,
    channel: String,
    /// Where a poll stands.
    cursor: String,
    /// The poll's answer that is coming.
    answer: Option<Answer>,
    /// The last number that was read.
    number: u64,
    /// The beginning of a mark whose rest is to come.
    partial: Vec<u8>,
}

/// As much of an answer as is needed to know where it ends.
#[derive(Default)]
struct Answer {
    head: Vec<u8>,
    bytes: usize,
}

/// What head and cursor fit into.
const HEAD: usize = 700;

impl Answer {
    /// The cursor, once all has come.
    fn add(&mut self, bytes: &[u8]) -> Option<String> {
        self.bytes += bytes.len();
        let room = HEAD.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..room]);
        let text = String::from_utf8_lossy(&self.head);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let length: usize = head.split_once("content-length: ")?.1.lines().next()?.parse().ok()?;
        if self.bytes < head.len() + 4 + length {
            return None;
        }
        assert!(head.starts_with("HTTP/1.1 200"), "{text}");
        let (_, cursor) = body.split_once("{\"cursor\":\"")?;
        Some(cursor.split('"').next()?.to_owned())
    }
}

impl Reader {
    /// One reader, subscribed: the bytes that say so have been read. A long poll waits, and has been told
    /// nothing.
    pub(super) async fn open(address: SocketAddr, way: Way, channel: String, number: usize) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        let source = Ipv4Addr::new(127, 0, 0, 2 + (number / PER_ADDRESS) as u8);
        socket.bind(SocketAddr::from((source, 0))).expect("a port");
        let mut tcp = socket.connect(address).await.expect("connects");
        // Ports that wait for late segments would run out over the cycles.
        tcp.set_zero_linger().expect("open");
        tcp.set_nodelay(true).expect("open");
        let head = |rest: &str| format!("GET /channels/{channel}/{rest}\r\n\r\n");
        let (request, opened) = match way {
            Way::Floor => (format!("{channel}\n"), &b"\xff\xff\xff\xff"[..]),
            Way::Sse => (head("sse HTTP/1.1\r\nhost: lab"), &b"id: "[..]),
            Way::WebSocket => (
                head(
                    "websocket HTTP/1.1\r\nhost: lab\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==",
                ),
                &b"\"cursor\":"[..],
            ),
            // Both are told where they stand.
            Way::LongPoll | Way::ShortPoll => {
                (head(&format!("{} HTTP/1.1\r\nhost: lab", way.name())), &b"]}"[..])
            }
        };
        tcp.write_all(request.as_bytes()).await.expect("writes");
        let mut read = Vec::new();
        while !read.windows(opened.len()).any(|window| window == opened) {
            assert!(tcp.read_buf(&mut read).await.expect("reads") > 0, "no stream: {read:?}");
        }
        let mut reader =
            Reader { tcp, way, channel, cursor: String::new(), answer: None, number: 0, partial: Vec::new() };
        if way.polls() {
            reader.cursor = Answer::default().add(&read).expect("a whole answer");
        }
        if way == Way::LongPoll {
            reader.ask().await;
        }
        reader
    }

    async fn ask(&mut self) {
        let Reader { way, channel, cursor, .. } = self;
        let rest = if *way == Way::LongPoll { "&wait=55" } else { "" };
        let request = format!(
            "GET /channels/{channel}/{}?after={cursor}&limit=10000{rest} HTTP/1.1\r\nhost: lab\r\n\r\n",
            way.name()
        );
        self.answer = Some(Answer::default());
        self.tcp.write_all(request.as_bytes()).await.expect("writes");
    }

    /// Reads until the event of this number has come. A long poll waits for more then.
    pub(super) async fn read_to(
        mut self,
        last: u64,
        look: Look,
        clock: Clock,
        scratch: Rc<RefCell<Vec<u8>>>,
        seen: Rc<RefCell<Seen>>,
    ) -> Self {
        if look == Look::Source {
            self.number = 0;
        }
        loop {
            if self.way.polls() && self.answer.is_none() {
                if self.way == Way::ShortPoll {
                    if self.number >= last {
                        return self;
                    }
                    tokio::time::sleep(INTERVAL).await;
                }
                self.ask().await;
            }
            if self.number >= last {
                return self;
            }
            self.tcp.readable().await.expect("open");
            // One after the other into the same memory: nothing is kept of it.
            let mut memory = scratch.borrow_mut();
            let kept = self.partial.len();
            memory[..kept].copy_from_slice(&self.partial);
            let read = match self.tcp.try_read(&mut memory[kept..]) {
                Ok(0) => panic!("the server ended the stream"),
                Ok(read) => read,
                Err(_) => continue,
            };
            self.take(&memory[..kept + read], kept, look, clock, &mut seen.borrow_mut());
        }
    }

    /// Sees what has come. The first bytes are from before.
    fn take(&mut self, bytes: &[u8], kept: usize, look: Look, clock: Clock, seen: &mut Seen) {
        // The server asks now and then whether anybody is there. No event has these two bytes in a row, and a
        // socket that is read has room for the answer.
        if self.way == Way::WebSocket && look == Look::Each && memmem::find(bytes, PING).is_some() {
            let _ = self.tcp.try_write(PONG);
        }
        let now = clock.now();
        let late = |due| now.since(due).as_micros() as u64;
        let unread = match look {
            Look::Each => marks(bytes, |Mark { number, due }| {
                seen.events += 1;
                seen.out_of_order += u64::from(self.number > 0 && number != self.number + 1);
                self.number = number;
                seen.latency.saturating_record(late(due));
            }),
            Look::Last => {
                let (mark, unread) = last_mark(bytes);
                self.number = mark.map_or(self.number, |mark| mark.number);
                unread
            }
            Look::Source => {
                for due in source_times(bytes) {
                    self.number += 1;
                    seen.events += 1;
                    seen.latency.saturating_record(late(due));
                }
                0
            }
        };
        self.partial.clear();
        self.partial.extend_from_slice(&bytes[bytes.len() - unread..]);
        if let Some(answer) = &mut self.answer
            && let Some(cursor) = answer.add(&bytes[kept..])
        {
            (self.cursor, self.answer) = (cursor, None);
        }
    }
}
