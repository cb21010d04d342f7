//! What an exercise's folder says of it: `exercise.toml` and `README.md`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::language::Language;

/// What a student hands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A server, which is started with `PORT` in its environment, or is at a URL.
    Server,
    /// A client, which is started with a URL as its last argument and prints a line of JSON per event.
    Client,
    /// A file.
    File,
}

/// A wrong solution that students really write.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutant {
    /// Its file below `mutants/`.
    pub file: String,
    /// The expectation that is the first to be missed.
    pub fails: String,
    /// What is wrong with it, in a sentence.
    pub why: String,
}

/// `exercise.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// A few words.
    pub title: String,
    /// What a student hands in.
    pub kind: Kind,
    /// How long it takes somebody who has done those before it.
    pub minutes: u32,
    /// In which languages a starter and a solution are there.
    pub languages: Vec<Language>,
    /// The expectation that the untouched starter is the first to miss.
    pub starter_fails: String,
    /// Why it does, in a sentence that stands in the text too.
    pub because: String,
    /// Each says a little more than the one before it.
    pub hints: Vec<String>,
    /// Wrong solutions.
    #[serde(rename = "mutant", default)]
    pub mutants: Vec<Mutant>,
    /// Further files of the folder.
    #[serde(default)]
    pub files: Vec<String>,
    /// Packages that its programs use, such as `ws`, for each language that has some.
    #[serde(default)]
    pub packages: std::collections::BTreeMap<Language, Vec<String>>,
}

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
        let about = toml::from_str(&read("exercise.toml")?)
            .map_err(|error| bad("exercise.toml", error.to_string()))?;
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

/// `01-first-stream` is number 1.
pub(super) fn number(folder: &str) -> Option<u32> {
    let (digits, name) = folder.split_once('-')?;
    (digits.len() == 2 && !name.is_empty()).then(|| digits.parse().ok())?
}
