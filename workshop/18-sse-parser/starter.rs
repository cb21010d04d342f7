//! Reads the event stream at the URL that it is given, and prints a line of JSON per event.

use std::{
    env,
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
};

fn main() -> io::Result<()> {
    let url = env::args().nth(1).expect("a URL as the first argument");
    let mut stream = open(&url)?;
    let mut last_id = String::new();
    let mut buffer = [0; 65536];
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        parse(&String::from_utf8_lossy(&buffer[..read]), &mut last_id);
    }
}

/// Prints the events in a piece of the stream.
fn parse(text: &str, last_id: &mut String) {
    for block in text.split("\n\n") {
        let mut kind = "message";
        let mut data = "";
        for line in block.split('\n') {
            if let Some(value) = line.strip_prefix("id: ") {
                *last_id = value.to_string();
            }
            if let Some(value) = line.strip_prefix("event: ") {
                kind = value;
            }
            if let Some(value) = line.strip_prefix("data: ") {
                data = value;
            }
        }
        if !data.is_empty() {
            show(last_id, kind, data);
        }
    }
}

fn show(id: &str, kind: &str, data: &str) {
    println!("{{\"id\":{},\"type\":{},\"data\":{}}}", json(id), json(kind), json(data));
}

/// A string as JSON writes it.
fn json(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control < ' ' => quoted += &format!("\\u{:04x}", control as u32),
            plain => quoted.push(plain),
        }
    }
    quoted + "\""
}

/// Asks for a URL such as http://127.0.0.1:3000/events, and reads the answer's head.
fn open(url: &str) -> io::Result<BufReader<TcpStream>> {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(host)?;
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = BufReader::new(stream);
    let mut line = String::from("-");
    while !line.trim_end().is_empty() {
        line.clear();
        answer.read_line(&mut line)?;
    }
    Ok(answer)
}
