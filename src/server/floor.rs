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

use bytes::{BufMut as _, BytesMut};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    event::Cursor,
    feed::{Batch, Feed, Follower, ReadLimit},
};

/// What the server sends once the subscription stands; no event is as long.
pub const SUBSCRIBED: u32 = u32::MAX;

/// The longest line that a client may send, with its LF.
const LINE_BYTES: u64 = 128;

/// How long a client may take to send it.
const LINE_WITHIN: Duration = Duration::from_secs(10);

/// Connections at a time; those beyond are closed.
const MAX_CONNECTIONS: usize = 4_096;

/// The pause after an accept that failed, as in the HTTP server.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves the floor until `shutdown`.
///
/// # Errors
/// None at present; connections that fail are dropped.
pub async fn run(listener: TcpListener, feed: Arc<Feed>, shutdown: CancellationToken) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let tasks = TaskTracker::new();
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
        let (feed, shutdown) = (Arc::clone(&feed), shutdown.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                served = serve(tcp, &feed) => if let Err(error) = served {
                    tracing::debug!(%error, "floor connection ended");
                },
            }
            drop(place);
        });
    }
    tasks.close();
    tasks.wait().await;
    Ok(())
}

async fn serve(tcp: TcpStream, feed: &Feed) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let mut tcp = BufReader::with_capacity(LINE_BYTES as usize, tcp);
    let mut line = String::new();
    let mut limited = (&mut tcp).take(LINE_BYTES);
    tokio::time::timeout(LINE_WITHIN, limited.read_line(&mut line)).await??;
    let mut follower = subscribe(feed, &line).map_err(io::Error::other)?;
    tcp.write_u32(SUBSCRIBED).await?;
    let mut unexpected = [0_u8; 64];
    loop {
        let batch = tokio::select! {
            batch = follower.next() => batch,
            // The client has nothing more to say, so this is where its leaving is seen.
            read = tcp.read(&mut unexpected) => match read? {
                0 => return Ok(()),
                _ => continue,
            },
        };
        if batch.gap.is_some() {
            return Err(io::Error::other("the log no longer reaches back to the reader"));
        }
        tcp.write_all(&frames(&batch)).await?;
    }
}

/// The reader that a client's line asks for.
fn subscribe(feed: &Feed, line: &str) -> Result<Follower, Box<dyn std::error::Error + Send + Sync>> {
    let line = line.strip_suffix('\n').ok_or("the line is too long or broke off")?;
    let line = line.strip_suffix('\r').unwrap_or(line);
    let (name, after) = match line.split_once(' ') {
        Some((name, after)) => (name, Some(after.parse::<Cursor>()?)),
        None => (line, None),
    };
    Ok(feed.channel(&name.parse()?)?.follow(after, ReadLimit::default())?)
}

fn frames(batch: &Batch) -> BytesMut {
    let size = batch.entries.iter().map(|entry| entry.data.len() + 4).sum();
    let mut frames = BytesMut::with_capacity(size);
    for entry in &batch.entries {
        // A channel's bound in bytes is far below 4 GiB, and so is each event in it.
        frames.put_u32(u32::try_from(entry.data.len()).unwrap_or(SUBSCRIBED - 1));
        frames.put_slice(entry.data.as_bytes());
    }
    frames
}
