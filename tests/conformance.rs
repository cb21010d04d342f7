//! The promise, the same on all transports: a reader that resumes from its last cursor gets every later
//! event, in order, once, or one explicit gap. Each test runs over `Transport::ALL` with real sockets, and over
//! channels that live in memory as well as over those of a log on disk.

mod readers;

use std::time::Duration;

use pushlab::{
    event::{Draft, Gap, GapReason},
    feed::{Channel, Feed, Limits, StoreError},
    server::Config,
    transport::Transport,
};
use readers::{Kept, Server, eager, read, read_with};

/// All tests, for both ways of keeping a channel.
macro_rules! conformance {
    ($($test:ident),* $(,)?) => {
        conformance! { @kept in_memory InMemory $($test)* }
        conformance! { @kept on_disk OnDisk $($test)* }
    };
    (@kept $way:ident $kept:ident $($test:ident)*) => {
        mod $way {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $test() {
                    super::$test(super::Kept::$kept).await;
                }
            )*
        }
    };
}

conformance! {
    a_reader_without_a_cursor_starts_at_the_present,
    a_reader_resumes_from_any_cursor,
    evicted_events_are_one_gap_with_the_right_count_before_what_is_still_there,
    a_cursor_of_another_history_is_one_gap_and_never_mistaken,
    a_crowd_of_readers_all_get_everything,
    a_slow_reader_gets_a_gap_and_loses_nothing_unsaid,
    text_of_every_kind_arrives_as_it_was_published,
}

/// Publishes numbers as text and waits until all are published: on a disk they share a few flushes.
async fn publish(channel: &Channel, numbers: impl IntoIterator<Item = u64>) -> Vec<String> {
    publish_all(channel, numbers.into_iter().map(|number| number.to_string())).await
}

async fn publish_all(channel: &Channel, texts: impl IntoIterator<Item = String>) -> Vec<String> {
    let submit = |text: String| channel.submit(Draft::message(text)).expect("fits");
    let submitted: Vec<_> = texts.into_iter().map(submit).collect();
    let mut ids = Vec::new();
    for one in submitted {
        ids.push(one.stored().await.expect("published").to_string());
    }
    ids
}

fn texts(numbers: std::ops::RangeInclusive<u64>) -> Vec<String> {
    numbers.map(|number| number.to_string()).collect()
}

async fn a_reader_without_a_cursor_starts_at_the_present(kept: Kept) {
    let server = Server::keeping(kept, Config::default()).await;
    for transport in Transport::ALL {
        let channel = server.channel(transport.slug());
        publish(&channel, 1..=3).await;
        let reader = read(transport, server.address, transport.slug(), None);
        reader.opened().await;
        let ids = publish(&channel, 4..=6).await;
        let seen = reader.until("three events came", |seen| seen.events.len() >= 3).await;
        assert_eq!(seen.data(), texts(4..=6), "{transport}");
        assert_eq!(seen.ids(), ids, "{transport}");
        assert!(seen.gaps.is_empty(), "{transport}");
    }
}

async fn a_reader_resumes_from_any_cursor(kept: Kept) {
    let server = Server::keeping(kept, Config::default()).await;
    let channel = server.channel("c");
    let start = channel.head().to_string();
    let mut cursors = vec![start];
    cursors.extend(publish(&channel, 1..=12).await);
    for transport in Transport::ALL {
        for (after, cursor) in (0_u64..).zip(&cursors).take(12) {
            let reader = read(transport, server.address, "c", Some(cursor));
            let due = usize::try_from(12 - after).expect("small");
            let seen = reader.until("all later events came", |seen| seen.events.len() >= due).await;
            assert_eq!(seen.data(), texts(after + 1..=12), "{transport} after {after}");
            assert!(seen.gaps.is_empty(), "{transport} after {after}");
        }
    }
}

async fn evicted_events_are_one_gap_with_the_right_count_before_what_is_still_there(kept: Kept) {
    let feed = Limits { events_per_channel: 10, ..Limits::default() };
    let server = Server::keeping(kept, Config { feed, ..Config::default() }).await;
    let channel = server.channel("c");
    let ids = publish(&channel, 1..=30).await;
    for transport in Transport::ALL {
        let reader = read(transport, server.address, "c", Some(&ids[2]));
        let seen = reader.until("ten events came", |seen| seen.events.len() >= 10).await;
        assert_eq!(seen.gaps, [Gap { missed: Some(17), reason: GapReason::Evicted }], "{transport}");
        assert_eq!(seen.gap_at, [0], "{transport}: the gap comes first");
        assert_eq!(seen.data(), texts(21..=30), "{transport}");
    }
}

async fn a_cursor_of_another_history_is_one_gap_and_never_mistaken(kept: Kept) {
    let old = Server::keeping(kept, Config::default()).await;
    let old_ids = publish(&old.channel("c"), 1..=5).await;
    let server = Server::keeping(kept, Config::default()).await;
    let channel = server.channel("c");
    publish(&channel, 6..=8).await;
    for transport in Transport::ALL {
        // The new log has an event of the same number: only the epoch tells them apart.
        let reader = read(transport, server.address, "c", Some(&old_ids[2]));
        let seen = reader.until("three events came", |seen| seen.events.len() >= 3).await;
        assert_eq!(seen.gaps, [Gap { missed: None, reason: GapReason::Restarted }], "{transport}");
        assert_eq!(seen.gap_at, [0], "{transport}");
        assert_eq!(seen.data(), texts(6..=8), "{transport}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_outlives_the_restart_of_a_log_on_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config::default();
    let open = || Feed::open(config.feed, folder.path());
    let server = Server::of(config.clone(), open().expect("nobody else has it"), None).await;
    let ids = publish(&server.channel("c"), 1..=5).await;
    drop(server);
    // Its connections and its thread let go of the folder as they end.
    let ended = async {
        loop {
            match open() {
                Ok(feed) => break feed,
                Err(StoreError::InUse(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
                Err(other) => panic!("{other}"),
            }
        }
    };
    let feed = tokio::time::timeout(readers::PATIENCE, ended).await.expect("the server ends");
    let server = Server::of(config.clone(), feed, None).await;
    publish(&server.channel("c"), 6..=8).await;
    for transport in Transport::ALL {
        let reader = read(transport, server.address, "c", Some(&ids[2]));
        let seen = reader.until("five events came", |seen| seen.events.len() >= 5).await;
        assert_eq!(seen.data(), texts(4..=8), "{transport}");
        assert_eq!(seen.ids()[..2], ids[3..], "{transport}");
        assert!(seen.gaps.is_empty(), "{transport}");
    }
}

async fn a_crowd_of_readers_all_get_everything(kept: Kept) {
    // All read from memory; how a log on disk wakes them shows with fewer.
    let readers = if kept == Kept::InMemory { 1_000 } else { 100 };
    // Each reader takes two descriptors of this process, which is its own server.
    pushlab::server::max_connections();
    let server = Server::keeping(kept, Config::default()).await;
    for transport in Transport::ALL {
        let policy = pushlab::client::Policy { interval: Duration::from_millis(500), ..eager() };
        let readers: Vec<_> = (0..readers)
            .map(|_| read_with(transport, server.address, transport.slug(), None, policy.clone(), None))
            .collect();
        for reader in &readers {
            reader.opened().await;
        }
        let channel = server.channel(transport.slug());
        let ids = publish(&channel, 1..=20).await;
        for reader in &readers {
            let seen = reader.until("twenty events came", |seen| seen.events.len() >= 20).await;
            assert_eq!(seen.ids(), ids, "{transport}");
            assert!(seen.gaps.is_empty(), "{transport}");
        }
    }
}

async fn a_slow_reader_gets_a_gap_and_loses_nothing_unsaid(kept: Kept) {
    // Far more than the kernel's buffers on the way can swallow, and a log far smaller than that.
    const EVENTS: u64 = 1_500;
    const BYTES: usize = 16 << 10;
    let feed = Limits { events_per_channel: 64, ..Limits::default() };
    let server = Server::keeping(kept, Config { feed, ..Config::default() }).await;
    for transport in Transport::ALL {
        let channel = server.channel(transport.slug());
        let start = channel.head().to_string();
        let (resume, stalled) = std::sync::mpsc::channel::<()>();
        let stall = move |so_far: usize| {
            if so_far == 0 {
                // Until the sender is dropped.
                let _ = tokio::task::block_in_place(|| stalled.recv());
            }
        };
        let at_event: readers::AtEvent = Box::new(stall);
        let reader =
            read_with(transport, server.address, transport.slug(), Some(&start), eager(), Some(at_event));
        reader.opened().await;
        let mut submitted = Vec::new();
        for number in 1..=EVENTS {
            submitted.push(channel.submit(Draft::message(format!("{number:0BYTES$}"))).expect("fits"));
            // The server's other tasks go on meanwhile: the stalled reader must not hold the feed up.
            tokio::task::yield_now().await;
        }
        for one in submitted {
            one.stored().await.expect("published");
        }
        drop(resume);
        let last = format!("{EVENTS:0BYTES$}");
        let done = |seen: &readers::Seen| seen.events.last().is_some_and(|(_, data)| *data == last);
        let seen = reader.until("the newest event came", done).await;
        assert!(!seen.gaps.is_empty(), "{transport}: {EVENTS} events fitted on the way?");
        let missed: u64 = seen.gaps.iter().map(|gap| gap.missed.expect("evictions are counted")).sum();
        assert_eq!(
            seen.events.len() as u64 + missed,
            EVENTS,
            "{transport}: every event or its place in a gap"
        );
        let numbers: Vec<u64> = seen.data().iter().map(|data| data.parse().expect("a number")).collect();
        assert!(numbers.is_sorted_by(|one, next| one < next), "{transport}: in order, once");
    }
}

async fn text_of_every_kind_arrives_as_it_was_published(kept: Kept) {
    let nasty = [
        "",
        " leading and trailing ",
        "two\nlines",
        "\n",
        "ends with a newline\n",
        "data: id: event:",
        ": a comment?",
        "\u{feff}bom \u{0} nul \u{2028} 🦀",
        "{\"gap\":{}}",
        "<img src=x onerror=alert(1)></script>",
    ];
    let server = Server::keeping(kept, Config::default()).await;
    let channel = server.channel("c");
    let start = channel.head().to_string();
    publish_all(&channel, nasty.map(str::to_owned)).await;
    publish_all(&channel, ["carriage\r\nreturn\rs".to_owned()]).await;
    for transport in Transport::ALL {
        let reader = read(transport, server.address, "c", Some(&start));
        let seen = reader.until("all came", |seen| seen.events.len() > nasty.len()).await;
        assert_eq!(seen.data()[..nasty.len()], nasty, "{transport}");
        assert_eq!(seen.data()[nasty.len()], "carriage\nreturn\ns", "{transport}");
    }
}
