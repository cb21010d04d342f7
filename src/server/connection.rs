//! One TCP connection: the stream under HTTP, and the switch that cuts it from outside.
//!
//! A handler can end its own answer, but a reset or a silence happens below HTTP, to a stream that hyper
//! (or a WebSocket) owns. So each connection has a [`Cut`], two tokens that the task driving it watches; or,
//! where a writer owns it with many others, a waker that tells the writer to look at them.

use std::{
    io,
    net::{Shutdown, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use axum::extract::FromRequestParts;
use bytes::{Buf as _, Bytes};
use parking_lot::Mutex;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::OwnedSemaphorePermit,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    handover::departure::Gate,
    readers::{Full, Reader, Readers},
    wire::Tap,
};
use crate::{feed::ChannelName, transport::Transport};

/// What handlers know about the connection that a request came by.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Ends it from outside.
    pub(crate) cut: Arc<Cut>,
    /// Waits at shutdown for what outlives the HTTP connection: upgraded streams.
    pub(crate) tasks: TaskTracker,
    /// The address of this side, where it is known.
    pub(crate) local: Option<SocketAddr>,
    /// Shows what passes to the page that it belongs to, where our accept loop runs it.
    pub(crate) tap: Option<Arc<Tap>>,
    /// Where an answer says that the connection is to leave HTTP, where our accept loop runs it.
    pub(crate) gate: Option<Arc<Gate>>,
    /// A connection counts as a poller of the channel that it polled last, also between two polls.
    polling: Mutex<Option<Reader>>,
}

impl Connection {
    pub(crate) fn new(cut: Arc<Cut>, tasks: TaskTracker, local: Option<SocketAddr>) -> Self {
        Connection { cut, tasks, local, tap: None, gate: None, polling: Mutex::default() }
    }

    /// With a tap and a gate, which its stream has too.
    pub(crate) fn with(mut self, tap: Arc<Tap>, gate: Arc<Gate>) -> Self {
        (self.tap, self.gate) = (Some(tap), Some(gate));
        self
    }

    /// Takes note that the connection polls a channel.
    pub(crate) fn polls(
        &self,
        readers: &Arc<Readers>,
        channel: &ChannelName,
        transport: Transport,
    ) -> Result<(), Full> {
        let mut polling = self.polling.lock();
        if polling.as_ref().is_none_or(|reader| !reader.is(channel, transport)) {
            // The old place is given up first: a poller that changes its transport needs only one.
            *polling = None;
            *polling = Some(readers.join(channel, transport, Arc::clone(&self.cut))?);
        }
        Ok(())
    }

    /// Takes note that the connection does something other than polling.
    pub(crate) fn stops_polling(&self) {
        *self.polling.lock() = None;
    }
}

/// The connection as handlers are handed it. Where the router runs without our accept loop, as in a unit
/// test, it is one that nobody cuts.
#[derive(Debug, Clone)]
pub(crate) struct OnConnection(pub(crate) Arc<Connection>);

impl<S: Sync> FromRequestParts<S> for OnConnection {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut http::request::Parts, _: &S) -> Result<Self, Self::Rejection> {
        let detached = || {
            let cut = Cut::new(&CancellationToken::new(), &CancellationToken::new());
            OnConnection(Arc::new(Connection::new(Arc::new(cut), TaskTracker::new(), None)))
        };
        Ok(parts.extensions.get_or_insert_with(detached).clone())
    }
}

/// How a connection is cut below HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kill {
    /// Both sides are told at once: RST.
    Reset,
    /// Nobody is told and nothing passes any more.
    Silence,
}

const RESET: u8 = 1;
const SILENCE: u8 = 2;

/// Ends a connection from outside.
#[derive(Debug)]
pub(crate) struct Cut {
    close: CancellationToken,
    kill: CancellationToken,
    abort: CancellationToken,
    how: AtomicU8,
    /// Who else is to be told of a cut, besides those who wait for it.
    told: Mutex<Option<Waker>>,
}

impl Cut {
    /// Shutting the server down closes every connection, and its end kills what is left.
    pub(crate) fn new(shutdown: &CancellationToken, abort: &CancellationToken) -> Self {
        Cut {
            close: shutdown.child_token(),
            kill: abort.child_token(),
            abort: abort.clone(),
            how: AtomicU8::new(0),
            told: Mutex::default(),
        }
    }

    /// Asks whoever answers on the connection to come to an orderly end.
    pub(crate) fn close(&self) {
        self.close.cancel();
        self.wake();
    }

    /// Cuts below HTTP. The first cut stands.
    pub(crate) fn kill(&self, how: Kill) {
        let how = match how {
            Kill::Reset => RESET,
            Kill::Silence => SILENCE,
        };
        let _ = self.how.compare_exchange(0, how, Ordering::SeqCst, Ordering::SeqCst);
        self.kill.cancel();
        self.wake();
    }

    /// Wakes `waker` at each cut by an order, and not when the server shuts down; of several the last one. A
    /// cut from before is not told: look after this.
    pub(crate) fn tell(&self, waker: Waker) {
        *self.told.lock() = Some(waker);
    }

    /// Tells nobody any more.
    pub(crate) fn tell_nobody(&self) {
        *self.told.lock() = None;
    }

    fn wake(&self) {
        if let Some(waker) = &*self.told.lock() {
            waker.wake_by_ref();
        }
    }

    /// Whether an orderly end was asked for.
    pub(crate) fn is_closed(&self) -> bool {
        self.close.is_cancelled()
    }

    /// How the connection was cut below HTTP, if it was.
    pub(crate) fn kill_ordered(&self) -> Option<Kill> {
        match self.how.load(Ordering::SeqCst) {
            RESET => Some(Kill::Reset),
            SILENCE => Some(Kill::Silence),
            _ => None,
        }
    }

    /// What comes after a silence is a reset, since there is nothing left to say.
    pub(crate) fn silence_is_over(&self) {
        self.how.store(RESET, Ordering::SeqCst);
    }

    /// Waits until an orderly end is asked for.
    pub(crate) async fn closed(&self) {
        self.close.cancelled().await;
    }

    /// The same, to be kept.
    pub(crate) fn closed_owned(&self) -> tokio_util::sync::WaitForCancellationFutureOwned {
        self.close.clone().cancelled_owned()
    }

    /// Waits until the connection is cut below HTTP; its task then stops to drive it.
    pub(crate) async fn killed(&self) {
        self.kill.cancelled().await;
    }

    /// After a silence: keeps the caller, and with it the socket, until the silence is over or the server
    /// ends. Nobody drives the connection meanwhile, so nothing is read, written or closed; what comes
    /// after is a reset, since there is nothing left to say.
    pub(crate) async fn hold_if_silent(&self, silence: Duration) {
        if self.how.load(Ordering::SeqCst) != SILENCE {
            return;
        }
        let _ = tokio::time::timeout(silence, self.abort.cancelled()).await;
        self.silence_is_over();
    }
}

/// The TCP stream under hyper, and under whoever has it from hyper: it keeps the connection's place among the
/// counted ones, and on a reset it is dropped so that the peer gets an RST.
#[derive(Debug)]
pub(crate) struct Wire {
    tcp: TcpStream,
    /// None of the three has a stream that never was HTTP.
    cut: Option<Arc<Cut>>,
    tap: Option<Arc<Tap>>,
    gate: Option<Arc<Gate>>,
    /// What was read from the socket already, by whoever had it before.
    ahead: Bytes,
    _place: OwnedSemaphorePermit,
}

impl Wire {
    pub(crate) fn new(tcp: TcpStream, cut: Arc<Cut>, tap: Arc<Tap>, place: OwnedSemaphorePermit) -> Self {
        Wire { tcp, cut: Some(cut), tap: Some(tap), gate: None, ahead: Bytes::new(), _place: place }
    }

    /// A stream without HTTP.
    pub(crate) fn bare(tcp: TcpStream, place: OwnedSemaphorePermit) -> Self {
        Wire { tcp, cut: None, tap: None, gate: None, ahead: Bytes::new(), _place: place }
    }

    /// The stream has left HTTP, with what HTTP has not read of what it was given.
    pub(crate) fn departed(mut self) -> (Self, Bytes) {
        self.gate = None;
        let ahead = std::mem::take(&mut self.ahead);
        (self, ahead)
    }

    /// The stream is HTTP's, which is to read first what has been read ahead.
    pub(crate) fn in_http(mut self, gate: Arc<Gate>, ahead: Bytes) -> Self {
        (self.gate, self.ahead) = (Some(gate), ahead);
        self
    }

    /// What ends it from outside.
    pub(crate) fn cut(&self) -> Option<&Arc<Cut>> {
        self.cut.as_ref()
    }

    /// Writes as much as there is room for, at once.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.tcp.try_write(bytes)?;
        if let Some(tap) = self.tap() {
            tap.wrote(&bytes[..written]);
        }
        Ok(written)
    }

    /// Whether a write may find room; if not, the task is woken when it may.
    pub(crate) fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp.poll_write_ready(context)
    }

    /// Closes our side: FIN, after what was written.
    pub(crate) fn finish(&self) {
        // It can only fail on a socket whose peer is gone already.
        let _ = SockRef::from(&self.tcp).shutdown(Shutdown::Write);
    }

    /// Whether anybody looks at what passes.
    pub(crate) fn is_watched(&self) -> bool {
        self.tap().is_some()
    }

    /// The tap, while anybody looks.
    fn tap(&self) -> Option<&Tap> {
        self.tap.as_deref().filter(|tap| tap.is_on())
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if let Some(tap) = &self.tap {
            tap.closes();
        }
        if self.cut.as_ref().is_some_and(|cut| cut.kill_ordered() == Some(Kill::Reset)) {
            // A socket that lingers for no time is not closed but aborted. It can only fail on a socket
            // that is gone already.
            let _ = self.tcp.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            // The tap has seen these.
            let fits = self.ahead.len().min(buf.remaining());
            buf.put_slice(&self.ahead[..fits]);
            self.ahead.advance(fits);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.tcp).poll_read(cx, buf);
        if buf.filled().len() > before
            && let Some(tap) = self.tap()
        {
            tap.read(&buf.filled()[before..]);
        }
        polled
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.tcp).poll_write(cx, buf);
        if let Poll::Ready(Ok(written)) = polled
            && let Some(tap) = self.tap()
        {
            tap.wrote(&buf[..written]);
        }
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs);
        if let Poll::Ready(Ok(mut written)) = polled
            && let Some(tap) = self.tap()
        {
            for buf in bufs {
                let here = written.min(buf.len());
                tap.wrote(&buf[..here]);
                written -= here;
            }
        }
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(gate) = &self.gate {
            gate.flushes();
        }
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
