//! A network of its own, where segments are lost.
//!
//! A relay ends TCP on both of its sides, so it can delay bytes but never lose a segment. Loss needs the
//! kernel: a namespace for the server, and between it and this machine another one that forwards, and drops
//! at random there. (Dropped in the server's own output, TCP is told and does not retransmit but probe.)
//!
//! ```text
//! this machine ── veth ── the middle: forwards, drops ── veth ── the server's namespace
//!  198.18.x.y+1           +2                          +5         +6
//! ```
//!
//! The addresses are of 198.18.0.0/15, which RFC 2544 sets aside for measuring. All names are drawn at
//! random, and everything goes away when the value is dropped: the namespaces, and with the one interface
//! on this side its address and its route. Nothing else of this machine is changed. (A process that is
//! killed leaves them behind; `ip netns list` names them `pushlab-…`, `ip netns delete NAME` removes one.)
//!
//! Segmentation is offloaded on such links, so that what is dropped may be several segments of a large
//! write at once; with events of less than a segment it is always one.

use std::{
    io::{self, Write as _},
    net::Ipv4Addr,
    process::{Command, Output, Stdio},
};

/// What the words of an error begin with, whatever was missing.
const NEEDS: &str = "packet loss needs Linux, root (CAP_NET_ADMIN and CAP_SYS_ADMIN), `ip` (package iproute2) \
                     and `nft` (package nftables)";

/// A way through the kernel's network on which a share of all segments is lost, in both directions.
#[derive(Debug)]
pub struct Namespace {
    /// What all names begin with.
    stem: String,
    address: Ipv4Addr,
}

/// Why there is no such network.
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    /// A program is not there.
    #[error("{NEEDS}: {program} can't be started ({source}); install it, or leave the experiment out")]
    Missing {
        /// The program.
        program: &'static str,
        /// The system's word.
        source: io::Error,
    },
    /// The system refused.
    #[error(
        "{NEEDS}: `{command}` said: {said}; run it as root on a machine that allows it, or leave the experiment out"
    )]
    Refused {
        /// The command.
        command: String,
        /// Its own words.
        said: String,
    },
}

impl Namespace {
    /// Makes the network. `loss_percent` of all segments are lost, each on its own; the kernel draws, and
    /// takes no seed. Blocks for a few dozen milliseconds.
    ///
    /// # Errors
    /// Where a program is missing or the system does not permit it; the text says what is needed.
    pub fn create(loss_percent: f64) -> Result<Namespace, NamespaceError> {
        let random: u32 = rand::random();
        // A network of eight addresses: both links, with four each.
        let base = u32::from(Ipv4Addr::new(198, 18, 0, 0)) + (random & 0x0001_fff8);
        let ip = |host: u32| Ipv4Addr::from_bits(base + host);
        // From here on whatever was made goes away with the value, also where a later step fails.
        let made = Namespace { stem: format!("pushlab-{random:08x}"), address: ip(6) };
        let (middle, server) = (made.middle(), made.server());
        // Interface names have at most 15 characters.
        let [here, near, far, end] = ["a", "b", "c", "d"].map(|end| format!("pl{random:08x}{end}"));
        run("ip", &["netns", "add", &middle])?;
        run("ip", &["netns", "add", &server])?;
        run("ip", &["link", "add", &here, "type", "veth", "peer", "name", &near, "netns", &middle])?;
        run(
            "ip",
            &["-n", &middle, "link", "add", &far, "type", "veth", "peer", "name", &end, "netns", &server],
        )?;
        run("ip", &["addr", "add", &format!("{}/30", ip(1)), "dev", &here])?;
        run("ip", &["-n", &middle, "addr", "add", &format!("{}/30", ip(2)), "dev", &near])?;
        run("ip", &["-n", &middle, "addr", "add", &format!("{}/30", ip(5)), "dev", &far])?;
        run("ip", &["-n", &server, "addr", "add", &format!("{}/30", ip(6)), "dev", &end])?;
        run("ip", &["link", "set", &here, "up"])?;
        run("ip", &["-n", &middle, "link", "set", &near, "up"])?;
        run("ip", &["-n", &middle, "link", "set", &far, "up"])?;
        run("ip", &["-n", &server, "link", "set", &end, "up"])?;
        run("ip", &["-n", &server, "link", "set", "lo", "up"])?;
        run("ip", &["-n", &server, "route", "add", "default", "via", &ip(5).to_string()])?;
        let to_server = format!("{}/30", ip(4));
        run("ip", &["route", "add", &to_server, "via", &ip(2).to_string(), "dev", &here])?;
        let forward = "echo 1 > /proc/sys/net/ipv4/ip_forward";
        run("ip", &["netns", "exec", &middle, "sh", "-c", forward])?;
        run_with("ip", &["netns", "exec", &middle, "nft", "-f", "-"], &rules(loss_percent))?;
        Ok(made)
    }

    /// The server's address, which only this machine and the namespaces know.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The words that start a program inside: put them in front of its own.
    pub fn prefix(&self) -> [String; 4] {
        ["ip".to_owned(), "netns".to_owned(), "exec".to_owned(), self.server()]
    }

    fn middle(&self) -> String {
        format!("{}-middle", self.stem)
    }

    fn server(&self) -> String {
        format!("{}-server", self.stem)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // The kernel takes the links with the namespaces, but in its own time: the one on this side goes
        // at once, and with it the address and the route.
        let here = format!("pl{}a", self.stem.trim_start_matches("pushlab-"));
        let _ = run("ip", &["link", "delete", &here]);
        for name in [self.middle(), self.server()] {
            let _ = run("ip", &["netns", "delete", &name]);
        }
    }
}

/// In hundredths of a percent, since the kernel's dice are whole numbers.
fn rules(loss_percent: f64) -> String {
    let share = (loss_percent.clamp(0.0, 100.0) * 100.0).round() as u32;
    let drop = if share == 0 { String::new() } else { format!("numgen random mod 10000 < {share} drop") };
    format!(
        "table inet pushlab {{\n chain forward {{\n  type filter hook forward priority 0;\n  {drop}\n }}\n}}\n"
    )
}

fn run(program: &'static str, arguments: &[&str]) -> Result<(), NamespaceError> {
    run_with(program, arguments, "")
}

fn run_with(program: &'static str, arguments: &[&str], input: &str) -> Result<(), NamespaceError> {
    let start = || -> io::Result<Output> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that ends without reading says why itself.
            let _ = stdin.write_all(input.as_bytes());
        }
        child.wait_with_output()
    };
    let output = start().map_err(|source| NamespaceError::Missing { program, source })?;
    if output.status.success() {
        return Ok(());
    }
    Err(NamespaceError::Refused {
        command: format!("{program} {}", arguments.join(" ")),
        said: String::from_utf8_lossy(&output.stderr).trim().replace('\n', " "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_dropped_and_none_where_none_is_to_be_lost() {
        assert!(rules(2.0).contains("numgen random mod 10000 < 200 drop"));
        assert!(rules(0.25).contains("< 25 drop"));
        assert!(!rules(0.0).contains("drop"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let missing = run("pushlab-no-such-program", &[]).expect_err("it is not there").to_string();
        assert!(missing.contains("nftables") && missing.contains("pushlab-no-such-program"), "{missing}");
        let refused = run("sh", &["-c", "echo no permission >&2; exit 1"]).expect_err("refused").to_string();
        assert!(refused.contains("root") && refused.contains("no permission"), "{refused}");
    }
}
