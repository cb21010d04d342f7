//! The experiments that there are: those built into the program, and files that a user names.
//!
//! The definitions under `experiments/` are built in, so that the program runs from any folder. Where such a
//! file lies below the current folder, it is read instead: it may have been changed since.
//!
//! A name may have a folder in front, as `papers/johannessen-2014`; it is the file's path below `experiments/`.

use std::path::Path;

use rust_embed::RustEmbed;

use super::definition::{BadDefinition, Definition};

#[derive(RustEmbed)]
#[folder = "experiments/"]
struct BuiltIn;

/// The folder that is looked into before the built-in definitions.
const FOLDER: &str = "experiments";

/// What runs where no experiment is named.
pub const CORE: [&str; 3] = ["latency", "bandwidth", "reconnect"];

/// A definition with the text it was read from.
#[derive(Debug, Clone)]
pub struct Sourced {
    /// The definition.
    pub definition: Definition,
    /// Its file's text.
    pub text: String,
}

/// Why there is no such definition.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// Neither a built-in name nor a file.
    #[error("no experiment {0:?}: `experiment list` names them all; or give the path of a .toml file")]
    Unknown(String),
    /// A file that can't be read.
    #[error("{file}: {source}")]
    Unreadable {
        /// The file.
        file: String,
        /// The system's word.
        source: std::io::Error,
    },
    /// A file that can be read, with something in it that can't be run.
    #[error(transparent)]
    Bad(#[from] BadDefinition),
}

/// The names of all experiments, the core ones first.
pub fn names() -> Vec<String> {
    let mut names: Vec<String> = BuiltIn::iter()
        .filter_map(|file| file.strip_suffix(".toml").map(str::to_owned))
        .chain(names_in_folder(Path::new(FOLDER)))
        .filter(|name| is_plain(name) && !name.starts_with("targets/"))
        .collect();
    let rank = |name: &String| CORE.iter().position(|core| core == name).unwrap_or(CORE.len());
    let nested = |name: &String| name.contains('/');
    names.sort_by(|one, other| (rank(one), nested(one), one).cmp(&(rank(other), nested(other), other)));
    names.dedup();
    names
}

/// Reads the definition of this name, or the file at this path.
///
/// # Errors
/// Where there is none, or where it can't be run.
pub fn find(name: &str) -> Result<Sourced, CatalogueError> {
    if name.ends_with(".toml") {
        return from_file(Path::new(name));
    }
    if !is_plain(name) {
        return Err(CatalogueError::Unknown(name.to_owned()));
    }
    let file = Path::new(FOLDER).join(format!("{name}.toml"));
    if file.is_file() {
        return parse(&file, name, read(&file)?);
    }
    let embedded = BuiltIn::get(&format!("{name}.toml"));
    let embedded = embedded.ok_or_else(|| CatalogueError::Unknown(name.to_owned()))?;
    let text = String::from_utf8_lossy(&embedded.data).into_owned();
    parse(&file, name, text)
}

fn from_file(path: &Path) -> Result<Sourced, CatalogueError> {
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    parse(path, &name, read(path)?)
}

fn read(path: &Path) -> Result<String, CatalogueError> {
    let file = path.display().to_string();
    std::fs::read_to_string(path).map_err(|source| CatalogueError::Unreadable { file, source })
}

/// Whether a name can be a folder's below a run's, and nowhere else.
pub fn is_plain(name: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    name.split('/').count() <= 2 && name.split('/').all(plain)
}

fn parse(path: &Path, name: &str, text: String) -> Result<Sourced, CatalogueError> {
    let definition = Definition::parse(name, &path.display().to_string(), &text)?;
    Ok(Sourced { definition, text })
}

fn names_in_folder(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names = Vec::new();
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let Some(stem) = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()) else { continue };
        if path.extension().is_some_and(|extension| extension == "toml") {
            names.push(stem);
        } else if folder == Path::new(FOLDER) && path.is_dir() {
            names.extend(names_in_folder(&path).into_iter().map(|name| format!("{stem}/{name}")));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_definition_can_be_run_and_the_core_comes_first() {
        let names = names();
        assert!(names.starts_with(&CORE.map(str::to_owned)), "{names:?}");
        for name in names {
            find(&name).unwrap_or_else(|error| panic!("{error}"));
        }
    }

    #[test]
    fn a_name_with_a_folder_is_found_and_none_leads_elsewhere() {
        assert!(names().iter().any(|name| name == "papers/johannessen-2014"));
        for name in ["../latency", "papers/../latency", "/latency", "papers//latency", "a/b/c"] {
            assert!(matches!(find(name), Err(CatalogueError::Unknown(_))), "{name}");
        }
    }

    #[test]
    fn an_unknown_name_says_where_to_look() {
        let error = find("latencies").expect_err("no such experiment").to_string();
        assert!(error.contains("experiment list"), "{error}");
    }
}
