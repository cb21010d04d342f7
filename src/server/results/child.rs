//! The program `experiment`, started for a visitor: its lines become events as it writes them.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::Command,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::{About, folder};
use crate::{encoding, event::Draft, feed::Channel};

/// Bytes of a line that is told in one event.
const LINE_BYTES: usize = 4 << 10;

/// How often it is looked how many runs are recorded.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a cancelled experiment may take to write the report of what it has.
const GRACE: Duration = Duration::from_secs(10);

/// What to start.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) experiment: String,
    /// The folder to write.
    pub(super) out: PathBuf,
}

/// A running program.
#[derive(Debug)]
pub(super) struct Child {
    process: tokio::process::Child,
    out: PathBuf,
    teller: Teller,
    cancel: CancellationToken,
    kill: CancellationToken,
}

/// A program that has ended, which is not told yet.
#[derive(Debug)]
pub(super) struct Ended {
    teller: Teller,
    how: &'static str,
    code: Option<i32>,
}

/// Publishes what happens.
#[derive(Debug, Clone)]
struct Teller {
    channel: Arc<Channel>,
    about: About,
}

impl Child {
    /// Starts it. `cancel` asks it to come to its end, `kill` ends it.
    pub(super) fn start(
        program: Program,
        channel: Arc<Channel>,
        about: About,
        cancel: CancellationToken,
        kill: CancellationToken,
    ) -> io::Result<Child> {
        let mut command = Command::new(&program.path);
        command
            .args(["run", &program.experiment, "--profile", "quick", "--out"])
            .arg(&program.out)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        // Ctrl-C is for the server, which then ends what it has started.
        #[cfg(unix)]
        command.process_group(0);
        let process = command.spawn().map_err(|error| {
            io::Error::new(error.kind(), format!("{} could not be started: {error}", program.path.display()))
        })?;
        let teller = Teller { channel, about };
        teller.tell("started", &encoding::json(&teller.about));
        Ok(Child { process, out: program.out, teller, cancel, kill })
    }

    /// Tells its lines and how far it is until it ends.
    pub(super) async fn run(mut self) -> Ended {
        let (stdout, stderr) = (self.process.stdout.take(), self.process.stderr.take());
        let lines = async {
            tokio::join!(tell_lines(stdout, &self.teller), tell_lines(stderr, &self.teller));
        };
        let ended = async {
            let status = tokio::select! {
                status = self.process.wait() => return (status, false),
                () = self.kill.cancelled() => None,
                () = self.cancel.cancelled() => {
                    interrupt(&mut self.process);
                    tokio::select! {
                        status = tokio::time::timeout(GRACE, self.process.wait()) => status.ok(),
                        () = self.kill.cancelled() => None,
                    }
                }
            };
            if let Some(status) = status {
                return (status, true);
            }
            let killed = self.process.kill().await;
            (killed.and(self.process.wait().await), true)
        };
        let whole = async {
            let (ended, ()) = tokio::join!(ended, lines);
            ended
        };
        let (status, was_cancelled) = tokio::select! {
            ended = whole => ended,
            never = tell_progress(&self.out, &self.teller) => match never {},
        };
        if let Some(progress) = progress(&self.out) {
            self.teller.tell("progress", &encoding::json(&progress));
        }
        let code = status.as_ref().ok().and_then(ExitStatus::code);
        let how = match (was_cancelled, code) {
            (true, _) => "cancelled",
            (false, Some(0)) => "finished",
            (false, _) => "failed",
        };
        point_latest_at(&self.out);
        Ended { teller: self.teller, how, code }
    }
}

impl Ended {
    /// Tells it as the last event.
    pub(super) fn tell(self) {
        let mut about = json!(self.teller.about);
        about["how"] = json!(self.how);
        about["code"] = json!(self.code);
        self.teller.tell("ended", &encoding::json(&about));
    }
}

impl Teller {
    fn tell(&self, kind: &str, data: &str) {
        // Neither can fail: the types are ours, and the data is short.
        match Draft::new(Some(kind), data) {
            Ok(draft) => {
                if let Err(error) = self.channel.publish(draft) {
                    tracing::warn!(%error, "the progress of an experiment could not be told");
                }
            }
            Err(error) => tracing::warn!(%error, "the progress of an experiment could not be told"),
        }
    }
}

/// Publishes each line as an event; one without an end is cut into pieces.
async fn tell_lines(from: Option<impl AsyncRead + Unpin>, teller: &Teller) {
    let Some(mut from) = from else { return };
    let mut line = Vec::new();
    let mut read = [0_u8; 1024];
    while let Ok(count @ 1..) = from.read(&mut read).await {
        for &byte in &read[..count] {
            if byte != b'\n' {
                line.push(byte);
            }
            if byte == b'\n' || line.len() == LINE_BYTES {
                teller.tell("line", String::from_utf8_lossy(&line).trim_end());
                line.clear();
            }
        }
    }
    if !line.is_empty() {
        teller.tell("line", String::from_utf8_lossy(&line).trim_end());
    }
}

/// Tells how many runs are recorded, whenever there are more.
async fn tell_progress(out: &Path, teller: &Teller) -> std::convert::Infallible {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = None;
    loop {
        ticks.tick().await;
        let out = out.to_owned();
        let now = tokio::task::spawn_blocking(move || progress(&out)).await.ok().flatten();
        if now.is_some() && now != told {
            teller.tell("progress", &encoding::json(&now));
            told = now;
        }
    }
}

/// `{"recorded", "planned"}`, from the files that the program writes; `None` before it has a manifest.
fn progress(out: &Path) -> Option<Value> {
    let manifest: Value = serde_json::from_slice(&folder::manifest(out)?).ok()?;
    let planned = manifest.get("planned")?.as_object()?;
    let recorded = planned.keys().map(|experiment| {
        let records = fs::read(out.join(experiment).join("runs.jsonl")).unwrap_or_default();
        records.iter().filter(|byte| **byte == b'\n').count() as u64
    });
    let (recorded, planned) =
        (recorded.sum::<u64>(), planned.values().filter_map(Value::as_u64).sum::<u64>());
    Some(json!({ "recorded": recorded, "planned": planned }))
}

/// Asks a program to come to its end, as Ctrl-C does.
#[cfg(unix)]
#[allow(unsafe_code)]
fn interrupt(process: &mut tokio::process::Child) {
    if let Some(id) = process.id().and_then(|id| libc::pid_t::try_from(id).ok()) {
        // SAFETY: the process is ours and not waited for yet, so its id is still its own.
        unsafe { libc::kill(id, libc::SIGINT) };
    }
}

#[cfg(not(unix))]
fn interrupt(process: &mut tokio::process::Child) {
    let _ = process.start_kill();
}

/// `latest` beside the run names it, as after a run from the command line.
#[cfg(unix)]
fn point_latest_at(run: &Path) {
    let (Some(results), Some(name)) = (run.parent(), run.file_name()) else { return };
    if !run.join("manifest.json").is_file() {
        return;
    }
    let beside = results.join("latest.new");
    let _ = fs::remove_file(&beside);
    let pointed =
        std::os::unix::fs::symlink(name, &beside).and_then(|()| fs::rename(&beside, results.join("latest")));
    if let Err(error) = pointed {
        tracing::warn!(%error, "results/latest could not be pointed at the new run");
    }
}

#[cfg(not(unix))]
fn point_latest_at(_: &Path) {}
