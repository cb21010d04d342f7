//! The tap on a connection: it passes bytes on to the session whose page sent the request at hand.
//!
//! Which page a request is from is known once its head has been read, so while any session lives, what a
//! connection reads is held until its request is taken up: then it goes to the session that the request
//! names, or nowhere. A browser shares its connections between pages, so each request decides anew, and no
//! page sees another's. Browsers send no request before the answer to the one before has begun; for a
//! client that does, what it sent ahead counts with the request that is taken up next.

use std::{collections::VecDeque, mem, sync::Arc};

use parking_lot::Mutex;

use super::{
    Wires,
    layer::{Direction, Pieces},
    message::Side,
    session::Session,
};

/// Bytes that are held for a request that is not taken up yet; hyper reads less than that ahead.
const HELD_BYTES: usize = 64 << 10;

/// A connection's tap.
#[derive(Debug)]
pub(crate) struct Tap {
    wires: Arc<Wires>,
    phase: Mutex<Phase>,
}

#[derive(Debug)]
enum Phase {
    /// A request may be arriving.
    Waiting(Held),
    /// The request at hand is not to be seen. A read after a part of its answer may begin the next one.
    Ignoring { epoch: u64, answered: bool },
    /// The request at hand is to be seen.
    Passing(Box<Passing>),
    /// Nothing on this connection is to be seen any more.
    Off,
}

#[derive(Debug, Default)]
struct Held {
    epoch: u64,
    bytes: Vec<u8>,
    /// More came than is held, so the bytes are no good.
    overflow: bool,
    /// Something was written since: what is read next begins anew.
    answered: bool,
}

#[derive(Debug)]
struct Passing {
    session: Arc<Session>,
    connection: u32,
    incoming: Side,
    outgoing: Side,
    /// What came after the request at hand.
    held: Held,
    /// Requests that were taken up before the answer to an earlier one was written; whether each is `HEAD`.
    unanswered: VecDeque<bool>,
}

impl Tap {
    pub(crate) fn new(wires: Arc<Wires>) -> Self {
        Tap { wires, phase: Mutex::new(Phase::Waiting(Held::default())) }
    }

    /// Whether anybody looks at anything; a load, where nobody does.
    pub(crate) fn is_on(&self) -> bool {
        self.wires.epoch() != 0
    }

    /// A request was taken up; `session` is the one that it names.
    pub(crate) fn begins(&self, is_head: bool, session: Option<Arc<Session>>) {
        let epoch = self.wires.epoch();
        let mut phase = self.phase.lock();
        *phase = match mem::replace(&mut *phase, Phase::Off) {
            Phase::Off => Phase::Off,
            Phase::Passing(mut passing) => match session {
                Some(session) if Arc::ptr_eq(&session, &passing.session) => {
                    passing.next(is_head, &self.wires);
                    Phase::Passing(passing)
                }
                other => {
                    passing.ends(&self.wires);
                    Phase::begin(mem::take(&mut passing.held), is_head, other, epoch, &self.wires)
                }
            },
            Phase::Waiting(held) => Phase::begin(held, is_head, session, epoch, &self.wires),
            Phase::Ignoring { .. } => Phase::begin(Held::default(), is_head, session, epoch, &self.wires),
        };
    }

    /// The connection is no longer HTTP; if it isn't seen by now, it never will be.
    pub(crate) fn upgrades(&self) {
        let mut phase = self.phase.lock();
        if !matches!(*phase, Phase::Passing(_)) {
            *phase = Phase::Off;
        }
    }

    /// Bytes were read.
    pub(crate) fn read(&self, bytes: &[u8]) {
        let epoch = self.wires.epoch();
        let mut phase = self.phase.lock();
        match &mut *phase {
            Phase::Off => {}
            Phase::Waiting(held) => held.add(bytes, epoch),
            Phase::Ignoring { epoch: since, answered } => {
                if *answered || *since != epoch {
                    let mut held = Held::default();
                    held.add(bytes, epoch);
                    *phase = Phase::Waiting(held);
                }
            }
            Phase::Passing(passing) => {
                if !passing.read(bytes, epoch, &self.wires) {
                    *phase = Phase::Ignoring { epoch, answered: false };
                }
            }
        }
    }

    /// Bytes were written.
    pub(crate) fn wrote(&self, bytes: &[u8]) {
        let mut phase = self.phase.lock();
        match &mut *phase {
            Phase::Off => {}
            Phase::Waiting(held) => held.answered = true,
            Phase::Ignoring { answered, .. } => *answered = true,
            Phase::Passing(passing) => {
                if !passing.wrote(bytes, &self.wires) {
                    *phase = Phase::Ignoring { epoch: self.wires.epoch(), answered: true };
                }
            }
        }
    }

    /// The connection is gone.
    pub(crate) fn closes(&self) {
        if let Phase::Passing(mut passing) = mem::replace(&mut *self.phase.lock(), Phase::Off) {
            passing.ends(&self.wires);
        }
    }
}

impl Phase {
    fn begin(
        mut held: Held,
        is_head: bool,
        session: Option<Arc<Session>>,
        epoch: u64,
        wires: &Wires,
    ) -> Phase {
        let ignoring = Phase::Ignoring { epoch, answered: false };
        let Some(session) = session else { return ignoring };
        if held.overflow || held.epoch != epoch {
            return ignoring;
        }
        let Some(connection) = session.connect() else { return ignoring };
        let bytes = mem::take(&mut held.bytes);
        let mut passing = Passing {
            session,
            connection,
            incoming: Side::request(),
            outgoing: Side::response(is_head),
            held: Held::default(),
            unanswered: VecDeque::new(),
        };
        passing.read(&bytes, epoch, wires);
        Phase::Passing(Box::new(passing))
    }
}

impl Held {
    fn add(&mut self, bytes: &[u8], epoch: u64) {
        if self.epoch != epoch || self.answered {
            *self = Held { epoch, ..Held::default() };
        }
        self.overflow |= self.bytes.len() + bytes.len() > HELD_BYTES;
        if self.overflow {
            self.bytes = Vec::new();
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }
}

impl Passing {
    /// Another request of the same page was taken up.
    fn next(&mut self, is_head: bool, wires: &Wires) {
        if self.outgoing.is_over() {
            self.outgoing = Side::response(is_head);
        } else {
            self.unanswered.push_back(is_head);
        }
        if self.incoming.is_over() {
            self.incoming = Side::request();
            let held = mem::take(&mut self.held);
            self.read(&held.bytes, held.epoch, wires);
        }
    }

    /// False once the session is over.
    fn read(&mut self, bytes: &[u8], epoch: u64, wires: &Wires) -> bool {
        let mut pieces = Pieces::default();
        let used = self.incoming.push(bytes, &mut pieces);
        if used < bytes.len() {
            // Whose request this is will be known when it is taken up.
            self.held.answered = false;
            self.held.add(&bytes[used..], epoch);
        }
        self.tell(Direction::In, pieces, wires)
    }

    fn wrote(&mut self, bytes: &[u8], wires: &Wires) -> bool {
        let mut pieces = Pieces::default();
        let mut used = self.outgoing.push(bytes, &mut pieces);
        while used < bytes.len() {
            self.outgoing = Side::response(self.unanswered.pop_front().unwrap_or_default());
            used += self.outgoing.push(&bytes[used..], &mut pieces);
        }
        if self.outgoing.is_over()
            && let Some(is_head) = self.unanswered.pop_front()
        {
            self.outgoing = Side::response(is_head);
        }
        let goes_on = self.tell(Direction::Out, pieces, wires);
        if self.outgoing.is_websocket() && !self.incoming.is_websocket() {
            self.incoming = Side::frames();
            let held = mem::take(&mut self.held);
            return self.read(&held.bytes, held.epoch, wires);
        }
        goes_on
    }

    fn tell(&mut self, direction: Direction, pieces: Pieces, wires: &Wires) -> bool {
        let side = match direction {
            Direction::In => &self.incoming,
            Direction::Out => &self.outgoing,
        };
        let pieces = wires.without_secrets(pieces.into_vec());
        self.session.passed(self.connection, direction, wires.now(), pieces, side.pending())
    }

    fn ends(&mut self, wires: &Wires) {
        for direction in [Direction::In, Direction::Out] {
            let side = match direction {
                Direction::In => &mut self.incoming,
                Direction::Out => &mut self.outgoing,
            };
            let mut pieces = Pieces::default();
            side.flush(&mut pieces);
            self.tell(direction, pieces, wires);
        }
        self.session.disconnect(self.connection);
    }
}
