//! One check from start to end: the program started, judged within a limit, stopped.

use std::{path::PathBuf, time::Duration};

use url::Url;

use super::{
    checks::{self, Check},
    exercise::{Exercise, Kind},
    finding::{Findings, Report, Verdict},
    http::Place,
    invocation::Invocation,
    judge::{Judge, Stop, Subject},
    program::Program,
    tail::Tail,
};

/// No check takes longer, whatever the program does.
pub const LIMIT: Duration = Duration::from_secs(90);

/// What a student hands in.
#[derive(Debug, Clone)]
pub enum Entry {
    /// A server that runs already.
    Url(Url),
    /// A program to start.
    Command(Invocation),
    /// A file.
    File(PathBuf),
}

/// An exercise that has a folder and no check.
#[derive(Debug, thiserror::Error)]
#[error("there is no check for {0}: `src/workshop/checks/mod.rs` lists them")]
pub struct NoCheck(String);

/// Checks what was handed in.
///
/// # Errors
/// Where the exercise has no check. Everything that the student's program does is in the report.
pub async fn examine(exercise: &Exercise, entry: &Entry) -> Result<Report, NoCheck> {
    let check = checks::find(&exercise.name).ok_or_else(|| NoCheck(exercise.name.clone()))?;
    let output = Tail::default();
    let subject = match entry {
        Entry::Url(url) => url.to_string(),
        Entry::Command(invocation) => invocation.to_string(),
        Entry::File(path) => path.display().to_string(),
    };
    let (findings, trouble) = match begin(exercise.about.kind, entry, &output).await {
        Ok((program, subject)) => {
            let mut judge = Judge::new(subject, output.clone(), check.expectations);
            let trouble = judge_within_limit(check, &mut judge).await;
            if let Some(program) = program {
                program.stop().await;
            }
            (judge.into_findings(), trouble)
        }
        Err(trouble) => (Findings::new(check.expectations), Some(trouble)),
    };
    let verdict = match &trouble {
        _ if findings.any_missed() => Verdict::Failed,
        Some(_) => Verdict::CouldNotTell,
        None => Verdict::Passed,
    };
    let trouble = trouble.filter(|_| verdict == Verdict::CouldNotTell);
    let findings = findings.into_list();
    let exercise = exercise.name.clone();
    Ok(Report { exercise, subject, verdict, trouble, findings, output: output.text() })
}

/// The expectations of an exercise: names and sentences.
pub fn expectations(exercise: &Exercise) -> Vec<(&'static str, &'static str)> {
    let check = checks::find(&exercise.name);
    check.iter().flat_map(|check| check.expectations).map(|it| (it.name, it.expects)).collect()
}

async fn begin(kind: Kind, entry: &Entry, output: &Tail) -> Result<(Option<Program>, Subject), String> {
    match (kind, entry) {
        (Kind::Server, Entry::Url(url)) => Ok((None, Subject::Server(Place::of(url).await?))),
        (Kind::Server, Entry::Command(invocation)) => {
            let (program, address) = Program::serve(invocation, output).await?;
            Ok((Some(program), Subject::Server(Place::at(address))))
        }
        (Kind::Client, Entry::Command(invocation)) => Ok((None, Subject::Client(invocation.clone()))),
        (Kind::File, Entry::File(path)) => Ok((None, Subject::File(path.clone()))),
        (Kind::Server, Entry::File(_)) => {
            Err("this exercise's answer is a server: give --url URL, or -- COMMAND…".to_owned())
        }
        (Kind::Client, _) => Err("this exercise's answer is a client: give -- COMMAND…".to_owned()),
        (Kind::File, _) => Err("this exercise's answer is a file: give --file PATH".to_owned()),
    }
}

/// Why the check could not be made, if it could not.
async fn judge_within_limit(check: &Check, judge: &mut Judge) -> Option<String> {
    let judged = tokio::time::timeout(LIMIT, (check.judge)(judge)).await;
    match judged {
        Ok(Err(Stop::CouldNotTell(why))) => Some(why),
        // A check that ends well has noted everything; one that has not is a mistake of the check.
        Ok(Ok(())) if !judge.findings().all_met() && !judge.findings().any_missed() => Some(format!(
            "the check itself forgot the expectation {:?}: please report this",
            judge.findings().unreached().unwrap_or_default()
        )),
        Ok(Ok(()) | Err(Stop::Missed)) => None,
        Err(_) => Some(format!("the check was not over within {} s", LIMIT.as_secs())),
    }
}
