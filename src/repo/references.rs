//! References by their full names, and what they name.

use gix::refs::{Target, TargetRef};

use super::{RepoError, Repository, fallback};

/// How often one reference may name another; git has the same bound.
const MAX_SYMBOLIC: usize = 5;

impl Repository {
    /// Every reference whose full name begins with `prefix`, a whole number of segments such as `refs/tags/`: the name,
    /// and the object that it names, not peeled. One that leads nowhere is no reference.
    ///
    /// # Errors
    /// The references cannot be read.
    pub fn references(&self, prefix: &str) -> Result<Vec<(String, String)>, RepoError> {
        if self.uses_reftable() {
            return fallback::for_each_ref(self.git_dir(), prefix);
        }
        let unreadable = |cause: String| RepoError::References(cause);
        let platform = self.inner.references().map_err(|error| unreadable(error.to_string()))?;
        let all = platform.prefixed(prefix).map_err(|error| unreadable(error.to_string()))?;
        let mut references = Vec::new();
        for reference in all {
            let reference = reference.map_err(|error| unreadable(error.to_string()))?;
            let name = reference.name().as_bstr().to_string();
            if let Some(id) = self.target(reference.inner.target)? {
                references.push((name, id));
            }
        }
        Ok(references)
    }

    /// Where a reference leads, through those that it names; `None` when it leads nowhere.
    fn target(&self, mut target: Target) -> Result<Option<String>, RepoError> {
        for _ in 0..MAX_SYMBOLIC {
            let TargetRef::Symbolic(next) = target.to_ref() else { break };
            let found = self.inner.try_find_reference(next);
            let Some(found) = found.map_err(|error| RepoError::References(error.to_string()))? else { break };
            target = found.inner.target;
        }
        Ok(target.try_id().map(|id| id.to_string()))
    }

    /// The object that the reference with this full name names, not peeled.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn reference(&self, full_name: &str) -> Result<Option<String>, RepoError> {
        if self.uses_reftable() {
            let listed = fallback::for_each_ref(self.git_dir(), full_name)?;
            return Ok(listed.into_iter().find(|(name, _)| name == full_name).map(|(_, id)| id));
        }
        let unreadable = |cause: String| RepoError::References(cause);
        // gix, like git, would look in several places for a name that is not full.
        let name: gix::refs::FullName =
            full_name.try_into().map_err(|_| unreadable(format!("{full_name:?} is none")))?;
        let found = self.inner.try_find_reference(name.as_ref()).map_err(|error| unreadable(error.to_string()))?;
        let Some(found) = found.filter(|found| found.name() == name.as_ref()) else { return Ok(None) };
        self.target(found.inner.target)
    }

    /// The full name of the reference that the one with this full name stands for, as `refs/remotes/origin/HEAD` does.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn symbolic(&self, full_name: &str) -> Result<Option<String>, RepoError> {
        if self.uses_reftable() {
            return fallback::symbolic(self.git_dir(), full_name);
        }
        let found =
            self.inner.try_find_reference(full_name).map_err(|error| RepoError::References(error.to_string()))?;
        Ok(found.and_then(|found| match found.inner.target.to_ref() {
            TargetRef::Symbolic(name) => Some(name.as_bstr().to_string()),
            TargetRef::Object(_) => None,
        }))
    }

    /// The full name of the branch that `HEAD` is on, whether it has a commit or not; `None` when `HEAD` is detached.
    ///
    /// # Errors
    /// `HEAD` cannot be read.
    pub fn head_name(&self) -> Result<Option<String>, RepoError> {
        if self.uses_reftable() {
            return fallback::symbolic(self.git_dir(), "HEAD");
        }
        let name = self.inner.head_name().map_err(|error| RepoError::References(error.to_string()))?;
        Ok(name.map(|name| name.as_bstr().to_string()))
    }
}
