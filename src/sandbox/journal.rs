//! An append-only file of records that survives being killed at any moment.
//!
//! ```text
//! file   = "gitseal journal 1\n" *record
//! record = length (4 bytes, big endian) SHA-256(length)[..4] SHA-256(content) content
//! ```
//!
//! [`Journal::append`] returns only when the record is on the disk. Whoever is killed in the middle leaves a torn last
//! record; nobody was told of it, and opening the file again cuts it off. A damaged record that is *not* the last one
//! is no accident of ours, and the file is refused: cutting there would lose records that were acknowledged. The length
//! has a checksum of its own so that a damaged one cannot pass for a record that was cut short.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::crypto::sha256;

const MAGIC: &[u8] = b"gitseal journal 1\n";
const LENGTH_LEN: usize = 4;
const HEADER_LEN: usize = 2 * LENGTH_LEN + 32;
/// The largest record, in bytes: a log entry has a few thousand.
pub(super) const MAX_RECORD_LEN: usize = 1024 * 1024;

/// Why the journal cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not a journal.
    #[error("{} is not a journal of the sandbox", .0.display())]
    NotAJournal(PathBuf),
    /// A record before the last is damaged.
    #[error("{} is damaged at byte {offset}, before its end", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where.
        offset: usize,
    },
    /// The record is larger than a megabyte.
    #[error("a record of {0} bytes is larger than {MAX_RECORD_LEN}")]
    TooLarge(usize),
    /// An earlier write failed and could not be taken back; only a restart can tell what is on the disk.
    #[error("an earlier write to the journal failed; restart the sandbox")]
    Broken,
}

/// The open file; the one writer.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    length: u64,
    broken: bool,
}

impl Journal {
    /// Open or make the file; returns its records in order.
    ///
    /// # Errors
    /// [`JournalError`]; a torn last record is none.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<Vec<u8>>), JournalError> {
        let failed = |source| JournalError::Io { path: path.to_owned(), source };
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        let mut content = Vec::new();
        file.read_to_end(&mut content).map_err(failed)?;
        let (records, length) = scan(path, &content)?;
        let mut journal = Journal { path: path.to_owned(), file, length: length as u64, broken: false };
        if length < MAGIC.len() {
            journal.cut_to(0).map_err(failed)?;
            journal.write(MAGIC).map_err(failed)?;
            // The name of a new file is in its folder, which has to reach the disk as well.
            let folder = path.parent().unwrap_or(Path::new("."));
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        } else if length < content.len() {
            journal.cut_to(length as u64).map_err(failed)?;
        }
        Ok((journal, records))
    }

    /// Add a record, and wait until it is on the disk.
    ///
    /// # Errors
    /// [`JournalError`]; the record is then not in the journal.
    pub(super) fn append(&mut self, content: &[u8]) -> Result<(), JournalError> {
        if self.broken {
            return Err(JournalError::Broken);
        }
        if content.len() > MAX_RECORD_LEN {
            return Err(JournalError::TooLarge(content.len()));
        }
        let mut record = Vec::with_capacity(HEADER_LEN + content.len());
        let length = (content.len() as u32).to_be_bytes();
        record.extend_from_slice(&length);
        record.extend_from_slice(&sha256(&length)[..LENGTH_LEN]);
        record.extend_from_slice(&sha256(content));
        record.extend_from_slice(content);
        let before = self.length;
        self.write(&record).map_err(|source| {
            // A disk that is full may have taken a part. If that cannot be undone, later records would follow garbage.
            self.broken = self.cut_to(before).is_err();
            JournalError::Io { path: self.path.clone(), source }
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.length))?;
        self.file.write_all(bytes)?;
        self.file.sync_data()?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn cut_to(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.file.sync_all()?;
        self.length = length;
        Ok(())
    }
}

/// The whole records of `content`, and where they end.
fn scan(path: &Path, content: &[u8]) -> Result<(Vec<Vec<u8>>, usize), JournalError> {
    if MAGIC.starts_with(&content[..content.len().min(MAGIC.len())]) && content.len() < MAGIC.len() {
        return Ok((Vec::new(), 0));
    }
    if !content.starts_with(MAGIC) {
        return Err(JournalError::NotAJournal(path.to_owned()));
    }
    let mut records = Vec::new();
    let mut offset = MAGIC.len();
    while offset < content.len() {
        let rest = &content[offset..];
        match record(rest) {
            Ok(content) => {
                offset += HEADER_LEN + content.len();
                records.push(content.to_vec());
            }
            Err(End::Torn) => break,
            Err(End::Damaged) => return Err(JournalError::Damaged { path: path.to_owned(), offset }),
        }
    }
    Ok((records, offset))
}

enum End {
    /// The record reaches the end of the file and is not whole: the last write was cut short.
    Torn,
    /// The record is wrong and something follows it.
    Damaged,
}

fn record(rest: &[u8]) -> Result<&[u8], End> {
    // A file system may extend a file before it writes the data: zeros to the end are also a write cut short.
    if rest.len() < HEADER_LEN || rest.iter().all(|byte| *byte == 0) {
        return Err(End::Torn);
    }
    let (header, body) = rest.split_at(HEADER_LEN);
    let (length, checksums) = header.split_at(LENGTH_LEN);
    let (length_checksum, checksum) = checksums.split_at(LENGTH_LEN);
    if sha256(length)[..LENGTH_LEN] != *length_checksum {
        return Err(End::Damaged);
    }
    let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    match body.get(..length) {
        Some(content) if sha256(content) == *checksum => Ok(content),
        Some(content) if content.len() < body.len() => Err(End::Damaged),
        _ => Err(End::Torn),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn journal(records: &[&[u8]]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let (mut journal, found) = Journal::open(&path).unwrap();
        assert!(found.is_empty());
        for record in records {
            journal.append(record).unwrap();
        }
        (dir, path)
    }

    #[test]
    fn records_come_back_in_order() {
        let (_dir, path) = journal(&[b"one", b"", b"three"]);
        let (mut journal, found) = Journal::open(&path).unwrap();
        assert_eq!(found, [b"one".to_vec(), b"".to_vec(), b"three".to_vec()]);
        journal.append(b"four").unwrap();
        assert_eq!(Journal::open(&path).unwrap().1.len(), 4);
    }

    #[test]
    fn a_tail_torn_at_any_byte_is_cut_off_and_nothing_else_is() {
        let (_dir, path) = journal(&[b"one", b"two"]);
        let whole = fs::read(&path).unwrap();
        let second = whole.len() - HEADER_LEN - 3;
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let (mut journal, found) = Journal::open(&path).unwrap();
            assert_eq!(found.len(), usize::from(length >= second), "{length}");
            journal.append(b"next").unwrap();
            assert_eq!(Journal::open(&path).unwrap().1.last().unwrap(), b"next");
        }
        for tail in [&[0; 80][..], &[0, 0, 0, 3, 1, 2], &[0; 5]] {
            fs::write(&path, [&whole[..], tail].concat()).unwrap();
            assert_eq!(Journal::open(&path).unwrap().1.len(), 2);
        }
    }

    #[test]
    fn damage_before_the_end_is_refused() {
        let (_dir, path) = journal(&[b"one", b"two"]);
        let whole = fs::read(&path).unwrap();
        let second = whole.len() - HEADER_LEN - 3;
        for position in MAGIC.len()..second {
            let mut damaged = whole.clone();
            damaged[position] ^= 1;
            fs::write(&path, &damaged).unwrap();
            assert!(matches!(Journal::open(&path), Err(JournalError::Damaged { .. })), "{position}");
        }
        fs::write(&path, b"something else entirely").unwrap();
        assert!(matches!(Journal::open(&path), Err(JournalError::NotAJournal(_))));
    }
}
