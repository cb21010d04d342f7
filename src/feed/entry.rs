//! An event in the log, with its encodings.

use std::{ops::Deref, sync::OnceLock};

use bytes::Bytes;

use crate::{encoding, event::Event};

/// An event and its text in each format, made when the first reader asks and shared by all others.
///
/// With a thousand readers an event would otherwise be formatted a thousand times.
#[derive(Debug)]
pub struct Entry {
    event: Event,
    sse: OnceLock<Bytes>,
    json: OnceLock<Bytes>,
}

impl Entry {
    pub(super) fn new(event: Event) -> Self {
        Entry { event, sse: OnceLock::new(), json: OnceLock::new() }
    }

    /// The block of `text/event-stream`, with its closing blank line.
    pub fn sse(&self) -> &Bytes {
        self.sse.get_or_init(|| encoding::sse_block(&self.event).into())
    }

    /// The JSON object; always UTF-8.
    pub fn json(&self) -> &Bytes {
        self.json.get_or_init(|| encoding::event_json(&self.event).into())
    }
}

impl Deref for Entry {
    type Target = Event;

    fn deref(&self) -> &Event {
        &self.event
    }
}
