//! One group of clients, measured: open, publish, cut, catch up, close, account.

mod account;
mod ascent;
mod bystanders;
mod climb;
mod contender;
mod ordeal;
#[cfg(test)]
pub(crate) mod scripted;
mod site;
mod story;

use std::{sync::Arc, time::Duration};

pub use site::Site;

use self::{
    account::Measured,
    bystanders::Bystanders,
    climb::Climbing,
    contender::{Contender, OwnUsage},
    site::SiteError,
    story::Story,
};
use super::{
    browser::Browser,
    control::ControlError,
    definition::{Between, Definition, Fault, Publisher},
    plan::Group,
    process::{self, Usage},
    reader::Timing,
    record::{Cost, Record},
    server_process::ServerOptions,
    soundness::Watch,
    stalled,
};
use crate::{clock::Clock, link::Totals};

/// A pause in which nothing is published, so that what opening takes is not mixed with what events take.
const SETTLE: Duration = Duration::from_millis(50);

/// How long a server may take to be rid of its readers' connections.
const LEAVES_WITHIN: Duration = Duration::from_secs(5);

/// What all runs of a session have in common.
#[derive(Debug, Clone)]
pub struct Environment {
    /// One clock for all.
    pub clock: Clock,
    /// How servers under test are started.
    pub server: ServerOptions,
}

/// Why a group could not be measured.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Site(#[from] SiteError),
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error("{open} of {all} readers of {client} opened within {within_s} s{}", .cause.as_ref().map(|cause| format!("; the last was {cause}")).unwrap_or_default())]
    NotOpen { client: String, open: usize, all: usize, within_s: u64, cause: Option<String> },
    #[error("{0} of {1} bystanders opened: ask for fewer of them")]
    NoBystanders(usize, u32),
    #[error("a reader that was to be stalled could not open: {0}")]
    Stalled(#[from] stalled::NotOpen),
    #[error("there is no browser to read with: start the session with one")]
    NoBrowser,
    #[error("losing packets needs Linux: leave the fault unplug out, or run it there")]
    CantUnplug,
    #[error("no step can be made from {0} events/s: choose a lower rate")]
    NoStep(f64),
    #[error("the server's restart failed: {0}")]
    Restart(String),
    #[error("the server could not be stopped for a while: {0}")]
    Stall(String),
    #[error("no way to publish: {0}")]
    Upstream(String),
    #[error("the relay could not be started: {0}")]
    Relay(std::io::Error),
}

/// Measures a group; one record per client, whatever happens. `exclusive` says that nothing else runs at the
/// same time, so that the machine's accounts can be charged to the one client. `browser` is needed where a client
/// reads in one.
pub async fn run_group(
    environment: &Environment,
    definition: &Definition,
    group: &Group,
    exclusive: bool,
    browser: Option<&Arc<Browser>>,
) -> Vec<Record> {
    let started = environment.clock.now();
    match measure(environment, definition, group, exclusive, browser).await {
        Ok(records) => records,
        Err(failure) => {
            let failed = |client| account::failed(definition, group, client, started, failure.to_string());
            group.clients.iter().map(failed).collect()
        }
    }
}

async fn measure(
    environment: &Environment,
    definition: &Definition,
    group: &Group,
    exclusive: bool,
    browser: Option<&Arc<Browser>>,
) -> Result<Vec<Record>, Failure> {
    let clock = environment.clock;
    let started = clock.now();
    let loss_percent = match group.condition.between() {
        Between::Lossy(percent) => Some(percent),
        Between::Direct | Between::Relay(_) => None,
    };
    let mut site = Site::open(environment, &group.target, definition, &group.condition, loss_percent).await?;
    let rss_before_kib = if exclusive { rss_at_rest(&site).await? } else { None };
    let browser_group = browser.and_then(|browser| browser.group());
    if group.condition.step.is_some() {
        // What the readers of runs before have left free would be taken by these, and not show.
        process::give_free_memory_back();
    }
    let own_before_opening = process::own_usage();
    let descriptors_before = descriptors(&site);
    let mut watch =
        Watch::begin(site.control(), site.pids(), site.pid().is_some(), browser_group, clock).await?;
    let timing = Timing::new();
    if let Some(stamped) = site.publishes_by_itself() {
        timing.number_what_comes(stamped);
    }
    let mut contenders = Vec::new();
    for client in &group.clients {
        let condition = &group.condition;
        contenders.push(contender::contender(&site, environment, client, condition, &timing, browser).await?);
    }
    for contender in &contenders {
        contender::wait_until_open(contender).await?;
    }
    let bystanders = match group.clients.first() {
        Some(client) => Bystanders::start(&site, environment, client, &group.condition).await?,
        None => None,
    };
    tokio::time::sleep(SETTLE).await;

    let before: Vec<Totals> = contenders.iter().map(contender::totals).collect();
    let usage_before = usage(&site, exclusive);
    let own_before: Vec<_> = contenders.iter().map(Contender::own_usage).collect();
    watch.measure();
    let steady_from = clock.now();
    let told = match group.condition.step {
        None => story::tell(environment, definition, &mut site, &group.condition, &timing, &contenders).await,
        Some(step) => {
            let climbing = Climbing {
                environment,
                site: &site,
                condition: &group.condition,
                // Beside other servers ours is published to as they are.
                publisher: if group.target_name.is_some() { Publisher::Post } else { definition.publisher },
                step,
                timing: &timing,
                contenders: &contenders,
                harness_before: own_before_opening,
            };
            climbing.run().await.map(|climb| Story::of_climb(climb, steady_from))
        }
    };
    // First, since whatever else went wrong is its consequence.
    site.still_there()?;
    let story = told?;
    let bystanders = match bystanders {
        Some(bystanders) => bystanders.end(&site.control()).await?,
        None => Vec::new(),
    };
    let cut = group.condition.has(Fault::cuts);
    if story.climb.is_none() {
        contender::wait_until_arrived(&contenders, story.last, cut).await;
    }
    let steady_s = clock.now().since(steady_from).as_secs_f64();
    let after: Vec<Totals> = contenders.iter().map(contender::totals).collect();
    let own_after: Vec<_> = contenders.iter().map(Contender::own_usage).collect();
    let cost =
        Cost { server_rss_before_kib: rss_before_kib, ..usage_since(usage_before, usage(&site, exclusive)) };
    let findings = watch.end(story.wake_late).await;

    let mut records = Vec::new();
    let own = own_before.into_iter().zip(own_after);
    for (((contender, before), after), own) in contenders.into_iter().zip(before).zip(after).zip(own) {
        let opening = account::opening(&contender, before);
        let (client, latencies) = (contender.client, Arc::clone(&contender.latencies));
        let notes: Vec<_> = contender.readers.iter().map(|reader| reader.notes.clone()).collect();
        let (meters, pages) = (contender.meters(), contender.pages.clone());
        contender::close(contender).await;
        let bytes = account::sum(meters.iter().map(|meter| meter.totals()));
        let steady = account::between(before, after);
        let latencies = latencies.lock();
        records.push(account::record(&Measured {
            definition,
            group,
            client,
            started,
            notes: &notes,
            latencies: &latencies,
            opening,
            steady,
            steady_s,
            bytes,
            pages: &pages,
            cost: with_own_processes(cost, own),
            story: &story,
            bystanders: &bystanders,
            timing: &timing,
        }));
    }
    records.iter_mut().for_each(|record| findings.note(record));
    if group.condition.step.is_some() {
        let after = descriptors_once_left(&site, descriptors_before).await;
        for capacity in records.iter_mut().filter_map(|record| record.capacity.as_mut()) {
            (capacity.server_descriptors_before, capacity.server_descriptors_after) =
                (descriptors_before, after);
        }
    }
    site.close().await;
    Ok(records)
}

/// The server's and this process's usage, where they can be charged to one client.
fn usage(site: &Site, exclusive: bool) -> Option<(Usage, Usage)> {
    exclusive.then(|| (server_usage(site), process::own_usage()))
}

fn usage_since(before: Option<(Usage, Usage)>, after: Option<(Usage, Usage)>) -> Cost {
    let (Some((server_before, own_before)), Some((server, own))) = (before, after) else {
        return Cost::default();
    };
    let spent = |before: Usage, after: Usage| {
        after.cpu.zip(before.cpu).map(|(after, before)| after.saturating_sub(before).as_secs_f64())
    };
    Cost {
        server_cpu_s: spent(server_before, server),
        client_cpu_s: spent(own_before, own),
        server_rss_kib: server.rss_kib,
        ..Cost::default()
    }
}

/// A client in processes of its own is charged what these used, and not what the harness did.
fn with_own_processes(cost: Cost, own: (Option<OwnUsage>, Option<OwnUsage>)) -> Cost {
    let (Some(before), Some(after)) = own else { return cost };
    Cost {
        client_cpu_s: Some(after.cpu.saturating_sub(before.cpu).as_secs_f64()),
        client_wakeups: Some(after.wakeups.saturating_sub(before.wakeups)),
        ..cost
    }
}

/// The server's memory before anybody reads. It has answered once by then, so that what the first request
/// makes it set up is not charged to the readers.
async fn rss_at_rest(site: &Site) -> Result<Option<u64>, ControlError> {
    site.control().healthy().await?;
    Ok(server_usage(site).rss_kib)
}

/// How many descriptors all the server's processes have open.
fn descriptors(site: &Site) -> Option<u64> {
    site.pids().into_iter().filter_map(process::descriptors).reduce(|sum, one| sum + one)
}

/// The same once they are as few as before the readers came, or have not become so for some seconds.
async fn descriptors_once_left(site: &Site, before: Option<u64>) -> Option<u64> {
    let patience = tokio::time::Instant::now() + LEAVES_WITHIN;
    loop {
        let now = descriptors(site)?;
        if now <= before? || tokio::time::Instant::now() >= patience {
            return Some(now);
        }
        tokio::time::sleep(SETTLE).await;
    }
}

/// What all the server's processes have used.
fn server_usage(site: &Site) -> Usage {
    match site.pids().as_slice() {
        [] => Usage::default(),
        pids => process::usage_of(pids),
    }
}
