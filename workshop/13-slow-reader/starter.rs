//! Whatever is published goes to every reader at once.

#[path = "../lib/plain_http.rs"]
mod plain_http;

use std::{
    env,
    io::{self, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        mpsc::{Sender, channel},
    },
    thread,
};

use plain_http::{Request, answer};

/// The number of events so far, and each reader's queue.
#[derive(Default)]
struct Feed {
    count: usize,
    readers: Vec<Sender<Arc<str>>>,
}

impl Feed {
    fn send(&mut self, block: &Arc<str>) {
        // Whose thread has ended is forgotten.
        self.readers.retain(|waiting| waiting.send(Arc::clone(block)).is_ok());
    }
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
            feed.send(&format!("id: {id}\ndata: {}\n\n", request.body).into());
            drop(feed);
            answer(&mut stream, "201 Created", &format!("{{\"id\": {id}}}"))
        }
        ("GET", "/events") => {
            // First into the list: what is published from now on is the reader's.
            let (sender, waiting) = channel();
            feed.lock().unwrap().readers.push(sender);
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nConnection: close\r\n\r\n"
            )?;
            // This thread waits for this reader, and for nobody else.
            for block in waiting {
                stream.write_all(block.as_bytes())?;
            }
            Ok(())
        }
        _ => answer(&mut stream, "404 Not Found", "{\"error\": \"there are only /publish and /events\"}"),
    }
}
