//! The accept loop: from a listener to served connections, and to a bounded end.
//!
//! `axum::serve` would hide every knob that matters here: `TCP_NODELAY`, buffer sizes, the header time-out,
//! the number of connections, what happens at the descriptor limit, and how open streams come to an end.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

use axum::Router;
use bytes::Bytes;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use super::{
    State, app,
    config::Config,
    connection::{Connection, Cut, OnConnection, Wire},
    handover::{
        GiveBack, Writers,
        departure::{Departure, Gate},
    },
    memory::{self, Fullest},
    refusal::Refusal,
    second_origin,
    wire::Tap,
};

/// Connections over the limit that are being told so at the same time; those beyond are just closed.
/// Together with the limit they must fit into the process's descriptors, so this is part of the reserve.
pub(crate) const REFUSED_AT_A_TIME: usize = 64;

/// The pause after an accept that failed for want of descriptors or memory. Without one the loop would
/// spin, since the connection that could not be accepted is still there.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

const SECOND: Duration = Duration::from_secs(1);

/// How long a refused connection may take to read its answer.
const REFUSAL: Duration = Duration::from_secs(1);

/// How long cut connections have to notice, once the drain is over.
const ABORT: Duration = Duration::from_millis(200);

/// What hyper may buffer per connection in each direction, which also bounds a request's head. Its own
/// default of 400 KiB would let a stalled reader hold as much.
const BUFFER_BYTES: usize = 16 << 10;

/// How often idle channels are looked for, and memory that nobody uses.
const HOUSEKEEPING: Duration = Duration::from_secs(10);

/// Connections that the kernel completes and keeps until they are accepted; it may cap this further
/// (`net.core.somaxconn`). With the usual 128, readers that were all cut at once and come back in the same
/// moment overflow it: the kernel drops their SYNs, and they try again only a second later.
const BACKLOG: u32 = 4_096;

/// Listens on an address, with room for a crowd that connects in the same moment.
///
/// # Errors
/// Where the address can't be had.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // As the system's own servers do, so that a restart need not wait for old connections' TIME-WAIT. On
    // Windows the option means something else: two servers could share the port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What ends the connections of one accept loop.
#[derive(Debug, Clone)]
struct Ends {
    /// Asks every stream to come to its end.
    shutdown: CancellationToken,
    /// Drops what has not ended by itself.
    abort: CancellationToken,
    /// Everything that is still going on.
    tasks: TaskTracker,
}

/// Serves connections until `shutdown`, then lets open streams end and returns within
/// [`Config::drain`] and a little more, whatever clients do.
///
/// # Errors
/// Where the listener has no address, which an open one has.
pub async fn run(listener: TcpListener, state: State, shutdown: CancellationToken) -> io::Result<()> {
    state.answers_to(listener.local_addr()?);
    let limit = state.config().max_connections;
    let served = accept(listener, app(state.clone()), limit, state.clone(), shutdown).await;
    state.runs().end().await;
    served
}

/// Serves a second origin for pages of the first one to look at from outside: the streams of the tour
/// that other origins may read, may read with cookies, or may not read. Ends as [`run`] does.
///
/// # Errors
/// Where the listener has no address, which an open one has.
pub async fn run_second_origin(
    listener: TcpListener,
    state: State,
    shutdown: CancellationToken,
) -> io::Result<()> {
    state.answers_also_to(listener.local_addr()?);
    let limit = second_origin::MAX_CONNECTIONS.min(state.config().max_connections);
    accept(listener, second_origin::app(state.clone()), limit, state, shutdown).await
}

/// What it takes to serve a connection.
struct Serving {
    router: Router,
    state: State,
    ends: Ends,
    writers: Writers,
}

impl Serving {
    fn new(router: Router, state: State, ends: Ends) -> Arc<Self> {
        Arc::new_cyclic(|serving: &Weak<Serving>| {
            let serving = serving.clone();
            let give_back: Arc<GiveBack> = Arc::new(move |wire, connection, ahead| {
                // Without it the server has ended, and so does the connection.
                let Some(serving) = serving.upgrade() else { return };
                let tasks = serving.ends.tasks.clone();
                tasks.spawn(async move { serving.speak_http(wire, connection, ahead).await });
            });
            let (habits, tasks) = (state.habits(), ends.tasks.clone());
            let writers = Writers::start(habits, &ends.shutdown, &ends.abort, tasks, &give_back);
            Serving { router, state, ends, writers }
        })
    }
}

/// Accepts connections and serves them until `shutdown`.
async fn accept(
    listener: TcpListener,
    router: Router,
    limit: usize,
    state: State,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let ends = Ends { shutdown, abort: CancellationToken::new(), tasks: TaskTracker::new() };
    let places = Arc::new(Semaphore::new(limit));
    let refused = Arc::new(Semaphore::new(REFUSED_AT_A_TIME));
    let serving = Serving::new(router, state.clone(), ends.clone());
    let mut fullest = Fullest::default();
    let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
    loop {
        let tcp = tokio::select! {
            () = ends.shutdown.cancelled() => break,
            _ = housekeeping.tick() => {
                state.feed().collect_idle();
                state.wires().collect_idle();
                if let Some(doorways) = state.doorways() {
                    doorways.collect_idle(Instant::now());
                }
                if fullest.has_emptied(limit - places.available_permits()) {
                    memory::give_back();
                }
                continue;
            }
            accepted = listener.accept() => match accepted {
                Ok((tcp, _)) => tcp,
                Err(error) => {
                    if !is_about_one_connection(&error) {
                        tracing::warn!(%error, "can't accept connections; trying again shortly");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                    continue;
                }
            },
        };
        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            fullest.see(limit - places.available_permits());
            let serving = Arc::clone(&serving);
            ends.tasks.spawn(async move { serving.serve(tcp, place).await });
        } else if let Ok(place) = Arc::clone(&refused).try_acquire_owned() {
            ends.tasks.spawn(refuse(tcp, place, limit, ends.abort.clone()));
        }
    }
    drop(listener);
    state.sources().stop_all();
    ends.tasks.close();
    if tokio::time::timeout(state.config().drain, ends.tasks.wait()).await.is_err() {
        tracing::debug!(left = ends.tasks.len(), "connections that did not end by themselves are dropped");
        ends.abort.cancel();
        let _ = tokio::time::timeout(ABORT, ends.tasks.wait()).await;
    }
    // The writers have nothing left to write, but wait for the next stream.
    ends.abort.cancel();
    Ok(())
}

impl Serving {
    /// Serves one connection.
    async fn serve(&self, tcp: TcpStream, place: OwnedSemaphorePermit) {
        if let Err(error) = prepare(&tcp, self.state.config()) {
            tracing::debug!(%error, "connection lost before its first request");
            return;
        }
        let local = tcp.local_addr().ok();
        let cut = Arc::new(Cut::new(&self.ends.shutdown, &self.ends.abort));
        let tap = Arc::new(Tap::new(Arc::clone(self.state.wires())));
        let gate = Arc::<Gate>::default();
        let connection = Connection::new(Arc::clone(&cut), self.ends.tasks.clone(), local)
            .with(Arc::clone(&tap), Arc::clone(&gate));
        let wire = Wire::new(tcp, cut, tap, place);
        self.speak_http(wire, Arc::new(connection), Bytes::new()).await;
    }

    /// Speaks HTTP on a connection to its end, or until it leaves HTTP. What has been read of the next request
    /// already comes first.
    async fn speak_http(&self, wire: Wire, connection: Arc<Connection>, ahead: Bytes) {
        let config = self.state.config();
        let gate = connection.gate.clone().unwrap_or_default();
        let cut = Arc::clone(&connection.cut);
        // What came with the connection is the first request's bytes, and says nothing of any later one.
        let (asked, requests) = (ahead.clone(), AtomicUsize::new(0));
        let service = service_fn(|mut request: http::Request<Incoming>| {
            requests.fetch_add(1, Ordering::Relaxed);
            if let Some(tap) = connection.tap.as_ref().filter(|tap| tap.is_on()) {
                tap.begins(request.method() == http::Method::HEAD, self.state.wires().named_by(&request));
            }
            request.extensions_mut().insert(OnConnection(Arc::clone(&connection)));
            let (answering, gate) = (self.router.clone().oneshot(request), Arc::clone(&gate));
            Box::pin(async move {
                let answer = answering.await;
                if answer.as_ref().is_ok_and(|answer| gate.holds_back(answer)) {
                    std::future::pending::<()>().await;
                }
                answer
            })
        });
        let mut http = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(config.header_timeout)
            .max_buf_size(BUFFER_BYTES)
            .serve_connection(TokioIo::new(wire.in_http(Arc::clone(&gate), ahead)), service);
        let mut closing = false;
        loop {
            let over = poll_fn(|context| match http.poll_without_shutdown(context) {
                // To hyper an event stream's answer goes on, and a poll's has not begun, but it has no further
                // part in either.
                Poll::Pending if gate.is_open() => Poll::Ready(Ok(())),
                polled => polled,
            });
            tokio::select! {
                biased;
                () = cut.killed() => break,
                () = cut.closed(), if !closing => {
                    closing = true;
                    std::pin::Pin::new(&mut http).graceful_shutdown();
                }
                over = over => {
                    if let Err(error) = over {
                        // Clients come and go as they like; this is for somebody who is looking for it.
                        tracing::debug!(%error, "connection ended early");
                        return;
                    }
                    let parts = http.into_parts();
                    let (wire, unread) = parts.io.into_inner().departed();
                    let leftover = joined(parts.read_buf, unread);
                    match gate.take() {
                        Some(Departure::Stream(handed)) => {
                            let asked = (requests.load(Ordering::Relaxed) == 1).then_some(asked);
                            self.writers.take(wire, leftover, handed, Some(&connection), asked);
                        }
                        // Whoever waits for it is gone only if the server ends.
                        Some(Departure::Session(waiting)) => drop(waiting.send((wire, leftover))),
                        None => wire.finish(),
                    }
                    return;
                }
            }
        }
        cut.hold_if_silent(config.silence).await;
    }
}

/// What was read of a connection by one, and by another before who had read further.
fn joined(first: Bytes, second: Bytes) -> Bytes {
    if second.is_empty() { first } else { [first, second].concat().into() }
}

/// Sets on a socket what small, prompt writes and dead peers ask for.
fn prepare(tcp: &TcpStream, config: &Config) -> io::Result<()> {
    // Without it a small write can wait for the acknowledgement of the one before, up to 40 ms.
    tcp.set_nodelay(true)?;
    let socket = SockRef::from(tcp);
    // A peer that vanished in silence is noticed by probes while there is nothing to send, and by the
    // user time-out while there is. The latter exists on Linux only; elsewhere the retransmission limit
    // of the system applies, which is some minutes. It also ends a peer that is there but reads nothing at
    // all for as long; a slow one, which reads now and then, is kept.
    // The probes' times are in whole seconds, and none is an error.
    let (first, next) = (config.dead_after().max(SECOND), config.heartbeat.max(SECOND));
    let probes = TcpKeepalive::new().with_time(first).with_interval(next);
    socket.set_tcp_keepalive(&probes)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(config.dead_after()))?;
    Ok(())
}

/// Tells a connection over the limit so. It is not served by hyper: whatever it asks, this is the answer.
async fn refuse(mut tcp: TcpStream, place: OwnedSemaphorePermit, limit: usize, abort: CancellationToken) {
    let body = Refusal::busy(format!(
        "all {limit} connections are in use: try again later, or start the server with a larger --max-connections"
    ))
    .json();
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: {}\r\nretry-after: 5\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let exchange = async {
        tcp.write_all(answer.as_bytes()).await?;
        tcp.shutdown().await?;
        // A socket that is closed with unread data is reset, and a reset may overtake the answer.
        let mut discarded = [0_u8; 1024];
        while tcp.read(&mut discarded).await? > 0 {}
        io::Result::Ok(())
    };
    tokio::select! {
        () = abort.cancelled() => {}
        _ = tokio::time::timeout(REFUSAL, exchange) => tracing::debug!("connection over the limit refused"),
    }
    drop(place);
}

/// Errors of `accept` that say something about the connection that was to be accepted, not about us.
fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
