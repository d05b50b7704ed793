//! Receipts: commits that have been authenticated before, so that a push costs what is new.
//!
//! A receipt is a digest over everything that the verdict rests on: the commit, the trust root with the digest of its
//! policy, the ref, and what signatures are verified with. So one that was made under other circumstances is never
//! found, and the file need not be believed in any other way than to be ours. Only the good is written down; what was
//! refused is judged again.
//!
//! The file is a header and then digests of 32 bytes, the oldest first. It is added to in one write under a lock, and
//! not written whole like other files: a half written digest matches nothing, and what is lost costs time only.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::crypto::{HashAlgorithm, digest};

/// The first bytes of the file, as long as a receipt. Another meaning of the digests is another header.
const HEADER: &[u8; LEN] = b"gitseal receipts, version 1\n\0\0\0\0";
/// A SHA-256 digest, in bytes.
const LEN: usize = 32;
/// No more receipts are kept: 32 MiB of them, read at every push, which takes some 10 ms. The older half goes first.
const MAX_RECEIPTS: usize = 1 << 20;

/// Why the file cannot be used; the verdicts do not depend on it.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptsError {
    /// The system's answer.
    #[error("the receipts in {} cannot be used: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A link, a device, or another name of some file.
    #[error("the receipts in {} do not count: that is no file of its own", .0.display())]
    NotAFile(PathBuf),
    /// Somebody else's.
    #[error("the receipts in {} do not count: the file belongs to another user", .0.display())]
    Foreign(PathBuf),
    /// Somebody else could have put receipts there.
    #[error("the receipts in {} do not count: others can write to the file or its folder", .0.display())]
    Open(PathBuf),
}

/// What verdicts rest on, beside the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grounds([u8; LEN]);

impl Grounds {
    /// `root` is the trust root as it is spelled, `policy` the digest of its policy, `reference` the ref's full name,
    /// `verification` a digest of the trusted root, the requirements and the expected identities.
    #[must_use]
    pub fn new(root: &str, policy: &[u8; LEN], reference: &str, verification: &[u8; LEN]) -> Self {
        Grounds(hash(&[b"grounds", root.as_bytes(), policy, reference.as_bytes(), verification]))
    }

    /// The receipt of a commit that is authenticated on these grounds.
    #[must_use]
    pub fn receipt(&self, commit: &str) -> Receipt {
        Receipt(hash(&[b"commit", &self.0, commit.as_bytes()]))
    }
}

/// One commit, authenticated on some [`Grounds`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Receipt([u8; LEN]);

/// A digest of parts, each after its length: no two lists of parts look the same.
fn hash(parts: &[&[u8]]) -> [u8; LEN] {
    let mut hasher = digest::Hasher::new(HashAlgorithm::Sha256);
    hasher.update(HEADER);
    for part in parts {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let mut out = [0; LEN];
    out.copy_from_slice(hasher.finish().as_bytes());
    out
}

/// The receipts of a repository, or of a person.
#[derive(Debug, Default)]
pub struct Receipts {
    path: Option<PathBuf>,
    /// Sorted.
    kept: Vec<Receipt>,
    added: BTreeSet<Receipt>,
}

impl Receipts {
    /// No receipts, and what is added is forgotten at the end.
    #[must_use]
    pub fn none() -> Self {
        Receipts::default()
    }

    /// The receipts at `path`; a file that is not there, or holds something else, is an empty one.
    ///
    /// # Errors
    /// [`ReceiptsError`] when the file could be somebody else's work, or cannot be read. Go on with [`Receipts::none`].
    pub fn open(path: &Path) -> Result<Self, ReceiptsError> {
        let kept = match open_ours(path, OpenOptions::new().read(true)) {
            Ok(mut file) => {
                let mut kept = read(&mut file, path)?;
                kept.sort_unstable();
                kept
            }
            Err(ReceiptsError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        Ok(Receipts { path: Some(path.to_owned()), kept, added: BTreeSet::new() })
    }

    /// Whether there is this receipt.
    #[must_use]
    pub fn holds(&self, receipt: &Receipt) -> bool {
        self.kept.binary_search(receipt).is_ok() || self.added.contains(receipt)
    }

    /// One more, to be kept by [`Receipts::save`].
    pub fn add(&mut self, receipt: Receipt) {
        if !self.holds(&receipt) {
            self.added.insert(receipt);
        }
    }

    /// Write down what was added.
    ///
    /// # Errors
    /// [`ReceiptsError`]: a full or read-only disk, or a file that has become somebody else's. Nothing is lost but time.
    pub fn save(self) -> Result<(), ReceiptsError> {
        let Some(path) = self.path.filter(|_| !self.added.is_empty()) else { return Ok(()) };
        let io = |source| ReceiptsError::Io { path: path.clone(), source };
        if let Some(folder) = path.parent() {
            make_folder(folder).map_err(io)?;
        }
        let mut options = OpenOptions::new();
        let mut file = open_ours(&path, options.read(true).append(true).create(true))?;
        lock(&file).map_err(io)?;
        // Read again under the lock: others may have written.
        let kept = read(&mut file, &path)?;
        let whole = HEADER.len() + kept.len() * LEN;
        let len = file.metadata().map_err(io)?.len();
        if len == whole as u64 && kept.len() + self.added.len() <= MAX_RECEIPTS {
            return file.write_all(&bytes(self.added.iter())).map_err(io);
        }
        // New, damaged, or full: the newer half stays.
        let room = (MAX_RECEIPTS / 2).saturating_sub(self.added.len());
        let mut text = HEADER.to_vec();
        text.extend(bytes(kept[kept.len().saturating_sub(room)..].iter()));
        text.extend(bytes(self.added.iter().take(MAX_RECEIPTS / 2)));
        file.set_len(0).and_then(|()| file.write_all(&text)).map_err(io)
    }
}

fn bytes<'a>(receipts: impl Iterator<Item = &'a Receipt>) -> Vec<u8> {
    receipts.flat_map(|receipt| receipt.0).collect()
}

/// The whole receipts of the file, oldest first; none if it is something else.
fn read(file: &mut File, path: &Path) -> Result<Vec<Receipt>, ReceiptsError> {
    let io = |source| ReceiptsError::Io { path: path.to_owned(), source };
    let limit = ((MAX_RECEIPTS + 1) * LEN) as u64;
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0)).map_err(io)?;
    file.take(limit).read_to_end(&mut bytes).map_err(io)?;
    let Some(rest) = bytes.strip_prefix(HEADER) else { return Ok(Vec::new()) };
    let whole = rest.chunks_exact(LEN);
    Ok(whole.map(|chunk| Receipt(chunk.try_into().expect("chunks of that length"))).collect())
}

/// Open the file, and see that nobody else could have written what it says.
#[cfg(unix)]
fn open_ours(path: &Path, options: &mut OpenOptions) -> Result<File, ReceiptsError> {
    use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
    /// Group and others may write.
    const OTHERS_WRITE: u32 = 0o022;
    let io = |source| ReceiptsError::Io { path: path.to_owned(), source };
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = options.mode(0o600).custom_flags(flags.bits().cast_signed()).open(path).map_err(|source| {
        // O_NOFOLLOW's own answer to a link.
        let is_link = source.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error());
        if is_link { ReceiptsError::NotAFile(path.to_owned()) } else { io(source) }
    })?;
    let us = rustix::process::geteuid().as_raw();
    let seen = file.metadata().map_err(io)?;
    if !seen.is_file() || seen.nlink() != 1 {
        return Err(ReceiptsError::NotAFile(path.to_owned()));
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let around = folder.metadata().map_err(io)?;
    if seen.uid() != us || around.uid() != us {
        return Err(ReceiptsError::Foreign(path.to_owned()));
    }
    if (seen.mode() | around.mode()) & OTHERS_WRITE != 0 {
        return Err(ReceiptsError::Open(path.to_owned()));
    }
    Ok(file)
}

/// Windows has no modes to look at: the folder's access list is the repository's.
#[cfg(not(unix))]
fn open_ours(path: &Path, options: &mut OpenOptions) -> Result<File, ReceiptsError> {
    options.open(path).map_err(|source| ReceiptsError::Io { path: path.to_owned(), source })
}

/// For us alone, whatever the umask says.
#[cfg(unix)]
fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_folder(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)
}

/// Until the file is closed.
fn lock(file: &File) -> io::Result<()> {
    file.lock()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grounds() -> Grounds {
        Grounds::new("r", &[1; LEN], "refs/heads/main", &[2; LEN])
    }

    fn commit(number: usize) -> Receipt {
        grounds().receipt(&format!("{number:040x}"))
    }

    fn keep(path: &Path, numbers: std::ops::Range<usize>) {
        let mut receipts = Receipts::open(path).unwrap();
        numbers.for_each(|number| receipts.add(commit(number)));
        receipts.save().unwrap();
    }

    fn held(path: &Path, numbers: std::ops::Range<usize>) -> usize {
        let receipts = Receipts::open(path).unwrap();
        numbers.filter(|number| receipts.holds(&commit(*number))).count()
    }

    #[test]
    fn what_is_kept_is_found_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gitseal/receipts");
        assert_eq!(held(&path, 0..10), 0);
        keep(&path, 0..5);
        keep(&path, 3..8);
        assert_eq!((held(&path, 0..8), held(&path, 8..100)), (8, 0));
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 32 * 9, "none is kept twice");
    }

    #[test]
    fn other_grounds_are_another_receipt() {
        let of = |root: &str, policy: u8, reference: &str, verification: u8| {
            Grounds::new(root, &[policy; LEN], reference, &[verification; LEN]).receipt("a")
        };
        let all = [of("r", 1, "a", 1), of("s", 1, "a", 1), of("r", 2, "a", 1), of("r", 1, "b", 1), of("r", 1, "a", 2)];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[..at].contains(one));
        }
        // What stands in one part cannot move to the next.
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
    }

    #[test]
    fn a_damaged_file_costs_receipts_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("receipts");
        for damage in [b"".as_slice(), b"x", &HEADER[..31], b"something else that is longer than a header"] {
            std::fs::write(&path, damage).unwrap();
            make_private(&path);
            assert_eq!(held(&path, 0..5), 0);
            keep(&path, 0..5);
            assert_eq!(held(&path, 0..5), 5);
        }
        // Cut within a receipt: the rest is found, and what is added afterwards too.
        for cut in 1..LEN as u64 {
            let file = OpenOptions::new().write(true).open(&path).unwrap();
            file.set_len(32 * 6 - cut).unwrap();
            assert_eq!(held(&path, 0..5), 4);
            keep(&path, 0..5);
            assert_eq!(held(&path, 0..5), 5);
        }
    }

    #[test]
    fn a_full_file_loses_its_older_half() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("receipts");
        let mut bytes = HEADER.to_vec();
        bytes.extend(commit(0).0);
        bytes.resize(LEN * MAX_RECEIPTS, 7);
        bytes.extend(commit(1).0);
        std::fs::write(&path, bytes).unwrap();
        make_private(&path);
        assert_eq!(held(&path, 0..2), 2);
        keep(&path, 2..3);
        assert_eq!((held(&path, 0..1), held(&path, 1..3)), (0, 2));
        assert_eq!(std::fs::metadata(&path).unwrap().len() as usize, LEN * (MAX_RECEIPTS / 2 + 1));
    }

    #[test]
    fn nothing_is_written_where_nothing_is_kept() {
        let mut receipts = Receipts::none();
        receipts.add(commit(1));
        receipts.save().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("receipts");
        Receipts::open(&path).unwrap().save().unwrap();
        assert!(!path.exists());
    }

    #[cfg(unix)]
    #[test]
    fn what_others_could_have_written_does_not_count_fail() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("receipts");
        keep(&path, 0..1);
        let mode = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        for open in [0o620, 0o602, 0o666] {
            mode(&path, open);
            assert!(matches!(Receipts::open(&path), Err(ReceiptsError::Open(_))), "{open:o}");
        }
        mode(&path, 0o644);
        assert_eq!(held(&path, 0..1), 1);
        mode(directory.path(), 0o770);
        assert!(matches!(Receipts::open(&path), Err(ReceiptsError::Open(_))));
        mode(directory.path(), 0o700);
        let other = directory.path().join("other");
        symlink(&path, &other).unwrap();
        assert!(matches!(Receipts::open(&other), Err(ReceiptsError::NotAFile(_))));
        assert!(matches!(Receipts::open(directory.path()), Err(ReceiptsError::NotAFile(_))));
        std::fs::remove_file(&other).unwrap();
        std::fs::hard_link(&path, &other).unwrap();
        assert!(matches!(Receipts::open(&path), Err(ReceiptsError::NotAFile(_))));
    }

    #[cfg(unix)]
    fn make_private(path: &Path) {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    #[cfg(not(unix))]
    fn make_private(_: &Path) {}
}
