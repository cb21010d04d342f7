//! `workshop check`.

use std::{path::Path, process::ExitCode};

use anyhow::{Context as _, bail};
use pushlab::workshop::{
    catalogue,
    examine::{Entry, examine},
    exercise::{Exercise, Kind},
    invocation::Invocation,
    language, terminal,
};

use crate::args::CheckArgs;

pub(crate) async fn check(folder: &Path, options: &CheckArgs) -> anyhow::Result<ExitCode> {
    let exercise = catalogue::find(folder, &options.exercise)?;
    let entry = entry(folder, &exercise, options).await?;
    let report = examine(&exercise, &entry).await?;
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        anstream::print!("{}", terminal::report(&report, terminal::columns()));
    }
    Ok(ExitCode::from(report.verdict.exit_status()))
}

async fn entry(folder: &Path, exercise: &Exercise, options: &CheckArgs) -> anyhow::Result<Entry> {
    if let Some(url) = &options.url {
        return Ok(Entry::Url(url.clone()));
    }
    if let Some(file) = &options.file {
        return Ok(Entry::File(file.clone()));
    }
    if let Some(invocation) = Invocation::of_words(&options.command) {
        return Ok(Entry::Command(invocation));
    }
    let name = &exercise.name;
    let known = &exercise.about.languages;
    let language = match (options.lang, known.as_slice()) {
        (Some(language), _) if known.contains(&language) => language,
        (Some(language), _) => bail!("{name} has no starter in {language:?}: it has {known:?}"),
        (None, [only]) => *only,
        (None, _) if exercise.about.kind == Kind::Server => bail!(
            "what is to be checked? A running server: `workshop check {name} --url http://127.0.0.1:3000`. A \
             program: `workshop check {name} -- node my-server.js`. A starter that you have changed: `workshop \
             check {name} --lang python`"
        ),
        (None, _) => bail!(
            "what is to be checked? A program: `workshop check {name} -- node my-client.js`. A starter that you \
             have changed: `workshop check {name} --lang python`"
        ),
    };
    let file = exercise.starter(language);
    if exercise.about.kind == Kind::File {
        return Ok(Entry::File(file));
    }
    let invocation = language::invocation(&file, &folder.join("../target/workshop")).await;
    Ok(Entry::Command(invocation.with_context(|| format!("{}", file.display()))?))
}
