//! A reader that is a page in a browser.

use std::{pin::Pin, sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use url::Url;

use super::{
    driver::BrowserError,
    offset::{Bounds, Offset},
    window::{Browser, Visit, Window},
};
use crate::{
    client::{Cause, Context, End, Observer, Reconnect, Subscriber, Subscription},
    clock::Clock,
    harness::line::Line,
    link::{Relay, relay},
    transport::Transport,
};

/// The page, below the server's root.
pub(in crate::harness) const PAGE: &str = "static/measured/index.html";

/// How often its notes are taken: seldom, since that costs a core some milliseconds, and each note has its own
/// time. Before it is open somebody waits for it.
const TAKE_EVERY: Duration = Duration::from_millis(500);
const TAKE_EVERY_UNTIL_OPEN: Duration = Duration::from_millis(100);

/// Exchanges that compare the clocks, each way.
const PAGE_ASKS: u32 = 20;
const WE_ASK: usize = 3;

/// A reader of one channel, in a window of the browser.
#[derive(Debug)]
pub struct Page {
    /// The browser.
    pub browser: Arc<Browser>,
    /// Where the page is.
    pub page: Url,
    /// What it reads, of the same origin, from the present on; and what it does when its connection is gone.
    pub subscription: Subscription,
    /// How it reads; a poll is not among the ways.
    pub transport: Transport,
    /// The relay that all of this goes through, if there is one.
    pub relay: Option<Arc<Relay>>,
    /// Whether the server tells the time by our clock.
    pub server_has_our_clock: bool,
    /// Where it notes how it went.
    pub told: Told,
}

/// What is known of a page's reading besides what it saw.
#[derive(Debug, Clone, Default)]
pub struct Told(Arc<Mutex<Said>>);

#[derive(Debug, Default)]
struct Said {
    uncertainty_us: Option<f64>,
    finished: bool,
    failure: Option<String>,
}

impl Told {
    /// How far off the page's times may be, either way, in microseconds; `None` before the clocks were compared.
    pub fn uncertainty_us(&self) -> Option<f64> {
        self.0.lock().uncertainty_us
    }

    /// Why what it saw is not known, or not all of it; `None` where it is.
    pub fn failure(&self) -> Option<String> {
        let said = self.0.lock();
        let lost = (!said.finished).then(|| "the browser's page did not hand over its last notes".to_owned());
        said.failure.clone().or(lost)
    }
}

/// What a page hands over.
#[derive(Debug, Deserialize)]
struct Taken {
    notes: Vec<Noted>,
    left_out: u64,
}

/// Something that it saw, with the time by its own clock in Unix milliseconds.
#[derive(Debug, Deserialize)]
struct Noted {
    at: f64,
    #[serde(flatten)]
    line: Line,
}

/// One exchange in which it asked the server for the time.
#[derive(Debug, Deserialize)]
struct Exchange {
    asked: f64,
    answered: f64,
    heard: f64,
}

impl Subscriber for Page {
    fn run<'a>(
        self: Box<Self>,
        context: Context,
        observer: &'a mut dyn Observer,
    ) -> Pin<Box<dyn Future<Output = End> + Send + 'a>> {
        Box::pin(async move {
            match self.read(&context, observer).await {
                Ok(end) => {
                    self.told.0.lock().finished = true;
                    end
                }
                Err(error) => {
                    self.told.0.lock().failure = Some(error.to_string());
                    End::Failed(Cause::Connect(error.to_string()))
                }
            }
        })
    }
}

impl Page {
    async fn read(&self, context: &Context, observer: &mut dyn Observer) -> Result<End, BrowserError> {
        let window = self.browser.window().await?;
        let offset = self.begin(&window, context.clock).await?;
        self.told.0.lock().uncertainty_us = Some(offset.uncertainty_us());
        let mut is_open = false;
        loop {
            let stopped = tokio::select! {
                () = context.stop.cancelled() => true,
                () = tokio::time::sleep(if is_open { TAKE_EVERY } else { TAKE_EVERY_UNTIL_OPEN }) => false,
            };
            let script =
                if stopped { "measured.stop(); return measured.take();" } else { "return measured.take();" };
            let taken: Taken = answer(window.visit().await?.run(script, Vec::new()).await?)?;
            if taken.left_out > 0 {
                let left_out = taken.left_out;
                return Err(BrowserError::Answer(format!("it had no room for {left_out} of its notes")));
            }
            for Noted { at, line } in taken.notes {
                is_open |= line == Line::Open;
                let ended = if let Line::Ended { cause } = &line { Some(cause.clone()) } else { None };
                if line.tell(offset.ours(at), observer, Cause::Broken).is_break() {
                    return Ok(End::Stopped);
                }
                if let Some(cause) = ended {
                    return Ok(End::Failed(Cause::Broken(cause)));
                }
            }
            if stopped {
                return Ok(End::Stopped);
            }
        }
    }

    /// Loads the page, compares the clocks, and lets it read.
    async fn begin(&self, window: &Window, clock: Clock) -> Result<Offset, BrowserError> {
        let visit = window.visit().await?;
        visit.load(self.page.as_str()).await?;
        let offset = self.offset(&visit, clock).await?;
        if let Some(relay) = &self.relay {
            // What the page was loaded over is kept by the browser for whatever comes next. The faults to come
            // are for the connections of the stream alone.
            drop(relay.apply(relay::Fault::Close));
        }
        visit.run("measured.read(arguments[0]);", vec![self.subscription()]).await?;
        Ok(offset)
    }

    async fn offset(&self, visit: &Visit<'_>, clock: Clock) -> Result<Offset, BrowserError> {
        let mut bounds = Vec::new();
        for _ in 0..WE_ASK {
            let asked = clock.now();
            let page = visit.run("return measured.now();", Vec::new()).await?;
            let heard = clock.now();
            bounds.push(Bounds::we_asked(asked, answer(page)?, heard));
        }
        if self.server_has_our_clock {
            let script = format!("measured.exchanges({PAGE_ASKS}).then(arguments[0]);");
            let exchanges: Vec<Exchange> = answer(visit.run_async(&script).await?)?;
            let of = |it: &Exchange| Bounds::page_asked(it.asked, it.answered, it.heard);
            bounds.extend(exchanges.iter().map(of));
        }
        let resolution = answer(visit.run("return measured.resolution;", Vec::new()).await?)?;
        Offset::of(&bounds, resolution).ok_or_else(|| {
            let problem = "its clock and ours do not run alike: was the machine's clock set meanwhile?";
            BrowserError::Answer(problem.to_owned())
        })
    }

    /// As `static/measured/reader.js` takes it.
    fn subscription(&self) -> Value {
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        let Subscription { url, policy, .. } = &self.subscription;
        let (reconnect, base, cap, jitter) = match policy.reconnect {
            Reconnect::Standard => ("standard", 0.0, 0.0, false),
            Reconnect::Never => ("never", 0.0, 0.0, false),
            Reconnect::Fixed(wait) => ("fixed", millis(wait), millis(wait), false),
            Reconnect::Exponential { base, cap, jitter } => {
                ("exponential", millis(base), millis(cap), jitter)
            }
        };
        json!({
            "transport": self.transport.slug(),
            "url": url.as_str(),
            "reconnect": reconnect,
            "base": base,
            "cap": cap,
            "jitter": jitter,
            "resume": policy.resume,
        })
    }
}

fn answer<T: DeserializeOwned>(value: Value) -> Result<T, BrowserError> {
    serde_json::from_value(value).map_err(|error| BrowserError::Answer(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Gap, GapReason};

    #[test]
    fn notes_are_read_as_a_page_writes_them() {
        let taken: Taken = answer(json!({ "left_out": 0, "notes": [
            { "kind": "connecting", "at": 1.5, "attempt": 1 },
            { "kind": "open", "at": 2 },
            { "kind": "event", "at": 3.25, "id": "a-1", "type": "message", "data": "é" },
            { "kind": "gap", "at": 4, "missed": null, "reason": "restarted" },
            { "kind": "closed", "at": 5, "cause": "code 1006" },
            { "kind": "retrying", "at": 5, "after_ms": 100 },
            { "kind": "ended", "at": 6, "cause": "code 1006" },
        ] }))
        .expect("notes");
        let lines: Vec<Line> = taken.notes.iter().map(|noted| noted.line.clone()).collect();
        let (at, cause) = (taken.notes[2].at, || "code 1006".to_owned());
        assert_eq!(at, 3.25);
        let expected = [
            Line::Connecting { attempt: 1 },
            Line::Open,
            Line::Event { id: Some("a-1".into()), r#type: "message".into(), data: "é".into() },
            Line::Gap(Gap { missed: None, reason: GapReason::Restarted }),
            Line::Closed { cause: cause() },
            Line::Retrying { after_ms: 100 },
            Line::Ended { cause: cause() },
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_page_that_was_never_heard_of_again_is_a_failure() {
        let told = Told::default();
        assert!(told.failure().expect("not finished").contains("last notes"));
        told.0.lock().finished = true;
        assert_eq!(told.failure(), None);
    }
}
