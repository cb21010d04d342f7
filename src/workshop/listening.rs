//! Whether a program listens on a port, seen without connecting to it.
//!
//! A connection that says nothing is an error to many a library, and its complaint would then stand among the
//! program's last words, where a student looks for the reason of something else. Linux lists who listens; where
//! a system does not, one has to connect.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// What is known of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listening {
    /// This address reaches a program that listens there.
    At(IpAddr),
    /// A program listens on some address, or one has to try: see which one answers.
    Try,
    /// Nobody listens.
    Nobody,
}

/// Looks into the system's lists.
pub(super) fn on(port: u16) -> Listening {
    let read = |file: &str| fs::read_to_string(file);
    match (read("/proc/net/tcp"), read("/proc/net/tcp6")) {
        (Err(_), _) => Listening::Try,
        // A system without IPv6 has one list only.
        (Ok(v4), v6) => listed(&v4, &v6.unwrap_or_default(), port),
    }
}

/// The sockets that listen on a port, as the links below `/proc/PID/fd` name them; none where the system has no
/// lists.
pub(super) fn sockets(port: u16) -> Vec<String> {
    const INODE: usize = 9;
    let lists = ["/proc/net/tcp", "/proc/net/tcp6"].map(|list| fs::read_to_string(list).unwrap_or_default());
    let lines = lists.iter().flat_map(|list| list.lines());
    let on_it = lines.filter(|line| listening(line).is_some_and(|words| words.last() == Some(&port.into())));
    on_it.filter_map(|line| Some(format!("socket:[{}]", line.split_whitespace().nth(INODE)?))).collect()
}

/// By the two lists, as proc(5) describes them.
fn listed(v4: &str, v6: &str, port: u16) -> Listening {
    let mut known = Listening::Nobody;
    for words in v4.lines().chain(v6.lines()).filter_map(listening) {
        let [address @ .., at] = words.as_slice() else { continue };
        if *at != u32::from(port) {
            continue;
        }
        match *address {
            [address] => {
                let address = Ipv4Addr::from(address.to_ne_bytes());
                if address.is_loopback() || address.is_unspecified() {
                    return Listening::At(IpAddr::V4(Ipv4Addr::LOCALHOST));
                }
            }
            [a, b, c, d] => {
                let mut bytes = [0; 16];
                for (into, word) in bytes.chunks_exact_mut(4).zip([a, b, c, d]) {
                    into.copy_from_slice(&word.to_ne_bytes());
                }
                if Ipv6Addr::from(bytes).is_loopback() {
                    return Listening::At(IpAddr::V6(Ipv6Addr::LOCALHOST));
                }
                // Of all addresses: whether those of IPv4 are among them is not said here.
                known = Listening::Try;
            }
            _ => {}
        }
    }
    known
}

/// A line's local address, in words of 32 bits as the machine has them, and its port, where its state is that
/// of a socket that listens.
fn listening(line: &str) -> Option<Vec<u32>> {
    const LISTEN: &str = "0A";
    let mut fields = line.split_whitespace().skip(1);
    let (address, port) = fields.next()?.split_once(':')?;
    if fields.nth(1)? != LISTEN || !address.is_ascii() {
        return None;
    }
    let words = (0..address.len() / 8).map(|word| &address[8 * word..8 * word + 8]).chain([port]);
    words.map(|word| u32::from_str_radix(word, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_port_is_listed_with_the_address_that_reaches_it() {
        let word = |bytes: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(bytes));
        let line = |address: &str, port: u16, state: &str| {
            format!(
                "   0: {address}:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 0\n"
            )
        };
        let head = "  sl  local_address rem_address   st tx_queue rx_queue\n";
        let (local, any) = (word([127, 0, 0, 1]), word([0; 4]));
        let v4 = [head, &line(&local, 3000, "0A"), &line(&any, 80, "0A"), &line(&local, 3001, "01")].concat();
        let zeros = word([0; 4]).repeat(3);
        let v6 = [
            &line(&format!("{zeros}{any}"), 443, "0A")[..],
            &line(&format!("{zeros}{}", word([0, 0, 0, 1])), 444, "0A"),
        ]
        .concat();
        let localhost = Listening::At(IpAddr::V4(Ipv4Addr::LOCALHOST));
        assert_eq!(listed(&v4, &v6, 3000), localhost);
        assert_eq!(listed(&v4, &v6, 80), localhost);
        assert_eq!(listed(&v4, &v6, 3001), Listening::Nobody, "a connection does not listen");
        assert_eq!(listed(&v4, &v6, 443), Listening::Try);
        assert_eq!(listed(&v4, &v6, 444), Listening::At(IpAddr::V6(Ipv6Addr::LOCALHOST)));
        assert_eq!(listed("", "", 1), Listening::Nobody);
        assert_eq!(listed("nonsense: \u{e9}:0 a 0A\n", &v6, 1), Listening::Nobody);
    }

    #[test]
    fn a_listener_of_our_own_is_found() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let found = on(listener.local_addr().unwrap().port());
        assert!(
            [Listening::At(IpAddr::V4(Ipv4Addr::LOCALHOST)), Listening::Try].contains(&found),
            "{found:?}"
        );
    }
}
