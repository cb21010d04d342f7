//! From the command line to what is checked.

use std::path::Path;

use anyhow::{Context as _, bail};
use pushlab::workshop::{
    examine::Entry,
    exercise::{Exercise, Kind},
    invocation::Invocation,
    language,
};

use crate::args::CheckArgs;

pub(crate) async fn entry(folder: &Path, exercise: &Exercise, options: &CheckArgs) -> anyhow::Result<Entry> {
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
        (None, _) => bail!("what is to be checked? {}", ways(exercise)),
    };
    let file = exercise.starter(language);
    if exercise.about.kind == Kind::File {
        return Ok(Entry::File(file));
    }
    let invocation = language::invocation(&file, &folder.join("../target/workshop")).await;
    Ok(Entry::Command(invocation.with_context(|| format!("{}", file.display()))?))
}

fn ways(exercise: &Exercise) -> String {
    let check = format!("`workshop check {}", exercise.name);
    let running = match exercise.about.kind {
        Kind::Server => format!("A running server: {check} --url http://127.0.0.1:3000`. "),
        Kind::Client | Kind::File => String::new(),
    };
    format!(
        "{running}A program: {check} -- node mine.js`. A starter that you have changed: {check} --lang python`"
    )
}
