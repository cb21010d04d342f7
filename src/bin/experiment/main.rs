//! `experiment`: measures how the transports deliver, and reports it.

mod args;
mod check;
mod run;
mod serve;
mod verify;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use pushlab::{harness::catalogue, report, watch::WatchArgs};
use tokio_util::sync::CancellationToken;

use args::{Args, Word};

fn main() -> ExitCode {
    let word = Args::parse().word.unwrap_or_default();
    // One reader needs one thread; with more, each of its wake-ups would be passed from one to another, and
    // an idle one is measured by its wake-ups.
    let mut runtime = match word {
        Word::Watch(_) => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let ended = match runtime.enable_all().build() {
        Ok(runtime) => runtime.block_on(obey(word)),
        Err(error) => Err(anyhow::Error::new(error).context("no threads to run on")),
    };
    ended.unwrap_or_else(|error| {
        anstream::eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}

async fn obey(word: Word) -> anyhow::Result<ExitCode> {
    match word {
        Word::List => list(),
        Word::Check { files } => check::check(files),
        Word::Run(options) => run::run(options).await,
        Word::Report { folder } => redraw(&folder),
        Word::Verify { what } => verify::verify(what).await,
        Word::Compare { earlier, later } => compare(&earlier, &later),
        Word::Watch(options) => watch(&options).await,
        Word::Completions { shell } => {
            clap_complete::generate(shell, &mut Args::command(), "experiment", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        Word::Serve(options) => serve::serve(options).await,
    }
}

async fn watch(options: &WatchArgs) -> anyhow::Result<ExitCode> {
    let stop = CancellationToken::new();
    let interrupt = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            interrupt.cancel();
        }
    });
    let watched = pushlab::watch::run(options, &mut std::io::stdout(), stop).await;
    Ok(watched.map_or_else(
        |error| {
            anstream::eprintln!("error: {error}");
            ExitCode::from(error.exit_status())
        },
        |()| ExitCode::SUCCESS,
    ))
}

fn list() -> anyhow::Result<ExitCode> {
    for name in catalogue::names() {
        let question = catalogue::find(&name)?.definition.question;
        let core = if catalogue::CORE.contains(&name.as_str()) { "*" } else { " " };
        anstream::println!("{core} {name:<22} {question}");
    }
    anstream::println!("\n* runs where no experiment is named; `experiment run NAME…` runs others");
    Ok(ExitCode::SUCCESS)
}

fn redraw(folder: &std::path::Path) -> anyhow::Result<ExitCode> {
    report::write(folder)?;
    anstream::print!("{}", report::terminal_summary(folder)?);
    Ok(ExitCode::SUCCESS)
}

fn compare(earlier: &std::path::Path, later: &std::path::Path) -> anyhow::Result<ExitCode> {
    anstream::print!("{}", report::compare(earlier, later)?);
    Ok(ExitCode::SUCCESS)
}
