//! A clock that ticks four times a second and rings a bell at every fourth tick.

use std::{
    env,
    io::{self, BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, SystemTime},
};

const TICK: u64 = 250; // milliseconds

fn main() -> io::Result<()> {
    let started = now();
    let port = env::var("PORT").unwrap_or("3000".to_string());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    println!("listening on http://127.0.0.1:{port}");
    for stream in listener.incoming() {
        let stream = stream?;
        // An error here means that the reader has gone away, and its thread ends.
        thread::spawn(move || answer(stream, started));
    }
    Ok(())
}

fn answer(mut stream: TcpStream, started: u64) -> io::Result<()> {
    let path = read_request(&stream)?;
    if path != "/events" {
        return write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nConnection: close\r\n\r\n"
    )?;
    let mut count = (now() - started) / TICK;
    loop {
        count += 1;
        let at = started + count * TICK;
        thread::sleep(Duration::from_millis(at.saturating_sub(now())));
        write!(stream, "data: {at}\n\n")?;
    }
}

/// Milliseconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64
}

/// Reads a request's head to its end and returns the path.
fn read_request(stream: &TcpStream) -> io::Result<String> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().unwrap_or(Ok(String::new()))?;
    while let Some(line) = lines.next() {
        if line?.is_empty() {
            break;
        }
    }
    Ok(first.split(' ').nth(1).unwrap_or("").to_string())
}
