//! A room that remembers: what one reader says, all of them get as an event, and who was away gets it later.

#[path = "../lib/plain_http.rs"]
mod plain_http;
#[path = "../lib/websocket.rs"]
mod websocket;

use std::{
    env,
    io::{self, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
};

use plain_http::{Request, answer, quoted};
use websocket::{Incoming, Message};

/// What was said, and a bell for those who wait; an event's id is its place, counted from one.
#[derive(Default)]
struct Room {
    events: Mutex<Vec<Arc<str>>>,
    news: Condvar,
}

fn main() -> io::Result<()> {
    let room = Arc::new(Room::default());
    let port = env::var("PORT").unwrap_or("3000".to_string());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    println!("listening on http://127.0.0.1:{port}");
    for stream in listener.incoming() {
        let (stream, room) = (stream?, Arc::clone(&room));
        // An error here means that this reader has gone away.
        thread::spawn(move || serve(stream, &room));
    }
    Ok(())
}

fn serve(mut stream: TcpStream, room: &Arc<Room>) -> io::Result<()> {
    let request = Request::read(&stream)?;
    let ("/ws", Some(key)) = (request.path.as_str(), request.header("sec-websocket-key")) else {
        return answer(&mut stream, "404 Not Found", "{\"error\": \"there is only /ws, a WebSocket\"}");
    };
    let cursor = room.cursor(request.number("after"));
    websocket::accept(&mut stream, key)?;
    // Two threads write to it, and a frame must not begin in the middle of another.
    let writer = Arc::new(Mutex::new(stream.try_clone()?));
    let (teller, its_room) = (Arc::clone(&writer), Arc::clone(room));
    thread::spawn(move || tell(&teller, &its_room, cursor));
    let ended = listen(Incoming::new(stream), &writer, room);
    // The other thread sees this when it writes the next time.
    writer.lock().unwrap().shutdown(Shutdown::Both)?;
    ended
}

impl Room {
    /// How many events a reader has had who comes back after this id; all of them where it is no id of ours.
    fn cursor(&self, after: Option<u64>) -> usize {
        let count = self.events.lock().unwrap().len();
        after.map(|after| after as usize).filter(|after| *after <= count).unwrap_or(count)
    }

    fn say(&self, text: &str) {
        let mut events = self.events.lock().unwrap();
        let id = events.len() + 1;
        events.push(format!("{{\"id\": {id}, \"data\": {}}}", quoted(text)).into());
        self.news.notify_all();
    }
}

fn listen(mut incoming: Incoming, writer: &Mutex<TcpStream>, room: &Room) -> io::Result<()> {
    loop {
        match incoming.message()? {
            Message::Text(text) => room.say(&text),
            Message::Ping(payload) => writer.lock().unwrap().write_all(&Message::Pong(payload).frame())?,
            Message::Close(payload) => {
                return writer.lock().unwrap().write_all(&Message::Close(payload).frame());
            }
            Message::Binary(_) | Message::Pong(_) => {}
        }
    }
}

/// Sends what comes after the first so many: old events and new ones alike, so that there is no seam.
fn tell(writer: &Mutex<TcpStream>, room: &Room, mut count: usize) -> io::Result<()> {
    loop {
        let events = room.events.lock().unwrap();
        let events = room.news.wait_while(events, |events| events.len() <= count).unwrap();
        let news = events[count..].to_vec();
        // Nobody waits for the lock while this one writes.
        drop(events);
        count += news.len();
        for event in news {
            writer.lock().unwrap().write_all(&Message::Text(event.to_string()).frame())?;
        }
    }
}
