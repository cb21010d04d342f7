//! Short polling: ask on a timer, take what is there.
//!
//! Written as a good engineer would write it: over one kept connection, with a cursor, on an intended
//! schedule that neither drifts nor piles up. Without `resume` the cursor is forgotten with the
//! connection: what was published meanwhile is lost, and no gap is told. (A poll that never sent its
//! cursor would be told the present each time, and would by definition see nothing.)

use std::{convert::Infallible, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::{
    Policy, Subscription,
    http::Http,
    lifecycle::{Over, Session, Teller, until_stopped},
    poll::Poll,
};

pub(super) struct ShortPoll {
    poll: Poll,
    policy: Policy,
    /// From the first question on: a client that is made and started later asks at times of its own.
    schedule: Option<Schedule>,
}

impl ShortPoll {
    pub(super) fn new(subscription: Subscription) -> Self {
        ShortPoll { poll: Poll::new(&subscription), policy: subscription.policy, schedule: None }
    }

    async fn read(&mut self, slot: &mut Option<Http>, teller: &mut Teller<'_>) -> Result<Infallible, Over> {
        // Whatever was waited before this connection was the wait.
        let now = Instant::now();
        let schedule = self.schedule.get_or_insert_with(|| Schedule::new(now, self.policy.interval));
        schedule.hurry(now);
        loop {
            sleep_until(schedule.next).await;
            schedule.advance(Instant::now());
            self.poll.ask(slot, &[], self.policy.answer_within, teller).await?;
        }
    }
}

impl Session for ShortPoll {
    fn standard_wait(&self) -> Option<Duration> {
        let next = self.schedule.as_ref().map(|schedule| schedule.next);
        Some(next.map_or(Duration::ZERO, |next| next.saturating_duration_since(Instant::now())))
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

/// When to ask: at every multiple of the interval since the start.
#[derive(Debug, PartialEq, Eq)]
struct Schedule {
    next: Instant,
    interval: Duration,
}

impl Schedule {
    fn new(start: Instant, interval: Duration) -> Self {
        // Without a pause it would ask as fast as the machine can.
        Schedule { next: start, interval: interval.max(Duration::from_millis(1)) }
    }

    /// Goes on to the next time after now; those that a late answer has used up are left out.
    fn advance(&mut self, now: Instant) {
        let late = now.saturating_duration_since(self.next);
        let steps = late.as_nanos() / self.interval.as_nanos() + 1;
        let ahead = self.interval.as_nanos().saturating_mul(steps);
        self.next += Duration::from_nanos(u64::try_from(ahead).unwrap_or(u64::MAX));
    }

    /// Makes the next time now, if it is later.
    fn hurry(&mut self, now: Instant) {
        self.next = self.next.min(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_schedule_keeps_its_grid_and_skips_what_is_past() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, 100 * MS);
        let mut at = |now| {
            schedule.advance(start + now * MS);
            (schedule.next - start).as_millis()
        };
        assert_eq!([at(0), at(103), at(399), at(400)], [100, 200, 400, 500]);
        // Asked at 500 and answered at once: nothing is skipped.
        assert_eq!(at(500), 600);
        assert_eq!(at(1250), 1300);
    }

    #[test]
    fn a_retry_does_not_wait_for_the_grid() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, 100 * MS);
        schedule.advance(start);
        schedule.hurry(start + 30 * MS);
        assert_eq!(schedule.next, start + 30 * MS);
        schedule.hurry(start + 60 * MS);
        assert_eq!(schedule.next, start + 30 * MS);
    }
}
