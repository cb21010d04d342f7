//! The README's comparison with other servers is what the reference says.
//!
//! After a new reference run, `PUSHLAB_UPDATE_README=1 cargo test --test readme_peers` writes its figures in.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::{fmt::Write as _, fs, path::Path};

use pushlab::{
    harness::definition::Figure,
    report::{condition::Condition, folder::RunFolder, summary::Summary, units::significant},
};

/// The clients of `peers`, one for each transport.
const CLIENTS: [&str; 3] = ["sse", "websocket", "long-poll"];

/// A figure's median of a server by each transport, under the condition that is meant.
fn cell(summary: &Summary<'_>, target: &str, figure: Figure, is_meant: fn(&Condition) -> bool) -> String {
    let cells = CLIENTS.map(|client| {
        let group = summary.groups.iter().filter(|group| is_meant(&group.condition)).find(|group| {
            let series = summary.series_of(group);
            series.name == client && series.target.as_deref() == Some(target)
        });
        let estimate = group.and_then(|group| group.estimate(figure));
        estimate.map_or("–".to_owned(), |estimate| significant(estimate.median))
    });
    cells.join(" · ")
}

fn table() -> String {
    let folder = RunFolder::read(Path::new("results/reference")).unwrap();
    let peers = folder.experiments.iter().find(|it| it.definition.name == "peers").unwrap();
    let summary = Summary::of(peers, &mut Vec::new());
    let mut targets: Vec<&str> = Vec::new();
    for group in &summary.groups {
        let target = summary.series_of(group).target.as_deref().unwrap();
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    targets.sort_by_key(|target| *target != "built-in");
    let mut table = "| SSE · WebSocket · long poll | deliveries a second, 1,000 readers | µs of CPU per delivery, 20 \
                     events/s, 1,000 readers | KiB per waiting reader, 10,000 of them |\n| --- | --- | --- | --- |\n"
        .to_owned();
    for target in targets {
        let deliveries = cell(&summary, target, Figure::DeliveriesPerSecond, |it| it.in_flight.is_some());
        let cpu = cell(&summary, target, Figure::ServerCpuPerThousand, |it| it.rate == 20.0);
        let memory = cell(&summary, target, Figure::RssPerReaderKib, Condition::is_idle);
        let name = if target == "built-in" { "**pushlab**" } else { target };
        writeln!(table, "| {name} | {deliveries} | {cpu} | {memory} |").unwrap();
    }
    table
}

#[test]
fn its_table_of_servers_is_the_references() {
    const MARK: &str = "<!-- peers -->\n";
    let readme = fs::read_to_string("README.md").unwrap();
    let (before, after) = readme.split_once(MARK).unwrap();
    let (told, behind) = after.split_at(after.find("\n*Medians").unwrap());
    let wanted = table();
    if std::env::var_os("PUSHLAB_UPDATE_README").is_some_and(|it| it == "1") {
        fs::write("README.md", format!("{before}{MARK}{wanted}{behind}")).unwrap();
        return;
    }
    assert_eq!(told, wanted, "run PUSHLAB_UPDATE_README=1 cargo test --test readme_peers");
}
