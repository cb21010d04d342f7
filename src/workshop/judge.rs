//! What a check works with: the student's program, and the findings.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use super::{
    client::Client,
    finding::{Expectation, Findings, Saw},
    http::{Place, Trouble},
    invocation::Invocation,
    tail::Tail,
};

/// A file that is longer than this is read no further.
pub(super) const FILE_BYTES: usize = 64 * 1024;

/// What is judged.
#[derive(Debug, Clone)]
pub(super) enum Subject {
    /// A server that answers.
    Server(Place),
    /// How a client is started.
    Client(Invocation),
    /// A file.
    File(PathBuf),
}

/// Why a check goes no further.
#[derive(Debug)]
pub(super) enum Stop {
    /// What was missed has been noted, and makes the rest pointless.
    Missed,
    /// The check can't be made; says why and what to do.
    CouldNotTell(String),
}

/// One check's hands: what is judged, and where findings go.
#[derive(Debug)]
pub(super) struct Judge {
    subject: Subject,
    output: Tail,
    findings: Findings,
}

impl Judge {
    pub(super) fn new(subject: Subject, output: Tail, expectations: &[Expectation]) -> Self {
        Judge { subject, output, findings: Findings::new(expectations) }
    }

    /// The student's server.
    pub(super) fn server(&self) -> Result<Place, Stop> {
        match &self.subject {
            Subject::Server(place) => Ok(place.clone()),
            _ => {
                Err(Stop::CouldNotTell("this exercise's answer is a server: give --url or a command".into()))
            }
        }
    }

    /// Starts the student's client with this URL.
    pub(super) fn client(&self, url: &str) -> Result<Client, Stop> {
        match &self.subject {
            Subject::Client(invocation) => {
                Client::start(invocation, url, &self.output).map_err(Stop::CouldNotTell)
            }
            _ => Err(Stop::CouldNotTell("this exercise's answer is a client: give a command".into())),
        }
    }

    /// The student's file.
    pub(super) fn file(&self) -> Result<&Path, Stop> {
        match &self.subject {
            Subject::File(path) => Ok(path),
            _ => Err(Stop::CouldNotTell("this exercise's answer is a file: give --file".into())),
        }
    }

    /// What the student's file holds.
    pub(super) fn file_bytes(&self) -> Result<Vec<u8>, Stop> {
        let path = self.file()?;
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|file| file.take(FILE_BYTES as u64).read_to_end(&mut bytes));
        read.map_err(|error| Stop::CouldNotTell(format!("{} can't be read: {error}", path.display())))?;
        Ok(bytes)
    }

    /// The lines of the student's file that say something: without what follows a `#`, each with its number.
    pub(super) fn file_lines(&self) -> Result<Vec<(usize, String)>, Stop> {
        let text = String::from_utf8_lossy(&self.file_bytes()?).into_owned();
        let said = |(at, line): (usize, &str)| {
            let line = line.split('#').next().unwrap_or_default().trim();
            (!line.is_empty()).then(|| (at + 1, line.to_owned()))
        };
        Ok(text.lines().enumerate().filter_map(said).collect())
    }

    /// Notes whether an expectation is met, and what was seen; returns whether it is. An expectation may be
    /// noted several times: once missed, it stays missed with what was seen first.
    pub(super) fn expect(&mut self, name: &str, met: bool, saw: impl Into<Saw>) -> bool {
        self.findings.note(name, met, saw.into());
        met
    }

    /// The same, and goes no further where it is missed.
    pub(super) fn require(&mut self, name: &str, met: bool, saw: impl Into<Saw>) -> Result<(), Stop> {
        if self.expect(name, met, saw) { Ok(()) } else { Err(Stop::Missed) }
    }

    /// Goes no further, and notes this expectation as missed, where something could not be had.
    pub(super) fn need<T>(&mut self, name: &str, result: Result<T, Trouble>) -> Result<T, Stop> {
        result.map_err(|trouble| {
            self.expect(name, false, trouble);
            Stop::Missed
        })
    }

    pub(super) fn findings(&self) -> &Findings {
        &self.findings
    }

    pub(super) fn into_findings(self) -> Findings {
        self.findings
    }
}
