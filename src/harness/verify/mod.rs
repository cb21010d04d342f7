//! Whether our byte counts are what a packet capture saw.
//!
//! The counters of [`link`](crate::link) take the kernel's word for what went over the wire. Here somebody
//! else looks: a capture tool on the loopback, while each transport carries a few events of sizes at which
//! framing changes. Per connection and direction:
//!
//! * *application bytes* have to be equal to the byte;
//! * *wire bytes* have to be equal too, or the difference has to be accounted for segment by segment.
//!
//! | file | what it does |
//! | --- | --- |
//! | `exchange` | one transport carries one size of payload, on a port of its own |
//! | `capture` | starts the tool, knows that it runs, ends it, and has seen everything by then |
//! | `packet` | from the tool's output to TCP segments |
//! | `flow` | what a capture says of one port |
//! | `verdict` | counted against captured |

mod capture;
mod exchange;
mod flow;
mod packet;
mod verdict;

use std::{collections::HashSet, io};

use self::{capture::Capture, exchange::Stage, flow::Flow};
pub use self::{
    capture::CaptureError,
    verdict::{Row, Verdict},
};
use super::definition::Subject;
use crate::{clock::Clock, transport::Transport};

/// Sizes of event data, in bytes: none, the least, and both sides of where WebSocket's length field grows
/// (RFC 6455, 5.2); the last is also more than one segment of the loopback.
pub const PAYLOADS: [usize; 6] = [0, 1, 125, 126, 65_535, 65_536];

/// Why bytes could not be verified. That they differ is no error but a [`Row`].
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// No capture.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// No server to talk to.
    #[error("the servers to talk to could not be started: {0}")]
    Start(io::Error),
    /// An exchange that did not come to its end.
    #[error("{transport}, {payload} bytes: {problem}; `experiment watch` shows what a transport does")]
    Exchange {
        /// The transport's slug.
        transport: &'static str,
        /// Bytes of each event.
        payload: usize,
        /// How far it came.
        problem: String,
    },
    /// The kernel does not count.
    #[error(
        "this system does not count segments per connection (Linux 4.19 or newer does): nothing to verify"
    )]
    NotCounted,
}

/// Runs every transport, and the bare floor, at every payload under a capture; a row for each, in order.
///
/// # Errors
/// Where there is no capture tool or it may not capture, or an exchange fails.
pub async fn bytes() -> Result<Vec<Row>, VerifyError> {
    let clock = Clock::start();
    let subjects: Vec<Subject> =
        Transport::ALL.map(Subject::Transport).into_iter().chain([Subject::Floor]).collect();
    let mut stages = Vec::new();
    for subject in subjects {
        for payload in PAYLOADS {
            stages.push(Stage::open(subject, payload, clock).await.map_err(VerifyError::Start)?);
        }
    }
    // The ports are known and nothing has been sent to them: not even the first SYN is missed.
    let ports: HashSet<u16> = stages.iter().map(Stage::port).collect();
    let capture = Capture::start(&ports).await?;
    let mut counted = Vec::new();
    for stage in stages {
        let (subject, payload) = (stage.subject, stage.payload);
        let totals = stage.play(clock).await.map_err(|problem| VerifyError::Exchange {
            transport: subject.slug(),
            payload,
            problem,
        })?;
        counted.push((subject, payload, totals));
    }
    let packets = capture.end().await?;
    counted
        .into_iter()
        .map(|(subject, payload, (port, totals))| {
            let flow = Flow::of(packets.iter().filter(|packet| packet.is_of(port)), port);
            verdict::compare(subject, payload, &totals, &flow).ok_or(VerifyError::NotCounted)
        })
        .collect()
}
