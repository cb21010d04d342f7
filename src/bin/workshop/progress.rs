//! `workshop progress` and `workshop hint`.

use std::{path::Path, process::ExitCode};

use pushlab::{
    workshop::{catalogue, progress::Progress, terminal},
    wrap::push_wrapped,
};

pub(crate) fn hint(folder: &Path, name: &str) -> anyhow::Result<ExitCode> {
    let exercise = catalogue::find(folder, name)?;
    let hints = &exercise.about.hints;
    let mut progress = Progress::read(folder)?;
    let Some((number, hint)) = progress.next_hint(&exercise.name, hints) else {
        anstream::println!("{} has no hints", exercise.name);
        return Ok(ExitCode::SUCCESS);
    };
    progress.write()?;
    let mut text = String::new();
    push_wrapped(&mut text, terminal::columns(), &format!("{number} of {}: ", hints.len()), "        ", hint);
    anstream::print!("{text}");
    if number == hints.len() {
        anstream::println!("That was the last one. A solution is in {}", exercise.folder.display());
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn progress(folder: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let progress = Progress::read(folder)?;
    if json {
        println!("{}", serde_json::to_string(&progress)?);
        return Ok(ExitCode::SUCCESS);
    }
    let exercises = catalogue::all(folder)?;
    let mut passed = 0;
    let mut next = None;
    for exercise in &exercises {
        let done = progress.exercises.get(&exercise.name).cloned().unwrap_or_default();
        let (sign, words) = match (done.passed_at_ms, done.verdict) {
            (Some(_), _) => ("✓", "passed".to_owned()),
            (None, Some(verdict)) => ("✗", format!("{}, {} of {} met", verdict.words(), done.met, done.of)),
            (None, None) => ("·", String::new()),
        };
        passed += usize::from(done.passed_at_ms.is_some());
        next = next.or(done.passed_at_ms.is_none().then_some(exercise));
        let tries = match done.checks {
            0 => String::new(),
            1 => "1 check".to_owned(),
            checks => format!("{checks} checks"),
        };
        let hints = if done.hints > 0 { format!(", {} hints", done.hints) } else { String::new() };
        anstream::println!(
            "{}",
            format!("{sign} {:<26} {words:<28} {tries}{hints}", exercise.name).trim_end()
        );
    }
    anstream::println!("\n{passed} of {} passed", exercises.len());
    if let Some(exercise) = next {
        let about = &exercise.about;
        anstream::println!(
            "next: `workshop show {}`, {} ({} min)",
            exercise.number,
            about.title,
            about.minutes
        );
    }
    Ok(ExitCode::SUCCESS)
}
