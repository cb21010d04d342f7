//! A session of one experiment that a test runs within its own process, and the records that it leaves.

#![allow(dead_code, reason = "no test looks at all of it")]

use std::{fs, path::Path, time::Duration};

use pushlab::{
    clock::Clock,
    harness::{
        catalogue::Sourced,
        plan::Form,
        record::Record,
        run::Environment,
        runner::{self, Experiment, Outcome, Session},
        server_process::ServerOptions,
        target::Target,
    },
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// The program that is started again as the server under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_experiment");

/// Longer than any session of a test takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A session that has ended.
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    pub(crate) records: Vec<Record>,
    _dir: TempDir,
}

impl Ran {
    /// Its folder, which is gone with it.
    pub(crate) fn folder(&self) -> &Path {
        &self.outcome.folder
    }
}

/// Where a session takes place that measures by this clock, and whose server has this one.
pub(crate) fn environment(clock: Clock, servers: Clock) -> Environment {
    Environment { clock, server: ServerOptions::new(PROGRAM, servers) }
}

/// Runs one experiment in its quick form.
pub(crate) async fn run(experiment: Sourced, repetitions: u32, environment: &Environment) -> Ran {
    run_against(vec![Target::BuiltIn], experiment, repetitions, environment).await
}

/// The same against these servers.
pub(crate) async fn run_against(
    targets: Vec<Target>,
    experiment: Sourced,
    repetitions: u32,
    environment: &Environment,
) -> Ran {
    let dir = tempfile::tempdir().unwrap();
    let name = experiment.definition.name.clone();
    let session = Session {
        experiments: vec![Experiment { sourced: experiment, targets }],
        form: Form::Quick,
        repetitions: Some(repetitions),
        seed: 1,
        out: Some(dir.path().join("out")),
        command: vec!["a test".to_owned()],
        absent: Vec::new(),
    };
    let interrupt = CancellationToken::new();
    let running = runner::run(session, environment, &interrupt);
    let outcome = tokio::time::timeout(PATIENCE, running).await.expect("a session ends").unwrap();
    let lines = fs::read_to_string(outcome.folder.join(name).join("runs.jsonl")).unwrap();
    let records = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    Ran { outcome, records, _dir: dir }
}
