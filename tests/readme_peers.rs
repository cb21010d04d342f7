//! The README's comparison with other servers is what the reference says.
//!
//! After a new reference run, `PUSHLAB_UPDATE_README=1 cargo test --test readme_peers` writes its figures in.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::{collections::HashMap, fmt::Write as _, fs};

use pushlab::report::units::significant;

/// A table of `results/reference/peers/summary.csv`, whose cells hold no commas.
struct Peers(Vec<HashMap<String, String>>);

/// The transports by their names there.
const TRANSPORTS: [&str; 3] = ["sse", "websocket", "long-poll"];

impl Peers {
    fn read() -> Peers {
        let text = fs::read_to_string("results/reference/peers/summary.csv").unwrap();
        let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned));
        let names: Vec<String> = lines.next().unwrap().collect();
        Peers(lines.map(|cells| names.iter().cloned().zip(cells).collect()).collect())
    }

    /// A figure of a target by each transport, where so many readers had events at this rate.
    fn cell(&self, target: &str, figure: &str, readers: &str, rate: Option<&str>) -> String {
        let cells = TRANSPORTS.map(|transport| {
            let row = self.0.iter().find(|row| {
                row["target"] == target
                    && row["transport"] == transport
                    && row["readers"] == readers
                    && rate.is_none_or(|rate| row["rate_per_s"] == rate)
                    && !row[figure].is_empty()
            });
            row.map_or("–".to_owned(), |row| significant(row[figure].parse().unwrap()))
        });
        cells.join(" · ")
    }

    fn table(&self) -> String {
        let mut targets: Vec<&str> = Vec::new();
        for row in &self.0 {
            if !targets.contains(&&*row["target"]) {
                targets.push(&row["target"]);
            }
        }
        targets.sort_by_key(|target| *target != "built-in");
        let mut table = "| SSE · WebSocket · long poll | deliveries a second, 1,000 readers | µs of CPU per delivery, 20 \
                         events/s, 1,000 readers | KiB per waiting reader, 10,000 of them |\n| --- | --- | --- | --- |\n"
            .to_owned();
        for target in targets {
            let deliveries = self.cell(target, "deliveries_per_second_count_median", "1000", None);
            let cpu = self.cell(target, "server_cpu_per_thousand_ms_median", "1000", Some("20"));
            let memory = self.cell(target, "rss_per_reader_kib_median", "10000", Some("0"));
            let name = if target == "built-in" { "**pushlab**" } else { target };
            writeln!(table, "| {name} | {deliveries} | {cpu} | {memory} |").unwrap();
        }
        table
    }
}

#[test]
fn its_table_of_servers_is_the_references() {
    const MARK: &str = "<!-- peers -->\n";
    let readme = fs::read_to_string("README.md").unwrap();
    let (before, after) = readme.split_once(MARK).unwrap();
    let (told, behind) = after.split_at(after.find("\n*Medians").unwrap());
    let wanted = Peers::read().table();
    if std::env::var_os("PUSHLAB_UPDATE_README").is_some_and(|it| it == "1") {
        fs::write("README.md", format!("{before}{MARK}{wanted}{behind}")).unwrap();
        return;
    }
    assert_eq!(told, wanted, "run PUSHLAB_UPDATE_README=1 cargo test --test readme_peers");
}
