//! `experiment verify`.

use std::process::ExitCode;

use clap::Subcommand;
use pushlab::harness::verify::{self, Row, Verdict};

#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum Verify {
    /// Compare our byte counts of every transport with a packet capture on the loopback (needs tcpdump or
    /// tshark, and the right to capture)
    Bytes,
}

pub(crate) async fn verify(what: Verify) -> anyhow::Result<ExitCode> {
    let Verify::Bytes = what;
    let rows = verify::bytes().await?;
    anstream::println!(
        "{:<11} {:>7} {:>11} {:>9} {:>9} {:>9} {:>6}  verdict",
        "transport",
        "payload",
        "application",
        "captured",
        "wire",
        "captured",
        "diff"
    );
    for row in &rows {
        print(row);
    }
    let count = |is: fn(&Verdict) -> bool| rows.iter().filter(|row| is(&row.verdict)).count();
    let differ = count(|verdict| matches!(verdict, Verdict::Differs(_)));
    anstream::println!(
        "\nThe bytes of three events and their connections, both ways.\n{} exchanges: {} equal to the byte, {} \
         explained to the byte, {differ} differ.",
        rows.len(),
        count(|verdict| matches!(verdict, Verdict::Equal)),
        count(|verdict| matches!(verdict, Verdict::Explained(_))),
    );
    Ok(if differ == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(row: &Row) {
    let (word, why) = match &row.verdict {
        Verdict::Equal => ("equal", None),
        Verdict::Explained(why) => ("explained", Some(why)),
        Verdict::Differs(why) => ("DIFFERS", Some(why)),
    };
    anstream::println!(
        "{:<11} {:>7} {:>11} {:>9} {:>9} {:>9} {:>+6}  {word}",
        row.subject.slug(),
        row.payload,
        row.application_counted,
        row.application_captured,
        row.wire_counted,
        row.wire_captured,
        row.wire_counted as i64 - row.wire_captured as i64,
    );
    for reason in why.iter().flat_map(|why| why.split("; ")) {
        anstream::println!("            {reason}");
    }
}
