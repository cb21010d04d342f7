//! `workshop check` and `workshop watch`.

use std::{
    io::Write as _,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use pushlab::workshop::{
    again::Watched,
    board::Board,
    catalogue,
    examine::examine,
    exercise::Exercise,
    finding::{Report, Verdict},
    invocation::Invocation,
    progress::Progress,
    terminal,
};

use crate::{args::CheckArgs, entry::entry};

pub(crate) async fn check(folder: &Path, options: &CheckArgs) -> anyhow::Result<ExitCode> {
    let exercise = catalogue::find(folder, &options.exercise)?;
    let report = once(folder, &exercise, options).await?;
    Ok(ExitCode::from(report.verdict.exit_status()))
}

/// Checks at once, and again at each change of a file. A check that a change overtakes is given up.
pub(crate) async fn watch(folder: &Path, options: &CheckArgs) -> anyhow::Result<ExitCode> {
    let exercise = catalogue::find(folder, &options.exercise)?;
    let command = Invocation::of_words(&options.command);
    let mut watched = Watched::new(&exercise, command.as_ref(), options.file.as_deref());
    for folder in watched.folders() {
        anstream::eprintln!("watching {}; Ctrl-C ends it", folder.display());
    }
    loop {
        let begun = Instant::now();
        let changed = tokio::select! {
            checked = once(folder, &exercise, options) => {
                // A program that does not compile is a state on the way, and not the end of watching.
                if let Err(error) = checked {
                    anstream::eprintln!("error: {error:#}");
                }
                anstream::eprintln!("\nwaiting for a change ({:.1} s)", begun.elapsed().as_secs_f64());
                watched.changed().await
            }
            changed = watched.changed() => changed,
        };
        // Editors write a file in several steps.
        tokio::time::sleep(Duration::from_millis(100)).await;
        anstream::eprintln!("\n── {} has changed ──\n", changed.display());
    }
}

async fn once(folder: &Path, exercise: &Exercise, options: &CheckArgs) -> anyhow::Result<Report> {
    let entry = entry(folder, exercise, options).await?;
    let report = examine(exercise, &entry).await?;
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
        std::io::stdout().flush()?;
    } else {
        anstream::print!("{}", terminal::report(&report, terminal::columns()));
        if report.verdict != Verdict::Passed {
            anstream::println!("`workshop hint {}` has more.", exercise.number);
        }
    }
    // A folder that can't be written is no reason to hold the verdict back.
    let kept = Progress::read(folder).and_then(|mut progress| {
        progress.note(&report);
        progress.write().map(|()| progress)
    });
    let progress = kept.unwrap_or_else(|error| {
        anstream::eprintln!("progress is not kept: {error}");
        Progress::default()
    });
    if let (Some(url), Some(room)) = (&options.board, &options.room) {
        tell(&Board { url: url.clone(), room: room.clone() }, &report, &progress).await;
    }
    Ok(report)
}

/// The verdict has been given: a board that can't be told of it is complained about, and no more.
async fn tell(board: &Board, report: &Report, progress: &Progress) {
    match board.tell(report, progress).await {
        Ok(()) => anstream::eprintln!("the board knows, room {}", board.room),
        Err(error) => anstream::eprintln!("the board does not know: {error}"),
    }
}
