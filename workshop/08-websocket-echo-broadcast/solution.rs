//! A room: what one reader says, all of them hear, the one who said it too.

#[path = "../lib/plain_http.rs"]
mod plain_http;
#[path = "../lib/websocket.rs"]
mod websocket;

use std::{
    collections::HashMap,
    env,
    io::{self, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use plain_http::{Request, answer};
use websocket::{Incoming, Message};

/// Who is here, by the address that each comes from. The lock also keeps the frames of two threads apart.
type Room = Mutex<HashMap<SocketAddr, TcpStream>>;

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

fn serve(mut stream: TcpStream, room: &Room) -> io::Result<()> {
    let request = Request::read(&stream)?;
    let ("/ws", Some(key)) = (request.path.as_str(), request.header("sec-websocket-key")) else {
        return answer(&mut stream, "404 Not Found", "{\"error\": \"there is only /ws, a WebSocket\"}");
    };
    // One who does not read may hold up the others for a while, and not for ever.
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    let name = stream.peer_addr()?;
    {
        // Nobody says anything in between: who has been answered is to hear all that is said from then on.
        let mut room = room.lock().unwrap();
        websocket::accept(&mut stream, key)?;
        room.insert(name, stream.try_clone()?);
    }
    let ended = talk(Incoming::new(stream), name, room);
    room.lock().unwrap().remove(&name);
    ended
}

fn talk(mut incoming: Incoming, name: SocketAddr, room: &Room) -> io::Result<()> {
    loop {
        let message = incoming.message()?;
        let mut room = room.lock().unwrap();
        match message {
            Message::Text(_) | Message::Binary(_) => {
                let frame = message.frame();
                for reader in room.values_mut() {
                    send(reader, &frame);
                }
            }
            Message::Ping(payload) => send(room.get_mut(&name).unwrap(), &Message::Pong(payload).frame()),
            Message::Pong(_) => {}
            Message::Close(payload) => {
                send(room.get_mut(&name).unwrap(), &Message::Close(payload).frame());
                return Ok(());
            }
        }
    }
}

/// Whoever can't be sent to is let go of: then the thread that reads from there ends too.
fn send(reader: &mut TcpStream, frame: &[u8]) {
    if reader.write_all(frame).is_err() {
        let _ = reader.shutdown(Shutdown::Both);
    }
}
