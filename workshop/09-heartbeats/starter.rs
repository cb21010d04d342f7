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
        mpsc::{self, Receiver, Sender},
    },
    thread,
};

use plain_http::{Request, answer};

#[derive(Default)]
struct Feed {
    /// By number: where to put what is to be sent.
    readers: HashMap<String, Sender<String>>,
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
            all.readers.insert(number.clone(), sender);
            drop(all);
            let ended = events(stream, &number, &inbox);
            feed.lock().unwrap().readers.remove(&number);
            ended
        }
        ("POST", "/publish") => {
            let all = feed.lock().unwrap();
            for reader in all.readers.values() {
                // Whoever has gone away takes nothing any more.
                let _ = reader.send(request.body.clone());
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
            "{\"error\": \"there are only /events, /publish and /readers\"}",
        ),
    }
}

/// Streams until the reader has gone away.
fn events(mut stream: TcpStream, number: &str, inbox: &Receiver<String>) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nConnection: close\r\n\r\n"
    )?;
    write!(stream, "event: hello\ndata: {number}\n\n")?;
    for data in inbox {
        write!(stream, "data: {data}\n\n")?;
    }
    Ok(())
}
