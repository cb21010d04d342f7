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
            let name = match &self.poll.dialect {
                None => Some("wait"),
                // The first question is answered at once and tells where the present is, unless the server
                // gives everything from the beginning.
                Some(dialect) if had_cursor || dialect.poll.from_the_first || dialect.after.is_none() => {
                    dialect.poll.wait.as_deref()
                }
                Some(_) => None,
            };
            let wait = name.map(|name| (name.to_owned(), self.wait.as_str()));
            let parameters: Vec<_> = wait.iter().map(|(name, wait)| (name.as_str(), *wait)).collect();
            let news = self.poll.ask(slot, &parameters, limit, teller).await?;
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
        let Err(over) = until_stopped(&teller.context.stop.clone(), self.read(&mut slot, teller)).await;
        Http::leave(slot, &over).await;
        if !self.policy.resume {
            self.poll.forget();
        }
        over
    }
}
