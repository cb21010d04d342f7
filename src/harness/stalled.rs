//! Readers that open a stream and then never read from it.
//!
//! Their part is played by bare connections: what is measured is the server, and what it holds for them.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// How long an opening may take.
const OPENS_WITHIN: Duration = Duration::from_secs(10);

/// Why a stalled reader could not open.
#[derive(Debug, thiserror::Error)]
pub enum NotOpen {
    /// The system's word.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The server said something else than 200.
    #[error("the server answered {0:?}")]
    Refused(String),
    /// The server said nothing.
    #[error("no answer within {} s", OPENS_WITHIN.as_secs())]
    Late,
}

/// Opens `readers` streams on a channel by SSE, reads each one's response head, and reads no more. Dropping
/// them closes them.
///
/// # Errors
/// Where one of them can't be opened.
pub async fn open(server: SocketAddr, channel: &str, readers: u32) -> Result<Vec<TcpStream>, NotOpen> {
    let mut all = Vec::new();
    for _ in 0..readers {
        let opened = tokio::time::timeout(OPENS_WITHIN, open_one(server, channel));
        all.push(opened.await.map_err(|_| NotOpen::Late)??);
    }
    Ok(all)
}

async fn open_one(server: SocketAddr, channel: &str) -> Result<TcpStream, NotOpen> {
    let mut tcp = TcpStream::connect(server).await?;
    let request = format!(
        "GET /channels/{channel}/sse HTTP/1.1\r\nHost: {server}\r\nAccept: text/event-stream\r\n\r\n"
    );
    tcp.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    // Byte by byte, so that nothing behind the head is read.
    while !head.ends_with(b"\r\n\r\n") && head.len() < 8 << 10 {
        head.push(tcp.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head);
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) == Some("200") { Ok(tcp) } else { Err(NotOpen::Refused(status.to_owned())) }
}
