//! A local repository: its raw objects by revision and its configuration by scope.
//!
//! The only folder that names gix. The bytes of an object go up as git stores them, and its name is computed again from
//! the bytes handed out. Replace refs, grafts, the list of shallow commits and commit-graph files are never followed:
//! each would let somebody show another history than the objects have. Nothing is fetched: what a partial clone lacks is
//! missing.

pub mod completeness;
pub mod config;
mod fallback;
pub mod merge;
pub mod object;
mod references;
mod selection;
mod store;
mod tree;
mod walk;

use std::path::{Path, PathBuf};

use config::Environment;
use thiserror::Error;

pub use config::{Config, Origin, Scope, Value};
pub use object::RawObject;
pub use selection::Selection;

/// Why a repository could not be read.
#[derive(Debug, Error)]
pub enum RepoError {
    /// Neither this directory nor one above it is a repository.
    #[error("not a git repository (or any of the parent directories): {0}")]
    NotFound(PathBuf),
    /// There is a repository and it cannot be opened.
    #[error("cannot open the repository at {path}: {cause}")]
    Open {
        /// Where it was looked for.
        path: PathBuf,
        /// What gix says.
        cause: String,
    },
    /// Configuration outside any repository cannot be read.
    #[error("cannot read the git configuration: {0}")]
    Config(String),
    /// `GIT_CONFIG_PARAMETERS` is not a list that git writes.
    #[error("GIT_CONFIG_PARAMETERS is malformed")]
    Parameters,
    /// The revision names nothing, or more than one thing.
    #[error("bad revision '{revision}': {cause}")]
    Revision {
        /// As given.
        revision: String,
        /// What gix or git says.
        cause: String,
    },
    /// The object database has no such object, or cannot give it.
    #[error("cannot read object {id}: {cause}")]
    Object {
        /// The name asked for.
        id: String,
        /// What gix says.
        cause: String,
    },
    /// The object database has no such object: the clone is shallow or partial, or damaged.
    #[error("object {id} is missing")]
    Missing {
        /// The name asked for.
        id: String,
    },
    /// A tree or a blob.
    #[error("object {id} is a {kind}; only commits and annotated tags carry signatures")]
    Kind {
        /// The name asked for.
        id: String,
        /// What it is.
        kind: String,
    },
    /// The bytes stored under a name are not the bytes that the name stands for, or hold a SHA-1 collision.
    #[error("object {id} does not hash to its name: {cause}")]
    Misnamed {
        /// The name asked for.
        id: String,
        /// The name computed, or the collision found.
        cause: String,
    },
    /// The references cannot be read.
    #[error("cannot read the references: {0}")]
    References(String),
    /// An object that git would not write.
    #[error("object {id}: {cause}")]
    Malformed {
        /// The name asked for.
        id: String,
        /// What is wrong with it.
        cause: String,
    },
    /// More than anybody needs.
    #[error("there are more than {limit} {what}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
    /// `git` could not be asked where gix cannot read the reference storage.
    #[error("cannot run git to read references: {0}")]
    Git(#[source] std::io::Error),
}

/// An open repository. A clone is for another thread.
#[derive(Clone)]
pub struct Repository {
    inner: gix::Repository,
    stores: store::Stores,
}

impl Repository {
    /// Open the repository that `directory` is in, as git would: `GIT_DIR` and its companions count. `environment` is
    /// asked for the object directories of a push that is under way.
    ///
    /// # Errors
    /// There is none, or it cannot be opened.
    pub fn discover(directory: &Path, environment: Environment<'_>) -> Result<Self, RepoError> {
        // Plain `discover` ignores GIT_DIR and would open another repository than the git that called us.
        match gix::ThreadSafeRepository::discover_with_environment_overrides(directory) {
            Ok(shared) => Repository::without_replacements(&shared, environment),
            Err(_) if gix::discover::upwards(directory).is_err() => Err(RepoError::NotFound(directory.to_owned())),
            Err(cause) => Err(RepoError::Open { path: directory.to_owned(), cause: cause.to_string() }),
        }
    }

    /// The `.git` directory.
    #[must_use]
    pub fn git_dir(&self) -> &Path {
        self.inner.git_dir()
    }

    /// The directory that all work trees share, with the configuration.
    #[must_use]
    pub fn common_dir(&self) -> &Path {
        self.inner.common_dir()
    }

    /// The top of the work tree; a bare repository has none.
    #[must_use]
    pub fn work_tree(&self) -> Option<&Path> {
        self.inner.workdir()
    }

    /// Open the repository at `directory` without the configuration of this machine and this user.
    #[cfg(test)]
    pub(crate) fn open_isolated_test_only(directory: &Path) -> Self {
        let shared = gix::ThreadSafeRepository::open_opts(directory, gix::open::Options::isolated());
        let shared = shared.expect("a repository of the test's own");
        Repository::without_replacements(&shared, &|_| None).expect("no directory beside its own")
    }

    fn without_replacements(
        shared: &gix::ThreadSafeRepository,
        environment: Environment<'_>,
    ) -> Result<Self, RepoError> {
        let mut inner = shared.to_thread_local();
        inner.objects.ignore_replacements = true;
        let stores = store::Stores::new(&inner, environment)?;
        Ok(Repository { inner, stores })
    }

    /// Whether objects have a name in the other hash function too, and so may carry a second signature.
    #[must_use]
    pub fn has_second_hash(&self) -> bool {
        self.inner.config_snapshot().string("extensions.compatObjectFormat").is_some()
    }

    /// Whether git must be asked what a name stands for: gix reads neither reftable nor the objects of a push.
    fn asks_git(&self) -> bool {
        self.uses_reftable() || self.stores.has_others()
    }

    fn uses_reftable(&self) -> bool {
        self.inner.config_snapshot().string("extensions.refStorage").is_some_and(|storage| storage == "reftable")
    }
}
