//! How much memory a student's server takes, whoever started it.
//!
//! By the port on which it listens, and not by the process that the checker started: that may be a shell or a
//! package manager whose grandchild is the server, and a server at a URL was started by somebody else.

use std::{collections::HashSet, fs, net::SocketAddr};

use super::listening;
use crate::harness::process;

/// The processes that listen at an address of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listeners {
    pids: Vec<u32>,
}

impl Listeners {
    /// `None` where this system does not tell, or another user's process or another machine listens there.
    pub(super) fn at(address: SocketAddr) -> Option<Self> {
        if !address.ip().is_loopback() {
            return None;
        }
        let sockets: HashSet<String> = listening::sockets(address.port()).into_iter().collect();
        let processes = fs::read_dir("/proc").ok()?;
        let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let pids: Vec<u32> = pids.filter(|&pid| has_one_of(pid, &sockets)).collect();
        (!pids.is_empty()).then_some(Listeners { pids })
    }

    /// Their resident memory together, in bytes.
    pub(super) fn resident(&self) -> Option<u64> {
        let kib = self.pids.iter().map(|&pid| process::usage(pid).rss_kib);
        kib.sum::<Option<u64>>().map(|kib| kib * 1024)
    }
}

fn has_one_of(pid: u32, sockets: &HashSet<String>) -> bool {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    links
        .filter_map(|link| fs::read_link(link.path()).ok())
        .any(|it| sockets.contains(&*it.to_string_lossy()))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_listener_is_found_by_its_port() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let found = Listeners::at(address).expect("this process");
        assert_eq!(found.pids, [std::process::id()]);
        assert!(found.resident().expect("its memory") > 100_000);
        drop(listener);
        assert_eq!(Listeners::at(address), None);
        assert_eq!(Listeners::at("192.0.2.1:80".parse().expect("an address")), None);
    }
}
