//! The limit to a connection's quiet.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context as Task, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

use super::{Cause, Context, lifecycle::Over};
use crate::{
    clock::{Clock, Timestamp},
    link::Tally,
};

/// A limit, and a timer for the earliest moment at which it can be reached.
///
/// An event sets no timer. When it goes off, the connection's own record of when it last read says how much is left.
pub(super) struct Quiet {
    limit: Duration,
    clock: Clock,
    due: Timestamp,
    timer: Pin<Box<Sleep>>,
}

impl Quiet {
    /// From now on.
    pub(super) fn new(limit: Duration, clock: Clock) -> Self {
        Quiet { limit, clock, due: clock.now() + limit, timer: Box::pin(sleep(limit)) }
    }

    /// When the timer goes off. Polled before, it has nothing to say.
    pub(super) fn due(&self) -> Timestamp {
        self.due
    }

    /// Ready when it has been quiet, which it is since then, for as long as the limit says.
    pub(super) fn poll(&mut self, task: &mut Task<'_>, since: Timestamp) -> Poll<Cause> {
        loop {
            ready!(self.timer.as_mut().poll(task));
            let (now, due) = (self.clock.now(), since + self.limit);
            if due <= now {
                return Poll::Ready(Cause::Silent(self.limit));
            }
            self.due = due;
            self.timer.as_mut().reset(Instant::now() + due.since(now));
        }
    }
}

/// Drives reading on a connection until it is over or quiet for longer than the limit, if there is one.
pub(super) async fn unless_quiet(
    limit: Option<Duration>,
    context: &Context,
    tally: &Tally,
    reading: impl Future<Output = Result<Infallible, Over>>,
) -> Result<Infallible, Over> {
    let Some(limit) = limit else { return reading.await };
    let mut quiet = Quiet::new(limit, context.clock);
    tokio::select! {
        biased;
        over = reading => over,
        cause = poll_fn(|task| quiet.poll(task, tally.read_at())) => Err(Over::Lost(cause)),
    }
}
