//! Which server is measured: ours, one that speaks our endpoints, or any other that a file describes.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `description`, `check` | what a target's TOML file says, checked |
//! | `fill` | words in braces, such as `{port}`, filled in |
//! | `find` | the target of a word on the command line, or of a definition |
//! | `install` | whether what it needs is there |
//! | `program` | the server as processes: started, asked whether it is ready, stopped |
//! | `publish` | publishing in its way |
//! | `probe` | which of its optional transports are there, before anything is measured |
//! | `able` | what of an experiment it can't do, left out and said |

pub mod able;
mod check;
mod description;
mod fill;
mod find;
mod install;
mod probe;
mod program;
mod publish;

use std::{fmt, path::Path, sync::Arc};

use url::Url;

pub use description::{BadTarget, Description, Install, Publish, Start, TargetError, Way};
pub use find::{FOLDER, NotFound, called, files, find, is_target};
pub use probe::prepare;
pub use program::{Program, ProgramError};
pub use publish::Publishing;

/// Which server is measured.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// Ours, started anew for each group.
    BuiltIn,
    /// One that is already there, by its base URL, speaking our endpoints.
    Url(Url),
    /// Any server, as a file describes it.
    Described(Arc<Described>),
}

/// A server as its file describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// What the file says.
    pub description: Description,
    /// Where the file is, for errors.
    pub file: String,
    /// The file's text, for the manifest.
    pub text: String,
    /// The folder that its paths are relative to.
    pub folder: std::path::PathBuf,
    /// Its optional transports that are not there, each with why.
    pub missing: Vec<String>,
}

impl Target {
    /// The word for ours.
    pub const BUILT_IN: &str = "built-in";

    /// The name in records and claims.
    pub fn name(&self) -> String {
        match self {
            Target::BuiltIn => Target::BUILT_IN.to_owned(),
            Target::Url(url) => url.to_string(),
            Target::Described(described) => described.description.name.clone(),
        }
    }

    /// How charts call it.
    pub fn label(&self) -> String {
        match self {
            Target::BuiltIn => "pushlab".to_owned(),
            Target::Url(url) => url.to_string(),
            Target::Described(described) => described.description.label().to_owned(),
        }
    }

    /// Whether it is one that a file describes.
    pub fn described(&self) -> Option<&Arc<Described>> {
        match self {
            Target::Described(described) => Some(described),
            Target::BuiltIn | Target::Url(_) => None,
        }
    }
}

impl Described {
    /// Reads a target's file.
    ///
    /// # Errors
    /// Where it can't be read, or says what can't be.
    pub fn read(path: &Path) -> Result<Self, TargetError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| TargetError::Unreadable { file: file.clone(), source })?;
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let description = Description::parse(&file, &text)?;
        Ok(Described { description, file, text, folder: folder.to_owned(), missing: Vec::new() })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}
