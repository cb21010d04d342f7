//! What an exercise's folder says of it: `exercise.toml` and `README.md`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::language::Language;
use crate::exercise::number;

pub use crate::exercise::{About, Kind, Mutant};

/// An exercise: a folder, and what it says.
#[derive(Debug, Clone)]
pub struct Exercise {
    /// Its number, from the folder's name.
    pub number: u32,
    /// The folder's name, such as `01-first-stream`.
    pub name: String,
    /// The folder.
    pub folder: PathBuf,
    /// What it says of itself.
    pub about: About,
    /// Its text, in Markdown.
    pub text: String,
}

/// An exercise's folder that can't be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", .file.display())]
pub struct BadExercise {
    file: PathBuf,
    problem: String,
}

impl Exercise {
    /// Reads a folder.
    ///
    /// # Errors
    /// Where its name has no number, or a file is missing or says what it can't.
    pub fn read(folder: &Path) -> Result<Self, BadExercise> {
        let bad = |file: &str, problem: String| BadExercise { file: folder.join(file), problem };
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let number = number(&name)
            .ok_or_else(|| bad("", "a folder of an exercise is called as in 01-first-stream".to_owned()))?;
        let read =
            |file: &str| fs::read_to_string(folder.join(file)).map_err(|error| bad(file, error.to_string()));
        let about =
            About::parse(&read("exercise.toml")?).map_err(|error| bad("exercise.toml", error.to_string()))?;
        Ok(Exercise { number, name, folder: folder.to_owned(), about, text: read("README.md")? })
    }

    /// The name without its number.
    pub fn short_name(&self) -> &str {
        self.name.split_once('-').map_or(&self.name, |(_, name)| name)
    }

    /// The file that a student begins with.
    pub fn starter(&self, language: Language) -> PathBuf {
        self.folder.join(format!("starter.{}", language.extension()))
    }

    /// A file that passes.
    pub fn solution(&self, language: Language) -> PathBuf {
        self.folder.join(format!("solution.{}", language.extension()))
    }
}
