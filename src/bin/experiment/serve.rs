//! The server under test: the same server as `server`, with the bare TCP floor beside it.

use std::{process::ExitCode, time::Duration};

use pushlab::{
    clock::Clock,
    feed::Feed,
    harness::queueing,
    server::{self, Config, State},
};
use tokio::{io::AsyncReadExt as _, net::TcpListener};
use tokio_util::sync::CancellationToken;

#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    #[arg(long)]
    pub(crate) listen: std::net::SocketAddr,
    #[arg(long)]
    pub(crate) heartbeat_ms: Option<u64>,
    #[arg(long)]
    pub(crate) retry_ms: Option<u64>,
    /// Keep the channels in this folder
    #[arg(long)]
    pub(crate) log: Option<std::path::PathBuf>,
    /// Listen also as the variant that queues for each reader
    #[arg(long)]
    pub(crate) queueing: bool,
    /// Serve streams in the plain way, a task for each reader
    #[arg(long)]
    pub(crate) plain: bool,
}

/// Makes the server slow, whatever it is asked: each of its threads pauses for so many milliseconds, over
/// and over. It is how a test sees that a run on a slow server says so.
const SLOW_VARIABLE: &str = "PUSHLAB_SLOW_SERVER_MS";

pub(crate) async fn serve(args: ServeArgs) -> anyhow::Result<ExitCode> {
    // Any port: the harness puts relays in front, and clients then ask for the relay's address.
    let hosts = vec![args.listen.ip().to_string(), "127.0.0.1".to_owned()];
    // As many as there are descriptors for: what a definition asks for is measured, and no limit of ours.
    let most = server::max_connections();
    let limits = Config { max_connections: most, readers_per_channel: most, ..Config::default() };
    let mut config = Config { hosts, plain: args.plain, ..limits };
    config.heartbeat = args.heartbeat_ms.map_or(config.heartbeat, Duration::from_millis);
    config.retry = args.retry_ms.map_or(config.retry, Duration::from_millis);
    if let Some(pause) = std::env::var(SLOW_VARIABLE).ok().and_then(|text| text.parse().ok()) {
        slow_down(Duration::from_millis(pause));
    }
    let feed = match &args.log {
        Some(folder) => Feed::open(config.feed, folder)?,
        None => Feed::new(config.feed),
    };
    let state = State::with_feed(config, Clock::inherited(), feed);
    let listener = server::bind(args.listen)?;
    let floor = TcpListener::bind((args.listen.ip(), 0)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    println!("floor on {}", floor.local_addr()?);
    let queueing = if args.queueing {
        let listener = TcpListener::bind((args.listen.ip(), 0)).await?;
        println!("queueing variant on http://{}", listener.local_addr()?);
        Some(listener)
    } else {
        None
    };

    let shutdown = CancellationToken::new();
    tokio::spawn({
        let shutdown = shutdown.clone();
        async move {
            // The harness holds the other end: it closes when the harness ends, in whatever way.
            let mut byte = [0];
            while matches!(tokio::io::stdin().read(&mut byte).await, Ok(1..)) {}
            shutdown.cancel();
        }
    });
    #[cfg(unix)]
    tokio::spawn({
        let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        let shutdown = shutdown.clone();
        async move {
            terminated.recv().await;
            shutdown.cancel();
        }
    });
    let feed = state.feed().clone();
    if let Some(listener) = queueing {
        tokio::spawn(queueing::run(listener, feed.clone(), shutdown.clone()));
    }
    let (served, _) = tokio::join!(
        server::run(listener, state, shutdown.clone()),
        server::floor::run(floor, feed, shutdown),
    );
    served?;
    Ok(ExitCode::SUCCESS)
}

fn slow_down(pause: Duration) {
    for _ in 0..tokio::runtime::Handle::current().metrics().num_workers() {
        tokio::spawn(async move {
            loop {
                std::thread::sleep(pause);
                // Not a mere yield: a thread looks for network events only when it has nothing else to do.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
    }
}
