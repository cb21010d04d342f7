//! What the harness's client side costs per delivered event, against what the server costs: our own as it is, and one
//! that serves each reader by a task of its own, as most do (`server --plain`). Beside it stands the cost of a
//! bare reader, which does nothing but read. All are held to `benches/budgets.toml`.
//!
//! A thousand readers, the server in a process of its own, twenty events a second to all of them: the pace of the
//! experiments that compare CPU.

mod bare;
mod budgets;

use std::{
    ops::ControlFlow,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bare::Bare;
use budgets::Budgets;
use criterion::Criterion;
use pushlab::{
    client::{self, Context, Observation, Observer, Policy, Subscription},
    clock::{Clock, Timestamp},
    harness::{
        control::Control,
        reading::Reading,
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

/// From one event to the next.
const PACE: Duration = Duration::from_millis(50);

/// Counts what all readers saw together: 1 when open, one more per event. Whoever waits is told when all of
/// them have, and not by each: the bench's own cost is counted as the client's.
struct Counting(Arc<Counted>);

struct Counted {
    count: AtomicU64,
    rounds: watch::Sender<u64>,
}

impl Observer for Counting {
    fn observe(&mut self, _at: Timestamp, observation: &Observation<'_>) -> ControlFlow<()> {
        if matches!(observation, Observation::Open | Observation::Event { .. }) {
            let count = self.0.count.fetch_add(1, Ordering::Relaxed) + 1;
            if count.is_multiple_of(READERS) {
                self.0.rounds.send_replace(count / READERS);
            }
        }
        ControlFlow::Continue(())
    }
}

/// Who reads.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    /// The harness's clients.
    Client,
    /// A thread that reads and does nothing else.
    Bare,
}

/// CPU time per delivered event.
#[derive(Clone, Copy)]
struct Cost {
    client: Duration,
    server: Duration,
    events: u64,
}

/// `None` where it was not measured: left out by Criterion's filter, or on a system that does not tell.
fn measure(criterion: &mut Criterion, transport: Transport, side: Side, plain: bool) -> Option<Cost> {
    let runtime = Runtime::new().expect("a runtime");
    let clock = Clock::start();
    let options = ServerOptions { plain, ..ServerOptions::new(env!("CARGO_BIN_EXE_experiment"), clock) };
    let server = runtime.block_on(ServerProcess::start(options)).expect("a server");
    let base = Url::parse(&format!("http://{}/", server.http)).expect("a URL");
    let control = Control::new(base.clone());
    let (rounds, mut counted) = watch::channel(0);
    let stop = CancellationToken::new();
    let mut bare = None;
    match side {
        Side::Bare => bare = Some(Bare::start(server.http, transport, READERS, rounds).expect("streams")),
        Side::Client => {
            let count = Arc::new(Counted { count: AtomicU64::new(0), rounds });
            for seed in 0..READERS {
                let url = base.join(&format!("channels/bench/{transport}")).expect("a URL");
                let policy = Policy { interval: Duration::from_millis(100), ..Policy::default() };
                let subscription = Subscription { url, after: None, policy, dialect: None };
                let subscriber = client::subscriber(transport, subscription);
                let context = Context { clock, meter: Arc::new(Meter::default()), stop: stop.clone(), seed };
                let count = Arc::clone(&count);
                Reading::threads().spawn(async move { subscriber.run(context, &mut Counting(count)).await });
            }
        }
    }
    let mut due = 1;
    let mut wait = |due: u64| {
        runtime
            .block_on(async { counted.wait_for(|round| *round >= due).await.map(drop) })
            .expect("reads on");
    };
    wait(due);
    let server = server.pid()?;
    let used = || Some((Scheduled::of(std::process::id())?.ran, Scheduled::of(server)?.ran));
    let mut cost = Cost { client: Duration::ZERO, server: Duration::ZERO, events: 0 };
    let name = format!(
        "harness/{transport}/{READERS}/{}{}",
        if side == Side::Bare { "bare" } else { "client" },
        if plain { "-plain" } else { "" }
    );
    criterion.bench_function(&name, |bencher| {
        // Only what is used between the readings: Criterion's own arithmetic runs in this process too.
        bencher.iter_custom(|iterations| {
            let (start, before) = (Instant::now(), used());
            for event in 1..=iterations {
                due += 1;
                std::thread::sleep((start + PACE * event as u32).saturating_duration_since(Instant::now()));
                runtime.block_on(control.publish("bench", "x".repeat(100))).expect("published");
                wait(due);
            }
            let took = start.elapsed();
            if let (Some(before), Some(after)) = (before, used()) {
                cost.client += after.0.saturating_sub(before.0);
                cost.server += after.1.saturating_sub(before.1);
                cost.events += iterations * READERS;
            }
            took
        });
    });
    stop.cancel();
    drop(bare);
    (cost.events > 0).then(|| {
        let micros = |used: Duration| used.as_secs_f64() * 1e6 / cost.events as f64;
        println!(
            "{name}: client {:.2} µs, server {:.2} µs of CPU per delivered event: × {:.2}",
            micros(cost.client),
            micros(cost.server),
            micros(cost.client) / micros(cost.server),
        );
        cost
    })
}

/// What a client costs over what its server does.
fn ratio(cost: Cost) -> f64 {
    cost.client.as_secs_f64() / cost.server.as_secs_f64()
}

fn main() -> ExitCode {
    // Criterion draws by plotters too, which has no font of its own.
    pushlab::report::register_font();
    let time = Duration::from_secs(5);
    let mut criterion = Criterion::default().sample_size(10).measurement_time(time).configure_from_args();
    let mut budgets = Budgets::of("harness");
    // The short poll's cost is its asking, which goes on without events too.
    for transport in [Transport::LongPoll, Transport::Sse, Transport::WebSocket] {
        let is_stream = transport != Transport::LongPoll;
        let fast = measure(&mut criterion, transport, Side::Client, false);
        let plain = measure(&mut criterion, transport, Side::Client, true);
        let bare = if is_stream { measure(&mut criterion, transport, Side::Bare, false) } else { None };
        if let Some(plain) = plain {
            budgets.hold(&format!("{transport}: client over the plain server"), ratio(plain));
        }
        if let Some(fast) = fast {
            budgets.hold(&format!("{transport}: client over the server"), ratio(fast));
        }
        if let (Some(fast), Some(bare)) = (fast, bare) {
            println!("{transport}: a bare reader × {:.2} of the server", ratio(bare));
            let each = |cost: Cost| cost.client.as_secs_f64() / cost.events as f64;
            budgets.hold(&format!("{transport}: client over a bare reader"), each(fast) / each(bare));
        }
    }
    criterion.final_summary();
    budgets.verdict()
}
