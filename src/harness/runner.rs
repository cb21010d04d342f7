//! A session: experiments, one after the other, into a folder.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::SystemTime};

use tokio_util::sync::CancellationToken;

use super::{
    browser::{Browser, BrowserError, Programs},
    catalogue::Sourced,
    definition::{Definition, Network},
    folder::{Folder, FolderError},
    machine,
    manifest::{Manifest, TargetText},
    plan::{Form, Group, Plan},
    progress::Progress,
    room,
    run::{self, Environment},
    target::{Target, able::leave_out_impossible},
};
use crate::link::namespace::Namespace;

/// What a session runs.
#[derive(Debug)]
pub struct Session {
    /// The experiments, in order.
    pub experiments: Vec<Experiment>,
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
    /// Servers that an experiment names and that are not here, in words.
    pub absent: Vec<String>,
}

impl Session {
    /// What of it can't be measured here, in words.
    pub fn left_out(&self) -> Vec<String> {
        let each = self.experiments.iter().flat_map(|Experiment { sourced, targets }| {
            let definition = &sourced.definition;
            let crowded = room::leave_out_too_many(&mut definition.clone(), self.form, room::most_readers());
            let crowded = crowded.map(|words| format!("{}: {words}", definition.name));
            crowded.into_iter().chain(left_out(definition, targets))
        });
        self.absent.iter().cloned().chain(each).collect()
    }
}

/// An experiment, and the servers that it is put to.
#[derive(Debug)]
pub struct Experiment {
    /// The experiment.
    pub sourced: Sourced,
    /// The servers; at least one.
    pub targets: Vec<Target>,
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
        .map(|Experiment { sourced, targets }| {
            let able = |target: &Target| {
                let mut definition = sourced.definition.clone();
                leave_out_impossible(&mut definition, target);
                room::leave_out_too_many(&mut definition, session.form, room::most_readers());
                (target.clone(), definition)
            };
            let able: Vec<_> = targets.iter().map(able).collect();
            let plan = Plan::against(&able, session.form, session.repetitions, session.seed);
            (sourced.definition.clone(), plan)
        })
        .collect();
    let browser = browser(&plans).await?;
    let folder = Folder::create(session.out.as_deref(), started)?;
    let mut manifest = manifest(&session, started, &plans);
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
            group.condition.run_name(client, group.target_name.as_deref(), group.repetition)
        }
        _ => format!("{} runs side by side", step.iter().map(|group| group.clients.len()).sum::<usize>()),
    }
}

/// What of an experiment can't be measured against these servers, in words; empty for the built-in one.
pub fn left_out(definition: &Definition, targets: &[Target]) -> Vec<String> {
    let of = |target: &Target| {
        let whose = target.described().map(|_| format!("{target}: ")).unwrap_or_default();
        let words = leave_out_impossible(&mut definition.clone(), target).into_iter();
        words.map(|words| format!("{}: {whose}{words}", definition.name)).collect::<Vec<_>>()
    };
    targets.iter().flat_map(of).collect()
}

/// Why an experiment can't be run here at all, in words: segments that can't be lost are not replaced by
/// something that looks similar. Makes and removes a network namespace where one is needed.
pub fn refused(definition: &Definition, form: Form, targets: &[Target]) -> Option<String> {
    let planned = definition.conditions.iter().filter(|it| form == Form::Full || !it.full_only);
    if definition.clients.iter().any(|client| client.browser)
        && let Err(missing) = Programs::find()
    {
        return Some(format!("{}: {missing}", definition.name));
    }
    if !planned.flat_map(|conditions| &conditions.network).any(Network::is_lossy) {
        return None;
    }
    let reason = if targets.iter().any(|target| *target != Target::BuiltIn) {
        "packet loss needs the built-in server: run it without --target".to_owned()
    } else {
        Namespace::create(0.0).err()?.to_string()
    };
    Some(format!("{}: {reason}", definition.name))
}

fn manifest(session: &Session, started: SystemTime, plans: &[(Definition, Plan)]) -> Manifest {
    let definitions = session.experiments.iter().map(|experiment| &experiment.sourced);
    let mut names: Vec<String> = Vec::new();
    let mut texts = BTreeMap::new();
    for target in session.experiments.iter().flat_map(|experiment| &experiment.targets) {
        if !names.contains(&target.name()) {
            names.push(target.name());
        }
        if let Some(described) = target.described() {
            texts.insert(target.name(), TargetText { label: target.label(), text: described.text.clone() });
        }
    }
    Manifest {
        pushlab: env!("CARGO_PKG_VERSION").to_owned(),
        command: session.command.clone(),
        profile: session.form.slug().to_owned(),
        seed: session.seed,
        started: humantime::format_rfc3339_seconds(started).to_string(),
        finished: None,
        target: names.join(", "),
        targets: texts,
        definitions: definitions
            .map(|sourced| (sourced.definition.name.clone(), sourced.text.clone()))
            .collect::<BTreeMap<_, _>>(),
        planned: plans.iter().map(|(definition, plan)| (definition.name.clone(), plan.runs())).collect(),
        left_out: session.left_out(),
        git_revision: machine::git_revision(),
        machine: machine::this_machine(),
    }
}
