//! Long polling: ask, let the server hold the request until there is something, and ask again at once.
//!
//! Without `resume` the cursor is forgotten with the connection.

use std::time::Duration;

use tokio::time::sleep;

use super::{
    Context, Policy, Subscription,
    again::{Answered, Line},
    http::Http,
    lifecycle::{Over, Session, Teller, until_stopped},
    listening::Watch,
    poll::{News, Poll},
};
use crate::clock::Timestamp;

pub(super) struct LongPoll {
    poll: Poll,
    policy: Policy,
    /// How long the server is asked to wait, in seconds.
    wait: String,
}

impl LongPoll {
    pub(super) fn new(subscription: Subscription) -> Self {
        let wait = subscription.policy.wait.as_secs_f64().to_string();
        LongPoll { poll: Poll::new(&subscription), policy: subscription.policy, wait }
    }

    /// How long a request may take.
    fn limit(&self) -> Duration {
        self.policy.wait + self.policy.answer_within
    }

    /// The parameter by which the server is asked to wait.
    fn wait_parameter(&self) -> Option<String> {
        match &self.poll.dialect {
            None => Some("wait".to_owned()),
            // The first question is answered at once and tells where the present is, unless the server
            // gives everything from the beginning.
            Some(dialect)
                if self.poll.cursor.is_some() || dialect.poll.from_the_first || dialect.after.is_none() =>
            {
                dialect.poll.wait.clone()
            }
            Some(_) => None,
        }
    }

    /// Asks by HTTP until it can be asked again without.
    async fn ask_by_http(&mut self, slot: &mut Option<Http>, teller: &mut Teller<'_>) -> Result<Line, Over> {
        loop {
            let (asked, had_cursor) = (teller.context.clock.now(), self.poll.cursor.is_some());
            let name = self.wait_parameter();
            let parameter = name.as_deref().map(|name| (name, self.wait.as_str()));
            let news = self.poll.ask(slot, parameter.as_slice(), self.limit(), teller).await?;
            let told_cursor = !had_cursor && self.poll.cursor.is_some();
            if news == News::None && !told_cursor {
                self.pause(asked, teller.context).await;
            }
            let may_let_go = !self.policy.plain && self.poll.is_of_a_log();
            if may_let_go && let Some(line) = Line::of(slot, &self.poll, teller.context)? {
                return Ok(line);
            }
        }
    }

    /// Asks without HTTP, until the connection has given its last answer.
    async fn ask_again(&mut self, line: &mut Line, teller: &mut Teller<'_>) -> Result<(), Over> {
        let mut watch = Watch::new(teller.context, Some(self.limit()));
        let stop = teller.context.stop.clone();
        loop {
            let name = self.wait_parameter();
            let parameter = name.as_deref().map(|name| (name, self.wait.as_str()));
            line.ask(&self.poll, parameter.as_slice(), teller.context.clock.now());
            let goes_on = |answered: &Answered| answered.news == News::Some && !answered.is_last;
            let next = |answered: &Answered| goes_on(answered).then_some(parameter.as_slice());
            let Answered { news, asked, is_last } =
                line.converse(&mut self.poll, &mut watch, teller, next).await?;
            if news == News::None {
                until_stopped(&stop, async {
                    self.pause(asked, teller.context).await;
                    Ok(())
                })
                .await?;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Behind an empty answer. If it came early it was no long poll: without this, a server that does not hold
    /// requests, or not for so long, would be asked as fast as it can answer.
    async fn pause(&self, asked: Timestamp, context: &Context) {
        let now = context.clock.now();
        let next = asked + self.policy.interval;
        if next > now {
            sleep(next.since(now)).await;
        }
    }
}

impl Session for LongPoll {
    fn standard_wait(&self) -> Option<Duration> {
        Some(self.policy.interval)
    }

    async fn run(&mut self, teller: &mut Teller<'_>) -> Over {
        let (context, mut slot) = (teller.context, Box::new(None));
        let over = loop {
            // What asking by HTTP takes is much, and needed no longer when it is asked without.
            let asking = Box::pin(self.ask_by_http(&mut slot, teller));
            let mut line = match until_stopped(&context.stop, asking).await {
                Ok(line) => line,
                Err(over) => break over,
            };
            if let Err(over) = self.ask_again(&mut line, teller).await {
                Box::pin(line.leave(&over)).await;
                break over;
            }
        };
        Box::pin(Http::leave(*slot, &over)).await;
        if !self.policy.resume {
            self.poll.forget();
        }
        over
    }
}
