//! Servers that are not ours, measured as files describe them: beside ours, by every transport, and refused with
//! words where something is missing.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod session;

use std::{
    convert::Infallible,
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    extract::{State, ws},
    response::sse,
    routing::{get, post},
};
use pushlab::{
    clock::Clock,
    harness::{
        catalogue::Sourced,
        definition::Definition,
        record::Record,
        target::{Described, Target},
    },
};
use tokio::{net::TcpListener, sync::broadcast};

const SHORT: &str = r#"
question = "Does it run?"
why = "So that a test need not take long."
charts = ["percentiles", "strip"]
publisher = "post"
conditions = [{ rate = [40] }]
quick = { repetitions = 1, warm_up_s = 0.1, measure_s = 0.5 }
full = { repetitions = 1, warm_up_s = 0.1, measure_s = 0.5 }
client = [
  { name = "floor", transport = "tcp-floor" },
  { name = "short", transport = "short-poll", interval_ms = 50 },
  { name = "long", transport = "long-poll" },
  { name = "sse", transport = "sse" },
  { name = "ws", transport = "websocket" },
]

[[claim]]
id = "T1"
sentence = "Our long poll is as fast as every other's."
source = "a test"
left = { figure = "latency-p50", client = "long" }
is = "less"
times = 1000.0
right = { figure = "latency-p50", client = "long", target = "*" }
"#;

fn experiment(dir: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_experiment"));
    command.current_dir(dir).args(words).stdin(Stdio::null()).output().expect("it starts")
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn records(folder: &Path) -> Vec<Record> {
    let text = fs::read_to_string(folder.join("mine/runs.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Whether node is here; where it is demanded, it has to be.
fn has_node() -> bool {
    let found = Command::new("node").arg("--version").stdout(Stdio::null()).status().is_ok();
    assert!(found || std::env::var_os("PUSHLAB_REQUIRE_THIRD_PARTY").is_none(), "node is missing");
    if !found {
        eprintln!("skipped: there is no node");
    }
    found
}

#[test]
fn a_students_program_is_measured_beside_ours_on_the_same_charts() {
    if !has_node() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("mine.toml"), SHORT).unwrap();
    let student = Path::new(env!("CARGO_MANIFEST_DIR")).join("workshop/student.toml");
    let student = student.to_str().unwrap();
    let words = ["run", "mine.toml", "--out", "out", "--target", "built-in", "--target", student];
    let output = experiment(dir.path(), &words);
    assert!(output.status.success(), "{}", error(&output));
    // What that program does not have is said, and only that.
    let said = error(&output);
    for left_out in
        ["student: sse is left out: /events is answered with 404", "student: websocket is left out"]
    {
        assert!(said.contains(left_out), "{said}");
    }
    let out = dir.path().join("out");
    let records = records(&out);
    let of = |target: &str| -> Vec<&Record> {
        records.iter().filter(|record| record.target.as_deref() == Some(target)).collect()
    };
    assert_eq!((of("built-in").len(), of("student").len()), (5, 2));
    for record in &records {
        assert_eq!(record.err, None, "{}", record.run);
        assert!(record.expected > 0 && record.delivered == record.expected, "{}", record.run);
        assert!(record.run.contains(&format!("@{}/", record.target.as_ref().unwrap())), "{}", record.run);
        let is_floor = record.transport == "tcp-floor";
        assert!(is_floor || record.cost.server_cpu_s.is_some_and(|cpu| cpu > 0.0), "{}", record.run);
        assert!(record.cost.server_rss_kib.is_some_and(|kib| kib > 1_000), "{}", record.run);
    }
    let csv = fs::read_to_string(out.join("mine/summary.csv")).unwrap();
    assert!(csv.starts_with("client,target,") && csv.contains("\nlong,student,"), "{csv}");
    let report = fs::read_to_string(out.join("report.md")).unwrap();
    assert!(report.contains("long · student") && report.contains("long of student"), "{report}");
    let manifest = fs::read_to_string(out.join("manifest.json")).unwrap();
    assert!(manifest.contains("07-long-poll-no-loss"), "the target's file is kept: {manifest}");
}

#[test]
fn what_is_missing_or_wrong_is_refused_with_the_next_step() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("mine.toml"), SHORT).unwrap();
    let target = |change: (&str, &str)| {
        let text = "name = \"other\"\nabout = \"x\"\n[install]\nprograms = [\"no-such-program\"]\nby = \"apt install it\"\n\
                    [start]\ncommand = [\"no-such-program\"]\n[publish]\nurl = \"/p\"\n[transport.sse]\nurl = \"/e\"\n";
        fs::write(dir.path().join("other.toml"), text.replacen(change.0, change.1, 1)).unwrap();
    };
    let refused = |words: &[&str]| {
        let output = experiment(dir.path(), words);
        assert_eq!(output.status.code(), Some(2), "{}", error(&output));
        error(&output)
    };
    let run = ["run", "mine.toml", "--target", "other.toml", "--out", "out"];
    target(("", ""));
    let said = refused(&run);
    assert!(said.contains("no-such-program not found: install by `apt install it`"), "{said}");
    target(("[install]\nprograms = [\"no-such-program\"]\nby = \"apt install it\"\n", ""));
    assert!(refused(&run).contains("correct start.command in other.toml"));
    target(("[publish]", "[pubilsh]"));
    assert!(refused(&run).contains("other.toml: "));
    assert!(refused(&["check", "other.toml"]).contains("unknown field `pubilsh`"));
    target(("\"no-such-program\"]\n[publish]", "\"false\"]\n[publish]"));
    let output = experiment(dir.path(), &["check", "other.toml"]);
    assert!(output.status.success(), "{}", error(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("a target, read by sse"));
    let absent = ["run", "mine.toml", "--target", "nowhere.toml", "--out", "out"];
    assert!(refused(&absent).contains("nowhere.toml"));
    assert!(refused(&["run", "mine.toml", "--target", "ftp://x", "--out", "out"]).contains("built-in"));
    assert!(!dir.path().join("out").exists(), "nothing was begun");
}

#[test]
fn a_program_that_does_not_come_up_is_named() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("mine.toml"), SHORT).unwrap();
    let text = "name = \"other\"\nabout = \"x\"\n[start]\ncommand = [\"false\"]\n[publish]\nurl = \"/p\"\n\
                [transport.sse]\nurl = \"/e\"\n";
    fs::write(dir.path().join("other.toml"), text).unwrap();
    let output = experiment(dir.path(), &["run", "mine.toml", "--target", "other.toml", "--out", "out"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(error(&output).contains("other: it ended"), "{}", error(&output));
}

/// A server of another kind: events are wrapped in JSON, and published over a request of its own shape.
async fn foreign() -> String {
    let (events, _) = broadcast::channel::<String>(256);
    let events = Arc::new(events);
    let publish = |State(events): State<Arc<broadcast::Sender<String>>>, body: String| async move {
        let _ = events.send(body);
    };
    let stream = |State(events): State<Arc<broadcast::Sender<String>>>| async move {
        let receiver = events.subscribe();
        let next = |mut receiver: broadcast::Receiver<String>| async move {
            let body = receiver.recv().await.ok()?;
            Some((Ok::<_, Infallible>(sse::Event::default().data(body)), receiver))
        };
        sse::Sse::new(futures_util::stream::unfold(receiver, next))
    };
    let socket = |State(events): State<Arc<broadcast::Sender<String>>>, upgrade: ws::WebSocketUpgrade| async move {
        upgrade.on_upgrade(|mut socket| async move {
            let mut receiver = events.subscribe();
            let _ = socket.send(ws::Message::text(r#"{"hello":"you"}"#)).await;
            while let Ok(body) = receiver.recv().await {
                if socket.send(ws::Message::text(body)).await.is_err() {
                    return;
                }
            }
        })
    };
    let app = Router::new()
        .route("/say/{channel}", post(publish))
        .route("/stream", get(stream))
        .route("/socket", get(socket))
        .with_state(events);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

fn described(dir: &Path, text: &str) -> Target {
    let file = dir.join("target.toml");
    fs::write(&file, text).unwrap();
    Target::Described(Arc::new(Described::read(&file).unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_there_already_is_read_where_its_file_says() {
    let url = foreign().await;
    let dir = tempfile::tempdir().unwrap();
    let text = format!(
        "name = \"foreign\"\nabout = \"x\"\nurl = \"{url}\"\n\
         [publish]\nurl = \"/say/{{channel}}\"\ncontent_type = \"application/json\"\n\
         body = '{{\"payload\": {{\"text\": {{json}}}}}}'\n\
         [transport.sse]\nurl = \"/stream\"\ndata = \"/payload/text\"\n\
         [transport.websocket]\nurl = \"/socket\"\ndata = \"/payload/text\"\n"
    );
    let target = described(dir.path(), &text);
    let definition = Definition::parse("mine", "mine.toml", SHORT).unwrap();
    let experiment = Sourced { definition, text: SHORT.to_owned() };
    let clock = Clock::start();
    let environment = session::environment(clock, clock);
    let ran = session::run_against(vec![target], experiment, 1, &environment).await;
    assert_eq!(ran.records.len(), 2, "the polls and the floor are left out");
    for record in &ran.records {
        assert_eq!(record.err, None, "{}", record.run);
        assert!(record.delivered > 10 && record.delivered == record.expected, "{}", record.run);
        assert!(record.latency_us.is_some(), "{}", record.run);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_publishes_by_itself_is_measured_at_its_own_pace() {
    let url = foreign().await;
    let clock = Clock::start();
    tokio::spawn({
        let url = url.clone();
        async move {
            let say = pushlab::harness::control::Control::new(url.parse().unwrap()).url("say/x");
            let address = say.socket_addrs(|| None).unwrap()[0];
            loop {
                tokio::time::sleep(Duration::from_millis(25)).await;
                let body = clock.now().to_string();
                let request = format!(
                    "POST /say/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
                tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
                let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut Vec::new()).await;
            }
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let text = format!(
        "name = \"ticker\"\nabout = \"x\"\nurl = \"{url}\"\n\
         [publish]\nevery_ms = 25\npayload_bytes = 17\nstamped = true\n[transport.sse]\nurl = \"/stream\"\n"
    );
    let target = described(dir.path(), &text);
    let definition = Definition::parse("mine", "mine.toml", SHORT).unwrap();
    let experiment = Sourced { definition, text: SHORT.to_owned() };
    let environment = session::environment(clock, clock);
    let ran = session::run_against(vec![target], experiment, 1, &environment).await;
    let [record] = ran.records.as_slice() else { panic!("{:?}", ran.records) };
    assert_eq!(record.err, None);
    assert_eq!((record.parameters.rate, record.parameters.payload_bytes), (40.0, 17));
    assert!(record.delivered > 0 && record.lost == 0, "{record:?}");
    assert!(record.latency_us.is_some(), "its stamps are read");
}
