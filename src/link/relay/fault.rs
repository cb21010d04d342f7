//! The faults, and what those in force together mean for a connection.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{aim::Spot, answer::Answer};

/// A value for each direction of a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Direction<T> {
    /// From the server to the client.
    pub to_client: T,
    /// From the client to the server.
    pub to_server: T,
}

impl<T: Copy> Direction<T> {
    /// Its value for one side.
    pub(super) fn of(&self, side: Side) -> T {
        match side {
            Side::ToClient => self.to_client,
            Side::ToServer => self.to_server,
        }
    }

    fn of_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::ToClient => &mut self.to_client,
            Side::ToServer => &mut self.to_server,
        }
    }
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// From the server to the client.
    ToClient,
    /// From the client to the server.
    ToServer,
}

/// What a relay can do to connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Every byte arrives so much later, in its order. Off Linux it is rounded up to the next millisecond.
    Delay(Direction<Duration>),
    /// The connections that stand are ended in an orderly way: FIN to both sides.
    Close,
    /// The connections that stand are reset: RST to both sides.
    Reset,
    /// Nothing passes any more on the connections that stand, in either direction, and neither side is
    /// told, not even of the other's end. A connection that has swallowed a byte stays silent when the
    /// fault is over, as behind a NAT that lost its table; one that has not goes on.
    Silence {
        /// Whether connections made meanwhile pass; else they are accepted and are silent too.
        new_connections_pass: bool,
    },
    /// On the connections that stand, in both directions, packets are lost: they are neither passed on nor
    /// acknowledged, as behind a pulled plug, so that what is sent is sent again until somebody gives up.
    /// When the fault is over they go on. Needs Linux: see [`Fault::CAN_UNPLUG`].
    Unplug,
    /// As [`Fault::Silence`], in one direction only: one side still hears the other, and is not heard. On the
    /// connections that stand.
    SilenceOneWay(Side),
    /// On the connections that stand nothing goes on, in either direction, and everything does once the
    /// fault is over: no byte is lost. What is sent meanwhile is acknowledged.
    Hold,
    /// On the connections that stand one direction is ended in an orderly way (FIN); the other goes on.
    HalfClose(Side),
    /// The connections that stand are cut once so many more bytes have passed in one direction: in the
    /// middle of whatever is there, an event, a character, a frame's header.
    CutAfter {
        /// Which direction counts.
        side: Side,
        /// How many bytes of it still pass.
        bytes: u64,
        /// Whether it ends by RST, or in an orderly way.
        reset: bool,
    },
    /// The connections that stand are cut at the next such place in what the server sends.
    CutAt {
        /// Where.
        spot: Spot,
        /// Whether it ends by RST, or in an orderly way.
        reset: bool,
    },
    /// The connections that stand are ended in an orderly way, and each that is made meanwhile is answered in
    /// the server's place.
    Answer {
        /// What is said.
        answer: Answer,
        /// How many connections are answered so before the others pass; `None` for all of them.
        times: Option<u32>,
    },
    /// New connections are refused (the port is closed); those that stand are left alone.
    Refuse,
}

impl Fault {
    /// Whether this system can lose packets of a connection, for [`Fault::Unplug`]: by a socket filter.
    pub const CAN_UNPLUG: bool = cfg!(target_os = "linux");
}

/// How a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    Close,
    Reset,
}

impl Cut {
    fn of(reset: bool) -> Self {
        if reset { Cut::Reset } else { Cut::Close }
    }
}

/// What the relay's connections are told.
#[derive(Debug)]
pub(super) struct Orders {
    pub(super) target: SocketAddr,
    /// Faults are numbered in the order in which they began, connections by the number of faults that
    /// there had been when they were made: so both know which came first.
    begun: u64,
    active: Vec<(u64, Fault)>,
    /// How many connections the latest [`Fault::Answer`] with a number is still to answer.
    answers_left: Arc<AtomicU32>,
    last_cut: Option<(u64, Cut)>,
    last_half_close: Direction<Option<u64>>,
}

/// A [`Fault::CutAfter`] with its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CutAfter {
    pub(super) number: u64,
    pub(super) bytes: u64,
    pub(super) cut: Cut,
}

/// What the faults in force mean together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct InForce {
    pub(super) delay: Direction<Duration>,
    pub(super) silent: bool,
    pub(super) unplugged: bool,
    pub(super) mute: Direction<bool>,
    pub(super) held: bool,
    pub(super) half_closed: Direction<bool>,
    pub(super) cut_after: Direction<Option<CutAfter>>,
    /// The order's number, the place in what the server sends, and how it ends there.
    pub(super) cut_at: Option<(u64, Spot, Cut)>,
    pub(super) cut: Option<Cut>,
    pub(super) refuse: bool,
}

impl Orders {
    pub(super) fn new(target: SocketAddr) -> Self {
        Orders {
            target,
            begun: 0,
            active: Vec::new(),
            answers_left: Arc::default(),
            last_cut: None,
            last_half_close: Direction::default(),
        }
    }

    /// Puts a fault in force and gives it a number.
    pub(super) fn begin(&mut self, fault: Fault) -> u64 {
        self.begun += 1;
        match fault {
            Fault::Close => self.last_cut = Some((self.begun, Cut::Close)),
            Fault::Reset => self.last_cut = Some((self.begun, Cut::Reset)),
            Fault::HalfClose(side) => *self.last_half_close.of_mut(side) = Some(self.begun),
            Fault::Answer { times, .. } => {
                self.last_cut = Some((self.begun, Cut::Close));
                // A number of its own, so that a connection that was promised the earlier one's keeps it.
                self.answers_left = Arc::new(AtomicU32::new(times.unwrap_or(0)));
                self.active.push((self.begun, fault));
            }
            Fault::Delay(_)
            | Fault::Silence { .. }
            | Fault::SilenceOneWay(_)
            | Fault::Hold
            | Fault::CutAfter { .. }
            | Fault::CutAt { .. }
            | Fault::Unplug
            | Fault::Refuse => self.active.push((self.begun, fault)),
        }
        self.begun
    }

    pub(super) fn end(&mut self, number: u64) {
        self.active.retain(|(active, _)| *active != number);
    }

    /// What a connection that is made now is answered in the server's place, which is then used up; `None`
    /// where it passes. Of several the latest counts.
    pub(super) fn take_answer(&self) -> Option<Answer> {
        let latest = self.active.iter().rev().find_map(|(_, fault)| match fault {
            Fault::Answer { answer, times } => Some((*answer, *times)),
            _ => None,
        });
        let (answer, times) = latest?;
        let one_less = |left: u32| left.checked_sub(1);
        let is_left = times.is_none() || self.answers_left.fetch_update(Relaxed, Relaxed, one_less).is_ok();
        is_left.then_some(answer)
    }

    /// The number of a connection that is made now.
    pub(super) fn now(&self) -> u64 {
        self.begun
    }

    /// What is in force for a connection that would be made now.
    pub(super) fn in_force(&self) -> InForce {
        self.in_force_for(self.begun)
    }

    /// What is in force for the connection that was made at `born`.
    pub(super) fn in_force_for(&self, born: u64) -> InForce {
        let mut all = InForce::default();
        for &(number, fault) in &self.active {
            match fault {
                Fault::Delay(delay) => {
                    all.delay.to_client += delay.to_client;
                    all.delay.to_server += delay.to_server;
                }
                Fault::Silence { new_connections_pass } => {
                    all.silent |= !new_connections_pass || number > born;
                }
                Fault::Unplug => all.unplugged |= number > born,
                Fault::SilenceOneWay(side) => *all.mute.of_mut(side) |= number > born,
                Fault::Hold => all.held |= number > born,
                Fault::CutAfter { side, bytes, reset } if number > born => {
                    *all.cut_after.of_mut(side) = Some(CutAfter { number, bytes, cut: Cut::of(reset) });
                }
                Fault::CutAt { spot, reset } if number > born => {
                    all.cut_at = Some((number, spot, Cut::of(reset)));
                }
                Fault::Refuse => all.refuse = true,
                Fault::CutAfter { .. }
                | Fault::CutAt { .. }
                | Fault::Answer { .. }
                | Fault::HalfClose(_)
                | Fault::Close
                | Fault::Reset => {}
            }
        }
        let stood = |half_close: Option<u64>| half_close.is_some_and(|number| number > born);
        all.half_closed = Direction {
            to_client: stood(self.last_half_close.to_client),
            to_server: stood(self.last_half_close.to_server),
        };
        all.cut = self.last_cut.filter(|(number, _)| *number > born).map(|(_, cut)| cut);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders() -> Orders {
        Orders::new(([127, 0, 0, 1], 1).into())
    }

    #[test]
    fn a_cut_concerns_the_connections_that_stood() {
        let mut orders = orders();
        let old = orders.now();
        orders.begin(Fault::Reset);
        assert_eq!(orders.in_force_for(old).cut, Some(Cut::Reset));
        assert_eq!(orders.in_force(), InForce::default());
    }

    #[test]
    fn silence_spares_new_connections_by_choice_only() {
        let mut orders = orders();
        let old = orders.now();
        let number = orders.begin(Fault::Silence { new_connections_pass: true });
        assert!(orders.in_force_for(old).silent && !orders.in_force().silent);
        let all = orders.begin(Fault::Silence { new_connections_pass: false });
        assert!(orders.in_force().silent);
        orders.end(all);
        orders.end(number);
        assert_eq!(orders.in_force_for(old), InForce::default());
    }

    #[test]
    fn as_many_connections_are_answered_as_were_ordered() {
        let mut orders = orders();
        assert_eq!(orders.take_answer(), None);
        let old = orders.now();
        let number = orders.begin(Fault::Answer { answer: Answer::NoContent, times: Some(2) });
        assert_eq!(orders.in_force_for(old).cut, Some(Cut::Close));
        let taken = [(); 3].map(|()| orders.take_answer());
        assert_eq!(taken, [Some(Answer::NoContent), Some(Answer::NoContent), None]);
        let all = orders.begin(Fault::Answer { answer: Answer::Redirect, times: None });
        assert_eq!([(); 3].map(|()| orders.take_answer()), [Some(Answer::Redirect); 3]);
        orders.end(all);
        orders.end(number);
        assert_eq!(orders.take_answer(), None);
    }

    #[test]
    fn delays_add_up() {
        let mut orders = orders();
        let delay = Direction { to_client: Duration::from_millis(3), to_server: Duration::ZERO };
        let first = orders.begin(Fault::Delay(delay));
        orders.begin(Fault::Delay(delay));
        assert_eq!(orders.in_force().delay.to_client, Duration::from_millis(6));
        orders.end(first);
        assert_eq!(orders.in_force().delay, delay);
    }
}
