//! A TUF repository over HTTP: gets what [`trust::tuf`](crate::trust::tuf) judges (specification section 5).
//!
//! Every answer has a bound before it is asked for. What was judged good is kept even if a later step fails, as the
//! specification wants: a root once seen is never unseen.

use super::error::{Peer, ServiceError};
use super::session::{Place, Session};
use crate::format::tuf::metadata::{MetadataFile, TargetFile};
use crate::format::tuf::{Delegation, quote};
use crate::net::{Request, Url};
use crate::trust::metadata_files::{
    MAX_ROOT_LEN, MAX_ROOTS, MAX_SNAPSHOT_LEN, MAX_TARGETS_LEN, MAX_TIMESTAMP_LEN, MetadataFiles,
};
use crate::trust::tuf::{Freshness, RoleName, Search, Step, TrustedSet, TufError, readable};

/// How long an update may take, all files together: a person waits for it, but also whoever is behind a slow proxy.
pub const UPDATE_TIME: std::time::Duration = std::time::Duration::from_secs(60);

/// Why there is no update.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// The repository could not be asked.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// What it answered is refused.
    #[error("the TUF repository at {host} is refused: {source}")]
    Refused {
        /// Which server.
        host: String,
        /// Why.
        source: TufError,
    },
    /// It lacks a file that its own metadata names.
    #[error("the TUF repository at {host} lacks its {role} metadata")]
    Lacking {
        /// Which server.
        host: String,
        /// Whose metadata.
        role: RoleName,
    },
    /// It makes a new root again and again.
    #[error("the TUF repository at {0} has more than {MAX_ROOTS} new roots")]
    TooManyRoots(String),
    /// Nobody who may lists the target.
    #[error("the TUF repository at {host} does not list {path}")]
    NotListed {
        /// Which server.
        host: String,
        /// The target.
        path: String,
    },
    /// A target whose path is not one.
    #[error("{0:?} is no path of a target")]
    Path(String),
    /// The target is longer than what asks for it can use.
    #[error("the target {path} is longer than {limit} bytes")]
    TooLong {
        /// The target.
        path: String,
        /// The bound.
        limit: usize,
    },
    /// The target is not there, or not as it is listed.
    #[error("the TUF repository at {host} does not give {path} as it is listed")]
    Content {
        /// Which server.
        host: String,
        /// The target.
        path: String,
    },
}

impl UpdateError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            UpdateError::Service(error) => error.hint(),
            UpdateError::Refused { source: TufError::Expired { .. }, .. } => {
                "check this machine's clock; if it is right, the repository is out of date or somebody holds it back"
            }
            UpdateError::NotListed { .. } | UpdateError::Path(_) => "check the address of the TUF repository",
            _ => "nothing of this answer was believed; report it to the repository's operator",
        }
    }
}

/// A repository.
#[derive(Debug, Clone)]
pub struct TufRepository {
    metadata: Place,
    targets: Place,
}

impl TufRepository {
    /// The repository whose metadata lies under `metadata` and whose targets lie under `targets`.
    ///
    /// # Errors
    /// [`ServiceError::NoAnswer`] when one is no address to talk to.
    pub fn at(metadata: &str, targets: &str) -> Result<Self, ServiceError> {
        Ok(TufRepository {
            metadata: Place::new(Peer::TufRepository, metadata)?,
            targets: Place::new(Peer::TufRepository, targets)?,
        })
    }

    /// The repository at `url`, with its targets in the folder `targets` as Sigstore lays them out.
    ///
    /// # Errors
    /// As [`TufRepository::at`].
    pub fn of_sigstore(url: &str) -> Result<Self, ServiceError> {
        Self::at(url, &format!("{}/targets", url.trim_end_matches('/')))
    }

    /// Bring `files` up to date, and `set`, which begins with the user's root, along with them.
    ///
    /// # Errors
    /// [`UpdateError`]; `files` then holds what was good until then.
    pub async fn refresh(
        &self,
        session: Session<'_>,
        set: &mut TrustedSet,
        files: &mut MetadataFiles,
    ) -> Result<(), UpdateError> {
        let mut update = Update { repository: self, session, set, files };
        update.roots().await?;
        update.timestamp().await?;
        update.snapshot().await?;
        update.targets().await
    }

    /// 5.6.7: look for a target, getting the metadata of the roles on the way.
    ///
    /// # Errors
    /// [`UpdateError`]; `files` then holds what was good until then.
    pub async fn find(
        &self,
        session: Session<'_>,
        set: &mut TrustedSet,
        files: &mut MetadataFiles,
        path: &str,
    ) -> Result<TargetFile, UpdateError> {
        let mut search = Search::new(path);
        let mut update = Update { repository: self, session, set, files };
        loop {
            match search.step(update.set) {
                Step::Found(target) => return Ok(target),
                Step::NotFound => {
                    return Err(UpdateError::NotListed { host: self.metadata.host(), path: readable(path) });
                }
                Step::Load(delegation) => update.delegated(&delegation).await?,
            }
        }
    }

    /// 5.7: what the target at `path` contains, of at most `limit` bytes.
    ///
    /// # Errors
    /// [`UpdateError`] when it is too long, not there, or not as it is listed.
    pub async fn download(
        &self,
        session: Session<'_>,
        set: &TrustedSet,
        path: &str,
        target: &TargetFile,
        limit: usize,
    ) -> Result<Vec<u8>, UpdateError> {
        let length = usize::try_from(target.length).ok().filter(|length| *length <= limit);
        let length = length.ok_or_else(|| UpdateError::TooLong { path: readable(path), limit })?;
        let url = self.targets.endpoint(&target_path(path, target, set)?);
        // Endless data: not one byte more than is listed.
        let content = self.get(session, &url, length).await?;
        content
            .filter(|content| target.describes(content))
            .ok_or_else(|| UpdateError::Content { host: self.targets.host(), path: readable(path) })
    }

    async fn metadata(&self, session: Session<'_>, name: &str, limit: usize) -> Result<Option<Vec<u8>>, UpdateError> {
        self.get(session, &self.metadata.endpoint(&format!("/{name}")), limit).await
    }

    /// A file; `None` if there is none, for which some file servers answer 403.
    async fn get(&self, session: Session<'_>, url: &Url, limit: usize) -> Result<Option<Vec<u8>>, UpdateError> {
        let response = session.send(Peer::TufRepository, Request::get(url, limit)).await?;
        match response.status {
            200 => Ok(Some(response.body)),
            403 | 404 => Ok(None),
            _ => Err(self.metadata.refused(&response).into()),
        }
    }

    fn judged<T>(&self, verdict: Result<T, TufError>) -> Result<T, UpdateError> {
        verdict.map_err(|source| UpdateError::Refused { host: self.metadata.host(), source })
    }
}

/// An update under way: what is trusted so far, and the files that it rests on.
struct Update<'a> {
    repository: &'a TufRepository,
    session: Session<'a>,
    set: &'a mut TrustedSet,
    files: &'a mut MetadataFiles,
}

impl Update<'_> {
    /// 5.3: one root after the other, until there is none.
    async fn roots(&mut self) -> Result<(), UpdateError> {
        let Update { repository, session, set, files } = self;
        // A cached root that does not follow is forgotten, with all after it.
        for root in files.roots_after(set.root().version) {
            if set.update_root(root).is_err() {
                break;
            }
        }
        let last = set.root().version;
        files.roots.retain(|version, _| *version <= last);
        for _ in 0..MAX_ROOTS {
            let next = set.root().version.saturating_add(1);
            let Some(root) = repository.metadata(*session, &format!("{next}.root.json"), MAX_ROOT_LEN).await? else {
                return repository.judged(set.end_of_roots());
            };
            repository.judged(set.update_root(&root))?;
            // 5.3.8 Keep it, whatever comes.
            files.roots.insert(next, root);
        }
        Err(UpdateError::TooManyRoots(repository.metadata.host()))
    }

    /// 5.4: the timestamp, always asked for.
    async fn timestamp(&mut self) -> Result<(), UpdateError> {
        if let Some(cached) = &self.files.timestamp {
            // It counts for comparison even if it has expired; one that the keys in force did not sign does not.
            let _ = self.set.update_timestamp(cached);
        }
        let new = self.required(RoleName::Timestamp, "timestamp.json", MAX_TIMESTAMP_LEN).await?;
        if self.repository.judged(self.set.update_timestamp(&new))? == Freshness::New {
            self.files.timestamp = Some(new);
        }
        Ok(())
    }

    /// 5.5: the snapshot, unless the one at hand is it.
    async fn snapshot(&mut self) -> Result<(), UpdateError> {
        if let Some(cached) = &self.files.snapshot
            && self.set.remember_snapshot(cached).is_ok()
            && self.set.update_snapshot(cached).is_ok()
        {
            return Ok(());
        }
        let wanted = self.repository.judged(self.set.wanted_snapshot())?;
        let (name, limit) = (file_name("snapshot", wanted, self.set), limit(wanted, MAX_SNAPSHOT_LEN));
        let new = self.required(RoleName::Snapshot, &name, limit).await?;
        self.repository.judged(self.set.update_snapshot(&new))?;
        self.files.snapshot = Some(new);
        Ok(())
    }

    /// 5.6: the top-level targets, unless those at hand are they.
    async fn targets(&mut self) -> Result<(), UpdateError> {
        self.role("targets", TrustedSet::update_targets).await
    }

    /// 5.6.7: the targets of a role that others trust with some.
    async fn delegated(&mut self, delegation: &Delegation) -> Result<(), UpdateError> {
        self.role(&delegation.name, |set, targets| set.update_delegated(delegation, targets)).await
    }

    /// The metadata of a targets role, unless what is at hand is it.
    async fn role(
        &mut self,
        name: &str,
        take: impl Fn(&mut TrustedSet, &[u8]) -> Result<(), TufError>,
    ) -> Result<(), UpdateError> {
        if self.files.targets.get(name).is_some_and(|cached| take(self.set, cached).is_ok()) {
            return Ok(());
        }
        let wanted = self.repository.judged(self.set.wanted_targets(name))?;
        let (file, limit) = (file_name(name, wanted, self.set), limit(wanted, MAX_TARGETS_LEN));
        let new = self.required(RoleName::Targets(name.to_owned()), &file, limit).await?;
        self.repository.judged(take(self.set, &new))?;
        self.files.targets.insert(name.to_owned(), new);
        Ok(())
    }

    async fn required(&self, role: RoleName, name: &str, limit: usize) -> Result<Vec<u8>, UpdateError> {
        let file = self.repository.metadata(self.session, name, limit).await?;
        file.ok_or_else(|| UpdateError::Lacking { host: self.repository.metadata.host(), role })
    }
}

fn file_name(role: &str, wanted: &MetadataFile, set: &TrustedSet) -> String {
    let role = quote(role);
    if set.root().signed.consistent_snapshot {
        format!("{}.{role}.json", wanted.version)
    } else {
        format!("{role}.json")
    }
}

fn limit(wanted: &MetadataFile, limit: usize) -> usize {
    wanted.length.and_then(|length| usize::try_from(length).ok()).map_or(limit, |length| length.min(limit))
}

/// The path of a target under the address of targets. A segment that servers and proxies resolve is refused: it could
/// only mean another file than the one that is named.
fn target_path(path: &str, target: &TargetFile, set: &TrustedSet) -> Result<String, UpdateError> {
    let segments: Vec<&str> = path.split('/').collect();
    let [folders @ .., name] = &segments[..] else { return Err(UpdateError::Path(path.chars().take(100).collect())) };
    if segments.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
        return Err(UpdateError::Path(path.chars().take(100).collect()));
    }
    let folders: String = folders.iter().map(|folder| format!("/{}", quote(folder))).collect();
    let hash = target.hashes.first().filter(|_| set.root().signed.consistent_snapshot);
    let prefix = hash.map(|hash| format!("{}.", hash.to_hex())).unwrap_or_default();
    Ok(format!("{folders}/{prefix}{}", quote(name)))
}
