//! A packet capture on the loopback, by a tool that is installed.
//!
//! A capture that starts too late or ends too early looks like a miscount. So its running is not assumed but
//! seen: a connection is made that concerns nobody, again and again until the tool shows it; and at the end
//! another, with which everything before it has been shown too.

use std::{
    collections::HashSet,
    io,
    net::SocketAddr,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
};

use super::packet::{self, Packet};

/// How long the tool may take to show its first packet, and its last.
const SHOWS_WITHIN: Duration = Duration::from_secs(15);

/// How long one probe is waited for before the next is sent.
const PROBE_EVERY: Duration = Duration::from_millis(200);

/// Many times what all exchanges together send.
const MOST_BYTES: usize = 256 << 20;

/// Why there is no capture.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// No tool.
    #[error(
        "no capture tool is installed: install the package tcpdump or tshark (Debian, Ubuntu: `sudo apt-get install tcpdump`) and run it again"
    )]
    NoTool,
    /// A tool that may not capture.
    #[error(
        "{tool} may not capture on the loopback ({said}): run it as root, or allow the tool to for good with `sudo setcap cap_net_raw,cap_net_admin+ep \"$(command -v {tool})\"`"
    )]
    NotPermitted {
        /// The tool.
        tool: &'static str,
        /// What it said.
        said: String,
    },
    /// A tool that started and did not capture.
    #[error(
        "{tool} shows no packets: {said}; try `{tool} -i {LOOPBACK}` by hand, or install the other one of tcpdump and tshark"
    )]
    Silent {
        /// The tool.
        tool: &'static str,
        /// What it said.
        said: String,
    },
    /// Something else that the system refused.
    #[error("the capture could not be made: {0}")]
    System(#[from] io::Error),
}

#[cfg(target_os = "macos")]
const LOOPBACK: &str = "lo0";
#[cfg(not(target_os = "macos"))]
const LOOPBACK: &str = "lo";

/// A tool and how it is told to write what it captures to its standard output, at once and whole.
struct Tool {
    program: &'static str,
    arguments: &'static [&'static str],
}

/// The second is what tshark itself captures with, and comes in its package.
const TOOLS: [Tool; 2] = [
    Tool {
        program: "tcpdump",
        arguments: &["-i", LOOPBACK, "-n", "-U", "--immediate-mode", "-B", "16384", "-w", "-"],
    },
    Tool { program: "dumpcap", arguments: &["-i", LOOPBACK, "-q", "-P", "-B", "16", "-w", "-", "-f"] },
];

/// A running capture; it ends when it is dropped.
pub(super) struct Capture {
    tool: &'static str,
    child: Child,
    output: Arc<Mutex<Vec<u8>>>,
    said: Arc<Mutex<Vec<u8>>>,
    probe: SocketAddr,
}

impl Capture {
    /// Starts to capture what goes to and from these ports, and waits until it does.
    pub(super) async fn start(ports: &HashSet<u16>) -> Result<Self, CaptureError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let probe = listener.local_addr()?;
        tokio::spawn(async move { while listener.accept().await.is_ok() {} });
        let either: Vec<String> =
            ports.iter().chain([&probe.port()]).map(|port| format!("port {port}")).collect();
        let filter = format!("tcp and ({})", either.join(" or "));
        let (tool, mut child) = spawn(&filter)?;
        let (output, said) = (Arc::default(), Arc::default());
        keep(child.stdout.take(), Arc::clone(&output));
        keep(child.stderr.take(), Arc::clone(&said));
        let mut capture = Capture { tool, child, output, said, probe };
        capture.see_a_probe().await?;
        Ok(capture)
    }

    /// Waits until everything so far has been shown, and ends the capture.
    pub(super) async fn end(mut self) -> Result<Vec<Packet>, CaptureError> {
        self.see_a_probe().await?;
        self.child.kill().await?;
        self.packets()
    }

    /// Connects until a connection is shown.
    async fn see_a_probe(&mut self) -> Result<(), CaptureError> {
        let give_up = Instant::now() + SHOWS_WITHIN;
        while Instant::now() < give_up {
            let port = TcpStream::connect(self.probe).await?.local_addr()?.port();
            let next = Instant::now() + PROBE_EVERY;
            while Instant::now() < next {
                if self.packets()?.iter().any(|packet| packet.is_of(port)) {
                    return Ok(());
                }
                if self.child.try_wait()?.is_some() {
                    // Its last words may still be on their way.
                    tokio::time::sleep(PROBE_EVERY).await;
                    return Err(self.failure("it ended"));
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        Err(self.failure("it ran without a word"))
    }

    fn packets(&self) -> Result<Vec<Packet>, CaptureError> {
        packet::packets(&self.output.lock()).map_err(|said| CaptureError::Silent { tool: self.tool, said })
    }

    fn failure(&self, otherwise: &str) -> CaptureError {
        let tool = self.tool;
        let text = String::from_utf8_lossy(&self.said.lock()).into_owned();
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        // Both tools explain at length how their distribution hands out the right to capture.
        if let Some(line) = lines.iter().find(|line| line.to_lowercase().contains("permission")) {
            return CaptureError::NotPermitted { tool, said: (*line).to_owned() };
        }
        let said = if lines.is_empty() { otherwise.to_owned() } else { lines.join("; ") };
        CaptureError::Silent { tool, said }
    }
}

fn spawn(filter: &str) -> Result<(&'static str, Child), CaptureError> {
    for Tool { program, arguments } in &TOOLS {
        let spawned = Command::new(program)
            .args(*arguments)
            .arg(filter)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        match spawned {
            Ok(child) => return Ok((program, child)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(CaptureError::NotPermitted { tool: program, said: error.to_string() });
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(CaptureError::NoTool)
}

/// Keeps what a stream brings, within bounds.
fn keep(stream: Option<impl AsyncRead + Unpin + Send + 'static>, kept: Arc<Mutex<Vec<u8>>>) {
    let Some(mut stream) = stream else { return };
    tokio::spawn(async move {
        let mut piece = vec![0; 64 << 10];
        while let Ok(read @ 1..) = stream.read(&mut piece).await {
            let mut kept = kept.lock();
            if kept.len() < MOST_BYTES {
                kept.extend_from_slice(&piece[..read]);
            }
        }
    });
}
