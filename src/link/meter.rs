//! What a subscription's connections cost, added up.

use std::{ops::AddAssign, sync::Arc};

use parking_lot::Mutex;

use super::{tally::Tally, tcp_info::SocketId};

/// Counts what goes over all the connections of a subscription, live and closed.
#[derive(Debug, Default)]
pub struct Meter {
    connections: Mutex<Connections>,
}

#[derive(Debug)]
struct Connections {
    closed: Totals,
    /// A socket stands here only while its stream is open: the stream takes it out before it closes, so
    /// that no reading meets a descriptor that means something else by now.
    live: Vec<(Arc<Tally>, SocketId)>,
}

/// A meter's reading. `in` is from the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Bytes read from the TCP streams.
    pub application_in: u64,
    /// Bytes written to them.
    pub application_out: u64,
    /// Of `application_in`, HTTP response heads, with their closing blank line.
    pub heads_in: u64,
    /// Of `application_out`, HTTP request heads.
    pub heads_out: u64,
    /// With TCP and IP headers and pure ACKs; `None` where the kernel does not tell.
    pub wire_in: Option<u64>,
    /// The same, sent.
    pub wire_out: Option<u64>,
    /// TCP segments received.
    pub segments_in: Option<u64>,
    /// TCP segments sent.
    pub segments_out: Option<u64>,
    /// TCP connections opened.
    pub connections: u64,
    /// HTTP requests sent, upgrades included.
    pub requests: u64,
}

impl Totals {
    /// The sum of no connections: zero where the kernel can tell, unknown where it can't.
    pub const NOTHING: Totals = {
        let zero = if cfg!(target_os = "linux") { Some(0) } else { None };
        Totals {
            application_in: 0,
            application_out: 0,
            heads_in: 0,
            heads_out: 0,
            wire_in: zero,
            wire_out: zero,
            segments_in: zero,
            segments_out: zero,
            connections: 0,
            requests: 0,
        }
    };
}

impl AddAssign for Totals {
    /// One unknown summand makes a sum unknown.
    fn add_assign(&mut self, other: Totals) {
        let sum = |a: Option<u64>, b: Option<u64>| Some(a? + b?);
        self.application_in += other.application_in;
        self.application_out += other.application_out;
        self.heads_in += other.heads_in;
        self.heads_out += other.heads_out;
        self.wire_in = sum(self.wire_in, other.wire_in);
        self.wire_out = sum(self.wire_out, other.wire_out);
        self.segments_in = sum(self.segments_in, other.segments_in);
        self.segments_out = sum(self.segments_out, other.segments_out);
        self.connections += other.connections;
        self.requests += other.requests;
    }
}

impl Meter {
    /// The reading now; live connections are asked at this moment.
    pub fn totals(&self) -> Totals {
        let connections = self.connections.lock();
        let mut totals = connections.closed;
        for (tally, socket) in &connections.live {
            totals += tally.totals(*socket);
        }
        totals
    }

    /// Counts a connection from now on.
    pub(super) fn add(&self, tally: &Arc<Tally>, socket: SocketId) {
        self.connections.lock().live.push((Arc::clone(tally), socket));
    }

    /// Takes the last reading of a connection whose socket is about to be closed.
    pub(super) fn retire(&self, tally: &Arc<Tally>) {
        let mut connections = self.connections.lock();
        if let Some(index) = connections.live.iter().position(|(live, _)| Arc::ptr_eq(live, tally)) {
            let (tally, socket) = connections.live.swap_remove(index);
            connections.closed += tally.totals(socket);
        }
    }
}

impl Default for Connections {
    fn default() -> Self {
        Connections { closed: Totals::NOTHING, live: Vec::new() }
    }
}
