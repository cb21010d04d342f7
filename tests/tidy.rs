//! The house's rules, held by reading the source: arrows point down only, and rooms stay small.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The floors, top first, each with the rooms that share it. A room may use rooms of lower floors and of
/// its own; what is not listed here is the ground floor's.
const FLOORS: [&[&str]; 5] =
    [&["workshop", "report", "watch"], &["harness"], &["server", "client"], &["link"], &["feed"]];

/// What every floor stands on.
const GROUND: [&str; 7] = ["transport", "event", "encoding", "clock", "schedule", "wrap", "exercise"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn floor(room: &str) -> usize {
    FLOORS.iter().position(|rooms| rooms.contains(&room)).unwrap_or(FLOORS.len())
}

/// The rooms that a source file names after `crate::`, in `use` lists of any nesting and in paths.
fn rooms_used(text: &str) -> Vec<String> {
    let code: String =
        text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let mut rooms = Vec::new();
    let word = |text: &str| -> String {
        text.trim_start().chars().take_while(|it| it.is_alphanumeric() || *it == '_').collect()
    };
    for (at, found) in code.match_indices("crate::") {
        let rest = &code[at + found.len()..];
        let Some(list) = rest.strip_prefix('{') else {
            rooms.push(word(rest));
            continue;
        };
        let mut depth = 0;
        let mut start = true;
        for (position, character) in list.char_indices() {
            if start && !character.is_whitespace() {
                rooms.push(word(&list[position..]));
                start = false;
            }
            match character {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => start = true,
                _ => {}
            }
        }
    }
    rooms.retain(|room| !room.is_empty());
    rooms
}

#[test]
fn arrows_point_down_only() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for file in sources(&source) {
        let below = file.strip_prefix(&source).expect("below src");
        let room =
            below.components().next().expect("a name").as_os_str().to_string_lossy().replace(".rs", "");
        if room == "bin" || room == "lib" {
            continue;
        }
        for used in rooms_used(&fs::read_to_string(&file).expect("text")) {
            if used == room || GROUND.contains(&used.as_str()) {
                continue;
            }
            // Rooms of one floor know nothing of each other: server and client are mirrors, not friends.
            if floor(&used) <= floor(&room) {
                wrong.push(format!("{}: `{room}` may not use `{used}`", below.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn certain_libraries_stay_in_their_rooms() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let rules: [(&str, &[&str]); 3] = [
        ("plotters", &["report"]),
        ("toml::", &["harness", "report", "workshop", "exercise"]),
        ("axum", &["server"]),
    ];
    for file in sources(&source) {
        let below = file.strip_prefix(&source).expect("below src").display().to_string();
        let text = fs::read_to_string(&file).expect("text");
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            for (library, rooms) in rules {
                let named = line.contains(library);
                let at_home = rooms.iter().any(|room| below.starts_with(room));
                assert!(!named || at_home, "{below}: `{library}` belongs into {rooms:?}: {line}");
            }
        }
    }
}

#[test]
fn binaries_are_thin_and_rooms_small() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in sources(&source) {
        let below = file.strip_prefix(&source).expect("below src");
        let lines = fs::read_to_string(&file).expect("text").lines().count();
        let most = if below.starts_with("bin") { 110 } else { 450 };
        assert!(lines <= most, "{} has {lines} lines: more than {most}, split it", below.display());
    }
}

#[test]
fn the_reader_of_use_lines_sees_nested_lists() {
    let text = "use crate::{\n    clock::{Clock, Timestamp},\n    feed::Feed,\n};\nlet x = crate::report::write();\n// crate::server";
    assert_eq!(rooms_used(text), ["clock", "feed", "report"]);
}
