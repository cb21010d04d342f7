//! Reads an event stream, comes back when it is cut, and prints a line of JSON per event, each one once.

use std::{
    env,
    io::{self, BufRead, BufReader, Write},
    net::TcpStream,
    process,
    time::Duration,
};

/// What outlives a connection.
struct Reader {
    last_id: String,
    #[allow(dead_code)]
    retry: Duration,
}

fn main() {
    let url = env::args().last().expect("a URL as the last argument");
    let mut reader = Reader { last_id: String::new(), retry: Duration::from_millis(1000) };
    if let Err(error) = reader.connect(&url) {
        eprintln!("cut off: {error}");
    }
}

impl Reader {
    /// Asks once and reads the answer to its end. Ends the program where there is nothing to come back for.
    fn connect(&mut self, url: &str) -> io::Result<()> {
        let (status, location, body) = ask(url, &self.last_id)?;
        match status {
            200 => self.read(body),
            204 => process::exit(0),
            301 | 302 | 307 | 308 => {
                // A location that begins with a slash is on the same server.
                let host = url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
                self.connect(&if location.starts_with('/') { host + &location } else { location })
            }
            _ => {
                eprintln!("answered with status {status}");
                process::exit(1);
            }
        }
    }

    /// What is left of an event at the end is thrown away.
    fn read(&mut self, mut body: BufReader<TcpStream>) -> io::Result<()> {
        let (mut id, mut kind, mut data) = (self.last_id.clone(), String::new(), Vec::new());
        loop {
            let mut line = String::new();
            body.read_line(&mut line)?;
            let Some(line) = line.strip_suffix('\n') else { return Ok(()) };
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "data" => data.push(value.to_string()),
                "event" => kind = value.to_string(),
                "id" => id = value.to_string(),
                "retry" => {
                    if let Ok(millis) = value.parse() {
                        self.retry = Duration::from_millis(millis);
                    }
                }
                _ => {}
            }
            if line.is_empty() {
                // Only now the event is whole, and its id may be told to the server.
                self.last_id = id.clone();
                if !data.is_empty() {
                    show(&id, if kind.is_empty() { "message" } else { &kind }, &data.join("\n"));
                }
                kind.clear();
                data.clear();
            }
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

/// Asks for a URL such as http://127.0.0.1:3000/events; returns the status, the Location and the body.
fn ask(url: &str, last_id: &str) -> io::Result<(u16, String, BufReader<TcpStream>)> {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(host)?;
    let resume = if last_id.is_empty() { String::new() } else { format!("Last-Event-ID: {last_id}\r\n") };
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n{resume}Connection: close\r\n\r\n"
    )?;
    let mut answer = BufReader::new(stream);
    let mut line = String::new();
    answer.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let mut location = String::new();
    while !line.trim_end().is_empty() {
        line.clear();
        answer.read_line(&mut line)?;
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("location")
        {
            location = value.trim().to_string();
        }
    }
    Ok((status, location, answer))
}
