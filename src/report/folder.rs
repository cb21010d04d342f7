//! A run folder as it lies on disk, read whole, with everything about it that is not as it should be.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::harness::{
    catalogue,
    definition::{BadDefinition, Definition},
    manifest::Manifest,
    record::Record,
};

/// Why no report could be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file can't be read.
    #[error("{}: {source}; name a folder that `experiment run` has written, such as results/latest", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The manifest is not one.
    #[error("{}: {source}; it was written by another version of pushlab, or damaged", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What the JSON reader says.
        source: serde_json::Error,
    },
    /// An experiment's name would lead out of the folder.
    #[error("{}: the experiment name {name:?} is no plain folder name (letters, digits, '-' and '_', and one '/' at most)", path.display())]
    Name {
        /// The manifest.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// A definition in the manifest can't be read.
    #[error(transparent)]
    Definition(#[from] BadDefinition),
    /// A file can't be written.
    #[error("{}: {source}; the records are unharmed: make room or permission and run `experiment report` on the folder", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A chart can't be drawn.
    #[error("chart {chart}: {problem}")]
    Draw {
        /// Experiment and chart.
        chart: String,
        /// What the library says.
        problem: String,
    },
    /// A page can't be rendered.
    #[error("report.html: {0}")]
    Page(#[from] askama::Error),
}

/// A run folder.
#[derive(Debug)]
pub struct RunFolder {
    /// Where, when and with what it was measured.
    pub manifest: Manifest,
    /// In the order in which they ran; those without a record come last.
    pub experiments: Vec<Experiment>,
}

/// One experiment of a run folder.
#[derive(Debug)]
pub struct Experiment {
    /// What was asked.
    pub definition: Definition,
    /// One per run that ended, failed ones included.
    pub records: Vec<Record>,
    /// How many runs were planned; `None` where the manifest does not say.
    pub planned: Option<u64>,
    /// Lines of `runs.jsonl` that are no record, as `file:line: problem`.
    pub unreadable: Vec<String>,
}

impl RunFolder {
    /// Reads `manifest.json` and every experiment's `runs.jsonl` under `dir`.
    ///
    /// A line that is no record is kept in [`Experiment::unreadable`], since the others still count; a
    /// missing `runs.jsonl` is an experiment that has not begun.
    ///
    /// # Errors
    /// Where the manifest or one of its definitions can't be read.
    pub fn read(dir: &Path) -> Result<Self, ReportError> {
        let path = dir.join("manifest.json");
        let text = read(&path)?.ok_or_else(|| ReportError::Read {
            path: path.clone(),
            source: io::Error::from(io::ErrorKind::NotFound),
        })?;
        let manifest: Manifest = serde_json::from_str(&text)
            .map_err(|source| ReportError::Manifest { path: path.clone(), source })?;
        let mut experiments = Vec::new();
        for (name, definition) in &manifest.definitions {
            // A definition's name becomes a folder's; one from a foreign manifest must not lead out of this one.
            if !catalogue::is_plain(name) {
                return Err(ReportError::Name { path, name: name.clone() });
            }
            let file = format!("{}: definitions.{name}", path.display());
            let definition = Definition::parse(name, &file, definition)?;
            experiments.push(Experiment::read(dir, definition, manifest.planned.get(name).copied())?);
        }
        experiments.sort_by(|left, right| left.started_ms().total_cmp(&right.started_ms()));
        Ok(RunFolder { manifest, experiments })
    }

    /// What keeps this run from being whole, a sentence each; empty where it is.
    pub fn incomplete(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        if self.manifest.finished.is_none() {
            sentences.push("The run was cut short, or is not over yet.".to_owned());
        }
        for experiment in &self.experiments {
            let name = &experiment.definition.name;
            let (recorded, failed) = (experiment.records.len() as u64, experiment.failed().count());
            if let Some(planned) = experiment.planned.filter(|planned| *planned != recorded) {
                sentences.push(format!("{name}: {recorded} of {planned} planned runs were recorded."));
            }
            if failed > 0 {
                sentences.push(format!("{name}: {failed} of {recorded} runs failed; they are listed below."));
            }
            let unreadable = experiment.unreadable.iter();
            sentences.extend(
                unreadable.map(|line| format!("A line was left out, since it is no record: {line}.")),
            );
        }
        sentences
    }
}

impl Experiment {
    fn read(dir: &Path, definition: Definition, planned: Option<u64>) -> Result<Self, ReportError> {
        let file = format!("{}/runs.jsonl", definition.name);
        let text = read(&dir.join(&file))?.unwrap_or_default();
        let (mut records, mut unreadable) = (Vec::new(), Vec::new());
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            match serde_json::from_str::<Record>(line) {
                Ok(record) => records.push(record),
                Err(problem) => unreadable.push(format!("{file}:{}: {problem}", index + 1)),
            }
        }
        Ok(Experiment { definition, records, planned, unreadable })
    }

    /// The runs that ended in an error.
    pub fn failed(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|record| record.err.is_some())
    }

    fn started_ms(&self) -> f64 {
        self.records.iter().map(|record| record.started_ms).fold(f64::INFINITY, f64::min)
    }
}

/// The file's text, with what is no UTF-8 replaced, so that one damaged line does not take the others with
/// it; `None` where there is no such file.
fn read(path: &Path) -> Result<Option<String>, ReportError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ReportError::Read { path: path.to_owned(), source }),
    }
}
