//! A target as processes: started in a group of its own, so that whatever it starts is counted and ends with it.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    net::TcpListener,
    process::{Child, Command},
};
use url::Url;

use super::{Described, fill::fill, install::find_program};
use crate::harness::{
    control::{Control, Health},
    signal,
};

/// From one look whether it is ready to the next.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long it may take to end when it is asked to.
const ENDS_WITHIN: Duration = Duration::from_secs(2);

/// A running target, or one that was there before.
#[derive(Debug)]
pub struct Program {
    described: Arc<Described>,
    /// Its first process, which leads the group; `None` where it was there before.
    child: Option<Child>,
    group: Option<u32>,
    base: Url,
    port: u16,
    /// After the processes: they have ended when it goes.
    _dir: Option<Folder>,
}

/// A folder for one run, which goes when this is dropped.
#[derive(Debug)]
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Why a target does not run.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// Something that it needs is not there.
    #[error("{0}")]
    NotInstalled(String),
    /// It could not be started.
    #[error("{target}: `{command}` could not be started: {source}; correct start.command in {file}")]
    Start {
        /// The target.
        target: String,
        /// Its command.
        command: String,
        /// The target's file.
        file: String,
        /// The system's word.
        source: io::Error,
    },
    /// It does not come up.
    #[error("{target}: {problem}; what it said is above; see start in {file}")]
    NotReady {
        /// The target.
        target: String,
        /// What was waited for.
        problem: String,
        /// The target's file.
        file: String,
    },
    /// It ended in the middle of a run.
    #[error("{target} ended in the middle of the run ({status}); what it said is above")]
    Died {
        /// The target.
        target: String,
        /// How.
        status: String,
    },
}

impl Program {
    /// Starts it on a free port and waits until it is ready; one that is there before has only to answer.
    ///
    /// # Errors
    /// Where it is not installed, or does not come up.
    pub async fn start(described: &Arc<Described>) -> Result<Self, ProgramError> {
        if let Some(missing) = described.not_installed() {
            return Err(ProgramError::NotInstalled(missing));
        }
        let description = &described.description;
        let not_ready = |problem: String| ProgramError::NotReady {
            target: description.name.clone(),
            problem,
            file: described.file.clone(),
        };
        let port = free_port().await.map_err(|error| not_ready(format!("no free port: {error}")))?;
        let url = fill(&description.url, &[("port", &port.to_string())]);
        let base = Url::parse(&url).map_err(|error| not_ready(format!("{url}: {error}")))?;
        let mut program =
            Program { described: Arc::clone(described), child: None, group: None, base, port, _dir: None };
        let within = match &description.start {
            Some(start) => {
                program.spawn(port).map_err(|source| ProgramError::Start {
                    target: description.name.clone(),
                    command: start.command.join(" "),
                    file: described.file.clone(),
                    source,
                })?;
                Duration::from_secs_f64(start.within_s)
            }
            None => Duration::from_secs(2),
        };
        let (control, began) = (program.control(), Instant::now());
        loop {
            let Err(error) = control.healthy().await else { return Ok(program) };
            if let Some(status) = program.ended() {
                return Err(not_ready(format!("it ended ({status}) before it listened on port {port}")));
            }
            if began.elapsed() > within {
                return Err(not_ready(format!("not ready within {} s: {error}", within.as_secs_f64())));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn spawn(&mut self, port: u16) -> io::Result<()> {
        let Some(start) = &self.described.description.start else { return Ok(()) };
        let dir = std::env::temp_dir().join(format!("pushlab-target-{:016x}", rand::random::<u64>()));
        std::fs::create_dir(&dir)?;
        let dir = self._dir.insert(Folder(dir));
        let (port, folder) = (port.to_string(), dir.0.display().to_string());
        let words = [("port", port.as_str()), ("dir", folder.as_str())];
        for (name, text) in &start.write {
            std::fs::write(dir.0.join(name), fill(text, &words))?;
        }
        let [program, arguments @ ..] = start.command.as_slice() else { return Ok(()) };
        let program = fill(program, &words);
        let mut command = Command::new(find_program(&program).unwrap_or_else(|| PathBuf::from(&program)));
        command
            .args(arguments.iter().map(|argument| fill(argument, &words)))
            .envs(start.environment.iter().map(|(name, value)| (name, fill(value, &words))))
            // What it prints is none of ours, and a pipe that nobody reads would stop it.
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        let beside = |folder: &str| self.described.folder.join(folder);
        command.current_dir(start.folder.as_deref().map_or_else(|| self.described.folder.clone(), beside));
        #[cfg(unix)]
        command.process_group(0);
        #[cfg(target_os = "linux")]
        die_with_us(&mut command);
        let child = command.spawn()?;
        self.group = child.id();
        self.child = Some(child);
        Ok(())
    }

    /// Requests to it.
    pub fn control(&self) -> Control {
        let start = self.described.description.start.as_ref();
        let health = match start.and_then(|start| start.ready.clone()) {
            Some(path) => Health::Answer(path),
            None => Health::Open,
        };
        Control::asking(self.base.clone(), health)
    }

    /// What it is.
    pub fn described(&self) -> &Arc<Described> {
        &self.described
    }

    /// Where it answers.
    pub fn address(&self) -> Option<SocketAddr> {
        self.base.socket_addrs(|| None).unwrap_or_default().first().copied()
    }

    /// The process that leads its group; `None` where it was there before.
    pub fn group(&self) -> Option<u32> {
        self.group
    }

    /// A URL of its file with its words filled in; through `relay` where one stands in between.
    pub fn url(&self, text: &str, channel: &str, relay: Option<SocketAddr>) -> Url {
        let filled = fill(text, &[("port", &self.port.to_string()), ("channel", channel)]);
        // A check has seen that it is a path or a URL.
        let mut url = self.base.join(&filled).unwrap_or_else(|_| self.base.clone());
        if let Some(relay) = relay {
            let _ = url.set_ip_host(relay.ip());
            let _ = url.set_port(Some(relay.port()));
        }
        url
    }

    /// How it ended, where it has.
    pub fn ended(&mut self) -> Option<String> {
        match self.child.as_mut()?.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(status.to_string()),
            Err(error) => Some(error.to_string()),
        }
    }

    /// Ends it: asks first, and then kills what is left of its group.
    pub async fn stop(mut self) {
        if let (Some(group), Some(child)) = (self.group, self.child.as_mut()) {
            signal::send(group, signal::TERMINATE);
            let _ = tokio::time::timeout(ENDS_WITHIN, child.wait()).await;
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(group) = self.group.take() {
            signal::send(group, signal::KILL);
        }
    }
}

/// Where the harness is killed, the target is not left behind.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn die_with_us(command: &mut Command) {
    // SAFETY: prctl with these numbers only sets an attribute of the calling process; no memory is involved,
    // and it may be called between fork and exec.
    unsafe {
        command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        });
    }
}

/// A port that was free a moment ago. The system hands its ports out in such an order that somebody else
/// rarely takes it before the target does.
async fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr()?.port())
}
