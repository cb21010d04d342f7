//! A server on a port of its own, and clients that see bytes: what the server's tests share.
//!
//! Our own clients are left out on purpose, so that a mistake that both sides agree on is seen.

// Each test file is a crate of its own and uses what it needs.
#![allow(dead_code)]

use std::{collections::HashMap, io, net::SocketAddr, time::Duration};

use pushlab::{
    clock::Clock,
    server::{self, Addresses, Config, Doors, State},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_tungstenite::WebSocketStream;
use tokio_util::sync::CancellationToken;
use tungstenite::Message;

/// Longer than anything here takes, however loaded the machine is.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) state: State,
    pub(crate) shutdown: CancellationToken,
    pub(crate) running: JoinHandle<io::Result<()>>,
}

impl Server {
    pub(crate) async fn start(config: Config) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // `tests/plain.rs` runs the same tests over the other way to serve streams.
        let config = Config { plain: config.plain || module_path!().starts_with("plain::"), ..config };
        let state = State::new(config, Clock::start());
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(server::run(listener, state.clone(), shutdown.clone()));
        Server { address, state, shutdown, running }
    }

    /// One as the program starts it: with the second origin, and behind the named networks.
    pub(crate) async fn start_whole(config: Config) -> Server {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let doors = Doors::open(&Addresses { listen, second_listen: None, network_ports: None }).unwrap();
        let address = doors.address().unwrap();
        let state = State::new(config, Clock::start());
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(doors.serve(state.clone(), shutdown.clone()));
        Server { address, state, shutdown, running }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// One request on a connection of its own. `head` is the request line without the version and, after
    /// it, further header lines.
    pub(crate) async fn ask(&self, head: &str, body: &str) -> Answer {
        let mut tcp = self.connect().await;
        send(&mut tcp, self.address, &format!("{head}\nConnection: close"), body).await;
        let mut bytes = Vec::new();
        patiently(tcp.read_to_end(&mut bytes)).await.unwrap();
        Answer::parse(&bytes)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), "").await
    }

    pub(crate) async fn post(&self, path: &str, json: &str) -> Answer {
        self.ask(&format!("POST {path}\nContent-Type: application/json"), json).await
    }

    /// Publishes text and returns its id.
    pub(crate) async fn publish(&self, channel: &str, text: &str) -> String {
        let answer =
            self.ask(&format!("POST /channels/{channel}/events\nContent-Type: text/plain"), text).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// Waits until the channel has so many readers by a transport.
    pub(crate) async fn wait_for_readers(&self, channel: &str, transport: &str, count: u64) {
        patiently(async {
            while self.get(&format!("/channels/{channel}")).await.json()["readers"][transport] != count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }

    pub(crate) async fn open_sse(&self, path: &str) -> Sse {
        let mut tcp = self.connect().await;
        send(&mut tcp, self.address, &format!("GET {path}"), "").await;
        let mut sse = Sse { tcp, raw: Vec::new(), text: String::new(), head: String::new(), ended: false };
        while sse.head.is_empty() {
            assert!(sse.more().await.unwrap() > 0, "no answer");
        }
        sse
    }

    pub(crate) async fn open_websocket(&self, path: &str) -> WebSocketStream<TcpStream> {
        let url = format!("ws://{}{path}", self.address);
        let (socket, _) =
            patiently(tokio_tungstenite::client_async(url, self.connect().await)).await.unwrap();
        socket
    }
}

/// Writes a request; a body gets its length.
pub(crate) async fn send(tcp: &mut TcpStream, address: SocketAddr, head: &str, body: &str) {
    let (line, headers) = head.split_once('\n').unwrap_or((head, ""));
    let mut request = format!("{line} HTTP/1.1\r\n");
    if !headers.lines().any(|header| header.starts_with("Host:")) {
        request += &format!("Host: {address}\r\n");
    }
    for header in headers.lines() {
        request += &format!("{header}\r\n");
    }
    if !body.is_empty() {
        request += &format!("Content-Length: {}\r\n", body.len());
    }
    request += "\r\n";
    request += body;
    tcp.write_all(request.as_bytes()).await.unwrap();
}

/// Awaits with a limit that only a hang reaches.
pub(crate) async fn patiently<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("took far too long")
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn parse(bytes: &[u8]) -> Answer {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no HTTP: {text:?}"));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
        Answer { status, headers: headers.collect(), body: body.to_owned() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The message of an error, which every one has.
    pub(crate) fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_else(|| panic!("no error: {self:?}")).to_owned()
    }
}

/// Reads one answer with a length from a connection that stays open.
pub(crate) async fn read_answer(tcp: &mut TcpStream) -> io::Result<Answer> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse::<usize>().unwrap());
            if body.len() >= length {
                return Ok(Answer::parse(&bytes));
            }
        }
        if patiently(tcp.read_buf(&mut bytes)).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// An event stream, with the chunks of its transfer coding taken off.
pub(crate) struct Sse {
    pub(crate) tcp: TcpStream,
    raw: Vec<u8>,
    pub(crate) text: String,
    pub(crate) head: String,
    /// Whether its last chunk has come.
    pub(crate) ended: bool,
}

impl Sse {
    /// Reads what there is; zero is the end of the connection.
    pub(crate) async fn more(&mut self) -> io::Result<usize> {
        let read = patiently(self.tcp.read_buf(&mut self.raw)).await?;
        if self.head.is_empty() {
            let Some(end) = find(&self.raw, b"\r\n\r\n") else { return Ok(read) };
            self.head = String::from_utf8(self.raw.drain(..end + 4).collect()).unwrap();
        }
        while let Some(line_end) = find(&self.raw, b"\r\n") {
            let line = str::from_utf8(&self.raw[..line_end]).unwrap();
            let size = usize::from_str_radix(line, 16).unwrap();
            if self.raw.len() < line_end + 2 + size + 2 {
                break;
            }
            self.text += str::from_utf8(&self.raw[line_end + 2..line_end + 2 + size]).unwrap();
            self.raw.drain(..line_end + 2 + size + 2);
            self.ended |= size == 0;
        }
        Ok(read)
    }

    /// Reads until the text has something.
    pub(crate) async fn until(&mut self, wanted: &str) -> &str {
        while !self.text.contains(wanted) {
            assert!(self.more().await.unwrap() > 0, "ended without {wanted:?}: {:?}", self.text);
        }
        &self.text
    }

    /// Reads to the end of the connection.
    pub(crate) async fn read_to_end_of_stream(&mut self) -> io::Result<()> {
        while self.more().await? > 0 {}
        Ok(())
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// The next JSON message of a WebSocket.
pub(crate) async fn next_json(socket: &mut WebSocketStream<TcpStream>) -> Value {
    use futures_util::StreamExt as _;
    loop {
        match patiently(socket.next()).await.expect("still open").expect("no error") {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Ping(_) => {}
            other => panic!("unexpected {other:?}"),
        }
    }
}
