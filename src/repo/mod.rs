//! A local repository: its raw objects by revision and its configuration by scope.
//!
//! The only folder that names gix. Nothing here parses an object beyond its kind: the bytes go up as git stores them,
//! and their name is computed again from the bytes handed out. Replace refs are never followed, since they would let a
//! ref swap the object that is judged for another one.

pub mod config;
mod fallback;
pub mod object;

use std::path::{Path, PathBuf};

use thiserror::Error;

pub use config::{Config, Origin, Scope, Value};
pub use object::RawObject;

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
    /// `git` could not be asked where gix cannot read the reference storage.
    #[error("cannot run git to read references: {0}")]
    Git(#[source] std::io::Error),
}

/// An open repository.
pub struct Repository {
    inner: gix::Repository,
}

impl Repository {
    /// Open the repository that `directory` is in, as git would: `GIT_DIR` and its companions count.
    ///
    /// # Errors
    /// There is none, or it cannot be opened.
    pub fn discover(directory: &Path) -> Result<Self, RepoError> {
        // Plain `discover` ignores GIT_DIR and would open another repository than the git that called us.
        match gix::ThreadSafeRepository::discover_with_environment_overrides(directory) {
            Ok(shared) => Ok(Repository::without_replacements(&shared)),
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
        Repository::without_replacements(&shared.expect("a repository of the test's own"))
    }

    fn without_replacements(shared: &gix::ThreadSafeRepository) -> Self {
        let mut inner = shared.to_thread_local();
        inner.objects.ignore_replacements = true;
        Repository { inner }
    }

    /// Whether objects have a name in the other hash function too, and so may carry a second signature.
    #[must_use]
    pub fn has_second_hash(&self) -> bool {
        self.inner.config_snapshot().string("extensions.compatObjectFormat").is_some()
    }

    fn uses_reftable(&self) -> bool {
        self.inner.config_snapshot().string("extensions.refStorage").is_some_and(|storage| storage == "reftable")
    }
}
