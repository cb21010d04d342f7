use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::*;

/// Our own templates and scripts; what others wrote has no strings of ours.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("templates"), root.join("static/js"), root.join("src/server/pages")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("templates/report.html") && !path.ends_with("tests.rs") {
                let text = fs::read_to_string(&path).expect("text");
                files.push((path, text));
            }
        }
    }
    files
}

/// The keys that a source asks for, in `t("…")`, `t('…')` or ``t(`…`)``. Parts that are filled in when it
/// runs come back as `*`.
fn keys_used(text: &str) -> Vec<String> {
    let mut keys = Vec::new();
    for quote in ['"', '\'', '`'] {
        for (at, opening) in text.match_indices(&format!("t({quote}")) {
            if text[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_') {
                continue;
            }
            let rest = &text[at + opening.len()..];
            let Some(end) = rest.find(quote) else { continue };
            let mut key = String::new();
            let mut literal = &rest[..end];
            while let Some((before, after)) = literal.split_once("${") {
                key += before;
                key.push('*');
                literal = after.split_once('}').map_or("", |(_, after)| after);
            }
            keys.push(key + literal);
        }
    }
    // A key in three parts, `t3("prefix", value, "suffix")`.
    for (at, opening) in text.match_indices(".t3(\"") {
        let words: Vec<&str> = text[at + opening.len()..].splitn(4, '"').collect();
        keys.push(format!("{}*{}", words[0], words[2]));
    }
    keys
}

fn matches(pattern: &str, key: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == key,
        Some((before, after)) => key.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len())
                .filter(|at| rest.is_char_boundary(*at))
                .any(|at| !rest[..at].is_empty() && matches(after, &rest[at..]))
        }),
    }
}

#[test]
fn every_language_has_the_same_keys_with_the_same_blanks() {
    let blanks = |text: &str| -> BTreeSet<String> {
        let words = text.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
        words.map(|(name, _)| name.to_owned()).collect()
    };
    let english = of(Language::English);
    for language in Language::ALL {
        let other = of(language);
        let missing: Vec<_> = english.keys().filter(|key| !other.contains_key(*key)).collect();
        let extra: Vec<_> = other.keys().filter(|key| !english.contains_key(*key)).collect();
        assert!(missing.is_empty() && extra.is_empty(), "{language:?}: missing {missing:?}, extra {extra:?}");
        for (key, text) in english {
            assert!(!other[key].trim().is_empty(), "{language:?}: {key} is empty");
            assert_eq!(blanks(text), blanks(&other[key]), "{language:?}: {key}");
        }
    }
}

#[test]
fn every_key_that_is_used_exists_and_every_key_that_exists_is_used() {
    let catalogue = of(Language::English);
    let mut used = BTreeSet::new();
    for (path, text) in sources() {
        for key in keys_used(&text) {
            let known = catalogue.keys().any(|known| matches(&key, known));
            assert!(known, "{}: no string for {key:?}", path.display());
            used.insert(key);
        }
    }
    let idle: Vec<_> =
        catalogue.keys().filter(|key| !used.iter().any(|pattern| matches(pattern, key))).collect();
    assert!(idle.is_empty(), "no page uses {idle:?}");
}

#[test]
fn no_key_comes_twice_in_a_file() {
    for language in Language::ALL {
        let lines = text(language).lines().filter(|line| line.trim_start().starts_with('"')).count();
        assert_eq!(lines, of(language).len(), "{language:?}: one line per key, each key once");
    }
}
