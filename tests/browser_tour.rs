//! The tour, in a real browser, as somebody uses it who changes things: what was changed runs again, and a feed
//! goes on after a reload.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod browser;
mod support;

use browser::Browser;
use pushlab::server::Config;
use serde_json::json;
use support::Server;

/// Writes into a step's field as a visitor does, and runs it.
async fn run_changed(browser: &Browser, step: &str, (field, value): (&str, &str)) -> String {
    browser
        .run(&format!(
            "const input = document.querySelector('#{step} [data-input={field}]'); input.value = {};\
             input.dispatchEvent(new Event('input', {{ bubbles: true }}));",
            json!(value)
        ))
        .await;
    browser.run(&format!("document.querySelector('#{step} [data-do=run]').click();")).await;
    browser.until(&format!("document.getElementById('{step}').dataset.stepResult === 'changed'")).await;
    let output = format!("document.querySelector('#{step} .output').innerText");
    browser.value(&output).await.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_a_visitor_changes_runs_again_and_shows_what_happens_then() {
    let Some(browser) = Browser::start("a changed step runs").await else { return };
    let server = Server::start_whole(Config::default()).await;
    browser.open(&format!("http://{}/tour/eventsource?room=changed&lang=en", server.address)).await;
    let hostile = "data: <img src=x onerror=\"document.title='broken'\">\ndata\n\n";
    let changes = [
        ("constructor", ("url", "/healthz"), "onerror, readyState → 2"),
        (
            "multi-line",
            ("stream", hostile),
            "onmessage: \"<img src=x onerror=\\\"document.title='broken'\\\">\\n\"",
        ),
        ("comment", ("stream", ":\n\n"), "onopen"),
        ("unfinished", ("stream", "id: 3\ndata: x\n\n"), "onmessage: \"x\", lastEventId \"3\""),
        ("custom-event", ("type", "yourEvent"), "onmessage: \"for onmessage\""),
        ("last-event-id", ("id", "é 7"), "data {\"last_event_id\":\"é 7\"}"),
        ("retry", ("retry", "50"), "onerror → onopen: "),
        ("no-content", ("visits", "0"), "onerror, readyState 2"),
        ("status", ("status", "204"), "onerror, readyState 2"),
    ];
    for (step, change, wanted) in changes {
        let shown = run_changed(&browser, step, change).await;
        assert!(shown.contains(wanted), "{step}: {shown}");
        if step == "custom-event" {
            assert!(!shown.contains("for the listener"), "nobody listens to it: {shown}");
        }
    }
    assert_ne!(browser.value("document.title").await, "broken");
    // The `curl` line is of the stream as it is now, and the button puts the step back.
    let curl = browser.value("document.querySelector('#status .curl').textContent").await;
    assert!(curl.as_str().unwrap().ends_with("/tour/status/204'"), "{curl}");
    browser.run("document.querySelector('#status [data-do=put-back]').click();").await;
    browser.run("document.querySelector('#status [data-do=run]').click();").await;
    browser.until("document.getElementById('status').dataset.stepResult === 'passed'").await;
    browser.end().await;
}

#[tokio::test]
async fn a_kept_feed_goes_on_after_a_reload_with_what_came_meanwhile() {
    let Some(browser) = Browser::start("a feed goes on after a reload").await else { return };
    let server = Server::start_whole(Config::default()).await;
    let url = format!("http://{}/tour/eventsource?room=kept&lang=en", server.address);
    browser.open(&url).await;
    browser.run("document.querySelector('[data-do=keep]').click();").await;
    let kept = "[...document.querySelectorAll('[data-list=feed] li')].map((item) => item.dataset.id)";
    browser.until("document.querySelector('[data-field=feed]').textContent !== ''").await;
    let mut ids = vec![server.publish("kept", "seen at once").await];
    browser.until(&format!("{kept}.length === 1")).await;
    let raw = "document.querySelector('.raw').textContent";
    browser.until(&format!("{raw}.includes('data: seen at once')")).await;
    // The event is in the store a moment after it is on the page.
    browser
        .until(
            "(indexedDB.open('pushlab', 1).onsuccess = ({ target }) => {\
               target.result.transaction('events').objectStore('events').count().onsuccess =\
                 (counted) => { window.stored = counted.target.result; target.result.close(); };\
             }, window.stored === 1)",
        )
        .await;
    browser.client.goto("about:blank").await.unwrap();
    for text in ["<b>missed</b>", "missed too"] {
        ids.push(server.publish("kept", text).await);
    }
    browser.open(&url).await;
    ids.reverse();
    browser.until(&format!("{kept}.length === 3")).await;
    assert_eq!(browser.value(kept).await, json!(ids));
    let told = "document.querySelector('[data-field=feed]').textContent";
    browser
        .until(&format!("/1 events were stored.*: 2 came while the page was away, 0 since/.test({told})"))
        .await;
    assert_eq!(browser.value("document.querySelectorAll('.feed b').length").await, 0);
    browser.run("document.querySelector('[data-do=forget]').click();").await;
    browser.until(&format!("{told}.startsWith('0 events were stored')")).await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.end().await;
}
