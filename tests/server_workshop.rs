//! The workshop's pages over HTTP: every exercise has one, with its text and hints and without its solution.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod support;

use std::{fs, path::Path};

use pushlab::server::Config;
use support::Server;

/// The folders of exercises.
fn folders() -> Vec<String> {
    let there = fs::read_dir("workshop").expect("a folder").flatten();
    let mut names: Vec<String> = there.map(|it| it.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name.as_bytes().first().is_some_and(u8::is_ascii_digit));
    names.sort();
    names
}

#[tokio::test]
async fn every_exercise_has_a_page_and_a_place_in_the_list() {
    let server = Server::start(Config::default()).await;
    let list = server.get("/workshop").await;
    assert_eq!(list.status, 200);
    let board = server.get("/board").await;
    for name in folders() {
        assert!(list.body.contains(&format!("href=\"/workshop/{name}\"")), "{name}");
        assert!(board.body.contains(&format!("data-exercise=\"{name}\"")), "{name}");
        let page = server.get(&format!("/workshop/{name}?room=table-3")).await;
        assert_eq!(page.status, 200, "{name}");
        let text = page.body;
        let toml = fs::read_to_string(Path::new("workshop").join(&name).join("exercise.toml")).expect("text");
        let about = pushlab::exercise::About::parse(&toml).expect("good");
        assert_eq!(text.matches("<details class=\"hint\">").count(), about.hints.len(), "{name}");
        assert!(text.contains("--room table-3"), "{name}");
        // A link keeps the room, and the text is the README's.
        assert!(text.contains("/board?room=table-3") && text.contains("Your task"), "{name}");
        for mutant in about.mutants {
            assert!(!text.contains(&mutant.file) && !text.contains(&mutant.why), "{name}: {}", mutant.file);
        }
    }
}

#[tokio::test]
async fn an_exercise_is_found_by_its_number_too_and_a_strange_name_is_told_as_json() {
    let server = Server::start(Config::default()).await;
    let folders = folders();
    for path in ["/workshop/1".to_owned(), "/workshop/01".to_owned(), format!("/workshop/{}", folders[0])] {
        assert!(server.get(&path).await.body.contains("check 1"), "{path}");
    }
    let long = "x".repeat(3000);
    for strange in ["99", "%3Cscript%3E", "..%2f..%2fCargo.toml", "solution.js", "lib", long.as_str()] {
        let answer = server.get(&format!("/workshop/{strange}")).await;
        assert_eq!(answer.status, 404, "{strange}");
        let error = answer.json()["error"].as_str().expect("words").to_owned();
        assert!(error.contains("/workshop lists them") && error.len() < 200, "{error}");
    }
    for path in ["/workshop", "/workshop/1", "/board"] {
        assert_eq!(server.ask(&format!("POST {path}"), "").await.status, 405, "{path}");
    }
}

#[tokio::test]
async fn demos_and_tours_name_their_exercises() {
    let server = Server::start(Config::default()).await;
    for name in folders() {
        let toml = fs::read_to_string(Path::new("workshop").join(&name).join("exercise.toml")).expect("text");
        for demo in pushlab::exercise::About::parse(&toml).expect("good").demos {
            // Results are measured, and no exercise is about one of them alone.
            if demo != "/results" {
                let page = server.get(&format!("{demo}?room=a")).await.body;
                assert!(page.contains(&format!("/workshop/{name}?room=a")), "{demo} does not name {name}");
            }
        }
    }
}
