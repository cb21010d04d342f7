//! Independent implementations judge the judge: other people's programs are run by the exercises' checks, and
//! each expectation that one of them misses is in a table with the standard's sentence.
//!
//! The table is `tests/third_party/judged.toml`; `workshop/INDEPENDENT.md` is written from it, by this test
//! where `PUSHLAB_WRITE=1`. The programs come from npm and PyPI. Where they are missing, the test says so and
//! passes, unless `PUSHLAB_REQUIRE_THIRD_PARTY=1` demands them, as CI does.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use pushlab::{
    workshop::{
        catalogue,
        examine::{Entry, examine, expectations},
        finding::{Outcome, Report},
        invocation::Invocation,
    },
    wrap::push_wrapped,
};
use serde::Deserialize;
use tokio::{sync::Semaphore, task::JoinSet};

/// Each check has a limit of its own; the programs wait for their turn.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// How many checks run at a time: each starts several programs.
const AT_ONCE: usize = 2;
/// What a program misses, it misses each time; so often is looked.
const TRIES: usize = 3;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    standard: BTreeMap<String, Standard>,
    implementation: Vec<Implementation>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Standard {
    #[serde(rename = "where")]
    place: String,
    link: String,
    sentence: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Implementation {
    package: String,
    from: Registry,
    /// As it is pinned; `any` of what comes with the system.
    version: String,
    what: String,
    /// Below `tests/third_party/`.
    program: String,
    exercises: Vec<String>,
    #[serde(default)]
    misses: Vec<Miss>,
}

/// Where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
enum Registry {
    #[serde(rename = "npm")]
    Npm,
    #[serde(rename = "PyPI")]
    Pypi,
    Debian,
}

impl Registry {
    fn name(self) -> &'static str {
        match self {
            Registry::Npm => "npm",
            Registry::Pypi => "PyPI",
            Registry::Debian => "Debian",
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Miss {
    exercise: String,
    expectation: String,
    does: String,
    standard: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn third_party() -> PathBuf {
    root().join("tests/third_party")
}

fn table() -> Table {
    let text = fs::read_to_string(third_party().join("judged.toml")).expect("the table");
    toml::from_str(&text).expect("a table")
}

/// The names of an exercise's expectations, in the check's order.
fn names(exercise: &str) -> Vec<&'static str> {
    let exercise = catalogue::find(&root().join("workshop"), exercise).expect("an exercise");
    expectations(&exercise).into_iter().map(|(name, _)| name).collect()
}

impl Implementation {
    /// What starts it, with a folder for what it leaves behind when it is killed, as a browser does.
    fn invocation(&self, leaves: &Path) -> Invocation {
        let program = third_party().join(&self.program).display().to_string();
        let node = self.program.ends_with(".mjs");
        let runs = if node { "node".to_owned() } else { python().display().to_string() };
        Invocation::new("env", [format!("TMPDIR={}", leaves.display()), runs, program])
    }

    /// The version that is installed; `None` where there is none.
    fn installed(&self) -> Option<String> {
        match self.from {
            Registry::Npm => {
                let file = third_party().join("node_modules").join(&self.package).join("package.json");
                let json: serde_json::Value = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
                Some(json["version"].as_str()?.to_owned())
            }
            Registry::Pypi => {
                let script =
                    "import sys; from importlib.metadata import version; print(version(sys.argv[1]))";
                let output = Command::new(python()).args(["-c", script, &self.package]).output().ok()?;
                let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
                output.status.success().then_some(version)
            }
            Registry::Debian => {
                let output = Command::new(&self.package).arg("--version").output().ok()?;
                output.status.success().then(|| "any".to_owned())
            }
        }
    }

    /// What installs it.
    fn install(&self) -> String {
        match self.from {
            Registry::Npm => "npm ci --prefix tests/third_party".to_owned(),
            Registry::Pypi => "python3 -m venv tests/third_party/.venv && \
                               tests/third_party/.venv/bin/pip install -r tests/third_party/requirements.txt"
                .to_owned(),
            Registry::Debian => format!("apt-get install {}", self.package),
        }
    }

    /// What it is known to miss in an exercise.
    fn known(&self, exercise: &str) -> BTreeSet<String> {
        let misses = self.misses.iter().filter(|miss| miss.exercise == exercise);
        misses.map(|miss| miss.expectation.clone()).collect()
    }
}

/// Python with the packages that are judged.
fn python() -> PathBuf {
    third_party().join(".venv/bin/python")
}

/// What is missing, with what installs it, or `None`.
fn missing(table: &Table) -> Option<String> {
    let lacking = table.implementation.iter().find(|it| it.installed().is_none())?;
    Some(format!("{} is missing: run `{}`", lacking.package, lacking.install()))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_misses_what_the_table_says_and_nothing_else() {
    let table = table();
    if let Some(missing) = missing(&table) {
        let demanded = std::env::var("PUSHLAB_REQUIRE_THIRD_PARTY").is_ok_and(|value| value == "1");
        assert!(!demanded, "{missing}");
        eprintln!("NOT RUN: {missing}");
        return;
    }
    let leaves = tempfile::tempdir().expect("a folder");
    let (mut checks, places) = (JoinSet::new(), Arc::new(Semaphore::new(AT_ONCE)));
    for it in &table.implementation {
        let installed = it.installed().unwrap_or_default();
        assert_eq!(installed, it.version, "{}: the table speaks of another version", it.package);
        for name in &it.exercises {
            let (it, name, places) = (it.clone(), name.clone(), Arc::clone(&places));
            let invocation = it.invocation(leaves.path());
            checks.spawn(async move {
                let _place = places.acquire().await;
                let exercise = catalogue::find(&root().join("workshop"), &name).expect("an exercise");
                let mut wrong = Vec::new();
                // On a loaded machine a browser may take longer to start than a check waits for a program.
                for _ in 0..TRIES {
                    let entry = Entry::Command(invocation.clone());
                    wrong = differences(&it, &examine(&exercise, &entry).await.expect("a check"));
                    if wrong.is_empty() {
                        break;
                    }
                }
                wrong
            });
        }
    }
    let mut wrong = Vec::new();
    let judging = async {
        while let Some(judged) = checks.join_next().await {
            wrong.extend(judged.expect("no panic"));
        }
    };
    tokio::time::timeout(PATIENCE, judging).await.expect("in time");
    assert!(wrong.is_empty(), "not as tests/third_party/judged.toml says:\n{}", wrong.join("\n"));
}

/// Where a report and the table differ.
fn differences(it: &Implementation, report: &Report) -> Vec<String> {
    let (who, known) = (format!("{} in {}", it.package, report.exercise), it.known(&report.exercise));
    let mut wrong: Vec<String> = report.trouble.iter().map(|trouble| format!("{who}: {trouble}")).collect();
    for finding in &report.findings {
        let (name, saw) = (&finding.name, &finding.saw);
        match (finding.outcome, known.contains(name)) {
            (Outcome::Met, true) => wrong.push(format!("{who}: `{name}` is met now: {saw}")),
            (Outcome::Missed, false) => {
                wrong.push(format!("{who}: `{name}` is missed: {saw} {}", report.output));
            }
            (Outcome::NotReached, _) => wrong.push(format!("{who}: `{name}` was not reached")),
            (Outcome::Met, false) | (Outcome::Missed, true) => {}
        }
    }
    wrong
}

#[test]
fn the_table_names_what_there_is() {
    let table = table();
    for it in &table.implementation {
        let (file, pinned) = match it.from {
            Registry::Npm => {
                ("tests/third_party/package.json", format!("\"{}\": \"{}\"", it.package, it.version))
            }
            Registry::Pypi => {
                ("tests/third_party/requirements.txt", format!("{}=={}", it.package, it.version))
            }
            Registry::Debian => (".ci/run", format!(" {} ", it.package)),
        };
        let demanded = fs::read_to_string(root().join(file)).expect("a list of packages");
        assert!(demanded.contains(&pinned), "{pinned} is not in {file}");
        for miss in &it.misses {
            assert!(it.exercises.contains(&miss.exercise), "{}: {miss:?}", it.package);
            assert!(names(&miss.exercise).contains(&&*miss.expectation), "{}: {miss:?}", it.package);
            assert!(table.standard.contains_key(&miss.standard), "{}: {miss:?}", it.package);
        }
    }
    for name in table.standard.keys() {
        let used = table.implementation.iter().flat_map(|it| &it.misses).any(|miss| miss.standard == *name);
        assert!(used, "nobody breaks {name}: take the sentence away");
    }
}

#[test]
fn the_document_says_what_the_table_says() {
    let (path, text) = (root().join("workshop/INDEPENDENT.md"), document(&table()));
    if std::env::var("PUSHLAB_WRITE").is_ok_and(|value| value == "1") {
        fs::write(&path, &text).expect("a folder");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == text, "workshop/INDEPENDENT.md is not the table's: run this test with PUSHLAB_WRITE=1");
}

const INTRODUCTION: &str = "\
# Independent implementations judge the judge

A check that fails everybody's program but its author's proves nothing. So programs of other people, which are kept up
and used by many, are handed in to the exercises' checks as a student's would be, by some ten lines that print what the
package says. Where they follow the standard they pass; where they do not, the expectation, what the package does and
the standard's sentence stand below, and nothing else does: `tests/workshop_independent.rs` runs them all, and fails
where one misses an expectation more than is listed, or one less.

It is written from `tests/third_party/judged.toml`. The sentences are the standard's own, from
[HTML, server-sent events](https://html.spec.whatwg.org/multipage/server-sent-events.html) and
[RFC 6455](https://www.rfc-editor.org/rfc/rfc6455), where the link leads. A package may have good reasons: the
standard itself leaves it to programs which are no browsers how they dispatch an event.
";

fn document(table: &Table) -> String {
    let mut text = INTRODUCTION.to_owned();
    text += "\n| package | version | what it is | judged by | expectations met |\n| --- | --- | --- | --- | --- |\n";
    for it in &table.implementation {
        for exercise in &it.exercises {
            let (all, missed) = (names(exercise).len(), it.known(exercise).len());
            let met = if missed == 0 { format!("all {all}") } else { format!("{} of {all}", all - missed) };
            let Implementation { package, version, what, .. } = it;
            let from = it.from.name();
            let _ = writeln!(text, "| {package} ({from}) | {version} | {what} | `{exercise}` | {met} |");
        }
    }
    for it in table.implementation.iter().filter(|it| !it.misses.is_empty()) {
        let _ = writeln!(text, "\n## {} {}\n", it.package, it.version);
        for miss in &it.misses {
            let first = format!("- `{}` of `{}`.", miss.expectation, miss.exercise);
            push_wrapped(&mut text, 116, &format!("{first} "), "  ", &miss.does);
            let Standard { place, link, sentence } = &table.standard[&miss.standard];
            push_wrapped(&mut text, 116, "  ", "  ", &format!("[{place}]({link}): “{sentence}”"));
        }
    }
    text
}
