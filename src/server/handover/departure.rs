//! The moment at which HTTP lets go of a connection.
//!
//! For a WebSocket there is such a moment in the protocol: the answer 101. For an event stream there is none:
//! to HTTP its answer has begun and goes on. So its body, once hyper has taken the opening from it, has
//! nothing more to give, and says so at the [`Gate`]; and when hyper has then flushed what it held, head and
//! opening are with the kernel and hyper's buffers are empty. Whatever follows can be written by anybody who
//! keeps to the transfer coding that the head announced.
//!
//! For a poll that waits it is before the answer: its head is known and held back, as the length of the body
//! is not. Hyper has then written nothing, and nothing is left in its buffers either once it has flushed what
//! came before. Such a connection comes back to it for the next request.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
};

use axum::response::Response;
use bytes::{BufMut as _, Bytes, BytesMut};
use http::{StatusCode, header};
use http_body::{Body, Frame};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::Handed;
use crate::server::connection::Wire;

/// Where a connection goes that HTTP lets go of.
#[derive(Debug)]
pub(crate) enum Departure {
    /// To a writer.
    Stream(Handed),
    /// To a task that waits for it, with what hyper has read ahead.
    Session(oneshot::Sender<(Wire, Bytes)>),
}

/// The body has given everything; hyper may hold some of it.
const GIVEN: u8 = 1;
/// Hyper holds nothing any more.
const FLUSHED: u8 = 2;

/// What a connection's answers say to the task that drives hyper: where the connection is to go.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    departure: Mutex<Option<Departure>>,
    /// Zero before anything has been given.
    progress: AtomicU8,
}

impl Gate {
    /// The connection goes there once the answer at hand has changed its protocol.
    pub(crate) fn after_upgrade(&self, departure: Departure) {
        *self.departure.lock() = Some(departure);
    }

    /// The connection goes there as soon as hyper's buffers are empty.
    fn after_flush(&self, departure: Departure) {
        *self.departure.lock() = Some(departure);
        self.progress.store(GIVEN, Ordering::Release);
    }

    /// The connection goes there if the answer at hand is held back.
    pub(crate) fn if_held_back(&self, departure: Departure) {
        *self.departure.lock() = Some(departure);
    }

    /// Whether the answer at hand is to be held back, for somebody else to give under its head.
    pub(crate) fn holds_back(&self, response: &Response) -> bool {
        let mut departure = self.departure.lock();
        let Some(Departure::Stream(Handed { waits: Some(waits), .. })) = &mut *departure else {
            return false;
        };
        if response.status() != StatusCode::OK {
            // Something went wrong on the answer's way out.
            *departure = None;
            return false;
        }
        waits.head = head(response);
        self.progress.store(GIVEN, Ordering::Release);
        true
    }

    /// Hyper flushes its stream, which it does when it has written all that it held.
    pub(crate) fn flushes(&self) {
        if self.progress.load(Ordering::Acquire) == GIVEN {
            self.progress.store(FLUSHED, Ordering::Release);
        }
    }

    /// Whether hyper can be left in the middle of an answer.
    pub(crate) fn is_open(&self) -> bool {
        self.progress.load(Ordering::Acquire) == FLUSHED
    }

    /// Where the connection goes, if anywhere. The gate is closed again behind it.
    pub(crate) fn take(&self) -> Option<Departure> {
        self.progress.store(0, Ordering::Release);
        self.departure.lock().take()
    }
}

/// An answer's head as far as it is known before its body: without what tells the length, and without the
/// date, which hyper would add last.
fn head(response: &Response) -> Bytes {
    let mut head = BytesMut::with_capacity(128);
    head.put_slice(b"HTTP/1.1 200 OK\r\n");
    for (name, value) in response.headers() {
        if ![header::CONTENT_LENGTH, header::TRANSFER_ENCODING].contains(name) {
            head.put_slice(name.as_str().as_bytes());
            head.put_slice(b": ");
            head.put_slice(value.as_bytes());
            head.put_slice(b"\r\n");
        }
    }
    head.freeze()
}

/// The body of an event stream's answer, as far as hyper sees it: the opening.
#[derive(Debug)]
pub(crate) struct Opening {
    opening: Option<Bytes>,
    leaves: Option<(Arc<Gate>, Handed)>,
}

impl Opening {
    pub(crate) fn new(opening: Bytes, gate: Arc<Gate>, handed: Handed) -> Self {
        Opening { opening: Some(opening), leaves: Some((gate, handed)) }
    }
}

impl Body for Opening {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(opening) = self.opening.take() {
            return Poll::Ready(Some(Ok(Frame::data(opening))));
        }
        // Nobody is woken for a body that ends elsewhere. An answer to `HEAD` never gets here, so its
        // connection stays with hyper and goes on.
        if let Some((gate, handed)) = self.leaves.take() {
            gate.after_flush(Departure::Stream(handed));
        }
        Poll::Pending
    }
}
