//! The files of a TUF repository that a client has, as bytes: what a cache keeps, and what an update adds to.
//!
//! They are worth nothing by themselves. [`MetadataFiles::judge`] takes them through the whole workflow of
//! [`tuf`](super::tuf) from the user's root on; it is the only way from a cache to a document.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::tuf::{RoleName, Search, Step, TrustedSet, TufError, readable};

/// No root is longer, in bytes; the public one has 6 KiB. The bounds are those of python-tuf, so that what its users
/// can publish can be read here.
pub const MAX_ROOT_LEN: usize = 512_000;
/// No timestamp is longer, in bytes.
pub const MAX_TIMESTAMP_LEN: usize = 16_384;
/// No snapshot is longer, in bytes.
pub const MAX_SNAPSHOT_LEN: usize = 2_000_000;
/// No targets metadata is longer, in bytes.
pub const MAX_TARGETS_LEN: usize = 5_000_000;
/// No update follows more roots; the public instance has made sixteen in five years.
pub const MAX_ROOTS: usize = 256;

/// Metadata, and contents of targets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetadataFiles {
    /// The roots after the user's own, by version.
    pub roots: BTreeMap<u64, Vec<u8>>,
    /// The timestamp.
    pub timestamp: Option<Vec<u8>>,
    /// The snapshot.
    pub snapshot: Option<Vec<u8>>,
    /// The targets metadata, by role.
    pub targets: BTreeMap<String, Vec<u8>>,
    /// What targets contain, by path.
    pub contents: BTreeMap<String, Vec<u8>>,
}

/// Why files are not what a repository vouches for.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// The metadata is refused.
    #[error(transparent)]
    Metadata(#[from] TufError),
    /// The content of a target is not the one that is listed.
    #[error("{0} has not the length or digest that the targets metadata gives")]
    Content(String),
}

impl MetadataFiles {
    /// Whether nothing was ever fetched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == MetadataFiles::default()
    }

    /// Judge all of them from `root` on at `now`: roots, timestamp, snapshot, top-level targets.
    ///
    /// # Errors
    /// [`TufError`] says which file is missing, has expired or was tampered with.
    pub fn judge(&self, root: &[u8], now: Timestamp) -> Result<TrustedSet, TufError> {
        let mut set = TrustedSet::new(root, now)?;
        for root in self.roots_after(set.root().version) {
            set.update_root(root)?;
        }
        set.update_timestamp(present(self.timestamp.as_ref(), RoleName::Timestamp)?)?;
        set.update_snapshot(present(self.snapshot.as_ref(), RoleName::Snapshot)?)?;
        set.update_targets(present(self.targets.get("targets"), RoleName::targets())?)?;
        Ok(set)
    }

    /// The roots that come after `version`, without a gap.
    pub fn roots_after(&self, version: u64) -> impl Iterator<Item = &Vec<u8>> {
        let mut next = version;
        std::iter::from_fn(move || {
            next = next.checked_add(1)?;
            self.roots.get(&next)
        })
    }

    /// The content of the target at `path`, if a role lists it that may, and it is here as it is listed.
    ///
    /// # Errors
    /// [`JudgeError`] when a role on the way is missing or refused, or the content is another.
    pub fn target(&self, set: &mut TrustedSet, path: &str) -> Result<Option<&[u8]>, JudgeError> {
        let mut search = Search::new(path);
        loop {
            match search.step(set) {
                Step::NotFound => return Ok(None),
                Step::Load(delegation) => {
                    let role = RoleName::Targets(delegation.name.clone());
                    let file = present(self.targets.get(&delegation.name), role)?;
                    set.update_delegated(&delegation, file)?;
                }
                Step::Found(target) => {
                    let Some(content) = self.contents.get(path) else { return Ok(None) };
                    if !target.describes(content) {
                        return Err(JudgeError::Content(readable(path)));
                    }
                    return Ok(Some(content));
                }
            }
        }
    }
}

fn present(file: Option<&Vec<u8>>, role: RoleName) -> Result<&[u8], TufError> {
    file.map(Vec::as_slice).ok_or(TufError::Missing(role))
}
