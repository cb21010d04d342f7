//! Long polling: ask, let the server hold the request until there is something, and ask again at once.
//!
//! Without `resume` the cursor is forgotten with the connection.

use std::{convert::Infallible, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::{
    Policy, Subscription,
    http::Http,
    lifecycle::{Over, Session, Teller, until_stopped},
    poll::{News, Poll},
};

pub(super) struct LongPoll {
    poll: Poll,
    policy: Policy,
    wait: String,
}

impl LongPoll {
    pub(super) fn new(subscription: Subscription) -> Self {
        let wait = subscription.policy.wait.as_secs_f64().to_string();
        LongPoll { poll: Poll::new(&subscription), policy: subscription.policy, wait }
    }

    async fn read(&mut self, slot: &mut Option<Http>, teller: &mut Teller<'_>) -> Result<Infallible, Over> {
        let limit = self.policy.wait + self.policy.answer_within;
        loop {
            let asked = Instant::now();
            let had_cursor = self.poll.cursor.is_some();
            let news = self.poll.ask(slot, &[("wait", &self.wait)], limit, teller).await?;
            let told_cursor = !had_cursor && self.poll.cursor.is_some();
            // An empty answer that came early was no long poll: without this, a server that does not
            // hold requests, or not for so long, would be asked as fast as it can answer.
            if news == News::None && !told_cursor {
                sleep_until(asked + self.policy.interval).await;
            }
        }
    }
}

impl Session for LongPoll {
    fn standard_wait(&self) -> Option<Duration> {
        Some(self.policy.interval)
    }

    async fn run(&mut self, teller: &mut Teller<'_>) -> Over {
        let mut slot = None;
        let over = until_stopped(&teller.context.stop.clone(), self.read(&mut slot, teller)).await;
        Http::leave(slot, &over).await;
        if !self.policy.resume {
            self.poll.cursor = None;
        }
        over
    }
}
