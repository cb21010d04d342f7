//! What all clients do alike: connect, live, lose the connection, wait, and connect again.

use std::{future::Future, ops::ControlFlow, time::Duration};

use rand::{SeedableRng as _, rngs::SmallRng};
use tokio_util::sync::CancellationToken;

use super::{Cause, Context, End, Observation, Observer, Reconnect, backoff};
use crate::{clock::Timestamp, link::Counted};

/// How long an orderly stop waits for the other side's last bytes.
pub(super) const FAREWELL: Duration = Duration::from_millis(200);

/// One client's way of connecting and reading.
pub(super) trait Session: Send {
    /// How long the transport by itself waits before it connects again; `None` where it does not.
    fn standard_wait(&self) -> Option<Duration>;

    /// Connects once and reads until that connection is over, for whatever reason.
    fn run(&mut self, teller: &mut Teller<'_>) -> impl Future<Output = Over> + Send;
}

/// Why a connection is over.
#[derive(Debug)]
pub(super) enum Over {
    /// The context or the observer said stop.
    Stopped,
    /// The server said that there is nothing more.
    Finished(Cause),
    /// There is no point in trying again.
    Fatal(Cause),
    /// It may be tried again, as the policy says.
    Lost(Cause),
    /// The server answered, but not with what was asked for: it may be tried again, as the policy says, and
    /// no sooner than the server asked.
    Refused { cause: Cause, retry_after: Option<Duration> },
    /// A kept connection was found gone when it was to be used again: a new one is made at once, as
    /// browsers do.
    FoundGone(Cause),
}

impl Over {
    /// Parts with a connection that is over: in an orderly way where that is ours to choose, and without waiting for
    /// a server that has shown that it is gone.
    pub(super) async fn part_with(&self, stream: Counted) {
        if let Over::Stopped | Over::Finished(_) | Over::Fatal(_) = self {
            stream.close(FAREWELL).await;
        }
    }
}

/// What comes after a connection.
enum Next {
    End(End),
    AtOnce,
    After(Duration),
}

/// Tells the observer, and keeps count of attempts.
pub(super) struct Teller<'a> {
    pub(super) context: &'a Context,
    observer: &'a mut dyn Observer,
    /// Attempts since it was last open.
    attempts: u32,
    /// Waits since it was last open.
    waits: u32,
    /// Whether the subscription stands.
    is_open: bool,
}

/// Runs sessions until one ends for good or the policy gives up.
pub(super) async fn live(
    mut session: Box<impl Session>,
    reconnect: Reconnect,
    context: Context,
    observer: &mut dyn Observer,
) -> End {
    let context = &context;
    let mut random = SmallRng::seed_from_u64(context.seed);
    let mut teller = Teller { context, observer, attempts: 0, waits: 0, is_open: false };
    loop {
        if context.stop.is_cancelled() {
            return End::Stopped;
        }
        teller.attempts = teller.attempts.saturating_add(1);
        let attempt = teller.attempts;
        let over = match teller.tell_now(&Observation::Connecting { attempt }) {
            Ok(()) => session.run(&mut teller).await,
            Err(over) => over,
        };
        teller.is_open = false;
        let wait = backoff::wait(reconnect, session.standard_wait(), teller.waits, &mut random);
        let (cause, next) = match (over, wait) {
            (Over::Stopped, _) => return End::Stopped,
            (Over::Finished(cause), _) => (cause, Next::End(End::Finished)),
            (Over::Fatal(cause), _) => (cause.clone(), Next::End(End::Failed(cause))),
            // An orderly end is all that a client that does not return can wish for.
            (Over::Lost(cause @ Cause::Closed(_)) | Over::FoundGone(cause @ Cause::Closed(_)), None) => {
                (cause, Next::End(End::Finished))
            }
            (Over::Lost(cause) | Over::FoundGone(cause) | Over::Refused { cause, .. }, None) => {
                (cause.clone(), Next::End(End::Failed(cause)))
            }
            (Over::Refused { cause, retry_after }, Some(after)) => {
                (cause, Next::After(backoff::no_sooner(reconnect, after, retry_after)))
            }
            (Over::FoundGone(cause), Some(_)) => (cause, Next::AtOnce),
            (Over::Lost(cause), Some(after)) => (cause, Next::After(after)),
        };
        if teller.tell_now(&Observation::Closed { cause }).is_err() {
            return End::Stopped;
        }
        let after = match next {
            Next::End(end) => return end,
            Next::AtOnce => continue,
            Next::After(after) => after,
        };
        teller.waits = teller.waits.saturating_add(1);
        if teller.tell_now(&Observation::Retrying { after }).is_err() {
            return End::Stopped;
        }
        tokio::select! {
            () = context.stop.cancelled() => return End::Stopped,
            () = tokio::time::sleep(after) => {}
        }
    }
}

impl Teller<'_> {
    /// Tells an observation; an error ends the session.
    pub(super) fn tell(&mut self, at: Timestamp, observation: &Observation<'_>) -> Result<(), Over> {
        match self.observer.observe(at, observation) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Over::Stopped),
        }
    }

    fn tell_now(&mut self, observation: &Observation<'_>) -> Result<(), Over> {
        self.tell(self.context.clock.now(), observation)
    }

    /// Tells that the subscription stands, once per connection.
    pub(super) fn open(&mut self, at: Timestamp) -> Result<(), Over> {
        if self.is_open {
            return Ok(());
        }
        self.is_open = true;
        self.attempts = 0;
        self.waits = 0;
        self.tell(at, &Observation::Open)
    }
}

/// Drives a session's reading until it is over or told to stop.
///
/// The reading is dropped where it stands, but not what it borrows: the caller still has the connection,
/// to close it as it deserves.
pub(super) async fn until_stopped<T>(
    stop: &CancellationToken,
    reading: impl Future<Output = Result<T, Over>>,
) -> Result<T, Over> {
    tokio::select! {
        // Stop first: a stream that never pauses must not keep it from being heard.
        biased;
        () = stop.cancelled() => Err(Over::Stopped),
        done = reading => done,
    }
}

/// Gives a step of connecting no longer than the limit, if there is one.
pub(super) async fn within<T>(
    limit: Option<Duration>,
    step: impl Future<Output = Result<T, Over>>,
) -> Result<T, Over> {
    match limit {
        None => step.await,
        Some(limit) => {
            tokio::time::timeout(limit, step).await.unwrap_or(Err(Over::Lost(Cause::Silent(limit))))
        }
    }
}
