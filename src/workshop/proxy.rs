//! A reverse proxy in front of a student's server, as nginx is where nobody has told it otherwise.
//!
//! What it does is documented under `proxy_buffering`, `proxy_buffer_size`, `proxy_read_timeout` and
//! `proxy_hide_header` (<https://nginx.org/en/docs/http/ngx_http_proxy_module.html>), and was compared with nginx
//! 1.22.1: the answer is collected in buffers of one page, head and all, and passed on when one is full or the
//! answer ends, unless its head says `X-Accel-Buffering: no`, a line that the reader is not shown. Where the server
//! sends no byte for a time, the reader gets the head at most, and the connection is closed without the last chunk;
//! what was held back is thrown away.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
    time::Instant,
};

use super::http::{More, Place, Request, Response, open};

/// The size of a buffer, as on most systems.
pub(super) const BUFFER: usize = 4096;
const HEAD_BYTES: usize = 16 * 1024;

/// What concerns one connection only (RFC 9110, 7.6.1), and is not passed on.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A running proxy. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Proxy {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

/// What it has seen of the last answer that it carried.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// The head of the answer; empty where none has come.
    pub(super) head: Vec<u8>,
    /// Whether it is held back until a buffer is full.
    pub(super) is_buffered: bool,
    /// How many bytes of the body have come from the server.
    pub(super) bytes: usize,
    /// How many of them are held back now.
    pub(super) held: usize,
    /// The longest time without a byte from the server so far.
    pub(super) silence: Duration,
    /// The connection was closed since the server was silent for too long.
    pub(super) timed_out: bool,
}

impl Proxy {
    /// Starts one in front of a server; it closes connections on which the server is silent for so long.
    pub(super) async fn start(server: &Place, read_timeout: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (known, server) = (Arc::clone(&seen), server.clone());
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                        let (server, seen) = (server.clone(), Arc::clone(&known));
                        connections.spawn(async move {
                            // Whatever goes wrong here is the reader's having left.
                            let _ = carry(stream, &server, read_timeout, &seen).await;
                        });
                    },
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        Ok(Proxy { address, seen, task })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn seen(&self) -> Seen {
        self.seen.lock().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Carries one request and its answer.
async fn carry(
    mut reader: TcpStream,
    server: &Place,
    read_timeout: Duration,
    seen: &Mutex<Seen>,
) -> io::Result<()> {
    let _ = reader.set_nodelay(true);
    let Some(request) = request(&mut reader).await? else { return Ok(()) };
    *seen.lock() = Seen::default();
    let mut answer = match open(server, &request).await {
        Ok(answer) => answer,
        Err(trouble) => {
            let body = format!("the server behind this proxy gave no answer: {}\n", trouble.what);
            let head = "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain\r\nConnection: close\r\n";
            let answer = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
            reader.write_all(answer.as_bytes()).await?;
            return reader.shutdown().await;
        }
    };
    let mut passage = Passage::of(&answer);
    *seen.lock() = Seen { head: answer.head.clone(), is_buffered: passage.is_buffered, ..Seen::default() };
    let mut last = Instant::now();
    loop {
        reader.write_all(&passage.due()).await?;
        let mut rest = [0; 512];
        let more = tokio::select! {
            more = answer.more(last + read_timeout) => more,
            // The reader has nothing more to say: what it does here is leave.
            left = reader.read(&mut rest) => if left? == 0 { return Ok(()) } else { continue },
        };
        let mut seen = seen.lock();
        seen.silence = seen.silence.max(last.elapsed());
        last = Instant::now();
        match more {
            Ok(More::Bytes(bytes)) => {
                seen.bytes += bytes.len();
                passage.waiting.extend(bytes);
                seen.held = passage.held();
                continue;
            }
            Ok(More::End) => passage.end(),
            Ok(More::Quiet) => {
                seen.timed_out = true;
                passage.give_up();
            }
            // The server's connection broke: so does the reader's.
            Err(_) => passage.give_up(),
        }
        seen.held = 0;
        break;
    }
    reader.write_all(&passage.due()).await?;
    reader.shutdown().await
}

/// An answer on its way through the proxy.
struct Passage {
    /// The head for the reader, until it is on its way.
    head: Option<Vec<u8>>,
    /// What of the body has come and is not on its way.
    waiting: Vec<u8>,
    is_buffered: bool,
    is_chunked: bool,
    /// What fits into the buffer that is being filled: the first takes the server's head too.
    space: usize,
    has_ended: bool,
}

impl Passage {
    fn of(answer: &Response) -> Self {
        let is_chunked = answer.header("content-length").is_none();
        let named = answer.header("connection").unwrap_or_default().to_ascii_lowercase();
        let stays = |name: &str| {
            let concerns_this_hop =
                HOP_BY_HOP.contains(&name) || named.split(',').any(|it| it.trim() == name);
            concerns_this_hop || name.starts_with("x-accel-")
        };
        let mut head = format!("HTTP/1.1 {} as the server said\r\n", answer.status);
        for (name, value) in answer.headers.iter().filter(|(name, _)| !stays(name)) {
            head += &format!("{name}: {value}\r\n");
        }
        let framing = if is_chunked { "transfer-encoding: chunked\r\n" } else { "" };
        head += &format!("{framing}connection: close\r\n\r\n");
        Passage {
            head: Some(head.into()),
            waiting: Vec::new(),
            is_buffered: answer
                .header("x-accel-buffering")
                .is_none_or(|value| !value.eq_ignore_ascii_case("no")),
            is_chunked,
            space: BUFFER.saturating_sub(answer.head.len()),
            has_ended: false,
        }
    }

    /// How many bytes of the body are held back, after those that are due have gone.
    fn held(&self) -> usize {
        match self.waiting.len().checked_sub(self.space) {
            _ if !self.is_buffered => 0,
            None => self.waiting.len(),
            Some(beyond) => beyond % BUFFER,
        }
    }

    /// What goes to the reader now, and is then forgotten here.
    fn due(&mut self) -> Vec<u8> {
        let mut due = Vec::new();
        if !self.is_buffered || self.has_ended {
            due.extend(self.head.take().unwrap_or_default());
            self.pass(self.waiting.len(), &mut due);
        }
        while !self.has_ended && self.is_buffered && self.waiting.len() >= self.space {
            due.extend(self.head.take().unwrap_or_default());
            self.pass(self.space, &mut due);
            self.space = BUFFER;
        }
        if std::mem::take(&mut self.has_ended) && self.is_chunked {
            due.extend(b"0\r\n\r\n");
        }
        due
    }

    fn pass(&mut self, count: usize, due: &mut Vec<u8>) {
        let rest = self.waiting.split_off(count);
        let bytes = std::mem::replace(&mut self.waiting, rest);
        if self.is_chunked && !bytes.is_empty() {
            due.extend(format!("{:x}\r\n", bytes.len()).bytes());
            due.extend(bytes);
            due.extend(b"\r\n");
        } else {
            due.extend(bytes);
        }
    }

    /// The answer is complete.
    fn end(&mut self) {
        self.has_ended = true;
    }

    /// The answer will not be complete: what was held back is thrown away.
    fn give_up(&mut self) {
        self.waiting.clear();
        self.is_buffered = false;
    }
}

/// The reader's request, as it goes on to the server; `None` where none comes.
async fn request(reader: &mut TcpStream) -> io::Result<Option<Request>> {
    let mut head = Vec::new();
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        if head.len() > HEAD_BYTES || reader.read_buf(&mut head).await? == 0 {
            return Ok(None);
        }
    }
    let text = String::from_utf8_lossy(&head);
    let mut lines = text.split("\r\n");
    let path = lines.next().unwrap_or_default().split(' ').nth(1).unwrap_or("/").to_owned();
    let mut request = Request::get(path).header("Connection", "close");
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        // Those that a reader of event streams has.
        for known in ["Accept", "Accept-Encoding", "Cache-Control", "Last-Event-ID"] {
            if name.eq_ignore_ascii_case(known) {
                request = request.header(known, value.trim());
            }
        }
    }
    Ok(Some(request))
}
