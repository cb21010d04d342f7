//! A TCP stream that counts.

use std::{
    cell::RefCell,
    io,
    net::{Ipv4Addr, Shutdown, SocketAddr},
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll, ready},
    time::Duration,
};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::TcpStream,
};

use super::{
    head::HeadScanner,
    meter::Meter,
    source::{self, Sources},
    tally::Tally,
    tcp_info,
};
use crate::clock::{Clock, Timestamp};

/// What is read at a time into shared memory.
const SHARED_BYTES: usize = 64 << 10;

/// A client's TCP stream whose every byte is counted, and whose connection stays on the [`Meter`]'s
/// account when it is gone.
#[derive(Debug)]
pub struct Counted {
    stream: TcpStream,
    meter: Arc<Meter>,
    tally: Arc<Tally>,
    clock: Clock,
    /// HTTP's heads, from the first one that is expected until what follows is let go of. A stream behind them is
    /// read without a look at these.
    heads: Option<Box<Heads>>,
}

/// What is known of HTTP's heads in both directions.
#[derive(Debug, Default)]
struct Heads {
    incoming: HeadScanner,
    outgoing: HeadScanner,
    /// Nothing further is read for now: the head is over, and what follows is held back.
    is_behind: bool,
    /// What was read behind it.
    held: Vec<u8>,
}

impl Counted {
    /// Connects, with Nagle's algorithm off. A failed attempt is counted too.
    ///
    /// # Errors
    /// What the system says: refused, unreachable, timed out.
    pub async fn connect(address: SocketAddr, clock: Clock, meter: &Arc<Meter>) -> io::Result<Counted> {
        static SOURCES: Sources = Sources::new();
        let socket = SOURCES.connect(address, |source| begin(address, source))?;
        let stream = TcpStream::from_std(socket.into())?;
        let tally = Arc::new(Tally::new(address.ip().to_canonical().is_ipv6(), clock.now()));
        meter.add(&tally, tcp_info::id_of(&stream));
        let counted = Counted { stream, meter: Arc::clone(meter), tally, clock, heads: None };
        counted.stream.writable().await?;
        if let Some(error) = counted.stream.take_error()? {
            return Err(error);
        }
        counted.tally.established.store(true, Relaxed);
        Ok(counted)
    }

    /// The counters of this connection.
    pub fn tally(&self) -> Arc<Tally> {
        Arc::clone(&self.tally)
    }

    /// When bytes were last read; before the first ones, when the connection was begun.
    pub fn read_at(&self) -> Timestamp {
        self.tally.read_at()
    }

    /// Takes what was read behind a head and held back; what comes further is no longer held. No further head is
    /// expected until the next request begins.
    pub fn take_held(&mut self) -> Vec<u8> {
        self.tally.let_through();
        self.heads.take().map(|heads| heads.held).unwrap_or_default()
    }

    /// Reads what has come into memory that all connections of this thread share, and hands it to `take`
    /// before anything else is read there, with the moment at which it was read. No bytes are the end. One call is
    /// one system call: a read that does not fill the memory has emptied the socket.
    ///
    /// A buffer for each of ten thousand connections would be most of what they cost, and would be out of the
    /// processor's cache whenever it is read into.
    pub fn poll_read_shared<R>(
        &mut self,
        cx: &mut Context<'_>,
        take: impl FnOnce(Timestamp, &[u8]) -> R,
    ) -> Poll<io::Result<R>> {
        thread_local! {
            static MEMORY: RefCell<Vec<u8>> = RefCell::new(vec![0; SHARED_BYTES]);
        }
        MEMORY.with_borrow_mut(|memory| {
            let mut buffer = ReadBuf::new(memory);
            ready!(Pin::new(&mut *self).poll_read(cx, &mut buffer))?;
            Poll::Ready(Ok(take(self.tally.read_at(), buffer.filled())))
        })
    }

    /// Ends the connection in an orderly way: says that nothing more will come, and waits for at most
    /// `patience` until the other side has said the same, so that its last bytes, both FINs and their
    /// ACKs are counted.
    pub async fn close(mut self, patience: Duration) {
        self.tally.let_through();
        if let Some(heads) = &mut self.heads {
            (heads.is_behind, heads.held) = (false, Vec::new());
        }
        let farewell = async {
            self.shutdown().await?;
            let mut rest = [0_u8; 4096];
            while self.read(&mut rest).await? > 0 {}
            Ok::<_, io::Error>(())
        };
        // Whether it worked makes no difference: the connection is over either way.
        let _ = tokio::time::timeout(patience, farewell).await;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // The FIN goes out here and not with the socket's own end, so that it is counted. An error says
        // that there is no connection any more.
        let _ = SockRef::from(&self.stream).shutdown(Shutdown::Write);
        // Fields are dropped after this, so the socket is still open.
        self.meter.retire(&self.tally);
    }
}

/// A socket that is about to be connected, from this address where one is given.
fn begin(address: SocketAddr, source: Option<Ipv4Addr>) -> io::Result<Socket> {
    // Not `TcpStream::connect`, which drops the socket of a failed attempt before the kernel can be
    // asked what its SYNs weighed.
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(source) = source {
        source::bind(&socket, source)?;
    }
    match socket.connect(&address.into()) {
        Err(error) if !is_in_progress(&error) => Err(error),
        _ => Ok(socket),
    }
}

#[cfg(unix)]
fn is_in_progress(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINPROGRESS)
}

#[cfg(not(unix))]
fn is_in_progress(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

impl AsyncRead for Counted {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(heads) = &mut this.heads {
            if heads.is_behind {
                if this.tally.holds_behind_head.load(Relaxed) {
                    // Whoever lets it through reads on by itself: nobody has to be woken.
                    return Poll::Pending;
                }
                heads.is_behind = false;
            }
            if !heads.held.is_empty() {
                let now = heads.held.len().min(buffer.remaining());
                buffer.put_slice(&heads.held[..now]);
                heads.held.drain(..now);
                return Poll::Ready(Ok(()));
            }
        }
        let (before, tally) = (buffer.filled().len(), &*this.tally);
        // Asked for before the system is, so that the processor has fetched it when it is wanted behind that.
        let read_before = tally.application_in.load(Relaxed);
        ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
        let read = &buffer.filled()[before..];
        if read.is_empty() {
            tally.end_read.store(buffer.remaining() > 0, Relaxed);
            return Poll::Ready(Ok(()));
        }
        tally.read_at_ns.store(this.clock.now().as_nanos(), Relaxed);
        tally.application_in.store(read_before + read.len() as u64, Relaxed);
        if tally.head_expected_in.load(Relaxed) {
            tally.head_expected_in.store(false, Relaxed);
            this.heads.get_or_insert_default().incoming.expect();
        }
        let Some(heads) = &mut this.heads else { return Poll::Ready(Ok(())) };
        let of_head = heads.incoming.scan(read);
        Tally::raise(&tally.heads_in, of_head);
        if of_head > 0 && tally.holds_behind_head.load(Relaxed) && heads.incoming.begins_a_stream() {
            heads.is_behind = true;
            heads.held = read[of_head as usize..].to_vec();
            buffer.set_filled(before + of_head as usize);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(Pin::new(&mut this.stream).poll_write(cx, bytes))?;
        let tally = &this.tally;
        Tally::raise(&tally.application_out, written as u64);
        if tally.head_expected_out.load(Relaxed) {
            tally.head_expected_out.store(false, Relaxed);
            this.heads.get_or_insert_default().outgoing.expect();
        }
        if let Some(heads) = &mut this.heads {
            Tally::raise(&tally.heads_out, heads.outgoing.scan(&bytes[..written]));
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
