//! The leader's guide keeps step: with the exercises, with what the checker says, and with the reference's figures.
//!
//! After a new reference run, `PUSHLAB_UPDATE_GUIDE=1 cargo test --test workshop_guide` writes its figures in.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path};

use pushlab::workshop::{catalogue, exercise::Exercise};

const GUIDE: &str = "workshop/LEADER.md";

fn guide() -> String {
    fs::read_to_string(GUIDE).unwrap()
}

fn exercises() -> Vec<Exercise> {
    catalogue::all(Path::new("workshop")).unwrap()
}

/// The headings of exercises that there are: what stands in backquotes, and the rest.
fn headings(guide: &str) -> Vec<(String, String)> {
    let lines = guide.lines().filter_map(|line| line.strip_prefix("### `")?.split_once("` "));
    lines.map(|(name, rest)| (name.to_owned(), rest.to_owned())).collect()
}

#[test]
fn every_exercise_has_its_section_and_every_section_its_exercise() {
    let guide = guide();
    let headings = headings(&guide);
    let named: Vec<_> = headings.iter().map(|(name, _)| name.clone()).collect();
    let there: Vec<_> = exercises().iter().map(|exercise| exercise.name.clone()).collect();
    assert_eq!(named, there, "sections of {GUIDE}, and folders");
    for exercise in exercises() {
        let heading = format!("{} ({} min)", exercise.about.title, exercise.about.minutes);
        let (_, told) = headings.iter().find(|(name, _)| *name == exercise.name).unwrap();
        assert_eq!(*told, heading, "{}", exercise.name);
    }
}

#[test]
fn every_number_in_the_plans_has_a_section() {
    let guide = guide();
    let sections: BTreeSet<u32> = guide
        .lines()
        .filter_map(|line| line.strip_prefix("### ")?.trim_start_matches('`').get(..2)?.parse().ok())
        .collect();
    assert_eq!(sections, (1..=19).collect(), "sections");
    let plans = guide.split("## Before").next().unwrap();
    let cells = plans.lines().filter(|line| line.starts_with('|')).filter_map(|line| line.rsplit('|').nth(1));
    let mut planned = BTreeSet::new();
    for cell in cells {
        let words: Vec<&str> = cell.split([' ', ',', ';']).filter(|word| !word.is_empty()).collect();
        for (at, word) in words.iter().enumerate() {
            let Some(number) = word.parse::<u32>().ok().filter(|_| word.len() == 2) else { continue };
            let until = match words.get(at + 1..at + 3) {
                Some(["to", last]) => last.parse().unwrap_or(number),
                _ => number,
            };
            planned.extend(number..=until);
        }
    }
    assert_eq!(planned, sections, "numbers in the plans");
}

/// The text of the checks with its escapes resolved and its lines joined, as the checker prints it.
fn checks() -> String {
    let mut text = String::new();
    let mut folders = vec![Path::new("src/workshop/checks").to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { text += &fs::read_to_string(path).unwrap() }
        }
    }
    let mut joined = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find('\\') {
        joined += &rest[..at];
        rest = match rest.as_bytes().get(at + 1) {
            Some(b'\n') => rest[at + 1..].trim_start(),
            Some(b'"' | b'\\') => {
                joined.push_str(&rest[at + 1..at + 2]);
                &rest[at + 2..]
            }
            _ => {
                joined.push('\\');
                &rest[at + 1..]
            }
        };
    }
    joined + rest
}

#[test]
fn the_checkers_words_are_its_own() {
    let (guide, checks) = (guide(), checks());
    let mut section = None;
    let mut quoted = 0;
    for line in guide.lines() {
        if let Some(heading) = line.strip_prefix("### `") {
            let name = heading.split('`').next().unwrap();
            section = exercises().into_iter().find(|exercise| exercise.name == name);
        }
        let Some((name, words)) = line.strip_prefix("> - **").and_then(|line| line.split_once("**: ")) else {
            continue;
        };
        let Some(exercise) = &section else { panic!("a quotation outside of an exercise: {line}") };
        assert!(exercise.text.contains(&format!("`{name}`")), "{}: no expectation {name}", exercise.name);
        assert!(checks.contains(words), "the checker of {} does not say: {words}", exercise.name);
        quoted += 1;
    }
    assert!(quoted > 20, "{quoted}");
}

/// The claims of the reference: id, verdict, sentence and figures.
fn claims() -> Vec<(String, String)> {
    let report = fs::read_to_string("results/reference/report.md").unwrap();
    let lines: Vec<&str> = report.lines().collect();
    let claim = |pair: &[&str]| {
        let (verdict, rest) = pair[0].strip_prefix("- ")?.split_once(" — **")?;
        let (id, sentence) = rest.split_once("** ")?;
        let figures = pair[1].trim().strip_prefix("<br>")?;
        Some((id.to_owned(), format!("> {verdict}: {sentence}\n> <br>{figures}")))
    };
    lines.windows(2).filter_map(claim).collect()
}

/// The guide with each claim's figures below its mark.
fn with_figures(guide: &str) -> String {
    let claims = claims();
    let mut out = String::new();
    let mut lines = guide.lines().peekable();
    while let Some(line) = lines.next() {
        writeln!(out, "{line}").unwrap();
        let Some(id) = line.strip_prefix("<!-- claim ").and_then(|line| line.strip_suffix(" -->")) else {
            continue;
        };
        let (_, text) = claims.iter().find(|(known, _)| known == id).unwrap_or_else(|| {
            panic!(
                "the reference has no claim {id:?}: {:?}",
                claims.iter().map(|it| &it.0).collect::<Vec<_>>()
            )
        });
        writeln!(out, "{text}").unwrap();
        while lines.next_if(|line| line.starts_with('>')).is_some() {}
    }
    out
}

#[test]
fn its_figures_are_the_references() {
    let guide = guide();
    let wanted = with_figures(&guide);
    assert!(wanted.matches("<!-- claim ").count() >= 10);
    if std::env::var_os("PUSHLAB_UPDATE_GUIDE").is_some_and(|it| it == "1") {
        fs::write(GUIDE, &wanted).unwrap();
        return;
    }
    for (told, wanted) in guide.lines().zip(wanted.lines()) {
        assert_eq!(told, wanted, "run PUSHLAB_UPDATE_GUIDE=1 cargo test --test workshop_guide");
    }
    assert_eq!(guide.lines().count(), wanted.lines().count());
}
