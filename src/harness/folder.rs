//! The folder of a run: `manifest.json`, and `runs.jsonl` per experiment.
//!
//! Everything is written as it happens, so that whatever ends the program leaves what was measured.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{manifest::Manifest, record::Record};

/// Where runs go unless the user says otherwise.
pub const RESULTS: &str = "results";

/// The file that says how a run was made.
pub const MANIFEST_FILE: &str = "manifest.json";

/// The file with a line per run, in the folder of each experiment.
pub const RUNS_FILE: &str = "runs.jsonl";

/// A run's folder.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

/// A folder or file that could not be made or written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", .path.display())]
pub struct FolderError {
    path: PathBuf,
    problem: String,
}

impl Folder {
    /// Makes the folder: `out` itself where the user named it, else `results/<time>` with `results/latest`
    /// pointing at it.
    ///
    /// # Errors
    /// Where it can't be made, or where it holds a run already.
    pub fn create(out: Option<&Path>, started: SystemTime) -> Result<Self, FolderError> {
        let path = match out {
            Some(out) => out.to_owned(),
            None => Path::new(RESULTS).join(stamp(started)),
        };
        if path.join(MANIFEST_FILE).exists() {
            let problem = "holds a run already: name another folder with --out, or remove it".to_owned();
            return Err(FolderError { path, problem });
        }
        let made = fs::create_dir_all(&path);
        made.map_err(|error| failure(&path, "the folder for results can't be made", &error))?;
        if out.is_none() {
            point_latest_at(&path)?;
        }
        Ok(Folder { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the manifest, in place of an earlier one.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn write_manifest(&self, manifest: &Manifest) -> Result<(), FolderError> {
        let path = self.path.join(MANIFEST_FILE);
        let text = serde_json::to_string_pretty(manifest).expect("plain data") + "\n";
        // Beside it first: a full disk must not cost the manifest that is there.
        let beside = path.with_extension("json.new");
        let written = fs::write(&beside, text).and_then(|()| fs::rename(&beside, &path));
        written.map_err(|error| failure(&path, "can't be written", &error))
    }

    /// The file for an experiment's records.
    ///
    /// # Errors
    /// Where it can't be made.
    pub fn records(&self, experiment: &str) -> Result<Records, FolderError> {
        let folder = self.path.join(experiment);
        let path = folder.join(RUNS_FILE);
        let opened = fs::create_dir_all(&folder)
            .and_then(|()| OpenOptions::new().create(true).append(true).open(&path));
        let file = opened.map_err(|error| failure(&path, "can't be written", &error))?;
        Ok(Records { path, file })
    }
}

/// An open `runs.jsonl`.
#[derive(Debug)]
pub struct Records {
    path: PathBuf,
    file: File,
}

impl Records {
    /// Adds a line.
    ///
    /// # Errors
    /// Where it can't be written, as on a full disk.
    pub fn add(&mut self, record: &Record) -> Result<(), FolderError> {
        let mut line = serde_json::to_string(record).expect("plain data");
        line.push('\n');
        let written = self.file.write_all(line.as_bytes());
        written.map_err(|error| failure(&self.path, "the record of a run can't be written", &error))
    }
}

/// A time as a folder's name: sorts by time, and no file system minds it.
fn stamp(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string().replace(':', "-")
}

#[cfg(unix)]
fn point_latest_at(path: &Path) -> Result<(), FolderError> {
    let latest = Path::new(RESULTS).join("latest");
    let Some(name) = path.file_name() else { return Ok(()) };
    let beside = Path::new(RESULTS).join(format!(".latest-{}", std::process::id()));
    // Made beside and moved over: two runs that start at once leave one link, and never none.
    let pointed = std::os::unix::fs::symlink(name, &beside).and_then(|()| fs::rename(&beside, &latest));
    pointed.map_err(|error| failure(&latest, "can't be pointed at the new run", &error))
}

/// Elsewhere links need rights that users don't have: a file names the folder.
#[cfg(not(unix))]
fn point_latest_at(path: &Path) -> Result<(), FolderError> {
    let latest = Path::new(RESULTS).join("latest");
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    fs::write(&latest, name).map_err(|error| failure(&latest, "can't be pointed at the new run", &error))
}

fn failure(path: &Path, what: &str, error: &io::Error) -> FolderError {
    let advice = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "; choose a folder that you may write with --out"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "; free some space, or choose another disk with --out"
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => "; choose another folder with --out",
        _ => "",
    };
    FolderError { path: path.to_owned(), problem: format!("{what}: {error}{advice}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_sorts_and_holds_no_colon() {
        let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
        assert_eq!(stamp(at), "2023-11-14T22-13-20Z");
    }

    #[test]
    fn a_folder_that_holds_a_run_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        Folder::create(Some(&out), SystemTime::now()).expect("new");
        fs::write(out.join(MANIFEST_FILE), "{}").unwrap();
        let error = Folder::create(Some(&out), SystemTime::now()).expect_err("taken").to_string();
        assert!(error.contains("--out"), "{error}");
    }

    #[test]
    fn a_folder_that_cannot_be_made_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let error =
            Folder::create(Some(&file.join("out")), SystemTime::now()).expect_err("a file").to_string();
        assert!(error.contains("file") && error.contains("--out"), "{error}");
    }
}
