//! The server under test: this program again, in a process of its own.
//!
//! A process of its own, so that its CPU time and memory are its own and it can be killed; the same
//! program, so that `cargo run --bin experiment` needs no second build. It ends when this process does:
//! its standard input is a pipe that closes then, however this process ends.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, ChildStdin, Command},
};

use crate::{clock::Clock, link::namespace::Namespace};

/// The word that makes `experiment` a server; not for people's command lines.
pub const SERVE_WORD: &str = "serve-for-experiment";

/// How long a server may take to say that it listens.
const STARTS_WITHIN: Duration = Duration::from_secs(10);

/// How long it may take to end once it was asked to.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// What a server under test is started with.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The program: this one.
    pub program: PathBuf,
    /// The clock whose anchor is handed down.
    pub clock: Clock,
    /// Milliseconds between heartbeats, where not the default.
    pub heartbeat_ms: Option<u64>,
    /// The `retry:` time in milliseconds, where not the default.
    pub retry_ms: Option<u64>,
    /// Where it keeps its channels, where not in memory.
    pub log: Option<PathBuf>,
    /// Whether the queueing variant listens beside it.
    pub queueing: bool,
    /// Whether it serves streams in the plain way, a task for each reader, and not by its writers.
    pub plain: bool,
}

impl ServerOptions {
    /// As `server` itself starts where it is told nothing: its own heartbeat and `retry:`, channels in memory.
    pub fn new(program: impl Into<PathBuf>, clock: Clock) -> Self {
        ServerOptions {
            program: program.into(),
            clock,
            heartbeat_ms: None,
            retry_ms: None,
            log: None,
            queueing: false,
            plain: false,
        }
    }
}

/// A running server.
#[derive(Debug)]
pub struct ServerProcess {
    options: ServerOptions,
    /// The words that start it elsewhere than here; none where it runs here.
    prefix: Vec<String>,
    child: Child,
    stdin: Option<ChildStdin>,
    /// Where it answers HTTP.
    pub http: SocketAddr,
    /// Where the bare TCP floor listens.
    pub floor: SocketAddr,
    /// Where the queueing variant listens, if it was asked for.
    pub queueing: Option<SocketAddr>,
}

/// What a started server says of itself.
struct Started {
    child: Child,
    stdin: Option<ChildStdin>,
    http: SocketAddr,
    floor: SocketAddr,
    queueing: Option<SocketAddr>,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The program could not be started.
    #[error("could not start {program}: {source}")]
    Start {
        /// The program.
        program: String,
        /// The system's word.
        source: io::Error,
    },
    /// It did not say where it listens.
    #[error("the server under test did not come up: {0}; its own messages are above")]
    NotUp(String),
    /// It ended in the middle of a run.
    #[error("the server under test ended in the middle of the run ({0}); its own messages are above")]
    Died(String),
}

impl ServerProcess {
    /// Starts a server on free ports and waits until it listens.
    ///
    /// # Errors
    /// Where it does not come up.
    pub async fn start(options: ServerOptions) -> Result<Self, ServerError> {
        ServerProcess::start_at(options, Ipv4Addr::LOCALHOST.into(), Vec::new()).await
    }

    /// The same within a network namespace, at its address.
    ///
    /// # Errors
    /// Where it does not come up.
    pub async fn start_inside(options: ServerOptions, namespace: &Namespace) -> Result<Self, ServerError> {
        ServerProcess::start_at(options, namespace.address().into(), namespace.prefix().to_vec()).await
    }

    async fn start_at(options: ServerOptions, ip: IpAddr, prefix: Vec<String>) -> Result<Self, ServerError> {
        let Started { child, stdin, http, floor, queueing } =
            spawn(&options, &prefix, SocketAddr::new(ip, 0)).await?;
        Ok(ServerProcess { options, prefix, child, stdin, http, floor, queueing })
    }

    /// Its process id, for accounting; `None` once it is gone.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// How it ended, where it has although nobody told it to.
    pub fn ended(&mut self) -> Option<String> {
        match self.child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(status.to_string()),
            Err(error) => Some(error.to_string()),
        }
    }

    /// Ends it as `kill -9` does: no drain, no goodbye, its memory gone.
    ///
    /// # Errors
    /// Where the system refuses.
    pub async fn kill(&mut self) -> io::Result<()> {
        self.child.kill().await
    }

    /// Asks it to end as SIGTERM does, so that it drains, and waits until it has.
    ///
    /// # Errors
    /// Where the system refuses, or it does not end within some seconds.
    pub async fn terminate(&mut self) -> io::Result<()> {
        #[cfg(unix)]
        signal::terminate(self.pid().ok_or_else(|| io::Error::other("it has ended"))?)?;
        // Its input ends too: where there are no signals that is what asks it, and its thread that reads there
        // would hold it up elsewhere.
        drop(self.stdin.take());
        match tokio::time::timeout(ENDS_WITHIN, self.child.wait()).await {
            Ok(ended) => ended.map(drop),
            Err(_) => Err(io::Error::other(format!("it did not end within {} s", ENDS_WITHIN.as_secs()))),
        }
    }

    /// Stops it for a while, as a full collection of garbage or a stolen processor does, and lets it go on.
    ///
    /// # Errors
    /// Where the system refuses, or has no such signals.
    pub async fn stall(&self, time: Duration) -> io::Result<()> {
        let pid = self.pid().ok_or_else(|| io::Error::other("it has ended"))?;
        signal::stop(pid)?;
        tokio::time::sleep(time).await;
        // Where this is dropped before, the server is killed, which ends a stopped process too.
        signal::go_on(pid)
    }

    /// Starts it again where it was.
    ///
    /// # Errors
    /// Where it does not come up.
    pub async fn start_again(&mut self) -> Result<(), ServerError> {
        let Started { child, stdin, http, floor, queueing } =
            spawn(&self.options, &self.prefix, self.http).await?;
        (self.child, self.stdin, self.http, self.floor) = (child, stdin, http, floor);
        self.queueing = queueing;
        Ok(())
    }
}

#[cfg(unix)]
mod signal {
    use std::io;

    pub(super) fn stop(pid: u32) -> io::Result<()> {
        send(pid, libc::SIGSTOP)
    }

    pub(super) fn terminate(pid: u32) -> io::Result<()> {
        send(pid, libc::SIGTERM)
    }

    pub(super) fn go_on(pid: u32) -> io::Result<()> {
        send(pid, libc::SIGCONT)
    }

    #[allow(unsafe_code)]
    fn send(pid: u32, signal: libc::c_int) -> io::Result<()> {
        let pid = libc::pid_t::try_from(pid).map_err(io::Error::other)?;
        // SAFETY: kill takes two numbers; the process is our child, which has not been waited for, so that
        // its number is still its own.
        match unsafe { libc::kill(pid, signal) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

#[cfg(not(unix))]
mod signal {
    use std::io;

    pub(super) fn stop(_: u32) -> io::Result<()> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this system can't stop a process; leave the fault out",
        ))
    }

    pub(super) fn go_on(pid: u32) -> io::Result<()> {
        stop(pid)
    }
}

async fn spawn(
    options: &ServerOptions,
    prefix: &[String],
    listen: SocketAddr,
) -> Result<Started, ServerError> {
    let mut command = match prefix {
        [] => Command::new(&options.program),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(&options.program);
            command
        }
    };
    command
        .arg(SERVE_WORD)
        .arg("--listen")
        .arg(listen.to_string())
        .env(Clock::ANCHOR_VARIABLE, options.clock.anchor_ns().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    for (flag, value) in [("--heartbeat-ms", options.heartbeat_ms), ("--retry-ms", options.retry_ms)] {
        if let Some(value) = value {
            command.arg(flag).arg(value.to_string());
        }
    }
    if let Some(folder) = &options.log {
        command.arg("--log").arg(folder);
    }
    if options.queueing {
        command.arg("--queueing");
    }
    if options.plain {
        command.arg("--plain");
    }
    // Ctrl-C goes to every process of the terminal's foreground group; the measured server has to live on
    // until the harness has written down what was measured.
    #[cfg(unix)]
    command.process_group(0);
    let mut child =
        command.spawn().map_err(|source| ServerError::Start { program: name(&options.program), source })?;
    let stdin = child.stdin.take();
    let stdout = child.stdout.take().ok_or_else(|| ServerError::NotUp("it has no output".into()))?;
    let mut lines = BufReader::new(stdout).lines();
    let read = async {
        let mut line = async || -> Result<String, ServerError> {
            let line = lines.next_line().await.map_err(|error| ServerError::NotUp(error.to_string()))?;
            line.ok_or_else(|| ServerError::NotUp("it ended at once".into()))
        };
        let http = address(&line().await?, "listening on http://")?;
        let floor = address(&line().await?, "floor on ")?;
        let queueing = if options.queueing {
            Some(address(&line().await?, "queueing variant on http://")?)
        } else {
            None
        };
        Ok((http, floor, queueing))
    };
    let (http, floor, queueing) = tokio::time::timeout(STARTS_WITHIN, read)
        .await
        .map_err(|_| ServerError::NotUp(format!("no word within {} s", STARTS_WITHIN.as_secs())))??;
    Ok(Started { child, stdin, http, floor, queueing })
}

fn address(line: &str, prefix: &str) -> Result<SocketAddr, ServerError> {
    line.strip_prefix(prefix)
        .and_then(|address| address.parse().ok())
        .ok_or_else(|| ServerError::NotUp(format!("it said {line:?}")))
}

fn name(program: &Path) -> String {
    program.display().to_string()
}
