//! `/results/…`: the runs of experiments, their reports, and one experiment at a time in its quick form.
//!
//! | file | what it does |
//! | --- | --- |
//! | `folder` | lists runs and hands out their files |
//! | `child` | runs the program `experiment` and tells how far it is |
//! | here | what runs now, and the endpoints for it |
//!
//! The server knows no experiments: it starts the program beside it, as a user would.

mod child;
pub(crate) mod folder;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use axum::{body::Body, extract::State as FromState, response::Response};
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::child::{Child, Program};
use super::{
    State,
    refusal::{Refusal, json_response},
    request,
};
use crate::{
    clock::Clock,
    encoding,
    feed::{Channel, ChannelName},
    transport::Transport,
};

/// The channel on which progress is told, by any transport.
const CHANNEL: &str = "experiment-progress";

/// How long a program that was killed may take to be gone.
const GONE_WITHIN: std::time::Duration = std::time::Duration::from_millis(300);

/// What runs, and where results are.
#[derive(Debug)]
pub(crate) struct Runs {
    folder: PathBuf,
    program: Option<PathBuf>,
    clock: Clock,
    running: Arc<Mutex<Option<Running>>>,
    tasks: TaskTracker,
    /// Ends what runs, at once.
    kill: CancellationToken,
}

#[derive(Debug)]
struct Running {
    about: About,
    cancel: CancellationToken,
    kill: CancellationToken,
}

/// An experiment that runs.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct About {
    /// Its name.
    experiment: String,
    /// The folder that it writes, under the results.
    stamp: String,
    /// Unix milliseconds.
    started_ms: f64,
    /// The cursor from which its progress is told.
    after: String,
}

impl Runs {
    pub(crate) fn new(folder: PathBuf, program: Option<PathBuf>, clock: Clock) -> Self {
        let (running, tasks, kill) = (Arc::default(), TaskTracker::new(), CancellationToken::new());
        Runs { folder, program, clock, running, tasks, kill }
    }

    /// Where the runs are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Kills what runs, as at shutdown.
    pub(crate) async fn end(&self) {
        self.kill.cancel();
        self.tasks.close();
        let _ = tokio::time::timeout(GONE_WITHIN, self.tasks.wait()).await;
    }

    fn about(&self) -> Option<About> {
        self.running.lock().as_ref().map(|running| running.about.clone())
    }

    fn cancel(&self) {
        if let Some(running) = &*self.running.lock() {
            if running.cancel.is_cancelled() {
                running.kill.cancel();
            }
            running.cancel.cancel();
        }
    }

    fn start(&self, experiment: String, channel: Arc<Channel>) -> Result<About, Refusal> {
        let program = self.program.clone().map_or_else(beside_this_one, Ok).map_err(|error| {
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, format!("no experiment can be run: {error}"))
        })?;
        let mut running = self.running.lock();
        if let Some(running) = &*running {
            let message = format!(
                "the experiment {:?} is running: wait for it, or DELETE /results/run",
                running.about.experiment
            );
            return Err(Refusal::new(StatusCode::CONFLICT, message));
        }
        let stamp = humantime::format_rfc3339_seconds(SystemTime::now()).to_string().replace(':', "-");
        let stamp = (0..).map(|number| match number {
            0 => stamp.clone(),
            // Two within a second.
            number => format!("{stamp}-{number}"),
        });
        let stamp = stamp.into_iter().find(|stamp| !self.folder.join(stamp).exists()).unwrap_or_default();
        // Taken before the start, so that a reader that goes on from here hears all of it.
        let after = channel.head().to_string();
        let about = About { experiment, stamp, started_ms: self.clock.now().as_millis(), after };
        let out = self.folder.join(&about.stamp);
        let program = Program { path: program, experiment: about.experiment.clone(), out };
        let (cancel, kill) = (CancellationToken::new(), self.kill.child_token());
        let child = Child::start(program, channel, about.clone(), cancel.clone(), kill.clone())
            .map_err(|error| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;
        let place = Arc::clone(&self.running);
        *running = Some(Running { about: about.clone(), cancel, kill });
        self.tasks.spawn(async move {
            let ended = child.run().await;
            // Free before it is told, so that whoever hears of the end can start the next.
            *place.lock() = None;
            ended.tell();
        });
        Ok(about)
    }
}

/// The program `experiment` in the folder of this one.
fn beside_this_one() -> io::Result<PathBuf> {
    let name = format!("experiment{}", std::env::consts::EXE_SUFFIX);
    let path = std::env::current_exe()?.with_file_name(name);
    if path.is_file() {
        return Ok(path);
    }
    let message = format!("there is no program {}: build it with `cargo build --bins`", path.display());
    Err(io::Error::new(io::ErrorKind::NotFound, message))
}

/// What to run.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    experiment: String,
    /// By what the visitor wants to be told of the progress.
    #[serde(default)]
    transport: Option<Transport>,
}

/// `POST /results/run`: starts an experiment in its quick form, unless one runs.
pub(crate) async fn start(
    FromState(state): FromState<State>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let shape = "{\"experiment\": \"latency\"}, with \"transport\" for the one to be told by";
    let order: Order = request::json(&state, &headers, body, shape).await?;
    check_name(&order.experiment)?;
    let name: ChannelName = CHANNEL.parse()?;
    let channel = state.feed().channel(&name)?;
    let about = state.runs().start(order.experiment, channel)?;
    let transport = order.transport.unwrap_or(Transport::Sse).slug();
    let progress = format!("/channels/{CHANNEL}/{transport}?after={}", about.after);
    let answer = json!({ "running": about, "channel": CHANNEL, "after": about.after, "progress": progress });
    Ok(json_response(StatusCode::ACCEPTED, encoding::json(&answer)))
}

/// `GET /results/run`: what runs, `null` where nothing does.
pub(crate) async fn running(FromState(state): FromState<State>) -> Response {
    let answer = json!({ "running": state.runs().about(), "channel": CHANNEL });
    json_response(StatusCode::OK, encoding::json(&answer))
}

/// `DELETE /results/run`: asks what runs to end, which then draws the report of what it has; asked again, it
/// is ended at once. 204 also where nothing runs.
pub(crate) async fn cancel(FromState(state): FromState<State>) -> StatusCode {
    state.runs().cancel();
    StatusCode::NO_CONTENT
}

/// A name, perhaps of a definition in a folder; neither a path that leads elsewhere nor an option of the
/// program.
fn check_name(name: &str) -> Result<(), Refusal> {
    let is_plain = |part: &str| {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !part.is_empty() && !part.starts_with('-') && part.bytes().all(is_plain)
    };
    if name.len() <= 64 && name.split('/').count() <= 2 && name.split('/').all(is_plain) {
        return Ok(());
    }
    let name: String = name.chars().take(40).collect();
    Err(Refusal::bad_request(format!("bad experiment {name:?}: use a name that `experiment list` tells")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_path_and_no_option() {
        for good in ["latency", "slow-network-2", "papers/aquilio"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "--out", "../x", "/a", "a/", "a/b/c", "a/-b", "a.toml", "A", "a b", &"x".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
