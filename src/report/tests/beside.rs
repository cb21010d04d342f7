//! The browser beside our client.

use super::*;
use crate::{
    harness::{definition::Definition, record::Recovery},
    report::{beside, folder::Experiment, table::Table},
};

const DEFINITION: &str = r#"
question = "?"
why = "?"
[[client]]
name = "sse"
label = "ours"
transport = "sse"
[[client]]
name = "sse-chromium"
transport = "sse"
browser = true
[[client]]
name = "websocket-code-chromium"
transport = "websocket"
reconnect = "fixed"
browser = true
[[client]]
name = "websocket"
transport = "websocket"
[[conditions]]
rate = [20]
fault = ["reset"]
[quick]
repetitions = 3
warm_up_s = 0
measure_s = 1
[full]
repetitions = 3
warm_up_s = 0
measure_s = 1
"#;

/// Times to notice and to be back, and events lost.
type Cut = (Option<f64>, Option<f64>, u64);

fn table(ours: &[Cut], browsers: &[Cut], clock_uncertainty_us: f64) -> Option<Table> {
    let record = |client: &str, repetition: usize, (noticed_ms, back_ms, lost): Cut| {
        let mut record = fixture::blank("x", client, "sse", repetition as u32 + 1);
        record.parameters.fault = Some("reset".to_owned());
        record.recovery = Some(Recovery { noticed_ms, back_ms, ..Recovery::default() });
        record.lost = lost;
        record.clock_uncertainty_us = (client != "sse").then_some(clock_uncertainty_us);
        record
    };
    let ours = ours.iter().enumerate().map(|(index, cut)| record("sse", index, *cut));
    let browsers = browsers.iter().enumerate().map(|(index, cut)| record("sse-chromium", index, *cut));
    let records = ours.chain(browsers).collect();
    let definition = Definition::parse("x", "x", DEFINITION).unwrap();
    let experiment = Experiment { definition, records, planned: None, unreadable: Vec::new() };
    beside::table(&experiment.definition, &Summary::of(&experiment, &mut Vec::new()))
}

/// What is said of the browser.
fn said(ours: &[Cut], browsers: &[Cut], clock_uncertainty_us: f64) -> String {
    let table = table(ours, browsers, clock_uncertainty_us).unwrap();
    let [row] = table.rows.as_slice() else { panic!("one pair: {:?}", table.rows) };
    row.last().unwrap().clone()
}

#[test]
fn where_both_do_the_same_it_is_said() {
    let same = [(Some(2.0), Some(500.0), 0); 3];
    let table = table(&same, &same, 100.0).unwrap();
    let cells: Vec<&str> = table.rows[0].iter().map(String::as_str).collect();
    let both = ["2 ms · 2 ms", "500 ms · 500 ms", "–", "0 · 0", "0 · 0", "does the same"];
    assert_eq!((cells[0], &cells[2..]), ("ours", &both[..]));
    let dead = [(None, None, 60); 3];
    assert_eq!(said(&dead, &dead, 100.0), "does the same", "never is never");
}

#[test]
fn where_they_differ_it_is_said_by_how_much() {
    let ours = [(Some(1.0), Some(500.0), 0), (Some(1.1), Some(501.0), 0), (Some(1.2), Some(502.0), 0)];
    let later = [(Some(9.0), Some(3_000.0), 0), (Some(9.1), Some(3_001.0), 0), (Some(9.2), Some(3_002.0), 0)];
    assert_eq!(said(&ours, &later, 100.0), "notices later by 8 ms, is back later by 2.5 s");
    assert_eq!(said(&ours, &[(Some(1.1), None, 40); 3], 100.0), "is back later, loses more by 40");
}

#[test]
fn what_the_clocks_may_be_off_by_is_no_difference() {
    let (ours, later) = ([(Some(1.0), Some(500.0), 0); 3], [(Some(1.5), Some(500.0), 0); 3]);
    assert_eq!(said(&ours, &later, 100.0), "notices later by 500 µs");
    assert_eq!(said(&ours, &later, 600.0), "differs by no more than its clock may be off");
}

#[test]
fn chance_and_too_few_repetitions_say_nothing() {
    let wide = [(Some(1.0), Some(500.0), 0), (Some(4.0), Some(500.0), 0), (Some(2.0), Some(500.0), 0)];
    let other = [(Some(3.0), Some(500.0), 0), (Some(1.0), Some(500.0), 0), (Some(2.5), Some(500.0), 0)];
    assert_eq!(said(&wide, &other, 1.0), "differs by no more than chance may");
    assert_eq!(said(&wide[..2], &other, 1.0), "too few repetitions to say (2 of 3)");
}

#[test]
fn a_client_without_its_like_has_no_row() {
    assert_eq!(table(&[], &[(None, None, 0); 3], 1.0), None);
}
