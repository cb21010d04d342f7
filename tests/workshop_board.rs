//! `workshop check --board`: the class is told what a check said, and a board that can't be told changes nothing.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use pushlab::server::Config;
use serde_json::{Value, json};
use support::Server;
use tokio::process::Command;

/// Exercise 2 in a folder of its own: its answer is a file, so that nothing needs to be installed.
fn exercises(folder: &Path) -> PathBuf {
    let (from, to) =
        (Path::new("workshop/02-format-by-hand"), folder.join("workshop").join("02-format-by-hand"));
    fs::create_dir_all(&to).unwrap();
    for file in ["README.md", "exercise.toml", "starter.txt", "solution.txt"] {
        fs::copy(from.join(file), to.join(file)).unwrap();
    }
    folder.join("workshop")
}

async fn check(workshop: &Path, file: &str, board: &str, room: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_workshop"));
    command.arg("--dir").arg(workshop).args(["check", "2", "--file"]);
    command.arg(workshop.join("02-format-by-hand").join(file)).args(["--board", board]);
    command.env_remove("PUSHLAB_ROOM").env_remove("PUSHLAB_BOARD");
    command.args(room.into_iter().flat_map(|room| ["--room", room]));
    command.output().await.unwrap()
}

/// Everything on the board's channel, from its beginning.
async fn told(server: &Server) -> Vec<Value> {
    let oldest = server.get("/channels/workshop-board").await.json()["oldest"].as_str().unwrap().to_owned();
    let batch = server.get(&format!("/channels/workshop-board/short-poll?after={oldest}")).await.json();
    let events = batch["events"].as_array().unwrap().clone();
    let verdict = |event: Value| {
        assert_eq!(event["type"], "verdict");
        serde_json::from_str(event["data"].as_str().unwrap()).unwrap()
    };
    events.into_iter().map(verdict).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_board_is_told_each_verdict_and_what_the_room_has_passed() {
    let server = Server::start(Config::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let workshop = exercises(folder.path());
    let url = format!("http://{}", server.address);
    let before: f64 = server.get("/time").await.json()["now"].as_f64().unwrap();
    for (file, status) in [("starter.txt", 1), ("solution.txt", 0)] {
        let output = check(&workshop, file, &url, Some("table-3")).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{said}");
        assert!(said.contains("the board knows, room table-3"), "{said}");
    }
    let told = told(&server).await;
    assert_eq!(told.len(), 2);
    assert_eq!(told[0]["room"], "table-3");
    assert_eq!(told[0]["exercise"], "02-format-by-hand");
    assert_eq!(told[0]["verdict"], "failed");
    assert_eq!(told[0]["missed"], json!(["plain"]), "what its exercise.toml says that the starter misses");
    assert_eq!(told[0]["passed"], json!({}));
    assert_eq!(told[1]["verdict"], "passed");
    assert_eq!((&told[1]["missed"], &told[1]["not_reached"]), (&json!([]), &json!([])));
    let count = |verdict: &Value, name: &str| verdict[name].as_array().unwrap().len();
    let all =
        |verdict: &Value| count(verdict, "met") + count(verdict, "missed") + count(verdict, "not_reached");
    assert_eq!(all(&told[0]), all(&told[1]));
    let passed = told[1]["passed"]["02-format-by-hand"].as_f64().unwrap();
    let at = told[1]["at_ms"].as_f64().unwrap();
    // By the server's clock, give or take the rounding of two exchanges.
    assert!(passed <= at + 2.0 && at >= before - 2.0, "{before}, {passed}, {at}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_board_that_can_not_be_told_is_complained_about_and_changes_no_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let workshop = exercises(folder.path());
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = nobody.local_addr().unwrap();
    drop(nobody);
    for (board, words) in
        [(format!("http://{gone}"), "nothing answers"), ("https://127.0.0.1:1".to_owned(), "http://")]
    {
        let output = check(&workshop, "solution.txt", &board, Some("a")).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(said.contains("the board does not know") && said.contains(words), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_board_with_a_token_takes_it_from_the_address() {
    let token = "a-token-for-this-class";
    let server = Server::start(Config { token: Some(token.parse().unwrap()), ..Config::default() }).await;
    let folder = tempfile::tempdir().unwrap();
    let workshop = exercises(folder.path());
    for (query, words) in [
        ("", "it asks for its token"),
        ("/?token=another-token-of-old", "it asks for its token"),
        ("/?token=a-token-for-this-class", "the board knows"),
    ] {
        let url = format!("http://{}{query}", server.address);
        let output = check(&workshop, "solution.txt", &url, Some("a")).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(said.contains(words), "{said}");
        assert!(!said.contains(token), "a token has no place on a projector: {said}");
    }
    assert_eq!(told(&server).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_board_needs_a_room_with_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let workshop = exercises(folder.path());
    for (room, words) in [(None, "--room"), (Some("<b>"), "a-z, 0-9 and -"), (Some(""), "a-z, 0-9 and -")] {
        let output = check(&workshop, "solution.txt", "http://127.0.0.1:1", room).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(words), "{said}");
    }
}
