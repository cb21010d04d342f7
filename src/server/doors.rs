//! The addresses that a server program listens on: its own, that of the second origin, and those behind
//! which a network is.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use clap::Args;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{State, Token, bind, networks::Doorways, run, run_second_origin};

/// Where to listen, as flags.
#[derive(Debug, Clone, Args)]
pub struct Addresses {
    /// Where to listen; port 0 picks a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:3000")]
    pub listen: SocketAddr,
    /// Where the second origin listens, at which the tour's pages look from outside [default: a free port
    /// of the same address, where that is the loopback; else none]
    #[arg(long, value_name = "ADDR:PORT")]
    pub second_listen: Option<SocketAddr>,
    /// The first of five ports in a row, one for each named network that pages may put between themselves
    /// and the server [default: free ports, where that is the loopback; else none]
    #[arg(long, value_name = "PORT")]
    pub network_ports: Option<u16>,
}

/// Open listeners.
#[derive(Debug)]
pub struct Doors {
    first: TcpListener,
    second: Option<TcpListener>,
    networks: Option<Doorways>,
}

impl Doors {
    /// Opens them. What is not asked for gets free ports where the server listens on the loopback; elsewhere
    /// there is none, since nobody expects a port to be open that was not asked for.
    ///
    /// # Errors
    /// Where an address can't be had, with the flag to change it by.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn open(addresses: &Addresses) -> io::Result<Self> {
        let Addresses { listen, second_listen, network_ports } = *addresses;
        let first = bind_or_say(listen, "--listen")?;
        let is_loopback = listen.ip().is_loopback();
        let free = is_loopback.then(|| SocketAddr::new(listen.ip(), 0));
        let second = second_listen.or(free);
        let second = second.map(|second| bind_or_say(second, "--second-listen")).transpose()?;
        let target = first.local_addr()?;
        let networks = (is_loopback || network_ports.is_some())
            .then(|| Doorways::reserve(listen.ip(), network_ports, target))
            .transpose()?;
        Ok(Doors { first, second, networks })
    }

    /// Where the server listens.
    ///
    /// # Errors
    /// Where the listener has no address, which an open one has.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.first.local_addr()
    }

    /// Serves them until `shutdown`; see [`run`].
    ///
    /// # Errors
    /// As [`run`].
    pub async fn serve(self, state: State, shutdown: CancellationToken) -> io::Result<()> {
        if let Some(networks) = self.networks {
            state.stands_behind(networks);
        }
        let second = async {
            match self.second {
                Some(second) => run_second_origin(second, state.clone(), shutdown.clone()).await,
                None => Ok(()),
            }
        };
        // The second one first, so that there is no page which does not know it yet.
        let (second, first) = tokio::join!(second, run(self.first, state.clone(), shutdown.clone()));
        first.and(second)
    }
}

/// The address that gives a browser the token.
pub fn url_with_token(mut address: SocketAddr, token: &Token) -> String {
    if address.ip().is_unspecified() {
        // That is no address to connect to.
        address.set_ip(if address.is_ipv4() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            Ipv6Addr::LOCALHOST.into()
        });
    }
    format!("http://{address}/?token={}", token.reveal())
}

fn bind_or_say(address: SocketAddr, flag: &str) -> io::Result<TcpListener> {
    bind(address).map_err(|error| {
        let other = SocketAddr::new(address.ip(), 0);
        let message = format!(
            "can't listen on {address}: end what uses port {}, or choose another, as with {flag} {other}: {error}",
            address.port()
        );
        io::Error::new(error.kind(), message)
    })
}
