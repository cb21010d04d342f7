//! Reads an event stream, comes back when it is cut, and prints a line of JSON per event.

use std::{
    env,
    io::{self, BufRead, BufReader, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

const WAIT: Duration = Duration::from_millis(200);

fn main() {
    let url = env::args().last().expect("a URL as the last argument");
    loop {
        match connect(&url) {
            Ok(204) => break,
            Ok(200) => {}
            Ok(status) => eprintln!("answered with status {status}"),
            Err(error) => eprintln!("cut off: {error}"),
        }
        thread::sleep(WAIT);
    }
}

/// Asks once and reads the answer to its end; returns its status.
fn connect(url: &str) -> io::Result<u16> {
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
        if line?.is_empty() {
            break;
        }
    }
    if status == 200 {
        read(lines)?;
    }
    Ok(status)
}

fn read(lines: impl Iterator<Item = io::Result<String>>) -> io::Result<()> {
    let mut data = Vec::new();
    for line in lines {
        let line = line?;
        if let Some(value) = line.strip_prefix("data: ") {
            data.push(value.to_string());
        } else if line.is_empty() && !data.is_empty() {
            // Debug writes a plain text as JSON does.
            println!("{{\"data\":{:?}}}", data.join("\n"));
            data.clear();
        }
    }
    Ok(())
}
