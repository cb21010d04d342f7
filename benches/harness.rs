//! What the harness's client side costs per delivered event, against what the server costs: it has to be
//! less, or the harness is what is measured.
//!
//! A thousand readers, the server in a process of its own, one event to all of them at a time.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use criterion::{Criterion, criterion_group};
use pushlab::{
    client::{self, Context, Observation, Observer, Policy, Subscription},
    clock::{Clock, Timestamp},
    harness::{
        control::Control,
        schedstat::Scheduled,
        server_process::{ServerOptions, ServerProcess},
    },
    link::Meter,
    transport::Transport,
};
use tokio::{runtime::Runtime, sync::watch};
use tokio_util::sync::CancellationToken;
use url::Url;

const READERS: u64 = 1_000;

/// Raises a number shared by all readers: 1 when open, one more per event.
struct Counting(Arc<watch::Sender<u64>>);

impl Observer for Counting {
    fn observe(&mut self, _at: Timestamp, observation: &Observation<'_>) -> ControlFlow<()> {
        if matches!(observation, Observation::Open | Observation::Event { .. }) {
            // Woken once per event, and not by each of its readers.
            self.0.send_if_modified(|count| {
                *count += 1;
                *count % READERS == 0
            });
        }
        ControlFlow::Continue(())
    }
}

fn measure(criterion: &mut Criterion, transport: Transport) {
    let runtime = Runtime::new().expect("a runtime");
    let clock = Clock::start();
    let options = ServerOptions::new(env!("CARGO_BIN_EXE_experiment"), clock);
    let server = runtime.block_on(ServerProcess::start(options)).expect("a server");
    let base = Url::parse(&format!("http://{}/", server.http)).expect("a URL");
    let control = Control::new(base.clone());
    let (count, mut counted) = watch::channel(0);
    let (count, stop) = (Arc::new(count), CancellationToken::new());
    for seed in 0..READERS {
        let url = base.join(&format!("channels/bench/{transport}")).expect("a URL");
        let policy = Policy { interval: Duration::from_millis(100), ..Policy::default() };
        let subscriber = client::subscriber(transport, Subscription { url, after: None, policy });
        let context = Context { clock, meter: Arc::new(Meter::default()), stop: stop.clone(), seed };
        let count = Arc::clone(&count);
        runtime.spawn(async move { subscriber.run(context, &mut Counting(count)).await });
    }
    let mut due = READERS;
    let mut wait = |due: u64| {
        runtime
            .block_on(async { counted.wait_for(|count| *count >= due).await.map(drop) })
            .expect("reads on");
    };
    wait(due);
    let used = || {
        let of = |pid| Scheduled::of(pid).map(|scheduled| scheduled.ran);
        (of(std::process::id()), server.pid().and_then(of), due / READERS)
    };
    let before = used();
    criterion.bench_function(&format!("harness/{transport}/{READERS}"), |bencher| {
        bencher.iter(|| {
            due += READERS;
            runtime.block_on(control.publish("bench", "x".repeat(100))).expect("published");
            wait(due);
        });
    });
    let after = (Scheduled::of(std::process::id()), server.pid().and_then(Scheduled::of), due / READERS);
    report(transport, before, after);
    stop.cancel();
}

fn report(
    transport: Transport,
    before: (Option<Duration>, Option<Duration>, u64),
    after: (Option<Scheduled>, Option<Scheduled>, u64),
) {
    let events = (after.2 - before.2) * READERS;
    let spent = |after: Option<Scheduled>, before: Option<Duration>| {
        Some(after?.ran.saturating_sub(before?).as_secs_f64() * 1e6 / events as f64)
    };
    match (spent(after.0, before.0), spent(after.1, before.1)) {
        (Some(client), Some(server)) => println!(
            "harness/{transport}/{READERS}: client {client:.2} µs, server {server:.2} µs of CPU per delivered event: \
             × {:.2}{}",
            client / server,
            if client < server { "" } else { "  MORE THAN THE SERVER" }
        ),
        _ => println!("harness/{transport}/{READERS}: this system does not tell what was used"),
    }
}

fn harness(criterion: &mut Criterion) {
    // The polls' cost is their asking, which goes on without events too.
    for transport in [Transport::LongPoll, Transport::Sse, Transport::WebSocket] {
        measure(criterion, transport);
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(2));
    targets = harness
}

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
}
