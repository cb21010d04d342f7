//! Two run folders side by side.

use super::*;

/// The few records of [`few`], with one client's latencies stretched.
fn stretched(client: &str, times: f64) -> Vec<Record> {
    let mut records = few();
    for record in records.iter_mut().filter(|record| record.client == client) {
        let latency = record.latency_us.as_mut().unwrap();
        latency.mean *= times;
        for value in [&mut latency.p50, &mut latency.p99, &mut latency.max] {
            *value = (*value as f64 * times) as u64;
        }
    }
    records
}

fn compared(earlier: &[Record], later: &[Record]) -> String {
    let definition = &ALL[1..2];
    let (earlier, later) = (folder(definition, 9, earlier), folder(definition, 9, later));
    compare(earlier.path(), later.path()).unwrap()
}

/// The line of a figure in the paragraph of a client.
fn line<'a>(text: &'a str, client: &str, figure: &str) -> &'a str {
    let paragraph = text.split("\n\n").find(|part| part.starts_with(&format!("  {client},"))).unwrap();
    paragraph.lines().find(|line| line.trim_start().starts_with(figure)).unwrap()
}

#[test]
fn a_run_is_the_same_as_itself_in_practice() {
    let text = compared(&few(), &few());
    assert!(line(&text, "sse", "latency p50").ends_with("same in practice"), "{text}");
    // The last sentence is wrapped wherever its numbers make it.
    let unwrapped = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(unwrapped.contains("0 with one") && unwrapped.contains("0 differ."), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
}

#[test]
fn what_became_slower_is_named_and_so_is_a_verdict_that_changed() {
    // A hundred times as slow: no longer fresher than a short poll, which S1 says.
    let text = compared(&few(), &stretched("sse", 100_000.0));
    let slower = line(&text, "sse", "latency p50");
    assert!(slower.ends_with("slower") && slower.contains("× 100,"), "{text}");
    assert!(line(&text, "tcp-floor", "latency p50").ends_with("same in practice"), "{text}");
    assert!(line(&compared(&stretched("sse", 2.0), &few()), "sse", "latency p50").ends_with("faster"));
}

#[test]
fn what_only_one_run_has_is_said() {
    let (mut later, mut changed) = (few(), few());
    later.retain(|record| record.client != "sse");
    assert!(compared(&few(), &later).contains("only in the earlier run"));
    changed.iter_mut().for_each(|record| record.doubtful = vec!["it was busy".to_owned()]);
    assert!(compared(&few(), &changed).contains("Later: 9 runs with doubtful figures"));
    let missing = compare(Path::new("/nowhere"), Path::new("/nowhere")).unwrap_err().to_string();
    assert!(missing.contains("/nowhere/manifest.json"), "{missing}");
}
