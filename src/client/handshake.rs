//! A stream for the time of a WebSocket's handshake.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::link::Counted;

/// What an answer begins with behind which the protocol changes.
const SWITCHES: &[u8] = b"HTTP/1.1 101";

/// The end of a head.
const END: &[u8] = b"\r\n\r\n";

/// A stream on which nothing behind the head of a 101 is read, since whoever shakes hands would keep it. Any other
/// answer is read whole.
#[derive(Debug)]
pub(super) struct Handshake<'a> {
    stream: &'a mut Counted,
    /// What has been read of the head; `None` once it is whole, or where nothing is to be held back.
    head: Option<Vec<u8>>,
    ahead: Vec<u8>,
}

impl<'a> Handshake<'a> {
    /// Over a stream that nothing has been read from. Where `holds_back` is false it is that stream and no more.
    pub(super) fn over(stream: &'a mut Counted, holds_back: bool) -> Self {
        Handshake { stream, head: holds_back.then(Vec::new), ahead: Vec::new() }
    }

    /// The stream, and what has been read behind the head.
    pub(super) fn end(self) -> (&'a mut Counted, Vec<u8>) {
        (self.stream, self.ahead)
    }
}

impl AsyncRead for Handshake<'_> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut *this.stream).poll_read(cx, buffer))?;
        let Some(head) = &mut this.head else { return Poll::Ready(Ok(())) };
        head.extend_from_slice(&buffer.filled()[before..]);
        let end = head.windows(END.len()).position(|window| window == END);
        let Some(end) = end.filter(|_| head.starts_with(SWITCHES)) else { return Poll::Ready(Ok(())) };
        this.ahead = head.split_off(end + END.len());
        this.head = None;
        buffer.set_filled(buffer.filled().len() - this.ahead.len());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Handshake<'_> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.get_mut().stream).poll_shutdown(cx)
    }
}
