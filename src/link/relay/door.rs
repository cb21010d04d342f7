//! The relay's listening port.

use std::{future::pending, io, net::SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

/// A listening port that can be shut, so that the kernel refuses connections, and opened again.
#[derive(Debug)]
pub(super) struct Door {
    address: SocketAddr,
    /// Bound and never listening: keeps the port ours while the door is shut.
    _reservation: Socket,
    listener: Option<TcpListener>,
}

impl Door {
    /// Listens on `address`; port 0 picks one.
    pub(super) fn new(address: SocketAddr) -> io::Result<Door> {
        let reservation = bind(address)?;
        let address = reservation
            .local_addr()?
            .as_socket()
            .ok_or_else(|| io::Error::other("the listening socket has no internet address"))?;
        let listener = Some(listen(address)?);
        Ok(Door { address, _reservation: reservation, listener })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Opens or shuts the door. Connections that were made and not yet accepted are reset by shutting.
    pub(super) async fn set_open(&mut self, open: bool) {
        if !open {
            self.listener = None;
        }
        while open && self.listener.is_none() {
            match listen(self.address) {
                Ok(listener) => self.listener = Some(listener),
                // The kernel may need a moment to let go of the old one.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
            }
        }
    }

    /// The next client; for ever pending while the door is shut.
    pub(super) async fn accept(&self) -> io::Result<TcpStream> {
        match &self.listener {
            Some(listener) => match listener.accept().await {
                Ok((stream, _)) => Ok(stream),
                Err(error) => {
                    // Out of descriptors, most likely: trying again at once would spin.
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    Err(error)
                }
            },
            None => pending().await,
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Two sockets share the port: the one that listens, and the one that reserves it.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = bind(address)?;
    socket.listen(1024)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}
