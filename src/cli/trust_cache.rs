//! The cache of a TUF repository in a folder: whole files, read and judged again at every use, replaced under a lock.
//!
//! ```text
//! root_history/2.root.json ..   the roots after the user's own
//! root.json                     the last of them, for people and other programs
//! timestamp.json  snapshot.json  targets.json  ROLE.json
//! targets/trusted_root.json ..  what the targets contain
//! pending/                      the same of an update that broke off
//! ```
//!
//! The root that the judgement begins with is not here: whoever can write the cache must not choose it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::error::CliError;
use super::{input, whole_file};
use crate::format::tuf::quote;
use crate::net::{Client, Limits, Roots};
use crate::service::tuf::UPDATE_TIME;
use crate::service::{Session, TufRepository, UpdateError, wait};
use crate::trust::metadata_files::{
    JudgeError, MAX_ROOT_LEN, MAX_ROOTS, MAX_SNAPSHOT_LEN, MAX_TARGETS_LEN, MAX_TIMESTAMP_LEN, MetadataFiles,
};
use crate::trust::root::MAX_TRUSTED_ROOT_LEN;
use crate::trust::signing_config::MAX_CONFIG_LEN;
use crate::trust::tuf::{RoleName, TrustedSet, TufError};

/// The target that is the trusted root, by the name that all Sigstore repositories give it.
const TRUSTED_ROOT: &str = "trusted_root.json";
/// The target that is the signing config.
const SIGNING_CONFIG: &str = "signing_config.v0.2.json";
/// The targets that are kept, and how long each may be, in bytes.
const DOCUMENTS: [(&str, usize); 2] = [(TRUSTED_ROOT, MAX_TRUSTED_ROOT_LEN), (SIGNING_CONFIG, MAX_CONFIG_LEN)];
/// The folder for what an update has seen that broke off.
const PENDING: &str = "pending";
/// No more delegated roles are kept; what is not kept is fetched again. A search for a target visits fewer.
const MAX_ROLES: usize = 256;
/// No cache holds more files of metadata.
const MAX_FILES: usize = 2 * MAX_ROLES;

/// What a TUF repository says about its Sigstore, and what that rests on.
#[derive(Debug, Clone)]
pub struct TufDocuments {
    /// `trusted_root.json`, byte for byte.
    pub trusted_root: Vec<u8>,
    /// `signing_config.v0.2.json`, byte for byte; older repositories have none.
    pub signing_config: Option<Vec<u8>>,
    /// What both rest on.
    pub state: TufState,
}

/// The metadata in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TufState {
    /// The version of the root.
    pub root_version: u64,
    /// When the root expires.
    pub root_expires: Timestamp,
    /// The ids of the keys that signed the root.
    pub signed_by: Vec<String>,
    /// The version of the timestamp.
    pub timestamp_version: u64,
    /// The version of the targets.
    pub targets_version: u64,
    /// From when on all of it is refused.
    pub expires: Timestamp,
}

/// Why a cache is not used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Expired, tampered with, or incomplete.
    #[error("the trust cache in {} is refused: {source}", .folder.display())]
    Refused {
        /// Where it is.
        folder: PathBuf,
        /// Why.
        source: JudgeError,
    },
    /// More files than any repository needs.
    #[error("there are more than {limit} files in {}", .folder.display())]
    TooManyFiles {
        /// Where.
        folder: PathBuf,
        /// The bound.
        limit: usize,
    },
    /// Good, and without the document that everything needs.
    #[error("the trust cache in {} has no {TRUSTED_ROOT}", .0.display())]
    Lacking(PathBuf),
}

/// A cache.
#[derive(Debug, Clone)]
pub struct TrustCache {
    folder: PathBuf,
}

/// The documents in the cache, judged from `root` on at `now`; `None` if nothing was ever fetched. Needs no network.
///
/// # Errors
/// The cache cannot be read; it has expired, or somebody has changed it.
pub fn cached(folder: &Path, root: &[u8], now: Timestamp) -> Result<Option<TufDocuments>, CliError> {
    let files = TrustCache::at(folder).read()?;
    if files.is_empty() {
        return Ok(None);
    }
    let refused = |source: JudgeError| CacheError::Refused { folder: folder.to_owned(), source };
    let mut set = files.judge(root, now).map_err(|error| refused(error.into()))?;
    documents(&files, &mut set).map_err(refused)?.map(Some).ok_or_else(|| lacking(folder))
}

/// Bring the cache up to date from the repository at `url`.
///
/// # Errors
/// The repository cannot be asked or is refused. Half an update is none: what is complete stays in force until it
/// expires, but for a new root, which counts at once (5.3.8). What else was seen is kept aside, so that nobody can go
/// back behind it.
pub fn update(folder: &Path, root: &[u8], url: &str, roots: Roots, now: Timestamp) -> Result<TufDocuments, CliError> {
    let repository = TufRepository::of_sigstore(url).map_err(UpdateError::from)?;
    let client = Client::new(roots, Limits::default());
    let cache = TrustCache::at(folder);
    let _lock = cache.lock_for_writing()?;
    let before = cache.read_unlocked()?;
    let pending = TrustCache::at(&folder.join(PENDING));
    let mut files = match pending.read_unlocked()? {
        nothing if nothing.is_empty() => before.clone(),
        seen => seen,
    };
    let mut set = TrustedSet::new(root, now)
        .map_err(|source| CacheError::Refused { folder: folder.to_owned(), source: source.into() })?;
    let fetched = wait(async {
        let session = Session::new(&client, UPDATE_TIME);
        repository.refresh(session, &mut set, &mut files).await?;
        for (path, limit) in DOCUMENTS {
            match repository.find(session, &mut set, &mut files, path).await {
                Ok(target) if files.contents.get(path).is_some_and(|content| target.describes(content)) => {}
                Ok(target) => {
                    let content = repository.download(session, &set, path, &target, limit).await?;
                    files.contents.insert(path.to_owned(), content);
                }
                Err(UpdateError::NotListed { .. }) if path != TRUSTED_ROOT => {
                    files.contents.remove(path);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    });
    if let Err(error) = fetched.map_err(|error| CliError::io("start the runtime", error))? {
        if files != before {
            pending.write_unlocked(&files)?;
        }
        if before.timestamp.is_some() {
            cache.write_unlocked(&MetadataFiles { roots: files.roots, ..before })?;
        }
        return Err(CliError::Update(error));
    }
    cache.write_unlocked(&files)?;
    pending.remove()?;
    let refused = |source| CacheError::Refused { folder: folder.to_owned(), source };
    documents(&files, &mut set).map_err(refused)?.ok_or_else(|| lacking(folder))
}

fn lacking(folder: &Path) -> CliError {
    CacheError::Lacking(folder.to_owned()).into()
}

fn documents(files: &MetadataFiles, set: &mut TrustedSet) -> Result<Option<TufDocuments>, JudgeError> {
    let Some(trusted_root) = files.target(set, TRUSTED_ROOT)?.map(<[u8]>::to_vec) else { return Ok(None) };
    let signing_config = files.target(set, SIGNING_CONFIG)?.map(<[u8]>::to_vec);
    let missing = |role| JudgeError::Metadata(TufError::Missing(role));
    let timestamp = set.timestamp().ok_or_else(|| missing(RoleName::Timestamp))?;
    let targets = set.targets().ok_or_else(|| missing(RoleName::targets()))?;
    let root = set.root();
    Ok(Some(TufDocuments {
        trusted_root,
        signing_config,
        state: TufState {
            root_version: root.version,
            root_expires: root.expires,
            signed_by: root.signed.root.signers(&root.signatures).into_iter().map(str::to_owned).collect(),
            timestamp_version: timestamp.version,
            targets_version: targets.version,
            expires: set.expires(),
        },
    }))
}

impl TrustCache {
    /// The cache in `folder`, which need not be there yet.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        TrustCache { folder: folder.to_owned() }
    }

    /// All files; none if there is no folder.
    ///
    /// # Errors
    /// A file cannot be read, or is longer than its kind may be.
    pub fn read(&self) -> Result<MetadataFiles, CliError> {
        let _lock = match File::open(self.lock_path()) {
            // A reader waits for a writer, so that it never sees half of an update.
            Ok(lock) => {
                lock.lock_shared().map_err(|error| self.failed("lock", error))?;
                Some(lock)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(MetadataFiles::default()),
            Err(error) => return Err(self.failed("lock", error)),
        };
        self.read_unlocked()
    }

    /// Keep `files`, and nothing else.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, files: &MetadataFiles) -> Result<(), CliError> {
        let _lock = self.lock_for_writing()?;
        self.write_unlocked(files)
    }

    fn remove(&self) -> Result<(), CliError> {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.failed("remove", error)),
            _ => Ok(()),
        }
    }

    fn lock_path(&self) -> PathBuf {
        self.folder.join("lock")
    }

    fn lock_for_writing(&self) -> Result<File, CliError> {
        let locked = || {
            fs::create_dir_all(&self.folder)?;
            let lock = OpenOptions::new().create(true).truncate(false).write(true).open(self.lock_path())?;
            lock.lock()?;
            Ok(lock)
        };
        locked().map_err(|error| self.failed("lock", error))
    }

    fn read_unlocked(&self) -> Result<MetadataFiles, CliError> {
        let mut files = MetadataFiles {
            timestamp: self.file("timestamp.json", MAX_TIMESTAMP_LEN)?,
            snapshot: self.file("snapshot.json", MAX_SNAPSHOT_LEN)?,
            ..MetadataFiles::default()
        };
        let numbered = |name: &str| name.strip_suffix(".root.json")?.parse::<u64>().ok();
        for name in self.names("root_history", 2 * MAX_ROOTS)? {
            if let Some(version) = numbered(&name)
                && let Some(root) = self.file(&format!("root_history/{name}"), MAX_ROOT_LEN)?
            {
                files.roots.insert(version, root);
            }
        }
        for name in self.names("", MAX_FILES)? {
            if let Some(role) = role_of(&name)
                && let Some(file) = self.file(&name, MAX_TARGETS_LEN)?
            {
                files.targets.insert(role, file);
            }
        }
        for (path, limit) in DOCUMENTS {
            if let Some(content) = self.file(&format!("targets/{path}"), limit)? {
                files.contents.insert(path.to_owned(), content);
            }
        }
        Ok(files)
    }

    fn write_unlocked(&self, files: &MetadataFiles) -> Result<(), CliError> {
        for (version, root) in &files.roots {
            self.replace(&format!("root_history/{version}.root.json"), Some(root))?;
        }
        self.replace("root.json", files.roots.last_key_value().map(|(_, root)| root))?;
        for (path, _) in DOCUMENTS {
            self.replace(&format!("targets/{path}"), files.contents.get(path))?;
        }
        let (top, delegated): (Vec<_>, Vec<_>) = files.targets.iter().partition(|(role, _)| *role == "targets");
        let kept: Vec<_> = top.into_iter().chain(delegated.into_iter().take(MAX_ROLES)).collect();
        for name in self.names("", usize::MAX)? {
            let role = role_of(&name);
            if role.is_some_and(|role| !kept.iter().any(|(kept, _)| **kept == role)) {
                self.replace(&name, None)?;
            }
        }
        for (role, file) in kept {
            self.replace(&format!("{}.json", quote(role)), Some(file))?;
        }
        self.replace("snapshot.json", files.snapshot.as_ref())?;
        self.replace("timestamp.json", files.timestamp.as_ref())
    }

    /// The whole file or nothing; a file that is as it should be stays.
    fn replace(&self, name: &str, content: Option<&Vec<u8>>) -> Result<(), CliError> {
        let path = self.folder.join(name);
        let Some(content) = content else {
            return match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.failed("write", error)),
                _ => Ok(()),
            };
        };
        if fs::read(&path).is_ok_and(|there| there == *content) {
            return Ok(());
        }
        whole_file::write(&path, content).map_err(|error| CliError::io(format!("write {}", path.display()), error))
    }

    /// The names in a folder of the cache, none if it is not there.
    fn names(&self, folder: &str, limit: usize) -> Result<Vec<String>, CliError> {
        let entries = match fs::read_dir(self.folder.join(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.failed("read", error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| self.failed("read", error))?;
            if names.len() == limit {
                return Err(CacheError::TooManyFiles { folder: self.folder.join(folder), limit }.into());
            }
            if let Ok(name) = entry.file_name().into_string()
                && entry.file_type().is_ok_and(|kind| kind.is_file())
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn file(&self, name: &str, limit: usize) -> Result<Option<Vec<u8>>, CliError> {
        match input::file(&self.folder.join(name), "cached trust metadata", limit as u64) {
            Ok(content) => Ok(Some(content)),
            Err(CliError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn failed(&self, action: &str, error: io::Error) -> CliError {
        CliError::io(format!("{action} the trust cache in {}", self.folder.display()), error)
    }
}

/// The targets role that the file of this name is the metadata of.
fn role_of(name: &str) -> Option<String> {
    let role = name.strip_suffix(".json").and_then(unquote)?;
    (!["root", "timestamp", "snapshot"].contains(&role.as_str())).then_some(role)
}

/// What [`quote`] made a name of; nothing else is a name.
fn unquote(name: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = name.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let digits = [*high, *low];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
                rest = tail;
            }
            (first, tail) => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).ok().filter(|unquoted| quote(unquoted) == name)
}
