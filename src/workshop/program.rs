//! A student's program as a process: in a group of its own, so that what it starts ends with it.

use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    net::{TcpListener, TcpStream},
    process::{Child, ChildStdout, Command},
    time::Instant,
};

use super::{
    invocation::Invocation,
    listening::{self, Listening},
    tail::Tail,
};
use crate::harness::signal;

/// How long a program may take from its start until its port is open.
pub(super) const OPENS_WITHIN: Duration = Duration::from_secs(15);

/// After this time a port that nobody is listed for is tried all the same.
const LISTED_WITHIN: Duration = Duration::from_secs(3);

/// How long a program may take to end when it is told to.
const ENDS_WITHIN: Duration = Duration::from_millis(500);

/// A running program. Dropping it kills it and all that it started.
#[derive(Debug)]
pub(super) struct Program {
    child: Child,
    group: Option<u32>,
}

impl Program {
    /// Starts a server with a free port in `PORT`, and waits until the port is open. What it prints goes
    /// into `output`.
    ///
    /// # Errors
    /// A sentence: why there is no server.
    pub(super) async fn serve(invocation: &Invocation, output: &Tail) -> Result<(Self, SocketAddr), String> {
        let port = free_port().await.map_err(|error| format!("no free port: {error}"))?;
        let mut command = command(invocation);
        command.env("PORT", port.to_string());
        let mut program = Program::start(command, invocation, output)?;
        if let Some(stdout) = program.child.stdout.take() {
            output.follow(stdout);
        }
        let begun = Instant::now();
        let deadline = begun + OPENS_WITHIN;
        loop {
            let listens = listening::on(port);
            if let Listening::At(ip) = listens {
                return Ok((program, SocketAddr::new(ip, port)));
            }
            // A port that something else passes on, as containers' ports are, is in no list.
            if listens == Listening::Try || begun.elapsed() > LISTED_WITHIN {
                for ip in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
                    let address = SocketAddr::new(ip, port);
                    if TcpStream::connect(address).await.is_ok() {
                        return Ok((program, address));
                    }
                }
            }
            if let Some(status) = program.ended() {
                // What it wrote last is still on its way through the pipe.
                tokio::time::sleep(Duration::from_millis(50)).await;
                return Err(format!("`{invocation}` ended ({status}) before it opened port {port}"));
            }
            if Instant::now() > deadline {
                return Err(format!(
                    "`{invocation}` did not open port {port} within {} s: a server has to listen on the port \
                     that the environment variable PORT names",
                    OPENS_WITHIN.as_secs()
                ));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Starts a client, whose standard output is for the caller to read; what it says on its standard error
    /// goes into `output`.
    ///
    /// # Errors
    /// A sentence: why there is no client.
    pub(super) fn client(invocation: &Invocation, output: &Tail) -> Result<(Self, ChildStdout), String> {
        let mut program = Program::start(command(invocation), invocation, output)?;
        let stdout = program.child.stdout.take().ok_or("the program has no output")?;
        Ok((program, stdout))
    }

    fn start(mut command: Command, invocation: &Invocation, output: &Tail) -> Result<Self, String> {
        let mut child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                format!("there is no program {:?}: is it installed, and spelt so?", invocation.program)
            }
            _ => format!("`{invocation}` could not be started: {error}"),
        })?;
        if let Some(stderr) = child.stderr.take() {
            output.follow(stderr);
        }
        let group = child.id();
        Ok(Program { child, group })
    }

    /// How it ended, where it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().ok().flatten()?;
        self.kill_group();
        Some(status)
    }

    /// Waits until it ends by itself; `None` where it has not in time.
    pub(super) async fn wait(&mut self, within: Duration) -> Option<ExitStatus> {
        let status = tokio::time::timeout(within, self.child.wait()).await.ok()?.ok()?;
        self.kill_group();
        Some(status)
    }

    /// Ends it: asks first, so that a program can say goodbye, and kills what is left of its group.
    pub(super) async fn stop(mut self) {
        if let Some(group) = self.group {
            signal::send(group, signal::TERMINATE);
        }
        if self.wait(ENDS_WITHIN).await.is_none() {
            self.kill_group();
            self.wait(ENDS_WITHIN).await;
        }
    }

    /// Kills what is left of the group. Once only, and at the latest when the first process has just been
    /// waited for: later its number may be somebody else's.
    fn kill_group(&mut self) {
        if let Some(group) = self.group.take() {
            signal::send(group, signal::KILL);
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill_group();
    }
}

fn command(invocation: &Invocation) -> Command {
    let mut command = Command::new(&invocation.program);
    command
        .args(&invocation.arguments)
        // Python writes to a pipe in blocks, so that a line would arrive when the program ends.
        .env("PYTHONUNBUFFERED", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    if let Some(folder) = &invocation.folder {
        command.current_dir(folder);
    }
    #[cfg(unix)]
    command.process_group(0);
    command
}

/// A port that was free a moment ago, and not one of the last that were given to programs which may not have
/// opened theirs yet: where many are checked at once, the system hands out the same one again now and then.
/// Between this and the program's listening another process may still take it; that is rare.
async fn free_port() -> io::Result<u16> {
    const REMEMBERED: usize = 256;
    static GIVEN: Mutex<VecDeque<u16>> = Mutex::new(VecDeque::new());
    // What is passed over stays bound, so that the system offers another.
    let mut passed_over = Vec::new();
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let mut given = GIVEN.lock();
        if !given.contains(&port) {
            given.push_back(port);
            if given.len() > REMEMBERED {
                given.pop_front();
            }
            return Ok(port);
        }
        drop(given);
        passed_over.push(listener);
    }
}
