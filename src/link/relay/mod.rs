//! A TCP relay that stands for a network, and makes faults.
//!
//! It stands on a port of its own in front of a server and passes bytes on, until it is told otherwise.
//! A [`Fault`] is a value; [`Relay::apply`] puts it in force and returns a guard that ends it. Several
//! may be in force at once. What the network between does to bytes is a [`Path`] for each direction, and
//! stays the same for as long as the relay stands.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `fault` | the faults, and what those in force together mean for a connection |
//! | `answer` | an HTTP answer in the server's place |
//! | `aim` | where in a stream a connection is to be cut; pure |
//! | `door` | the listening port, which can be shut so that a connection is refused, and opened again |
//! | `connection` | one relayed connection: its two directions, and how it is cut |
//! | `plug` | loses a connection's packets below TCP |
//! | `pump` | one direction: holding back, swallowing, passing on |
//! | `lane` | when the bytes of one direction may go on; pure |
//! | `timer` | a timer finer than a millisecond |

mod aim;
mod answer;
mod connection;
mod door;
mod fault;
mod lane;
mod plug;
mod pump;
mod timer;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use self::{
    door::Door,
    fault::{InForce, Orders},
};
use crate::link::conditions::Path;
pub use aim::Spot;
pub use answer::Answer;
pub use fault::{Direction, Fault, Side};

/// A relay in front of a server. Dropping it ends all its connections.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    orders: Arc<watch::Sender<Orders>>,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

/// Where a relay stands, and what it carries at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Where clients connect to; port 0 picks one.
    pub listen: SocketAddr,
    /// Connections at a time; a further one is closed at once. Each takes two descriptors, or four where
    /// packets can be lost.
    pub most: usize,
}

/// Keeps a fault in force; dropping it ends the fault. What was cut stays cut.
#[must_use = "the fault ends when its guard is dropped"]
#[derive(Debug)]
pub struct Guard {
    number: u64,
    orders: Arc<watch::Sender<Orders>>,
}

impl Relay {
    /// Starts a relay on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// Where no port can be had.
    pub async fn start(target: SocketAddr) -> io::Result<Relay> {
        Relay::under(Direction::default(), 0, target).await
    }

    /// Starts a relay on a free port of 127.0.0.1 that does to every connection's bytes what `paths` says.
    /// `seed` decides what chance decides; each connection draws on its own.
    ///
    /// The client's handshake is with the relay and takes no time, so the first bytes to the server wait as
    /// much longer as a handshake over these paths takes: one round trip.
    ///
    /// # Errors
    /// Where no port can be had.
    pub async fn under(paths: Direction<Path>, seed: u64, target: SocketAddr) -> io::Result<Relay> {
        let listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        Relay::at(Place { listen, most: usize::MAX }, paths, seed, target)
    }

    /// The same, at a place of its own. A target of an unspecified address (`0.0.0.0`) is reached by the
    /// address that the client came to.
    ///
    /// # Errors
    /// Where the place can't be had.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn at(place: Place, paths: Direction<Path>, seed: u64, target: SocketAddr) -> io::Result<Relay> {
        let door = Door::new(place.listen)?;
        let address = door.address();
        let (sender, receiver) = watch::channel(Orders::new(target));
        let connections = Arc::new(AtomicUsize::new(0));
        let carried = Carried { most: place.most, now: Arc::clone(&connections) };
        let task = tokio::spawn(accept(door, receiver, carried, (paths, seed)));
        Ok(Relay { address, orders: Arc::new(sender), connections, task })
    }

    /// Where clients connect to.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it carries now.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Sends later connections to another address; those that stand are left alone.
    pub fn set_target(&self, target: SocketAddr) {
        self.orders.send_modify(|orders| orders.target = target);
    }

    /// Puts a fault in force, at once and for every connection that it concerns.
    pub fn apply(&self, fault: Fault) -> Guard {
        let mut number = 0;
        self.orders.send_modify(|orders| number = orders.begin(fault));
        Guard { number, orders: Arc::clone(&self.orders) }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // The connections' tasks live in a set that this task owns.
        self.task.abort();
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.orders.send_modify(|orders| orders.end(self.number));
    }
}

/// How many connections there are, and may be.
#[derive(Debug)]
struct Carried {
    most: usize,
    now: Arc<AtomicUsize>,
}

/// Lets clients in while the door is to be open, and shuts it while connections are to be refused.
async fn accept(
    mut door: Door,
    mut orders: watch::Receiver<Orders>,
    carried: Carried,
    (paths, seed): (Direction<Path>, u64),
) {
    let mut connections = JoinSet::new();
    let mut seeds = StdRng::seed_from_u64(seed);
    loop {
        let InForce { refuse, .. } = orders.borrow_and_update().in_force();
        door.set_open(!refuse).await;
        tokio::select! {
            changed = orders.changed() => if changed.is_err() { return },
            accepted = door.accept() => if let Ok(client) = accepted && connections.len() < carried.most {
                connections.spawn(connection::relay(client, orders.clone(), paths, seeds.random()));
            },
            // Reaped as they end, so that a long run does not keep a record of each.
            Some(_) = connections.join_next() => {}
        }
        carried.now.store(connections.len(), Ordering::Relaxed);
    }
}
