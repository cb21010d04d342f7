//! `network`: what stands between the clients and the server.

use std::time::Duration;

use serde::Deserialize;

use crate::link::{
    conditions::{Path, Profile},
    relay::Direction,
};

/// A network by its name, or one of the definition's own.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged, expecting = "a network's name, or a table with a name of its own")]
pub enum Network {
    /// `direct` for nothing in between, or the name of a [`Profile`].
    Named(String),
    /// Values of its own.
    Own(OwnNetwork),
}

/// A network with values of its own: a relay's, or a share of lost segments.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnNetwork {
    /// Its name in records, charts and claims.
    pub name: String,
    /// What is done to bytes from the server to the client.
    #[serde(default)]
    pub to_client: Option<OwnPath>,
    /// What is done to bytes from the client to the server; as `to_client` where it is left out.
    #[serde(default)]
    pub to_server: Option<OwnPath>,
    /// Percent of the segments that are lost, each way; in a network namespace, and with no relay.
    #[serde(default)]
    pub loss_percent: Option<f64>,
}

/// One direction, in the units of files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnPath {
    /// Milliseconds that each byte is on its way.
    #[serde(default)]
    pub delay_ms: f64,
    /// The most milliseconds that chance adds.
    #[serde(default)]
    pub jitter_ms: f64,
    /// Thousands of bits per second.
    #[serde(default)]
    pub rate_kbit_s: Option<f64>,
    /// The most bytes that are passed on in one write.
    #[serde(default)]
    pub chunk_bytes: Option<usize>,
}

/// What a network is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Between {
    /// Nothing.
    Direct,
    /// A relay for each reader.
    Relay(Direction<Path>),
    /// A network namespace that loses so many percent of the segments each way.
    Lossy(f64),
}

impl Network {
    /// The word for nothing in between.
    pub const DIRECT: &str = "direct";

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Network::Named(name) => name,
            Network::Own(own) => &own.name,
        }
    }

    /// What it is made of; `None` where nobody knows the name.
    pub fn between(&self) -> Option<Between> {
        match self {
            Network::Named(name) if name == Network::DIRECT => Some(Between::Direct),
            Network::Named(name) => Profile::named(name).map(|profile| Between::Relay(profile.paths())),
            Network::Own(OwnNetwork { loss_percent: Some(percent), .. }) => Some(Between::Lossy(*percent)),
            Network::Own(own) => {
                let to_client = own.to_client.unwrap_or_default();
                let to_server = own.to_server.unwrap_or(to_client);
                Some(Between::Relay(Direction { to_client: to_client.path(), to_server: to_server.path() }))
            }
        }
    }

    /// Whether it is one that only the kernel can make.
    pub fn is_lossy(&self) -> bool {
        matches!(self.between(), Some(Between::Lossy(_)))
    }

    /// What is wrong with it and how to put it right.
    pub(super) fn check(&self) -> Result<(), String> {
        let Network::Own(own) = self else {
            let known = || Profile::ALL.map(Profile::slug).join(", ");
            let unknown = |_| {
                let name = self.name();
                format!(
                    "there is no network {name:?}: {}, {}, or a table of its own",
                    Network::DIRECT,
                    known()
                )
            };
            return self.between().map(drop).ok_or(()).map_err(unknown);
        };
        let name = own.name.as_str();
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > 32 || !name.bytes().all(plain) {
            return Err(format!("the name {name:?} must be 1 to 32 of a–z, 0–9 and -"));
        }
        if name == Network::DIRECT || Profile::named(name).is_some() {
            return Err(format!("the name {name:?} is taken: choose another for values of its own"));
        }
        match own.loss_percent {
            Some(percent) if !(0.0..=50.0).contains(&percent) => {
                return Err(format!("{name}: loss_percent must be from 0 to 50"));
            }
            // A relay ends TCP on its both sides: what is lost beyond it is made good without its delay.
            Some(_) if own.to_client.is_some() || own.to_server.is_some() => {
                return Err(format!(
                    "{name}: loss can't be had together with to_client or to_server: leave out either"
                ));
            }
            Some(_) => {}
            None if own.to_client.is_none() && own.to_server.is_none() => {
                return Err(format!("{name}: say what it does: to_client, to_server, or loss_percent"));
            }
            None => {}
        }
        let paths = [own.to_client, own.to_server].into_iter().flatten();
        paths.into_iter().try_for_each(|path| path.check().map_err(|problem| format!("{name}: {problem}")))
    }
}

impl OwnPath {
    fn check(self) -> Result<(), &'static str> {
        if ![self.delay_ms, self.jitter_ms].iter().all(|ms| (0.0..=10_000.0).contains(ms)) {
            return Err("delay_ms and jitter_ms must be from 0 to 10000");
        }
        if self.rate_kbit_s.is_some_and(|rate| !(1.0..=1e8).contains(&rate)) {
            return Err("rate_kbit_s must be from 1 to 100000000");
        }
        if self.chunk_bytes == Some(0) {
            return Err("chunk_bytes must be at least 1");
        }
        Ok(())
    }

    fn path(self) -> Path {
        Path {
            delay: Duration::from_secs_f64(self.delay_ms / 1e3),
            jitter: Duration::from_secs_f64(self.jitter_ms / 1e3),
            rate_bits_s: self.rate_kbit_s.map(|rate| (rate * 1e3) as u64),
            chunk_bytes: self.chunk_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Line {
        network: Vec<Network>,
    }

    fn read(text: &str) -> Network {
        let line: Line = toml::from_str(&format!("network = [{text}]")).expect("well-formed");
        line.network.into_iter().next().expect("one")
    }

    #[test]
    fn a_name_and_a_table_become_what_they_say() {
        assert_eq!(read("'direct'").between(), Some(Between::Direct));
        assert_eq!(read("'mobile'").between(), Some(Between::Relay(Profile::Mobile.paths())));
        assert_eq!(read("{ name = 'bad', loss_percent = 2 }").between(), Some(Between::Lossy(2.0)));
        let thin = read("{ name = 'thin', to_client = { rate_kbit_s = 64, chunk_bytes = 10 } }");
        let path = Path { rate_bits_s: Some(64_000), chunk_bytes: Some(10), ..Path::default() };
        assert_eq!(thin.between(), Some(Between::Relay(Direction { to_client: path, to_server: path })));
        let lopsided = read("{ name = 'x', to_client = { delay_ms = 2.5 }, to_server = {} }");
        let late = Path { delay: Duration::from_micros(2_500), ..Path::default() };
        let expected = Direction { to_client: late, to_server: Path::default() };
        assert_eq!(lopsided.between(), Some(Between::Relay(expected)));
    }

    #[test]
    fn what_no_network_is_made_of_is_refused_with_what_to_do() {
        for (text, word) in [
            ("'moon'", "satellite"),
            ("{ name = 'mobile', loss_percent = 1 }", "taken"),
            ("{ name = 'a/b', loss_percent = 1 }", "a–z"),
            ("{ name = 'x', loss_percent = 51 }", "50"),
            ("{ name = 'x', loss_percent = 1, to_client = {} }", "leave out"),
            ("{ name = 'x' }", "loss_percent"),
            ("{ name = 'x', to_client = { delay_ms = -1 } }", "delay_ms"),
            ("{ name = 'x', to_server = { chunk_bytes = 0 } }", "at least 1"),
            ("{ name = 'x', to_server = { rate_kbit_s = 0 } }", "rate_kbit_s"),
        ] {
            let problem = read(text).check().expect_err(text);
            assert!(problem.contains(word), "{text}: {problem}");
        }
        for profile in Profile::ALL {
            read(&format!("'{}'", profile.slug())).check().expect("a profile");
        }
    }
}
