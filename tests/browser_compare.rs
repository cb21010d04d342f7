//! All four side by side, in a real browser: behind a network, through cuts, with what each makes of them.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod browser;
mod support;

use browser::Browser;
use pushlab::{link::conditions::Profile, server::Config, transport::Transport};
use serde_json::json;
use support::Server;

/// What a panel holds.
fn panel(transport: Transport, selector: &str) -> String {
    format!("document.querySelector('[data-transport=\"{transport}\"] {selector}')")
}

async fn publish_steadily(browser: &Browser, rate: u32) {
    browser
        .run(&format!(
            "const form = document.querySelector('form[data-form=source]');\
             form.elements.rate.value = {rate}; form.requestSubmit();"
        ))
        .await;
}

async fn choose(browser: &Browser, network: &str) {
    browser
        .run(&format!(
            "const choice = document.querySelector('[name=network]'); choice.value = '{network}';\
             choice.dispatchEvent(new Event('change'));"
        ))
        .await;
    browser.until(&format!("document.querySelector('[name=network]').dataset.now === '{network}'")).await;
}

/// A delay as it is shown, in milliseconds; a bound (`≤ 3 ms`) is its own value.
fn delay(transport: Transport) -> String {
    format!("Number({}.textContent.replace(/[^0-9.]/g, ''))", panel(transport, "[data-field=delay]"))
}

#[tokio::test]
async fn behind_a_network_all_four_read_the_same_later() {
    let Some(browser) = Browser::start("behind a network").await else { return };
    let server = Server::start_whole(Config::default()).await;
    browser.open(&format!("http://{}/compare?room=far&lang=en", server.address)).await;
    choose(&browser, "satellite").await;
    browser.until("document.querySelector('[data-field=network]').textContent.includes('279 ms')").await;
    publish_steadily(&browser, 5).await;
    for transport in Transport::ALL {
        browser.until(&format!("{} >= 279", delay(transport))).await;
        let state = format!("document.querySelector('section[data-transport={transport}]').dataset.state");
        assert_eq!(browser.value(&state).await, "1", "{transport}");
    }
    // Their addresses say that they went by another port, and the server's own readers are these.
    let satellite = Profile::ALL.iter().position(|network| *network == Profile::Satellite).unwrap();
    let port = server.get("/networks").await.json()["networks"][satellite]["port"].clone();
    let through = format!(
        "performance.getEntriesByType('resource').filter((it) => it.name.includes(':{port}/channels/far/')).length >= 2"
    );
    browser.until(&through).await;

    choose(&browser, "direct").await;
    browser.run("document.querySelector('[data-do=stop-source]').click();").await;
    let id = server.publish("far", "the last one").await;
    for transport in Transport::ALL {
        let last = panel(transport, "[data-list=events] li");
        browser.until(&format!("{last}?.dataset.id === '{id}'")).await;
        let ids = format!(
            "[...document.querySelectorAll('[data-transport=\"{transport}\"] [data-list=events] li')]\
             .map((item) => Number(item.dataset.id.split('-')[1]))"
        );
        let in_order = format!("((ids) => ids.every((id, at) => at === 0 || id === ids[at - 1] - 1))({ids})");
        assert_eq!(browser.value(&in_order).await, true, "{transport}: each event once");
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.end().await;
}

#[tokio::test]
async fn the_bytes_of_a_page_behind_a_network_are_its_own_too() {
    let Some(browser) = Browser::start("the wire behind a network").await else { return };
    let server = Server::start_whole(Config::default()).await;
    browser.open(&format!("http://{}/demo/sse?room=wire-far&lang=en", server.address)).await;
    choose(&browser, "mobile").await;
    browser.run("document.querySelector('[data-do=wire]').click();").await;
    // A page behind a door is of another origin, and the bytes say so.
    browser
        .until("/access-control-allow-origin: http/i.test(document.querySelector('[data-list=wire]').textContent)")
        .await;
    server.publish("wire-far", "by telephone").await;
    browser.until("document.querySelector('[data-list=wire]').textContent.includes('by telephone')").await;
    browser.end().await;
}

#[tokio::test]
async fn the_last_cut_is_drawn_with_what_was_lost_and_came_twice() {
    let Some(browser) = Browser::start("the last cut is drawn").await else { return };
    let server = Server::start_whole(Config::default()).await;
    for (transport, network) in [(Transport::Sse, "direct"), (Transport::WebSocket, "wifi")] {
        let room = format!("drawn-{transport}");
        browser.open(&format!("http://{}/demo/{transport}?room={room}&lang=en", server.address)).await;
        choose(&browser, network).await;
        publish_steadily(&browser, 20).await;
        let events = panel(transport, "[data-field=events]");
        browser.until(&format!("Number({events}.textContent) > 5")).await;
        let recovery = |what: &str| panel(transport, &format!("[data-recovery={what}]"));
        for how in ["close", "reset"] {
            browser.run(&format!("document.querySelector('[data-cut={how}]').click();")).await;
            browser
                .until(&format!(
                    "{}.textContent.startsWith('Cut ({how})')",
                    panel(transport, "[data-field=recovery]")
                ))
                .await;
            // Noticed, then back, then caught up: in this order, and all of it after the cut.
            let times = ["noticed", "back", "caught"]
                .map(|step| format!("Number({}.textContent.replace(/[^0-9.]/g, ''))", recovery(step)));
            let times = format!("[{}]", times.join(", "));
            let in_order = format!("((times) => times[0] <= times[1] && times[1] <= times[2])({times})");
            assert_eq!(browser.value(&in_order).await, true, "{transport}, {how}: {}", {
                browser.value(&times).await
            });
            for nothing in ["lost", "duplicated", "announced"] {
                assert_eq!(
                    browser.value(&format!("{}.textContent", recovery(nothing))).await,
                    "0",
                    "{how}: {nothing}"
                );
            }
            let drawn = |kind: &str| panel(transport, &format!(".timeline .{kind}"));
            for kind in ["cut", "noticed", "back", "caught", "silence", "published", "received", "way"] {
                assert_eq!(browser.value(&format!("{} !== null", drawn(kind))).await, true, "{how}: {kind}");
            }
        }
        // Nobody tells a stream of a silence: it shows as one that goes on.
        browser.run("document.querySelector('[data-cut=silence]').click();").await;
        browser.until(&format!("{}.textContent === 'not yet'", recovery("noticed"))).await;
        browser.until("document.querySelector('section[data-transport]').dataset.quiet === 'true'").await;
        assert_eq!(browser.value(&format!("{}.textContent", recovery("back"))).await, "not yet");
    }
    browser.end().await;
}

#[tokio::test]
async fn events_that_are_gone_and_events_that_come_again_are_counted() {
    let Some(browser) = Browser::start("losses are counted").await else { return };
    let server = Server::start_whole(Config::default()).await;
    browser.open(&format!("http://{}/demo/sse?room=counted&lang=en", server.address)).await;
    // The count itself, with a reader that errs: two of ten are left out, one comes twice.
    browser
        .run(
            "import('/static/js/recovery.js').then(({ Recovery }) => {\
               const recovery = new Recovery(document.querySelector('section[data-transport]'), 'sse');\
               recovery.from('e-0');\
               recovery.event('e-1', 0);\
               recovery.cut('planned', performance.now());\
               for (const id of [2, 3, 3, 6, 7]) recovery.event(`e-${id}`, 0);\
               recovery.gap(3);\
               recovery.event('e-11', 0);\
               recovery.show();\
             });",
        )
        .await;
    let counts = "['lost', 'duplicated', 'announced'].map((what) => \
                  document.querySelector(`[data-recovery=${what}]`).textContent)";
    browser.until(&format!("{counts}.join() !== '0,0,0'")).await;
    assert_eq!(browser.value(counts).await, json!(["2", "1", "3"]));
    browser.end().await;
}

#[tokio::test]
async fn the_train_ride_is_by_telephone_with_cuts_and_loses_nothing() {
    let Some(browser) = Browser::start("the train ride").await else { return };
    let server = Server::start_whole(Config::default()).await;
    browser.open(&format!("http://{}/compare?room=train&lang=en", server.address)).await;
    browser
        .run(
            "document.querySelector('[name=preset][value=train]').click();\
             document.querySelector('form[data-form=preset]').requestSubmit();",
        )
        .await;
    browser.until("document.querySelector('[name=network]').dataset.now === 'mobile'").await;
    for transport in Transport::ALL {
        let told = panel(transport, "[data-field=recovery]");
        browser.until(&format!("{told}.textContent.startsWith('Cut (')")).await;
        let lost = panel(transport, "[data-recovery=lost]");
        assert_eq!(browser.value(&format!("{lost}.textContent")).await, "0", "{transport}");
    }
    browser.run("document.querySelector('[data-do=stop-preset]').click();").await;
    browser.end().await;
}
