//! A student's server, asked by raw bytes: an answer is what it sent, and no library has mended it.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};
use url::Url;

use super::{body::Framing, excerpt::one_line, finding::Saw};

/// How long a connection may take to be made, and an answer's head to come.
const ANSWERS_WITHIN: Duration = Duration::from_secs(8);
const HEAD_BYTES: usize = 64 * 1024;
const BODY_BYTES: usize = 4 * 1024 * 1024;
/// How much is read at once, where so much is there.
const READ_BYTES: usize = 64 * 1024;

/// What went wrong with a student's program, as something that was seen.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    pub(super) what: String,
    pub(super) bytes: Vec<u8>,
    pub(super) next: Option<&'static str>,
}

impl Trouble {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Trouble { what: what.into(), bytes: Vec::new(), next: None }
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.bytes = bytes[bytes.len().saturating_sub(1024)..].to_vec();
        self
    }

    pub(super) fn next(mut self, step: &'static str) -> Self {
        self.next = Some(step);
        self
    }
}

impl From<Trouble> for Saw {
    fn from(trouble: Trouble) -> Self {
        let mut saw = Saw::new(trouble.what);
        if !trouble.bytes.is_empty() {
            saw = saw.bytes(&trouble.bytes);
        }
        match trouble.next {
            Some(step) => saw.next(step),
            None => saw,
        }
    }
}

/// Where a student's server is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    address: SocketAddr,
    host: String,
}

impl Place {
    /// From a URL of which the host and the port count.
    pub(super) async fn of(url: &Url) -> Result<Self, String> {
        if url.scheme() != "http" {
            return Err(format!("{url} does not begin with http://"));
        }
        let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(80));
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let found = tokio::net::lookup_host((bare, port)).await.map_err(|error| format!("{url}: {error}"))?;
        let mut last = format!("{url}: the name has no address");
        for address in found {
            match timeout(ANSWERS_WITHIN, TcpStream::connect(address)).await {
                Ok(Ok(_)) => return Ok(Place { address, host: format!("{host}:{port}") }),
                Ok(Err(error)) => last = format!("nothing answers at {url}: {error}"),
                Err(_) => last = format!("nothing answers at {url}"),
            }
        }
        Err(last)
    }

    /// A server that was started here.
    pub(super) fn at(address: SocketAddr) -> Self {
        Place { address, host: address.to_string() }
    }

    /// The same server by way of a relay in front of it.
    pub(super) fn through(&self, relay: SocketAddr) -> Self {
        Place { address: relay, host: self.host.clone() }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) async fn connect(&self) -> Result<TcpStream, Trouble> {
        let refused = |why: String| Trouble::new(format!("no connection to {}: {why}", self.host));
        let stream = timeout(ANSWERS_WITHIN, TcpStream::connect(self.address))
            .await
            .map_err(|_| refused(format!("nothing within {} s", ANSWERS_WITHIN.as_secs())))?
            .map_err(|error| refused(format!("{error} (has the program ended?)")))?;
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }
}

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn get(path: impl Into<String>) -> Self {
        Request { method: "GET", path: path.into(), headers: Vec::new(), body: Vec::new() }
    }

    pub(super) fn post(path: impl Into<String>, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("Content-Type", content_type.to_owned())];
        Request { method: "POST", path: path.into(), headers, body: body.into() }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn bytes(&self, host: &str) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: {host}\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if self.method != "GET" {
            head += &format!("Content-Length: {}\r\n", self.body.len());
        }
        [head.as_bytes(), b"\r\n", &self.body].concat()
    }
}

/// An answer whose head has come.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    /// The head's bytes.
    pub(super) head: Vec<u8>,
    stream: TcpStream,
    unread: Vec<u8>,
    framing: Framing,
}

/// What came of waiting for more of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum More {
    /// These bytes.
    Bytes(Vec<u8>),
    /// It is complete.
    End,
    /// Nothing within the time.
    Quiet,
}

/// Asks, and waits for the head of the answer. The connection is for this request alone.
pub(super) async fn open(place: &Place, request: &Request) -> Result<Response, Trouble> {
    let mut stream = place.connect().await?;
    let asked = format!("{} {}", request.method, request.path);
    let broken = |error: std::io::Error| Trouble::new(format!("{asked}: the connection broke: {error}"));
    let mut bytes = Vec::new();
    let reading = async {
        stream.write_all(&request.bytes(&place.host)).await.map_err(broken)?;
        loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                return Ok(end + 4);
            }
            if bytes.len() > HEAD_BYTES {
                return Err(Trouble::new(format!(
                    "{asked}: over {HEAD_BYTES} bytes and still no end of the head"
                )));
            }
            if stream.read_buf(&mut bytes).await.map_err(broken)? == 0 {
                return Err(Trouble::new(format!(
                    "{asked}: the connection was closed after {} bytes, before the head of an answer had ended",
                    bytes.len()
                )));
            }
        }
    };
    let read = match timeout(ANSWERS_WITHIN, reading).await {
        Ok(read) => read,
        Err(_) => Err(Trouble::new(format!("{asked}: no answer within {} s", ANSWERS_WITHIN.as_secs()))
            .next(
                "Send the head of the answer at once, with res.writeHead and res.flushHeaders or their like.",
            )),
    };
    let end = read.map_err(|trouble| if bytes.is_empty() { trouble } else { trouble.bytes(&bytes) })?;
    let unread = bytes.split_off(end);
    let (status, headers) = parse(&bytes).ok_or_else(|| {
        Trouble::new(format!("{asked}: the answer is no HTTP: it has to begin as `HTTP/1.1 200 OK`"))
            .bytes(&bytes)
    })?;
    let framing = Framing::of(status, &headers).map_err(|what| Trouble::new(what).bytes(&bytes))?;
    Ok(Response { status, headers, head: bytes, stream, unread, framing })
}

/// Asks, and reads the whole answer.
pub(super) async fn ask(place: &Place, request: &Request) -> Result<Answer, Trouble> {
    let mut response = open(place, request).await?;
    let mut body = Vec::new();
    let deadline = Instant::now() + ANSWERS_WITHIN;
    loop {
        match response.more(deadline).await? {
            More::Bytes(bytes) => body.extend(bytes),
            More::End => break,
            More::Quiet => {
                return Err(Trouble::new(format!(
                    "{} {}: the answer did not end within {} s",
                    request.method,
                    request.path,
                    ANSWERS_WITHIN.as_secs()
                ))
                .bytes(&body));
            }
        }
        if body.len() > BODY_BYTES {
            return Err(Trouble::new(format!("the answer has more than {BODY_BYTES} bytes")).bytes(&body));
        }
    }
    Ok(Answer { status: response.status, headers: response.headers, body })
}

impl Response {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The next bytes of the body, with the transfer coding taken off.
    pub(super) async fn more(&mut self, deadline: Instant) -> Result<More, Trouble> {
        loop {
            let taken = self.framing.take(&mut self.unread);
            match taken.map_err(|what| Trouble::new(what).bytes(&self.unread))? {
                Some(More::Quiet) | None => {}
                Some(more) => return Ok(more),
            }
            // An empty vector would be read into by a few bytes at a time.
            self.unread.reserve(READ_BYTES);
            let Ok(read) = tokio::time::timeout_at(deadline, self.stream.read_buf(&mut self.unread)).await
            else {
                return Ok(More::Quiet);
            };
            let read = read.map_err(|error| Trouble::new(format!("the connection broke: {error}")))?;
            if read == 0 {
                return self.framing.at_end_of_connection().map_err(Trouble::new);
            }
        }
    }
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The body as JSON.
    pub(super) fn json(&self) -> Result<serde_json::Value, Trouble> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Trouble::new(format!("the body is no JSON: {error}")).bytes(&self.body))
    }

    /// Its status and the beginning of its body, for people.
    pub(super) fn summary(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        let beginning: String = body.chars().take(60).collect();
        let more = if beginning.len() < body.len() { "…" } else { "" };
        format!("status {}, body {:?}", self.status, one_line(&beginning) + more)
    }
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn parse(head: &[u8]) -> Option<(u16, Vec<(String, String)>)> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    Some((status, headers.collect()))
}
