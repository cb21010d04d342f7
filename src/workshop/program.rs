//! A student's program as a process: in a group of its own, so that what it starts ends with it.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::Range,
    process::{ExitStatus, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

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

/// Below the ports that a system gives to those who do not choose (from 32,768 on Linux, from 49,152 elsewhere): one
/// of these may be somebody else's before the program listens.
const PORTS: Range<u16> = 16_000..32_000;

/// A port that is free, and that nobody here is given again before all others were: where many programs are checked at
/// once, what one is about to open must not even be tried for another.
async fn free_port() -> io::Result<u16> {
    // Begun anywhere, so that two checkers seldom meet.
    static NEXT: LazyLock<AtomicUsize> =
        LazyLock::new(|| AtomicUsize::new(rand::random_range(0..PORTS.len())));
    for _ in PORTS {
        let port = PORTS.start + (NEXT.fetch_add(1, Ordering::Relaxed) % PORTS.len()) as u16;
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            Ok(_) => return Ok(port),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[tokio::test]
    async fn nobody_is_given_a_port_that_was_given() {
        let mut given = HashSet::new();
        for _ in 0..100 {
            let port = free_port().await.expect("a free port");
            assert!(PORTS.contains(&port) && given.insert(port), "{port}");
        }
    }
}
