//! Which `Host` a request may name, and which `Origin` may change something.
//!
//! A server on the loopback is reachable by every page that its user opens. A page whose own name was
//! made to resolve to 127.0.0.1 (DNS rebinding) is told apart by its `Host`; a page of another origin
//! that posts a form or opens a WebSocket, which no same-origin policy stops, by its `Origin`.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{Request, State as FromState},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, Version, header, uri::Authority};
use parking_lot::RwLock;

use super::{
    State,
    connection::OnConnection,
    networks::{self, ThroughDoor},
    refusal::Refusal,
};

/// The names that the server answers to.
#[derive(Debug)]
pub(crate) struct Hosts {
    /// `NAME` or `NAME:PORT`, in lower case.
    told: Vec<String>,
    /// Where it listens, once it does.
    bound: RwLock<Vec<SocketAddr>>,
    /// Ports with a named network behind them, and then this server.
    doors: RwLock<Vec<u16>>,
}

impl Hosts {
    pub(crate) fn new(told: &[String]) -> Self {
        let told = told.iter().map(|name| name.to_ascii_lowercase()).collect();
        Hosts { told, bound: RwLock::default(), doors: RwLock::default() }
    }

    pub(crate) fn add_bound(&self, address: SocketAddr) {
        self.bound.write().push(address);
    }

    pub(crate) fn add_door(&self, port: u16) {
        self.doors.write().push(port);
    }

    /// Whether a port is that of a network's door.
    fn is_door(&self, port: u16) -> bool {
        self.doors.read().contains(&port)
    }

    /// Whether an authority is one of ours. `port` is the one that it names or implies, `local` the
    /// address that the connection came in by.
    fn has(&self, authority: &Authority, port: u16, local: Option<SocketAddr>) -> bool {
        self.was_told(authority, port) || self.is_bound(authority, port, local)
    }

    /// Whether an origin is that of a page which the first origin serves, seen from a connection to this
    /// machine's address `local` under whatever port.
    pub(crate) fn serves_pages_of(&self, origin: &str, local: Option<IpAddr>) -> bool {
        let bound = self.bound.read().clone();
        bound.iter().any(|bound| {
            let local = SocketAddr::new(local.unwrap_or(bound.ip()), bound.port());
            is_ours(self, Some(local), origin)
        })
    }

    fn was_told(&self, authority: &Authority, port: u16) -> bool {
        let host = authority.host().to_ascii_lowercase();
        let with_port = format!("{host}:{port}");
        self.told.iter().any(|name| *name == host || *name == with_port)
    }

    fn is_bound(&self, authority: &Authority, port: u16, local: Option<SocketAddr>) -> bool {
        let bound = self.bound.read();
        let port_is_ours = match local {
            Some(local) => local.port() == port,
            // No connection and no listener: the router is driven by hand, under no port at all.
            None => bound.is_empty() || bound.iter().any(|bound| bound.port() == port),
        };
        if !port_is_ours {
            return false;
        }
        let host = authority.host();
        if host.eq_ignore_ascii_case("localhost") || host == "127.0.0.1" || host == "[::1]" {
            return true;
        }
        // An address can't be made to resolve elsewhere, so the one that the connection came in by is
        // good, and with a listener on 0.0.0.0 it is the only way to know which addresses are ours.
        let Ok(ip) = host.trim_matches(['[', ']']).parse::<IpAddr>() else { return false };
        local.is_some_and(|local| local.ip().to_canonical() == ip)
            || bound.iter().any(|bound| bound.ip() == ip)
    }
}

/// Lets a request pass whose `Host` is ours and, if it changes or upgrades, whose `Origin` is too.
pub(crate) async fn check(
    FromState(state): FromState<State>,
    connection: OnConnection,
    mut request: Request,
    next: Next,
) -> Response {
    match judge(state.hosts(), connection.0.local, &request) {
        Ok(Way::Direct) => next.run(request).await,
        Ok(Way::ThroughDoor) if networks::leads_to(&request) => {
            request.extensions_mut().insert(ThroughDoor);
            next.run(request).await
        }
        Ok(Way::ThroughDoor) => networks::refusal().into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

/// How a request came, as its `Host` says, which no page can make up.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    Direct,
    /// By a port with a network behind it, and from there to ours.
    ThroughDoor,
}

fn judge(hosts: &Hosts, local: Option<SocketAddr>, request: &Request) -> Result<Way, Refusal> {
    let mut way = Way::Direct;
    if let Some(authority) = authority(request)? {
        let named = authority.port_u16().unwrap_or(80);
        // A door stands for the port that it leads to.
        let port = match local {
            Some(local) if hosts.is_door(named) => {
                way = Way::ThroughDoor;
                local.port()
            }
            _ => named,
        };
        if !hosts.has(&authority, port, local) {
            return Err(not_ours(&authority));
        }
    }
    if !request.method().is_safe() || request.headers().contains_key(header::UPGRADE) {
        for origin in request.headers().get_all(header::ORIGIN) {
            if !is_ours(hosts, local, origin.to_str().unwrap_or_default()) {
                return Err(Refusal::new(
                    StatusCode::FORBIDDEN,
                    format!(
                        "the origin {:?} may not change or open anything here: load the page from this server, or name its host with --host",
                        shown(&String::from_utf8_lossy(origin.as_bytes())),
                    ),
                ));
            }
        }
    }
    Ok(way)
}

fn not_ours(authority: &Authority) -> Refusal {
    Refusal::new(
        StatusCode::MISDIRECTED_REQUEST,
        format!(
            "this server does not answer to {:?}: use the address that it printed, or start it with --host {}",
            shown(authority.as_str()),
            shown(authority.host()),
        ),
    )
}

/// The one host that a request names. HTTP/1.0 has none.
fn authority(request: &Request) -> Result<Option<Authority>, Refusal> {
    let bad = || Refusal::bad_request("bad Host header: send exactly one, with the host and port of the URL");
    let mut named = request.headers().get_all(header::HOST).iter();
    let host = match (named.next(), named.next()) {
        (None, _) if request.version() < Version::HTTP_11 => return Ok(None),
        (Some(host), None) => host.to_str().map_err(|_| bad())?,
        _ => return Err(bad()),
    };
    // RFC 9112, 3.2.2: a request target in absolute form overrides the header.
    let authority = match request.uri().authority() {
        Some(authority) => authority.clone(),
        None => host.parse().map_err(|_| bad())?,
    };
    if authority.as_str().contains('@') { Err(bad()) } else { Ok(Some(authority)) }
}

/// Whether a page of this origin was served under one of our names. `null`, the origin of a file or a
/// sandboxed frame, can be anybody's.
fn is_ours(hosts: &Hosts, local: Option<SocketAddr>, origin: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let Ok(authority) = authority.parse::<Authority>() else { return false };
    match scheme {
        "http" => hosts.has(&authority, authority.port_u16().unwrap_or(80), local),
        // We speak no TLS ourselves, so only somebody in front of us whose name we were told can.
        "https" => hosts.was_told(&authority, authority.port_u16().unwrap_or(443)),
        _ => false,
    }
}

/// A stranger's text, short enough to be said back.
fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Whether a request asks for a WebSocket.
pub(crate) fn wants_websocket(headers: &HeaderMap) -> bool {
    has_token(headers, header::CONNECTION, "upgrade") && has_token(headers, header::UPGRADE, "websocket")
}

/// Whether a header that is a list has a word.
pub(crate) fn has_token(headers: &HeaderMap, name: header::HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: &str = "127.0.0.1:3000";

    fn hosts() -> Hosts {
        let hosts = Hosts::new(&["Lab.example".to_owned(), "relay:81".to_owned()]);
        hosts.add_bound(BOUND.parse().expect("an address"));
        hosts
    }

    fn request(host: &str, origin: Option<&str>) -> Request {
        let mut request = http::Request::post("/").header(header::HOST, host);
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        request.body(axum::body::Body::empty()).expect("good headers")
    }

    fn status(host: &str, origin: Option<&str>) -> u16 {
        let local = Some(BOUND.parse().expect("an address"));
        let judged = judge(&hosts(), local, &request(host, origin));
        judged.map_or_else(|refusal| refusal.into_response().status().as_u16(), |_| 200)
    }

    #[test]
    fn a_host_is_ours_by_loopback_name_and_port_or_because_we_were_told() {
        for good in
            ["127.0.0.1:3000", "LOCALHOST:3000", "[::1]:3000", "lab.example", "lab.EXAMPLE:99", "relay:81"]
        {
            assert_eq!(status(good, None), 200, "{good}");
        }
        for foreign in [
            "127.0.0.1",
            "localhost:3001",
            "evil.example:3000",
            "relay:82",
            "127.0.0.1.evil:3000",
            "10.0.0.1:3000",
        ] {
            assert_eq!(status(foreign, None), 421, "{foreign}");
        }
        for bad in ["", "a b", "user@127.0.0.1:3000"] {
            assert_eq!(status(bad, None), 400, "{bad}");
        }
    }

    #[test]
    fn a_door_stands_for_the_port_behind_it_and_has_no_pages() {
        let hosts = hosts();
        hosts.add_door(4000);
        let local = Some(BOUND.parse().expect("an address"));
        let way = |host: &str, origin: Option<&str>| judge(&hosts, local, &request(host, origin)).ok();
        assert_eq!(way("127.0.0.1:4000", Some("http://127.0.0.1:3000")), Some(Way::ThroughDoor));
        assert_eq!(way("localhost:4000", None), Some(Way::ThroughDoor));
        assert_eq!(way("127.0.0.1:3000", None), Some(Way::Direct));
        assert_eq!(way("evil.example:4000", None), None);
        assert_eq!(way("127.0.0.1:4001", None), None);
        assert_eq!(way("127.0.0.1:3000", Some("http://127.0.0.1:4000")), None, "no page is loaded there");
    }

    #[test]
    fn an_origin_is_ours_where_its_host_is() {
        for good in
            ["http://127.0.0.1:3000", "http://localhost:3000", "http://lab.example", "https://lab.example"]
        {
            assert_eq!(status(BOUND, Some(good)), 200, "{good}");
        }
        for foreign in
            ["null", "", "http://evil.example", "http://localhost:4000", "https://127.0.0.1:3000", "file://"]
        {
            assert_eq!(status(BOUND, Some(foreign)), 403, "{foreign}");
        }
    }
}
