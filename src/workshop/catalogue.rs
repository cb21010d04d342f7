//! Where the exercises are.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use super::exercise::{BadExercise, Exercise};
use crate::exercise::number;

/// Why there is no such exercise, or none at all.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// No folder of exercises.
    #[error(
        "there is no folder `workshop` with exercises here or above: change into the repository, or name the \
         folder with --dir"
    )]
    NoFolder,
    /// A folder that can't be listed.
    #[error("{}: {error}", .folder.display())]
    Unreadable {
        /// The folder.
        folder: PathBuf,
        /// The system's word.
        error: io::Error,
    },
    /// An exercise that can't be read.
    #[error(transparent)]
    Bad(#[from] BadExercise),
    /// No exercise of this number or name.
    #[error("there is no exercise {0:?}: `workshop list` names them")]
    Unknown(String),
}

/// The folder of exercises: the one that is named, else `workshop/` here or in a folder above, or beside
/// the package that cargo runs.
///
/// # Errors
/// Where there is none.
pub fn folder(named: Option<&Path>) -> Result<PathBuf, CatalogueError> {
    let is_one = |folder: &PathBuf| folder.join("AUTHORING.md").is_file();
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    let here = env::current_dir().unwrap_or_default();
    let mut candidates: Vec<PathBuf> =
        here.ancestors().flat_map(|folder| [folder.to_owned(), folder.join("workshop")]).collect();
    candidates
        .extend(env::var_os("CARGO_MANIFEST_DIR").map(|package| PathBuf::from(package).join("workshop")));
    candidates.into_iter().find(is_one).ok_or(CatalogueError::NoFolder)
}

/// All exercises, in the order of their numbers.
///
/// # Errors
/// Where the folder or one of them can't be read.
pub fn all(folder: &Path) -> Result<Vec<Exercise>, CatalogueError> {
    let unreadable = |error| CatalogueError::Unreadable { folder: folder.to_owned(), error };
    let mut exercises = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && number(&name).is_some() {
            exercises.push(Exercise::read(&path)?);
        }
    }
    exercises.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(exercises)
}

/// One, by its number, its name, or its name without the number.
///
/// # Errors
/// As [`all`], and where there is no such exercise.
pub fn find(folder: &Path, wanted: &str) -> Result<Exercise, CatalogueError> {
    let by_number = wanted.parse::<u32>().ok();
    all(folder)?
        .into_iter()
        .find(|it| Some(it.number) == by_number || it.name == wanted || it.short_name() == wanted)
        .ok_or_else(|| CatalogueError::Unknown(wanted.to_owned()))
}
