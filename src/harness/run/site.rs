//! Where a group runs: a server, its channel, and the ways to both.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use url::Url;

use super::Environment;
use crate::{
    client::{self, Subscriber, Subscription},
    harness::{
        control::{Control, ControlError},
        definition::{Client, Definition, Fault, Publisher, Subject},
        plan::Condition,
        process,
        server_process::{ServerError, ServerOptions, ServerProcess},
        target::{self, Program, ProgramError, Target},
    },
    link::namespace::{Namespace, NamespaceError},
    transport::Transport,
};

/// A server with a channel for one group.
#[derive(Debug)]
pub struct Site {
    process: Option<ServerProcess>,
    /// A server that is not ours, as its file describes it.
    program: Option<Program>,
    /// Where the process lives, if not here; after it, so that it is dropped after it.
    _namespace: Option<Namespace>,
    base: Url,
    control: Control,
    channel: String,
    /// Between the server's heartbeats.
    heartbeat: Duration,
    /// Where the server keeps its log, if it does. After `process`: that has ended when this goes.
    _log: Option<LogFolder>,
}

/// A folder for the log of a server under test, which goes when this is dropped.
#[derive(Debug)]
struct LogFolder(PathBuf);

impl LogFolder {
    fn new() -> Self {
        LogFolder(std::env::temp_dir().join(format!("pushlab-log-{:016x}", rand::random::<u64>())))
    }
}

impl Drop for LogFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Why there is no site, or no way to it.
#[derive(Debug, thiserror::Error)]
pub(super) enum SiteError {
    /// The server under test did not start.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A target's program does not run.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// A transport that a target's file does not tell of.
    #[error("{0} has no way of being read by {1}: add one to its file")]
    NoWay(String, &'static str),
    /// A server that is already there does not answer.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// Only a server that this program starts can do this.
    #[error("{0} needs the built-in server: run it without --target")]
    NeedsBuiltIn(&'static str),
    /// Steps need a rate.
    #[error("the rate of a server that publishes by itself can't be raised: leave it out")]
    NeedsAPublisher,
    /// The network that it is to live in can't be made.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// No address behind the target's name.
    #[error("no address for {0}: check the target's host name and port")]
    NoAddress(Url),
}

impl Site {
    /// Starts a server, or makes sure that the target answers.
    pub(super) async fn open(
        environment: &Environment,
        target: &Target,
        definition: &Definition,
        condition: &Condition,
        loss_percent: Option<f64>,
    ) -> Result<Self, SiteError> {
        // A name of its own on a server that others may be using too.
        let channel = format!("experiment-{:016x}", rand::random::<u64>());
        let heartbeat = condition.heartbeat(definition);
        match target {
            Target::BuiltIn => {
                let log = condition.has(|fault| fault == Fault::RestartWithLog).then(LogFolder::new);
                let options = ServerOptions {
                    log: log.as_ref().map(|folder| folder.0.clone()),
                    heartbeat_ms: condition.heartbeat_ms.or(definition.heartbeat_ms),
                    retry_ms: definition.retry_ms,
                    queueing: definition.clients.iter().any(|client| client.queueing),
                    ..environment.server.clone()
                };
                let namespace = match loss_percent {
                    // Its commands take a while, and other runs may be measured meanwhile.
                    Some(percent) => Some(
                        tokio::task::spawn_blocking(move || Namespace::create(percent))
                            .await
                            .unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))?,
                    ),
                    None => None,
                };
                let process = match &namespace {
                    None => ServerProcess::start(options).await?,
                    Some(namespace) => ServerProcess::start_inside(options, namespace).await?,
                };
                let base = http_url(process.http);
                let control = Control::new(base.clone());
                let (process, program) = (Some(process), None);
                Ok(Site {
                    process,
                    program,
                    _namespace: namespace,
                    control,
                    base,
                    channel,
                    heartbeat,
                    _log: log,
                })
            }
            _ if loss_percent.is_some() => Err(SiteError::NeedsBuiltIn("packet loss")),
            Target::Url(base) => {
                let control = Control::new(base.clone());
                control.healthy().await?;
                let (base, process, program) = (base.clone(), None, None);
                Ok(Site { process, program, _namespace: None, control, base, channel, heartbeat, _log: None })
            }
            Target::Described(described) => {
                let program = Program::start(described).await?;
                let (control, base) = (program.control(), program.url("/", "", None));
                let heartbeat = described.description.heartbeat_ms.map_or(heartbeat, Duration::from_millis);
                let (process, program) = (None, Some(program));
                Ok(Site { process, program, _namespace: None, control, base, channel, heartbeat, _log: None })
            }
        }
    }

    pub(super) fn control(&self) -> Control {
        self.control.clone()
    }

    pub(super) fn channel(&self) -> &str {
        &self.channel
    }

    /// A channel of its own on the same server, for readers that are left alone.
    pub(super) fn bystanders_channel(&self) -> String {
        format!("{}-bystanders", self.channel)
    }

    /// A reader of that channel, without a relay.
    pub(super) fn bystander(&self, client: &Client) -> Result<Box<dyn Subscriber>, SiteError> {
        let channel = self.bystanders_channel();
        let transport = match client.transport {
            Subject::Floor => {
                return Ok(client::floor::subscriber(self.address(client.transport)?, &channel, None));
            }
            Subject::Transport(transport) => transport,
        };
        let url = self.control.url(&format!("channels/{channel}/{}", transport.slug()));
        let subscription = Subscription { url, ..self.subscription(client, transport, None) };
        Ok(client::subscriber(transport, subscription))
    }

    /// The process of our own server.
    pub(super) fn pid(&self) -> Option<u32> {
        self.process.as_ref().and_then(ServerProcess::pid)
    }

    /// All processes of the server, as far as they are ours to account.
    pub(super) fn pids(&self) -> Vec<u32> {
        match &self.program {
            Some(program) => program.group().map(process::family).unwrap_or_default(),
            None => Vec::from_iter(self.pid()),
        }
    }

    /// The way to publish to a server that is not ours; `None` for ours, and where it publishes by itself.
    pub(super) fn foreign_way(&self) -> Option<target::Publishing> {
        target::Publishing::to(self.program.as_ref()?, &self.channel)
    }

    /// Whether the server publishes by itself, and whether its events are stamped then.
    pub(super) fn publishes_by_itself(&self) -> Option<bool> {
        let publish = &self.program.as_ref()?.described().description.publish;
        publish.every_ms.map(|_| publish.stamped)
    }

    /// Ends a server that is not ours, in an orderly way.
    pub(super) async fn close(self) {
        if let Some(program) = self.program {
            program.stop().await;
        }
    }

    /// Who publishes here. On somebody else's server its clock is not ours, so that intended times must
    /// come from this process.
    pub(super) fn publisher(&self, wanted: Publisher) -> Publisher {
        match wanted {
            Publisher::Source if self.process.is_none() => Publisher::Post,
            wanted => wanted,
        }
    }

    /// Where a client connects to, without a relay.
    pub(super) fn address(&self, subject: Subject) -> Result<SocketAddr, SiteError> {
        match (&self.process, subject) {
            (Some(process), Subject::Floor) => Ok(process.floor),
            (Some(process), Subject::Transport(_)) => Ok(process.http),
            (None, Subject::Floor) => Err(SiteError::NeedsBuiltIn("the bare TCP floor")),
            (None, Subject::Transport(_)) => {
                if let Some(address) = self.program.as_ref().and_then(Program::address) {
                    return Ok(address);
                }
                let addresses = self.base.socket_addrs(|| None).unwrap_or_default();
                addresses.first().copied().ok_or_else(|| SiteError::NoAddress(self.base.clone()))
            }
        }
    }

    /// Where a client that never reads connects to.
    pub(super) fn address_for_stalled(&self, client: &Client) -> Result<SocketAddr, SiteError> {
        if !client.queueing {
            return self.address(client.transport);
        }
        let queueing = self.process.as_ref().and_then(|process| process.queueing);
        queueing.ok_or(SiteError::NeedsBuiltIn("the queueing variant"))
    }

    /// A subscriber as the client specification says, through a relay where one stands in between.
    pub(super) fn subscriber(
        &self,
        client: &Client,
        relay: Option<SocketAddr>,
    ) -> Result<Box<dyn Subscriber>, SiteError> {
        match client.transport {
            Subject::Floor => {
                let address = relay.map_or_else(|| self.address(client.transport), Ok)?;
                Ok(client::floor::subscriber(address, &self.channel, None))
            }
            Subject::Transport(transport) => {
                let mut subscription = self.subscription(client, transport, relay);
                if let Some(program) = &self.program {
                    let described = program.described();
                    let way = described.description.transport.get(&transport);
                    let no_way = || SiteError::NoWay(described.description.name.clone(), transport.slug());
                    let way = way.ok_or_else(no_way)?;
                    subscription.url = program.url(&way.url, &self.channel, relay);
                    subscription.dialect = Some(Arc::new(way.dialect()));
                }
                Ok(client::subscriber(transport, subscription))
            }
        }
    }

    /// An error where the server under test is gone although nobody told it to.
    pub(super) fn still_there(&mut self) -> Result<(), SiteError> {
        if let Some(status) = self.process.as_mut().and_then(ServerProcess::ended) {
            return Err(ServerError::Died(status).into());
        }
        let Some(program) = self.program.as_mut() else { return Ok(()) };
        let target = program.described().description.name.clone();
        program.ended().map_or(Ok(()), |status| Err(ProgramError::Died { target, status }.into()))
    }

    /// What a client reads, and how.
    pub(super) fn subscription(
        &self,
        client: &Client,
        transport: Transport,
        relay: Option<SocketAddr>,
    ) -> Subscription {
        let mut url = self.url(transport.slug(), relay);
        if client.without_retry {
            url.set_query(Some("retry=none"));
        }
        Subscription { url, after: None, policy: client.policy_under(self.heartbeat), dialect: None }
    }

    /// The URL of something that is not in the channel, such as a page.
    pub(super) fn url_of(&self, path: &str, relay: Option<SocketAddr>) -> Url {
        Control::new(relay.map_or_else(|| self.base.clone(), http_url)).url(path)
    }

    /// The URL of something in the channel, such as its `events`.
    pub(super) fn url(&self, below: &str, relay: Option<SocketAddr>) -> Url {
        self.url_of(&format!("channels/{}/{below}", self.channel), relay)
    }

    /// Stops the server for a while.
    pub(super) async fn stall(&self, time: Duration) -> Result<(), String> {
        let process = self.process.as_ref().ok_or("only the built-in server is ours to stop")?;
        process.stall(time).await.map_err(|error| error.to_string())
    }

    /// Ends the server, by SIGTERM or as `kill -9` does, and starts it again after a while.
    pub(super) async fn restart(&mut self, orderly: bool, down_for: Duration) -> Result<(), SiteError> {
        let process = self.process.as_mut().ok_or(SiteError::NeedsBuiltIn("a restart"))?;
        let ended = if orderly { process.terminate().await } else { process.kill().await };
        ended.map_err(|source| ServerError::Start { program: "kill".to_owned(), source })?;
        tokio::time::sleep(down_for).await;
        process.start_again().await?;
        Ok(())
    }
}

fn http_url(address: SocketAddr) -> Url {
    Url::parse(&format!("http://{address}/")).expect("an address makes a URL")
}
