//! A stream of texts: whoever likes publishes one, and all readers get it.

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
struct Readers {
    count: u64,
    senders: Vec<Sender<String>>,
}

fn main() -> io::Result<()> {
    let readers = Arc::new(Mutex::new(Readers::default()));
    let port = env::var("PORT").unwrap_or("3000".to_string());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    println!("listening on http://127.0.0.1:{port}");
    for stream in listener.incoming() {
        let (stream, readers) = (stream?, Arc::clone(&readers));
        // An error here means that whoever asked has gone away.
        thread::spawn(move || serve(stream, &readers));
    }
    Ok(())
}

fn serve(mut stream: TcpStream, readers: &Mutex<Readers>) -> io::Result<()> {
    let request = Request::read(&stream)?;
    match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/publish") => {
            let mut readers = readers.lock().unwrap();
            readers.count += 1;
            let id = readers.count;
            // Who can't be sent to any more has gone away.
            readers.senders.retain(|sender| sender.send(event(&request.body)).is_ok());
            drop(readers);
            answer(&mut stream, "201 Created", &format!("{{\"id\": {id}}}"))
        }
        ("GET", "/events") => {
            let (sender, events) = mpsc::channel();
            readers.lock().unwrap().senders.push(sender);
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nConnection: close\r\n\r\n"
            )?;
            for event in events {
                stream.write_all(event.as_bytes())?;
            }
            Ok(())
        }
        _ => answer(&mut stream, "404 Not Found", "{\"error\": \"there are only /publish and /events\"}"),
    }
}

/// One event of the stream.
fn event(data: &str) -> String {
    format!("data: {data}\n\n")
}
