//! An exercise of the workshop as its folder tells of it: what the checker reads from the disk, and the lab's
//! pages from what was built in.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};

/// The channel on which rooms tell a class's board what their checks said.
pub const BOARD: &str = "workshop-board";

/// A language that starters and solutions are written in.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Language {
    /// Node, ES modules.
    #[value(alias = "js", alias = "node")]
    Javascript,
    /// CPython 3.
    #[value(alias = "py")]
    Python,
    /// One file, compiled by `rustc` without cargo, so that nothing is downloaded and little is built.
    #[value(alias = "rs")]
    Rust,
    /// Plain text, for exercises whose answer is a file.
    #[value(alias = "txt")]
    Text,
    /// A page, for exercises whose answer is one.
    Html,
}

impl Language {
    /// All of them.
    pub const ALL: [Language; 5] =
        [Language::Javascript, Language::Python, Language::Rust, Language::Text, Language::Html];

    /// What its files' names end in.
    pub fn extension(self) -> &'static str {
        match self {
            Language::Javascript => "js",
            Language::Python => "py",
            Language::Rust => "rs",
            Language::Text => "txt",
            Language::Html => "html",
        }
    }

    /// The language of a file, by its name.
    pub fn of(file: &Path) -> Option<Self> {
        let extension = file.extension()?.to_str()?;
        Language::ALL.into_iter().find(|language| language.extension() == extension)
    }
}

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
    /// The lab's pages that show what it is about, such as `/demo/sse`; the first stands beside its text.
    #[serde(default)]
    pub demos: Vec<String>,
    /// Packages that its programs use, such as `ws`, for each language that has some.
    #[serde(default)]
    pub packages: BTreeMap<Language, Vec<String>>,
}

impl About {
    /// Reads the text of an `exercise.toml`.
    ///
    /// # Errors
    /// Where a key is missing, unknown or of the wrong kind.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }
}

/// `01-first-stream` is number 1.
pub fn number(folder: &str) -> Option<u32> {
    let (digits, name) = folder.split_once('-')?;
    (digits.len() == 2 && !name.is_empty()).then(|| digits.parse().ok())?
}
