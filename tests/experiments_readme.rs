//! `experiments/README.md` explains how a definition is written, so every key and every word must be in it.

#![allow(clippy::unwrap_used, reason = "a test that panics has said so")]

use pushlab::harness::definition::Definition;

const README: &str = include_str!("../experiments/README.md");

/// A definition with an unknown key or word in each place in turn: the reader of definitions then lists
/// those that it knows, so that this test can't forget one.
const PLACES: [(&str, &str); 16] = [
    ("question =", "unknown = 1\nquestion ="),
    ("name = \"sse\"", "unknown = 1\nname = \"sse\""),
    ("rate = [20]", "rate = [20]\nunknown = 1"),
    ("rate = [20]", "rate = [20]\nstep = { unknown = 1 }"),
    ("repetitions = 3", "repetitions = 3\nunknown = 1"),
    ("id = \"faster\"", "id = \"faster\"\nunknown = 1"),
    ("client = \"websocket\" }", "client = \"websocket\", unknown = 1 }"),
    ("[quick]", "[[published]]\nunknown = 1\n[quick]"),
    ("question =", "layout = \"unknown\"\nquestion ="),
    ("question =", "publisher = \"unknown\"\nquestion ="),
    ("question =", "charts = [\"unknown\"]\nquestion ="),
    ("name = \"sse\"", "name = \"sse\"\nreconnect = \"unknown\""),
    ("name = \"sse\"", "name = \"sse\"\nupstream = \"unknown\""),
    ("rate = [20]", "rate = [20]\nfault = [\"unknown\"]"),
    ("figure = \"latency-p50\", client = \"websocket\"", "figure = \"unknown\", client = \"websocket\""),
    ("is = \"less\"", "is = \"unknown\""),
];

/// The definition that the README shows.
fn example() -> &'static str {
    README.split("```toml\n").nth(1).unwrap().split("```").next().unwrap()
}

#[test]
fn the_readmes_example_is_a_definition() {
    Definition::parse("example", "README.md", example()).unwrap();
}

#[test]
fn every_key_and_word_of_a_definition_is_explained() {
    for (place, with_unknown) in PLACES {
        assert!(example().contains(place), "the example has no {place}");
        let text = example().replacen(place, with_unknown, 1);
        let error = Definition::parse("example", "README.md", &text).expect_err(with_unknown).to_string();
        let (_, expected) = error.split_once("expected ").unwrap_or_else(|| panic!("{error}"));
        let words: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        assert!(words.len() > 1, "{error}");
        for word in words {
            assert!(README.contains(&format!("`{word}`")), "experiments/README.md does not explain `{word}`");
        }
    }
}

#[test]
fn a_page_is_not_asked_for_what_it_cannot_do() {
    let page = |with: &str| {
        let text =
            example().replacen("name = \"sse\"", &format!("name = \"sse\"\nbrowser = true\n{with}"), 1);
        Definition::parse("example", "example", &text).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(page(""), Ok(()));
    assert_eq!(page("reconnect = \"fixed\"\nresume = false"), Ok(()));
    for (with, told) in [
        ("quiet_limit_ms = 500", "a page sees neither comments nor pings"),
        ("own_process = true", "a page only reads"),
        ("stalled = true", "a page only reads"),
    ] {
        let error = page(with).expect_err(with);
        assert!(error.contains(told), "{error}");
    }
    let poll = example().replacen("transport = \"sse\"", "transport = \"long-poll\"\nbrowser = true", 1);
    let error = Definition::parse("example", "example", &poll).expect_err("a poll").to_string();
    assert!(error.contains("sse or websocket only"), "{error}");
    let crowd = example().replacen("rate = [20]", "rate = [20]\nreaders = [6]", 1);
    let crowd = crowd.replacen("name = \"sse\"", "name = \"sse\"\nbrowser = true", 1);
    let error = Definition::parse("example", "example", &crowd).expect_err("a crowd").to_string();
    assert!(error.contains("at most 5 pages"), "{error}");
}
