//! The target that a word names: on the command line, or in a definition.

use std::path::{Path, PathBuf};

use url::Url;

use super::{Described, ProgramError, Target, TargetError, prepare};
use crate::harness::control::{Control, ControlError};

/// Where targets are that definitions name.
pub const FOLDER: &str = "experiments/targets";

/// Why there is no such target.
#[derive(Debug, thiserror::Error)]
pub enum NotFound {
    /// Neither ours, nor a file, nor a URL.
    #[error(
        "--target {0}: write built-in, a target's .toml file such as {FOLDER}/nchan.toml, or an http:// base URL \
         such as http://127.0.0.1:3000"
    )]
    Word(String),
    /// A server that does not answer.
    #[error(
        "the target does not answer: {0}; start it, or correct --target; a URL has to speak pushlab's endpoints, and \
         any other server needs a .toml file"
    )]
    Silent(#[from] ControlError),
    /// A file that is no target.
    #[error(transparent)]
    File(#[from] TargetError),
    /// A target that does not run here.
    #[error(transparent)]
    Program(#[from] ProgramError),
}

/// The target of a word on the command line, which has been started once and found able.
///
/// # Errors
/// Where there is none, it is not installed, or it does not come up.
pub async fn find(word: &str) -> Result<Target, NotFound> {
    if word == Target::BUILT_IN {
        return Ok(Target::BuiltIn);
    }
    if Path::new(word).extension().is_some_and(|extension| extension == "toml") {
        let described = Described::read(Path::new(word))?;
        return Ok(prepare(&Target::Described(described.into())).await?);
    }
    let url: Url = word.parse().map_err(|_| NotFound::Word(word.to_owned()))?;
    if url.scheme() != "http" || !url.has_host() {
        return Err(NotFound::Word(word.to_owned()));
    }
    Control::new(url.clone()).healthy().await?;
    Ok(Target::Url(url))
}

/// The targets of these names, as definitions call them: those that run here, and why the others don't.
///
/// # Errors
/// Where the file of one is there and says what can't be.
pub async fn called(names: &[String]) -> Result<(Vec<Target>, Vec<String>), NotFound> {
    let (mut targets, mut absent) = (Vec::new(), Vec::new());
    for name in names {
        let file: PathBuf = Path::new(FOLDER).join(format!("{name}.toml"));
        let word = if name == Target::BUILT_IN { name.clone() } else { file.display().to_string() };
        match find(&word).await {
            Ok(target) => targets.push(target),
            Err(error @ NotFound::File(TargetError::Bad(_))) => return Err(error),
            Err(NotFound::File(TargetError::Unreadable { .. })) => {
                absent.push(format!("{name} is left out: there is no {word} here"));
            }
            Err(error) => absent.push(format!("{name} is left out: {error}")),
        }
    }
    Ok((targets, absent))
}

/// The files of all targets in [`FOLDER`], where that is here.
pub fn files() -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(FOLDER) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let files = paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    let mut files: Vec<String> = files.map(|path| path.display().to_string()).collect();
    files.sort();
    files
}

/// Whether a file describes a target, as far as can be told before it is read as one.
pub fn is_target(file: &str) -> bool {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    // Also where the rest of it is no TOML: what is wrong is then said of a target.
    text.lines().any(|line| line.trim_start().starts_with("[transport."))
}
