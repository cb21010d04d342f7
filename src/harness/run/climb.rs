//! A rate that is raised step by step, until the server can no more.
//!
//! Each step is measured by itself: the publisher begins anew, and with it the readers' tallies and latencies. A step
//! begins only once every event of the one before has arrived, so that none pays for another's backlog.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{
    Environment, Failure,
    ascent::{self, Ascent, Bounds, Ended},
    contender::{self, Contender},
    server_usage,
    site::{Site, SiteError},
};
use crate::{
    clock::Timestamp,
    harness::{
        check::Account,
        control::SourceRequest,
        definition::{Publisher, Step},
        plan::Condition,
        process::{self, Usage},
        publisher::{Published, Publishing, Way},
        reader::{Latencies, Timing},
        record::{Capacity, CapacityStep},
    },
};

/// What came of it.
pub(super) struct Climb {
    pub(super) capacity: Capacity,
    /// What all readers got in the last step that was kept; in the first, where none was.
    pub(super) account: Account,
    /// How late.
    pub(super) latencies: Latencies,
    /// When the last step was over.
    pub(super) end: Timestamp,
    /// Why the figures should be doubted.
    pub(super) doubt: Option<String>,
}

/// How long the last events of a step may take to arrive, in multiples of the bound: what is later has missed it
/// long since.
const PATIENCE: f64 = 10.0;

/// A pause between two steps, so that the answer to one order is not mixed with what the next one costs.
const BETWEEN: Duration = Duration::from_millis(20);

/// A climb in the making.
pub(super) struct Climbing<'c, 'a> {
    pub(super) environment: &'c Environment,
    pub(super) site: &'c Site,
    pub(super) condition: &'c Condition,
    /// Who is to publish, where the server can.
    pub(super) publisher: Publisher,
    pub(super) step: Step,
    pub(super) timing: &'c Arc<Timing>,
    /// The readers, which have opened.
    pub(super) contenders: &'c [Contender<'a>],
    /// What the harness had used before they did.
    pub(super) harness_before: Usage,
}

impl Climbing<'_, '_> {
    /// Raises the rate.
    pub(super) async fn run(self) -> Result<Climb, Failure> {
        if self.site.publishes_by_itself().is_some() {
            return Err(SiteError::NeedsAPublisher.into());
        }
        let Condition { rate, measure_s, .. } = *self.condition;
        let clock = self.environment.clock;
        let server_rss_open_kib = server_usage(self.site).rss_kib;
        let harness_rss_open_kib = process::own_usage().rss_kib;
        // Whatever was meant for before is over.
        self.timing.measure_from(clock.now());
        let interval_ms = self.interval().as_secs_f64() * 1e3;
        let bounds = Bounds { p99_ms: self.step.p99_ms + interval_ms, seconds: measure_s };
        let ascent = ascent::ascend(self.step, rate, bounds, async |rate| self.measure(rate).await).await?;
        let Some(Ascent { steps, ended, best: (account, latencies) }) = ascent else {
            return Err(Failure::NoStep(rate));
        };
        let doubt = steps.last().and_then(|step| self.not_the_servers_limit(step, ended));
        let mut capacity = Capacity {
            steps,
            ended_by: ended.slug().to_owned(),
            events_per_second: 0.0,
            deliveries_per_second: 0.0,
            server_rss_open_kib,
            harness_rss_before_kib: self.harness_before.rss_kib,
            harness_rss_open_kib,
            server_descriptors_before: None,
            server_descriptors_after: None,
        };
        if let Some(CapacityStep { published, delivered, seconds, .. }) = capacity.best().copied() {
            capacity.events_per_second = published as f64 / seconds;
            capacity.deliveries_per_second = delivered as f64 / seconds;
        }
        Ok(Climb { capacity, account, latencies, end: clock.now(), doubt })
    }

    /// From one request of a short poll to the next: it is late by up to so much however fast the server is.
    fn interval(&self) -> Duration {
        let intervals = self.contenders.iter().filter_map(|contender| contender.client.interval_ms);
        Duration::from_millis(intervals.max().unwrap_or(0))
    }

    async fn measure(&self, rate: f64) -> Result<(CapacityStep, (Account, Latencies)), Failure> {
        tokio::time::sleep(BETWEEN).await;
        let clock = self.environment.clock;
        for contender in self.contenders {
            *contender.latencies.lock() = Latencies::empty();
            contender.readers.iter().for_each(|reader| reader.notes.begin_anew());
        }
        self.timing.begin_anew();
        let usage = || (server_usage(self.site), process::own_usage());
        let (server_before, own_before) = usage();
        let start = clock.now();
        let published = self.publish(rate).await?;
        let stopped = clock.now();
        let patience = Duration::from_secs_f64(PATIENCE * self.step.p99_ms / 1e3);
        contender::wait_for_all(self.contenders, published, false, patience).await;
        // That a poll asks later is no slowness: what it could not yet have asked for is not waited for.
        let arriving = clock.now().since(stopped).saturating_sub(self.interval());
        let seconds = (stopped.since(start) + arriving).as_secs_f64();
        let (server, own) = usage();
        let spent = |before: Usage, after: Usage| {
            after.cpu.zip(before.cpu).map(|(after, before)| after.saturating_sub(before).as_secs_f64())
        };
        let mut account = Account::default();
        for reader in self.contenders.iter().flat_map(|contender| &contender.readers) {
            account += reader.notes.tally().account(published);
        }
        let mut latencies = Latencies::empty();
        for contender in self.contenders {
            latencies.add(&contender.latencies.lock());
        }
        let percentile = |quantile| {
            (!latencies.histogram.is_empty()).then(|| latencies.histogram.value_at_quantile(quantile))
        };
        let step = CapacityStep {
            rate,
            attempts: 1,
            seconds,
            published,
            expected: account.expected,
            delivered: account.delivered,
            lost: account.lost,
            p50_us: percentile(0.5),
            p99_us: percentile(0.99),
            server_cpu_s: spent(server_before, server),
            client_cpu_s: spent(own_before, own),
        };
        Ok((step, (account, latencies)))
    }

    /// Publishes at a rate for as long as a step takes; how many there were.
    async fn publish(&self, rate: f64) -> Result<u64, Failure> {
        let (clock, control, channel) = (self.environment.clock, self.site.control(), self.site.channel());
        let Condition { payload_bytes, pattern, seed, measure_s, .. } = *self.condition;
        let seconds = Duration::from_secs_f64(measure_s);
        if self.site.publisher(self.publisher) == Publisher::Source {
            let before = control.head(channel).await?.sequence;
            control.start_source(channel, SourceRequest { rate, payload_bytes, pattern, seed }).await?;
            // It has begun by now: an order that took long to arrive is no rate that was not kept.
            clock.sleep_until(clock.now() + seconds).await;
            control.stop_source(channel).await?;
            return Ok(control.head(channel).await?.sequence - before);
        }
        let (published, stop, start) = (Published::default(), CancellationToken::new(), clock.now());
        let publishing = Publishing {
            way: match self.site.foreign_way() {
                Some(way) => Way::Target(way),
                None => Way::Control(Box::new(control), channel.to_owned(), None),
            },
            condition: Condition { rate, ..self.condition.clone() },
            clock,
            start,
            timing: Arc::clone(self.timing),
            published: Arc::clone(&published),
            stop: stop.clone(),
            closed_loop: Vec::new(),
            in_flight: None,
        };
        let end = async {
            clock.sleep_until(start + seconds).await;
            stop.cancel();
        };
        tokio::join!(publishing.run(), end);
        let count = published.lock().len() as u64;
        Ok(count)
    }

    /// Why what ended it may have been something else than the server.
    fn not_the_servers_limit(&self, last: &CapacityStep, ended: Ended) -> Option<String> {
        let posts = self.site.publisher(self.publisher) != Publisher::Source;
        match ended {
            Ended::Most => None,
            Ended::Source if posts => Some(
                "events could not be published any faster, one request after the other, so that this and not the \
                 delivery may have been the limit; compare it with servers that were published to in the same way only"
                    .to_owned(),
            ),
            Ended::Source | Ended::P99 | Ended::Lost => harness_was_the_limit(last),
        }
    }
}

/// Where the harness took more of the processor than the server did in the step that failed, it and not the server
/// may have been what could no more.
fn harness_was_the_limit(step: &CapacityStep) -> Option<String> {
    let (server, client) = (step.server_cpu_s?, step.client_cpu_s?);
    (client > server).then(|| {
        "the harness took more CPU than the server in the step that could not be kept, so that it may have been the \
         limit; use a machine with more cores, or a longer payload"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_harness_that_worked_more_than_the_server_is_said() {
        let step = CapacityStep {
            rate: 100.0,
            attempts: 1,
            seconds: 1.05,
            published: 100,
            expected: 1_000,
            delivered: 1_000,
            lost: 0,
            p50_us: Some(200),
            p99_us: Some(99_000),
            server_cpu_s: Some(0.5),
            client_cpu_s: Some(0.4),
        };
        assert_eq!(harness_was_the_limit(&step), None);
        let doubt = harness_was_the_limit(&CapacityStep { client_cpu_s: Some(0.6), ..step });
        assert!(doubt.is_some_and(|doubt| doubt.contains("; use ")));
        assert_eq!(harness_was_the_limit(&CapacityStep { client_cpu_s: None, ..step }), None);
    }
}
