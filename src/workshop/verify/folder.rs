//! What an exercise's folder has to hold, and nothing else.

use std::{collections::BTreeSet, fs, path::Path};

use crate::workshop::{examine, exercise::Exercise, language::Language};

const MUTANTS: usize = 3;

/// What is wrong with a folder, a sentence each.
pub(super) fn problems(exercise: &Exercise) -> Vec<String> {
    let about = &exercise.about;
    let mut problems = Vec::new();
    let mut wrong = |is: bool, what: String| {
        if is {
            problems.push(what);
        }
    };
    let expectations = examine::expectations(exercise);
    let is_known = |name: &str| expectations.iter().any(|(known, _)| *known == name);
    wrong(expectations.is_empty(), "there is no check for it in src/workshop/checks".to_owned());
    wrong(about.hints.is_empty(), "exercise.toml has no hints".to_owned());
    wrong(about.languages.is_empty(), "exercise.toml names no languages".to_owned());
    wrong(about.mutants.len() < MUTANTS, format!("it has fewer than {MUTANTS} mutants"));
    wrong(!is_known(&about.starter_fails), format!("no expectation is called {:?}", about.starter_fails));
    wrong(
        !words(&exercise.text).contains(&words(&about.because)) || about.because.is_empty(),
        format!("README.md does not say why the starter fails: {:?}", about.because),
    );
    for (name, _) in &expectations {
        wrong(!exercise.text.contains(&format!("`{name}`")), format!("README.md does not name `{name}`"));
    }
    let mut expected: BTreeSet<String> = ["README.md", "exercise.toml"].map(str::to_owned).into();
    for language in &about.languages {
        expected.insert(format!("starter.{}", language.extension()));
        expected.insert(format!("solution.{}", language.extension()));
    }
    for mutant in &about.mutants {
        wrong(
            !is_known(&mutant.fails),
            format!("{}: no expectation is called {:?}", mutant.file, mutant.fails),
        );
        wrong(
            Language::of(Path::new(&mutant.file)).is_none(),
            format!("{}: of no known language", mutant.file),
        );
        wrong(mutant.why.is_empty(), format!("{}: it does not say why it is wrong", mutant.file));
        expected.insert(format!("mutants/{}", mutant.file));
    }
    expected.extend(about.files.iter().cloned());
    let found = files(&exercise.folder, "");
    for file in expected.difference(&found) {
        wrong(true, format!("{file} is missing"));
    }
    for file in found.difference(&expected) {
        wrong(true, format!("{file} is stray: declare it in exercise.toml or remove it"));
    }
    problems
}

/// Words alone, so that a sentence may be broken into lines anywhere.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn files(folder: &Path, prefix: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            // Python leaves its compiled files beside what it imports.
            if !name.ends_with("__pycache__") {
                found.extend(files(&entry.path(), &format!("{name}/")));
            }
        } else {
            found.insert(name);
        }
    }
    found
}
