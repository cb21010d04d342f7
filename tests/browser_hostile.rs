//! Text from strangers on every page, in a real browser: it is shown as text, nothing of it is executed, and
//! no page breaks on it.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod browser;
mod support;

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc, time::Duration};

use browser::Browser;
use pushlab::{server::Config, transport::Transport};
use serde_json::{Value, json};
use support::{Server, patiently};

/// Data that would be executed, break a line, a layout or a number.
fn hostile_data() -> Vec<String> {
    let mut data: Vec<String> = [
        "<img src=x onerror=\"window.broken=1\">",
        "</script><script>window.broken=1</script>",
        "</li></ol><svg onload=window.broken=1>",
        "</code></pre><iframe srcdoc='<script>parent.broken=1</script>'></iframe>",
        "javascript:window.broken=1",
        "two\nlines\n\nevent: forged\ndata: x\nid: 1-1",
        "right \u{202e}to left \u{2066} without an end",
        "null \0 bom \u{feff} line \u{2028} paragraph \u{2029} half \u{fffd}",
        // They look as if the built-in source had sent them, which tells when.
        "{\"seq\":1,\"at\":-1e999}",
        "{\"seq\":1,\"at\":-1e300}",
        "{\"seq\":1,\"at\":1e300}",
        "{\"seq\":1,\"at\":0}",
        "{\"seq\":1,\"at\":\"<b>window.broken=1</b>\"}",
        "{\"seq\":",
        "{\"__proto__\":{\"broken\":1},\"toString\":1}",
        "",
    ]
    .map(str::to_owned)
    .into();
    data.push("<b>".repeat(60_000));
    data
}

/// Names that a script might trip over: of HTML, of `EventSource`'s own events, of every object's members.
const TYPES: [&str; 6] =
    ["<img src=x onerror=\"window.broken=1\">", "error", "open", "__proto__", "constructor", "\u{202e}epyt"];

/// Nothing was executed or parsed, and the page has nothing to complain about.
async fn assert_harmless(browser: &Browser, page: &str) {
    assert_eq!(browser.value("window.broken ?? null").await, Value::Null, "{page}");
    let parsed = "document.querySelectorAll('main img, main svg, main script, main iframe, main b').length";
    assert_eq!(browser.value(parsed).await, 0, "{page}");
    assert_eq!(browser.complaints().await, Vec::<String>::new(), "{page}");
}

/// The data of the newest events that a panel shows, oldest first.
fn shown(transport: Transport) -> String {
    format!(
        "[...document.querySelectorAll('[data-transport=\"{transport}\"] [data-list=events] .data')].reverse()\
         .map((data) => data.textContent)"
    )
}

/// What a panel shows of data.
fn cut(data: &str) -> String {
    let units: Vec<u16> = data.encode_utf16().collect();
    if units.len() > 100 {
        format!("{}…", String::from_utf16_lossy(&units[..100]))
    } else {
        data.to_owned()
    }
}

#[tokio::test]
async fn hostile_events_are_text_on_every_demo_and_in_the_wire_view() {
    let Some(browser) = Browser::start("hostile events are text").await else { return };
    let server = Server::start(Config::default()).await;
    let data = hostile_data();
    let expected: Vec<String> = data.iter().map(|data| cut(data)).collect();
    let pages = Transport::ALL.map(|transport| (format!("/demo/{transport}"), vec![transport]));
    for (page, transports) in pages.into_iter().chain([("/compare".to_owned(), Transport::ALL.to_vec())]) {
        let room = page.replace('/', "-").trim_start_matches('-').to_owned();
        browser.open(&format!("http://{}{page}?room={room}", server.address)).await;
        if transports.len() == 1 {
            browser.run("document.querySelector('[data-do=wire]').click();").await;
            let seen = "document.querySelectorAll('[data-list=wire] li').length > 0";
            browser.until(seen).await;
        }
        for data in &data {
            let event = json!({ "data": data }).to_string();
            assert_eq!(server.post(&format!("/channels/{room}/events"), &event).await.status, 201);
        }
        for transport in &transports {
            let shown = shown(*transport);
            browser.until(&format!("{shown}.length >= {}", data.len())).await;
            assert_eq!(browser.value(&shown).await, json!(expected), "{page}, {transport}");
        }
        assert_harmless(&browser, &page).await;
        // Text that never turns back turns itself only, and a number that nobody meant is no delay.
        let spoilt = "[...document.querySelectorAll('.events li')].filter((item) => \
             getComputedStyle(item.querySelector('.data')).unicodeBidi !== 'isolate' \
             || getComputedStyle(item.querySelector('.type')).unicodeBidi !== 'isolate' \
             || item.querySelector('.delay')).map((item) => item.textContent)";
        assert_eq!(browser.value(spoilt).await, json!([]), "{page}");
        hostile_types(&browser, &server, &page, &room, &transports).await;
    }
    browser.end().await;
}

/// Each type is published from the page, so that all its readers know of it.
async fn hostile_types(browser: &Browser, server: &Server, page: &str, room: &str, transports: &[Transport]) {
    for kind in TYPES {
        let publish = format!(
            "const form = document.querySelector('form[data-form=publish]'); form.elements.type.value = {};
             form.elements.data.value = 'of a type'; form.requestSubmit();",
            json!(kind)
        );
        browser.run(&publish).await;
        for transport in transports {
            let newest = format!(
                "document.querySelector('[data-transport=\"{transport}\"] [data-list=events] .type')?.textContent === {}",
                json!(kind)
            );
            browser.until(&newest).await;
        }
    }
    // A cut has the browser's own `error` and `open` come to those who listen for events of that name.
    let order = format!("/channels/{room}/disconnect");
    assert_eq!(server.post(&order, r#"{"how":"close"}"#).await.status, 200);
    server.publish(room, "after the cut").await;
    for transport in transports {
        browser.until(&format!("{}.at(-1) === 'after the cut'", shown(*transport))).await;
        let state =
            format!("document.querySelector('[data-transport=\"{transport}\"]').dataset.state === '1'");
        browser.until(&state).await;
    }
    assert_eq!(browser.value("window.broken ?? null").await, Value::Null, "{page}");
    let complaints = browser.complaints().await;
    // A connection that was cut is said by the browser itself.
    let others: Vec<_> = complaints.iter().filter(|it| !it.contains("net::ERR_")).collect();
    assert_eq!(others, Vec::<&String>::new(), "{page}");
}

#[tokio::test]
async fn what_would_break_a_stream_is_refused_at_publishing() {
    let server = Server::start(Config::default()).await;
    for event in [
        json!({ "type": "a\nb", "data": "" }),
        json!({ "type": "a\rb", "data": "" }),
        json!({ "type": "a\0b", "data": "" }),
        json!({ "type": "x\ndata: forged\n\n", "data": "" }),
        json!({ "type": "gap", "data": "{}" }),
        json!({ "id": "1-1\ndata: forged", "data": "" }),
        json!({ "id": "1-1", "data": "" }),
    ] {
        let answer = server.post("/channels/c/events", &event.to_string()).await;
        assert_eq!(answer.status, 400, "{event}: {answer:?}");
    }
    assert_eq!(server.get("/channels/c").await.json()["events"], 0);
}

#[tokio::test]
async fn tours_go_their_way_through_hostile_events() {
    let Some(browser) = Browser::start("tours among hostile events").await else { return };
    let server = Arc::new(Server::start_whole(Config::default()).await);
    for subject in ["eventsource", "websocket", "polling"] {
        let noise = tokio::spawn({
            let server = Arc::clone(&server);
            async move {
                loop {
                    for (number, data) in hostile_data().iter().enumerate().filter(|(_, it)| it.len() < 1_000)
                    {
                        let event = json!({ "type": TYPES.get(number), "data": data }).to_string();
                        server.post("/channels/noisy/events", &event).await;
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
            }
        });
        browser.open(&format!("http://{}/tour/{subject}?room=noisy", server.address)).await;
        browser.run("document.querySelector('[data-do=run-all]').click();").await;
        browser.until("document.body.dataset.tour !== undefined").await;
        noise.abort();
        let failed =
            "[...document.querySelectorAll('[data-step-result=failed]')].map((card) => card.innerText)";
        assert_eq!(browser.value(failed).await, json!([]), "{subject}");
        assert_eq!(browser.value("window.broken ?? null").await, Value::Null, "{subject}");
        let parsed =
            "document.querySelectorAll('main img, main svg, main script, main iframe, main b').length";
        assert_eq!(browser.value(parsed).await, 0, "{subject}");
    }
    browser.end().await;
}

const HOSTILE: &str = "<img src=x onerror=window.broken=1>";

/// A program that says hostile things and then runs until it is told to end.
fn program(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("experiment");
    fs::write(&path, format!("#!/bin/sh\necho '{HOSTILE}'\necho '{HOSTILE}' >&2\nexec sleep 60\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Publishes progress, again and again until it is seen.
async fn say(server: &Server, kind: &str, data: &str, seen: impl AsyncFn() -> Value) {
    let event = json!({ "type": kind, "data": data }).to_string();
    patiently(async {
        loop {
            assert_eq!(server.post("/channels/experiment-progress/events", &event).await.status, 201);
            tokio::time::sleep(Duration::from_millis(50)).await;
            if seen().await == true {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn runs_and_their_progress_are_text() {
    let Some(browser) = Browser::start("hostile runs").await else { return };
    let folder = tempfile::tempdir().unwrap();
    let (results, run) = (folder.path().join("results"), folder.path().join("results/2026-01-01T00-00-00Z"));
    fs::create_dir_all(&run).unwrap();
    let manifest = json!({
        "pushlab": HOSTILE, "command": [HOSTILE], "profile": HOSTILE, "seed": 1, "started": HOSTILE,
        "finished": HOSTILE, "target": HOSTILE, "definitions": { HOSTILE: HOSTILE }, "planned": { HOSTILE: 1 },
        "git_revision": HOSTILE, "machine": {},
    });
    fs::write(run.join("manifest.json"), manifest.to_string()).unwrap();
    // A report that carries a script is shown without it.
    fs::write(run.join("report.html"), "<title>r</title><script>document.title = 'broken'</script>").unwrap();
    let config = Config { results, experiment_program: Some(program(folder.path())), ..Config::default() };
    let server = Server::start(config).await;
    for transport in Transport::ALL {
        browser.open(&format!("http://{}/results", server.address)).await;
        assert_eq!(
            browser
                .value("document.querySelector('[data-list=runs]').textContent.includes('<img src=x')")
                .await,
            true
        );
        let start = format!(
            "const form = document.querySelector('form[data-form=run]'); form.elements.transport.value = '{transport}';
             form.requestSubmit();"
        );
        browser.run(&start).await;
        let newest = "document.querySelector('[data-list=lines]').textContent";
        say(&server, "message", HOSTILE, async || {
            browser.value(&format!("{newest}.includes('<img src=x')")).await
        })
        .await;
        for (kind, data) in [
            ("progress", HOSTILE),
            ("progress", "null"),
            ("progress", r#"{"done":"<b>","total":"<b>"}"#),
            ("progress", r#"{"done":1e999,"total":1e999}"#),
            ("started", HOSTILE),
            ("message", "</output><script>window.broken=1</script>"),
        ] {
            say(&server, kind, data, async || Value::Bool(true)).await;
        }
        say(&server, "message", "all was said", async || {
            browser.value(&format!("{newest}.includes('all was said')")).await
        })
        .await;
        browser.run("document.querySelector('[data-do=cancel]').click();").await;
        patiently(async {
            while !server.get("/results/run").await.json()["running"].is_null() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        assert_harmless(&browser, transport.slug()).await;
    }
    browser
        .client
        .goto(&format!("http://{}/results/2026-01-01T00-00-00Z/report.html", server.address))
        .await
        .unwrap();
    assert_eq!(browser.value("document.title").await, "r");
    browser.end().await;
}

#[tokio::test]
async fn hostile_addresses_are_refused_or_mean_nothing() {
    let Some(browser) = Browser::start("hostile addresses").await else { return };
    let server = Server::start(Config::default()).await;
    let (script, broken) = ("%3Cscript%3Ewindow.broken=1%3C/script%3E", "%22%20onload=%22window.broken=1");
    for path in
        ["/", "/demo/sse", "/compare", "/tour/polling", "/results", "/workshop", "/workshop/1", "/board"]
    {
        // A room that is no name is refused, in words that are no page.
        for room in [script, broken, "..%2f..", "A", "x%00y", &"a".repeat(65)] {
            browser.client.goto(&format!("http://{}{path}?room={room}", server.address)).await.unwrap();
            let kind = browser.value("document.contentType").await;
            assert_eq!(kind, "application/json", "{path}?room={room}");
            assert_eq!(browser.value("window.broken ?? null").await, Value::Null, "{path}?room={room}");
        }
        browser.complaints().await;
        for more in [
            format!("lang={script}"),
            format!("wire={script}&after={script}&token={script}"),
            format!("x={broken}&{broken}=1&room=fine"),
            format!("room=fine#{script}"),
        ] {
            browser.open(&format!("http://{}{path}?{more}", server.address)).await;
            assert_harmless(&browser, &format!("{path}?{more}")).await;
        }
    }
    for path in
        ["/demo/", "/tour/", "/workshop/", "/results/", "/static/", "/i18n/", "/channels/", "/wire/", "/"]
    {
        browser.client.goto(&format!("http://{}{path}{script}", server.address)).await.unwrap();
        assert_eq!(browser.value("document.contentType").await, "application/json", "{path}");
        assert_eq!(browser.value("window.broken ?? null").await, Value::Null, "{path}");
    }
    browser.end().await;
}
