//! `experiment run`.

use std::{path::Path, process::ExitCode};

use anyhow::{Context as _, bail};
use pushlab::{
    clock::Clock,
    harness::{
        catalogue,
        control::Control,
        run::{Environment, Target},
        runner::{self, Session},
        server_process::ServerOptions,
    },
    report, server,
};
use tokio_util::sync::CancellationToken;

use crate::args::RunArgs;

pub(crate) async fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    let names = if args.names.is_empty() { catalogue::CORE.map(str::to_owned).to_vec() } else { args.names };
    let experiments: Result<Vec<_>, _> = names.iter().map(|name| catalogue::find(name)).collect();
    let target = match args.target {
        None => Target::BuiltIn,
        Some(url) if url.scheme() == "http" && url.has_host() => {
            Control::new(url.clone()).healthy().await.context(
                "the target does not answer: start it, or correct --target; it has to speak pushlab's endpoints",
            )?;
            Target::Url(url)
        }
        Some(url) => bail!("--target {url}: give an http:// base URL, such as http://127.0.0.1:3000"),
    };
    // Thousands of readers take as many descriptors; many systems' soft limit is 1,024.
    server::max_connections();
    let clock = Clock::start();
    let program = std::env::current_exe().context("this program can't find itself to start the server")?;
    let environment = Environment { clock, target, server: ServerOptions::new(program, clock) };
    let session = Session {
        experiments: experiments?,
        form: args.profile,
        repetitions: args.repeat,
        seed: args.seed,
        out: args.out,
        command: std::env::args().collect(),
    };
    for words in
        session.experiments.iter().flat_map(|it| runner::left_out(&it.definition, &environment.target))
    {
        anstream::eprintln!("note: {words}");
    }
    for sourced in &session.experiments {
        if let Some(reason) = runner::refused(&sourced.definition, session.form, &environment.target) {
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

fn draw(folder: &Path) -> anyhow::Result<()> {
    report::write(folder)?;
    anstream::print!("{}", report::terminal_summary(folder)?);
    anstream::println!("report: {}", folder.join("report.html").display());
    Ok(())
}
