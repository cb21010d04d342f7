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

/// A figure of the page's panel.
fn field(name: &str) -> String {
    format!("Number(document.querySelector('[data-field={name}]').textContent.replaceAll(',', ''))")
}

#[tokio::test]
async fn the_counts_are_what_the_page_itself_has_read() {
    let Some(browser) = Browser::start("the wire view's counts and the page's").await else { return };
    let server = Server::start(Config::default()).await;
    for transport in Transport::ALL {
        let room = format!("read-{transport}");
        browser.open(&format!("http://{}/demo/{transport}?room={room}&lang=en", server.address)).await;
        let state = |state| {
            format!("document.querySelector('[data-transport={transport}]').dataset.state === '{state}'")
        };
        browser.until(&state(1)).await;
        // What it read before the view was on is not in the view.
        browser.run("document.querySelector('[data-do=stop]').click();").await;
        browser.until(&state(2)).await;
        // The panel writes its figures down a few times a second.
        tokio::time::sleep(std::time::Duration::from_millis(600)).await;
        let before = browser.value(&field("bytes")).await;
        browser.run("document.querySelector('[data-do=wire]').click();").await;
        browser.until(&format!("{} > 0", count("head", "out"))).await;
        for data in ["first", "second\nof two lines"] {
            server.publish(&room, data).await;
        }
        browser.until("document.querySelectorAll('[data-list=events] li').length === 2").await;
        let layers: &[&str] = match transport {
            Transport::ShortPoll | Transport::LongPoll => &["payload"],
            Transport::Sse => &["sse", "payload"],
            Transport::WebSocket => &["ws-payload", "payload"],
        };
        let counted: Vec<_> = layers.iter().map(|layer| count(layer, "out")).collect();
        // A browser's EventSource does not show the block in which the server says where the stream stands.
        let unseen = match transport {
            Transport::Sse => {
                let cursor = server.get(&format!("/channels/{room}")).await.json()["oldest"].clone();
                format!("retry: 1000\nid: {}\n\n", cursor.as_str().unwrap()).len()
            }
            _ => 0,
        };
        browser.until(&format!("{} === {} - {before} + {unseen}", counted.join(" + "), field("bytes"))).await;
        // Requests have no bodies here, so all that goes in is heads; frames of ours would be counted too.
        browser.until(&format!("{} > 100", count("head", "in"))).await;
        for layer in ["chunk", "sse", "payload"] {
            assert_eq!(browser.value(&count(layer, "in")).await, 0, "{transport}");
        }
        browser.run("document.querySelector('[data-do=stop]').click();").await;
    }
    browser.end().await;
}

#[tokio::test]
async fn a_page_sees_its_own_connections_and_no_other_pages() {
    let Some(browser) = Browser::start("two pages' wire views").await else { return };
    let server = Server::start(Config::default()).await;
    let rooms = ["one-page", "other-page"];
    let mut pages = Vec::new();
    // Two tabs of one browser, which shares its connections between them.
    for (index, room) in rooms.iter().enumerate() {
        if index > 0 {
            let tab = browser.client.new_window(true).await.unwrap().handle;
            browser.client.switch_to_window(tab).await.unwrap();
        }
        pages.push(browser.client.window().await.unwrap());
        browser.open(&format!("http://{}/demo/short-poll?room={room}&lang=en", server.address)).await;
        browser.run("document.querySelector('[data-do=wire]').click();").await;
        browser.until(&format!("{} > 0", count("head", "out"))).await;
    }
    for room in rooms {
        server.publish(room, &format!("secret of {room}")).await;
    }
    for (page, (mine, other)) in pages.into_iter().zip([(rooms[0], rooms[1]), (rooms[1], rooms[0])]) {
        browser.client.switch_to_window(page).await.unwrap();
        let text = "document.querySelector('[data-list=wire]').textContent";
        browser.until(&format!("{text}.includes('secret of {mine}')")).await;
        assert_eq!(browser.value(&format!("{text}.includes('{other}')")).await, false, "{mine}");
    }
    browser.end().await;
}
