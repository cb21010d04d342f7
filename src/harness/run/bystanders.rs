//! Readers that are not cut while many others are, on another channel of the same server.

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Environment, Failure, contender::OPENS_WITHIN, site::Site};
use crate::{
    client::{Context, Observation, Observer},
    clock::Timestamp,
    harness::{
        control::{Control, SourceRequest},
        definition::Client,
        payload,
        plan::Condition,
    },
    link::Meter,
    schedule::Pattern,
    server::source::MIN_PAYLOAD_BYTES,
};

/// Events per second on their channel: often enough that a storm of a second is met by some dozens.
const RATE: f64 = 50.0;

/// When an event was meant to be published, and how many microseconds later it came.
type Sample = (Timestamp, u64);

/// Readers of a channel of their own, on which the built-in source publishes.
pub(super) struct Bystanders {
    channel: String,
    samples: Arc<Mutex<Vec<Sample>>>,
    readers: JoinSet<()>,
    _stop: DropGuard,
}

impl Bystanders {
    /// Opens them and starts their source; `None` where the condition asks for none.
    pub(super) async fn start(
        site: &Site,
        environment: &Environment,
        client: &Client,
        condition: &Condition,
    ) -> Result<Option<Self>, Failure> {
        if condition.bystanders == 0 {
            return Ok(None);
        }
        let (samples, open) = (Arc::default(), Arc::new(AtomicUsize::new(0)));
        let stop = CancellationToken::new();
        let mut readers = JoinSet::new();
        for number in 0..condition.bystanders {
            let context = Context {
                clock: environment.clock,
                meter: Arc::<Meter>::default(),
                stop: stop.clone(),
                seed: condition.seed ^ u64::from(number),
            };
            let mut observer = Watching { samples: Arc::clone(&samples), open: Arc::clone(&open) };
            let subscriber = site.bystander(client)?;
            readers.spawn(async move {
                subscriber.run(context, &mut observer).await;
            });
        }
        let all = async {
            while open.load(Ordering::Relaxed) < condition.bystanders as usize {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(OPENS_WITHIN, all).await.is_err() {
            return Err(Failure::NoBystanders(open.load(Ordering::Relaxed), condition.bystanders));
        }
        let channel = site.bystanders_channel();
        let payload_bytes = condition.payload_bytes.max(MIN_PAYLOAD_BYTES as u32);
        let source =
            SourceRequest { rate: RATE, payload_bytes, pattern: Pattern::Steady, seed: condition.seed };
        site.control().start_source(&channel, source).await?;
        Ok(Some(Bystanders { channel, samples, readers, _stop: stop.drop_guard() }))
    }

    /// Ends their source and gives what they received.
    pub(super) async fn end(mut self, control: &Control) -> Result<Vec<Sample>, Failure> {
        control.stop_source(&self.channel).await?;
        self.readers.abort_all();
        Ok(std::mem::take(&mut self.samples.lock()))
    }
}

struct Watching {
    samples: Arc<Mutex<Vec<Sample>>>,
    open: Arc<AtomicUsize>,
}

impl Observer for Watching {
    fn observe(&mut self, at: Timestamp, observation: &Observation<'_>) -> ControlFlow<()> {
        match observation {
            Observation::Open => {
                self.open.fetch_add(1, Ordering::Relaxed);
            }
            Observation::Event { data, .. } => {
                if let Some(intended) = payload::read(data).and_then(|stamp| stamp.at) {
                    let micros = u64::try_from(at.micros_since(intended)).unwrap_or_default();
                    self.samples.lock().push((intended, micros));
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
