//! A rate that is raised step by step, until the server can no more.
//!
//! Each step is measured by itself: the source begins anew, and with it the readers' tallies and latencies. A step
//! begins only once every event of the one before has arrived, so that none pays for another's backlog.

use std::{sync::Arc, time::Duration};

use super::{
    Environment, Failure,
    contender::{self, Contender},
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

/// A step with what it left behind.
struct Measured {
    step: CapacityStep,
    account: Account,
    latencies: Latencies,
}

/// How long the last events of a step may take to arrive, in multiples of the bound: what is later has missed it
/// long since.
const PATIENCE: f64 = 10.0;

/// A source that published less than this part of what it was asked for did not keep its rate.
const KEEPS_RATE: f64 = 0.95;

/// A pause between two steps, so that the answer to one order is not mixed with what the next one costs.
const BETWEEN: Duration = Duration::from_millis(20);

/// Raises the rate for a client's readers, which have opened.
pub(super) async fn climb(
    environment: &Environment,
    site: &Site,
    condition: &Condition,
    step: Step,
    timing: &Arc<Timing>,
    contenders: &[Contender<'_>],
    harness_before: Usage,
) -> Result<Climb, Failure> {
    if site.publisher(Publisher::Source) != Publisher::Source {
        return Err(SiteError::NeedsBuiltIn("a rate that is raised").into());
    }
    let server_rss_open_kib = site.pid().and_then(|pid| process::usage(pid).rss_kib);
    let harness_rss_open_kib = process::own_usage().rss_kib;
    // Whatever was meant for before is over.
    timing.measure_from(environment.clock.now());
    let (mut steps, mut best, mut ended_by) = (Vec::new(), None::<Measured>, "most");
    for rate in step.rates(condition.rate) {
        let measured = measure(environment, site, condition, rate, step, contenders).await?;
        steps.push(measured.step);
        let failing = why_not(&measured.step, step, condition.measure_s);
        if failing.is_none() || best.is_none() {
            best = Some(measured);
        }
        if let Some(why) = failing {
            ended_by = why;
            break;
        }
        tokio::time::sleep(BETWEEN).await;
    }
    let doubt = steps.last().filter(|_| ended_by != "most").and_then(harness_was_the_limit);
    // There is a first step, since its rate is at most the highest.
    let Some(Measured { account, latencies, .. }) = best else {
        return Err(Failure::NoStep(condition.rate));
    };
    let mut capacity = Capacity {
        steps,
        ended_by: ended_by.to_owned(),
        events_per_second: 0.0,
        deliveries_per_second: 0.0,
        server_rss_open_kib,
        harness_rss_before_kib: harness_before.rss_kib,
        harness_rss_open_kib,
    };
    if let Some(CapacityStep { published, delivered, seconds, .. }) = capacity.best().copied() {
        capacity.events_per_second = published as f64 / seconds;
        capacity.deliveries_per_second = delivered as f64 / seconds;
    }
    Ok(Climb { capacity, account, latencies, end: environment.clock.now(), doubt })
}

async fn measure(
    environment: &Environment,
    site: &Site,
    condition: &Condition,
    rate: f64,
    step: Step,
    contenders: &[Contender<'_>],
) -> Result<Measured, Failure> {
    let (clock, control) = (environment.clock, site.control());
    for contender in contenders {
        *contender.latencies.lock() = Latencies::empty();
        contender.readers.iter().for_each(|reader| reader.notes.begin_anew());
    }
    let before = control.head(site.channel()).await?.sequence;
    let usage = || (site.pid().map(process::usage).unwrap_or_default(), process::own_usage());
    let (server_before, own_before) = usage();
    let start = clock.now();
    let Condition { payload_bytes, pattern, seed, measure_s, .. } = *condition;
    control.start_source(site.channel(), SourceRequest { rate, payload_bytes, pattern, seed }).await?;
    // It has begun by now: an order that took long to arrive is no rate that was not kept.
    let begun = clock.now();
    clock.sleep_until(begun + Duration::from_secs_f64(measure_s)).await;
    control.stop_source(site.channel()).await?;
    let last = control.head(site.channel()).await?.sequence - before;
    let patience = Duration::from_secs_f64(PATIENCE * step.p99_ms / 1e3);
    contender::wait_for_all(contenders, last, false, patience).await;
    let seconds = clock.now().since(start).as_secs_f64();
    let (server, own) = usage();
    let spent = |before: Usage, after: Usage| {
        after.cpu.zip(before.cpu).map(|(after, before)| after.saturating_sub(before).as_secs_f64())
    };
    let mut account = Account::default();
    for reader in contenders.iter().flat_map(|contender| &contender.readers) {
        account += reader.notes.tally().account(last);
    }
    let mut latencies = Latencies::empty();
    for contender in contenders {
        latencies.add(&contender.latencies.lock());
    }
    let percentile =
        |quantile| (!latencies.histogram.is_empty()).then(|| latencies.histogram.value_at_quantile(quantile));
    let step = CapacityStep {
        rate,
        seconds,
        published: last,
        expected: account.expected,
        delivered: account.delivered,
        lost: account.lost,
        p50_us: percentile(0.5),
        p99_us: percentile(0.99),
        server_cpu_s: spent(server_before, server),
        client_cpu_s: spent(own_before, own),
    };
    Ok(Measured { step, account, latencies })
}

/// Why a step was the last one; `None` where it was kept. The source had so many seconds.
fn why_not(step: &CapacityStep, bounds: Step, seconds: f64) -> Option<&'static str> {
    if step.lost > 0 {
        return Some("lost");
    }
    if step.p99_us.is_none_or(|micros| micros as f64 > bounds.p99_ms * 1e3) {
        return Some("p99");
    }
    // One fewer, since the last one may have been due just as it was stopped.
    ((step.published as f64) + 1.0 < KEEPS_RATE * step.rate * seconds).then_some("source")
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

    const BOUNDS: Step = Step { factor: 2.0, p99_ms: 100.0, most: 1_000.0 };

    fn step() -> CapacityStep {
        CapacityStep {
            rate: 100.0,
            seconds: 1.05,
            published: 100,
            expected: 1_000,
            delivered: 1_000,
            lost: 0,
            p50_us: Some(200),
            p99_us: Some(99_000),
            server_cpu_s: Some(0.5),
            client_cpu_s: Some(0.4),
        }
    }

    #[test]
    fn a_step_is_kept_while_all_arrives_in_time() {
        assert_eq!(why_not(&step(), BOUNDS, 1.0), None);
        assert_eq!(why_not(&CapacityStep { lost: 1, ..step() }, BOUNDS, 1.0), Some("lost"));
        assert_eq!(why_not(&CapacityStep { p99_us: Some(100_001), ..step() }, BOUNDS, 1.0), Some("p99"));
        assert_eq!(why_not(&CapacityStep { p99_us: None, ..step() }, BOUNDS, 1.0), Some("p99"));
        assert_eq!(why_not(&CapacityStep { published: 40, ..step() }, BOUNDS, 1.0), Some("source"));
    }

    #[test]
    fn a_harness_that_worked_more_than_the_server_is_said() {
        assert_eq!(harness_was_the_limit(&step()), None);
        let doubt = harness_was_the_limit(&CapacityStep { client_cpu_s: Some(0.6), ..step() });
        assert!(doubt.is_some_and(|doubt| doubt.contains("; use ")));
        assert_eq!(harness_was_the_limit(&CapacityStep { client_cpu_s: None, ..step() }), None);
    }
}
