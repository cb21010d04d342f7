//! One relayed connection.

use std::{convert::Infallible, future::pending, net::SocketAddr, sync::atomic::AtomicBool, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::watch,
    time::Instant,
};

use super::{
    answer,
    fault::{Cut, Direction, InForce, Orders, Side},
    lane::Lane,
    plug::Plug,
    pump::{self, Pump},
};
use crate::link::conditions::Path;

/// How long a cut connection is drained before it is dropped: a socket that is closed with unread bytes
/// in it sends a RST where a FIN was meant.
const DRAIN: Duration = Duration::from_secs(5);

/// Passes bytes between a client and the server until both ends are through, the connection is cut, or
/// the relay is gone.
pub(super) async fn relay(
    mut client: TcpStream,
    mut orders: watch::Receiver<Orders>,
    paths: Direction<Path>,
    seed: u64,
) {
    let accepted = Instant::now();
    let (born, target, InForce { silent, refuse, .. }, answer) = {
        let orders = orders.borrow();
        (orders.now(), orders.target, orders.in_force(), orders.take_answer())
    };
    if refuse {
        // It came while the port was being shut.
        let _ = client.set_zero_linger();
        return;
    }
    let target = reachable(target, &client);
    if silent {
        swallow(&mut client).await;
        return;
    }
    let mut answering = None;
    let connected = match answer {
        None => TcpStream::connect(target).await,
        Some(answer) => answer::instead_of_server(answer).await.map(|(stream, task)| {
            answering = Some(task);
            stream
        }),
    };
    let mut server = match connected {
        Ok(server) => server,
        Err(_) => {
            // The client sees what a broken path to the server looks like, and not an orderly end.
            let _ = client.set_zero_linger();
            return;
        }
    };
    // The relay must not add what Nagle's algorithm would.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));

    let plug_orders = orders.clone();
    let plug = Plug::of([&client, &server]);
    let (client_read, client_write) = client.split();
    let (server_read, server_write) = server.split();
    let deaf = AtomicBool::new(false);
    let handshake = paths.to_server.delay + paths.to_client.delay;
    let to_server = Lane::new(paths.to_server, seed, accepted + handshake);
    let to_client = Lane::new(paths.to_client, !seed, accepted);
    let up = Pump::new((client_read, server_write), Side::ToServer, to_server, born, orders.clone(), &deaf);
    let down = Pump::new((server_read, client_write), Side::ToClient, to_client, born, orders.clone(), &deaf);
    let cut = tokio::select! {
        cut = cut(&mut orders, born) => cut,
        never = plug.obey(plug_orders, born) => match never {},
        never = or_never(answering) => match never {},
        // An error of either direction ends both: the other side learns of it by a RST.
        passed = async { tokio::try_join!(up.run(), down.run()) } => match passed {
            Ok(_) => return,
            Err(error) => pump::cut_of(&error),
        },
    };
    match cut {
        Cut::Reset => {
            let _ = (client.set_zero_linger(), server.set_zero_linger());
        }
        Cut::Close => {
            let _ = tokio::join!(client.shutdown(), server.shutdown());
            let drained = async { tokio::join!(swallow(&mut client), swallow(&mut server)) };
            let _ = tokio::time::timeout(DRAIN, drained).await;
        }
    }
}

async fn or_never(task: Option<impl Future<Output = Infallible>>) -> Infallible {
    match task {
        Some(task) => task.await,
        None => pending().await,
    }
}

/// A server that listens on every address of this machine is reached by the one that the client came to.
fn reachable(mut target: SocketAddr, client: &TcpStream) -> SocketAddr {
    if target.ip().is_unspecified()
        && let Ok(local) = client.local_addr()
    {
        target.set_ip(local.ip());
    }
    target
}

/// Waits until a cut is ordered that concerns this connection.
async fn cut(orders: &mut watch::Receiver<Orders>, born: u64) -> Cut {
    loop {
        if let Some(cut) = orders.borrow_and_update().in_force_for(born).cut {
            return cut;
        }
        if orders.changed().await.is_err() {
            return pending().await;
        }
    }
}

/// Reads and forgets until the other side ends.
async fn swallow(stream: &mut (impl AsyncRead + Unpin)) {
    let mut buffer = [0_u8; 4096];
    while matches!(stream.read(&mut buffer).await, Ok(1..)) {}
}
