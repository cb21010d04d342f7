//! `experiment check`: definitions and targets, read and not run.

use std::process::ExitCode;

use pushlab::harness::{
    catalogue,
    target::{self, Described},
};

pub(crate) fn check(files: Vec<String>) -> anyhow::Result<ExitCode> {
    let all = || catalogue::names().into_iter().chain(target::files()).collect();
    let names: Vec<String> = if files.is_empty() { all() } else { files };
    let mut bad = 0;
    for name in names {
        match checked(&name) {
            Ok(words) => anstream::println!("{name}: good ({words})"),
            Err(error) => {
                bad += 1;
                anstream::eprintln!("error: {error}");
            }
        }
    }
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn checked(name: &str) -> anyhow::Result<String> {
    if target::is_target(name) {
        let described = Described::read(name.as_ref())?;
        let transports: Vec<&str> = described.description.transport.keys().map(|it| it.slug()).collect();
        return Ok(format!("a target, read by {}", transports.join(", ")));
    }
    Ok(format!("{} claims", catalogue::find(name)?.definition.claims.len()))
}
