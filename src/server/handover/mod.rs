//! The fast path: streams that HTTP has let go of.
//!
//! A stream's answer begins with a head and then never ends. Up to the head HTTP is all that matters, and
//! hyper knows it; from there on a reader is a socket, a cursor and nothing else. So once the head is
//! written, hyper hands the socket over, and the connection's task ends. From then on the socket belongs to
//! a *writer*: one task per core that owns thousands of them.
//!
//! ```text
//!  accept ─ task per connection ─ hyper ─ handler: where does the reader stand?
//!                                   │
//!                                   │ head written: `into_parts`
//!                                   ▼
//!  publish ─ rings ─▶ writer (one per core)
//!                       crowd "lab, SSE":   the run after cursor 41, joined once ─▶ write, write, write…
//!                       crowd "lab, WebSocket": …
//! ```
//!
//! What this saves, compared with the plain way (`sse::EventStream`, `websocket::Session`: a task per reader, as most
//! servers do it):
//!
//! - **Waking.** A publish rings one bell per crowd and not one per reader: no task is scheduled, queued,
//!   taken from the queue and polled through five layers of futures in order to write a hundred bytes.
//! - **Joining.** Readers of a channel nearly all stand at the same place. The run of events after that
//!   place is joined, with the chunk's or the frames' headers, once per crowd ([`runs`]); each reader's share
//!   is one system call from the same memory.
//! - **Memory.** A task with hyper's state machine, a read buffer and a head buffer, a timer and a
//!   cancellation that waits: all that goes with the connection's task. What stays is one small struct.
//!
//! A long poll that waits is served so too, as a stream that ends with its first run: its answer is that run, with
//! the head that HTTP would have given it. Then its connection waits again where the next request is the same but for
//! the cursor (`again`), and goes back to HTTP with any other (`poll`).
//!
//! What a socket is asked for is kept to the least: it is written to without asking whether it has room, and
//! only one that has none, or has something to be read, rings ([`inbox`]).
//!
//! Nobody waits for anybody. In each turn a crowd's next few members get what they lack, up to the limit of
//! one batch each; then it is the next crowd's turn. A reader whose socket is full is left alone until it
//! has room, and is then served by itself from where it stands. Whoever it is, it costs its cursor and the
//! one run that waits for its socket.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `departure` | the moment at which hyper lets go |
//! | `inbox` | how a writer is told and woken |
//! | `writer`, `places` | the task: takes notes up, goes its rounds |
//! | `attend` | what it does for one stream |
//! | `crowd` | the readers of one channel who are told the same |
//! | `format`, `runs` | events as bytes on the wire; runs of them, shared |
//! | `stream` | one socket, its cursor, and what it has not taken yet |
//! | `talk` | the other direction of a WebSocket |
//! | `poll` | what is different with a poll: its answer, and the way back to HTTP |
//! | `again` | the same poll once more, without HTTP |
//! | `wheel` | heartbeats and limits of time, with one timer for all |

mod again;
mod attend;
mod crowd;
pub(crate) mod departure;
mod format;
mod inbox;
mod places;
mod poll;
mod runs;
mod stream;
mod talk;
mod wheel;
mod writer;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};
use tungstenite::protocol::WebSocketConfig;

pub(crate) use self::{
    format::{Format, text_frame},
    poll::Waits,
};
use self::{inbox::Inbox, writer::Writer};
use super::{
    config::Config,
    connection::{Connection, Wire},
    readers::Reader,
    upgrade,
};
use crate::{
    event::Cursor,
    feed::{Channel, ReadLimit},
};

/// What all streams of a server have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Habits {
    /// How often a silent stream gets a sign of life.
    pub(crate) heartbeat: Duration,
    /// How long a peer that takes nothing is believed in.
    pub(crate) dead_after: Duration,
    /// How long a silenced connection is kept.
    pub(crate) silence: Duration,
    /// How long a connection may lie idle between two polls.
    pub(crate) idle: Duration,
    /// What a reader gets at a time.
    pub(crate) limit: ReadLimit,
    /// What WebSocket clients may send.
    pub(crate) protocol: WebSocketConfig,
}

impl Habits {
    pub(crate) fn of(config: &Config) -> Self {
        Habits {
            heartbeat: config.heartbeat,
            dead_after: config.dead_after(),
            silence: config.silence,
            idle: config.header_timeout,
            limit: config.write_batch,
            protocol: upgrade::protocol(config),
        }
    }
}

/// A stream to come: what a handler knows of it.
#[derive(Debug)]
pub(crate) struct Handed {
    pub(crate) channel: Arc<Channel>,
    pub(crate) format: Format,
    /// Where its reader stands.
    pub(crate) cursor: Cursor,
    /// Its place among the counted ones.
    pub(crate) reader: Option<Reader>,
    /// What it is told before anything else.
    pub(crate) opening: Bytes,
    /// Whether its client may publish.
    pub(crate) may_publish: bool,
    /// What a poll waits for; a stream goes on without end.
    pub(crate) waits: Option<Waits>,
}

impl Handed {
    /// One that is told nothing but events, and is counted nowhere.
    pub(crate) fn new(channel: Arc<Channel>, format: Format, cursor: Cursor) -> Self {
        Handed {
            channel,
            format,
            cursor,
            reader: None,
            opening: Bytes::new(),
            may_publish: false,
            waits: None,
        }
    }
}

/// A stream that has been let go of.
#[derive(Debug)]
struct Arrival {
    wire: Wire,
    handed: Handed,
    /// What was read ahead of the client's words.
    leftover: Bytes,
    /// What HTTP knows of the connection, where it is to come back.
    connection: Option<Arc<Connection>>,
    /// The request that HTTP let go in the middle of, where that is known to the byte.
    asked: Option<Bytes>,
    tracked: TaskTrackerToken,
}

/// Gives a connection back to HTTP, in a task of its own.
pub(crate) type GiveBack = dyn Fn(Wire, Arc<Connection>, Bytes) + Send + Sync;

/// Up to so many streams stay with one writer: waking a second one for a few sockets costs more than it
/// saves.
const TOGETHER: usize = 64;

/// The writers of a server.
#[derive(Debug)]
pub(crate) struct Writers {
    inboxes: Vec<Arc<Inbox>>,
    tracker: TaskTracker,
}

impl Writers {
    /// Starts a writer for each core that the runtime uses. `shutdown` asks streams to come to their end,
    /// each in its own way; `abort` drops what is left. Each stream counts as one of `tracker`'s tasks.
    pub(crate) fn start(
        habits: Habits,
        shutdown: &CancellationToken,
        abort: &CancellationToken,
        tracker: TaskTracker,
        give_back: &Arc<GiveBack>,
    ) -> Self {
        let cores = tokio::runtime::Handle::current().metrics().num_workers();
        let inboxes: Vec<_> = (0..cores).map(|_| Arc::<Inbox>::default()).collect();
        for inbox in &inboxes {
            let give_back = Arc::clone(give_back);
            let writer = Writer::new(Arc::clone(inbox), habits, shutdown.clone(), abort.clone(), give_back);
            // Its turns are bounded by what it has written, which says more than the runtime's count of polls.
            tokio::spawn(tokio::task::unconstrained(writer));
        }
        Writers { inboxes, tracker }
    }

    /// Takes a stream over, or a poll until its connection's next request that is not as the one before, which it
    /// `asked`.
    pub(crate) fn take(
        &self,
        wire: Wire,
        leftover: Bytes,
        handed: Handed,
        connection: Option<&Arc<Connection>>,
        asked: Option<Bytes>,
    ) {
        let connection = connection.filter(|_| handed.waits.is_some()).cloned();
        let tracked = self.tracker.token();
        let idlest = || self.inboxes.iter().min_by_key(|inbox| inbox.streams());
        let roomy = self.inboxes.iter().find(|inbox| inbox.streams() < TOGETHER).or_else(idlest);
        if let Some(inbox) = roomy {
            inbox.hand(Arrival { wire, handed, leftover, connection, asked, tracked });
        }
    }
}
