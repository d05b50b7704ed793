//! A turn at one login: a lock file that one process at a time holds. It is never removed, for whoever waits for a file
//! that is no longer there has a lock of his own.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use rustix::fs::OFlags;
use tokio::time::Instant;

use super::error::RememberError;
use crate::crypto::digest::hex;
use crate::crypto::sha256;

/// How often to look whether it is our turn: seldom beside what a renewal costs, and nobody notices it.
const LOOK: Duration = Duration::from_millis(20);

/// The turn; it ends with this value, or with the process.
#[derive(Debug)]
pub(super) struct Turn {
    _lock: File,
}

impl Turn {
    /// Wait for the turn at `account` for `time` at most. The file's name says nothing of whose it is.
    pub(super) async fn take(folder: &Path, account: &str, time: Duration) -> Result<Self, RememberError> {
        let end = Instant::now() + time;
        let path = folder.join(format!("login-{}.lock", hex(&sha256(account.as_bytes())[..16])));
        let failed = |source| RememberError::Turn { path: path.clone(), source };
        let lock = open(folder, &path).map_err(failed)?;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Turn { _lock: lock }),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
                Err(TryLockError::WouldBlock) if Instant::now() >= end => return Err(RememberError::Busy),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(LOOK).await,
            }
        }
    }
}

fn open(folder: &Path, path: &Path) -> io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::wait;

    const SOON: Duration = Duration::from_millis(60);

    #[test]
    fn one_at_a_time_has_the_turn_and_others_get_it_after_him() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("made");
        wait(async {
            let first = Turn::take(&folder, "a", SOON).await.unwrap();
            assert!(matches!(Turn::take(&folder, "a", SOON).await, Err(RememberError::Busy)));
            Turn::take(&folder, "b", SOON).await.unwrap();
            let give_way = async {
                tokio::time::sleep(SOON).await;
                drop(first);
            };
            let (second, ()) = tokio::join!(Turn::take(&folder, "a", Duration::from_secs(20)), give_way);
            second.unwrap();
        })
        .unwrap();
    }

    #[test]
    fn a_link_in_the_place_of_the_lock_fail() {
        let folder = tempfile::tempdir().unwrap();
        wait(async {
            drop(Turn::take(folder.path(), "a", SOON).await.unwrap());
            let lock = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
            std::fs::remove_file(&lock).unwrap();
            std::os::unix::fs::symlink(folder.path().join("elsewhere"), &lock).unwrap();
            assert!(matches!(Turn::take(folder.path(), "a", SOON).await, Err(RememberError::Turn { .. })));
            assert!(!folder.path().join("elsewhere").exists());
        })
        .unwrap();
    }
}
