//! A feed that shows that it lives, and lets go of readers who do not show it.

#[path = "../lib/plain_http.rs"]
mod plain_http;

use std::{
    collections::HashMap,
    env,
    io::{self, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use plain_http::{Request, answer};

const HEARTBEAT: Duration = Duration::from_secs(1);
const SILENCE: Duration = Duration::from_secs(3);

struct Reader {
    inbox: Sender<String>,
    heard: Instant,
}

#[derive(Default)]
struct Feed {
    /// By number.
    readers: HashMap<String, Reader>,
    count: u64,
}

fn main() -> io::Result<()> {
    let feed = Arc::new(Mutex::new(Feed::default()));
    let port = env::var("PORT").unwrap_or("3000".to_string());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    println!("listening on http://127.0.0.1:{port}");
    for stream in listener.incoming() {
        let (stream, feed) = (stream?, Arc::clone(&feed));
        // An error here means that whoever asked has gone away.
        thread::spawn(move || serve(stream, &feed));
    }
    Ok(())
}

fn serve(mut stream: TcpStream, feed: &Mutex<Feed>) -> io::Result<()> {
    let request = Request::read(&stream)?;
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/events") => {
            let (sender, inbox) = mpsc::channel();
            let mut all = feed.lock().unwrap();
            all.count += 1;
            let number = all.count.to_string();
            all.readers.insert(number.clone(), Reader { inbox: sender, heard: Instant::now() });
            drop(all);
            let ended = events(stream, &number, &inbox, feed);
            feed.lock().unwrap().readers.remove(&number);
            ended
        }
        ("POST", "/alive") => match feed.lock().unwrap().readers.get_mut(&request.body) {
            Some(reader) => {
                reader.heard = Instant::now();
                answer(&mut stream, "200 OK", "{\"known\": true}")
            }
            None => answer(&mut stream, "404 Not Found", "{\"known\": false}"),
        },
        ("POST", "/publish") => {
            let all = feed.lock().unwrap();
            for reader in all.readers.values() {
                // Whoever has gone away takes nothing any more.
                let _ = reader.inbox.send(request.body.clone());
            }
            drop(all);
            answer(&mut stream, "201 Created", "{\"id\": 0}")
        }
        ("GET", "/readers") => {
            let readers = feed.lock().unwrap().readers.len();
            answer(&mut stream, "200 OK", &format!("{{\"readers\": {readers}}}"))
        }
        _ => answer(
            &mut stream,
            "404 Not Found",
            "{\"error\": \"there are only /events, /alive, /publish and /readers\"}",
        ),
    }
}

/// Streams until the reader has gone away, or has not been heard of for too long.
fn events(
    mut stream: TcpStream,
    number: &str,
    inbox: &Receiver<String>,
    feed: &Mutex<Feed>,
) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nConnection: close\r\n\r\n"
    )?;
    write!(stream, "event: hello\ndata: {number}\n\n")?;
    while feed.lock().unwrap().readers[number].heard.elapsed() < SILENCE {
        match inbox.recv_timeout(HEARTBEAT) {
            Ok(data) => write!(stream, "data: {data}\n\n")?,
            Err(RecvTimeoutError::Timeout) => write!(stream, ": still here\n\n")?,
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    Ok(())
}
