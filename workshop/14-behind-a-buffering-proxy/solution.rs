//! News, from POST /publish to all who read GET /events, also through a proxy.

#[path = "../lib/plain_http.rs"]
mod plain_http;

use std::{
    env,
    io::{self, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

use plain_http::{Request, answer};

/// The number of events so far, and each reader's queue.
#[derive(Default)]
struct Feed {
    count: usize,
    readers: Vec<Sender<Arc<str>>>,
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
        ("POST", "/publish") => {
            let mut feed = feed.lock().unwrap();
            feed.count += 1;
            let id = feed.count;
            let block: Arc<str> = format!("id: {id}\ndata: {}\n\n", request.body).into();
            // Whose thread has ended is forgotten.
            feed.readers.retain(|waiting| waiting.send(Arc::clone(&block)).is_ok());
            drop(feed);
            answer(&mut stream, "201 Created", &format!("{{\"id\": {id}}}"))
        }
        ("GET", "/events") => {
            // First into the list: what is published from now on is the reader's.
            let (sender, waiting) = channel();
            feed.lock().unwrap().readers.push(sender);
            // A proxy would wait until it has a buffer full.
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\
                 X-Accel-Buffering: no\r\nConnection: close\r\n\r\n"
            )?;
            loop {
                match waiting.recv_timeout(Duration::from_secs(1)) {
                    Ok(block) => stream.write_all(block.as_bytes())?,
                    // A comment shows every proxy on the way that this connection is in use. No reader
                    // sees it.
                    Err(RecvTimeoutError::Timeout) => stream.write_all(b":\n\n")?,
                    Err(RecvTimeoutError::Disconnected) => return Ok(()),
                }
            }
        }
        _ => answer(&mut stream, "404 Not Found", "{\"error\": \"there are only /publish and /events\"}"),
    }
}
