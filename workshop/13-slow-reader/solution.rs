//! Whatever is published goes to every reader at once, and nobody waits for a reader who does not read.

#[path = "../lib/plain_http.rs"]
mod plain_http;

use std::{
    env,
    io::{self, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        mpsc::{SyncSender, sync_channel},
    },
    thread,
};

use plain_http::{Request, answer};

/// How many events may wait for a reader.
const MOST_WAITING: usize = 16;

/// The number of events so far, and the readers: each one's queue and connection.
#[derive(Default)]
struct Feed {
    count: usize,
    readers: Vec<(SyncSender<Arc<str>>, TcpStream)>,
}

impl Feed {
    fn send(&mut self, block: &Arc<str>) {
        self.readers.retain(|(waiting, connection)| {
            let taken = waiting.try_send(Arc::clone(block)).is_ok();
            if !taken {
                // Who is that far behind is cut off, and can come back for what was missed. This ends the
                // write for which the reader's thread waits.
                let _ = connection.shutdown(Shutdown::Both);
            }
            taken
        });
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
            let (sender, waiting) = sync_channel(MOST_WAITING);
            feed.lock().unwrap().readers.push((sender, stream.try_clone()?));
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
