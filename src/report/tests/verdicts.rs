//! Verdicts: what holds, what is refuted, and above all what stays undecided.

use super::*;
use crate::{
    harness::definition::{Claim, Definition},
    report::{
        claims::{Verdict, evaluate},
        folder::Experiment,
    },
};

/// The verdict on one claim, over runs of two clients whose median latencies (or losses) are given.
fn verdict(claim: &str, left: &[u64], right: &[u64]) -> Verdict {
    let record = |client: &str, transport: &str, index: usize, value: u64| {
        let mut record = fixture::blank("x", client, transport, index as u32 + 1);
        record.latency_us = Some(fixture::latency([value]));
        record.latency_us.as_mut().unwrap().p50 = value;
        record.lost = value;
        record
    };
    let lefts = left.iter().enumerate().map(|(i, value)| record("sse", "sse", i, *value));
    let rights = right.iter().enumerate().map(|(i, value)| record("websocket", "websocket", i, *value));
    over(claim, lefts.chain(rights).collect())
}

fn over(claim: &str, records: Vec<Record>) -> Verdict {
    let definition = Definition::parse("x", "x", fixture::LATENCY).unwrap();
    let experiment = Experiment { definition, records, planned: None, unreadable: Vec::new() };
    let text = format!("id = \"c\"\nsentence = \"s\"\nsource = \"t\"\n{claim}");
    let claim: Claim = toml::from_str(&text).unwrap();
    evaluate(&claim, &Summary::of(&experiment, &mut Vec::new()))
}

const LESS: &str = r#"
left = { figure = "latency-p50", client = "sse" }
is = "less"
right = { figure = "latency-p50", client = "websocket" }"#;

#[test]
fn a_claim_holds_where_the_whole_interval_does() {
    let verdict = verdict(LESS, &[100, 101, 102, 103, 104], &[200, 201, 202, 203, 204]);
    assert_eq!(verdict.outcome, Outcome::Holds);
    assert_eq!(verdict.asked, "median latency of SSE < median latency of WebSocket");
    let [finding] = verdict.findings.as_slice() else { panic!("{:?}", verdict.findings) };
    assert!(
        finding.starts_with(
            "sse 102 µs [100 µs – 104 µs, n = 5], websocket 202 µs [200 µs – 204 µs, n = 5]; × 0.505"
        ),
        "{finding}"
    );
}

#[test]
fn a_claim_is_refuted_where_none_of_it_does() {
    assert_eq!(verdict(LESS, &[300, 301, 302], &[200, 201, 202]).outcome, Outcome::Refuted);
    // Equal is not less.
    assert_eq!(verdict(LESS, &[200; 3], &[200; 3]).outcome, Outcome::Refuted);
}

#[test]
fn a_claim_is_undecided_where_the_interval_allows_both() {
    let verdict = verdict(LESS, &[100, 150, 250, 120, 240], &[200, 110, 201, 130, 140]);
    assert_eq!(verdict.outcome, Outcome::Undecided);
    assert!(verdict.findings[0].contains("--repeat"), "{:?}", verdict.findings);
}

#[test]
fn the_factor_belongs_to_the_right_side() {
    let half = format!("{LESS}\ntimes = 0.5");
    assert_eq!(verdict(&half, &[90; 3], &[200; 3]).outcome, Outcome::Holds);
    assert_eq!(verdict(&half, &[110; 3], &[200; 3]).outcome, Outcome::Refuted);
}

#[test]
fn too_few_repetitions_decide_nothing() {
    let verdict = verdict(LESS, &[1, 1], &[1_000, 1_000]);
    assert_eq!(verdict.outcome, Outcome::Undecided);
    assert!(
        verdict.findings[0].contains("2 repetitions decide nothing, 3 are needed"),
        "{:?}",
        verdict.findings
    );
}

#[test]
fn without_records_the_reason_is_given() {
    let verdict = verdict(LESS, &[1, 1, 1], &[]);
    assert_eq!(verdict.outcome, Outcome::Undecided);
    assert!(verdict.findings[0].contains("no run of websocket"), "{:?}", verdict.findings);
    let unknown = over(&LESS.replace("\"sse\"", "\"pigeon\""), Vec::new());
    assert!(unknown.findings[0].contains("no client \"pigeon\""), "{:?}", unknown.findings);
}

#[test]
fn about_means_within_a_tenth() {
    let about = LESS.replace("less", "about");
    assert_eq!(verdict(&about, &[205, 201, 203], &[200, 201, 202]).outcome, Outcome::Holds);
    assert_eq!(verdict(&about, &[300, 301, 302], &[200, 201, 202]).outcome, Outcome::Refuted);
    assert_eq!(verdict(&about, &[205, 230, 203], &[200, 201, 202]).outcome, Outcome::Undecided);
}

#[test]
fn counts_are_compared_exactly() {
    let none = "left = { figure = \"lost\", client = \"sse\" }\nis = \"equal\"\nright = 0.0";
    assert_eq!(verdict(none, &[0, 0, 0], &[]).outcome, Outcome::Holds);
    assert_eq!(verdict(none, &[0, 0], &[]).outcome, Outcome::Undecided);
    // One loss is enough, however few the runs and whatever the median says.
    let refuted = verdict(none, &[0, 0, 0, 0, 1], &[]);
    assert_eq!(refuted.outcome, Outcome::Refuted);
    assert!(refuted.findings[0].contains("differs in 1 of 5 repetitions"), "{:?}", refuted.findings);
    assert_eq!(verdict(none, &[1], &[]).outcome, Outcome::Refuted);
}

#[test]
fn a_difference_too_small_to_matter_is_called_so() {
    let verdict = verdict(LESS, &[980, 981, 982], &[1_000, 1_001, 1_002]);
    assert_eq!(verdict.outcome, Outcome::Holds);
    assert!(verdict.findings[0].contains("no practical difference"), "{:?}", verdict.findings);
}

#[test]
fn never_is_longer_than_any_time() {
    let records = ["sse", "websocket-bare"].into_iter().flat_map(|client| {
        (1..=3).map(move |repetition| {
            let mut record = fixture::cut(client, "close", repetition);
            record.client = client.replace("-bare", "");
            record
        })
    });
    let claim = LESS.replace("latency-p50", "back-ms");
    let verdict = over(&claim, records.collect());
    assert_eq!(verdict.outcome, Outcome::Holds);
    assert!(verdict.findings[0].contains("websocket never"), "{:?}", verdict.findings);
}

/// Three runs of both clients under each of two loads; under the second SSE takes `loaded` microseconds.
fn two_loads(loaded: u64) -> Vec<Record> {
    let mut records = Vec::new();
    for (readers, sse) in [(1, 100), (100, loaded)] {
        for repetition in 1..=3 {
            for (client, value) in [("sse", sse), ("websocket", 200)] {
                let mut record = fixture::blank("x", client, client, repetition);
                record.parameters.readers = readers;
                record.latency_us = Some(fixture::latency([value]));
                records.push(record);
            }
        }
    }
    records
}

#[test]
fn an_open_condition_must_agree_with_the_others() {
    assert_eq!(over(LESS, two_loads(150)).outcome, Outcome::Holds);
    let mixed = over(LESS, two_loads(300));
    assert_eq!(mixed.outcome, Outcome::Undecided);
    assert!(mixed.findings[0].starts_with("holds — 1 reader"), "{:?}", mixed.findings);
    assert!(mixed.findings[1].starts_with("refuted — 100 readers"), "{:?}", mixed.findings);
    let only = LESS.replace("client = \"sse\"", "client = \"sse\", readers = 1");
    assert_eq!(over(&only, two_loads(300)).outcome, Outcome::Holds);
}

#[test]
fn a_condition_whose_runs_failed_keeps_a_claim_undecided() {
    let mut records = two_loads(150);
    for record in records.iter_mut().filter(|record| record.parameters.readers == 100) {
        record.err = Some("the server died".to_owned());
    }
    let verdict = over(LESS, records);
    assert_eq!(verdict.outcome, Outcome::Undecided);
    assert!(verdict.findings[1].contains("no run of sse measured"), "{:?}", verdict.findings);
}
