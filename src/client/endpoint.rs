//! From a URL to a connection.

use std::{io, net::SocketAddr};

use url::{Host, Position, Url};

use super::{Cause, Context};
use crate::link::Counted;

/// Where a URL leads: the address to connect to and what the `Host` header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    host: Host<String>,
    port: u16,
}

impl Endpoint {
    /// The endpoint of an `http` or `ws` URL. Any other is refused, since no later attempt would go better.
    pub(super) fn of(url: &Url) -> Result<Endpoint, Cause> {
        match url.scheme() {
            "http" | "ws" => {}
            scheme @ ("https" | "wss") => {
                return Err(Cause::Refused(format!(
                    "{scheme}:// needs TLS, which pushlab does not speak: use an http:// or ws:// URL"
                )));
            }
            scheme => {
                return Err(Cause::Refused(format!(
                    "{scheme}:// can't be read: use an http:// or ws:// URL"
                )));
            }
        }
        let host = url.host().ok_or_else(|| Cause::Refused(format!("{url} names no host")))?.to_owned();
        Ok(Endpoint { host, port: url.port().unwrap_or(80) })
    }

    /// The `Host` header: with the port where it is not the scheme's own.
    pub(super) fn host_header(&self) -> String {
        match self.port {
            80 => self.host.to_string(),
            port => format!("{}:{port}", self.host),
        }
    }

    /// Connects to the first of the host's addresses that answers.
    pub(super) async fn connect(&self, context: &Context) -> Result<Counted, Cause> {
        let mut problem = io::Error::other("the name has no address");
        for address in self.addresses().await.map_err(|error| self.describe(&error))? {
            match Counted::connect(address, context.clock, &context.meter).await {
                Ok(stream) => return Ok(stream),
                Err(error) => problem = error,
            }
        }
        Err(self.describe(&problem))
    }

    async fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        Ok(match &self.host {
            Host::Ipv4(ip) => vec![(*ip, self.port).into()],
            Host::Ipv6(ip) => vec![(*ip, self.port).into()],
            Host::Domain(name) => tokio::net::lookup_host((name.as_str(), self.port)).await?.collect(),
        })
    }

    fn describe(&self, error: &io::Error) -> Cause {
        Cause::Connect(format!("{}:{}: {error}", self.host, self.port))
    }
}

/// The request target of a URL, path and query, with `extra` parameters put in the place of any of the
/// same name. The rest of the query stays as it was written.
pub(super) fn request_target(url: &Url, extra: &[(&str, &str)]) -> String {
    let mut target = String::new();
    write_request_target(url, extra, |piece| target.push_str(piece));
    target
}

/// The same, piece by piece.
pub(super) fn write_request_target(url: &Url, extra: &[(&str, &str)], mut write: impl FnMut(&str)) {
    write(&url[Position::BeforePath..Position::AfterPath]);
    let is_replaced = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        extra.iter().any(|(extra, _)| *extra == name)
    };
    let mut separator = "?";
    for pair in
        url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty() && !is_replaced(pair))
    {
        write(separator);
        write(pair);
        separator = "&";
    }
    for (name, value) in extra {
        write(separator);
        write(name);
        write("=");
        url::form_urlencoded::byte_serialize(value.as_bytes()).for_each(&mut write);
        separator = "&";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().expect("a URL")
    }

    #[test]
    fn the_host_header_has_the_port_unless_it_is_the_usual_one() {
        for (text, host) in [
            ("http://a.example/", "a.example"),
            ("http://a.example:80/", "a.example"),
            ("ws://a.example:8080/x", "a.example:8080"),
            ("http://[::1]:3000/", "[::1]:3000"),
        ] {
            assert_eq!(Endpoint::of(&url(text)).expect("http").host_header(), host);
        }
    }

    #[test]
    fn tls_is_refused_with_what_to_do() {
        let error = Endpoint::of(&url("https://a.example/")).expect_err("no TLS").to_string();
        assert!(error.contains("https") && error.contains("http://"), "{error}");
        assert!(Endpoint::of(&url("ftp://a.example/")).is_err());
    }

    #[test]
    fn paths_and_queries_are_kept_and_parameters_replaced() {
        for (text, target) in [
            ("http://a/b", "/b?after=x-1"),
            ("http://a", "/?after=x-1"),
            ("http://a/b?c=d%20e&f#g", "/b?c=d%20e&f&after=x-1"),
            ("http://a/b?after=old&c=d", "/b?c=d&after=x-1"),
        ] {
            assert_eq!(request_target(&url(text), &[("after", "x-1")]), target);
        }
        assert_eq!(request_target(&url("http://a/b?after=z"), &[]), "/b?after=z");
        assert_eq!(request_target(&url("http://a/b"), &[("after", "a b&c")]), "/b?after=a+b%26c");
    }
}
