//! `workshop`: exercises in any language, checked from outside.

mod args;
mod check;
mod entry;
mod progress;
mod verify;

use std::{path::Path, process::ExitCode};

use clap::Parser as _;
use pushlab::{
    workshop::{catalogue, examine, terminal},
    wrap::push_wrapped,
};

use args::{Args, Word};

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    obey(args).await.unwrap_or_else(|error| {
        anstream::eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}

async fn obey(args: Args) -> anyhow::Result<ExitCode> {
    let folder = catalogue::folder(args.dir.as_deref())?;
    match args.word {
        Word::List => list(&folder),
        Word::Show { exercise } => show(&folder, &exercise),
        Word::Check(options) => check::check(&folder, &options).await,
        Word::Watch(options) => check::watch(&folder, &options).await,
        Word::Hint { exercise } => progress::hint(&folder, &exercise),
        Word::Progress { json } => progress::progress(&folder, json),
        Word::Verify(options) => verify::verify(&folder, options).await,
    }
}

fn list(folder: &Path) -> anyhow::Result<ExitCode> {
    for exercise in catalogue::all(folder)? {
        let about = &exercise.about;
        anstream::println!("{:<26} {:>3} min  {}", exercise.name, about.minutes, about.title);
    }
    anstream::println!("\n`workshop show N` prints an exercise; N is a number or a name.");
    Ok(ExitCode::SUCCESS)
}

fn show(folder: &Path, name: &str) -> anyhow::Result<ExitCode> {
    let exercise = catalogue::find(folder, name)?;
    anstream::println!("{}\nThe check expects, in this order:\n", exercise.text.trim_end());
    let columns = terminal::columns();
    for (name, expects) in examine::expectations(&exercise) {
        let mut text = String::new();
        push_wrapped(&mut text, columns, &format!("  {name}: "), "      ", expects);
        anstream::print!("{text}");
    }
    anstream::println!("\nYour files: {}", exercise.folder.display());
    Ok(ExitCode::SUCCESS)
}
