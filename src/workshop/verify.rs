//! The exercises themselves, held to what they say.

mod folder;

use std::{path::Path, sync::Arc, time::Duration};

use tokio::{sync::Semaphore, task::JoinSet, time::Instant};

use super::{
    catalogue,
    examine::{Entry, examine},
    exercise::{Exercise, Kind},
    finding::{Report, Verdict},
    language::{self, Language},
};

/// What is demanded of a machine, and how much is done at a time.
#[derive(Debug, Clone)]
pub struct Options {
    /// Languages whose absence is a failure; that of others is only said.
    pub require: Vec<Language>,
    /// How many programs are judged at a time. They wait more than they compute.
    pub jobs: usize,
    /// Only these exercises, by number or name; all where empty.
    pub only: Vec<String>,
}

/// What became of one thing to verify.
#[derive(Debug, Clone)]
pub struct Row {
    /// What it is: an exercise and a file of it.
    pub what: String,
    /// How it stands.
    pub standing: Standing,
    /// How long it took.
    pub took: Duration,
}

/// How something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// As it says.
    Good(String),
    /// Not verified, since the machine lacks something that is not required.
    Skipped(String),
    /// Not as it says.
    Bad(String),
}

/// What a program of an exercise has to do.
#[derive(Debug, Clone)]
enum Duty {
    Pass,
    /// Be failed, with this expectation the first to be missed.
    Miss(String),
}

#[derive(Debug, Clone)]
struct Job {
    exercise: Arc<Exercise>,
    file: String,
    language: Language,
    duty: Duty,
}

/// Verifies the exercises below `workshop`, and tells each row as it is known.
///
/// # Errors
/// Where the exercises can't be read at all.
pub async fn verify(
    workshop: &Path,
    options: &Options,
    mut tell: impl FnMut(&Row),
) -> Result<Vec<Row>, catalogue::CatalogueError> {
    let exercises = match options.only.as_slice() {
        [] => catalogue::all(workshop)?,
        only => only.iter().map(|name| catalogue::find(workshop, name)).collect::<Result<_, _>>()?,
    };
    let mut rows = Vec::new();
    let mut known = |row: Row| {
        tell(&row);
        rows.push(row);
    };
    let (missing, absent) = missing(&exercises, &options.require).await;
    absent.into_iter().for_each(&mut known);
    let mut tasks = JoinSet::new();
    let places = Arc::new(Semaphore::new(options.jobs.max(1)));
    // Built programs go where cargo's do, which git ignores.
    let built = Arc::new(workshop.join("../target/workshop"));
    for exercise in exercises {
        let exercise = Arc::new(exercise);
        let problems = folder::problems(&exercise);
        let standing = if problems.is_empty() {
            Standing::Good("text, hints, starters, solutions and mutants are there".to_owned())
        } else {
            Standing::Bad(problems.join("; "))
        };
        known(Row { what: exercise.name.clone(), standing, took: Duration::ZERO });
        for job in jobs(&exercise) {
            if let Some(why) = missing.iter().find(|(key, _)| *key == (job.language, exercise.name.clone())) {
                let what = format!("{}/{}", exercise.name, job.file);
                known(Row { what, standing: Standing::Skipped(why.1.clone()), took: Duration::ZERO });
                continue;
            }
            let (places, built) = (Arc::clone(&places), Arc::clone(&built));
            tasks.spawn(async move {
                let _place = places.acquire().await;
                let begun = Instant::now();
                let standing = stand(&job, &built).await;
                Row { what: format!("{}/{}", job.exercise.name, job.file), standing, took: begun.elapsed() }
            });
        }
    }
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok(row) => known(row),
            Err(error) => known(Row {
                what: "the check itself".to_owned(),
                standing: Standing::Bad(error.to_string()),
                took: Duration::ZERO,
            }),
        }
    }
    Ok(rows)
}

type Lacking = Vec<((Language, String), String)>;

/// Which exercises can't be verified in which languages, and why; and a row for each language or package
/// that was demanded and is not there.
async fn missing(exercises: &[Exercise], require: &[Language]) -> (Lacking, Vec<Row>) {
    let (mut lacking, mut rows) = (Vec::new(), Vec::new());
    let mut absent = |what: String, demanded: bool| {
        if demanded {
            let standing = Standing::Bad("it is required and not on this machine".to_owned());
            rows.push(Row { what, standing, took: Duration::ZERO });
        }
    };
    for language in Language::ALL {
        let tool = language.needs().unwrap_or_default();
        if !language.is_there().await {
            absent(tool.to_owned(), require.contains(&language));
            for exercise in exercises {
                lacking.push(((language, exercise.name.clone()), format!("{tool} is not on this machine")));
            }
            continue;
        }
        for exercise in exercises {
            for package in exercise.about.packages.get(&language).into_iter().flatten() {
                if !language.has_package(package, &exercise.folder).await {
                    absent(format!("{package} for {tool}"), require.contains(&language));
                    let why = format!("the package {package} is not installed (see workshop/AUTHORING.md)");
                    lacking.push(((language, exercise.name.clone()), why));
                }
            }
        }
    }
    (lacking, rows)
}

fn jobs(exercise: &Arc<Exercise>) -> Vec<Job> {
    let about = &exercise.about;
    let job = |file: String, language, duty| Job { exercise: Arc::clone(exercise), file, language, duty };
    let mut jobs = Vec::new();
    for &language in &about.languages {
        let extension = language.extension();
        jobs.push(job(format!("starter.{extension}"), language, Duty::Miss(about.starter_fails.clone())));
        jobs.push(job(format!("solution.{extension}"), language, Duty::Pass));
    }
    for mutant in &about.mutants {
        let file = format!("mutants/{}", mutant.file);
        if let Some(language) = Language::of(Path::new(&file)) {
            jobs.push(job(file, language, Duty::Miss(mutant.fails.clone())));
        }
    }
    jobs
}

async fn stand(job: &Job, built: &Path) -> Standing {
    let file = job.exercise.folder.join(&job.file);
    let entry = match job.exercise.about.kind {
        Kind::File => Entry::File(file),
        Kind::Server | Kind::Client => match language::invocation(&file, built).await {
            Ok(invocation) => Entry::Command(invocation),
            Err(error) => return Standing::Bad(error.to_string()),
        },
    };
    match examine(&job.exercise, &entry).await {
        Ok(report) => judge(&job.duty, &report),
        Err(error) => Standing::Bad(error.to_string()),
    }
}

fn judge(duty: &Duty, report: &Report) -> Standing {
    let missed = report.first_missed();
    let came = || match (missed, &report.trouble) {
        (Some(finding), _) => {
            let bytes = finding.bytes.as_deref().unwrap_or_default();
            format!("it misses {}: {} {bytes} {}", finding.name, finding.saw, report.output)
        }
        (None, Some(trouble)) => format!("could not tell: {trouble} {}", report.output),
        (None, None) => "it passes".to_owned(),
    };
    match duty {
        Duty::Pass if report.verdict == Verdict::Passed => Standing::Good("passes".to_owned()),
        Duty::Pass => Standing::Bad(format!("a solution has to pass, and {}", came())),
        Duty::Miss(name) if missed.is_some_and(|finding| finding.name == *name) => {
            Standing::Good(format!("fails by {name}"))
        }
        Duty::Miss(name) => Standing::Bad(format!("it has to fail by {name}, and {}", came())),
    }
}
