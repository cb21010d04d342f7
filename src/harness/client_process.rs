//! A reader in a process of its own: `experiment watch`, this program again.
//!
//! In the harness's process a reader shares its threads with everything else, and whose wake-up was whose
//! can't be told. A process has accounts of its own. What it prints is observed like any other reader, so
//! that order and loss are checked here too; only its bytes are not counted.

use std::{
    io,
    path::PathBuf,
    pin::Pin,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};
use url::Url;

use super::line::Line;
use crate::{
    client::{Cause, Context, End, Observer, Subscriber},
    transport::Transport,
};

/// A process's id, once it runs.
#[derive(Debug, Clone, Default)]
pub struct Pid(Arc<AtomicU32>);

impl Pid {
    /// The id; `None` while there is no process.
    pub fn get(&self) -> Option<u32> {
        Some(self.0.load(Ordering::Acquire)).filter(|&pid| pid != 0)
    }
}

/// A reader of a channel's endpoint, as a process of its own.
#[derive(Debug)]
pub struct ClientProcess {
    /// The program: this one.
    pub program: PathBuf,
    /// The endpoint.
    pub url: Url,
    /// How it is read.
    pub transport: Transport,
    /// Where its id is to be noted.
    pub pid: Pid,
}

impl Subscriber for ClientProcess {
    fn run<'a>(
        self: Box<Self>,
        context: Context,
        observer: &'a mut dyn Observer,
    ) -> Pin<Box<dyn Future<Output = End> + Send + 'a>> {
        Box::pin(async move {
            let failed = |error: io::Error| {
                End::Failed(Cause::Connect(format!("{} watch: {error}", self.program.display())))
            };
            self.read(&context, observer).await.unwrap_or_else(failed)
        })
    }
}

impl ClientProcess {
    async fn read(&self, context: &Context, observer: &mut dyn Observer) -> io::Result<End> {
        let mut command = Command::new(&self.program);
        command
            .args(["watch", self.url.as_str(), "--transport", self.transport.slug(), "--json"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        // Ctrl-C is for the harness, which ends it in turn.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn()?;
        self.pid.0.store(child.id().unwrap_or_default(), Ordering::Release);
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("it has no output"))?;
        let mut lines = BufReader::new(stdout).lines();
        let end = loop {
            let line = tokio::select! {
                biased;
                () = context.stop.cancelled() => break End::Stopped,
                line = lines.next_line() => line?,
            };
            let Some(line) = line else {
                let status = child.wait().await?;
                break End::Failed(Cause::Closed(Some(format!("the client ended: {status}"))));
            };
            let line: Line = serde_json::from_str(&line).map_err(io::Error::other)?;
            let closed = |cause| Cause::Closed(Some(cause));
            if line.tell(context.clock.now(), observer, closed).is_break() {
                break End::Stopped;
            }
        };
        self.pid.0.store(0, Ordering::Release);
        child.kill().await?;
        Ok(end)
    }
}
