//! The pages, in a real browser: they load without a complaint, the four demos get the same events, cuts
//! show, tours go as announced, and text stays text.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod browser;
mod support;

use std::time::Duration;

use browser::Browser;
use pushlab::{server::Config, transport::Transport};
use serde_json::{Value, json};
use support::Server;

const PAGES: [&str; 13] = [
    "/",
    "/demo/short-poll",
    "/demo/long-poll",
    "/demo/sse",
    "/demo/websocket",
    "/compare",
    "/tour/eventsource",
    "/tour/websocket",
    "/tour/polling",
    "/results",
    "/workshop",
    "/workshop/1",
    "/board",
];

/// The ids and data that a panel shows, oldest first.
fn shown(slug: &str) -> String {
    format!(
        "[...document.querySelectorAll('[data-transport=\"{slug}\"] [data-list=events] li')].reverse()\
         .map((item) => [item.dataset.id, item.dataset.type, item.querySelector('.data').textContent])"
    )
}

/// Waits until a panel's state is so.
async fn until_state(browser: &Browser, slug: &str, state: u8) {
    let wanted = format!("document.querySelector('[data-transport=\"{slug}\"]').dataset.state === '{state}'");
    browser.until(&wanted).await;
}

async fn click(browser: &Browser, selector: &str) {
    browser.run(&format!("document.querySelector({}).click();", json!(selector))).await;
}

#[tokio::test]
async fn every_page_loads_in_every_language_without_a_complaint() {
    let Some(browser) = Browser::start("every page loads").await else { return };
    let server = Server::start(Config::default()).await;
    for path in PAGES {
        for (language, tag) in [("en", "en"), ("zh", "zh-Hans")] {
            browser.open(&format!("http://{}{path}?lang={language}", server.address)).await;
            assert_eq!(browser.value("document.documentElement.lang").await, tag, "{path}");
            // A key in place of its words would be a string that a script asked for in vain.
            let bare = browser
                .value("(document.body.innerText.match(/\\b(panel|tour|why|state|control|preset|workshop|exercise|board|demo)\\.[a-z-]+/g) ?? [])")
                .await;
            assert_eq!(bare, json!([]), "{path}");
        }
        assert_eq!(browser.complaints().await, Vec::<String>::new(), "{path}");
    }
    browser.end().await;
}

#[tokio::test]
async fn every_control_has_a_name_and_pages_fit_a_narrow_screen() {
    let Some(browser) = Browser::start("controls have names").await else { return };
    let server = Server::start(Config::default()).await;
    browser.client.set_window_size(500, 800).await.unwrap();
    for path in PAGES {
        browser.open(&format!("http://{}{path}", server.address)).await;
        let nameless = browser
            .value(
                "[...document.querySelectorAll('input:not([type=hidden]), select, textarea, button, [tabindex]')]\
                 .filter((it) => !(it.labels?.length || it.ariaLabel || it.getAttribute('aria-labelledby') || it.textContent.trim())).map((it) => it.outerHTML)",
            )
            .await;
        assert_eq!(nameless, json!([]), "{path}");
        let fits = browser.value("document.documentElement.scrollWidth <= innerWidth").await;
        assert_eq!(fits, true, "{path} is wider than the window");
    }
    browser.end().await;
}

#[tokio::test]
async fn all_four_demos_receive_the_same_events_with_the_same_ids_and_text_stays_text() {
    let Some(browser) = Browser::start("the same events with the same ids").await else { return };
    let server = Server::start(Config::default()).await;
    browser.open(&format!("http://{}/compare?room=four", server.address)).await;
    for transport in Transport::ALL {
        until_state(&browser, transport.slug(), 1).await;
    }
    let hostile = [
        "plain",
        "<img src=x onerror=\"document.title='broken'\">",
        "</script><script>document.title='broken'</script>",
        "two\nlines",
        "",
        "{\"seq\":1,\"at\":\"<b>\"}",
    ];
    let mut expected = Vec::new();
    for data in hostile {
        let answer = server.post("/channels/four/events", &json!({"data": data}).to_string()).await;
        expected.push(json!([answer.json()["id"], "message", data]));
    }
    for transport in Transport::ALL {
        let shown = shown(transport.slug());
        browser.until(&format!("{shown}.length >= {}", expected.len())).await;
        assert_eq!(browser.value(&shown).await, Value::Array(expected.clone()), "{transport}");
    }
    assert_eq!(browser.value("document.querySelectorAll('.events img, .events b').length").await, 0);
    assert_ne!(browser.value("document.title").await, "broken");

    // A type of one's own, published from the page, reaches all four, also by the listener of SSE.
    browser
        .run(
            "const form = document.querySelector('form[data-form=publish]');\
             form.elements.type.value = '<i>odd</i>'; form.elements.data.value = 'named'; form.requestSubmit();",
        )
        .await;
    for transport in Transport::ALL {
        let last = format!("{}.at(-1)?.slice(1).join('|') === '<i>odd</i>|named'", shown(transport.slug()));
        browser.until(&last).await;
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.end().await;
}

#[tokio::test]
async fn a_page_of_ours_reads_the_same_by_the_bare_interfaces() {
    let Some(browser) = Browser::start("the bare interfaces").await else { return };
    let server = Server::start(Config::default()).await;
    browser.open(&format!("http://{}/", server.address)).await;
    let cursor = server.get("/channels/bare").await.json()["cursor"].as_str().unwrap().to_owned();
    let mut ids = Vec::new();
    for text in ["a", "b", "c"] {
        ids.push(server.publish("bare", text).await);
    }
    browser
        .run(&format!(
            "window.got = {{ sse: [], websocket: [], fetch: [] }};
             const source = new EventSource('/channels/bare/sse?after={cursor}');
             source.onmessage = (event) => got.sse.push(event.lastEventId);
             const socket = new WebSocket(`ws://${{location.host}}/channels/bare/websocket?after={cursor}`);
             socket.onmessage = (event) => {{ const {{ id }} = JSON.parse(event.data); if (id) got.websocket.push(id); }};
             fetch('/channels/bare/short-poll?after={cursor}').then((answer) => answer.json())
               .then((answer) => got.fetch.push(...answer.events.map((event) => event.id)));"
        ))
        .await;
    for way in ["sse", "websocket", "fetch"] {
        browser.until(&format!("got.{way}.length === 3")).await;
        assert_eq!(browser.value(&format!("got.{way}")).await, json!(ids), "{way}");
    }
    browser.end().await;
}

#[tokio::test]
async fn a_cut_of_each_kind_shows_and_nothing_is_lost() {
    let Some(browser) = Browser::start("a cut of each kind shows").await else { return };
    let server = Server::start(Config::default()).await;
    for transport in ["sse", "websocket"] {
        let room = format!("cut-{transport}");
        browser.open(&format!("http://{}/demo/{transport}?room={room}", server.address)).await;
        let mut expected = Vec::new();
        for how in ["close", "reset"] {
            until_state(&browser, transport, 1).await;
            let log = "document.querySelector('[data-list=log]').textContent";
            let losses = format!("{log}.split('readyState 0').length");
            let before = browser.value(&losses).await.as_u64().unwrap();
            click(&browser, &format!("[data-cut={how}]")).await;
            // It goes back to connecting, and comes back open: EventSource by itself, WebSocket by the
            // page's code.
            browser.until(&format!("{losses} > {before}")).await;
            let id = server.publish(&room, how).await;
            expected.push(json!([id, "message", how]));
            until_state(&browser, transport, 1).await;
            let shown = shown(transport);
            browser.until(&format!("{shown}.length === {}", expected.len())).await;
            assert_eq!(browser.value(&shown).await, Value::Array(expected.clone()), "{transport}, {how}");
        }
        browser.end_source_quiet(transport).await;
    }
    browser.end().await;
}

impl Browser {
    /// A silence has no error to show, so the page says that nothing comes although the server publishes.
    async fn end_source_quiet(&self, transport: &str) {
        until_state(self, transport, 1).await;
        self.run("const form = document.querySelector('form[data-form=source]'); form.elements.rate.value = 20; form.requestSubmit();")
            .await;
        let events = "Number(document.querySelector('[data-field=events]').textContent)";
        self.until(&format!("{events} > 5")).await;
        click(self, "[data-cut=silence]").await;
        self.until("document.querySelector('[data-transport]').dataset.quiet === 'true'").await;
        // The browser itself has noticed nothing.
        assert_eq!(self.value("document.querySelector('[data-transport]').dataset.state").await, "1");
    }
}

#[tokio::test]
async fn polls_come_back_after_each_cut() {
    let Some(browser) = Browser::start("polls come back").await else { return };
    // A poll's connection lies idle when it is silenced, and the browser may send anything over it next.
    let server = Server::start(Config { silence: Duration::from_secs(2), ..Config::default() }).await;
    for transport in ["short-poll", "long-poll"] {
        let room = format!("cut-{transport}");
        browser.open(&format!("http://{}/demo/{transport}?room={room}", server.address)).await;
        let mut count = 0;
        for how in ["close", "reset", "silence"] {
            // Several connections may have polled, and each counts as a reader for a while.
            let described = format!("/channels/{room}");
            while server.get(&described).await.json()["readers"][transport] == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            click(&browser, &format!("[data-cut={how}]")).await;
            browser.until("/: [1-9]/.test(document.querySelector('[data-field=told]').textContent)").await;
            let log = "document.querySelector('[data-list=log]').textContent";
            browser
                .until(&format!(
                    "{log}.includes('(' + document.querySelector('[data-cut={how}]').textContent + ')')"
                ))
                .await;
            if how == "silence" {
                break;
            }
            server.publish(&room, how).await;
            count += 1;
            browser.until(&format!("{}.length === {count}", shown(transport))).await;
        }
    }
    browser.end().await;
}

#[tokio::test]
async fn every_step_of_every_tour_goes_as_announced() {
    let Some(browser) = Browser::start("every step of the tours").await else { return };
    let server = Server::start_whole(Config::default()).await;
    for (subject, least) in [("eventsource", 18), ("websocket", 4), ("polling", 3)] {
        browser.open(&format!("http://{}/tour/{subject}", server.address)).await;
        click(&browser, "[data-do=run-all]").await;
        browser.until("document.body.dataset.tour !== undefined").await;
        let results = "[...document.querySelectorAll('[data-step]')]\
             .map((card) => [card.dataset.step, card.dataset.stepResult, card.querySelector('.output').textContent])";
        let results = browser.value(results).await;
        let results = results.as_array().unwrap();
        assert!(results.len() >= least, "{subject}: {results:?}");
        for result in results {
            assert_eq!(result[1], "passed", "{subject}: {result}");
        }
    }
    browser.end().await;
}

#[tokio::test]
async fn a_feed_in_the_browsers_store_outlives_the_page() {
    let Some(browser) = Browser::start("a feed outlives the page").await else { return };
    let server = Server::start(Config::default()).await;
    let url = format!("http://{}/tour/eventsource", server.address);
    for stored in [0, 5] {
        browser.open(&url).await;
        click(&browser, "#storage [data-do=run]").await;
        browser.until("document.getElementById('storage').dataset.stepResult === 'passed'").await;
        let first = browser.value("document.querySelector('#storage .output li').textContent").await;
        assert!(first.as_str().unwrap().starts_with(&format!("IndexedDB: {stored}")), "{first}");
    }
    browser.end().await;
}
