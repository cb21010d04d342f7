//! Charts: their data, and that their pictures are well-formed whatever the data.

use super::*;
use crate::{
    harness::{
        definition::Figure,
        record::{self, CapacityStep},
    },
    report::{
        canvas,
        chart_bytes::BytesPerEvent,
        chart_capacity::Capacity,
        chart_frontier::Frontier,
        chart_opening::Opening,
        chart_peers::Peers,
        chart_percentiles::Percentiles,
        chart_readers_memory::MemoryPerReaders,
        chart_recovery::RecoveryTimes,
        chart_strip::Strip,
        chart_timeline::Timeline,
        figure::{Parts, wire},
        folder::Experiment,
    },
};
use proptest::prelude::*;

fn experiment(name: &str, definition: &str, records: Vec<Record>) -> Experiment {
    let definition = crate::harness::definition::Definition::parse(name, name, definition).unwrap();
    Experiment { definition, records, planned: None, unreadable: Vec::new() }
}

/// A picture's text without its tags, its lines joined.
fn words(svg: &str) -> String {
    let outside = svg.split('<').filter_map(|piece| piece.split_once('>')).map(|(_, text)| text);
    outside.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

/// Draws all charts and reads them as a browser would.
fn draw_all(experiment: &Experiment) -> Vec<String> {
    let summary = Summary::of(experiment, &mut Vec::new());
    let drawn = CHARTS.map(|chart| chart::draw(chart, "x", &summary).unwrap());
    for chart in &drawn {
        let tree = canvas::parse(&chart.svg).unwrap_or_else(|error| panic!("{}: {error}", chart.slug));
        assert_eq!(tree.size().width(), 960.0);
        assert!(!chart.caption.is_empty() && !chart.caption.contains("NaN"), "{}", chart.caption);
    }
    drawn.map(|chart| chart.svg).to_vec()
}

#[test]
fn every_chart_is_well_formed_with_nothing_to_show() {
    for svg in draw_all(&experiment("latency", fixture::LATENCY, Vec::new())) {
        assert!(svg.contains("no data: "), "{svg}");
    }
}

#[test]
fn every_chart_is_well_formed_with_a_single_repetition() {
    let records: Vec<Record> = fixture::records().into_iter().filter(|r| r.repetition == 1).collect();
    for (name, definition) in ALL {
        let own = records.iter().filter(|record| record.experiment == name).cloned().collect();
        draw_all(&experiment(name, definition, own));
    }
}

#[test]
fn no_text_breaks_a_chart() {
    let nasty = "</text><script>alert(1)</script> & \"quotes\" \u{0}\u{b} 漢字 🎉 and a label that is far too long for any column";
    let mut records = few();
    for (index, record) in records.iter_mut().enumerate() {
        record.client = nasty.to_owned();
        record.transport = "carrier-pigeon".to_owned();
        record.repetition = index as u32;
        record.parameters.pattern = nasty.to_owned();
        record.parameters.fault = Some(nasty.to_owned());
    }
    for svg in draw_all(&experiment("latency", fixture::LATENCY, records)) {
        assert!(!svg.contains("<script"));
    }
}

#[test]
fn values_at_the_edge_of_what_a_record_can_hold_are_drawn() {
    let mut records = few();
    records[0].delivered = u64::MAX;
    records[1].steady_s = 0.0;
    records[2].latency_us = Some(fixture::latency([0, 0, 1]));
    records[3].bytes.payload = u64::MAX / 2;
    records[4].opening.wire_in = None;
    records[5].parameters.readers = 0;
    draw_all(&experiment("latency", fixture::LATENCY, records));
}

#[test]
fn data_of_the_latency_charts() {
    let experiment = experiment("latency", fixture::LATENCY, few());
    let summary = Summary::of(&experiment, &mut Vec::new());
    let percentiles = Percentiles::of(&summary);
    let at_half = |curve: &crate::report::chart_percentiles::Curve| {
        curve.points.iter().find(|(share, _)| (share - 0.5).abs() < 1e-9).map(|(_, us)| *us)
    };
    let halves: Vec<_> =
        percentiles.panels[0].curves.iter().map(|c| (c.look.label.clone(), at_half(c))).collect();
    insta::assert_debug_snapshot!("percentiles", (halves, percentiles.caption()));
    // 300 samples know nothing of 99.9 %.
    assert!(percentiles.panels[0].curves.iter().all(|c| c.points.last().unwrap().0 < 0.997));
    let strip = Strip::of(&summary);
    insta::assert_debug_snapshot!("strip", (&strip, strip.caption()));
}

#[test]
fn data_of_the_byte_charts() {
    let keep = ["sse", "short-poll-1s", "short-poll-100ms"];
    let records = fixture::records();
    let records =
        records.into_iter().filter(|r| r.experiment == "bandwidth" && keep.contains(&r.client.as_str()));
    let experiment = experiment("bandwidth", fixture::BANDWIDTH, records.collect());
    let summary = Summary::of(&experiment, &mut Vec::new());
    let (bytes, opening, frontier) =
        (BytesPerEvent::of(&summary), Opening::of(&summary), Frontier::of(&summary));
    assert_eq!(opening.extrapolated_from_s, Some(20.0));
    assert_eq!(frontier.panels[0].curve.len(), 2);
    insta::assert_debug_snapshot!(
        "bytes",
        (bytes.caption(), &bytes.panels[1], opening.caption(), frontier.caption())
    );
}

#[test]
fn data_of_the_recovery_charts() {
    let records = fixture::records().into_iter().filter(|record| record.experiment == "reconnect");
    let experiment = experiment("reconnect", fixture::RECONNECT, records.collect());
    let summary = Summary::of(&experiment, &mut Vec::new());
    let times = RecoveryTimes::of(&summary);
    insta::assert_debug_snapshot!("recovery", (&times.panels[0].rows[3], times.caption()));
    let timeline = Timeline::of(&summary);
    let restart = &timeline.panels[3];
    assert_eq!(restart.heading, "Server killed and restarted");
    let sse = restart.lanes.iter().find(|lane| lane.look.label.starts_with("SSE")).unwrap();
    assert!(sse.lost.iter().all(|time| (0.0..1.2).contains(time)), "{:?}", sse.lost);
    assert_eq!(sse.published.len(), sse.received.len() + sse.lost.len());
    assert_eq!(sse.mended, Some(0.4));
}

/// Records of a rate that was raised, of two clients with 10 and 1,000 readers.
fn raised() -> Vec<Record> {
    let mut records = Vec::new();
    for (client, transport, base) in [("sse", "sse", 1.0), ("websocket", "websocket", 2.0)] {
        for readers in [10, 1_000] {
            for repetition in 1..=3_u32 {
                let rate = base * f64::from(repetition) * 100.0;
                let events = rate as u64;
                let step = CapacityStep {
                    rate,
                    attempts: 1,
                    seconds: 1.0,
                    published: events,
                    expected: events * u64::from(readers),
                    delivered: events * u64::from(readers),
                    lost: 0,
                    p50_us: Some(100),
                    p99_us: Some(900),
                    server_cpu_s: Some(0.5),
                    client_cpu_s: Some(0.25),
                };
                let mut record = fixture::blank("latency", client, transport, repetition);
                record.parameters.readers = readers;
                record.latency_us = Some(fixture::latency([100, 200, 900]));
                record.cost.server_rss_before_kib = Some(1_000);
                record.capacity = Some(record::Capacity {
                    steps: vec![step, CapacityStep { rate: rate * 2.0, lost: 5, ..step }],
                    ended_by: "lost".to_owned(),
                    events_per_second: rate,
                    deliveries_per_second: rate * f64::from(readers),
                    server_rss_open_kib: Some(1_000 + 2 * u64::from(readers)),
                    harness_rss_before_kib: Some(500),
                    harness_rss_open_kib: Some(500 + 4 * u64::from(readers)),
                    server_descriptors_before: Some(20),
                    server_descriptors_after: Some(20),
                });
                record.doubtful.extend((client == "sse" && repetition == 1).then(|| "busy; wait".to_owned()));
                records.push(record);
            }
        }
    }
    records
}

#[test]
fn data_of_the_capacity_charts() {
    let experiment = experiment("latency", fixture::LATENCY, raised());
    let summary = Summary::of(&experiment, &mut Vec::new());
    let capacity = Capacity::of(&summary);
    let points = |panel: &crate::report::curves::CurvePanel| {
        panel.curves.iter().map(|curve| (curve.look.label.clone(), curve.points.clone())).collect::<Vec<_>>()
    };
    let deliveries = points(&capacity.deliveries);
    assert_eq!(deliveries.len(), 2);
    assert_eq!(deliveries[0].1, [(10.0, 2_000.0), (1_000.0, 200_000.0)]);
    assert_eq!(deliveries[1].1, [(10.0, 4_000.0), (1_000.0, 400_000.0)]);
    let marked: Vec<_> =
        capacity.deliveries.curves.iter().map(|it| (it.hollow.len(), it.at_least.len())).collect();
    assert_eq!(marked, [(0, 0), (0, 0)], "one doubtful run of three, and the server was the limit");
    assert!(points(&capacity.latency).iter().all(|(_, points)| points.iter().all(|(_, us)| *us >= 900.0)));
    assert!(capacity.caption().contains("400,000 per second (at 1,000 readers)"), "{}", capacity.caption());
    assert_eq!(capacity.doubtful.iter().map(|(_, some, all)| (*some, *all)).collect::<Vec<_>>(), [(2, 6)]);
    let memory = MemoryPerReaders::of(&summary);
    assert_eq!(memory.descriptors, (12, 0));
    assert!(
        memory.caption().ends_with("as few descriptors as before, in all 12 runs."),
        "{}",
        memory.caption()
    );
    let bytes: Vec<_> = memory.panels.iter().map(|panel| points(panel)[0].1[0].1).collect();
    assert_eq!(bytes, [2_048.0, 4_096.0], "of the server and of the harness");
    let best = Figure::CapacityServerCpuPerThousand.of(&experiment.records[0]);
    assert_eq!(
        best,
        Some(500.0),
        "in milliseconds, of the step that was kept: half a second for a thousand events"
    );
    assert_eq!(Figure::WireBytesPerEvent.of(&experiment.records[0]), None, "bytes are of all steps");
}

#[test]
fn what_is_doubtful_what_is_nothing_and_what_could_be_more_is_seen_at_its_point() {
    let mut records = raised();
    for record in &mut records {
        let readers = record.parameters.readers;
        let capacity = record.capacity.as_mut().expect("it was raised");
        match (record.transport.as_str(), readers) {
            ("sse", 1_000) => {
                capacity.steps.truncate(1);
                (capacity.events_per_second, capacity.deliveries_per_second) = (0.0, 0.0);
                record.doubtful = vec!["the harness took more CPU; use another".to_owned()];
            }
            ("websocket", 10) => {
                capacity.steps.truncate(1);
                capacity.ended_by = "most".to_owned();
            }
            _ => {}
        }
    }
    let experiment = experiment("latency", fixture::LATENCY, records);
    let capacity = Capacity::of(&Summary::of(&experiment, &mut Vec::new()));
    let [sse, websocket] = capacity.deliveries.curves.as_slice() else { panic!("{capacity:?}") };
    assert_eq!(
        (sse.points.as_slice(), sse.hollow.as_slice()),
        ([(10.0, 2_000.0), (1_000.0, 0.0)].as_slice(), [1_000.0].as_slice())
    );
    assert_eq!((websocket.at_least.as_slice(), websocket.hollow.len()), ([10.0].as_slice(), 0));
    assert_eq!(capacity.latency.curves[0].points.len(), 1, "what was not kept has no latency at that rate");
    let caption = capacity.caption();
    assert!(caption.contains("Not even the first rate was kept, by readers: SSE with 1,000."), "{caption}");
    let svg = capacity.draw().expect("drawn");
    assert!(svg.contains(">0</text>") || svg.contains("\n0\n"), "nothing has a place on the axis");
}

#[test]
fn where_the_kernel_counts_nothing_the_charts_say_so() {
    let mut records: Vec<Record> =
        fixture::records().into_iter().filter(|record| record.experiment == "bandwidth").collect();
    for record in &mut records {
        for bytes in [&mut record.bytes, &mut record.steady, &mut record.opening] {
            (bytes.wire_in, bytes.wire_out) = (None, None);
        }
    }
    let experiment = experiment("bandwidth", fixture::BANDWIDTH, records);
    let svgs = draw_all(&experiment);
    let bytes = BytesPerEvent::of(&Summary::of(&experiment, &mut Vec::new()));
    assert!(bytes.subtitle.contains("does not count TCP/IP"), "{}", bytes.subtitle);
    assert!(svgs[2].contains("+ TCP/IP"));
    assert!(words(&svgs[3]).contains("does not count TCP/IP"), "{}", words(&svgs[3]));
    assert!(words(&svgs[4]).contains("only Linux counts"), "{}", words(&svgs[4]));
}

#[test]
fn figures_come_from_what_was_counted() {
    let mut record = fixture::cut("sse", "close", 1);
    record.delivered = 10;
    record.parameters.readers = 2;
    record.steady_s = 30.0;
    (record.steady.wire_in, record.steady.wire_out) = (Some(4_300), Some(700));
    (record.opening.wire_in, record.opening.wire_out) = (Some(700), Some(300));
    record.steady.requests = 5;
    (record.lost, record.lost_announced) = (5, 3);
    record.cost.server_cpu_s = Some(0.002);
    record.recovery.as_mut().unwrap().back_ms = None;
    for (figure, value) in [
        (Figure::WireBytesPerEvent, 500.0),
        (Figure::WireBytesToOpen, 500.0),
        (Figure::WireBytesPerMinute, 5_000.0),
        (Figure::RequestsPerEvent, 0.5),
        (Figure::Lost, 5.0),
        (Figure::LostSilently, 2.0),
        (Figure::ServerCpuPerThousand, 200.0),
        (Figure::BackMs, f64::INFINITY),
    ] {
        let got = figure.of(&record).unwrap();
        assert!(got == value || (got - value).abs() < 1e-9, "{figure:?}: {got}");
    }
    record.err = Some("failed".to_owned());
    assert!(Figure::ALL.iter().all(|figure| figure.of(&record).is_none()), "a failed run has no figures");
}

proptest! {
    #[test]
    fn stacked_parts_add_up_to_the_wire_total(
        payload in 0_u64..100_000, framing in 0_u64..100_000, heads in 0_u64..100_000, tcp_ip in 0_u64..100_000,
        delivered in 1_u64..1_000,
    ) {
        let mut record = fixture::blank("x", "sse", "sse", 1);
        record.delivered = delivered;
        record.steady.payload = payload;
        record.steady.heads_in = heads;
        record.steady.application_in = payload + framing + heads;
        record.steady.wire_in = Some(record.steady.application_in + tcp_ip);
        record.steady.wire_out = Some(0);
        let parts = Parts::per_event(&record).unwrap();
        let wire = wire(&record.steady).unwrap() as f64 / delivered as f64;
        prop_assert!((parts.total() - wire).abs() < 1e-6 * wire.max(1.0), "{} {}", parts.total(), wire);
        prop_assert!((parts.framing - framing as f64 / delivered as f64).abs() < 1e-6);
        prop_assert!((parts.tcp_ip.unwrap() - tcp_ip as f64 / delivered as f64).abs() < 1e-6);
    }
}

#[test]
fn servers_of_a_transport_stand_together_in_its_colour() {
    let servers = ["nchan", "built-in", "ws", "better-sse", "another", "plain-sse"];
    let record = |client: &str, server: &&str, repetition| {
        let mut record = fixture::blank("latency", client, client, repetition);
        record.target = Some((*server).to_owned());
        let delivered = 1_000 * server.len() as u64;
        record.saturation = Some(record::Saturation { delivered, seconds: 1.0 });
        record
    };
    let each = |client| {
        servers.iter().flat_map(move |server| (1..=3).map(move |number| record(client, server, number)))
    };
    let experiment = experiment("latency", fixture::LATENCY, each("websocket").chain(each("sse")).collect());
    let peers = Peers::of(&Summary::of(&experiment, &mut Vec::new()));
    let [panel] = peers.panels.as_slice() else { panic!("{peers:?}") };
    let rows: Vec<_> =
        panel.rows.iter().map(|row| (row.client.as_str(), row.server.as_str(), row.is_main)).collect();
    let (sse, websocket) = rows.split_at(6);
    assert!(
        sse.iter().all(|(client, ..)| *client == sse[0].0)
            && websocket.iter().all(|(client, ..)| *client == websocket[0].0)
    );
    assert_eq!((sse[0].1, sse[0].2, sse[1].2), ("built-in", true, false), "ours is the first");
    let colours: Vec<_> = panel.rows.iter().map(|row| (row.look.colour, row.look.marker)).collect();
    assert!(
        colours[..6].iter().all(|it| *it == colours[0]) && colours[6..].iter().all(|it| *it == colours[6])
    );
    assert_ne!(colours[0], colours[6]);
    // As long as the reference's longest, which once was cut.
    let svg = peers.draw().expect("drawn");
    assert!(svg.contains(&panel.condition), "the heading is whole");
}
