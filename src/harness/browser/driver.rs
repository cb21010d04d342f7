//! Chromium and chromedriver: found, started, and ended with whoever started them.

use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, ChildStdout, Command},
};

use crate::harness::signal;

/// How long each of both may take to come up.
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// How long the browser may take to close in an orderly way.
const CLOSES_WITHIN: Duration = Duration::from_secs(5);

/// Without a screen, without the services of its maker, and with nothing that slows a page down because
/// nobody looks at it: every page here is one that somebody would look at.
const FLAGS: [&str; 13] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-breakpad",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--window-size=1280,900",
];

/// Where the two programs are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    chromium: PathBuf,
    chromedriver: PathBuf,
}

/// Why there is no browser, or why it does not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BrowserError {
    /// A program is not on the `PATH`.
    #[error(
        "{0} is not on the PATH: install Chromium and its driver (Debian: apt-get install chromium \
         chromium-driver), or leave out clients with browser = true"
    )]
    Missing(&'static str),
    /// A program could not be started, or its folder not made.
    #[error("could not start the browser: {0}")]
    Start(#[from] io::Error),
    /// It did not come up.
    #[error(
        "the browser did not come up: {0}; see whether `chromium --headless --dump-dom about:blank` works"
    )]
    NotUp(String),
    /// A command failed.
    #[error("the browser did not obey: {0}")]
    Command(#[from] Box<fantoccini::error::CmdError>),
    /// What a page answered makes no sense.
    #[error("the browser's page answered what makes no sense: {0}")]
    Answer(String),
}

impl From<fantoccini::error::CmdError> for BrowserError {
    fn from(error: fantoccini::error::CmdError) -> Self {
        BrowserError::Command(Box::new(error))
    }
}

impl Programs {
    /// Looks for them on the `PATH`.
    ///
    /// # Errors
    /// Where one is missing.
    pub fn find() -> Result<Self, BrowserError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let find = |name| {
            let mut files = std::env::split_paths(&path).map(|folder| folder.join(name));
            files.find(|file| file.is_file()).ok_or(BrowserError::Missing(name))
        };
        Ok(Programs { chromium: find("chromium")?, chromedriver: find("chromedriver")? })
    }
}

/// A headless Chromium with a profile of its own. Dropping it ends it at once, and it ends with this process,
/// in whatever way that does.
#[derive(Debug)]
pub struct Driver {
    /// Gives it commands.
    pub client: Client,
    processes: Processes,
}

impl Driver {
    /// Starts one. `console` keeps what pages write to their consoles, for who wants to ask for it.
    ///
    /// # Errors
    /// Where a program can't be started, or does not come up.
    pub async fn start(programs: &Programs, console: bool) -> Result<Self, BrowserError> {
        let mut processes = Processes::start(&programs.chromedriver)?;
        let up = tokio::time::timeout(STARTS_WITHIN, processes.port());
        let port = up.await.map_err(|_| BrowserError::NotUp("chromedriver said nothing".to_owned()))??;
        let flags = FLAGS.iter().map(|flag| (*flag).to_owned());
        let profile = format!("--user-data-dir={}", processes.profile.display());
        let arguments: Vec<String> = flags.chain([profile]).collect();
        let mut capabilities = json!({
            "goog:chromeOptions": { "args": arguments, "binary": programs.chromium },
        });
        if console {
            capabilities["goog:loggingPrefs"] = json!({ "browser": "ALL" });
        }
        let Value::Object(capabilities) = capabilities else { unreachable!("an object") };
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities);
        let url = format!("http://127.0.0.1:{port}");
        let client = tokio::time::timeout(STARTS_WITHIN, builder.connect(&url))
            .await
            .map_err(|_| BrowserError::NotUp("Chromium did not answer its driver".to_owned()))?
            .map_err(|error| BrowserError::NotUp(error.to_string()))?;
        Ok(Driver { client, processes })
    }

    /// The id of the group of processes that all of the browser's are in.
    pub fn group(&self) -> Option<u32> {
        self.processes.driver.id()
    }

    /// Closes the browser in an orderly way. What is left of it ends as this is dropped.
    pub async fn close(&self) {
        let _ = tokio::time::timeout(CLOSES_WITHIN, self.client.clone().close()).await;
    }
}

/// The driver, which starts the browser in its own process group, and what outlives us to end both.
#[derive(Debug)]
struct Processes {
    driver: Child,
    /// Not read any further, but open: a driver that can't write would end.
    output: Option<BufReader<ChildStdout>>,
    guard: Option<Child>,
    profile: PathBuf,
}

impl Processes {
    fn start(chromedriver: &Path) -> Result<Self, BrowserError> {
        let profile = std::env::temp_dir().join(format!("pushlab-browser-{:016x}", rand::random::<u64>()));
        std::fs::create_dir(&profile)?;
        let mut command = Command::new(chromedriver);
        command
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        // Ctrl-C is for the harness, which ends them in turn.
        #[cfg(unix)]
        command.process_group(0);
        let mut driver = command.spawn()?;
        let output = driver.stdout.take().map(BufReader::new);
        let guard = guard(driver.id(), &profile);
        Ok(Processes { driver, output, guard, profile })
    }

    /// Waits for the driver's word on which port it listens.
    async fn port(&mut self) -> Result<u16, BrowserError> {
        let output =
            self.output.as_mut().ok_or_else(|| BrowserError::NotUp("it has no output".to_owned()))?;
        let mut line = String::new();
        while output.read_line(&mut line).await? > 0 {
            let port = line.trim_end().trim_end_matches('.').rsplit_once("successfully on port ");
            if let Some(port) = port.and_then(|(_, port)| port.parse().ok()) {
                return Ok(port);
            }
            line.clear();
        }
        Err(BrowserError::NotUp("chromedriver ended at once".to_owned()))
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        if let Some(guard) = &mut self.guard {
            let _ = guard.start_kill();
        }
        // The driver has not been waited for, so that its number, and its group's, are still its own.
        if let Some(group) = self.driver.id() {
            signal::send(group, signal::KILL);
        }
        // Its processes may be writing there until they are gone.
        for _ in 0..20 {
            if std::fs::remove_dir_all(&self.profile).is_ok() || !self.profile.exists() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A process that waits for this one's end, however it comes about, and then ends the browser and removes its
/// profile: a driver that is killed leaves its browser behind, and so would we. Its input is a pipe that
/// closes with us.
fn guard(group: Option<u32>, profile: &Path) -> Option<Child> {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "cat >/dev/null; kill -s KILL -- \"-$1\"; sleep 1; rm -rf -- \"$2\"", "browser-guard"])
        .arg(group?.to_string())
        .arg(profile)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    // Where there is no shell, what we end ourselves has to do.
    command.spawn().ok()
}
