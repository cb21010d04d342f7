//! Noticing that a student has saved a file.
//!
//! By looking at the files' times, a few times a second, and not by the system's notifications: those do not
//! come through containers' and network's folders, where workshops are often held, and a folder of exercises is
//! small.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::{exercise::Exercise, invocation::Invocation};

const LOOKS_EVERY: Duration = Duration::from_millis(250);
/// A folder with more files than this is not a student's work but somebody's home.
const FILES: usize = 2000;
const DEPTH: usize = 6;

/// Files, and how they stood when they were last looked at.
#[derive(Debug)]
pub struct Watched {
    roots: Vec<PathBuf>,
    known: BTreeMap<PathBuf, (Option<SystemTime>, u64)>,
}

impl Watched {
    /// What a check depends on: the exercise's folder, and the folder of every file that the command names.
    pub fn new(exercise: &Exercise, command: Option<&Invocation>, file: Option<&Path>) -> Self {
        let mut roots = vec![exercise.folder.clone()];
        let words = command.into_iter().flat_map(|it| it.arguments.iter().chain([&it.program]));
        let named = words.map(Path::new).chain(file).filter(|path| path.is_file());
        // A program that is named without a folder is the system's, unless a file here is called so.
        roots.extend(named.filter_map(|path| path.canonicalize().ok()?.parent().map(Path::to_owned)));
        roots.sort();
        roots.dedup();
        // What cargo builds changes by itself.
        roots.retain(|root| !root.components().any(|part| part.as_os_str() == "target"));
        let known = look(&roots);
        Watched { roots, known }
    }

    /// The folders that are looked at.
    pub fn folders(&self) -> &[PathBuf] {
        &self.roots
    }

    /// Waits until a file is another than when it was last looked at; returns the first one that is.
    pub async fn changed(&mut self) -> PathBuf {
        loop {
            tokio::time::sleep(LOOKS_EVERY).await;
            let now = look(&self.roots);
            let changed = now.iter().find(|(path, stand)| self.known.get(*path) != Some(stand));
            let gone = self.known.keys().find(|path| !now.contains_key(*path));
            let changed = changed.map(|(path, _)| path).or(gone).cloned();
            self.known = now;
            if let Some(path) = changed {
                return path;
            }
        }
    }
}

fn look(roots: &[PathBuf]) -> BTreeMap<PathBuf, (Option<SystemTime>, u64)> {
    let mut found = BTreeMap::new();
    roots.iter().for_each(|root| collect(root, DEPTH, &mut found));
    found
}

fn collect(folder: &Path, depth: usize, into: &mut BTreeMap<PathBuf, (Option<SystemTime>, u64)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // Editors keep their own files hidden; the others change without anybody's writing.
        let passed_over = name.starts_with('.') || name.ends_with('~');
        if passed_over || ["node_modules", "target", "__pycache__"].contains(&&*name) || into.len() >= FILES {
            continue;
        }
        let Ok(data) = entry.metadata() else { continue };
        if data.is_dir() && depth > 0 {
            collect(&entry.path(), depth - 1, into);
        } else if data.is_file() {
            into.insert(entry.path(), (data.modified().ok(), data.len()));
        }
    }
}
