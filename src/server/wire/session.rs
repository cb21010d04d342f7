//! What one page has asked to see: the last bytes of its connections, and counts of all of them.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde::{Serialize, ser::SerializeMap};
use tokio::sync::watch;

use super::layer::{Direction, Layer, Piece};
use crate::clock::Timestamp;

/// Bytes that a session keeps for its page, with what it takes to keep them.
const KEPT_BYTES: usize = 256 << 10;

/// What a piece takes besides its bytes.
const PIECE_OVERHEAD: usize = 128;

/// Connections that a session counts apart from each other. Of the closed ones the oldest are then counted
/// as one; when all are open, a further one is not looked at.
const MAX_CONNECTIONS: usize = 64;

/// How long a session lives without anybody who reads it.
pub(super) const IDLE: Duration = Duration::from_secs(60);

/// A page's view of its own connections.
#[derive(Debug)]
pub(crate) struct Session {
    inner: Mutex<Inner>,
    /// Counts changes, for whoever waits for one.
    changed: watch::Sender<u64>,
}

#[derive(Debug)]
struct Inner {
    pieces: VecDeque<Passed>,
    /// What `pieces` take.
    kept: usize,
    /// Where the next piece stands.
    end: Position,
    connections: Vec<Counted>,
    /// Closed connections that are no longer counted apart.
    earlier: Counts,
    unseen: u64,
    next_connection: u32,
    /// Grows with every change of a count.
    version: u64,
    /// The stream that was opened last; those before it end.
    stream: u64,
    streams: usize,
    idle_since: Instant,
    over: bool,
}

/// A place in a session's history: pieces before it, and bytes before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) pieces: u64,
    pub(crate) bytes: u64,
}

/// A piece, and when and where it passed.
#[derive(Debug, Clone)]
pub(crate) struct Passed {
    pub(crate) connection: u32,
    pub(crate) direction: Direction,
    pub(crate) at: Timestamp,
    pub(crate) piece: Piece,
    /// The place after it.
    pub(crate) end: Position,
}

/// Bytes in both directions, by layer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    #[serde(rename = "in")]
    pub(crate) inward: ByLayer,
    #[serde(rename = "out")]
    pub(crate) outward: ByLayer,
}

/// Bytes by layer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ByLayer([u64; Layer::ALL.len()]);

#[derive(Debug, Clone)]
struct Counted {
    total: Total,
    /// Bytes that have passed and are in no piece yet, by direction.
    pending: [(Layer, usize); 2],
    version: u64,
}

/// A connection's counts.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Total {
    pub(crate) connection: u32,
    /// Whether it is still there, and still this page's.
    pub(crate) open: bool,
    #[serde(flatten)]
    pub(crate) counts: Counts,
}

/// The counts that have changed since a stream was told last.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Totals {
    pub(crate) connections: Vec<Total>,
    /// All connections that are counted apart; any other that a page was told of is in `earlier`.
    pub(crate) apart: Vec<u32>,
    /// Closed connections of which there are too many to be told apart.
    pub(crate) earlier: Counts,
    /// Connections that were not looked at, since too many were open.
    pub(crate) unseen: u64,
}

/// What a stream is to be told next.
#[derive(Debug)]
pub(crate) struct News {
    /// Pieces and bytes that were dropped before they could be told.
    pub(crate) skipped: Option<Position>,
    pub(crate) pieces: Vec<Passed>,
    pub(crate) totals: Option<Totals>,
    pub(crate) is_all: bool,
}

impl Session {
    pub(crate) fn new() -> Self {
        let inner = Inner {
            pieces: VecDeque::new(),
            kept: 0,
            end: Position::default(),
            connections: Vec::new(),
            earlier: Counts::default(),
            unseen: 0,
            next_connection: 1,
            version: 0,
            stream: 0,
            streams: 0,
            idle_since: Instant::now(),
            over: false,
        };
        Session { inner: Mutex::new(inner), changed: watch::Sender::new(0) }
    }

    /// Takes a connection in and numbers it; `None` where there are too many.
    pub(super) fn connect(&self) -> Option<u32> {
        let mut inner = self.inner.lock();
        if inner.over {
            return None;
        }
        if inner.connections.len() >= MAX_CONNECTIONS {
            let Some(closed) = inner.connections.iter().position(|counted| !counted.total.open) else {
                inner.unseen += 1;
                inner.version += 1;
                return None;
            };
            let closed = inner.connections.remove(closed);
            inner.earlier.add(&closed.total.counts);
        }
        let connection = inner.next_connection;
        inner.next_connection += 1;
        inner.version += 1;
        let total = Total { connection, open: true, counts: Counts::default() };
        let version = inner.version;
        inner.connections.push(Counted { total, pending: [(Layer::Head, 0); 2], version });
        Some(connection)
    }

    /// Takes note of bytes that have passed: whole pieces, and how many are pending. False once the session
    /// is over.
    pub(super) fn passed(
        &self,
        connection: u32,
        direction: Direction,
        at: Timestamp,
        pieces: Vec<Piece>,
        pending: (Layer, usize),
    ) -> bool {
        let mut inner = self.inner.lock();
        if inner.over {
            return false;
        }
        inner.version += 1;
        let version = inner.version;
        if let Some(counted) = inner.connections.iter_mut().find(|it| it.total.connection == connection) {
            counted.pending[direction as usize] = pending;
            counted.version = version;
            for piece in &pieces {
                counted.total.counts.side(direction).0[piece.layer as usize] += piece.bytes.len() as u64;
            }
        }
        for piece in pieces {
            inner.end.pieces += 1;
            inner.end.bytes += piece.bytes.len() as u64;
            inner.kept += piece.bytes.len() + PIECE_OVERHEAD;
            let end = inner.end;
            inner.pieces.push_back(Passed { connection, direction, at, piece, end });
        }
        while inner.kept > KEPT_BYTES
            && let Some(dropped) = inner.pieces.pop_front()
        {
            inner.kept -= dropped.piece.bytes.len() + PIECE_OVERHEAD;
        }
        drop(inner);
        self.changed.send_modify(|changes| *changes += 1);
        true
    }

    /// Takes note that a connection is gone, or is another page's now.
    pub(super) fn disconnect(&self, connection: u32) {
        let mut inner = self.inner.lock();
        inner.version += 1;
        let version = inner.version;
        if let Some(counted) = inner.connections.iter_mut().find(|it| it.total.connection == connection) {
            counted.total.open = false;
            counted.version = version;
        }
        drop(inner);
        self.changed.send_modify(|changes| *changes += 1);
    }

    /// What there is after a place, at most so many bytes, and the counts that changed after a version,
    /// which is brought up to date. `None` once the stream is to end.
    pub(super) fn news(&self, after: Position, bytes: usize, version: &mut u64, stream: u64) -> Option<News> {
        let inner = self.inner.lock();
        if inner.over || inner.stream != stream {
            return None;
        }
        let start = inner.pieces.front().map_or(inner.end, Passed::start);
        let skipped = (start.pieces > after.pieces).then(|| Position {
            pieces: start.pieces - after.pieces,
            bytes: start.bytes.saturating_sub(after.bytes),
        });
        let first = inner.pieces.partition_point(|passed| passed.end.pieces <= after.pieces);
        let mut size = 0;
        let pieces: Vec<_> = inner
            .pieces
            .range(first..)
            .take_while(|passed| {
                let is_room = size < bytes;
                size += passed.piece.bytes.len() + PIECE_OVERHEAD;
                is_room
            })
            .cloned()
            .collect();
        let totals = (inner.version > *version).then(|| inner.totals(*version));
        *version = inner.version;
        Some(News { skipped, is_all: first + pieces.len() == inner.pieces.len(), pieces, totals })
    }

    /// A stream opens; the one before it ends, as that of a page which was loaded again.
    pub(super) fn open_stream(&self) -> (u64, watch::Receiver<u64>) {
        let mut inner = self.inner.lock();
        inner.stream += 1;
        inner.streams += 1;
        let stream = inner.stream;
        drop(inner);
        self.changed.send_modify(|changes| *changes += 1);
        (stream, self.changed.subscribe())
    }

    pub(super) fn close_stream(&self) {
        let mut inner = self.inner.lock();
        inner.streams -= 1;
        inner.idle_since = Instant::now();
    }

    /// Whether nobody has read it for a while.
    pub(super) fn is_idle(&self, now: Instant) -> bool {
        let inner = self.inner.lock();
        inner.streams == 0 && now.saturating_duration_since(inner.idle_since) >= IDLE
    }

    /// Ends it: its connections are let alone and its streams end.
    pub(super) fn end(&self) {
        let mut inner = self.inner.lock();
        inner.over = true;
        inner.pieces = VecDeque::new();
        drop(inner);
        self.changed.send_modify(|changes| *changes += 1);
    }
}

impl Inner {
    fn totals(&self, since: u64) -> Totals {
        let changed = self.connections.iter().filter(|counted| counted.version > since);
        let connections = changed.map(|counted| {
            let mut total = counted.total;
            for (direction, (layer, bytes)) in
                [Direction::In, Direction::Out].into_iter().zip(counted.pending)
            {
                total.counts.side(direction).0[layer as usize] += bytes as u64;
            }
            total
        });
        Totals {
            connections: connections.collect(),
            apart: self.connections.iter().map(|counted| counted.total.connection).collect(),
            earlier: self.earlier,
            unseen: self.unseen,
        }
    }
}

impl Passed {
    /// The place before it.
    fn start(&self) -> Position {
        Position { pieces: self.end.pieces - 1, bytes: self.end.bytes - self.piece.bytes.len() as u64 }
    }
}

impl Counts {
    fn side(&mut self, direction: Direction) -> &mut ByLayer {
        match direction {
            Direction::In => &mut self.inward,
            Direction::Out => &mut self.outward,
        }
    }

    fn add(&mut self, other: &Counts) {
        for (mine, theirs) in [(&mut self.inward, &other.inward), (&mut self.outward, &other.outward)] {
            for (mine, theirs) in mine.0.iter_mut().zip(theirs.0) {
                *mine += theirs;
            }
        }
    }
}

impl Serialize for ByLayer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for layer in Layer::ALL {
            map.serialize_entry(&layer, &self.0[layer as usize])?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(bytes: usize) -> Piece {
        Piece { layer: Layer::Payload, bytes: vec![b'x'; bytes], unmasked: None, fields: None }
    }

    fn pass(session: &Session, connection: u32, bytes: usize) {
        let at = Timestamp::from_nanos(0);
        session.passed(connection, Direction::Out, at, vec![piece(bytes)], (Layer::Head, 0));
    }

    #[test]
    fn what_does_not_fit_is_told_as_skipped_and_still_counted() {
        let session = Session::new();
        let connection = session.connect().expect("room");
        let (stream, _changes) = session.open_stream();
        for _ in 0..100 {
            pass(&session, connection, 4 << 10);
        }
        let mut version = 0;
        let news = session.news(Position::default(), usize::MAX, &mut version, stream).expect("a stream");
        let skipped = news.skipped.expect("more than is kept has passed");
        let kept: usize = news.pieces.iter().map(|passed| passed.piece.bytes.len()).sum();
        assert!(kept <= KEPT_BYTES && news.is_all);
        assert_eq!(skipped.bytes + kept as u64, 100 * 4096);
        assert_eq!(skipped.pieces + news.pieces.len() as u64, 100);
        let totals = news.totals.expect("they changed");
        assert_eq!(totals.connections[0].counts.outward.0.iter().sum::<u64>(), 100 * 4096);
        let again = session.news(news.pieces.last().expect("some").end, 1, &mut version, stream);
        let again = again.expect("a stream");
        assert!(again.skipped.is_none() && again.pieces.is_empty() && again.totals.is_none());
    }

    #[test]
    fn connections_are_bounded_and_none_is_forgotten_in_the_counts() {
        let session = Session::new();
        let (stream, _changes) = session.open_stream();
        for _ in 0..MAX_CONNECTIONS {
            let connection = session.connect().expect("room");
            pass(&session, connection, 10);
        }
        assert_eq!(session.connect(), None);
        session.disconnect(1);
        assert!(session.connect().is_some());
        let totals = session.news(Position::default(), 0, &mut 0, stream).expect("a stream").totals;
        let totals = totals.expect("all");
        assert_eq!((totals.unseen, totals.connections.len()), (1, MAX_CONNECTIONS));
        assert_eq!(totals.earlier.outward.0.iter().sum::<u64>(), 10);
        assert_eq!(
            totals.apart,
            (2..=MAX_CONNECTIONS as u32 + 1).collect::<Vec<_>>(),
            "the first is in there"
        );
    }

    #[test]
    fn a_second_stream_ends_the_first_and_a_session_without_any_grows_idle() {
        let session = Session::new();
        let (first, _changes) = session.open_stream();
        let (second, _changes) = session.open_stream();
        assert!(session.news(Position::default(), 0, &mut 0, first).is_none());
        assert!(session.news(Position::default(), 0, &mut 0, second).is_some());
        session.close_stream();
        session.close_stream();
        assert!(!session.is_idle(Instant::now()));
        assert!(session.is_idle(Instant::now() + IDLE + IDLE));
        session.end();
        assert!(session.news(Position::default(), 0, &mut 0, second).is_none());
        assert_eq!(session.connect(), None);
    }
}
