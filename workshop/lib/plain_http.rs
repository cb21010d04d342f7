//! As much of HTTP and JSON as the exercises' programs in Rust need, without a package.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
};

/// No request's body is longer than this.
const BODY_BYTES: usize = 1024 * 1024;

/// What somebody asks for.
pub struct Request {
    #[allow(dead_code)] // not every program has several methods
    pub method: String,
    pub path: String,
    query: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Request {
    /// Reads a request to its end.
    pub fn read(stream: &TcpStream) -> io::Result<Request> {
        let mut reader = BufReader::new(stream);
        let mut first = String::new();
        reader.read_line(&mut first)?;
        let mut words = first.split_whitespace();
        let method = words.next().unwrap_or("").to_string();
        let target = words.next().unwrap_or("");
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (path, query) = (path.to_string(), query.to_string());
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 || line == "\r\n" {
                break;
            }
            if let Some((name, value)) = line.split_once(':') {
                headers.push((name.to_ascii_lowercase(), value.trim().to_string()));
            }
        }
        let mut request = Request { method, path, query, headers, body: String::new() };
        let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        if length > BODY_BYTES {
            return Err(io::Error::other("the body is too long"));
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        request.body = String::from_utf8_lossy(&body).into_owned();
        Ok(request)
    }

    /// A header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A number from the query, such as `after` in `/poll?after=7`.
    #[allow(dead_code)] // not every program has a query
    pub fn number(&self, name: &str) -> Option<u64> {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(known, _)| *known == name).find_map(|(_, value)| value.parse().ok())
    }
}

/// Answers with JSON and ends the connection.
pub fn answer(stream: &mut TcpStream, status: &str, json: &str) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{json}",
        json.len()
    )
}

/// A text as a string of JSON, with its quotation marks.
#[allow(dead_code)] // not every program sends JSON strings
pub fn quoted(text: &str) -> String {
    let mut json = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            c if c < ' ' => json.push_str(&format!("\\u{:04x}", c as u32)),
            c => json.push(c),
        }
    }
    json + "\""
}
