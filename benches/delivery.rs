//! From publish to receipt over loopback, for each transport and the bare TCP floor: one reader, one event
//! at a time. Read the figures as multiples of the floor's in the same run.

use std::{net::SocketAddr, ops::ControlFlow, sync::Arc, time::Duration};

use criterion::{Criterion, criterion_group};
use pushlab::{
    client::{self, Context, Observation, Observer, Policy, Subscriber, Subscription},
    clock::{Clock, Timestamp},
    event::Draft,
    link::Meter,
    server::{self, Config, State},
    transport::Transport,
};
use tokio::{net::TcpListener, runtime::Runtime, sync::watch};
use tokio_util::sync::CancellationToken;
use url::Url;

/// Raises a number: 1 when open, one more per event.
struct Counting(Arc<watch::Sender<u64>>);

impl Observer for Counting {
    fn observe(&mut self, _at: Timestamp, observation: &Observation<'_>) -> ControlFlow<()> {
        if matches!(observation, Observation::Open | Observation::Event { .. }) {
            self.0.send_modify(|count| *count += 1);
        }
        ControlFlow::Continue(())
    }
}

struct Site {
    state: State,
    http: SocketAddr,
    floor: SocketAddr,
}

async fn site(stop: &CancellationToken) -> Site {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let (http, floor) = (TcpListener::bind(any).await, TcpListener::bind(any).await);
    let (http, floor) = (http.expect("a port"), floor.expect("a port"));
    let state = State::new(Config::default(), Clock::start());
    let addresses = (http.local_addr().expect("bound"), floor.local_addr().expect("bound"));
    tokio::spawn(server::floor::run(floor, state.feed().clone(), stop.clone()));
    tokio::spawn(server::run(http, state.clone(), stop.clone()));
    Site { state, http: addresses.0, floor: addresses.1 }
}

fn measure(criterion: &mut Criterion, name: &str, make: impl Fn(&Site) -> Box<dyn Subscriber>) {
    let runtime = Runtime::new().expect("a runtime");
    let stop = CancellationToken::new();
    let site = runtime.block_on(site(&stop));
    let name_of_channel = "bench".parse().expect("a good name");
    let channel = site.state.feed().channel(&name_of_channel).expect("room");
    let (count, mut counted) = watch::channel(0);
    let context =
        Context { clock: Clock::start(), meter: Arc::new(Meter::default()), stop: stop.clone(), seed: 1 };
    let subscriber = make(&site);
    runtime.spawn(async move { subscriber.run(context, &mut Counting(Arc::new(count))).await });
    let mut due = 1;
    let mut wait = |due: u64| {
        runtime
            .block_on(async { counted.wait_for(|count| *count >= due).await.map(drop) })
            .expect("reads on");
    };
    wait(due);
    criterion.bench_function(&format!("delivery/{name}"), |bencher| {
        bencher.iter(|| {
            due += 1;
            channel.publish(Draft::message("x".repeat(100))).expect("fits");
            wait(due);
        });
    });
    stop.cancel();
}

fn delivery(criterion: &mut Criterion) {
    measure(criterion, "tcp-floor", |site| client::floor::subscriber(site.floor, "bench", None));
    for transport in Transport::ALL {
        measure(criterion, transport.slug(), |site| {
            let url = format!("http://{}/channels/bench/{transport}", site.http);
            // A poll that waits a millisecond between its questions: what is left is the asking itself.
            let policy = Policy { interval: Duration::from_millis(1), ..Policy::default() };
            let url = Url::parse(&url).expect("a URL");
            client::subscriber(transport, Subscription { url, after: None, policy, dialect: None })
        });
    }
}

criterion_group!(benches, delivery);

fn main() {
    pushlab::report::register_font();
    benches();
    Criterion::default().configure_from_args().final_summary();
}
