//! `server --log DIR` is killed at random moments, hundreds of times, while events are published; then what it
//! acknowledged is counted.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that panics has said so")]

use std::{
    collections::HashSet,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::Value;

/// Kills, over all lanes.
const ROUNDS: usize = 300;
/// Servers at the same time, each with a log of its own.
const LANES: usize = 3;
/// Publishers per server, so that commits are shared.
const PUBLISHERS: usize = 4;
/// How long a server lives at most, in milliseconds, once it answers.
const LIVES_MS: u64 = 100;

struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(log: &Path) -> Server {
        let mut process = Command::new(env!("CARGO_BIN_EXE_server"))
            .args(["--listen", "127.0.0.1:0", "--log"])
            .arg(log)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").expect(&line).to_owned();
        Server { process, address }
    }

    fn get(&self, path: &str) -> Value {
        let mut tcp = TcpStream::connect(&self.address).unwrap();
        write!(tcp, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address).unwrap();
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        serde_json::from_str(body).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Publishes numbered events, one after the other, until the server is gone. Each number is tried once: an
/// event whose acknowledgement was lost may be there or not. Gives those that were acknowledged, with their id.
fn publish(address: &str, publisher: usize, next: &mut u64) -> Vec<(String, String)> {
    let mut acknowledged = Vec::new();
    let Ok(tcp) = TcpStream::connect(address) else { return acknowledged };
    let mut tcp = BufReader::new(tcp);
    loop {
        let text = format!("{publisher} {next}");
        *next += 1;
        let Some(id) = publish_one(&mut tcp, address, &text) else { return acknowledged };
        acknowledged.push((id, text));
    }
}

fn publish_one(tcp: &mut BufReader<TcpStream>, address: &str, text: &str) -> Option<String> {
    let length = text.len();
    let request = format!(
        "POST /channels/a/events HTTP/1.1\r\nHost: {address}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{text}"
    );
    tcp.get_mut().write_all(request.as_bytes()).ok()?;
    let (mut line, mut body) = (String::new(), 0);
    tcp.read_line(&mut line).ok().filter(|read| *read > 0)?;
    assert!(line.starts_with("HTTP/1.1 201"), "{line}");
    loop {
        line.clear();
        tcp.read_line(&mut line).ok().filter(|read| *read > 0)?;
        if line == "\r\n" {
            break;
        }
        if let Some(length) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            body = length.trim().parse().unwrap();
        }
    }
    let mut answer = vec![0; body];
    // The whole answer or none: what broke off was not acknowledged.
    tcp.read_exact(&mut answer).ok()?;
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    Some(answer["id"].as_str().unwrap().to_owned())
}

/// What a reader knows that has followed the channel through all of it.
struct Reader {
    cursor: String,
    seen: HashSet<String>,
    last_of: [Option<u64>; PUBLISHERS],
}

impl Reader {
    /// Reads on from its cursor and gives what it read, having checked that nothing is missing, comes twice
    /// or is out of order.
    fn read(&mut self, server: &Server) -> HashSet<(String, String)> {
        let mut new = HashSet::new();
        loop {
            let answer = server.get(&format!("/channels/a/short-poll?after={}", self.cursor));
            assert_eq!(answer["gap"], Value::Null, "the log no longer reaches back to {}", self.cursor);
            let events = answer["events"].as_array().unwrap();
            if events.is_empty() {
                return new;
            }
            for event in events {
                let (id, data) = (event["id"].as_str().unwrap(), event["data"].as_str().unwrap());
                assert_eq!(id, following(&self.cursor), "an id is left out or the epoch has changed");
                id.clone_into(&mut self.cursor);
                assert!(self.seen.insert(data.to_owned()), "{data:?} is there twice");
                let (publisher, number) = data.split_once(' ').unwrap();
                let number = number.parse().unwrap();
                let last = &mut self.last_of[publisher.parse::<usize>().unwrap()];
                assert!(*last < Some(number), "{data:?} comes after {last:?}");
                *last = Some(number);
                new.insert((id.to_owned(), data.to_owned()));
            }
        }
    }
}

fn following(cursor: &str) -> String {
    let (epoch, sequence) = cursor.split_once('-').unwrap();
    format!("{epoch}-{}", sequence.parse::<u64>().unwrap() + 1)
}

/// Kills one server again and again; gives how many events it acknowledged.
fn lane(seed: u64) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let mut random = StdRng::seed_from_u64(seed);
    let mut next = [1_u64; PUBLISHERS];
    let mut total = 0;
    let mut server = Server::start(folder.path());
    let cursor = server.get("/channels/a/short-poll")["cursor"].as_str().unwrap().to_owned();
    let mut reader = Reader { cursor, seen: HashSet::new(), last_of: [None; PUBLISHERS] };
    // The first event's commit holds the epoch for sure; a life that ended before it had nothing to lose.
    let mut one = BufReader::new(TcpStream::connect(&server.address).unwrap());
    let first = publish_one(&mut one, &server.address, "0 0").unwrap();
    assert_eq!(reader.read(&server), HashSet::from([(first, "0 0".to_owned())]));
    for _ in 0..ROUNDS / LANES {
        let life = Duration::from_micros(random.random_range(0..LIVES_MS * 1_000));
        let address = server.address.clone();
        let acknowledged: Vec<_> = thread::scope(|scope| {
            let publishers: Vec<_> = next
                .iter_mut()
                .enumerate()
                .map(|(number, next)| {
                    scope.spawn({
                        let address = &address;
                        move || publish(address, number, next)
                    })
                })
                .collect();
            thread::sleep(life);
            server.process.kill().unwrap();
            server.process.wait().unwrap();
            publishers.into_iter().flat_map(|publisher| publisher.join().unwrap()).collect()
        });
        server = Server::start(folder.path());
        let there = reader.read(&server);
        for event in &acknowledged {
            assert!(there.contains(event), "{event:?} was acknowledged and is gone");
        }
        total += acknowledged.len();
    }
    total
}

#[test]
fn what_was_acknowledged_outlives_every_kill() {
    let lanes: Vec<_> = (0..LANES).map(|number| thread::spawn(move || lane(number as u64))).collect();
    let acknowledged: usize = lanes.into_iter().map(|lane| lane.join().unwrap()).sum();
    println!("{ROUNDS} kills, {acknowledged} events acknowledged, all of them there, once, in order");
    assert!(acknowledged > ROUNDS, "so few events ({acknowledged}) prove nothing");
}
