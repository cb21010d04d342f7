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

use super::{
    aim::Aim,
    fault::{Cut, CutAfter, Orders, Side},
    lane::Lane,
    timer::Timer,
};

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
    faults: OneWay,
    /// The connection has swallowed something, in either direction, so what comes later would make no
    /// sense to the other side.
    deaf: &'a AtomicBool,
}

/// What concerns one direction only.
#[derive(Debug, Default)]
struct OneWay {
    mute: bool,
    /// It has swallowed something while it was mute.
    deaf: bool,
    held: bool,
    half_closed: bool,
    /// What is in force, and how many bytes it still lets pass.
    cut_after: Option<(CutAfter, u64)>,
    /// The order's number, what is looked for, and how the connection ends there.
    cut_at: Option<(u64, Aim, Cut)>,
    /// How it ends once everything that is held has passed.
    then: Option<Cut>,
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
        let faults = OneWay::default();
        Pump { from, to, side, lane, timer, born, orders, held, delay, silent: false, faults, deaf }
    }

    /// Pumps until the end of the stream has been passed on.
    pub(super) async fn run(mut self) -> io::Result<()> {
        self.obey();
        let mut buffer = vec![0_u8; CHUNK];
        let mut reading = true;
        loop {
            if self.faults.half_closed {
                return self.end_half().await;
            }
            if let Some(cut) = self.faults.then.filter(|_| self.held.is_empty()) {
                return Err(ordered(cut));
            }
            let due = self.held.next_due().filter(|_| !self.faults.held);
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
                            self.swallowed();
                        } else {
                            self.pass_on(&bytes).await?;
                        }
                    }
                    if !reading && self.held.is_empty() && self.faults.then.is_none() {
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
                    match self.aimed(bytes) {
                        None => self.hold(bytes),
                        Some(0) => reading = false,
                        Some(count) => {
                            reading = false;
                            self.hold(&buffer[..count]);
                        }
                    }
                }
            }
        }
    }

    /// How many of these bytes still pass where the connection is to be cut within them.
    fn aimed(&mut self, bytes: &[u8]) -> Option<usize> {
        let (_, aim, cut) = self.faults.cut_at.as_mut()?;
        let count = aim.find(bytes)?;
        self.faults.then = Some(*cut);
        Some(count)
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
        self.silent || self.faults.mute || self.faults.deaf || self.deaf.load(Relaxed)
    }

    fn swallowed(&mut self) {
        if self.silent {
            self.deaf.store(true, Relaxed);
        }
        self.faults.deaf |= self.faults.mute;
    }

    async fn pass_on(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some((order, left)) = &mut self.faults.cut_after {
            if bytes.len() as u64 >= *left {
                self.to.write_all(&bytes[..*left as usize]).await?;
                return Err(ordered(order.cut));
            }
            *left -= bytes.len() as u64;
        }
        self.to.write_all(bytes).await
    }

    /// Passes on what is under way, then the end; what comes later is read and forgotten, so that the sender
    /// is not held up.
    async fn end_half(&mut self) -> io::Result<()> {
        while let Some(bytes) = self.held.pop() {
            self.to.write_all(&bytes).await?;
        }
        self.to.shutdown().await?;
        let mut forgotten = vec![0_u8; CHUNK];
        while self.from.read(&mut forgotten).await? > 0 {}
        Ok(())
    }

    fn obey(&mut self) {
        let all = self.orders.borrow_and_update().in_force_for(self.born);
        self.delay = match self.side {
            Side::ToClient => all.delay.to_client,
            Side::ToServer => all.delay.to_server,
        };
        self.silent = all.silent;
        let cut_after = all.cut_after.of(self.side);
        let cut_at = all.cut_at.filter(|_| self.side == Side::ToClient);
        let aim = self.faults.cut_at.take();
        self.faults = OneWay {
            mute: all.mute.of(self.side),
            deaf: self.faults.deaf,
            held: all.held,
            half_closed: all.half_closed.of(self.side),
            // Other orders may come and go; what it has let pass stays counted.
            cut_after: cut_after.map(|order| match self.faults.cut_after {
                Some((known, left)) if known == order => (order, left),
                _ => (order, order.bytes),
            }),
            cut_at: cut_at.map(|(number, spot, cut)| match aim {
                Some((known, aim, _)) if known == number => (known, aim, cut),
                _ => (number, Aim::at(spot), cut),
            }),
            then: self.faults.then,
        };
    }
}

/// An end that was ordered, as the error that ends both directions.
fn ordered(cut: Cut) -> io::Error {
    match cut {
        Cut::Close => io::ErrorKind::UnexpectedEof.into(),
        Cut::Reset => io::ErrorKind::ConnectionReset.into(),
    }
}

/// How a connection ends whose pump has failed. No socket fails to be read with an unexpected end, so that is
/// an ordered one.
pub(super) fn cut_of(error: &io::Error) -> Cut {
    if error.kind() == io::ErrorKind::UnexpectedEof { Cut::Close } else { Cut::Reset }
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
