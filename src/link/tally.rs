//! One connection's counters.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};

use super::{
    meter::Totals,
    tcp_info::{self, SocketId},
    wire::{Known, Wire},
};
use crate::clock::Timestamp;

/// What one connection has carried so far, shared between the stream that counts and the client that
/// knows where a request begins.
///
/// Every counter has one writer, and no two of them must agree to the byte at any moment, so relaxed
/// atomics will do.
///
/// What each read touches comes first and lies in one line of the processor's cache: with thousands of connections
/// none of it is there yet, and a line that has to be fetched costs more than everything that is done to it.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Tally {
    pub(super) read_at_ns: AtomicI64,
    pub(super) application_in: AtomicU64,
    pub(super) head_expected_in: AtomicBool,
    pub(super) head_expected_out: AtomicBool,
    pub(super) holds_behind_head: AtomicBool,
    pub(super) established: AtomicBool,
    pub(super) end_read: AtomicBool,
    ipv6: bool,
    pub(super) application_out: AtomicU64,
    pub(super) heads_in: AtomicU64,
    pub(super) heads_out: AtomicU64,
    requests: AtomicU64,
}

impl Tally {
    /// Of a connection that begins now.
    pub(super) fn new(ipv6: bool, now: Timestamp) -> Self {
        Tally {
            application_in: AtomicU64::new(0),
            application_out: AtomicU64::new(0),
            heads_in: AtomicU64::new(0),
            heads_out: AtomicU64::new(0),
            head_expected_in: AtomicBool::new(false),
            head_expected_out: AtomicBool::new(false),
            holds_behind_head: AtomicBool::new(false),
            established: AtomicBool::new(false),
            end_read: AtomicBool::new(false),
            read_at_ns: AtomicI64::new(now.as_nanos()),
            requests: AtomicU64::new(0),
            ipv6,
        }
    }

    /// Says that the next byte written is the first one of an HTTP request, and the next byte read the
    /// first one of its answer. The answers to all earlier requests must have been read whole.
    pub fn begin_request(&self) {
        self.requests.fetch_add(1, Relaxed);
        self.head_expected_in.store(true, Relaxed);
        self.head_expected_out.store(true, Relaxed);
    }

    /// The same where whoever reads the answer knows where heads end, and tells how long they were.
    pub fn begin_known_request(&self) {
        Tally::raise(&self.requests, 1);
    }

    /// So many bytes were written of a request's head.
    pub fn add_head_out(&self, bytes: u64) {
        Tally::raise(&self.heads_out, bytes);
    }

    /// So many bytes were read of an answer's head.
    pub fn add_head_in(&self, bytes: u64) {
        Tally::raise(&self.heads_in, bytes);
    }

    /// Says that what follows the head of the next answer, if that is a 101 or a 200, is not for whoever reads the
    /// head: it is kept for [`Counted::take_held`](super::Counted::take_held), or until it is
    /// [let through](Tally::let_through).
    pub fn hold_behind_head(&self) {
        self.holds_behind_head.store(true, Relaxed);
    }

    /// Lets it through after all.
    pub fn let_through(&self) {
        self.holds_behind_head.store(false, Relaxed);
    }

    /// Adds to a counter. It has one writer, so that it needs no locked instruction, which would be felt at
    /// each read of thousands of connections.
    pub(super) fn raise(counter: &AtomicU64, by: u64) {
        counter.store(counter.load(Relaxed) + by, Relaxed);
    }

    /// When bytes were last read; before the first ones, when the connection was begun.
    pub fn read_at(&self) -> Timestamp {
        Timestamp::from_nanos(self.read_at_ns.load(Relaxed))
    }

    /// Whether anything has been read since the connection was begun.
    pub fn has_read(&self) -> bool {
        self.application_in.load(Relaxed) > 0
    }

    /// The counters now, with the kernel's figures about `socket`, which the caller keeps open.
    pub(super) fn totals(&self, socket: SocketId) -> Totals {
        let established = self.established.load(Relaxed);
        let known = Known { ipv6: self.ipv6, established, end_read: self.end_read.load(Relaxed) };
        let wire = tcp_info::read(socket).map(|info| Wire::of(&info, known));
        Totals {
            application_in: self.application_in.load(Relaxed),
            application_out: self.application_out.load(Relaxed),
            heads_in: self.heads_in.load(Relaxed),
            heads_out: self.heads_out.load(Relaxed),
            wire_in: wire.map(|wire| wire.bytes_in),
            wire_out: wire.map(|wire| wire.bytes_out),
            segments_in: wire.map(|wire| wire.segments_in),
            segments_out: wire.map(|wire| wire.segments_out),
            connections: u64::from(established),
            requests: self.requests.load(Relaxed),
        }
    }
}
