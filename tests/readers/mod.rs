//! What the integration tests share: a server of their own, readers that remember, a way to wait.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use std::{net::SocketAddr, ops::ControlFlow, sync::Arc, time::Duration};

use parking_lot::Mutex;
use pushlab::{
    client::{self, Context, End, Observation, Observer, Policy, Reconnect, Subscription},
    clock::{Clock, Timestamp},
    event::Gap,
    feed::{Channel, ChannelName, Feed},
    link::Meter,
    server::{self, Config, State},
    transport::Transport,
};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

/// Nothing here takes long, but a loaded machine may stand still for a while.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Where a server keeps its channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    InMemory,
    OnDisk,
}

/// A server in this process, which ends with its value.
pub struct Server {
    pub address: SocketAddr,
    pub state: State,
    _stop: DropGuard,
    _folder: Option<TempDir>,
}

impl Server {
    pub async fn start(config: Config) -> Self {
        Self::start_at(config, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    pub async fn start_at(config: Config, address: SocketAddr) -> Self {
        Self::run(State::new(Self::served(config), Clock::start()), address, None).await
    }

    /// One that keeps its channels so; a log on disk is gone with its value.
    pub async fn keeping(kept: Kept, config: Config) -> Self {
        match kept {
            Kept::InMemory => Self::start(config).await,
            Kept::OnDisk => {
                let folder = tempfile::tempdir().expect("a folder");
                let feed = Feed::open(config.feed, folder.path()).expect("nobody else has it");
                Self::of(config, feed, Some(folder)).await
            }
        }
    }

    /// One of a feed that is there already.
    pub async fn of(config: Config, feed: Feed, folder: Option<TempDir>) -> Self {
        let state = State::with_feed(Self::served(config), Clock::start(), feed);
        Self::run(state, SocketAddr::from(([127, 0, 0, 1], 0)), folder).await
    }

    /// `tests/plain.rs` runs the same tests over the other way to serve streams.
    fn served(config: Config) -> Config {
        Config { plain: config.plain || module_path!().starts_with("plain::"), ..config }
    }

    async fn run(state: State, address: SocketAddr, folder: Option<TempDir>) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let stop = CancellationToken::new();
        tokio::spawn(server::run(listener, state.clone(), stop.clone()));
        Server { address, state, _stop: stop.drop_guard(), _folder: folder }
    }

    pub fn url(&self, path: &str) -> Url {
        url(self.address, path)
    }

    /// The log behind a channel, without HTTP in between.
    pub fn channel(&self, name: &str) -> Arc<Channel> {
        let name: ChannelName = name.parse().expect("a good name");
        self.state.feed().channel(&name).expect("room")
    }
}

pub fn url(address: SocketAddr, path: &str) -> Url {
    Url::parse(&format!("http://{address}/{path}")).expect("a URL")
}

/// What a reader remembers.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub opened: usize,
    /// Ids and data, in the order of arrival.
    pub events: Vec<(String, String)>,
    pub gaps: Vec<Gap>,
    /// How many events had come before each gap.
    pub gap_at: Vec<usize>,
    pub closed: usize,
}

impl Seen {
    pub fn data(&self) -> Vec<&str> {
        self.events.iter().map(|(_, data)| data.as_str()).collect()
    }

    pub fn ids(&self) -> Vec<&str> {
        self.events.iter().map(|(id, _)| id.as_str()).collect()
    }
}

/// A reader in a task of its own.
pub struct Reader {
    pub seen: Arc<Mutex<Seen>>,
    pub task: JoinHandle<End>,
    _stop: DropGuard,
}

/// Called at each event, before it is remembered: a test may make its reader slow here.
pub type AtEvent = Box<dyn FnMut(usize) + Send>;

struct Remembering {
    seen: Arc<Mutex<Seen>>,
    at_event: Option<AtEvent>,
}

impl Observer for Remembering {
    fn observe(&mut self, _at: Timestamp, observation: &Observation<'_>) -> ControlFlow<()> {
        if let (Observation::Event { .. }, Some(at_event)) = (observation, &mut self.at_event) {
            let so_far = self.seen.lock().events.len();
            at_event(so_far);
        }
        let mut seen = self.seen.lock();
        match observation {
            Observation::Open => seen.opened += 1,
            Observation::Event { id, data, .. } => {
                seen.events.push((id.unwrap_or_default().to_owned(), (*data).to_owned()));
            }
            Observation::Gap(gap) => {
                let so_far = seen.events.len();
                seen.gaps.push(*gap);
                seen.gap_at.push(so_far);
            }
            Observation::Closed { .. } => seen.closed += 1,
            Observation::Connecting { .. } | Observation::Retrying { .. } => {}
        }
        ControlFlow::Continue(())
    }
}

/// Reads quickly, comes back quickly, hands its cursor back.
pub fn eager() -> Policy {
    Policy {
        interval: Duration::from_millis(20),
        wait: Duration::from_secs(2),
        answer_within: Duration::from_secs(30),
        reconnect: Reconnect::Fixed(Duration::from_millis(20)),
        ..Policy::default()
    }
}

pub fn read(transport: Transport, address: SocketAddr, channel: &str, after: Option<&str>) -> Reader {
    read_with(transport, address, channel, after, eager(), None)
}

pub fn read_with(
    transport: Transport,
    address: SocketAddr,
    channel: &str,
    after: Option<&str>,
    policy: Policy,
    at_event: Option<AtEvent>,
) -> Reader {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let stop = CancellationToken::new();
    let subscription = Subscription {
        url: url(address, &format!("channels/{channel}/{transport}")),
        after: after.map(str::to_owned),
        policy,
        dialect: None,
    };
    let subscriber = client::subscriber(transport, subscription);
    let context =
        Context { clock: Clock::start(), meter: Arc::new(Meter::default()), stop: stop.clone(), seed: 1 };
    let mut observer = Remembering { seen: Arc::clone(&seen), at_event };
    let task = tokio::spawn(async move { subscriber.run(context, &mut observer).await });
    Reader { seen, task, _stop: stop.drop_guard() }
}

impl Reader {
    pub fn seen(&self) -> Seen {
        self.seen.lock().clone()
    }

    /// Waits until what was seen satisfies a condition; says what was seen where it never does.
    pub async fn until(&self, what: &str, condition: impl Fn(&Seen) -> bool) -> Seen {
        wait_until(what, || condition(&self.seen.lock()), || format!("{:?}", self.seen.lock())).await;
        self.seen()
    }

    pub async fn opened(&self) {
        self.until("the subscription stands", |seen| seen.opened > 0).await;
    }
}

/// Waits for a condition, and fails with what there is to show after [`PATIENCE`].
pub async fn wait_until(what: &str, condition: impl Fn() -> bool, show: impl Fn() -> String) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, wait).await.is_err() {
        panic!("waited in vain until {what}: {}", show());
    }
}
