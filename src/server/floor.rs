//! The bare TCP floor: a channel's events over a TCP stream with nothing in between.
//!
//! It is no transport of the lab but what the others are measured against: the same payload under the same
//! schedule, without HTTP, ids, types or heartbeats.
//!
//! 1. The client sends one line, `<channel>` or `<channel> <after-cursor>`, and LF: at most 128 bytes,
//!    within ten seconds.
//! 2. The server answers with the four bytes `FF FF FF FF`: subscribed. Every event that is published
//!    after the client has read them reaches it.
//! 3. For each event follow the length of its data in bytes, as a big-endian `u32`, and the data. All that
//!    is pending at a wake-up goes out in one write.
//!
//! A line that is not understood, a cursor that is ahead, a gap: the connection is closed, since there is no
//! frame that could say so and the floor never skips events silently.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Config,
    connection::Wire,
    handover::{Format, GiveBack, Habits, Handed, Writers},
};
use crate::{
    event::Cursor,
    feed::{Feed, ReadLimit},
};

/// What the server sends once the subscription stands; no event is as long.
pub const SUBSCRIBED: u32 = u32::MAX;

/// The longest line that a client may send, with its LF.
const LINE_BYTES: u64 = 128;

/// How long a client may take to send it.
const LINE_WITHIN: Duration = Duration::from_secs(10);

/// Connections at a time; those beyond are closed.
const MAX_CONNECTIONS: usize = 16_384;

/// The pause after an accept that failed, as in the HTTP server.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves the floor until `shutdown`.
///
/// # Errors
/// None at present; connections that fail are dropped.
pub async fn run(listener: TcpListener, feed: Arc<Feed>, shutdown: CancellationToken) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let tasks = TaskTracker::new();
    // There is no way to say goodbye, so streams end when the server does.
    let nothing_is_given_back: Arc<GiveBack> = Arc::new(|_, _, _| {});
    let writers = Writers::start(
        Habits::of(&Config::default()),
        &shutdown,
        &shutdown,
        tasks.clone(),
        &nothing_is_given_back,
    );
    let writers = Arc::new(writers);
    loop {
        let tcp = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((tcp, _)) => tcp,
                Err(error) => {
                    tracing::warn!(%error, "can't accept connections; trying again shortly");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let (feed, writers, shutdown) = (Arc::clone(&feed), Arc::clone(&writers), shutdown.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                begun = begin(tcp, place, &feed, &writers) => if let Err(error) = begun {
                    tracing::debug!(%error, "floor connection ended before it was subscribed");
                },
            }
        });
    }
    tasks.close();
    tasks.wait().await;
    Ok(())
}

/// Reads the client's line and hands the connection over.
async fn begin(
    tcp: TcpStream,
    place: OwnedSemaphorePermit,
    feed: &Feed,
    writers: &Writers,
) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let mut tcp = BufReader::with_capacity(LINE_BYTES as usize, tcp);
    let mut line = String::new();
    let mut limited = (&mut tcp).take(LINE_BYTES);
    tokio::time::timeout(LINE_WITHIN, limited.read_line(&mut line)).await??;
    let handed = subscribe(feed, &line).map_err(io::Error::other)?;
    // The client has nothing more to say.
    writers.take(Wire::bare(tcp.into_inner(), place), Bytes::new(), handed, None, None);
    Ok(())
}

/// The stream that a client's line asks for.
fn subscribe(feed: &Feed, line: &str) -> Result<Handed, Box<dyn std::error::Error + Send + Sync>> {
    let line = line.strip_suffix('\n').ok_or("the line is too long or broke off")?;
    let line = line.strip_suffix('\r').unwrap_or(line);
    let (name, after) = match line.split_once(' ') {
        Some((name, after)) => (name, Some(after.parse::<Cursor>()?)),
        None => (line, None),
    };
    let channel = feed.channel(&name.parse()?)?;
    let cursor = channel.follow(after, ReadLimit::default())?.cursor();
    let opening = Bytes::copy_from_slice(&SUBSCRIBED.to_be_bytes());
    Ok(Handed { opening, ..Handed::new(channel, Format::Floor, cursor) })
}
