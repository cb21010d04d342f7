//! What a network does to bytes on their way: values, and those of some named networks.
//!
//! Nothing here is measured: the named values come from the sources beside them, or are called chosen.
//! Where a source gives a round trip, each direction gets half of it.

use std::time::Duration;

use super::relay::Direction;

/// What one direction does to the bytes that pass. The default does nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Path {
    /// How long each byte is on its way.
    pub delay: Duration,
    /// The longest additional delay: each piece gets one drawn evenly from zero to this. A piece never
    /// overtakes another, as in a TCP stream, so that a long one holds up those behind it.
    pub jitter: Duration,
    /// Bits of the TCP stream per second; `None` for as fast as the machine is. Headers are not counted.
    pub rate_bits_s: Option<u64>,
    /// The most bytes that are passed on in one write; `None` for as many as came.
    pub chunk_bytes: Option<usize>,
}

/// A network that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Through the relay, with nothing added: what the relay itself costs.
    Loopback,
    /// A wired network within a building: 0.5 ms there and back (the round trip within a data centre in
    /// Jeff Dean's and Peter Norvig's "Numbers everyone should know"), 1 Gbit/s (IEEE 802.3ab).
    Lan,
    /// A shared wireless network: half of the round trips over its one hop take more than 20 ms (Pei and
    /// others, "WiFi can be the weakest link of round trip network latency in the wild", INFOCOM 2016), so
    /// 2 ms and up to 16 ms more each way; that even spread is chosen, and milder than the source's, where
    /// one in ten takes more than 100 ms. 54 Mbit/s, the nominal rate of IEEE 802.11g.
    Wifi,
    /// A telephone in an LTE network: 70 ms there and back, 12 Mbit/s each way (WebPageTest's profile
    /// "LTE"). Up to 10 ms more each way: a usual period of scheduling requests in 3GPP TS 36.213, chosen.
    Mobile,
    /// By way of a geostationary satellite: 279 ms each way, the propagation alone at the edge of its view
    /// (RFC 2488, section 2); 25 Mbit/s down, 3 Mbit/s up (the FCC's measure of broadband of 2015).
    Satellite,
}

impl Profile {
    /// All of them, from the fastest to the slowest.
    pub const ALL: [Profile; 5] =
        [Profile::Loopback, Profile::Lan, Profile::Wifi, Profile::Mobile, Profile::Satellite];

    /// The name in definitions and records.
    pub const fn slug(self) -> &'static str {
        match self {
            Profile::Loopback => "loopback",
            Profile::Lan => "lan",
            Profile::Wifi => "wifi",
            Profile::Mobile => "mobile",
            Profile::Satellite => "satellite",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Profile> {
        Profile::ALL.into_iter().find(|profile| profile.slug() == name)
    }

    /// What it does to each direction.
    pub const fn paths(self) -> Direction<Path> {
        const MEGABIT: u64 = 1_000_000;
        match self {
            Profile::Loopback => both(path(0, 0, None)),
            Profile::Lan => both(path(250, 0, Some(1_000 * MEGABIT))),
            Profile::Wifi => both(path(2_000, 16_000, Some(54 * MEGABIT))),
            Profile::Mobile => both(path(35_000, 10_000, Some(12 * MEGABIT))),
            Profile::Satellite => Direction {
                to_client: path(279_000, 0, Some(25 * MEGABIT)),
                to_server: path(279_000, 0, Some(3 * MEGABIT)),
            },
        }
    }
}

const fn path(delay_us: u64, jitter_us: u64, rate_bits_s: Option<u64>) -> Path {
    Path {
        delay: Duration::from_micros(delay_us),
        jitter: Duration::from_micros(jitter_us),
        rate_bits_s,
        chunk_bytes: None,
    }
}

const fn both(path: Path) -> Direction<Path> {
    Direction { to_client: path, to_server: path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_find_their_profiles_and_loopback_adds_nothing() {
        for profile in Profile::ALL {
            assert_eq!(Profile::named(profile.slug()), Some(profile));
        }
        assert_eq!(Profile::named("direct"), None);
        assert_eq!(Profile::Loopback.paths(), Direction::default());
    }

    #[test]
    fn the_profiles_are_listed_from_the_fastest_to_the_slowest() {
        let mean = |profile: Profile| {
            let Direction { to_client, to_server } = profile.paths();
            to_client.delay + to_server.delay + (to_client.jitter + to_server.jitter) / 2
        };
        assert!(Profile::ALL.map(mean).is_sorted());
        assert_eq!(mean(Profile::Wifi), Duration::from_millis(20));
        assert_eq!(mean(Profile::Mobile), Duration::from_millis(80));
    }
}
