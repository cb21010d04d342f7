//! A board of notices: a reader's question waits until there is news.

#[path = "../lib/plain_http.rs"]
mod plain_http;

use std::{
    env, io,
    net::{TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::Duration,
};

use plain_http::{Request, answer, quoted};

/// What was published, and a bell for those who wait; an event's id is its place, counted from one.
#[derive(Default)]
struct Board {
    events: Mutex<Vec<String>>,
    news: Condvar,
}

fn main() -> io::Result<()> {
    let board = Arc::new(Board::default());
    let port = env::var("PORT").unwrap_or("3000".to_string());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    println!("listening on http://127.0.0.1:{port}");
    for stream in listener.incoming() {
        let (stream, board) = (stream?, Arc::clone(&board));
        // An error here means that whoever asked has gone away.
        thread::spawn(move || serve(stream, &board));
    }
    Ok(())
}

fn serve(mut stream: TcpStream, board: &Board) -> io::Result<()> {
    let request = Request::read(&stream)?;
    match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/publish") => {
            let mut events = board.events.lock().unwrap();
            events.push(request.body);
            let id = events.len();
            drop(events);
            board.news.notify_all();
            answer(&mut stream, "201 Created", &format!("{{\"id\": {id}}}"))
        }
        ("GET", "/poll") => {
            let after = request.number("after").unwrap_or(0) as usize;
            let wait = Duration::from_secs(request.number("wait").unwrap_or(0));
            let events = board.events.lock().unwrap();
            // What came between two polls is there already: nobody waits for it.
            let (events, _) =
                board.news.wait_timeout_while(events, wait, |events| events.len() <= after).unwrap();
            let (cursor, json) = (events.len().max(after), told(&events, after));
            drop(events);
            answer(&mut stream, "200 OK", &format!("{{\"cursor\": {cursor}, \"events\": [{json}]}}"))
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
