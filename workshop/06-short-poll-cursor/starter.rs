//! A board of notices: whoever likes publishes one, and readers ask for them now and then.

#[path = "../lib/plain_http.rs"]
mod plain_http;

use std::{
    env, io,
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use plain_http::{Request, answer, quoted};

/// What was published; an event's id is its place, counted from one.
type Events = Arc<Mutex<Vec<String>>>;

fn main() -> io::Result<()> {
    let events = Events::default();
    let port = env::var("PORT").unwrap_or("3000".to_string());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    println!("listening on http://127.0.0.1:{port}");
    for stream in listener.incoming() {
        let (stream, events) = (stream?, Arc::clone(&events));
        // An error here means that whoever asked has gone away.
        thread::spawn(move || serve(stream, &events));
    }
    Ok(())
}

fn serve(mut stream: TcpStream, events: &Events) -> io::Result<()> {
    let request = Request::read(&stream)?;
    match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/publish") => {
            let mut events = events.lock().unwrap();
            events.push(request.body);
            let id = events.len();
            drop(events);
            answer(&mut stream, "201 Created", &format!("{{\"id\": {id}}}"))
        }
        ("GET", "/poll") => {
            let json = told(&events.lock().unwrap(), 0);
            answer(&mut stream, "200 OK", &format!("{{\"events\": [{json}]}}"))
        }
        _ => answer(&mut stream, "404 Not Found", "{\"error\": \"there are only /publish and /poll\"}"),
    }
}

/// The events after this id, as the elements of a list in JSON.
fn told(events: &[String], after: usize) -> String {
    let numbered = events.iter().zip(1..).skip(after);
    let each = numbered.map(|(data, id)| format!("{{\"id\": {id}, \"data\": {}}}", quoted(data)));
    each.collect::<Vec<_>>().join(", ")
}
