//! The design that channels with cursors avoid, for comparison: a queue for each reader, without bound.
//!
//! It is how an event stream is often written: on publishing, the event is put in the queue of every
//! subscriber, and a task per subscriber writes its queue to its connection. While a reader does not read,
//! its queue grows. Here it reads the same feed as the server under test, in the same process, so that
//! nothing but the queues differs. It serves `GET /channels/{channel}/sse` and nothing else, and no program
//! but the harness starts it.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::feed::{Feed, Follower, ReadLimit};

/// The longest request head.
const HEAD_BYTES: u64 = 8 << 10;

/// The pause after an accept that failed, as in the HTTP server.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What every reader is greeted with.
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-store\r\nconnection: close\r\n\r\n";

/// Serves readers until `shutdown`.
pub async fn run(listener: TcpListener, feed: Arc<Feed>, shutdown: CancellationToken) {
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((tcp, _)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (feed, shutdown) = (Arc::clone(&feed), shutdown.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                served = serve(tcp, &feed) => if let Err(error) = served {
                    tracing::debug!(%error, "a queueing connection ended");
                },
            }
        });
    }
    tasks.close();
    tasks.wait().await;
}

async fn serve(tcp: TcpStream, feed: &Feed) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let mut tcp = BufReader::new(tcp);
    let mut follower = subscribe(feed, &request_line(&mut tcp).await?).map_err(io::Error::other)?;
    tcp.write_all(HEAD).await?;
    let (queue, mut queued) = mpsc::unbounded_channel::<Bytes>();
    let fill = async {
        loop {
            for entry in follower.next().await.entries {
                // A copy for each reader, as a server makes that formats what it puts in a queue.
                if queue.send(Bytes::copy_from_slice(entry.sse())).is_err() {
                    return Ok(());
                }
            }
        }
    };
    let drain = async {
        while let Some(block) = queued.recv().await {
            tcp.write_all(&block).await?;
        }
        io::Result::Ok(())
    };
    tokio::select! {
        filled = fill => filled,
        drained = drain => drained,
    }
}

/// Reads a request head and gives its first line.
async fn request_line(tcp: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut head = tcp.take(HEAD_BYTES);
    let (mut first, mut line) = (String::new(), String::new());
    head.read_line(&mut first).await?;
    while head.read_line(&mut line).await? > 2 {
        line.clear();
    }
    Ok(first)
}

fn subscribe(feed: &Feed, line: &str) -> Result<Follower, Box<dyn std::error::Error + Send + Sync>> {
    let path = line.split(' ').nth(1).unwrap_or_default();
    let name = path.strip_prefix("/channels/").and_then(|rest| rest.strip_suffix("/sse"));
    let name = name.ok_or("the queueing variant serves /channels/{channel}/sse only")?;
    Ok(feed.channel(&name.parse()?)?.follow(None, ReadLimit::default())?)
}
