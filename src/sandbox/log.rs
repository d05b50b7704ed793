//! A transparency log: a journal of bodies, the Merkle tree over them, and the journal's promise carried over to the
//! tree: what has an index is on the disk.
//!
//! Rekor v1 and v2 each have one. A checkpoint is only ever signed over entries that the journal has acknowledged, so
//! no crash can make the log sign two histories.

use std::collections::HashMap;
use std::path::Path;

use jiff::Timestamp;

use super::journal::{Journal, JournalError};
use crate::format::merkle::{self, Hash, Tree};

const TIME_LEN: usize = 8;

/// Why an entry was not logged.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The disk.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A record of the journal that this program has not written.
    #[error("record {0} of the journal is not a log entry")]
    Record(usize),
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Logged {
    /// When it was logged, in whole seconds.
    pub time: Timestamp,
    /// The canonical JSON.
    pub body: Vec<u8>,
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Appended {
    /// It is new, and has this index.
    New(u64),
    /// It was there before, at this index.
    Known(u64),
}

/// The log.
#[derive(Debug)]
pub(super) struct Log {
    journal: Journal,
    tree: Tree,
    entries: Vec<Logged>,
    indices: HashMap<Hash, u64>,
}

impl Log {
    /// Open the log in the file `path`.
    ///
    /// # Errors
    /// [`LogError`]
    pub(super) fn open(path: &Path) -> Result<Self, LogError> {
        let (journal, records) = Journal::open(path)?;
        let mut log = Log { journal, tree: Tree::new(), entries: Vec::new(), indices: HashMap::new() };
        for (number, record) in records.iter().enumerate() {
            let entry = record
                .split_first_chunk::<TIME_LEN>()
                .and_then(|(time, body)| {
                    let time = Timestamp::from_second(i64::from_be_bytes(*time)).ok()?;
                    Some(Logged { time, body: body.to_vec() })
                })
                .ok_or(LogError::Record(number))?;
            log.remember(entry);
        }
        Ok(log)
    }

    /// Log `body` unless it is there already. When this returns, it is on the disk.
    ///
    /// # Errors
    /// [`LogError`]; the log is then as it was.
    pub(super) fn append(&mut self, body: Vec<u8>, time: Timestamp) -> Result<Appended, LogError> {
        if let Some(index) = self.index_of(&merkle::leaf_hash(&body)) {
            return Ok(Appended::Known(index));
        }
        let mut record = time.as_second().to_be_bytes().to_vec();
        record.extend_from_slice(&body);
        self.journal.append(&record)?;
        let time = Timestamp::from_second(time.as_second()).unwrap_or(time);
        Ok(Appended::New(self.remember(Logged { time, body })))
    }

    /// The entry at `index`.
    #[must_use]
    pub(super) fn get(&self, index: u64) -> Option<&Logged> {
        self.entries.get(usize::try_from(index).ok()?)
    }

    /// Where the entry with this leaf hash is.
    #[must_use]
    pub(super) fn index_of(&self, leaf: &Hash) -> Option<u64> {
        self.indices.get(leaf).copied()
    }

    /// The tree over all entries.
    #[must_use]
    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// All entries, in order.
    #[must_use]
    pub(super) fn entries(&self) -> &[Logged] {
        &self.entries
    }

    fn remember(&mut self, entry: Logged) -> u64 {
        let leaf = merkle::leaf_hash(&entry.body);
        let index = self.tree.push(leaf);
        self.entries.push(entry);
        self.indices.insert(leaf, index);
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_keeps_index_time_and_root_over_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let time: Timestamp = "2026-11-22T10:11:12.9Z".parse().unwrap();
        let mut log = Log::open(&path).unwrap();
        assert_eq!(log.append(b"a".to_vec(), time).unwrap(), Appended::New(0));
        assert_eq!(log.append(b"b".to_vec(), time).unwrap(), Appended::New(1));
        assert_eq!(log.append(b"a".to_vec(), time).unwrap(), Appended::Known(0));
        let again = Log::open(&path).unwrap();
        assert_eq!(again.entries(), log.entries());
        assert_eq!(again.tree().root(2), log.tree().root(2));
        assert_eq!(again.index_of(&merkle::leaf_hash(b"b")), Some(1));
    }
}
