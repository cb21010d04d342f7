//! What a feed keeps on disk: each channel's epoch and the events that are in its log.
//!
//! One file in a folder, by [redb](https://www.redb.org): a transaction is on the disk whole or not at all,
//! whenever the process or the machine dies. Knows no waiting and no readers.

use std::{
    borrow::Cow,
    fs, io,
    path::{Path, PathBuf},
};

use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};

use super::ChannelName;
use crate::event::{Cursor, DEFAULT_TYPE, Epoch, Event};

/// A channel's epoch.
const EPOCHS: TableDefinition<'_, &str, u64> = TableDefinition::new("epochs");
/// An event's type and data, by channel and sequence.
const EVENTS: TableDefinition<'_, (&str, u64), (&str, &str)> = TableDefinition::new("events");

const FILE: &str = "feed.redb";

/// Pages kept in memory. The logs are in memory anyway and reads never come here, so little is enough.
const CACHE_BYTES: usize = 8 << 20;

/// An open store.
#[derive(Debug)]
pub(super) struct Store {
    database: Database,
}

/// A channel as it was found.
#[derive(Debug, PartialEq)]
pub(super) struct Remembered {
    pub(super) name: ChannelName,
    pub(super) epoch: Epoch,
    /// In order, without holes.
    pub(super) events: Vec<Event>,
}

/// One thing to write down.
#[derive(Debug)]
pub(super) enum Change<'a> {
    /// A channel came to be.
    Create(&'a ChannelName, Epoch),
    /// It got an event.
    Append(&'a ChannelName, &'a Event),
    /// Its events up to and including this number are no longer in its log.
    Evict(&'a ChannelName, u64),
    /// It is gone.
    Remove(&'a ChannelName),
}

/// Why a log on disk can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder can't be made.
    #[error("can't use {folder} for the log: {source}: name a folder that can be written to")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// Another process has it.
    #[error("the log in {0} is in use by another server: end that one, or name another folder")]
    InUse(PathBuf),
    /// It can't be read.
    #[error("the log in {folder} can't be read: {problem}: move the folder away to start anew")]
    Unreadable {
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

impl Store {
    /// Opens the store in a folder, or makes both.
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        let at = || folder.to_owned();
        fs::create_dir_all(folder).map_err(|source| StoreError::Folder { folder: at(), source })?;
        let database = Database::builder().set_cache_size(CACHE_BYTES).create(folder.join(FILE));
        let database = database.map_err(|error| match error {
            redb::DatabaseError::DatabaseAlreadyOpen => StoreError::InUse(at()),
            error => StoreError::Unreadable { folder: at(), problem: error.to_string() },
        })?;
        let store = Store { database };
        let unreadable =
            |error: redb::Error| StoreError::Unreadable { folder: at(), problem: error.to_string() };
        // The tables come to be here, so that reading finds them in an empty store too.
        store.commit([]).map_err(unreadable)?;
        Ok(store)
    }

    /// Every channel that it holds.
    pub(super) fn channels(&self, folder: &Path) -> Result<Vec<Remembered>, StoreError> {
        let unreadable = |problem: String| StoreError::Unreadable { folder: folder.to_owned(), problem };
        let rows = self.read().map_err(|error| unreadable(error.to_string()))?;
        rows.into_iter()
            .map(|(name, epoch, events)| {
                let name = name.parse().map_err(|error: super::BadName| unreadable(error.to_string()))?;
                Ok(Remembered { name, epoch, events })
            })
            .collect()
    }

    fn read(&self) -> Result<Vec<(String, Epoch, Vec<Event>)>, redb::Error> {
        let reading = self.database.begin_read()?;
        let (epochs, stored) = (reading.open_table(EPOCHS)?, reading.open_table(EVENTS)?);
        let mut channels = Vec::new();
        for row in epochs.iter()? {
            let (name, epoch) = row?;
            let (name, epoch) = (name.value().to_owned(), Epoch::new(epoch.value()));
            let mut events = Vec::new();
            for row in stored.range((name.as_str(), 0)..=(name.as_str(), u64::MAX))? {
                let (key, value) = row?;
                let (kind, data) = value.value();
                let kind =
                    if kind == DEFAULT_TYPE { DEFAULT_TYPE.into() } else { Cow::Owned(kind.to_owned()) };
                let id = Cursor { epoch, sequence: key.value().1 };
                events.push(Event { id, kind, data: data.to_owned() });
            }
            channels.push((name, epoch, events));
        }
        Ok(channels)
    }

    /// Writes all changes down, in order, as one; they are on the disk (`fsync`) when this returns.
    pub(super) fn commit<'a>(
        &self,
        changes: impl IntoIterator<Item = Change<'a>>,
    ) -> Result<(), redb::Error> {
        // Its durability is `Immediate` unless it is told otherwise.
        let writing = self.database.begin_write()?;
        {
            let (mut epochs, mut events) = (writing.open_table(EPOCHS)?, writing.open_table(EVENTS)?);
            for change in changes {
                match change {
                    Change::Create(name, epoch) => {
                        epochs.insert(name.as_str(), epoch.value())?;
                    }
                    Change::Append(name, event) => {
                        let key = (name.as_str(), event.id.sequence);
                        events.insert(key, (event.kind.as_ref(), event.data.as_str()))?;
                    }
                    Change::Evict(name, last) => {
                        events.retain_in((name.as_str(), 0)..=(name.as_str(), last), |_, _| false)?;
                    }
                    Change::Remove(name) => {
                        epochs.remove(name.as_str())?;
                        events.retain_in((name.as_str(), 0)..=(name.as_str(), u64::MAX), |_, _| false)?;
                    }
                }
            }
        }
        writing.commit()?;
        Ok(())
    }
}
