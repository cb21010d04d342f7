//! What a room has done so far: kept beside the exercises, in a file that git ignores.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use super::finding::{Report, Verdict};

const FILE: &str = ".progress.json";

/// What a room has done so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// By the exercise's folder.
    #[serde(default)]
    pub exercises: BTreeMap<String, Done>,
    #[serde(skip)]
    file: PathBuf,
}

/// What was done about one exercise.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Done {
    /// How often it was checked.
    pub checks: u32,
    /// What the last check said.
    pub verdict: Option<Verdict>,
    /// How many expectations the last check met.
    pub met: usize,
    /// Of how many.
    pub of: usize,
    /// When it passed first, in milliseconds since 1970.
    pub passed_at_ms: Option<u64>,
    /// How many of its hints were read.
    pub hints: usize,
}

impl Progress {
    /// Reads what is kept beside the exercises; nothing where there is nothing yet.
    ///
    /// # Errors
    /// Where there is a file that can't be read or understood.
    pub fn read(workshop: &Path) -> io::Result<Self> {
        let file = workshop.join(FILE);
        let name = |what: String| io::Error::other(format!("{}: {what}", file.display()));
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => "{}".to_owned(),
            Err(error) => return Err(name(error.to_string())),
        };
        let read: Progress = serde_json::from_str(&text)
            .map_err(|error| name(format!("{error}; remove the file to begin anew")))?;
        Ok(Progress { file, ..read })
    }

    /// Notes what a check said.
    pub fn note(&mut self, report: &Report) {
        let done = self.exercises.entry(report.exercise.clone()).or_default();
        done.checks = done.checks.saturating_add(1);
        done.verdict = Some(report.verdict);
        (done.met, done.of) = (report.met(), report.findings.len());
        if report.verdict == Verdict::Passed && done.passed_at_ms.is_none() {
            done.passed_at_ms = Some(now_ms());
        }
    }

    /// The next of an exercise's hints, and its number from 1; the last one again where all were read.
    pub fn next_hint<'a>(&mut self, exercise: &str, hints: &'a [String]) -> Option<(usize, &'a str)> {
        let done = self.exercises.entry(exercise.to_owned()).or_default();
        done.hints = (done.hints + 1).min(hints.len());
        Some((done.hints, hints.get(done.hints.checked_sub(1)?)?))
    }

    /// Keeps it, at once and whole: a file that is half written would take the room's work with it.
    ///
    /// # Errors
    /// Where the folder can't be written.
    pub fn write(&self) -> io::Result<()> {
        let new = self.file.with_extension(format!("{}.new", std::process::id()));
        let named = |error: io::Error| io::Error::other(format!("{}: {error}", self.file.display()));
        fs::write(&new, serde_json::to_string_pretty(self)?).map_err(named)?;
        fs::rename(&new, &self.file).map_err(named)
    }
}

/// Milliseconds since 1970, by this machine's clock.
pub(super) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_kept_from_one_start_to_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let mut progress = Progress::read(folder.path()).unwrap();
        let report = |verdict| Report {
            exercise: "01-a".into(),
            subject: "x".into(),
            verdict,
            trouble: None,
            findings: Vec::new(),
            output: String::new(),
        };
        progress.note(&report(Verdict::Failed));
        assert_eq!(progress.exercises["01-a"].passed_at_ms, None);
        progress.note(&report(Verdict::Passed));
        progress.note(&report(Verdict::Failed));
        progress.write().unwrap();
        let read = Progress::read(folder.path()).unwrap();
        assert_eq!(read, progress);
        let done = &read.exercises["01-a"];
        assert_eq!((done.checks, done.verdict), (3, Some(Verdict::Failed)));
        assert!(done.passed_at_ms.is_some(), "what passed once has passed");
        fs::write(folder.path().join(FILE), "no JSON").unwrap();
        let error = Progress::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains(FILE) && error.contains("remove the file"), "{error}");
    }

    #[test]
    fn hints_come_one_by_one() {
        let mut progress = Progress::default();
        let hints = ["a".to_owned(), "b".to_owned()];
        let read: Vec<_> = (0..3).map(|_| progress.next_hint("x", &hints).unwrap()).collect();
        assert_eq!(read, [(1, "a"), (2, "b"), (2, "b")]);
        assert_eq!(progress.next_hint("y", &[]), None);
    }
}
