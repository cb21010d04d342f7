//! The languages that exercises come in, and how a file of one is run.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::process::Command;

use super::{excerpt::excerpt, invocation::Invocation, page};

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

    /// What has to be on a machine to check a file of it; `None` where that is nothing.
    pub fn needs(self) -> Option<&'static str> {
        match self {
            Language::Html => Some("a browser (chromium and chromedriver)"),
            _ => self.tool(),
        }
    }

    /// Whether what it needs is on this machine.
    pub async fn is_there(self) -> bool {
        match self.tool() {
            Some(tool) => succeeds(Command::new(tool).arg("--version")).await,
            None => self != Language::Html || page::browser().is_ok(),
        }
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
    let failed = |error: io::Error| CannotRun::Compiler(error.to_string());
    let file = file.canonicalize().map_err(failed)?;
    let name = crate_name(&file);
    let program = built.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let sources = program.with_extension("d");
    if is_up_to_date(&program, &sources, &file) {
        return Ok(program);
    }
    fs::create_dir_all(built).map_err(failed)?;
    let mut command = Command::new("rustc");
    command.args(["--edition", "2024", "--crate-name", &name, "--emit=link,dep-info", "--out-dir"]);
    command.arg(built).arg(&file);
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

/// What tells a file from its namesakes, since every exercise has a `starter`, and may have mutants of the same
/// name as another's. The compiler calls by it what it writes, also what it writes for a while only, and several
/// compilers are at work at a time.
fn crate_name(file: &Path) -> String {
    let file = file.with_extension("");
    let mut names: Vec<_> = file.iter().rev().take(3).map(|name| name.to_string_lossy()).collect();
    if names.get(1).is_none_or(|folder| folder != "mutants") {
        names.truncate(2);
    }
    names.reverse();
    let name = format!("exercise_{}", names.join("_"));
    name.chars().map(|it| if it.is_ascii_alphanumeric() { it } else { '_' }).collect()
}

/// Whether the program was made of this file, and none of its sources has changed since. `sources` is the
/// list that the compiler wrote when it had read them, in a Makefile's form: the student's own file and what
/// that takes in from `workshop/lib`. A compilation that failed leaves a list that is newer than the program.
fn is_up_to_date(program: &Path, sources: &Path, file: &Path) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    let (Some(built), Some(read)) = (time(program), time(sources)) else { return false };
    let files = sources_of(&fs::read_to_string(sources).unwrap_or_default());
    built >= read
        && files.iter().any(|source| source == file)
        && files.iter().all(|source| time(source).is_some_and(|changed| changed < read))
}

/// The sources, each of which has a rule of its own without anything behind the colon; a space within a name
/// has a backslash before it.
fn sources_of(list: &str) -> Vec<PathBuf> {
    let files = list.lines().filter_map(|line| line.strip_suffix(':'));
    files.map(|file| PathBuf::from(file.replace("\\ ", " "))).collect()
}

async fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let status = tokio::time::timeout(Duration::from_secs(20), command.status()).await;
    matches!(status, Ok(Ok(status)) if status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_is_made_again_when_its_own_file_or_one_that_it_takes_in_has_changed() {
        let folder = std::env::temp_dir().join(format!("pushlab compile {:016x}", rand::random::<u64>()));
        let (exercise, lib, built) =
            (folder.join("01-an-exercise"), folder.join("lib"), folder.join("built"));
        fs::create_dir_all(&exercise).unwrap();
        fs::create_dir_all(&lib).unwrap();
        let (file, helper) = (exercise.join("starter.rs"), lib.join("helper.rs"));
        let write = |number: u32| fs::write(&helper, format!("pub const NUMBER: u32 = {number};")).unwrap();
        let main = "#[path = \"../lib/helper.rs\"] mod helper; fn main() { print!(\"{}\", helper::NUMBER) }";
        let prints = async || {
            let Invocation { program, .. } = invocation(&file, &built).await.unwrap();
            let output = Command::new(&program).output().await.unwrap();
            (String::from_utf8(output.stdout).unwrap(), fs::metadata(&program).unwrap().modified().unwrap())
        };
        fs::write(&file, main).unwrap();
        write(1);
        let (first, made) = prints().await;
        assert_eq!(first, "1");
        assert_eq!(prints().await, ("1".to_owned(), made), "nothing has changed, and nothing is made again");
        write(2);
        assert_eq!(prints().await.0, "2", "a file that it takes in has changed");
        fs::write(&file, main.replace("print!(", "print!(\"own \"); print!(")).unwrap();
        assert_eq!(prints().await.0, "own 2", "its own file has changed");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn programs_of_files_with_the_same_name_are_told_apart() {
        let name = |path: &str| crate_name(Path::new(path));
        assert_eq!(name("/w/08-room/starter.rs"), "exercise_08_room_starter");
        assert_eq!(name("/w/08-room/mutants/no-lock.rs"), "exercise_08_room_mutants_no_lock");
        assert_ne!(name("/w/08-room/mutants/no-lock.rs"), name("/w/10-resume/mutants/no-lock.rs"));
    }
}
