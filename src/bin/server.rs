//! `server`: serves channels over HTTP until SIGINT or SIGTERM.

use std::{io::Write as _, net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser, value_parser};
use pushlab::{
    clock::Clock,
    feed::Limits,
    server::{self, Config, State},
};
use tokio::{net::TcpListener, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Serves channels of events by short poll, long poll, SSE and WebSocket.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Where to listen; port 0 picks a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// A further name that requests may be for, as NAME (any port) or NAME:PORT; repeatable
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// Connections at a time [default: what the limit of open files leaves]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    max_connections: Option<u32>,
    /// Readers of one channel at a time
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = value_parser!(u32).range(1..))]
    readers_per_channel: u32,
    /// Channels at a time
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = value_parser!(u32).range(1..))]
    max_channels: u32,
    /// Events that a channel keeps
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = value_parser!(u32).range(1..))]
    events_per_channel: u32,
    /// Bytes of data that a channel keeps
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 20, value_parser = value_parser!(u32).range(1..))]
    bytes_per_channel: u32,
    /// Bytes of a request's body
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20, value_parser = value_parser!(u32).range(1..))]
    max_body_bytes: u32,
    /// Bytes of a WebSocket message that a client sends
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20, value_parser = value_parser!(u32).range(1..))]
    max_message_bytes: u32,
    /// From one sign of life on a silent stream to the next
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = value_parser!(u32).range(1..))]
    heartbeat: u32,
    /// What to log on standard error, such as `debug` or `pushlab=debug`
    #[arg(long, value_name = "FILTER", env = "RUST_LOG", default_value = "warn")]
    log_level: String,
    /// Print completions for a shell and end
    #[arg(long, value_name = "SHELL")]
    completions: Option<clap_complete::Shell>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(shell) = args.completions {
        clap_complete::generate(shell, &mut Args::command(), "server", &mut std::io::stdout());
        return ExitCode::SUCCESS;
    }
    match start(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("server: {error:#}");
            ExitCode::from(2)
        }
    }
}

#[tokio::main]
async fn start(args: &Args) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&args.log_level).with_context(|| {
        format!("bad --log-level {:?}: use error, warn, info, debug or trace", args.log_level)
    })?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let shutdown = shutdown_on_signal()?;
    let state = State::new(config(args), Clock::inherited());
    let listener = TcpListener::bind(args.listen).await.with_context(|| {
        let port = args.listen.port();
        format!(
            "can't listen on {}: stop what uses port {port}, or choose another with --listen 127.0.0.1:0",
            args.listen
        )
    })?;
    // Connections are taken up by the kernel from here on, so whoever reads this line is answered.
    let mut stdout = std::io::stdout();
    writeln!(stdout, "listening on http://{}", listener.local_addr()?).and_then(|()| stdout.flush())?;
    server::run(listener, state, shutdown).await.context("the server ended early")
}

fn config(args: &Args) -> Config {
    let possible = server::max_connections();
    Config {
        feed: Limits {
            events_per_channel: args.events_per_channel as usize,
            bytes_per_channel: args.bytes_per_channel as usize,
            channels: args.max_channels as usize,
            ..Limits::default()
        },
        hosts: args.hosts.clone(),
        max_connections: args.max_connections.map_or(possible, |asked| possible.min(asked as usize)),
        readers_per_channel: args.readers_per_channel as usize,
        max_body_bytes: args.max_body_bytes as usize,
        max_message_bytes: args.max_message_bytes as usize,
        heartbeat: Duration::from_secs(args.heartbeat.into()),
        ..Config::default()
    }
}

/// A token that SIGINT or SIGTERM cancels.
fn shutdown_on_signal() -> anyhow::Result<CancellationToken> {
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    #[cfg(unix)]
    {
        // Registered before the first line is printed: a signal right after it must not kill the process.
        let mut terminate = signal::unix::signal(signal::unix::SignalKind::terminate())?;
        let mut interrupt = signal::unix::signal(signal::unix::SignalKind::interrupt())?;
        tokio::spawn(async move {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            token.cancel();
        });
    }
    #[cfg(not(unix))]
    tokio::spawn(async move {
        let _ = signal::ctrl_c().await;
        token.cancel();
    });
    Ok(shutdown)
}
