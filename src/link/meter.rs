//! What a subscription's connections cost, added up.

/// Counts what goes over all the connections of a subscription, live and closed.
#[derive(Debug, Default)]
pub struct Meter {}

/// A meter's reading. `in` is from the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Bytes read from the TCP streams.
    pub application_in: u64,
    /// Bytes written to them.
    pub application_out: u64,
    /// Of `application_in`, HTTP response heads, with their closing blank line.
    pub heads_in: u64,
    /// Of `application_out`, HTTP request heads.
    pub heads_out: u64,
    /// With TCP and IP headers and pure ACKs; `None` where the kernel does not tell.
    pub wire_in: Option<u64>,
    /// The same, sent.
    pub wire_out: Option<u64>,
    /// TCP segments received.
    pub segments_in: Option<u64>,
    /// TCP segments sent.
    pub segments_out: Option<u64>,
    /// TCP connections opened.
    pub connections: u64,
    /// HTTP requests sent, upgrades included.
    pub requests: u64,
}

impl Meter {
    /// The reading now; live connections are asked at this moment.
    pub fn totals(&self) -> Totals {
        Totals::default()
    }
}
