//! Which of this machine's own addresses a connection to it comes from.
//!
//! A connection is told from all others by its two addresses and two ports. To one port of a server there are
//! as many from one address as it has ephemeral ports: 28,232 on Linux where nobody has changed
//! `net.ipv4.ip_local_port_range`. All of 127.0.0.0/8 is this machine there, so that when most ports of one address
//! have been taken, the next address's are.

#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd as _;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        OnceLock,
        atomic::{AtomicU8, AtomicU32, Ordering},
    },
};

use socket2::Socket;

/// How many addresses there are beside the one that the system chooses: 127.0.0.2 and on. They are good for more
/// connections than a process may have files.
const OTHERS: u8 = 40;

/// How much of an address's ports is taken before the next address's. The rest is for whoever does not choose: our own
/// requests, and servers that are started and ask for a port. An ended connection keeps its port for a minute.
const SHARE: f64 = 0.75;

/// Ports where the system does not tell.
const USUAL_PORTS: u32 = 28_232;

/// The addresses, and which of them is in use.
#[derive(Debug)]
pub(super) struct Sources {
    /// 0 is the one that the system chooses, the next 127.0.0.2.
    current: AtomicU8,
    /// How many connections were begun from it since it came into use.
    begun: AtomicU32,
    /// How many before the next one comes into use.
    most: OnceLock<u32>,
}

impl Sources {
    /// The system's own choice, for now.
    pub(super) const fn new() -> Self {
        Sources { current: AtomicU8::new(0), begun: AtomicU32::new(0), most: OnceLock::new() }
    }

    /// Makes an attempt at a connection from the address in use; `None` is the one that the system chooses. Where its
    /// ports have run out all the same, from the next one.
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
        let most = *self.most.get_or_init(|| (SHARE * f64::from(ports().unwrap_or(USUAL_PORTS))) as u32);
        let mut full = None;
        for _ in 0..=OTHERS {
            // Two threads that go on at once leave an address out, which does no harm.
            if self.begun.fetch_add(1, Ordering::Relaxed) >= most {
                self.go_on();
            }
            let number = self.current.load(Ordering::Relaxed);
            match attempt((number > 0).then(|| Ipv4Addr::new(127, 0, 0, number + 1))) {
                Err(error) if has_run_out(&error) => {
                    full.get_or_insert(error);
                    self.go_on();
                }
                done => return done,
            }
        }
        Err(full.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
    }

    /// The next address comes into use.
    fn go_on(&self) {
        let next = (self.current.load(Ordering::Relaxed) + 1) % (OTHERS + 1);
        self.current.store(next, Ordering::Relaxed);
        self.begun.store(1, Ordering::Relaxed);
    }
}

/// How many ports the system chooses from.
fn ports() -> Option<u32> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut ends = text.split_ascii_whitespace().map(str::parse::<u32>);
    let (Ok(first), Ok(last)) = (ends.next()?, ends.next()?) else { return None };
    Some((last + 1).saturating_sub(first)).filter(|ports| *ports > 0)
}

/// Gives a socket an address to connect from, and lets the connecting choose the port.
///
/// Without the option (ip(7), `IP_BIND_ADDRESS_NO_PORT`) the port is chosen here, for connections to anywhere, and no
/// other socket that leaves the choice to the system is given it, not even one at another address.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub(super) fn bind(socket: &Socket, source: Ipv4Addr) -> io::Result<()> {
    let yes: libc::c_int = 1;
    // SAFETY: the descriptor is open as long as `socket` is borrowed, and the value is an integer of the size that is
    // told.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const yes).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if set != 0 {
        return Err(io::Error::last_os_error());
    }
    socket.bind(&SocketAddr::from((source, 0)).into())
}

/// Elsewhere nothing asks for it.
#[cfg(not(target_os = "linux"))]
pub(super) fn bind(socket: &Socket, source: Ipv4Addr) -> io::Result<()> {
    socket.bind(&SocketAddr::from((source, 0)).into())
}

/// Whether this machine has several addresses that reach there. Elsewhere than on Linux 127.0.0.1 stands alone.
fn has_others(to: SocketAddr) -> bool {
    cfg!(target_os = "linux") && matches!(to.ip(), IpAddr::V4(ip) if ip.is_loopback())
}

/// `connect` says that no address is available, and elsewhere than on Linux `bind` that all are in use.
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

    /// Where so many connections are begun from each address.
    fn sources(most: u32) -> Sources {
        Sources { most: OnceLock::from(most), ..Sources::new() }
    }

    #[test]
    fn a_part_of_each_addresss_ports_is_taken_and_then_the_next_ones() {
        let (sources, mut machine) = (sources(3), Machine::default());
        let to = SERVER.parse().expect("an address");
        let mut connect = || sources.connect(to, |source| machine.attempt(4, source)).ok().flatten();
        let from: Vec<_> = (0..8).map(|_| connect()).collect();
        let [second, third] = [2, 3].map(|last| Some(Ipv4Addr::new(127, 0, 0, last)));
        assert_eq!(from, [None, None, None, second, second, second, third, third]);
        assert_eq!(machine.attempts, 8);
    }

    #[test]
    fn where_ports_have_run_out_before_the_next_ones_are_taken_and_a_full_address_is_asked_once() {
        let (sources, mut machine) = (sources(100), Machine::default());
        let to = SERVER.parse().expect("an address");
        let mut connect = || sources.connect(to, |source| machine.attempt(2, source)).ok().flatten();
        let from: Vec<_> = (0..5).map(|_| connect()).collect();
        let [second, third] = [2, 3].map(|last| Some(Ipv4Addr::new(127, 0, 0, last)));
        assert_eq!(from, [None, None, second, second, third]);
        assert_eq!(machine.attempts, 7);
    }

    #[test]
    fn after_the_last_address_comes_the_first() {
        let (sources, mut machine) = (sources(1), Machine::default());
        let to = SERVER.parse().expect("an address");
        let all = u32::from(OTHERS) + 1;
        let from: Vec<_> =
            (0..=all).map(|_| sources.connect(to, |source| machine.attempt(2, source)).ok()).collect();
        assert_eq!((from[0], from[all as usize]), (Some(None), Some(None)));
        assert_eq!(machine.used.len(), all as usize);
    }

    #[test]
    fn where_all_have_run_out_the_first_says_so_and_all_were_asked() {
        let (sources, mut asked) = (sources(100), Vec::new());
        let none = |source| {
            asked.push(source);
            Err::<(), _>(io::Error::from(io::ErrorKind::AddrInUse))
        };
        let to = SERVER.parse().expect("an address");
        assert_eq!(sources.connect(to, none).map_err(|error| error.kind()), Err(io::ErrorKind::AddrInUse));
        asked.sort_unstable();
        asked.dedup();
        assert_eq!(asked.len(), usize::from(OTHERS) + 1);
    }

    #[test]
    fn the_system_tells_how_many_ports_it_has() {
        assert!(ports().is_some_and(|ports| ports > 0 && ports < 65_536));
    }

    #[test]
    fn a_connection_comes_from_the_address_that_it_was_given() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let socket = Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        let source = Ipv4Addr::new(127, 0, 0, 2);
        bind(&socket, source).expect("bound");
        socket.connect(&listener.local_addr().expect("an address").into()).expect("connected");
        let (_, peer) = listener.accept().expect("accepted");
        assert!(peer.ip() == source && peer.port() != 0, "{peer}");
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
