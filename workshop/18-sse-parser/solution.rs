//! Reads the event stream at the URL that it is given, and prints a line of JSON per event.

use std::{
    env,
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
};

fn main() -> io::Result<()> {
    let url = env::args().nth(1).expect("a URL as the first argument");
    let mut stream = open(&url)?;
    let mut lines = Lines::default();
    let mut events = Events::default();
    let mut buffer = [0; 65536];
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            // What is left is an event that was cut short: it does not count.
            return Ok(());
        }
        for line in lines.push(&buffer[..read]) {
            events.line(&line);
        }
    }
}

/// Takes bytes in pieces, cut anywhere, and gives whole lines. CR, LF and CR LF end a line.
#[derive(Default)]
struct Lines {
    rest: Vec<u8>,
    after_cr: bool,
    begun: bool,
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for &byte in bytes {
            let second_half = byte == b'\n' && self.after_cr;
            self.after_cr = byte == b'\r';
            match byte {
                _ if second_half => {}
                b'\n' | b'\r' => lines.push(self.line()),
                byte => self.rest.push(byte),
            }
        }
        lines
    }

    /// Line ends are ASCII, so that a line's bytes are whole characters.
    fn line(&mut self) -> String {
        let bytes = std::mem::take(&mut self.rest);
        let line = match bytes.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) if !self.begun => rest,
            _ => &bytes,
        };
        self.begun = true;
        String::from_utf8_lossy(line).into_owned()
    }
}

/// Makes events of lines, as HTML 9.2.6 says.
#[derive(Default)]
struct Events {
    last_id: String,
    kind: String,
    data: Option<String>,
}

impl Events {
    fn line(&mut self, line: &str) {
        if line.is_empty() {
            if let Some(data) = self.data.take() {
                let kind = if self.kind.is_empty() { "message" } else { &self.kind };
                show(&self.last_id, kind, &data);
            }
            self.kind.clear();
            return;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "data" => match &mut self.data {
                None => self.data = Some(value.to_string()),
                Some(data) => *data += &format!("\n{value}"),
            },
            "event" => self.kind = value.to_string(),
            "id" if !value.contains('\0') => self.last_id = value.to_string(),
            _ => {}
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
