//! Who reads which channel, by which transport: for the count, the limit and the cut.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

use super::connection::Cut;
use crate::{feed::ChannelName, transport::Transport};

/// All readers of all channels.
#[derive(Debug)]
pub(crate) struct Readers {
    limit: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    next_id: u64,
    channels: HashMap<ChannelName, HashMap<u64, Entry>>,
}

#[derive(Debug)]
struct Entry {
    transport: Transport,
    cut: Arc<Cut>,
}

/// More readers than a channel may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the channel has all of its {0} readers: try again later, or read another channel")]
pub(crate) struct Full(usize);

impl Readers {
    pub(crate) fn new(limit: usize) -> Self {
        Readers { limit, table: Mutex::default() }
    }

    /// A place among a channel's readers, for as long as the answer is held.
    pub(crate) fn join(
        self: &Arc<Self>,
        channel: &ChannelName,
        transport: Transport,
        cut: Arc<Cut>,
    ) -> Result<Reader, Full> {
        let mut table = self.table.lock();
        let id = table.next_id;
        let readers = table.channels.entry(channel.clone()).or_default();
        if readers.len() >= self.limit {
            return Err(Full(self.limit));
        }
        readers.insert(id, Entry { transport, cut });
        table.next_id += 1;
        Ok(Reader { readers: Arc::clone(self), channel: channel.clone(), transport, id })
    }

    /// Readers of a channel by one transport.
    pub(crate) fn count(&self, channel: &ChannelName, transport: Transport) -> usize {
        let table = self.table.lock();
        let readers = table.channels.get(channel).into_iter().flat_map(HashMap::values);
        readers.filter(|reader| reader.transport == transport).count()
    }

    /// Whether anybody reads a channel.
    pub(crate) fn any(&self, channel: &ChannelName) -> bool {
        self.table.lock().channels.contains_key(channel)
    }

    /// Strikes readers off and hands out the switches of their connections. Once cut, a reader is none,
    /// although its connection may take a while to end.
    pub(crate) fn take(&self, channel: &ChannelName, transport: Option<Transport>) -> Vec<Arc<Cut>> {
        let mut table = self.table.lock();
        let Some(readers) = table.channels.get_mut(channel) else { return Vec::new() };
        let chosen = readers
            .extract_if(|_, reader| transport.is_none_or(|transport| transport == reader.transport))
            .map(|(_, reader)| reader.cut)
            .collect();
        if readers.is_empty() {
            table.channels.remove(channel);
        }
        chosen
    }
}

/// A place among a channel's readers, given up when dropped.
#[derive(Debug)]
pub(crate) struct Reader {
    readers: Arc<Readers>,
    channel: ChannelName,
    transport: Transport,
    id: u64,
}

impl Reader {
    /// Whether this is a reader of that channel by that transport.
    pub(crate) fn is(&self, channel: &ChannelName, transport: Transport) -> bool {
        self.channel == *channel && self.transport == transport
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut table = self.readers.table.lock();
        if let Some(readers) = table.channels.get_mut(&self.channel) {
            readers.remove(&self.id);
            if readers.is_empty() {
                table.channels.remove(&self.channel);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;

    fn cut() -> Arc<Cut> {
        Arc::new(Cut::new(&CancellationToken::new(), &CancellationToken::new()))
    }

    #[test]
    fn a_place_is_counted_while_it_is_held_and_refused_beyond_the_limit() {
        let readers = Arc::new(Readers::new(1));
        let channel: ChannelName = "a".parse().expect("a good name");
        let reader = readers.join(&channel, Transport::Sse, cut()).expect("room");
        assert_eq!(readers.count(&channel, Transport::Sse), 1);
        assert_eq!(readers.count(&channel, Transport::WebSocket), 0);
        assert!(readers.join(&channel, Transport::Sse, cut()).is_err());
        drop(reader);
        assert!(!readers.any(&channel));
        assert!(readers.join(&channel, Transport::Sse, cut()).is_ok());
    }

    #[test]
    fn taking_readers_leaves_those_of_other_transports() {
        let readers = Arc::new(Readers::new(10));
        let channel: ChannelName = "a".parse().expect("a good name");
        let _held = Transport::ALL.map(|transport| readers.join(&channel, transport, cut()).expect("room"));
        assert_eq!(readers.take(&channel, Some(Transport::Sse)).len(), 1);
        assert_eq!(readers.take(&channel, None).len(), 3);
        assert!(!readers.any(&channel));
    }
}
