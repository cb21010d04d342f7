//! A rate that is raised step by step, at a small scale.

#![allow(clippy::unwrap_used, reason = "a test that panics has said so")]

mod session;

use pushlab::{
    clock::Clock,
    harness::{catalogue::Sourced, definition::Definition},
};

const DEFINITION: &str = r#"
question = "?"
why = "?"
charts = ["capacity", "memory-per-readers"]
[[client]]
name = "tcp-floor"
transport = "tcp-floor"
[[client]]
name = "short-poll"
transport = "short-poll"
interval_ms = 100
[[client]]
name = "long-poll"
transport = "long-poll"
[[client]]
name = "sse"
transport = "sse"
[[client]]
name = "websocket"
transport = "websocket"
[[conditions]]
readers = [3]
rate = [20]
[conditions.step]
factor = 2
p99_ms = 60_000
most = 80
[quick]
repetitions = 1
warm_up_s = 0
measure_s = 0.5
[full]
repetitions = 1
warm_up_s = 0
measure_s = 0.5
"#;

fn sourced(text: &str) -> Sourced {
    let definition = Definition::parse("capacity", "capacity.toml", text).unwrap();
    Sourced { definition, text: text.to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rate_is_raised_until_it_is_the_highest_and_every_step_is_told() {
    let clock = Clock::start();
    let environment = session::environment(clock, clock);
    let ran = session::run(sourced(DEFINITION), 1, &environment).await;
    assert_eq!(ran.records.len(), 5);
    for record in &ran.records {
        assert_eq!(record.err, None);
        let capacity = record.capacity.as_ref().unwrap();
        let rates: Vec<f64> = capacity.steps.iter().map(|step| step.rate).collect();
        // A bound of a minute ends nothing; a machine that is very busy may publish late.
        assert!(rates == [20.0, 40.0, 80.0] || capacity.ended_by == "source", "{capacity:?}");
        for step in &capacity.steps {
            assert_eq!((step.expected, step.lost), (3 * step.published, 0), "{step:?}");
            assert_eq!(step.delivered, step.expected);
        }
        let descriptors = (capacity.server_descriptors_before, capacity.server_descriptors_after);
        let is_rid = |(before, after): (Option<u64>, Option<u64>)| after <= before;
        assert!(is_rid(descriptors), "{descriptors:?}");
        assert_eq!(descriptors.0.is_some(), cfg!(target_os = "linux"));
        let best = capacity.best();
        assert_eq!(capacity.deliveries_per_second > 0.0, best.is_some());
        if let Some(best) = best {
            assert_eq!(
                (record.delivered, record.lost),
                (best.delivered, 0),
                "the record tells the best step"
            );
            assert_eq!(record.latency_us.as_ref().unwrap().count, best.delivered);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_that_nobody_keeps_ends_it_at_the_first_step() {
    let text = DEFINITION.replace("p99_ms = 60_000", "p99_ms = 0.001");
    let clock = Clock::start();
    let environment = session::environment(clock, clock);
    let ran = session::run(sourced(&text), 1, &environment).await;
    for record in &ran.records {
        let capacity = record.capacity.as_ref().unwrap();
        if record.transport == "short-poll" {
            // Its own interval is added to its bound.
            assert!(capacity.steps[0].p99_us.is_some_and(|micros| micros > 10_000), "{capacity:?}");
            continue;
        }
        assert_eq!((capacity.steps.len(), capacity.events_per_second), (1, 0.0));
        assert_eq!(capacity.steps[0].attempts, if capacity.ended_by == "lost" { 1 } else { 2 });
        assert!(["p99", "lost"].contains(&capacity.ended_by.as_str()), "{capacity:?}");
        assert!(capacity.best().is_none());
        assert_eq!(record.err, None, "that is a figure and no failure");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_is_raised_by_posts_as_well() {
    let text = DEFINITION.replace("charts =", "publisher = \"post\"\ncharts =");
    let clock = Clock::start();
    let environment = session::environment(clock, clock);
    let ran = session::run(sourced(&text), 1, &environment).await;
    for record in &ran.records {
        assert_eq!(record.err, None);
        let capacity = record.capacity.as_ref().unwrap();
        assert!(capacity.steps.len() == 3 || capacity.ended_by == "source", "{capacity:?}");
        for step in &capacity.steps {
            assert_eq!((step.expected, step.lost), (3 * step.published, 0), "{step:?}");
            assert!(step.published > 0 && step.p99_us.is_some(), "each step has times of its own: {step:?}");
        }
        assert!(capacity.ended_by != "source" || !record.doubtful.is_empty(), "{record:?}");
    }
}

#[test]
fn steps_are_refused_where_they_would_mean_nothing() {
    let parse = |from: &str, to: &str| {
        let text = DEFINITION.replacen(from, to, 1);
        Definition::parse("capacity", "capacity.toml", &text).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(parse("question", "question"), Ok(()));
    assert_eq!(parse("charts", "publisher = \"post\"\ncharts"), Ok(()));
    assert_eq!(
        parse("readers = [3]", "readers = [100000]"),
        Ok(()),
        "where there is room is another question"
    );
    assert!(parse("readers = [3]", "readers = [100001]").is_err_and(|error| error.contains("1 to 100000")));
    for (from, to, told) in [
        ("charts", "layout = \"together\"\ncharts", "leave the layout out"),
        ("charts", "publisher = \"closed-loop\"\ncharts", "leave the publisher out"),
        ("rate = [20]", "rate = [20]\nfault = [\"reset\"]", "leave fault"),
        ("rate = [20]", "rate = [1]", "rate: the first step's rate"),
        ("factor = 2", "factor = 1", "step.factor: must be"),
        ("p99_ms = 60_000", "p99_ms = 0", "step.p99_ms: must be"),
        ("transport = \"sse\"", "transport = \"sse\"\nown_process = true", "clients that only read"),
    ] {
        let error = parse(from, to).expect_err(told);
        assert!(error.contains(told), "{error}");
    }
}
