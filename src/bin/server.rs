//! `server`: serves channels over HTTP until SIGINT or SIGTERM.

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser};
use pushlab::{
    clock::Clock,
    feed::Feed,
    server::{self, Addresses, Doors, Flags, State},
};
use tokio::signal;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Serves channels of events by short poll, long poll, SSE and WebSocket.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    addresses: Addresses,
    /// Keep the channels in this folder, so that they outlive the server; in memory where it is left out
    #[arg(long, value_name = "DIR")]
    log: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
    /// What to log on standard error: error, warn, info, debug or trace, also by module
    #[arg(long, value_name = "FILTER", env = "RUST_LOG", default_value = "warn")]
    log_level: String,
    /// Print completions for a shell and end
    #[arg(long, value_name = "SHELL")]
    completions: Option<clap_complete::Shell>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(shell) = args.completions {
        clap_complete::generate(shell, &mut Args::command(), "server", &mut io::stdout());
        return ExitCode::SUCCESS;
    }
    match serve(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("server: {error:#}");
            ExitCode::from(2)
        }
    }
}

#[tokio::main]
async fn serve(args: &Args) -> anyhow::Result<()> {
    let log_level = &args.log_level;
    let filter = EnvFilter::try_new(log_level)
        .with_context(|| format!("bad --log-level {log_level:?}: use error, warn, info, debug or trace"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(io::stderr().is_terminal());
    log.with_writer(io::stderr).init();
    let shutdown = shutdown_on_signal()?;
    let config = args.flags.config(args.addresses.listen.ip());
    let doors = Doors::open(&args.addresses)?;
    let address = doors.address()?;
    if let Some(token) = &config.token {
        // Standard output is for programs, which wait for one line there.
        eprintln!("to change anything, open {}", server::url_with_token(address, token));
    }
    let feed = match &args.log {
        Some(folder) => Feed::open(config.feed, folder)?,
        None => Feed::new(config.feed),
    };
    let state = State::with_feed(config, Clock::inherited(), feed);
    // The kernel takes connections up from here on, so whoever reads this line is answered. A closed
    // standard output is no reason not to serve.
    let mut stdout = io::stdout();
    let _ = writeln!(stdout, "listening on http://{address}").and_then(|()| stdout.flush());
    doors.serve(state, shutdown).await.context("the server ended early")
}

/// A token that SIGINT or SIGTERM cancels. The handlers stand before the address is printed: a signal
/// right after it must not kill the process.
fn shutdown_on_signal() -> io::Result<CancellationToken> {
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    #[cfg(unix)]
    {
        use signal::unix::{SignalKind, signal};
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
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
