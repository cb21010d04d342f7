//! The bound: a reader that does nothing but read.
//!
//! One thread waits for a thousand sockets at once and reads whichever has something into the same memory,
//! which it does not look at. Hardly any client of these sockets can cost less, whatever it is written in, so this is
//! what a client is to be held against: nearly all of it is the kernel's own work for a receiver (wake it, copy,
//! acknowledge).

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
};

use mio::{Events, Interest, Poll, Token, Waker};
use pushlab::transport::Transport;
use tokio::sync::watch;

const WAKE: Token = Token(usize::MAX);

/// More than a sign of life, less than an event.
const EVENT_BYTES: usize = 64;

/// A thread that reads.
pub(crate) struct Bare {
    waker: Waker,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Bare {
    /// Opens so many streams, and reads them. What has been read is told as a count of rounds: the first once
    /// all are open, one more whenever each has read an event.
    pub(crate) fn start(
        address: SocketAddr,
        transport: Transport,
        readers: u64,
        rounds: watch::Sender<u64>,
    ) -> io::Result<Bare> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let mut streams = Vec::new();
        for number in 0..readers {
            let mut stream = mio::net::TcpStream::from_std(open(address, transport)?);
            poll.registry().register(&mut stream, Token(number as usize), Interest::READABLE)?;
            streams.push(stream);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let count = Arc::new(AtomicU64::new(readers));
        rounds.send_replace(1);
        let thread = std::thread::spawn({
            let stop = Arc::clone(&stop);
            move || read(poll, streams, readers, &count, &rounds, &stop)
        });
        Ok(Bare { waker, stop, thread: Some(thread) })
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let _ = self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn read(
    mut poll: Poll,
    mut streams: Vec<mio::net::TcpStream>,
    readers: u64,
    count: &AtomicU64,
    rounds: &watch::Sender<u64>,
    stop: &AtomicBool,
) {
    let mut events = Events::with_capacity(1_024);
    let mut memory = vec![0; 64 << 10];
    while !stop.load(Ordering::Acquire) {
        if poll.poll(&mut events, None).is_err() {
            continue;
        }
        for event in &events {
            let Some(stream) = streams.get_mut(event.token().0) else { continue };
            // A read that does not fill the memory has emptied the socket.
            if stream.read(&mut memory).is_ok_and(|read| read > EVENT_BYTES) {
                let count = count.fetch_add(1, Ordering::Relaxed) + 1;
                if count.is_multiple_of(readers) {
                    rounds.send_replace(count / readers);
                }
            }
        }
    }
}

/// A stream whose opening has been read.
fn open(address: SocketAddr, transport: Transport) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let (path, upgrade, opened) = match transport {
        Transport::WebSocket => (
            "websocket",
            "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
            &b"\"cursor\":"[..],
        ),
        _ => ("sse", "", &b"id: "[..]),
    };
    write!(stream, "GET /channels/bench/{path} HTTP/1.1\r\nhost: {address}\r\n{upgrade}\r\n")?;
    let (mut answer, mut piece) = (Vec::new(), [0; 1_024]);
    while !answer.windows(opened.len()).any(|window| window == opened) {
        match stream.read(&mut piece)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => answer.extend_from_slice(&piece[..read]),
        }
    }
    stream.set_nonblocking(true)?;
    Ok(stream)
}
