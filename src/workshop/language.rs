//! The languages that exercises come in, and how a file of one is run.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::process::Command;

use super::{excerpt::excerpt, invocation::Invocation};

pub use crate::exercise::Language;

/// How long a compiler may take.
const COMPILES_WITHIN: Duration = Duration::from_secs(120);

/// Why a file can't be run.
#[derive(Debug, thiserror::Error)]
pub enum CannotRun {
    /// No such file.
    #[error("there is no file {}", .0.display())]
    NoFile(PathBuf),
    /// No program is made of it.
    #[error("{} is not a program but a file to hand in", .0.display())]
    NotAProgram(PathBuf),
    /// The compiler can't be started.
    #[error("rustc could not be started ({0}): install Rust, or use another language")]
    NoCompiler(io::Error),
    /// The compiler refused it, or took too long.
    #[error("rustc could not compile it:\n{0}")]
    Compiler(String),
}

impl Language {
    /// The program that runs or compiles it; `None` for what is handed in as a file.
    pub fn tool(self) -> Option<&'static str> {
        match self {
            Language::Javascript => Some("node"),
            Language::Python => Some("python3"),
            Language::Rust => Some("rustc"),
            Language::Text | Language::Html => None,
        }
    }

    /// Whether its tool is on this machine.
    pub async fn is_there(self) -> bool {
        let Some(tool) = self.tool() else { return true };
        succeeds(Command::new(tool).arg("--version")).await
    }

    /// Whether a package can be imported by a program in `folder`.
    pub async fn has_package(self, package: &str, folder: &Path) -> bool {
        match self {
            Language::Javascript => {
                let script = format!("await import({package:?})");
                let arguments = ["--input-type=module", "--eval", &script];
                succeeds(Command::new("node").args(arguments).current_dir(folder)).await
            }
            Language::Python => {
                succeeds(Command::new("python3").args(["-c", &format!("import {package}")])).await
            }
            Language::Rust | Language::Text | Language::Html => false,
        }
    }
}

/// How to run a file. A Rust file is compiled first, below `built`, unless what is there is newer.
///
/// # Errors
/// Where there is no such file, it is not a program, or does not compile.
pub async fn invocation(file: &Path, built: &Path) -> Result<Invocation, CannotRun> {
    if !file.is_file() {
        return Err(CannotRun::NoFile(file.to_owned()));
    }
    let path = file.display().to_string();
    match Language::of(file) {
        Some(language @ (Language::Javascript | Language::Python)) => {
            Ok(Invocation::new(language.tool().unwrap_or_default(), [path]))
        }
        Some(Language::Rust) => Ok(Invocation::new(compile(file, built).await?.display().to_string(), [])),
        _ => Err(CannotRun::NotAProgram(file.to_owned())),
    }
}

async fn compile(file: &Path, built: &Path) -> Result<PathBuf, CannotRun> {
    let stem = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let folder = file.parent().map(stem).unwrap_or_default();
    let program = built.join(format!("{folder}-{}{}", stem(file), std::env::consts::EXE_SUFFIX));
    let failed = |error: io::Error| CannotRun::Compiler(error.to_string());
    if is_newer(&program, file) {
        return Ok(program);
    }
    fs::create_dir_all(built).map_err(failed)?;
    let mut command = Command::new("rustc");
    command.args(["--edition", "2024", "--crate-name", "exercise", "-o"]).arg(&program).arg(file);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(COMPILES_WITHIN, command.output())
        .await
        .map_err(|_| CannotRun::Compiler(format!("no end within {} s", COMPILES_WITHIN.as_secs())))?
        .map_err(CannotRun::NoCompiler)?;
    if output.status.success() {
        Ok(program)
    } else {
        Err(CannotRun::Compiler(excerpt(&output.stderr).replace("\\n\n", "\n")))
    }
}

fn is_newer(program: &Path, source: &Path) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|data| data.modified());
    // A file that an exercise includes from beside it is old enough not to matter here: only the student's
    // own file is edited between two checks.
    matches!((time(program), time(source)), (Ok(program), Ok(source)) if program > source)
}

async fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let status = tokio::time::timeout(Duration::from_secs(20), command.status()).await;
    matches!(status, Ok(Ok(status)) if status.success())
}
