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
    /// How many events there were; an event's id is its number, counted from one.
    count: usize,
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
            let data: Arc<str> = Arc::from(request.body);
            feed.count += 1;
            let id = feed.count;
            // Whoever has gone away takes nothing any more.
            feed.readers.retain(|reader| reader.send((id, Arc::clone(&data))).is_ok());
            drop(feed);
            answer(&mut stream, "201 Created", &format!("{{\"id\": {id}}}"))
        }
        ("GET", "/events") => {
            let (sender, inbox) = mpsc::channel();
            feed.lock().unwrap().readers.push(sender);
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
