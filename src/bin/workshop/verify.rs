//! `workshop verify`.

use std::{path::Path, process::ExitCode};

use pushlab::workshop::verify::{self, Options, Row, Standing};

use crate::args::VerifyArgs;

pub(crate) async fn verify(folder: &Path, args: VerifyArgs) -> anyhow::Result<ExitCode> {
    let options = Options { require: args.require, jobs: args.jobs, only: args.only };
    let rows = verify::verify(folder, &options, print).await?;
    let count = |is: fn(&Standing) -> bool| rows.iter().filter(|row| is(&row.standing)).count();
    let bad = count(|standing| matches!(standing, Standing::Bad(_)));
    let skipped = count(|standing| matches!(standing, Standing::Skipped(_)));
    anstream::println!(
        "\n{} as they should be, {bad} not, {skipped} not verified here",
        count(|standing| matches!(standing, Standing::Good(_)))
    );
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(row: &Row) {
    let (sign, words) = match &row.standing {
        Standing::Good(words) => ("✓", words),
        Standing::Skipped(words) => ("·", words),
        Standing::Bad(words) => ("✗", words),
    };
    anstream::println!("{sign} {:<48} {:>6.1} s  {words}", row.what, row.took.as_secs_f64());
}
