//! The workshop's pages in a real browser: a class's board adds up what rooms publish, and bears whatever
//! anybody publishes; each exercise stands beside what it is about.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod browser;
mod support;

use browser::Browser;
use pushlab::{exercise::BOARD, feed::Limits, server::Config};
use serde_json::{Value, json};
use support::Server;

const HOSTILE: &str = "<img src=x onerror=\"window.broken=1\">";

impl Server {
    /// Publishes on the board's channel.
    async fn tell(&self, kind: &str, data: &str) {
        let event = json!({ "type": kind, "data": data }).to_string();
        let answer = self.post(&format!("/channels/{BOARD}/events"), &event).await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }

    async fn tell_verdict(&self, verdict: &Value) {
        self.tell("verdict", &verdict.to_string()).await;
    }

    async fn open_board(&self, browser: &Browser, query: &str) {
        browser.open(&format!("http://{}/board{query}", self.address)).await;
        browser.until("document.querySelector('[data-state]')?.dataset.state === '1'").await;
    }
}

fn verdict(room: &str, exercise: &str, verdict: &str, at_ms: u64) -> Value {
    let (met, missed) = if verdict == "failed" { (2, vec!["blank-line"]) } else { (3, vec![]) };
    let met = &["answers", "content-type", "data"][..met];
    json!({ "room": room, "exercise": exercise, "verdict": verdict, "met": met, "missed": missed,
            "not_reached": [], "at_ms": at_ms, "passed": {} })
}

/// A room's row: its name, how many it has passed, and the signs in the cells that have one.
const ROWS: &str = "[...document.querySelectorAll('.class-board tbody tr')].map((row) => [
    row.querySelector('th').textContent, row.querySelector('.sum').textContent,
    ...[...row.querySelectorAll('td[data-verdict]')].map((cell) => cell.firstChild.textContent)])";

async fn until_rows(browser: &Browser, rows: Value) {
    browser.until(&format!("JSON.stringify({ROWS}) === JSON.stringify({rows})")).await;
}

#[tokio::test]
async fn every_page_of_the_workshop_loads_in_every_language_and_fits_a_narrow_screen() {
    let Some(browser) = Browser::start("pages of the workshop").await else { return };
    let server = Server::start(Config::default()).await;
    browser.open(&format!("http://{}/workshop", server.address)).await;
    let links = "[...new Set([...document.querySelectorAll('a[href^=\"/workshop/\"]')].map((a) => a.getAttribute('href')))]";
    let links = browser.value(links).await;
    let mut pages: Vec<&str> = links.as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert!(pages.len() >= 8, "{pages:?}");
    pages.extend(["/workshop", "/board"]);
    browser.client.set_window_size(500, 800).await.unwrap();
    for path in pages {
        for (language, tag) in [("en", "en"), ("zh", "zh-Hans")] {
            browser.open(&format!("http://{}{path}?lang={language}", server.address)).await;
            assert_eq!(browser.value("document.documentElement.lang").await, tag, "{path}");
            let fits = browser.value("document.documentElement.scrollWidth <= innerWidth").await;
            assert_eq!(fits, true, "{path} is wider than the window");
            let headings = browser.value("document.querySelectorAll('h1').length").await;
            assert_eq!(headings, 1, "{path}");
            let nameless = browser
                .value(
                    "[...document.querySelectorAll('input:not([type=hidden]), select, button, summary, [tabindex]')]\
                     .filter((it) => !(it.labels?.length || it.ariaLabel || it.textContent.trim() \
                     || it.getAttribute('aria-labelledby'))).map((it) => it.outerHTML)",
                )
                .await;
            assert_eq!(nameless, json!([]), "{path}");
        }
        assert_eq!(browser.complaints().await, Vec::<String>::new(), "{path}");
    }
    browser.end().await;
}

#[tokio::test]
async fn an_exercise_stands_beside_its_demo_which_is_live() {
    let Some(browser) = Browser::start("an exercise beside its demo").await else { return };
    let server = Server::start(Config::default()).await;
    browser.open(&format!("http://{}/workshop/1?room=table-3", server.address)).await;
    browser.until("document.querySelector('[data-transport=sse]').dataset.state === '1'").await;
    let id = server.publish("table-3", "hello").await;
    browser.until("document.querySelectorAll('[data-list=events] li').length === 1").await;
    assert_eq!(
        browser.value("document.querySelector('[data-list=events] li').dataset.id").await,
        id.as_str()
    );
    // Hints are opened one by one.
    let open = "[...document.querySelectorAll('.hint')].map((hint) => hint.open)";
    assert!(browser.value(open).await.as_array().unwrap().iter().all(|hint| *hint == false));
    browser.run("document.querySelector('.hint summary').click();").await;
    browser.until(&format!("{open}.filter(Boolean).length === 1")).await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.end().await;
}

#[tokio::test]
async fn a_board_adds_up_live_and_again_after_a_reload_and_begins_anew() {
    let Some(browser) = Browser::start("a class's board").await else { return };
    let server = Server::start(Config::default()).await;
    let (first, second) = ("01-first-stream", "02-format-by-hand");
    let now = server.get("/time").await.json()["now"].as_f64().unwrap() as u64 - 60_000;
    server.tell_verdict(&verdict("table-10", first, "failed", now)).await;
    server.open_board(&browser, "").await;
    until_rows(&browser, json!([["table-10", "0", "2/3"]])).await;
    // Rooms stand in the order in which people count, and what passed once has passed.
    server.tell_verdict(&verdict("table-9", first, "passed", now + 1)).await;
    server.tell_verdict(&verdict("table-9", first, "failed", now + 2)).await;
    server.tell_verdict(&verdict("table-9", second, "could-not-tell", now + 3)).await;
    let rows = json!([["table-9", "1", "✓", "?"], ["table-10", "0", "2/3"]]);
    until_rows(&browser, rows.clone()).await;
    let words = "document.querySelector('tbody tr:last-child td[data-verdict] .unseen').textContent";
    assert!(browser.value(words).await.as_str().unwrap().contains("2 of 3 met · blank-line"));
    let here = "[...document.querySelectorAll('td[data-here]')].map((cell) => cell.dataset.verdict)";
    assert_eq!(browser.value(here).await, json!(["could-not-tell", "failed"]));
    browser.until(&format!("document.querySelector('[data-passed=\"{first}\"]').textContent === '1'")).await;
    server.open_board(&browser, "?lang=zh").await;
    until_rows(&browser, rows).await;
    // A room whose earlier verdicts are lost tells of them with its next one.
    let mut late = verdict("late", second, "failed", now + 4);
    late["passed"] = json!({ first: now, "no-such-exercise": now, "__proto__": now });
    server.tell_verdict(&late).await;
    browser.until(&format!("{ROWS}.some((row) => row.join() === 'late,1,✓,2/3')")).await;

    browser.run("window.confirm = () => true; document.querySelector('[data-do=clear]').click();").await;
    until_rows(&browser, json!([])).await;
    // What came before does not come back, not even by a room's memory.
    late["at_ms"] = json!(now + 120_000);
    server.tell_verdict(&late).await;
    until_rows(&browser, json!([["late", "0", "2/3"]])).await;
    server.open_board(&browser, "").await;
    until_rows(&browser, json!([["late", "0", "2/3"]])).await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.end().await;
}

#[tokio::test]
async fn a_board_bears_whatever_is_published() {
    let Some(browser) = Browser::start("a hostile board").await else { return };
    let server = Server::start(Config::default()).await;
    server.open_board(&browser, "").await;
    let strange = [
        "", "null", "7", "{", "[]", "{\"room\":{}}", HOSTILE,
        &json!({ "room": "", "exercise": "a", "verdict": "passed", "met": [], "missed": [], "not_reached": [], "at_ms": 1 })
            .to_string(),
        &verdict("a", "b", HOSTILE, 1).to_string(),
        &verdict("a", "b", "passed", 1).to_string().replace("\"at_ms\":1", "\"at_ms\":1e999"),
    ]
    .map(str::to_owned);
    for data in &strange {
        server.tell("verdict", data).await;
    }
    server.tell("clear", "1e999").await;
    server.tell("clear", "99999999999999").await;
    server.tell("message", HOSTILE).await;
    let count = strange.len() + 3;
    browser
        .until(&format!("document.querySelector('[data-field=ignored]').textContent.includes('{count}')"))
        .await;
    until_rows(&browser, json!([])).await;

    let long = "x".repeat(5_000);
    for room in [HOSTILE, "__proto__", "constructor", "\u{202e}moor", "../../x", &long] {
        let mut told = verdict(room, HOSTILE, "failed", 1);
        told["missed"] = json!([HOSTILE, "</td></tr></table><script>window.broken=1</script>"]);
        told["passed"] = json!({ HOSTILE: 1e300, "constructor": 1 });
        server.tell_verdict(&told).await;
    }
    for passed in [json!(null), json!(7), json!("x"), json!([1]), json!({ "01-first-stream": "x" })] {
        let mut told = verdict("odd", "01-first-stream", "failed", 9_000_000_000_000_000);
        told["passed"] = passed;
        server.tell_verdict(&told).await;
    }
    browser.until("document.querySelectorAll('.class-board tbody tr').length === 7").await;
    let names = browser.value(&format!("{ROWS}.map(([name]) => name)")).await;
    let names: Vec<&str> = names.as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert!(names.contains(&HOSTILE) && names.contains(&"__proto__"), "{names:?}");
    assert!(names.iter().all(|name| name.chars().count() <= 65), "{names:?}");
    // A link leads to a room, and to nothing else.
    let links = browser
        .value("[...document.querySelectorAll('tbody th a')].map((a) => a.getAttribute('href'))")
        .await;
    assert_eq!(links, json!(["/?room=constructor", "/?room=odd"]));

    // Rooms and exercises without end are not: the page has a bound for both.
    for number in 0..120 {
        server.tell_verdict(&verdict(&format!("room-{number}"), "01-first-stream", "passed", 1)).await;
        server.tell_verdict(&verdict("odd", &format!("exercise-{number}"), "passed", 1)).await;
    }
    server.tell_verdict(&verdict("odd", "01-first-stream", "passed", 2)).await;
    browser.until(&format!("{ROWS}.some(([name, passed]) => name === 'odd' && Number(passed) > 1)")).await;
    assert_eq!(browser.value("document.querySelectorAll('.class-board tbody tr').length").await, 100);
    let columns = "document.querySelectorAll('thead th:not([data-exercise])').length";
    assert_eq!(browser.value(columns).await, 12, "room, passed, and ten that the server does not know");
    assert!(
        browser.value("document.querySelectorAll('[data-list=log] li').length").await.as_u64() <= Some(100)
    );
    assert_eq!(browser.value("window.broken ?? null").await, Value::Null);
    let parsed = "document.querySelectorAll('main img, main script, main iframe').length";
    assert_eq!(browser.value(parsed).await, 0);
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.end().await;
}

#[tokio::test]
async fn a_board_shows_what_its_log_still_has() {
    let Some(browser) = Browser::start("a full board").await else { return };
    let feed = Limits { events_per_channel: 3, ..Limits::default() };
    let server = Server::start(Config { feed, ..Config::default() }).await;
    server.open_board(&browser, "").await;
    // The page holds on to what it has seen; one that comes later has the log.
    for number in 1..=5 {
        server.tell_verdict(&verdict(&format!("room-{number}"), "01-first-stream", "passed", 1)).await;
        browser.until(&format!("{ROWS}.length === {number}")).await;
    }
    assert_eq!(server.get(&format!("/channels/{BOARD}")).await.json()["events"], 3);
    server.open_board(&browser, "").await;
    until_rows(&browser, json!([["room-3", "1", "✓"], ["room-4", "1", "✓"], ["room-5", "1", "✓"]])).await;
    browser.end().await;
}
