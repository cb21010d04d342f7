//! A session: experiments, one after the other, into a folder.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::SystemTime};

use tokio_util::sync::CancellationToken;

use super::{
    browser::{Browser, BrowserError, Programs},
    catalogue::Sourced,
    definition::{Definition, Fault, Network, Subject},
    folder::{Folder, FolderError},
    machine,
    manifest::Manifest,
    plan::{Form, Group, Plan},
    progress::Progress,
    run::{self, Environment, Target},
};
use crate::link::namespace::Namespace;

/// What a session runs.
#[derive(Debug)]
pub struct Session {
    /// The experiments, in order.
    pub experiments: Vec<Sourced>,
    /// Quick or full.
    pub form: Form,
    /// Overrides the profile's number of repetitions.
    pub repetitions: Option<u32>,
    /// What all random choices are drawn from.
    pub seed: u64,
    /// Where to write, if not under `results/`.
    pub out: Option<PathBuf>,
    /// The command line, for the manifest.
    pub command: Vec<String>,
}

/// How a session ended.
#[derive(Debug)]
pub struct Outcome {
    /// Its folder.
    pub folder: PathBuf,
    /// Runs that failed.
    pub failed: u64,
    /// Whether it was interrupted.
    pub interrupted: bool,
    /// What could not be written any more, where that ended it.
    pub unwritten: Option<FolderError>,
}

/// Why a session could not begin.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Its folder can't be made.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The browser that it needs does not come up.
    #[error(transparent)]
    Browser(#[from] BrowserError),
}

/// Runs a session. Raising `interrupt` ends it with what has been measured by then.
///
/// # Errors
/// Where its folder can't be made, or the browser that a client reads in does not come up.
pub async fn run(
    session: Session,
    environment: &Environment,
    interrupt: &CancellationToken,
) -> Result<Outcome, SessionError> {
    let started = SystemTime::now();
    let plans: Vec<_> = session
        .experiments
        .iter()
        .map(|sourced| {
            let mut definition = sourced.definition.clone();
            leave_out_impossible(&mut definition, &environment.target);
            let plan = Plan::new(&definition, session.form, session.repetitions, session.seed);
            (definition, plan)
        })
        .collect();
    let browser = browser(&plans).await?;
    let folder = Folder::create(session.out.as_deref(), started)?;
    let mut manifest = manifest(&session, environment, started, &plans);
    folder.write_manifest(&manifest)?;
    let mut outcome =
        Outcome { folder: folder.path().to_owned(), failed: 0, interrupted: false, unwritten: None };
    let around = Around { environment, browser: browser.as_ref(), interrupt };
    for (definition, plan) in &plans {
        outcome.unwritten = run_experiment(definition, plan, &around, &folder, &mut outcome).await.err();
        outcome.interrupted = interrupt.is_cancelled();
        if outcome.unwritten.is_some() || outcome.interrupted {
            break;
        }
    }
    if let Some(browser) = browser {
        browser.close().await;
    }
    if outcome.unwritten.is_some() || outcome.interrupted {
        return Ok(outcome);
    }
    manifest.finished = Some(humantime::format_rfc3339_seconds(SystemTime::now()).to_string());
    outcome.unwritten = folder.write_manifest(&manifest).err();
    Ok(outcome)
}

/// What all experiments of a session share.
struct Around<'a> {
    environment: &'a Environment,
    browser: Option<&'a Arc<Browser>>,
    interrupt: &'a CancellationToken,
}

/// One browser for all of a session, where any of its clients reads in one.
async fn browser(plans: &[(Definition, Plan)]) -> Result<Option<Arc<Browser>>, BrowserError> {
    let pages = |group: &Group| {
        let in_browser = group.clients.iter().filter(|client| client.browser).count();
        in_browser * group.condition.readers as usize
    };
    let steps = plans.iter().flat_map(|(_, plan)| &plan.steps);
    match steps.map(|step| step.iter().map(pages).sum()).max() {
        None | Some(0) => Ok(None),
        Some(windows) => Ok(Some(Browser::start(&Programs::find()?, windows).await?)),
    }
}

async fn run_experiment(
    definition: &Definition,
    plan: &Plan,
    around: &Around<'_>,
    folder: &Folder,
    outcome: &mut Outcome,
) -> Result<(), FolderError> {
    let mut records = folder.records(&definition.name)?;
    let mut progress = Progress::start(&definition.name, plan.runs(), plan.seconds());
    for step in &plan.steps {
        progress.running(&describe(step));
        let exclusive = matches!(step.as_slice(), [group] if group.clients.len() == 1);
        let groups = step
            .iter()
            .map(|group| run::run_group(around.environment, definition, group, exclusive, around.browser));
        let measured = tokio::select! {
            measured = futures_util::future::join_all(groups) => measured,
            // Dropping the groups ends their readers, relays and servers.
            () = around.interrupt.cancelled() => break,
        };
        for record in measured.iter().flatten() {
            records.add(record)?;
            outcome.failed += u64::from(record.err.is_some());
            progress.ran(record);
        }
    }
    progress.finish();
    Ok(())
}

fn describe(step: &[Group]) -> String {
    match step {
        [group] if group.clients.len() == 1 => {
            let client = &group.clients[0];
            group.condition.run_name(client, group.repetition)
        }
        _ => format!("{} runs side by side", step.iter().map(|group| group.clients.len()).sum::<usize>()),
    }
}

/// What only a server that we start can do is not planned against another one; [`left_out`] says so.
fn leave_out_impossible(definition: &mut Definition, target: &Target) {
    if *target == Target::BuiltIn {
        return;
    }
    definition.clients.retain(|client| client.transport != Subject::Floor);
    for conditions in &mut definition.conditions {
        let had_faults = !conditions.faults().is_empty();
        conditions.fault.retain(|fault| !fault.needs_own_server());
        conditions.timetable.take_if(|it| it.faults().iter().any(|fault| fault.needs_own_server()));
        if had_faults && conditions.faults().is_empty() {
            conditions.rate.clear();
        }
        conditions.bystanders = None;
        conditions.clients.retain(|name| definition.clients.iter().any(|client| client.name == *name));
    }
}

/// What of an experiment can't be measured against this target, in words; empty for the built-in server.
pub fn left_out(definition: &Definition, target: &Target) -> Vec<String> {
    if *target == Target::BuiltIn {
        return Vec::new();
    }
    let mut words = Vec::new();
    if definition.clients.iter().any(|client| client.transport == Subject::Floor) {
        words.push(format!(
            "{}: the bare TCP floor is left out: only the built-in server has one",
            definition.name
        ));
    }
    let planned = |which: fn(Fault) -> bool| {
        definition.conditions.iter().any(|conditions| conditions.faults().into_iter().any(which))
    };
    if planned(Fault::kills) {
        words.push(format!(
            "{}: restarts are left out: only the built-in server is ours to kill",
            definition.name
        ));
    }
    if definition.conditions.iter().any(|conditions| conditions.bystanders.is_some()) {
        words.push(format!(
            "{}: bystanders are left out: another server's clock is not ours",
            definition.name
        ));
    }
    if planned(|fault| fault == Fault::Stall) {
        words.push(format!(
            "{}: stalls are left out: only the built-in server is ours to stop",
            definition.name
        ));
    }
    words
}

/// Why an experiment can't be run here at all, in words: segments that can't be lost are not replaced by
/// something that looks similar. Makes and removes a network namespace where one is needed.
pub fn refused(definition: &Definition, form: Form, target: &Target) -> Option<String> {
    let planned = definition.conditions.iter().filter(|it| form == Form::Full || !it.full_only);
    if definition.clients.iter().any(|client| client.browser)
        && let Err(missing) = Programs::find()
    {
        return Some(format!("{}: {missing}", definition.name));
    }
    if !planned.flat_map(|conditions| &conditions.network).any(Network::is_lossy) {
        return None;
    }
    let reason = match target {
        Target::Url(_) => "packet loss needs the built-in server: run it without --target".to_owned(),
        Target::BuiltIn => Namespace::create(0.0).err()?.to_string(),
    };
    Some(format!("{}: {reason}", definition.name))
}

fn manifest(
    session: &Session,
    environment: &Environment,
    started: SystemTime,
    plans: &[(Definition, Plan)],
) -> Manifest {
    let definitions = session.experiments.iter();
    Manifest {
        pushlab: env!("CARGO_PKG_VERSION").to_owned(),
        command: session.command.clone(),
        profile: session.form.slug().to_owned(),
        seed: session.seed,
        started: humantime::format_rfc3339_seconds(started).to_string(),
        finished: None,
        target: match &environment.target {
            Target::BuiltIn => "built-in".to_owned(),
            Target::Url(url) => url.to_string(),
        },
        definitions: definitions
            .map(|sourced| (sourced.definition.name.clone(), sourced.text.clone()))
            .collect::<BTreeMap<_, _>>(),
        planned: plans.iter().map(|(definition, plan)| (definition.name.clone(), plan.runs())).collect(),
        left_out: plans_left_out(session, environment),
        git_revision: machine::git_revision(),
        machine: machine::this_machine(),
    }
}

fn plans_left_out(session: &Session, environment: &Environment) -> Vec<String> {
    let of = |sourced: &Sourced| left_out(&sourced.definition, &environment.target);
    session.experiments.iter().flat_map(of).collect()
}
