//! A feed of notices. A reader who was cut off says which one came last, and misses none.

#[path = "../lib/plain_http.rs"]
mod plain_http;

use std::{
    env,
    io::{self, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        mpsc::{self, Sender},
    },
    thread,
};

use plain_http::{Request, answer};

#[derive(Default)]
struct Feed {
    /// An event's id is its place here, counted from one.
    events: Vec<Arc<str>>,
    /// Where to put what is to be sent to each.
    readers: Vec<Sender<(usize, Arc<str>)>>,
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
            let data = Arc::from(request.body);
            feed.events.push(Arc::clone(&data));
            let id = feed.events.len();
            // Whoever has gone away takes nothing any more.
            feed.readers.retain(|reader| reader.send((id, Arc::clone(&data))).is_ok());
            drop(feed);
            answer(&mut stream, "201 Created", &format!("{{\"id\": {id}}}"))
        }
        ("GET", "/events") => {
            let last = request.header("last-event-id").and_then(|id| id.parse().ok());
            let (sender, inbox) = mpsc::channel();
            // Under one lock, so that no event falls between the old ones and the new.
            let mut feed = feed.lock().unwrap();
            let now = feed.events.len();
            // Whoever comes without an id, or with one that never was, begins at the present.
            let begin = last.filter(|&last| last <= now).unwrap_or(now);
            for (data, id) in feed.events.iter().zip(1..).skip(begin) {
                let _ = sender.send((id, Arc::clone(data)));
            }
            feed.readers.push(sender);
            drop(feed);
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nConnection: close\r\n\r\n"
            )?;
            for (id, data) in inbox {
                stream.write_all(format!("id: {id}\ndata: {data}\n\n").as_bytes())?;
            }
            Ok(())
        }
        _ => answer(&mut stream, "404 Not Found", "{\"error\": \"there are only /publish and /events\"}"),
    }
}
