//! The wire view, in a real browser: its counts add up to what passed, and text stays text.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod browser;
mod support;

use browser::Browser;
use pushlab::{server::Config, transport::Transport};
use support::Server;

/// What the table says about a layer and a direction.
fn count(layer: &str, direction: &str) -> String {
    format!(
        "Number(document.querySelector('[data-count=\"{layer}-{direction}\"]')?.textContent.replaceAll(',', ''))"
    )
}

/// The same, from the pieces that are listed.
fn listed(layer: &str, direction: &str) -> String {
    format!(
        "[...document.querySelectorAll('[data-layer=\"{layer}\"][data-direction={direction}] details code')]\
         .reduce((sum, hex) => sum + hex.textContent.split(' ').length, 0)"
    )
}

#[tokio::test]
async fn the_counts_are_of_the_pieces_that_are_shown_and_hold_the_events() {
    let Some(browser) = Browser::start("the wire view").await else { return };
    let server = Server::start(Config::default()).await;
    for transport in Transport::ALL {
        let room = format!("wire-{transport}");
        browser.open(&format!("http://{}/demo/{transport}?room={room}&lang=en", server.address)).await;
        assert_eq!(browser.value("document.querySelector('[data-list=wire]').hidden").await, true, "off");
        browser.run("document.querySelector('[data-do=wire]').click();").await;
        browser.until(&format!("{} > 0", count("head", "out"))).await;
        let data = ["first", "<img src=x onerror=\"document.title='broken'\">"];
        for data in data {
            server.publish(&room, data).await;
        }
        let shown = "document.querySelectorAll('[data-list=events] li').length";
        browser.until(&format!("{shown} >= {}", data.len())).await;
        // What the page would ask next ends, so that the table can come to rest.
        browser.run("document.querySelector('[data-do=stop]').click();").await;
        for layer in ["head", "chunk", "sse", "ws-header", "ws-payload", "payload"] {
            for direction in ["in", "out"] {
                browser.until(&format!("{} === {}", count(layer, direction), listed(layer, direction))).await;
            }
        }
        let bytes: usize = data.iter().map(|data| data.len()).sum();
        match transport {
            // The values of `data:`, and nothing else.
            Transport::Sse => assert_eq!(browser.value(&count("payload", "out")).await, bytes),
            Transport::WebSocket => {
                browser
                    .until("document.querySelector('[data-list=wire]').textContent.includes('MASK 0')")
                    .await;
            }
            Transport::ShortPoll | Transport::LongPoll => {
                browser.until(&format!("{} > {bytes}", count("payload", "out"))).await;
            }
        }
        assert_eq!(browser.value("document.querySelectorAll('.pieces img').length").await, 0);
        assert_ne!(browser.value("document.title").await, "broken");
        assert_eq!(browser.complaints().await, Vec::<String>::new(), "{transport}");
    }
    browser.end().await;
}
