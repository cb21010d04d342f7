//! Packets lost below TCP: a filter on the relay's own sockets drops whatever arrives, unseen and
//! unacknowledged.
//!
//! Bytes that a relay reads and forgets were acknowledged by its kernel: the sender believes that they have
//! arrived. Behind a pulled plug nothing is acknowledged, and only so does a sender's retransmission, and the
//! limit that it set for it, come into play.

use std::{convert::Infallible, future::pending};

use tokio::{net::TcpStream, sync::watch};

use super::fault::Orders;

/// A second handle on both sockets of a connection, while their first is busy.
pub(super) struct Plug {
    #[cfg(target_os = "linux")]
    sockets: Vec<socket2::Socket>,
}

impl Plug {
    /// Of a connection's two sockets. Where the system has no descriptor left, it can't be pulled.
    pub(super) fn of(sockets: [&TcpStream; 2]) -> Self {
        #[cfg(target_os = "linux")]
        return Plug {
            sockets: sockets
                .into_iter()
                .filter_map(|tcp| socket2::SockRef::from(tcp).try_clone().ok())
                .collect(),
        };
        #[cfg(not(target_os = "linux"))]
        {
            let _ = sockets;
            Plug {}
        }
    }

    /// Pulls the plug while the orders say so, and puts it back.
    pub(super) async fn obey(&self, mut orders: watch::Receiver<Orders>, born: u64) -> Infallible {
        let mut pulled = false;
        loop {
            let pull = orders.borrow_and_update().in_force_for(born).unplugged;
            if pull != pulled {
                self.set(pull);
                pulled = pull;
            }
            if orders.changed().await.is_err() {
                return pending().await;
            }
        }
    }

    #[cfg(target_os = "linux")]
    fn set(&self, pull: bool) {
        // One instruction, "return 0 bytes": the kernel drops a segment that a filter keeps nothing of
        // before TCP sees it. Anybody may put a filter on a socket of their own.
        const KEEP_NOTHING: socket2::SockFilter = socket2::SockFilter::new(0x06, 0, 0, 0);
        for socket in &self.sockets {
            let done = if pull { socket.attach_filter(&[KEEP_NOTHING]) } else { socket.detach_filter() };
            if let Err(error) = done {
                tracing::warn!(%error, pull, "a relayed connection's packets can't be filtered");
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn set(&self, _pull: bool) {
        tracing::warn!("losing packets needs Linux; nothing is lost");
    }
}
