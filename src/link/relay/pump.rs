//! One direction of a relayed connection.

use std::{
    collections::VecDeque,
    future::pending,
    io,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::tcp::{ReadHalf, WriteHalf},
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{fault::Orders, lane::Lane, timer::Timer};

/// Which way bytes go.
#[derive(Debug, Clone, Copy)]
pub(super) enum Side {
    ToClient,
    ToServer,
}

/// Reads from one side, holds bytes back for as long as is ordered, and writes to the other.
pub(super) struct Pump<'a> {
    from: ReadHalf<'a>,
    to: WriteHalf<'a>,
    side: Side,
    lane: Lane,
    timer: Timer,
    born: u64,
    orders: watch::Receiver<Orders>,
    held: Held,
    delay: Duration,
    silent: bool,
    /// The connection has swallowed something, in either direction, so what comes later would make no
    /// sense to the other side.
    deaf: &'a AtomicBool,
}

const CHUNK: usize = 16 << 10;

impl<'a> Pump<'a> {
    pub(super) fn new(
        (from, to): (ReadHalf<'a>, WriteHalf<'a>),
        side: Side,
        lane: Lane,
        born: u64,
        orders: watch::Receiver<Orders>,
        deaf: &'a AtomicBool,
    ) -> Self {
        let (held, timer, delay) = (Held::default(), Timer::default(), Duration::ZERO);
        Pump { from, to, side, lane, timer, born, orders, held, delay, silent: false, deaf }
    }

    /// Pumps until the end of the stream has been passed on.
    pub(super) async fn run(mut self) -> io::Result<()> {
        self.obey();
        let mut buffer = vec![0_u8; CHUNK];
        let mut reading = true;
        loop {
            let due = self.held.next_due();
            tokio::select! {
                // Orders first: bytes that arrive after a fault was applied must meet it.
                biased;
                changed = self.orders.changed() => match changed {
                    Ok(()) => self.obey(),
                    Err(_) => return Ok(()),
                },
                () = at(&mut self.timer, due) => {
                    if let Some(bytes) = self.held.pop() {
                        if self.swallows() {
                            self.deaf.store(true, Relaxed);
                        } else {
                            self.to.write_all(&bytes).await?;
                        }
                    }
                    if !reading && self.held.is_empty() {
                        if self.swallows() {
                            return pending().await;
                        }
                        return self.to.shutdown().await;
                    }
                }
                read = from_when(self.lane.room_at(), self.from.read(&mut buffer)),
                    if reading && self.held.has_room() =>
                {
                    let bytes = match read {
                        Ok(0) => { reading = false; &[][..] }
                        Ok(count) => &buffer[..count],
                        // A silent connection tells nobody, not even of a reset.
                        Err(_) if self.swallows() => { reading = false; &[][..] }
                        Err(error) => return Err(error),
                    };
                    self.hold(bytes);
                }
            }
        }
    }

    /// Sends bytes on their way; none at all are the end.
    fn hold(&mut self, bytes: &[u8]) {
        let now = Instant::now();
        if bytes.is_empty() {
            self.held.push(self.lane.due(now, 0) + self.delay, bytes);
        }
        for piece in bytes.chunks(self.lane.piece()) {
            self.held.push(self.lane.due(now, piece.len()) + self.delay, piece);
        }
    }

    fn swallows(&self) -> bool {
        self.silent || self.deaf.load(Relaxed)
    }

    fn obey(&mut self) {
        let all = self.orders.borrow_and_update().in_force_for(self.born);
        self.delay = match self.side {
            Side::ToClient => all.delay.to_client,
            Side::ToServer => all.delay.to_server,
        };
        self.silent = all.silent;
    }
}

async fn at(timer: &mut Timer, due: Option<Instant>) {
    match due {
        Some(due) => timer.until(due).await,
        None => pending().await,
    }
}

/// Does not begin before its time. Nothing is lost where it is dropped before: nothing was read.
async fn from_when<T>(time: Instant, read: impl Future<Output = T>) -> T {
    // Without this a time that is past would be the timer's millisecond.
    if time > Instant::now() {
        sleep_until(time).await;
    }
    read.await
}

/// Chunks on their way, each with the time at which it may go on. An empty chunk is the end.
#[derive(Debug, Default)]
struct Held {
    chunks: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
}

impl Held {
    /// What a link can hold: 4 MiB is 40 ms at 100 MB/s. Beyond, the sender is made to wait.
    const ROOM: usize = 4 << 20;
    /// Pieces of a few bytes take more memory than their bytes do.
    const PIECES: usize = 32 << 10;

    fn push(&mut self, due: Instant, bytes: &[u8]) {
        // A delay that becomes shorter must not let a later chunk overtake an earlier one.
        let due = self.chunks.back().map_or(due, |(last, _)| due.max(*last));
        self.bytes += bytes.len();
        self.chunks.push_back((due, bytes.to_vec()));
    }

    fn pop(&mut self) -> Option<Vec<u8>> {
        let (_, bytes) = self.chunks.pop_front()?;
        self.bytes -= bytes.len();
        Some(bytes)
    }

    fn next_due(&self) -> Option<Instant> {
        self.chunks.front().map(|(due, _)| *due)
    }

    fn has_room(&self) -> bool {
        self.bytes < Self::ROOM && self.chunks.len() < Self::PIECES
    }

    fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shorter_delay_lets_nothing_overtake() {
        let now = Instant::now();
        let mut held = Held::default();
        held.push(now + Duration::from_secs(9), b"first");
        held.push(now, b"second");
        assert_eq!(held.next_due(), Some(now + Duration::from_secs(9)));
        assert_eq!(held.pop().as_deref(), Some(&b"first"[..]));
        assert_eq!(held.next_due(), Some(now + Duration::from_secs(9)));
        assert_eq!((held.pop().as_deref(), held.pop()), (Some(&b"second"[..]), None));
        assert!(held.is_empty() && held.has_room());
    }

    #[test]
    fn room_is_bounded_in_bytes_and_in_pieces() {
        let now = Instant::now();
        let (mut large, mut many) = (Held::default(), Held::default());
        large.push(now, &vec![0; Held::ROOM]);
        (0..Held::PIECES).for_each(|_| many.push(now, b"x"));
        assert!(!large.has_room() && !many.has_room());
        large.pop();
        many.pop();
        assert!(large.has_room() && many.has_room());
    }
}
