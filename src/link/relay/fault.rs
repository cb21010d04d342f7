//! The faults, and what those in force together mean for a connection.

use std::{net::SocketAddr, time::Duration};

/// A value for each direction of a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Direction<T> {
    /// From the server to the client.
    pub to_client: T,
    /// From the client to the server.
    pub to_server: T,
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

/// What the relay's connections are told.
#[derive(Debug)]
pub(super) struct Orders {
    pub(super) target: SocketAddr,
    /// Faults are numbered in the order in which they began, connections by the number of faults that
    /// there had been when they were made: so both know which came first.
    begun: u64,
    active: Vec<(u64, Fault)>,
    last_cut: Option<(u64, Cut)>,
}

/// What the faults in force mean together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct InForce {
    pub(super) delay: Direction<Duration>,
    pub(super) silent: bool,
    pub(super) unplugged: bool,
    pub(super) cut: Option<Cut>,
    pub(super) refuse: bool,
}

impl Orders {
    pub(super) fn new(target: SocketAddr) -> Self {
        Orders { target, begun: 0, active: Vec::new(), last_cut: None }
    }

    /// Puts a fault in force and gives it a number.
    pub(super) fn begin(&mut self, fault: Fault) -> u64 {
        self.begun += 1;
        match fault {
            Fault::Close => self.last_cut = Some((self.begun, Cut::Close)),
            Fault::Reset => self.last_cut = Some((self.begun, Cut::Reset)),
            Fault::Delay(_) | Fault::Silence { .. } | Fault::Unplug | Fault::Refuse => {
                self.active.push((self.begun, fault));
            }
        }
        self.begun
    }

    pub(super) fn end(&mut self, number: u64) {
        self.active.retain(|(active, _)| *active != number);
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
                Fault::Refuse => all.refuse = true,
                Fault::Close | Fault::Reset => {}
            }
        }
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
