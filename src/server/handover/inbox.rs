//! What a writer is told by others, and how it is woken.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Wake, Waker},
};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

use super::Arrival;

/// Whom to look at. A note is a hint and no more: what is really the matter is seen when looking, so a note
/// about somebody who has left meanwhile does no harm to whoever has the place now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Note {
    /// A socket can be read or written again, an answer is ready, or the stream is cut.
    Stream(u32),
    /// A channel has new events.
    Crowd(u32),
}

/// Where notes are left for a writer.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    post: Mutex<Post>,
    writer: AtomicWaker,
    /// Streams that the writer has or is about to have.
    streams: AtomicUsize,
}

/// What has been left and not been taken up yet.
#[derive(Debug, Default)]
pub(super) struct Post {
    pub(super) arrived: Vec<Arrival>,
    pub(super) notes: Vec<Note>,
    closed: bool,
}

impl Inbox {
    /// Hands a stream to the writer. One that has ended drops it, and with it the connection.
    pub(super) fn hand(&self, arrival: Arrival) {
        {
            let mut post = self.post.lock();
            if post.closed {
                return;
            }
            self.streams.fetch_add(1, Ordering::Relaxed);
            post.arrived.push(arrival);
        }
        self.writer.wake();
    }

    fn leave(&self, note: Note) {
        self.post.lock().notes.push(note);
        self.writer.wake();
    }

    /// Sees to it that the writer is woken for whatever is left from here on.
    pub(super) fn register(&self, writer: &Waker) {
        self.writer.register(writer);
    }

    /// Takes everything; `empty` is left in its place, so that its memory is used again.
    pub(super) fn take(&self, empty: Post) -> Post {
        mem::replace(&mut *self.post.lock(), empty)
    }

    /// Takes nothing up any more.
    pub(super) fn close(&self) -> Post {
        mem::replace(&mut *self.post.lock(), Post { closed: true, ..Post::default() })
    }

    /// A stream has ended.
    pub(super) fn left(&self) {
        self.streams.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many streams the writer has.
    pub(super) fn streams(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
    }
}

/// A waker that leaves a note, at most one at a time: a socket that becomes readable and writable at once is
/// looked at once.
#[derive(Debug)]
pub(super) struct Bell {
    inbox: Arc<Inbox>,
    note: Note,
    rung: AtomicBool,
}

impl Bell {
    pub(super) fn new(inbox: &Arc<Inbox>, note: Note) -> Arc<Self> {
        Arc::new(Bell { inbox: Arc::clone(inbox), note, rung: AtomicBool::new(false) })
    }

    /// To be called before looking: what happens from here on rings again.
    pub(super) fn answer(&self) {
        self.rung.store(false, Ordering::SeqCst);
    }

    /// Leaves the note, where it isn't there already.
    pub(super) fn ring(&self) {
        if !self.rung.swap(true, Ordering::SeqCst) {
            self.inbox.leave(self.note);
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bell_leaves_one_note_until_it_is_answered() {
        let inbox = Arc::new(Inbox::default());
        let bell = Bell::new(&inbox, Note::Stream(7));
        bell.ring();
        bell.ring();
        assert_eq!(inbox.take(Post::default()).notes, [Note::Stream(7)]);
        bell.ring();
        assert!(inbox.take(Post::default()).notes.is_empty(), "not answered yet");
        bell.answer();
        bell.ring();
        assert_eq!(inbox.take(Post::default()).notes, [Note::Stream(7)]);
    }
}
