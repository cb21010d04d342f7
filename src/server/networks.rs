//! Named networks between a page and this server: a door for each, and behind it a relay that delays what
//! passes, in both directions, as that network would.
//!
//! A door is a port of its own, so that what a page sees is real TCP: it connects, waits and is cut there as
//! anywhere. It is shut until a page asks for it (`PUT /networks/{name}`), and again once nobody has asked
//! or been connected for a while. To a browser it is another origin, so it leads to nothing but the four ways
//! of reading a channel, and only pages of this server may read there.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use axum::{
    extract::{Path as InPath, Request, State as FromState},
    response::Response,
};
use http::{StatusCode, uri::Authority};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{
    State,
    refusal::{Refusal, json_response},
};
use crate::{
    encoding,
    link::{
        Relay,
        conditions::{Path, Profile},
        relay::{Fault, Guard, Place},
    },
    transport::Transport,
};

/// Connections through one door at a time: a class of thirty with four readers each, and some to come back
/// while the old ones are not gone yet.
const MOST: usize = 256;

/// How long a door that nobody asks for and nobody uses stays open. Pages ask every half minute.
const IDLE: Duration = Duration::from_secs(120);

/// A door for each named network.
#[derive(Debug)]
pub(crate) struct Doorways(Vec<Doorway>);

#[derive(Debug)]
struct Doorway {
    network: Profile,
    relay: Relay,
    lease: Mutex<Lease>,
}

#[derive(Debug)]
struct Lease {
    /// Refuses connections while nobody asks for the door; the port is kept.
    shut: Option<Guard>,
    asked: Instant,
}

/// The mark of a request that came by one of the doors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ThroughDoor;

impl Doorways {
    /// Takes a port for each network, all shut, in front of the server at `target`: free ones, or those from
    /// `first` on.
    ///
    /// # Errors
    /// Where a port can't be had.
    pub(crate) fn reserve(ip: IpAddr, first: Option<u16>, target: SocketAddr) -> io::Result<Self> {
        let doorways = Profile::ALL.into_iter().enumerate().map(|(index, network)| {
            let after = u16::try_from(index).unwrap_or_default();
            let listen = SocketAddr::new(ip, first.map_or(0, |first| first.saturating_add(after)));
            let relay = Relay::at(Place { listen, most: MOST }, network.paths(), rand::random(), target)
                .map_err(|error| {
                    let message = format!(
                        "can't take {listen} for the network {}: choose other ports, as with --network-ports 3010: {error}",
                        network.slug()
                    );
                    io::Error::new(error.kind(), message)
                })?;
            let shut = Some(relay.apply(Fault::Refuse));
            Ok(Doorway { network, relay, lease: Mutex::new(Lease { shut, asked: Instant::now() }) })
        });
        doorways.collect::<io::Result<_>>().map(Doorways)
    }

    /// Every door's port, open or not.
    pub(crate) fn ports(&self) -> impl Iterator<Item = u16> {
        self.0.iter().map(|doorway| doorway.relay.addr().port())
    }

    /// Shuts the doors that nobody uses.
    pub(crate) fn collect_idle(&self, now: Instant) {
        for doorway in &self.0 {
            let mut lease = doorway.lease.lock();
            let unused = now.duration_since(lease.asked) > IDLE && doorway.relay.connections() == 0;
            if unused && lease.shut.is_none() {
                lease.shut = Some(doorway.relay.apply(Fault::Refuse));
            }
        }
    }

    fn named(&self, name: &str) -> Option<&Doorway> {
        self.0.iter().find(|doorway| doorway.network.slug() == name)
    }
}

impl Doorway {
    fn open(&self) {
        let mut lease = self.lease.lock();
        lease.shut = None;
        lease.asked = Instant::now();
    }

    fn described(&self) -> Value {
        let paths = self.network.paths();
        json!({
            "name": self.network.slug(),
            "port": self.relay.addr().port(),
            "open": self.lease.lock().shut.is_none(),
            "to_client": described(paths.to_client),
            "to_server": described(paths.to_server),
        })
    }
}

fn described(path: Path) -> Value {
    let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
    json!({ "delay_ms": ms(path.delay), "jitter_ms": ms(path.jitter), "rate_bits_s": path.rate_bits_s })
}

/// `GET /networks`: each network, what it does to each direction, and its door.
pub(crate) async fn list(FromState(state): FromState<State>) -> Response {
    let all: Vec<Value> =
        state.doorways().into_iter().flat_map(|all| all.0.iter().map(Doorway::described)).collect();
    json_response(StatusCode::OK, encoding::json(&json!({ "networks": all })))
}

/// `PUT /networks/{name}`: opens its door, or keeps it open for longer.
pub(crate) async fn open(
    FromState(state): FromState<State>,
    InPath(name): InPath<String>,
) -> Result<Response, Refusal> {
    let doorways = state.doorways().ok_or_else(|| {
        let message =
            "this server stands behind no networks: start it on the loopback, or with --network-ports";
        Refusal::new(StatusCode::NOT_FOUND, message)
    })?;
    let doorway = doorways.named(&name).ok_or_else(|| {
        let names = Profile::ALL.map(Profile::slug).join(", ");
        Refusal::new(StatusCode::NOT_FOUND, format!("no such network: use one of {names}"))
    })?;
    doorway.open();
    Ok(json_response(StatusCode::OK, encoding::json(&doorway.described())))
}

/// The doors' ports for a page of this host. Behind a proxy, whose port is another, they can't be reached.
pub(crate) fn ports_for(state: &State, local: Option<SocketAddr>, host: Option<&str>) -> Vec<u16> {
    let named = host.and_then(|host| host.parse::<Authority>().ok()).map(|it| it.port_u16().unwrap_or(80));
    if named.is_none() || named != local.map(|local| local.port()) {
        return Vec::new();
    }
    state.doorways().into_iter().flat_map(Doorways::ports).collect()
}

/// Whether a request asks for what a door leads to: one of the four ways of reading a channel.
pub(crate) fn leads_to(request: &Request) -> bool {
    let reads = request.method().is_safe();
    let parts = request.uri().path().strip_prefix("/channels/").and_then(|path| path.split_once('/'));
    reads && parts.is_some_and(|(_, way)| Transport::ALL.iter().any(|transport| transport.slug() == way))
}

/// What a request for something else is told.
pub(crate) fn refusal() -> Refusal {
    Refusal::new(
        StatusCode::FORBIDDEN,
        "behind this network there are only the four ways of reading a channel: ask the server's own address for all else",
    )
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[tokio::test]
    async fn a_door_is_open_from_being_asked_for_until_nobody_uses_it() {
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let server = tokio::net::TcpListener::bind((ip, 0)).await.expect("a port");
        let target = server.local_addr().expect("bound");
        let doorways = Doorways::reserve(ip, None, target).expect("ports");
        let door = doorways.named("loopback").expect("there");
        let address = door.relay.addr();
        let connects = async |wanted: bool| loop {
            let tcp = tokio::net::TcpStream::connect(address).await;
            if tcp.is_ok() == wanted {
                return tcp;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        connects(false).await.expect_err("shut");
        door.open();
        let tcp = connects(true).await.expect("open");
        while door.relay.connections() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let much_later = Instant::now() + IDLE * 2;
        doorways.collect_idle(much_later);
        assert!(door.lease.lock().shut.is_none(), "somebody is connected");
        let (inner, _) = server.accept().await.expect("relayed");
        drop((tcp, inner));
        while door.relay.connections() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        doorways.collect_idle(Instant::now());
        assert!(door.lease.lock().shut.is_none(), "it was asked for a moment ago");
        doorways.collect_idle(much_later);
        connects(false).await.expect_err("shut again");
    }

    #[test]
    fn a_door_leads_to_the_four_ways_of_reading_and_nowhere_else() {
        let request = |method: &str, path: &str| {
            let request = http::Request::builder().method(method).uri(path);
            request.body(axum::body::Body::empty()).expect("a request")
        };
        for transport in Transport::ALL {
            assert!(leads_to(&request("GET", &format!("/channels/a/{transport}?after="))));
        }
        for path in ["/", "/compare", "/channels/a", "/channels/a/events", "/channels/a/sse/x", "/sse"] {
            assert!(!leads_to(&request("GET", path)), "{path}");
        }
        assert!(!leads_to(&request("POST", "/channels/a/sse")));
    }
}
