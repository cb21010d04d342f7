//! A server whose every byte is scripted, for judging clients.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{Instant, timeout},
};

/// A client may take so long to send a request's head, and to end after the server has.
const PATIENCE: Duration = Duration::from_secs(20);
const HEAD_BYTES: usize = 64 * 1024;
/// A client that asks more often than this in one case gets no answer any more.
const REQUESTS: usize = 2000;

/// A request that came.
#[derive(Debug, Clone)]
pub(super) struct Heard {
    /// Which it was, from 0.
    pub(super) number: usize,
    /// When its head was complete.
    pub(super) at: Instant,
    /// Its path with the query.
    pub(super) path: String,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
}

impl Heard {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What the server does on a connection, one after the other. After the last it ends it in an orderly way.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// Sends bytes.
    Send(Vec<u8>),
    /// Sends bytes in pieces of so many, each by itself on the wire.
    Pieces(Vec<u8>, usize),
    /// Waits.
    Pause(Duration),
    /// Waits until this turns true, so that many connections go on at the same moment.
    Until(watch::Receiver<bool>),
    /// Stays, without a word, until the client ends.
    Linger,
    /// Ends the connection by a reset.
    Reset,
}

impl Act {
    /// The head of an event stream whose end is that of the connection.
    pub(super) fn stream_head() -> Act {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\
                    Connection: close\r\n\r\n";
        Act::Send(head.into())
    }

    /// An answer with a status and no body.
    pub(super) fn status(status: &str, headers: &str) -> Act {
        let length = if status.starts_with("204") { "" } else { "Content-Length: 0\r\n" };
        Act::Send(format!("HTTP/1.1 {status}\r\n{headers}{length}Connection: close\r\n\r\n").into())
    }
}

/// A running scripted server. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Scripted {
    /// Its address, as a URL with a path.
    pub(super) url: String,
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Heard>>>,
    task: JoinHandle<()>,
}

impl Scripted {
    /// Starts a server that answers each request as `script` says.
    pub(super) async fn start(
        script: impl Fn(&Heard) -> Vec<Act> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let url = format!("http://{address}/events");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (known, script) = (Arc::clone(&requests), Arc::new(script));
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                        connections.spawn(converse(stream, Arc::clone(&known), Arc::clone(&script)));
                    },
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        Ok(Scripted { url, address, requests, task })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests so far.
    pub(super) fn requests(&self) -> Vec<Heard> {
        self.requests.lock().clone()
    }

    /// Waits until so many requests have come; `false` where they do not in time.
    pub(super) async fn wait_for_requests(&self, count: usize, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        while self.requests.lock().len() < count {
            if Instant::now() > deadline {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        true
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn converse<S>(mut stream: TcpStream, requests: Arc<Mutex<Vec<Heard>>>, script: Arc<S>)
where
    S: Fn(&Heard) -> Vec<Act>,
{
    let _ = stream.set_nodelay(true);
    let Ok(Some(head)) = timeout(PATIENCE, head(&mut stream)).await else { return };
    let heard = {
        let mut requests = requests.lock();
        if requests.len() >= REQUESTS {
            return;
        }
        let heard = parse(&head, requests.len());
        requests.push(heard.clone());
        heard
    };
    // A client that has gone away ends the conversation, and that is the judge's business, not the script's.
    let _ = act(stream, script(&heard)).await;
}

async fn act(mut stream: TcpStream, acts: Vec<Act>) -> io::Result<()> {
    for act in acts {
        match act {
            Act::Send(bytes) => timeout(PATIENCE, stream.write_all(&bytes)).await??,
            Act::Pieces(bytes, size) => {
                for piece in bytes.chunks(size) {
                    timeout(PATIENCE, stream.write_all(piece)).await??;
                    // Without a pause the kernel would join the pieces again.
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            Act::Pause(time) => tokio::time::sleep(time).await,
            // Who would have turned it has gone away: then there is nothing to wait for.
            Act::Until(mut open) => drop(open.wait_for(|open| *open).await),
            Act::Linger => return drain(&mut stream).await,
            Act::Reset => return stream.set_zero_linger(),
        }
    }
    stream.shutdown().await?;
    // Closing with unread bytes would be a reset, which may overtake what was sent.
    drain(&mut stream).await
}

async fn drain(stream: &mut TcpStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    while timeout(PATIENCE, stream.read(&mut buffer)).await?? > 0 {}
    Ok(())
}

async fn head(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while !bytes.windows(4).any(|four| four == b"\r\n\r\n") {
        if bytes.len() > HEAD_BYTES || stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(bytes)
}

fn parse(head: &[u8], number: usize) -> Heard {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    let path = lines.next().unwrap_or_default().split(' ').nth(1).unwrap_or_default().to_owned();
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers =
        headers.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned())).collect();
    Heard { number, at: Instant::now(), path, headers }
}
