//! The wire view: the bytes of a page's own connections, as the server sees them pass.
//!
//! A page asks for a session, whose name nobody can guess, and adds it as the query `wire=` to its own
//! requests. Connections on which such a request is at hand are tapped, in both directions, from the first
//! byte of its head on; the stream that tells the page about it never is.
//!
//! | file | what it does |
//! | --- | --- |
//! | `tap` | decides, request by request, whose bytes these are |
//! | `message`, `events`, `frames` | sort bytes into layers as they pass: HTTP, event streams, WebSocket |
//! | `secrets` | what no page is shown |
//! | `layer` | the layers, and runs of bytes |
//! | `session` | what a page may still see, bounded; what has passed, counted |
//! | `endpoints` | how a page asks and is told |
//!
//! While no session lives, a connection pays one load per read and write.

pub(crate) mod endpoints;
mod events;
mod frames;
mod layer;
mod message;
mod secrets;
mod session;
mod tap;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use http::Request;
use parking_lot::Mutex;

pub(crate) use self::{frames::Boundary, tap::Tap};
use self::{
    layer::{Layer, Piece, hex},
    session::Session,
};
use crate::clock::{Clock, Timestamp};

/// Sessions at a time.
const MAX_SESSIONS: usize = 64;

/// All sessions.
#[derive(Debug)]
pub(crate) struct Wires {
    clock: Clock,
    /// What changing things needs, which is not to be seen.
    token: Option<String>,
    /// Which stretch of time with sessions this is; 0 while there are none.
    epoch: AtomicU64,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    epochs: u64,
    sessions: HashMap<String, Arc<Session>>,
}

impl Wires {
    pub(crate) fn new(clock: Clock, token: Option<String>) -> Self {
        Wires { clock, token, epoch: AtomicU64::new(0), table: Mutex::default() }
    }

    /// The session that a request names, unless it is the request for its stream.
    pub(crate) fn named_by<B>(&self, request: &Request<B>) -> Option<Arc<Session>> {
        if self.epoch() == 0 || request.uri().path().starts_with("/wire/") {
            return None;
        }
        let query = request.uri().query()?;
        let (_, name) = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "wire")?;
        self.session(&name)
    }

    /// Ends sessions that nobody reads.
    pub(crate) fn collect_idle(&self) {
        self.table.lock().retain(&self.epoch, |session| !session.is_idle(Instant::now()));
    }

    fn session(&self, name: &str) -> Option<Arc<Session>> {
        self.table.lock().sessions.get(name).cloned()
    }

    /// A new session's name, of 128 random bits; `None` where there are too many.
    fn open(&self) -> Option<String> {
        let mut table = self.table.lock();
        table.retain(&self.epoch, |session| !session.is_idle(Instant::now()));
        if table.sessions.len() >= MAX_SESSIONS {
            return None;
        }
        if table.sessions.is_empty() {
            table.epochs += 1;
            self.epoch.store(table.epochs, Ordering::Relaxed);
        }
        let name = hex(&rand::random::<[u8; 16]>());
        table.sessions.insert(name.clone(), Arc::new(Session::new()));
        Some(name)
    }

    fn end(&self, name: &str) {
        let mut table = self.table.lock();
        if let Some(session) = table.sessions.get(name).cloned() {
            table.retain(&self.epoch, |other| !Arc::ptr_eq(other, &session));
        }
    }

    /// Relaxed is enough: a request that names a session is sent after its name was handed out over another
    /// connection, which orders the two.
    fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Hides what is not to be shown to a class.
    fn without_secrets(&self, mut pieces: Vec<Piece>) -> Vec<Piece> {
        for piece in pieces.iter_mut().filter(|piece| piece.layer == Layer::Head) {
            secrets::hide(&mut piece.bytes, self.token.as_deref());
        }
        pieces
    }
}

impl Table {
    fn retain(&mut self, epoch: &AtomicU64, stays: impl Fn(&Arc<Session>) -> bool) {
        self.sessions.retain(|_, session| {
            let stays = stays(session);
            if !stays {
                session.end();
            }
            stays
        });
        if self.sessions.is_empty() {
            epoch.store(0, Ordering::Relaxed);
        }
    }
}
