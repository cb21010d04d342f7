//! One task that drives a connection and waits for what comes of it.
//!
//! hyper expects its connection and the reader of a body to be two tasks that wake each other. Where both are
//! polled by the same task, each of those wakes would only make that task run once more for nothing, and at
//! a thousand readers that is half of what reading costs. So wakes that come while both are being polled
//! are noted, and answered by another look at once.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::task::AtomicWaker;

/// Nobody is polling: a wake is for the task.
const IDLE: u8 = 0;
/// Both are being polled.
const POLLING: u8 = 1;
/// A wake came while they were.
const WOKEN: u8 = 2;

/// Looks at both before the task is left to others. tokio makes a task that never pauses wake itself and
/// wait, so that there must be an end.
const LOOKS: u32 = 3;

/// Where the wakes of a connection and of what waits for it go.
#[derive(Debug)]
pub(super) struct Driver {
    wakes: Arc<Wakes>,
    /// The same, as those want it.
    waker: Waker,
}

#[derive(Debug)]
struct Wakes {
    state: AtomicU8,
    task: AtomicWaker,
}

impl Driver {
    pub(super) fn new() -> Self {
        let wakes = Arc::new(Wakes { state: AtomicU8::new(IDLE), task: AtomicWaker::new() });
        let waker = Waker::from(Arc::clone(&wakes));
        Driver { wakes, waker }
    }

    /// Polls `drive`, the connection, before each look at `future`, which waits for something that it does.
    pub(super) fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        mut drive: impl FnMut(&mut Context<'_>),
        mut future: Pin<&mut impl Future<Output = T>>,
    ) -> Poll<T> {
        let Wakes { state, task } = &*self.wakes;
        task.register(cx.waker());
        let mut inner = Context::from_waker(&self.waker);
        for _ in 0..LOOKS {
            state.store(POLLING, Ordering::Release);
            drive(&mut inner);
            let polled = future.as_mut().poll(&mut inner);
            if polled.is_ready() {
                // Whoever waits for the next thing looks first.
                state.store(IDLE, Ordering::Release);
                return polled;
            }
            if state.compare_exchange(POLLING, IDLE, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                return Poll::Pending;
            }
        }
        state.store(IDLE, Ordering::Release);
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let while_polling = |state| (state != IDLE).then_some(WOKEN);
        if self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, while_polling).is_err() {
            self.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, pin::pin, sync::atomic::AtomicU32};

    use super::*;

    /// Counts how often its task is woken.
    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn what_one_does_for_the_other_wakes_nobody() {
        let (driver, count) = (Driver::new(), Arc::new(Count::default()));
        let waker = Waker::from(Arc::clone(&count));
        let (mut given, mut asked) = (0, None::<Waker>);
        let given_to = AtomicU32::new(0);
        let drive = |cx: &mut Context<'_>| {
            given += 1;
            if given == 2 {
                given_to.store(7, Ordering::Relaxed);
            }
            cx.waker().wake_by_ref();
        };
        let future = pin!(poll_fn(|cx| {
            asked = Some(cx.waker().clone());
            match given_to.load(Ordering::Relaxed) {
                0 => Poll::Pending,
                value => Poll::Ready(value),
            }
        }));
        assert_eq!(driver.poll(&mut Context::from_waker(&waker), drive, future), Poll::Ready(7));
        assert_eq!(count.0.load(Ordering::Relaxed), 0, "it was found at the second look");
    }

    #[test]
    fn what_comes_later_wakes_the_task() {
        let (driver, count) = (Driver::new(), Arc::new(Count::default()));
        let waker = Waker::from(Arc::clone(&count));
        let mut kept = None::<Waker>;
        let future = pin!(std::future::pending::<()>());
        let polled = driver.poll(
            &mut Context::from_waker(&waker),
            |cx: &mut Context<'_>| kept = Some(cx.waker().clone()),
            future,
        );
        assert!(polled.is_pending());
        kept.expect("a waker").wake();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn one_that_never_rests_lets_others_run() {
        let (driver, count) = (Driver::new(), Arc::new(Count::default()));
        let waker = Waker::from(Arc::clone(&count));
        let future = pin!(std::future::pending::<()>());
        let polled = driver.poll(
            &mut Context::from_waker(&waker),
            |cx: &mut Context<'_>| cx.waker().wake_by_ref(),
            future,
        );
        assert!(polled.is_pending());
        assert_eq!(count.0.load(Ordering::Relaxed), 1, "and it is run again");
    }
}
