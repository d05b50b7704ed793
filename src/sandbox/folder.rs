//! The folder that a sandbox lives in: its lock, its keys, its certificates, and the documents it writes for others.
//!
//! One server at a time: two that append to one log would fork it. Keys are readable by their owner alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::crypto::{KeyError, KeyKind, ServiceKey};

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another server has it.
    #[error("another sandbox is running in {}", .0.display())]
    InUse(PathBuf),
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A stored key is damaged.
    #[error("{}: {source}", path.display())]
    Key {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: KeyError,
    },
}

/// The folder, held by a lock as long as this value lives.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Make the folder if it is not there, and lock it.
    ///
    /// # Errors
    /// [`FolderError::InUse`] when another server has it.
    pub(super) fn open(path: &Path) -> Result<Self, FolderError> {
        fs::create_dir_all(path).map_err(|source| FolderError::Io { path: path.to_owned(), source })?;
        let path = path.canonicalize().map_err(|source| FolderError::Io { path: path.to_owned(), source })?;
        let at = path.join("lock");
        let failed = |source| FolderError::Io { path: at.clone(), source };
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&at).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Folder { path, _lock: lock }),
            Err(fs::TryLockError::WouldBlock) => Err(FolderError::InUse(path)),
            Err(fs::TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// Where it is.
    #[must_use]
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file or folder `name` in it.
    #[must_use]
    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The content of `name`, if it is there.
    ///
    /// # Errors
    /// [`FolderError::Io`]
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, FolderError> {
        match fs::read(self.at(name)) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(FolderError::Io { path: self.at(name), source }),
        }
    }

    /// Write `name` so that a reader sees the old content or the new, never a part; readable by its owner alone.
    ///
    /// # Errors
    /// [`FolderError::Io`]
    pub(super) fn write(&self, name: &str, content: &[u8]) -> Result<(), FolderError> {
        let path = self.at(name);
        let write = || -> io::Result<()> {
            let parent = path.parent().unwrap_or(&self.path);
            fs::create_dir_all(parent)?;
            // Temporary files are made with mode 0600, and the mode survives the rename.
            let mut file = tempfile::NamedTempFile::new_in(parent)?;
            file.write_all(content)?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(|source| FolderError::Io { path: path.clone(), source })
    }

    /// Remove `name`, if it is there.
    ///
    /// # Errors
    /// [`FolderError::Io`]
    pub(super) fn remove(&self, name: &str) -> Result<(), FolderError> {
        match fs::remove_file(self.at(name)) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(FolderError::Io { path: self.at(name), source })
            }
            _ => Ok(()),
        }
    }

    /// The key `name`; made at the first time.
    ///
    /// # Errors
    /// [`FolderError`]
    pub(super) fn key(&self, name: &str, kind: KeyKind) -> Result<ServiceKey, FolderError> {
        let file = format!("keys/{name}.p8");
        let failed = |source| FolderError::Key { path: self.at(&file), source };
        if let Some(pkcs8) = self.read(&file)? {
            return ServiceKey::from_pkcs8(kind, &pkcs8).map_err(failed);
        }
        let key = ServiceKey::generate(kind).map_err(failed)?;
        self.write(&file, key.pkcs8())?;
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Keypair as _;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_key_is_made_once_and_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let first = folder.key("log", KeyKind::Ed25519).unwrap();
        let second = folder.key("log", KeyKind::Ed25519).unwrap();
        assert_eq!(first.public_key(), second.public_key());
        let mode = fs::metadata(folder.at("keys/log.p8")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(matches!(folder.key("log", KeyKind::EcdsaP256), Err(FolderError::Key { .. })));
    }

    #[test]
    fn two_servers_cannot_share_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = Folder::open(dir.path()).unwrap();
        assert!(matches!(Folder::open(dir.path()), Err(FolderError::InUse(_))));
        drop(first);
        assert!(Folder::open(dir.path()).is_ok());
    }
}
