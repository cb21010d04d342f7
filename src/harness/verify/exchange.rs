//! One transport carries one size of payload, on a port of its own.

use std::{io, net::SocketAddr, ops::ControlFlow, sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    client::{self, Context, Observation, Observer, Policy, Subscriber, Subscription},
    clock::{Clock, Timestamp},
    event::Draft,
    feed::ChannelName,
    harness::definition::Subject,
    link::{Meter, Totals},
    server::{self, Config, State},
};

/// How many events an exchange carries, one after the other.
const EVENTS: u64 = 3;

/// A short poll's pause.
const INTERVAL: Duration = Duration::from_millis(20);

/// How long an exchange may take: only a hang takes as long.
const WITHIN: Duration = Duration::from_secs(20);

/// How long the other end of a closed connection is given to say its last word before the capture ends.
const LAST_WORDS: Duration = Duration::from_millis(20);

const CHANNEL: &str = "verify";

/// A server that waits for its one client. In this process: its costs are of no interest here, and its
/// port then carries nothing but what is counted.
pub(super) struct Stage {
    pub(super) subject: Subject,
    pub(super) payload: usize,
    address: SocketAddr,
    state: State,
    shutdown: CancellationToken,
}

impl Stage {
    pub(super) async fn open(subject: Subject, payload: usize, clock: Clock) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let state = State::new(Config::default(), clock);
        let shutdown = CancellationToken::new();
        match subject {
            Subject::Floor => {
                tokio::spawn(server::floor::run(listener, state.feed().clone(), shutdown.clone()));
            }
            Subject::Transport(_) => {
                tokio::spawn(server::run(listener, state.clone(), shutdown.clone()));
            }
        }
        Ok(Stage { subject, payload, address, state, shutdown })
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Subscribes, receives, closes. The port, and what was counted.
    pub(super) async fn play(self, clock: Clock) -> Result<(u16, Totals), String> {
        let name: ChannelName = CHANNEL.parse().expect("a good name");
        let channel = self.state.feed().channel(&name).map_err(|error| error.to_string())?;
        let meter = Arc::new(Meter::default());
        let stop = CancellationToken::new();
        let context = Context { clock, meter: Arc::clone(&meter), stop: stop.clone(), seed: 1 };
        let (seen, mut sees) = watch::channel(Seen::default());
        let subscriber = self.subscriber();
        let client = tokio::spawn(async move { subscriber.run(context, &mut Noting(seen)).await });
        let all = async {
            sees.wait_for(|seen| seen.open).await.map_err(|_| "it did not open")?;
            for number in 1..=EVENTS {
                let published = channel.publish(Draft::message("x".repeat(self.payload)));
                published.map_err(|error| error.to_string())?;
                sees.wait_for(|seen| seen.events >= number).await.map_err(|_| "it ended too soon")?;
            }
            stop.cancel();
            client.await.map_err(|error| error.to_string())?;
            Ok::<_, String>(())
        };
        tokio::time::timeout(WITHIN, all)
            .await
            .map_err(|_| format!("not over in {} s", WITHIN.as_secs()))??;
        let payload = sees.borrow().payload;
        if payload != EVENTS * self.payload as u64 {
            return Err(format!("{payload} bytes of data came, not {}", EVENTS * self.payload as u64));
        }
        tokio::time::sleep(LAST_WORDS).await;
        self.shutdown.cancel();
        Ok((self.address.port(), meter.totals()))
    }

    fn subscriber(&self) -> Box<dyn Subscriber> {
        match self.subject {
            Subject::Floor => client::floor::subscriber(self.address, CHANNEL, None),
            Subject::Transport(transport) => {
                let url = format!("http://{}/channels/{CHANNEL}/{transport}", self.address);
                let url = Url::parse(&url).expect("an address makes a URL");
                let policy = Policy { interval: INTERVAL, ..Policy::default() };
                client::subscriber(transport, Subscription { url, after: None, policy, dialect: None })
            }
        }
    }
}

#[derive(Debug, Default)]
struct Seen {
    open: bool,
    events: u64,
    payload: u64,
}

struct Noting(watch::Sender<Seen>);

impl Observer for Noting {
    fn observe(&mut self, _at: Timestamp, observation: &Observation<'_>) -> ControlFlow<()> {
        match observation {
            Observation::Open => self.0.send_modify(|seen| seen.open = true),
            Observation::Event { data, .. } => self.0.send_modify(|seen| {
                seen.events += 1;
                seen.payload += data.len() as u64;
            }),
            // Whoever waits for what will now not come waits for as long as an exchange may take.
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
