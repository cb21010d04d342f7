//! Long polling: ask, let the server hold the request until there is something, and ask again at once.
//!
//! Without `resume` the cursor is forgotten with the connection.

use std::time::Duration;

use tokio::time::sleep;

use super::{
    Context, Policy, Subscription,
    again::Line,
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

    /// Asks by HTTP until it can be asked again without.
    async fn ask_by_http(&mut self, slot: &mut Option<Http>, teller: &mut Teller<'_>) -> Result<Line, Over> {
        loop {
            let asked = teller.context.clock.now();
            let name = self.poll.wait_parameter().map(str::to_owned);
            let parameter = name.as_deref().map(|name| (name, self.wait.as_str()));
            let news = self.poll.ask(slot, parameter.as_slice(), self.limit(), teller).await?;
            if news == News::None {
                self.pause(asked, teller.context).await;
            }
            let may_let_go = !self.policy.plain && self.poll.is_of_a_log();
            if may_let_go && let Some(line) = Line::of(slot, &self.poll)? {
                return Ok(line);
            }
        }
    }

    /// Asks without HTTP, until the connection has given its last answer.
    async fn ask_again(&mut self, line: &mut Line, teller: &mut Teller<'_>) -> Result<(), Over> {
        let mut watch = Watch::new(teller.context, Some(self.limit()));
        loop {
            line.ask(&self.poll, &self.wait, teller.context.clock.now());
            let answered = line.converse(&mut self.poll, &self.wait, &mut watch, teller).await?;
            if answered.news == News::None {
                let pause = async {
                    self.pause(line.asked(), teller.context).await;
                    Ok(())
                };
                until_stopped(&teller.context.stop, pause).await?;
            }
            if answered.is_last {
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
                Box::pin(over.part_with(line.into_stream())).await;
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
