//! The addresses that a server program listens on: its own, and that of the second origin.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{State, Token, listen, run, run_second_origin};

/// Open listeners.
#[derive(Debug)]
pub struct Doors {
    first: TcpListener,
    second: Option<TcpListener>,
}

impl Doors {
    /// Opens them. Without an address for the second origin it gets a free port of the first one's, where
    /// that is the loopback; elsewhere there is none, since nobody expects a port to be open that was not
    /// asked for.
    ///
    /// # Errors
    /// Where an address can't be had, with the flag to change it by.
    pub fn open(listen: SocketAddr, second: Option<SocketAddr>) -> io::Result<Self> {
        let first = bind(listen, "--listen")?;
        let free = listen.ip().is_loopback().then(|| SocketAddr::new(listen.ip(), 0));
        let second = match second.or(free) {
            Some(second) => Some(bind(second, "--second-listen")?),
            None => None,
        };
        Ok(Doors { first, second })
    }

    /// Where the server listens.
    ///
    /// # Errors
    /// Where the listener has no address, which an open one has.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.first.local_addr()
    }

    /// Serves both until `shutdown`; see [`run`].
    ///
    /// # Errors
    /// As [`run`].
    pub async fn serve(self, state: State, shutdown: CancellationToken) -> io::Result<()> {
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

fn bind(address: SocketAddr, flag: &str) -> io::Result<TcpListener> {
    listen::bind(address).map_err(|error| {
        let other = SocketAddr::new(address.ip(), 0);
        let message = format!(
            "can't listen on {address}: end what uses port {}, or choose another, as with {flag} {other}: {error}",
            address.port()
        );
        io::Error::new(error.kind(), message)
    })
}
