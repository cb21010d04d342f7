//! A bell that rings when something was published.

use std::task::{Context, Poll, ready};

use tokio::sync::watch;
use tokio_util::sync::ReusableBoxFuture;

/// Tells that a channel has new events, and not which: for one who keeps the cursors of many readers and
/// reads for all of them at once.
#[derive(Debug)]
pub struct Watch {
    /// A `watch` can only be awaited, and one who waits for many things polls: the future is kept here and
    /// its allocation used again for the next.
    waiting: ReusableBoxFuture<'static, watch::Receiver<u64>>,
}

impl Watch {
    pub(super) fn new(head: watch::Receiver<u64>) -> Self {
        Watch { waiting: ReusableBoxFuture::new(changed(head)) }
    }

    /// Ready once for all that was published since it was ready last; on a new one, since it was made.
    /// Whoever is told reads then, and polls again until it is pending, so that no event falls in between.
    pub fn poll_published(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let head = ready!(self.waiting.poll(context));
        self.waiting.set(changed(head));
        Poll::Ready(())
    }
}

async fn changed(mut head: watch::Receiver<u64>) -> watch::Receiver<u64> {
    // It fails once the channel is gone, which whoever keeps cursors into it holds.
    let _ = head.changed().await;
    head
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::{Context, Wake, Waker},
    };

    use crate::{
        event::Draft,
        feed::{Channel, Limits},
    };

    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn it_rings_once_for_all_that_was_published_and_wakes_whoever_waits() {
        let channel = Channel::new(Limits::default());
        let mut watch = channel.watch();
        let woken = Arc::new(Counted::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        assert!(watch.poll_published(&mut context).is_pending());
        for round in 1..=2 {
            for _ in 0..3 {
                channel.publish(Draft::message("x")).expect("fits");
            }
            assert_eq!(woken.0.load(Ordering::SeqCst), round);
            assert!(watch.poll_published(&mut context).is_ready());
            assert!(watch.poll_published(&mut context).is_pending());
        }
    }
}
