//! From the feed to the disk: one thread that writes down what all channels publish.
//!
//! An event reaches readers only once it is on the disk. Otherwise a reader could hold the cursor of an
//! event that a crash then un-happened, and the next event would get the same cursor.
//!
//! **Group commit.** A commit costs a flush to the disk, some milliseconds, however much is in it. While the
//! thread commits, others queue up, and all of them go into the next commit together: one publisher alone
//! waits for a flush per event, a hundred at the same time share one.
//!
//! Where a commit fails (a full disk), nothing later is taken either, since its numbers would leave a hole.
//! The channels can still be read; whoever publishes is told, until the server is started again.

use std::{
    collections::HashMap,
    io,
    path::Path,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{
    ChannelName, Limits,
    channel::Shared,
    log::Log,
    store::{Change, Remembered, Store, StoreError},
};
use crate::event::{Cursor, Draft, Epoch, Event};

/// What goes into one commit at most: bounds the memory that it takes and the time that it lasts.
const BATCH_ORDERS: usize = 1_024;
const BATCH_BYTES: usize = 8 << 20;

/// An event that could not be written down.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the event could not be stored: {0}: make room on the disk and start the server again")]
pub struct NotStored(String);

impl NotStored {
    /// The thread that writes has ended, as it does when it panics.
    pub(super) fn ended() -> Self {
        NotStored("the log's thread has ended".to_owned())
    }
}

/// What is waiting to be written down.
enum Order {
    Create(ChannelName, Epoch),
    Append(Append),
    Remove(ChannelName),
}

struct Append {
    name: ChannelName,
    channel: Arc<Shared>,
    event: Event,
    stored: oneshot::Sender<Result<(), NotStored>>,
}

/// The way to the thread that writes. Dropping it lets the thread finish what is queued, and waits for it.
#[derive(Debug)]
pub(super) struct Writer {
    orders: Option<mpsc::Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Opens the store in a folder, and gives what it remembers.
    pub(super) fn open(folder: &Path) -> Result<(Arc<Writer>, Vec<Remembered>), StoreError> {
        let store = Store::open(folder)?;
        let channels = store.channels(folder)?;
        let (orders, queue) = mpsc::channel();
        let thread = thread::Builder::new().name("log".to_owned()).spawn(move || write(&store, &queue));
        let thread =
            thread.map_err(|source: io::Error| StoreError::Folder { folder: folder.to_owned(), source })?;
        Ok((Arc::new(Writer { orders: Some(orders), thread: Some(thread) }), channels))
    }

    /// Has a channel forgotten.
    pub(super) fn remove(&self, name: &ChannelName) {
        self.order(Order::Remove(name.clone()));
    }

    /// A thread that has ended takes no orders; an event's sender is then told by its closed answer.
    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            let _ = orders.send(order);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A channel's end of the way to the disk.
#[derive(Debug)]
pub(super) struct Durable {
    name: ChannelName,
    epoch: Epoch,
    writer: Arc<Writer>,
    max_bytes: usize,
    /// The number of the event that was handed in last. Held while it is handed on, so that events are
    /// queued in the order of their numbers.
    last: Mutex<u64>,
}

impl Durable {
    /// Of a new channel.
    pub(super) fn create(name: &ChannelName, epoch: Epoch, limits: Limits, writer: &Arc<Writer>) -> Self {
        writer.order(Order::Create(name.clone(), epoch));
        Self::go_on(name, Cursor { epoch, sequence: 0 }, limits, writer)
    }

    /// Of a channel that is stored already, and stands at `head`.
    pub(super) fn go_on(name: &ChannelName, head: Cursor, limits: Limits, writer: &Arc<Writer>) -> Self {
        Durable {
            name: name.clone(),
            epoch: head.epoch,
            writer: Arc::clone(writer),
            max_bytes: limits.bytes_per_channel,
            last: Mutex::new(head.sequence),
        }
    }

    /// Hands an event on; what is returned tells once it is on the disk and with the readers.
    pub(super) fn submit(
        &self,
        channel: &Arc<Shared>,
        draft: Draft,
    ) -> Result<(Cursor, oneshot::Receiver<Result<(), NotStored>>), super::TooLarge> {
        Log::check(&draft, self.max_bytes)?;
        let (stored, answer) = oneshot::channel();
        let mut last = self.last.lock();
        *last += 1;
        let id = Cursor { epoch: self.epoch, sequence: *last };
        let (name, channel) = (self.name.clone(), Arc::clone(channel));
        self.writer.order(Order::Append(Append { name, channel, event: draft.with_id(id), stored }));
        Ok((id, answer))
    }
}

/// Writes down what is ordered until nobody can order any more.
fn write(store: &Store, queue: &mpsc::Receiver<Order>) {
    let mut evicted: HashMap<ChannelName, u64> = HashMap::new();
    let mut failed: Option<NotStored> = None;
    while let Ok(first) = queue.recv() {
        let batch = gather(first, queue);
        if failed.is_none() {
            // What the batch before pushed out of the logs goes first: it is on the disk a commit longer.
            let evictions = evicted.iter().map(|(name, last)| Change::Evict(name, *last));
            let done = store.commit(evictions.chain(batch.iter().map(change)));
            evicted.clear();
            failed = done.err().map(|error| NotStored(error.to_string()));
            if let Some(error) = &failed {
                tracing::error!(%error, "nothing more is published");
            }
        }
        for order in batch {
            let Order::Append(Append { name, channel, event, stored }) = order else { continue };
            let answer = match &failed {
                Some(failed) => Err(failed.clone()),
                None => {
                    let base = channel.append(event);
                    if base > 0 {
                        evicted.insert(name, base);
                    }
                    Ok(())
                }
            };
            // Whoever published may have gone away; the event is there all the same.
            let _ = stored.send(answer);
        }
    }
}

/// Everything that is queued by now, within bounds.
fn gather(first: Order, queue: &mpsc::Receiver<Order>) -> Vec<Order> {
    let size = |order: &Order| match order {
        Order::Append(append) => append.event.data.len(),
        Order::Create(..) | Order::Remove(_) => 0,
    };
    let mut bytes = size(&first);
    let mut batch = vec![first];
    while batch.len() < BATCH_ORDERS && bytes < BATCH_BYTES {
        let Ok(order) = queue.try_recv() else { break };
        bytes += size(&order);
        batch.push(order);
    }
    batch
}

fn change(order: &Order) -> Change<'_> {
    match order {
        Order::Create(name, epoch) => Change::Create(name, *epoch),
        Order::Append(append) => Change::Append(&append.name, &append.event),
        Order::Remove(name) => Change::Remove(name),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::feed::{Channel, Feed, ReadLimit};

    #[derive(Debug, Clone)]
    enum Step {
        Publish(usize),
        /// The server ends and is started again.
        Reopen,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let publish = (0_usize..40).prop_map(Step::Publish);
        proptest::collection::vec(prop_oneof![5 => publish, 1 => Just(Step::Reopen)], 1..25)
    }

    /// Everything that a reader can learn from a channel, without its epoch.
    fn told(channel: &Channel) -> Vec<String> {
        let (head, holdings) = (channel.head(), channel.holdings());
        let size = format!("{} {} {}", holdings.oldest.sequence, holdings.events, holdings.bytes);
        let reads = (0..=head.sequence + 1).map(|sequence| {
            match channel.since(Cursor { sequence, ..head }, ReadLimit::default()) {
                Err(_) => format!("{sequence} is ahead"),
                Ok(batch) => {
                    let entries = batch.entries.iter();
                    let texts: Vec<_> =
                        entries.map(|it| (it.id.sequence, it.kind.clone(), it.data.clone())).collect();
                    format!("{:?} {} {texts:?}", batch.gap, batch.cursor.sequence)
                }
            }
        });
        std::iter::once(size).chain(reads).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// A log that is written down tells its readers what one in memory tells, whenever it is reopened.
        #[test]
        fn a_log_on_disk_is_read_like_one_in_memory(
            steps in steps(), max_events in 1_usize..8, max_bytes in 30_usize..200,
        ) {
            let limits = Limits { events_per_channel: max_events, bytes_per_channel: max_bytes, ..Limits::default() };
            let folder = tempfile::tempdir().expect("a folder");
            let name: ChannelName = "a".parse().expect("a good name");
            let memory = Channel::new(limits);
            let mut feed = Feed::open(limits, folder.path()).expect("opens");
            let epoch = feed.channel(&name).expect("room").head().epoch;
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Publish(size) => {
                        let kind = (number % 2 == 0).then_some("price");
                        let draft = Draft::new(kind, "é".repeat(size)).expect("a good type");
                        let stored = feed.channel(&name).expect("room").publish(draft.clone());
                        let kept = memory.publish(draft);
                        prop_assert_eq!(stored.map(|id| id.sequence), kept.map(|id| id.sequence));
                    }
                    Step::Reopen => {
                        drop(feed);
                        feed = Feed::open(limits, folder.path()).expect("opens again");
                    }
                }
                let channel = feed.channel(&name).expect("room");
                prop_assert_eq!(channel.head().epoch, epoch);
                prop_assert_eq!(told(&channel), told(&memory));
            }
        }
    }

    #[test]
    fn a_folder_is_for_one_feed_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let _first = Feed::open(Limits::default(), folder.path()).expect("opens");
        let second = Feed::open(Limits::default(), folder.path());
        assert!(matches!(second, Err(StoreError::InUse(_))), "{second:?}");
    }

    #[test]
    fn an_idle_channel_with_events_is_kept_until_its_place_is_needed_and_then_forgotten() {
        let limits = Limits { channels: 1, idle_after: std::time::Duration::ZERO, ..Limits::default() };
        let folder = tempfile::tempdir().expect("a folder");
        let name = |text: &str| -> ChannelName { text.parse().expect("a good name") };
        let feed = Feed::open(limits, folder.path()).expect("opens");
        let id = feed.channel(&name("a")).expect("room").publish(Draft::message("x")).expect("stored");
        feed.collect_idle();
        assert_eq!(feed.names(), [name("a")]);
        feed.channel(&name("b")).expect("the idle channel made room");
        drop(feed);
        let feed = Feed::open(limits, folder.path()).expect("opens again");
        assert_eq!(feed.names(), [name("b")]);
        let again = feed.channel(&name("a")).expect("the idle channel made room");
        assert_ne!(again.head().epoch, id.epoch, "its cursors are not mistaken");
    }

    #[test]
    fn the_disk_is_bounded_as_the_log_is() {
        let limits = Limits { events_per_channel: 3, ..Limits::default() };
        let folder = tempfile::tempdir().expect("a folder");
        let feed = Feed::open(limits, folder.path()).expect("opens");
        let channel = feed.channel(&"a".parse().expect("a good name")).expect("room");
        for number in 0..20 {
            channel.publish(Draft::message(number.to_string())).expect("stored");
        }
        drop((channel, feed));
        let store = Store::open(folder.path()).expect("opens");
        let kept = &store.channels(folder.path()).expect("readable")[0].events;
        assert!(kept.len() <= 4, "at most one commit of one event beyond the bound: {kept:?}");
        assert_eq!(kept.last().map(|event| event.data.as_str()), Some("19"));
    }
}
