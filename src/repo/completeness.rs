//! What a repository lacks and what it pretends: objects that were never fetched, and what would show another history
//! than its objects have.

use super::{RepoError, Repository};

/// What is in a repository to change how its history looks. gitseal goes by the objects and passes over it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Disregarded {
    /// How many refs there are under `refs/replace/` (git-replace(1)).
    pub replace_refs: usize,
    /// Whether there is a file of grafts (gitrepository-layout(5)).
    pub grafts: bool,
}

impl Repository {
    /// What is there and does not count.
    ///
    /// # Errors
    /// The references cannot be read.
    pub fn disregarded(&self) -> Result<Disregarded, RepoError> {
        let replace_refs = self.references("refs/replace/")?.len();
        let grafts = self.common_dir().join("info/grafts").metadata().is_ok_and(|file| file.len() > 0);
        Ok(Disregarded { replace_refs, grafts })
    }

    /// Whether the clone was told to end somewhere (`git clone --depth`).
    #[must_use]
    pub fn is_shallow(&self) -> bool {
        self.common_dir().join("shallow").metadata().is_ok_and(|file| file.len() > 0)
    }

    /// Whether the clone was told to leave objects out (`git clone --filter`).
    #[must_use]
    pub fn is_partial(&self) -> bool {
        let config = self.inner.config_snapshot();
        let is_promisor = |name: &str| config.boolean(format!("remote.{name}.promisor").as_str()) == Some(true);
        config.string("extensions.partialClone").is_some()
            || self.inner.remote_names().iter().any(|name| is_promisor(&name.to_string()))
    }

    /// Whether two refs whose names differ by the case of letters alone are one (`core.ignoreCase`).
    #[must_use]
    pub fn ignores_case(&self) -> bool {
        self.inner.config_snapshot().boolean("core.ignoreCase") == Some(true)
    }

    /// The command that brings what is missing.
    #[must_use]
    pub fn completing_command(&self) -> &'static str {
        match (self.is_shallow(), self.is_partial()) {
            (true, true) => "git fetch --unshallow --refetch --no-filter",
            (true, false) => "git fetch --unshallow",
            (false, true) => "git fetch --refetch --no-filter",
            // Neither: something was lost.
            (false, false) => "git fetch --refetch",
        }
    }
}
