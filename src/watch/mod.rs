//! `experiment watch`: a client in a user's hand.
//!
//! Reads any channel of ours, and any SSE, WebSocket or polling URL, and prints a line per observation.

mod line;
mod target;

use std::{
    io::{self, Write},
    num::NonZeroU64,
    ops::ControlFlow,
    sync::Arc,
};

use tokio_util::sync::CancellationToken;

use self::line::{human, json};
pub use self::target::BadTarget;
use crate::{
    client::{self, Cause, Context, End, Observation, Observer, Policy, Subscription},
    clock::{Clock, Timestamp},
    link::Meter,
    transport::Transport,
};

/// What to watch.
#[derive(Debug, Clone, clap::Args)]
pub struct WatchArgs {
    /// A channel, such as http://127.0.0.1:3000/channels/demo, or any SSE, WebSocket or polling URL
    pub url: String,
    /// How to read it: short-poll, long-poll, sse or websocket. Without it: websocket for ws:// URLs, what
    /// the URL's path ends in, else sse
    #[arg(long)]
    pub transport: Option<Transport>,
    /// Start after this cursor, an id as it was received, and not at the present
    #[arg(long)]
    pub after: Option<String>,
    /// End after so many events
    #[arg(long)]
    pub count: Option<NonZeroU64>,
    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,
}

/// Why watching did not end well.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// There is nothing to be read at that URL, in that way.
    #[error(transparent)]
    Target(#[from] BadTarget),
    /// The client gave up.
    #[error("{0}")]
    Failed(Cause),
    /// A line could not be written.
    #[error("could not write to the output: {0}")]
    Output(io::Error),
}

impl WatchError {
    /// The exit status that the contract gives it.
    pub fn exit_status(&self) -> u8 {
        match self {
            WatchError::Target(_) => 2,
            WatchError::Failed(_) | WatchError::Output(_) => 1,
        }
    }
}

/// Watches until the count is reached, `stop` is cancelled, the server says that there is nothing more, or
/// the client gives up. Each line is flushed; a reader of `out` that has gone away ends it quietly.
///
/// # Errors
/// Where the target can't be read, the client gave up, or a line could not be written.
pub async fn run(
    args: &WatchArgs,
    out: &mut (dyn Write + Send),
    stop: CancellationToken,
) -> Result<(), WatchError> {
    let (transport, url) = target::resolve(&args.url, args.transport)?;
    let subscription =
        Subscription { url, after: args.after.clone(), policy: Policy::default(), dialect: None };
    let context =
        Context { clock: Clock::start(), meter: Arc::new(Meter::default()), stop, seed: rand::random() };
    let mut printer = Printer { out, json: args.json, left: args.count.map(NonZeroU64::get), error: None };
    let end = client::subscriber(transport, subscription).run(context, &mut printer).await;
    match (printer.error, end) {
        (Some(error), _) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        (Some(error), _) => Err(WatchError::Output(error)),
        (None, End::Stopped | End::Finished) => Ok(()),
        (None, End::Failed(cause)) => Err(WatchError::Failed(cause)),
    }
}

struct Printer<'a> {
    out: &'a mut (dyn Write + Send),
    json: bool,
    /// Events still to come; `None` for any number.
    left: Option<u64>,
    error: Option<io::Error>,
}

impl Observer for Printer<'_> {
    fn observe(&mut self, at: Timestamp, observation: &Observation<'_>) -> ControlFlow<()> {
        let line = if self.json { json(observation) } else { Some(human(at, observation)) };
        if let Some(line) = line
            && let Err(error) = writeln!(self.out, "{line}").and_then(|()| self.out.flush())
        {
            self.error = Some(error);
            return ControlFlow::Break(());
        }
        if let (Observation::Event { .. }, Some(left)) = (observation, &mut self.left) {
            *left -= 1;
            if *left == 0 {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }
}
