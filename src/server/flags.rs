//! The server's configuration as command-line flags, for every program that starts one.

use std::{
    net::IpAddr,
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use clap::Args;

use super::{Config, Origin, Token, max_connections};
use crate::feed::Limits;

/// What somebody who starts a server may want to set. Times and limits that are not here are rarely
/// touched, and set in [`Config`].
#[derive(Debug, Clone, Args)]
pub struct Flags {
    /// A further name that requests may be for, as NAME (any port) or NAME:PORT; repeatable
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// What changing things needs, 16 to 128 letters, digits, - or _ [default: none where only this machine
    /// can connect, else a random one]
    #[arg(long, value_name = "TOKEN", env = "PUSHLAB_TOKEN", hide_env_values = true)]
    token: Option<Token>,
    /// A further origin whose pages may read here, such as https://lab.example; repeatable
    #[arg(long = "allow-origin", value_name = "ORIGIN")]
    allowed_origins: Vec<Origin>,
    /// Where the runs of experiments are
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
    /// Connections at a time [default and most: what the limit of open files leaves]
    #[arg(long, value_name = "N")]
    max_connections: Option<NonZeroUsize>,
    /// Readers of one channel at a time
    #[arg(long, value_name = "N", default_value_t = at_least_one(Config::default().readers_per_channel))]
    readers_per_channel: NonZeroUsize,
    /// Channels at a time
    #[arg(long, value_name = "N", default_value_t = at_least_one(Limits::default().channels))]
    max_channels: NonZeroUsize,
    /// Events that a channel keeps
    #[arg(long, value_name = "N", default_value_t = at_least_one(Limits::default().events_per_channel))]
    events_per_channel: NonZeroUsize,
    /// Bytes of data that a channel keeps, and the most that an event may have
    #[arg(long, value_name = "BYTES", default_value_t = at_least_one(Limits::default().bytes_per_channel))]
    bytes_per_channel: NonZeroUsize,
    /// Bytes of a request's body
    #[arg(long, value_name = "BYTES", default_value_t = at_least_one(Config::default().max_body_bytes))]
    max_body_bytes: NonZeroUsize,
    /// Bytes of a WebSocket message that a client sends
    #[arg(long, value_name = "BYTES", default_value_t = at_least_one(Config::default().max_message_bytes))]
    max_message_bytes: NonZeroUsize,
    /// From one sign of life on a silent stream to the next, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "15")]
    heartbeat: NonZeroU32,
    /// Serve event streams and WebSockets in the plain way, with a task for each reader, and not by one task
    /// per core that owns them all: for comparison
    #[arg(long)]
    plain: bool,
}

fn at_least_one(value: usize) -> NonZeroUsize {
    NonZeroUsize::new(value).unwrap_or(NonZeroUsize::MIN)
}

impl Flags {
    /// The configuration for a server at this address. Raises the process's limit of open files on the way,
    /// since the number of connections follows from it.
    pub fn config(&self, listen: IpAddr) -> Config {
        let possible = max_connections();
        if let Some(asked) = self.max_connections.filter(|asked| asked.get() > possible) {
            tracing::warn!(
                "the limit of open files allows {possible} connections, not {asked}: raise `ulimit -n`"
            );
        }
        Config {
            feed: Limits {
                events_per_channel: self.events_per_channel.get(),
                bytes_per_channel: self.bytes_per_channel.get(),
                channels: self.max_channels.get(),
                ..Limits::default()
            },
            hosts: self.hosts.clone(),
            token: self.token.clone().or_else(|| (!listen.is_loopback()).then(Token::random)),
            allowed_origins: self.allowed_origins.clone(),
            results: self.results.clone(),
            max_connections: self.max_connections.map_or(possible, |asked| asked.get().min(possible)),
            readers_per_channel: self.readers_per_channel.get(),
            max_body_bytes: self.max_body_bytes.get(),
            max_message_bytes: self.max_message_bytes.get(),
            heartbeat: Duration::from_secs(self.heartbeat.get().into()),
            plain: self.plain,
            ..Config::default()
        }
    }
}
