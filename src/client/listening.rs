//! Reading a stream to which nothing more is said, until it is over, or is to be left.
//!
//! A thousand readers on a thread are woken a thousand times for one event, and of what a wake-up touches hardly
//! anything is in the processor's cache: what it costs is counted in lines of that. So a wake-up goes straight to the
//! socket. That the reader is to stop is asked for in one look; the futures which wake it for that, and at the
//! end of its patience, are polled when they are begun and when they may have something to say.

use std::{
    future::{Future, poll_fn},
    ops::ControlFlow,
    pin::Pin,
    task::{Context as Task, Poll, Waker},
    time::Duration,
};

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::{Cause, Context, lifecycle::Over, quiet::Quiet};
use crate::{clock::Timestamp, link::Counted};

/// What ends reading from this side: the context's word to stop, and quiet beyond the limit.
pub(super) struct Watch {
    stop: CancellationToken,
    /// Who was told to be woken. A task is not always polled by the same one.
    woken: Option<Waker>,
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
    quiet: Option<Box<Quiet>>,
}

/// Hands over what comes on a stream, with the moment at which it was read, until `hear` has enough; no bytes are
/// the stream's end. An error is why the connection is over.
pub(super) fn listen<'a, B>(
    stream: &'a mut Counted,
    watch: &'a mut Watch,
    mut hear: impl FnMut(Timestamp, &[u8]) -> ControlFlow<B> + 'a,
) -> impl Future<Output = Result<B, Over>> + 'a {
    poll_fn(move |task| {
        // Before anything is read: a stream that never pauses must not keep it from being heard.
        if watch.is_stopped() {
            return Poll::Ready(Err(Over::Stopped));
        }
        let mut last = None;
        loop {
            let read = stream.poll_read_shared(task, |at, bytes| {
                last = Some(at);
                hear(at, bytes)
            });
            match read {
                // For how long, tokio has a bound to: then it says that there is nothing and wakes the task again.
                Poll::Ready(Ok(ControlFlow::Continue(()))) => {}
                Poll::Ready(Ok(ControlFlow::Break(enough))) => return Poll::Ready(Ok(enough)),
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(Err(Over::Lost(Cause::Broken(error.to_string()))));
                }
                Poll::Pending => return watch.poll(task, stream.read_at(), last).map(Err),
            }
        }
    })
}

/// Goes on unless that failed.
pub(super) fn go_on<B>(heard: Result<(), B>) -> ControlFlow<B> {
    heard.map_or_else(ControlFlow::Break, ControlFlow::Continue)
}

impl Watch {
    /// Over a connection, with the limit to its quiet, if there is one.
    pub(super) fn new(context: &Context, limit: Option<Duration>) -> Self {
        let quiet = limit.map(|limit| Box::new(Quiet::new(limit, context.clock)));
        let stop = context.stop.clone();
        Watch { stopped: Box::pin(stop.clone().cancelled_owned()), stop, woken: None, quiet }
    }

    /// Whether reading is to end. A stop after this look wakes the task, if that was [polled](Watch::poll) for.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Sees to it that the task is woken when there is something to say. `since` is from when on it is quiet, `last`
    /// when something was read in this turn.
    pub(super) fn poll(
        &mut self,
        task: &mut Task<'_>,
        since: Timestamp,
        last: Option<Timestamp>,
    ) -> Poll<Over> {
        let is_new = !self.woken.as_ref().is_some_and(|waker| waker.will_wake(task.waker()));
        if is_new {
            self.woken = Some(task.waker().clone());
            if self.stopped.as_mut().poll(task).is_ready() {
                return Poll::Ready(Over::Stopped);
            }
        }
        match &mut self.quiet {
            // A turn in which nothing was read may be the timer's.
            Some(quiet) if is_new || last.is_none_or(|last| last >= quiet.due()) => {
                quiet.poll(task, since).map(Over::Lost)
            }
            _ => Poll::Pending,
        }
    }
}
