//! Which of this machine's own addresses a connection to it comes from.
//!
//! A connection is told from all others by its two addresses and two ports. To one port of a server there are
//! as many from one address as it has ephemeral ports: 28,232 on Linux where nobody has changed
//! `net.ipv4.ip_local_port_range`. All of 127.0.0.0/8 is this machine there, so that when the ports of one address
//! have run out, the next address's are taken.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicU8, Ordering},
};

/// How many addresses there are beside the one that the system chooses: 127.0.0.2 and on. They are good for more
/// connections than a process may have files.
const OTHERS: u8 = 40;

/// The addresses, and which of them is in use: 0 is the one that the system chooses.
#[derive(Debug)]
pub(super) struct Sources(AtomicU8);

impl Sources {
    /// The system's own choice, for now.
    pub(super) const fn new() -> Self {
        Sources(AtomicU8::new(0))
    }

    /// Makes an attempt at a connection from the address in use; `None` is the one that the system chooses. Where its
    /// ports have run out, from the next one, which is then the one in use: a search through all ports of one that
    /// is full would cost every later connection some milliseconds.
    ///
    /// # Errors
    /// What the attempt says; where the ports of all addresses have run out, what it said of the first.
    pub(super) fn connect<T>(
        &self,
        to: SocketAddr,
        mut attempt: impl FnMut(Option<Ipv4Addr>) -> io::Result<T>,
    ) -> io::Result<T> {
        if !has_others(to) {
            return attempt(None);
        }
        let mut full = None;
        let first = self.0.load(Ordering::Relaxed);
        for number in (first..=OTHERS).chain(0..first) {
            match attempt((number > 0).then(|| Ipv4Addr::new(127, 0, 0, number + 1))) {
                Err(error) if has_run_out(&error) => _ = full.get_or_insert(error),
                done => {
                    self.0.store(number, Ordering::Relaxed);
                    return done;
                }
            }
        }
        Err(full.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
    }
}

/// Whether this machine has several addresses that reach there. Elsewhere than on Linux 127.0.0.1 stands alone.
fn has_others(to: SocketAddr) -> bool {
    cfg!(target_os = "linux") && matches!(to.ip(), IpAddr::V4(ip) if ip.is_loopback())
}

/// `connect` says that no address is available, and `bind`, which asks for a port of one, that all are in use.
fn has_run_out(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const SERVER: &str = "127.0.0.1:3000";

    /// A machine whose addresses have so many ports each.
    #[derive(Default)]
    struct Machine {
        used: HashMap<Option<Ipv4Addr>, u32>,
        attempts: u32,
    }

    impl Machine {
        fn attempt(&mut self, ports: u32, source: Option<Ipv4Addr>) -> io::Result<Option<Ipv4Addr>> {
            self.attempts += 1;
            let used = self.used.entry(source).or_default();
            *used += 1;
            let kind =
                if source.is_some() { io::ErrorKind::AddrInUse } else { io::ErrorKind::AddrNotAvailable };
            if *used > ports { Err(kind.into()) } else { Ok(source) }
        }
    }

    #[test]
    fn the_next_address_is_taken_when_the_ports_of_one_have_run_out() {
        let (sources, mut machine) = (Sources::new(), Machine::default());
        let to = SERVER.parse().expect("an address");
        let mut connect = || sources.connect(to, |source| machine.attempt(3, source)).ok().flatten();
        let from: Vec<_> = (0..8).map(|_| connect()).collect();
        let [second, third] = [2, 3].map(|last| Some(Ipv4Addr::new(127, 0, 0, last)));
        assert_eq!(from, [None, None, None, second, second, second, third, third]);
        assert_eq!(machine.attempts, 10, "a full address is asked once");
    }

    #[test]
    fn where_all_have_run_out_the_first_says_so_and_all_were_asked() {
        let (sources, mut asked) = (Sources(AtomicU8::new(2)), Vec::new());
        let none = |source| {
            asked.push(source);
            Err::<(), _>(io::Error::from(io::ErrorKind::AddrInUse))
        };
        let to = SERVER.parse().expect("an address");
        assert_eq!(sources.connect(to, none).map_err(|error| error.kind()), Err(io::ErrorKind::AddrInUse));
        assert_eq!(asked.len(), usize::from(OTHERS) + 1);
        assert!(asked.contains(&None) && asked[0] == Some(Ipv4Addr::new(127, 0, 0, 3)));
    }

    #[test]
    fn other_errors_and_other_machines_are_left_as_they_are() {
        let sources = Sources::new();
        for to in [SERVER, "192.0.2.1:80", "[::1]:80"] {
            let mut asked = 0;
            let refused = |_| {
                asked += 1;
                Err::<(), _>(io::Error::from(io::ErrorKind::ConnectionRefused))
            };
            let said =
                sources.connect(to.parse().expect("an address"), refused).map_err(|error| error.kind());
            assert_eq!((said, asked), (Err(io::ErrorKind::ConnectionRefused), 1));
        }
        let mut asked = 0;
        let full = |_| {
            asked += 1;
            Err::<(), _>(io::Error::from(io::ErrorKind::AddrNotAvailable))
        };
        assert!(sources.connect("[::1]:80".parse().expect("an address"), full).is_err() && asked == 1);
    }
}
