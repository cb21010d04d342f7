//! `experiment run`.

use std::{path::Path, process::ExitCode};

use anyhow::{Context as _, bail};
use pushlab::{
    clock::Clock,
    harness::{
        catalogue,
        run::Environment,
        runner::{self, Experiment, Session},
        server_process::ServerOptions,
        target::{self, Target},
    },
    report, server,
};
use tokio_util::sync::CancellationToken;

use crate::args::RunArgs;

pub(crate) async fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    let names = if args.names.is_empty() { catalogue::CORE.map(str::to_owned).to_vec() } else { args.names };
    let chosen = chosen(&args.targets).await?;
    let (mut experiments, mut absent) = (Vec::new(), Vec::new());
    for name in &names {
        let sourced = catalogue::find(name)?;
        let targets = match &chosen {
            Some(chosen) => chosen.clone(),
            None => {
                let (targets, missing) = target::called(&sourced.definition.targets).await?;
                absent.extend(missing.into_iter().map(|words| format!("{name}: {words}")));
                targets
            }
        };
        experiments.push(Experiment { sourced, targets });
    }
    // Thousands of readers take as many descriptors; many systems' soft limit is 1,024.
    server::max_connections();
    let clock = Clock::start();
    let program = std::env::current_exe().context("this program can't find itself to start the server")?;
    let environment = Environment { clock, server: ServerOptions::new(program, clock) };
    let session = Session {
        experiments,
        form: args.profile,
        repetitions: args.repeat,
        seed: args.seed,
        out: args.out,
        command: std::env::args().collect(),
        absent,
    };
    for words in session.left_out() {
        anstream::eprintln!("note: {words}");
    }
    for Experiment { sourced, targets } in &session.experiments {
        if let Some(reason) = runner::refused(&sourced.definition, session.form, targets) {
            bail!("{reason}");
        }
    }
    let interrupt = CancellationToken::new();
    tokio::spawn({
        let interrupt = interrupt.clone();
        async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                anstream::eprintln!("interrupted: writing the report of what has been measured");
                interrupt.cancel();
            }
        }
    });
    let outcome = runner::run(session, &environment, &interrupt).await?;
    if let Some(error) = &outcome.unwritten {
        anstream::eprintln!("error: {error}; what was written before is kept");
    }
    if outcome.failed > 0 {
        anstream::eprintln!("{} runs failed; the report names them", outcome.failed);
    }
    let drawn = draw(&outcome.folder);
    if let Err(error) = &drawn {
        let folder = outcome.folder.display();
        anstream::eprintln!(
            "error: the report could not be drawn: {error:#}; the records are there: `experiment report {folder}`"
        );
    }
    let whole = outcome.unwritten.is_none() && outcome.failed == 0 && !outcome.interrupted && drawn.is_ok();
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The servers that the command line names; `None` where it leaves them to the experiments.
async fn chosen(words: &[String]) -> anyhow::Result<Option<Vec<Target>>> {
    let mut targets = Vec::new();
    for word in words {
        targets.push(target::find(word).await?);
    }
    let named = |name: &String| targets.iter().filter(|target| target.name() == *name).count();
    if let Some(twice) = targets.iter().map(Target::name).find(|name| named(name) > 1) {
        bail!("--target: two are called {twice}: give one of them another name in its file");
    }
    Ok((!targets.is_empty()).then_some(targets))
}

fn draw(folder: &Path) -> anyhow::Result<()> {
    report::write(folder)?;
    anstream::print!("{}", report::terminal_summary(folder)?);
    anstream::println!("report: {}", folder.join("report.html").display());
    Ok(())
}
