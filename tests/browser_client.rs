//! A page in Chromium as a measured client: its own EventSource and WebSocket are cut in every way, and what it saw
//! is what the standards say. And the browser ends with whoever started it, however that comes about.

#![allow(clippy::unwrap_used, reason = "a test that panics has said so")]
// The other tests of pages use the rest.
#![allow(dead_code, reason = "shared helpers, of which each test uses its part")]

mod browser;
mod support;

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use pushlab::{
    clock::Clock,
    harness::{
        catalogue::{self, Sourced},
        definition::Fault,
        plan::Form,
        record::Record,
        run::Environment,
        runner::{self, Experiment, Session},
        server_process::ServerOptions,
        target::Target,
    },
    report,
};
use support::PATIENCE;
use tokio_util::sync::CancellationToken;

const EXPERIMENT: &str = env!("CARGO_BIN_EXE_experiment");

/// One client's run under one fault.
fn of<'a>(records: &'a [Record], client: &str, fault: Option<&str>) -> &'a Record {
    let mut all = records.iter().filter(|it| it.client == client && it.parameters.fault.as_deref() == fault);
    all.next().unwrap_or_else(|| panic!("no run of {client} with {fault:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_is_cut_in_every_way_and_does_what_the_standards_say() {
    if browser::programs("a browser as a measured client").is_none() {
        return;
    }
    let Sourced { mut definition, text } = catalogue::find("browser").unwrap();
    definition.quick.measure_s = 4.0;
    // A page takes its time to come up: the code around a WebSocket is looked at after one fault only.
    let mut code = definition.conditions[1].clone();
    code.clients = vec!["websocket-code-chromium".to_owned()];
    code.fault = vec![Fault::Reset];
    let others = ["sse", "sse-chromium", "websocket-chromium"];
    definition.conditions[1].clients = others.map(str::to_owned).into();
    definition.conditions.push(code);
    let charts = text.lines().find(|line| line.starts_with("charts")).unwrap();
    let text = text.replace(charts, "");
    let clock = Clock::start();
    let program = Path::new(EXPERIMENT).to_owned();
    let server = ServerOptions::new(program, clock);
    let environment = Environment { clock, server };
    let folder = tempfile::tempdir().unwrap();
    let session = Session {
        experiments: vec![Experiment {
            sourced: Sourced { definition, text },
            targets: vec![Target::BuiltIn],
        }],
        form: Form::Quick,
        repetitions: Some(1),
        seed: 1,
        out: Some(folder.path().join("out")),
        command: Vec::new(),
        absent: Vec::new(),
    };
    let outcome = runner::run(session, &environment, &CancellationToken::new()).await.unwrap();
    let lines = fs::read_to_string(outcome.folder.join("browser/runs.jsonl")).unwrap();
    let records: Vec<Record> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for record in &records {
        assert_eq!(record.err, None, "{}", record.run);
        assert!(record.delivered > 0, "{}", record.run);
        assert_eq!((record.duplicated, record.out_of_order), (0, 0), "{}", record.run);
        let in_browser = record.client.ends_with("chromium");
        assert_eq!(record.clock_uncertainty_us.is_some(), in_browser, "{}", record.run);
        assert_eq!(
            record.bytes.connections == 0,
            in_browser,
            "{}: a browser's bytes are not ours",
            record.run
        );
    }
    let code = of(&records, "websocket-code-chromium", Some("reset"));
    assert!(code.recovery.unwrap().back_ms.is_some() && code.lost == 0, "{code:?}");
    for client in ["sse-chromium", "websocket-chromium"] {
        assert_eq!(of(&records, client, None).lost, 0, "{client}: nothing was cut");
        // Nobody tells a page that nothing passes any more.
        for fault in ["silence", "one-way", "unplug"] {
            let record = of(&records, client, Some(fault));
            assert_eq!(record.recovery.unwrap().noticed_ms, None, "{}", record.run);
            assert!(record.lost > 0, "{}", record.run);
        }
        for fault in ["hold", "stall"] {
            let record = of(&records, client, Some(fault));
            assert_eq!(
                (record.lost, record.recovery.is_none()),
                (0, true),
                "{}: nothing was cut",
                record.run
            );
        }
        // An EventSource gives up on what is no event stream, by the standard.
        for fault in ["http-500", "http-503", "http-204", "http-wrong-type"] {
            let record = of(&records, client, Some(fault));
            let recovery = record.recovery.unwrap();
            assert!(
                recovery.noticed_ms.is_some() && recovery.back_ms.is_none(),
                "{}: {recovery:?}",
                record.run
            );
            assert!(record.lost > 0, "{}", record.run);
        }
        for fault in [
            "close",
            "half-close",
            "reset",
            "mid-event",
            "mid-character",
            "mid-header",
            "refuse",
            "http-redirect",
            "sigterm",
            "restart",
            "restart-with-log",
            "disconnect",
        ] {
            let record = of(&records, client, Some(fault));
            let recovery = record.recovery.unwrap();
            assert!(recovery.noticed_ms.is_some(), "{}: {recovery:?}", record.run);
            let comes_back = client == "sse-chromium";
            assert_eq!(recovery.back_ms.is_some(), comes_back, "{}: {recovery:?}", record.run);
            assert_eq!(record.lost == record.lost_announced, comes_back, "{}", record.run);
            if comes_back {
                // No upper bound: a machine that tests are run on is busy. Its timer may be a little early.
                let waited = recovery.back_ms.unwrap() - recovery.noticed_ms.unwrap();
                assert!(waited > 450.0, "{}: `retry:` says 500 ms: {recovery:?}", record.run);
            }
        }
    }
    let without_retry = of(&records, "sse-without-retry-chromium", Some("close")).recovery.unwrap();
    let waited = without_retry.back_ms.unwrap() - without_retry.noticed_ms.unwrap();
    assert!(waited > 2_900.0, "without `retry:` it waits for its own three seconds: {without_retry:?}");
    for record in records.iter().filter(|record| record.explanation.is_some()) {
        let explanation = record.explanation.as_ref().unwrap();
        assert_eq!(explanation.unexplained, 0, "{}: {explanation:?}", record.run);
    }
    // Ours does what the browser does, whatever happens.
    for fault in Fault::ALL {
        let comes_back = ["sse", "sse-chromium"].map(|client| {
            let recovery = of(&records, client, Some(fault.slug())).recovery;
            recovery.is_some_and(|recovery| recovery.back_ms.is_some())
        });
        assert_eq!(comes_back[0], comes_back[1], "{}", fault.slug());
    }
    report::write(&outcome.folder).unwrap();
    let report = fs::read_to_string(outcome.folder.join("report.md")).unwrap();
    let table = report.split("A real browser beside our client").nth(1).expect("the table");
    for fault in ["Connection reset (RST)", "Connection gone silent"] {
        let row = |line: &&str| line.starts_with("| SSE, ours |") && line.contains(fault);
        assert!(table.lines().any(|line| row(&line)), "{fault}: {table}");
    }
    assert!(report.contains("its clock agrees with ours to within"), "{report}");
}

/// A short definition with one page.
fn one_page(folder: &Path) -> std::path::PathBuf {
    let file = folder.join("page.toml");
    let profile = "repetitions = 1\nwarm_up_s = 0\nmeasure_s = 60\n";
    let client =
        "[[client]]\nname = \"sse\"\ntransport = \"sse\"\nbrowser = true\n[[conditions]]\nrate = [5]\n";
    let text = format!("question = \"?\"\nwhy = \"?\"\n{client}[quick]\n{profile}[full]\n{profile}");
    fs::write(&file, text).unwrap();
    file
}

#[test]
fn without_a_browser_nothing_runs_and_the_error_says_what_to_install() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let ran = Command::new(EXPERIMENT)
        .args([Path::new("run"), &one_page(folder.path()), Path::new("--out"), &out])
        .env("PATH", folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(2), "{said}");
    assert!(said.contains("apt-get install chromium chromium-driver"), "{said}");
    assert!(!out.exists(), "nothing was begun");
}

/// The processes of a group, or whose parent is this one: `(pid, group, name)`.
#[cfg(target_os = "linux")]
fn processes(is: impl Fn(u32, u32) -> bool) -> Vec<(u32, u32, String)> {
    let of = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
        let mut fields = rest.split_ascii_whitespace();
        let state = fields.next()?;
        let (parent, group) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        (state != "Z" && is(parent, group)).then(|| (pid, group, name.to_owned()))
    };
    let entries = fs::read_dir("/proc").unwrap();
    entries.filter_map(|entry| of(entry.ok()?.file_name().to_str()?.parse().ok()?)).collect()
}

#[cfg(target_os = "linux")]
fn wait_for<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        // A browser has a dozen processes, and the tests beside this one want the cores too.
        assert!(since.elapsed() < 4 * PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_browser_ends_with_the_session_even_where_that_is_killed() {
    if browser::programs("the end of a measured browser").is_none() {
        return;
    }
    for signal in ["-INT", "-TERM", "-KILL"] {
        let folder = tempfile::tempdir().unwrap();
        let file = one_page(folder.path());
        let mut session: Child = Command::new(EXPERIMENT)
            .args([Path::new("run"), &file, Path::new("--out"), &folder.path().join("out")])
            .env("TMPDIR", folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let is_page = |(_, _, name): &(u32, u32, String)| name.starts_with("chromium");
        let group = wait_for("the browser's processes", || {
            let drivers = processes(|parent, _| parent == session.id());
            let (driver, group, _) = drivers.into_iter().find(|(_, _, name)| name == "chromedriver")?;
            assert_eq!(driver, group, "it has a group of its own");
            processes(|_, its| its == group).iter().any(is_page).then_some(group)
        });
        let killed = Command::new("kill").args([signal, &session.id().to_string()]).status().unwrap();
        assert!(killed.success());
        session.wait().unwrap();
        wait_for("its end", || processes(|_, its| its == group).is_empty().then_some(()));
        wait_for("its profile's end", || {
            let left = fs::read_dir(folder.path()).unwrap().filter_map(Result::ok);
            let mut left = left.filter(|it| it.file_name().to_string_lossy().starts_with("pushlab-browser"));
            left.next().is_none().then_some(())
        });
    }
}
