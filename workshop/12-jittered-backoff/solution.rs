//! Reads an event stream, comes back when it is cut, and prints a line of JSON per event.

use std::{
    env,
    hash::{BuildHasher, RandomState},
    io::{self, BufRead, BufReader, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

const BASE: Duration = Duration::from_millis(400);
const CAP: Duration = Duration::from_millis(1600);

/// What outlives a connection.
#[derive(Default)]
struct Reader {
    /// Since the last event.
    failures: u32,
    /// For how long the server asked to be left alone.
    asked: Duration,
}

fn main() {
    let url = env::args().last().expect("a URL as the last argument");
    let mut reader = Reader::default();
    loop {
        reader.asked = Duration::ZERO;
        match reader.connect(&url) {
            Ok(204) => break,
            Ok(200) => {}
            Ok(status) => eprintln!("answered with status {status}"),
            Err(error) => eprintln!("cut off: {error}"),
        }
        let bound = BASE.saturating_mul(2u32.saturating_pow(reader.failures)).min(CAP);
        reader.failures += 1;
        thread::sleep(reader.asked + bound.mul_f64(random()));
    }
}

/// Between 0 and 1. The standard library has no generator, but its hash maps begin with a random key.
fn random() -> f64 {
    RandomState::new().hash_one(0) as f64 / u64::MAX as f64
}

impl Reader {
    /// Asks once and reads the answer to its end; returns its status.
    fn connect(&mut self, url: &str) -> io::Result<u16> {
        let rest = url.strip_prefix("http://").unwrap_or(url);
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let mut stream = TcpStream::connect(host)?;
        write!(
            stream,
            "GET /{path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\nConnection: close\r\n\r\n"
        )?;
        let mut lines = BufReader::new(stream).lines();
        let first = lines.next().unwrap_or(Ok(String::new()))?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or(io::Error::other("no answer"))?;
        while let Some(line) = lines.next() {
            let line = line?;
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("retry-after")
            {
                self.asked = Duration::from_secs(value.trim().parse().unwrap_or(0));
            }
        }
        if status == 200 {
            self.read(lines)?;
        }
        Ok(status)
    }

    fn read(&mut self, lines: impl Iterator<Item = io::Result<String>>) -> io::Result<()> {
        let mut data = Vec::new();
        for line in lines {
            let line = line?;
            if let Some(value) = line.strip_prefix("data: ") {
                data.push(value.to_string());
            } else if line.is_empty() && !data.is_empty() {
                // Debug writes a plain text as JSON does.
                println!("{{\"data\":{:?}}}", data.join("\n"));
                data.clear();
                // Only an event shows that the server is well: some accept a connection and drop it.
                self.failures = 0;
            }
        }
        Ok(())
    }
}
