//! One client with all its readers: opened, waited for, closed.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use parking_lot::Mutex;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::{Environment, Failure, account, site::Site};
use crate::{
    client::{self, Context, Subscriber, publish},
    harness::{
        browser::{Browser, Page, Told, page},
        client_process::{ClientProcess, Pid},
        definition::{Between, Client, Fault, Subject, Upstream},
        plan::{Condition, OPENING_PACE},
        process,
        reader::{Latencies, Reader, Start, Timing},
        stalled,
    },
    link::{Meter, Relay, Totals, relay::Direction},
    transport::Transport,
};

/// How long readers may take to open. Pages of a session come up one after the other, since a driver obeys one
/// command at a time, and each of them takes a core for a while.
pub(super) const OPENS_WITHIN: Duration = Duration::from_secs(20);
const PAGES_OPEN_WITHIN: Duration = Duration::from_secs(90);

/// How often a condition that is waited for is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How long the last events may take to arrive, beyond a poll's own interval: generous where every one is
/// due, short where some readers are known to be dead.
const ARRIVES_WITHIN: Duration = Duration::from_secs(10);
const ARRIVES_WITHIN_AFTER_CUT: Duration = Duration::from_millis(1_500);

/// How long closing may take.
const CLOSES_WITHIN: Duration = Duration::from_secs(5);

/// One client with all its readers.
pub(super) struct Contender<'a> {
    pub(super) client: &'a Client,
    pub(super) readers: Vec<Reader>,
    pub(super) relays: Vec<Arc<Relay>>,
    /// Connections of a client that never reads, kept open.
    pub(super) stalled: Vec<TcpStream>,
    pub(super) latencies: Arc<Mutex<Latencies>>,
    /// The first reader's way of publishing, until the story takes it.
    pub(super) publisher: Mutex<Option<publish::Publisher>>,
    /// What the connection costs that it publishes over, where that is another than it reads from.
    sending: Arc<Meter>,
    /// The processes of its readers, where they have their own.
    processes: Vec<Pid>,
    /// What is known of its pages, where it reads in a browser.
    pub(super) pages: Vec<Told>,
    stop: CancellationToken,
}

pub(super) async fn contender<'a>(
    site: &Site,
    environment: &Environment,
    client: &'a Client,
    condition: &Condition,
    timing: &Arc<Timing>,
    browser: Option<&Arc<Browser>>,
) -> Result<Contender<'a>, Failure> {
    let on_the_way = condition.has(Fault::is_on_the_way);
    let paths = match condition.between() {
        Between::Relay(paths) => Some(paths),
        Between::Direct | Between::Lossy(_) => on_the_way.then(Direction::default),
    };
    let mut contender = Contender {
        client,
        readers: Vec::new(),
        relays: Vec::new(),
        stalled: Vec::new(),
        latencies: Latencies::new(),
        publisher: Mutex::default(),
        sending: Arc::default(),
        processes: Vec::new(),
        pages: Vec::new(),
        stop: CancellationToken::new(),
    };
    if client.stalled {
        let address = site.address_for_stalled(client)?;
        contender.stalled = stalled::open(address, site.channel(), condition.readers).await?;
        return Ok(contender);
    }
    let mut rng = StdRng::seed_from_u64(condition.seed);
    for number in 0..condition.readers {
        let relay = match paths {
            Some(paths) => {
                let (target, seed) = (site.address(client.transport)?, condition.seed ^ u64::from(number));
                Some(Arc::new(Relay::under(paths, seed, target).await.map_err(Failure::Relay)?))
            }
            None => None,
        };
        let address = relay.as_ref().map(|relay| relay.addr());
        let subscriber = if client.browser {
            contender.page(site, browser, relay.clone())?
        } else if client.own_process {
            contender.process(site, environment, address)?
        } else if number == 0 && client.upstream.is_some() {
            contender.publishing(site, environment, address).await?
        } else {
            site.subscriber(client, address)?
        };
        contender.readers.push(Reader::start(Start {
            subscriber,
            clock: environment.clock,
            stop: contender.stop.clone(),
            timing: timing.clone(),
            latencies: contender.latencies.clone(),
            keep_sightings: condition.has(|_| true),
            seed: condition.seed ^ u64::from(number),
            after: spread(client, &mut rng) + OPENING_PACE * number,
        }));
        contender.relays.extend(relay);
    }
    Ok(contender)
}

impl Contender<'_> {
    /// A reader in a process of its own.
    fn process(
        &mut self,
        site: &Site,
        environment: &Environment,
        relay: Option<SocketAddr>,
    ) -> Result<Box<dyn Subscriber>, Failure> {
        let Subject::Transport(transport) = self.client.transport else {
            return Ok(site.subscriber(self.client, relay)?);
        };
        let pid = Pid::default();
        self.processes.push(pid.clone());
        let (program, url) = (environment.server.program.clone(), site.url(transport.slug(), relay));
        Ok(Box::new(ClientProcess { program, url, transport, pid }))
    }

    /// A reader that is a page in the browser.
    fn page(
        &mut self,
        site: &Site,
        browser: Option<&Arc<Browser>>,
        relay: Option<Arc<Relay>>,
    ) -> Result<Box<dyn Subscriber>, Failure> {
        let (Some(browser), Subject::Transport(transport)) = (browser, self.client.transport) else {
            return Err(Failure::NoBrowser);
        };
        let told = Told::default();
        self.pages.push(told.clone());
        let address = relay.as_ref().map(|relay| relay.addr());
        Ok(Box::new(Page {
            browser: Arc::clone(browser),
            page: site.url_of(page::PAGE, address),
            subscription: site.subscription(self.client, transport, address),
            transport,
            relay,
            server_has_our_clock: site.pid().is_some(),
            told,
        }))
    }

    /// A reader that publishes, with its way of doing so left in [`Contender::publisher`].
    async fn publishing(
        &mut self,
        site: &Site,
        environment: &Environment,
        relay: Option<SocketAddr>,
    ) -> Result<Box<dyn Subscriber>, Failure> {
        if let (Subject::Transport(transport), Some(Upstream::Frame)) =
            (self.client.transport, self.client.upstream)
        {
            let (reader, publisher) = publish::websocket(site.subscription(self.client, transport, relay));
            *self.publisher.lock() = Some(publisher);
            return Ok(reader);
        }
        let context = Context {
            clock: environment.clock,
            meter: Arc::clone(&self.sending),
            stop: self.stop.clone(),
            seed: 0,
        };
        let posting = client::publish::post(site.url("events", relay), context).await;
        *self.publisher.lock() = Some(posting.map_err(|cause| Failure::Upstream(cause.to_string()))?);
        Ok(site.subscriber(self.client, relay)?)
    }

    /// The meters of all its connections.
    pub(super) fn meters(&self) -> Vec<Arc<Meter>> {
        let readers = self.readers.iter().map(|reader| Arc::clone(&reader.meter));
        readers.chain([Arc::clone(&self.sending)]).collect()
    }

    /// What its own processes have used; `None` where it has none, or the system does not tell.
    pub(super) fn own_usage(&self) -> Option<OwnUsage> {
        if self.processes.is_empty() {
            return None;
        }
        let of = |pid: &Pid| {
            let pid = pid.get()?;
            Some(OwnUsage { cpu: process::usage(pid).cpu?, wakeups: process::wakeups(pid)? })
        };
        self.processes.iter().map(of).sum()
    }
}

/// What the processes of one client have used so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OwnUsage {
    pub(super) cpu: Duration,
    pub(super) wakeups: u64,
}

impl std::iter::Sum for OwnUsage {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(OwnUsage::default(), |sum, one| OwnUsage {
            cpu: sum.cpu + one.cpu,
            wakeups: sum.wakeups + one.wakeups,
        })
    }
}

/// When a reader starts. Pollers that all began at once would ask in step for ever, and meet evenly spaced
/// events at the same point of their interval; in life each page was opened at a time of its own.
fn spread(client: &Client, rng: &mut StdRng) -> Duration {
    let interval = client.interval_ms.map_or(Duration::ZERO, Duration::from_millis);
    interval.mul_f64(rng.random())
}

pub(super) async fn wait_until_open(contender: &Contender<'_>) -> Result<(), Failure> {
    let done = async {
        while !contender.readers.iter().all(|reader| reader.notes.is_open()) {
            if contender.readers.iter().any(|reader| reader.has_ended() && !reader.notes.is_open()) {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let limit = opens_within(contender.client);
    let _ = tokio::time::timeout(limit, done).await;
    let closed = contender.readers.iter().filter(|reader| !reader.notes.is_open());
    let cause = closed.clone().find_map(|reader| reader.notes.last_cause()).map(|cause| cause.to_string());
    let (all, missing) = (contender.readers.len(), closed.count());
    if missing == 0 {
        return Ok(());
    }
    let client = contender.client.name.clone();
    Err(Failure::NotOpen { client, open: all - missing, all, within_s: limit.as_secs(), cause })
}

fn opens_within(client: &Client) -> Duration {
    if client.browser { PAGES_OPEN_WITHIN } else { OPENS_WITHIN }
}

/// Waits until every reader that can still get everything has it.
pub(super) async fn wait_until_arrived(contenders: &[Contender<'_>], last: u64, cut: bool) {
    let patience = if cut { ARRIVES_WITHIN_AFTER_CUT } else { ARRIVES_WITHIN };
    wait_for_all(contenders, last, cut, patience).await;
}

/// The same for no longer than so, beyond a poll's own interval.
pub(super) async fn wait_for_all(contenders: &[Contender<'_>], last: u64, cut: bool, patience: Duration) {
    let interval = contenders.iter().filter_map(|contender| contender.client.interval_ms).max();
    let patience = patience + Duration::from_millis(2 * interval.unwrap_or(0));
    let arrived = |reader: &Reader| {
        if cut { reader.notes.highest() >= last } else { reader.notes.has_all(last) }
    };
    let all = async {
        // One after the other: whoever has it all needs no second look.
        for reader in contenders.iter().flat_map(|contender| &contender.readers) {
            while !arrived(reader) && !reader.has_ended() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    };
    let _ = tokio::time::timeout(patience, all).await;
}

pub(super) async fn close(contender: Contender<'_>) {
    contender.stop.cancel();
    let all = async {
        for reader in contender.readers {
            reader.end().await;
        }
    };
    // What does not close in time is aborted as its readers are dropped.
    let _ = tokio::time::timeout(CLOSES_WITHIN, all).await;
}

pub(super) fn totals(contender: &Contender<'_>) -> Totals {
    account::sum(contender.meters().iter().map(|meter| meter.totals()))
}

pub(super) fn is_poll(client: &Client) -> bool {
    matches!(client.transport, Subject::Transport(Transport::ShortPoll | Transport::LongPoll))
}
