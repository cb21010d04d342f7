//! The chart of the time to notice, against the heartbeat's interval.

use super::*;
use crate::{
    harness::{definition::Definition, record::Recovery},
    report::{canvas, chart_notice::Notice, folder::Experiment},
};

const DEFINITION: &str = r#"
question = "?"
why = "?"
[[client]]
name = "long-poll"
transport = "long-poll"
[[client]]
name = "sse"
transport = "sse"
[[client]]
name = "websocket-watched"
label = "WebSocket, watched"
transport = "websocket"
quiet_heartbeats = 3
[[conditions]]
rate = [2]
fault = ["silence", "unplug"]
heartbeat_ms = [250, 500, 1000]
[quick]
repetitions = 3
warm_up_s = 0
measure_s = 1
[full]
repetitions = 3
warm_up_s = 0
measure_s = 1
"#;

/// A record for each client, fault, interval and repetition.
fn records() -> Vec<Record> {
    let mut records = Vec::new();
    for (client, transport) in
        [("long-poll", "long-poll"), ("sse", "sse"), ("websocket-watched", "websocket")]
    {
        for fault in ["silence", "unplug"] {
            // The longest interval first: what the chart shows is in order whatever the records' is.
            for heartbeat_ms in [1_000, 500, 250] {
                for repetition in 1..=3 {
                    let mut record = fixture::blank("x", client, transport, repetition);
                    record.parameters.fault = Some(fault.to_owned());
                    record.parameters.heartbeat_ms = Some(heartbeat_ms);
                    let noticed_ms = match client {
                        "long-poll" => Some(1_500.0 + f64::from(repetition)),
                        "sse" => None,
                        _ => Some(2.5 * heartbeat_ms as f64 + f64::from(repetition)),
                    };
                    record.recovery = Some(Recovery { noticed_ms, ..Recovery::default() });
                    records.push(record);
                }
            }
        }
    }
    records
}

#[test]
fn the_time_to_notice_is_told_in_heartbeats_where_it_grows_with_them() {
    let definition = Definition::parse("x", "x", DEFINITION).unwrap();
    let experiment = Experiment { definition, records: records(), planned: None, unreadable: Vec::new() };
    let notice = Notice::of(&Summary::of(&experiment, &mut Vec::new()));
    let points: Vec<_> = notice
        .panels
        .iter()
        .flat_map(|panel| panel.curves.iter().map(|curve| (&panel.heading, &curve.look.label, &curve.points)))
        .collect();
    insta::assert_debug_snapshot!("notice", (points, notice.caption()));
    let svg = notice.draw().unwrap();
    assert!(svg.contains("Interval of the server"));
    // Labels that don't fit into one line of the legend stand in the next one.
    let long =
        DEFINITION.replace("label = \"WebSocket, watched\"", &format!("label = \"{}\"", "long ".repeat(14)));
    let definition = Definition::parse("x", "x", &long).unwrap();
    let experiment = Experiment { definition, records: records(), planned: None, unreadable: Vec::new() };
    let wrapped = Notice::of(&Summary::of(&experiment, &mut Vec::new())).draw().unwrap();
    let height = |svg: &str| canvas::parse(svg).unwrap().size().height();
    assert!(height(&wrapped) > height(&svg));
}

#[test]
fn without_an_interval_there_is_nothing_to_show() {
    let mut records = records();
    for record in &mut records {
        record.parameters.heartbeat_ms = None;
    }
    let definition = Definition::parse("x", "x", DEFINITION).unwrap();
    let experiment = Experiment { definition, records, planned: None, unreadable: Vec::new() };
    let notice = Notice::of(&Summary::of(&experiment, &mut Vec::new()));
    assert_eq!(notice.panels, []);
    assert!(notice.draw().unwrap().contains("no data: "));
}
