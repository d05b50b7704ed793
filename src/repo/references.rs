//! References by their full names, and what they name.

use gix::refs::TargetRef;

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
            let mut target = reference.inner.target;
            for _ in 0..MAX_SYMBOLIC {
                let TargetRef::Symbolic(next) = target.to_ref() else { break };
                let found = self.inner.try_find_reference(next).map_err(|error| unreadable(error.to_string()))?;
                let Some(found) = found else { break };
                target = found.inner.target;
            }
            if let Some(id) = target.try_id() {
                references.push((name, id.to_string()));
            }
        }
        Ok(references)
    }

    /// The full name of the branch that `HEAD` is on, whether it has a commit or not; `None` when `HEAD` is detached.
    ///
    /// # Errors
    /// `HEAD` cannot be read.
    pub fn head_name(&self) -> Result<Option<String>, RepoError> {
        if self.uses_reftable() {
            return fallback::symbolic_head(self.git_dir());
        }
        let name = self.inner.head_name().map_err(|error| RepoError::References(error.to_string()))?;
        Ok(name.map(|name| name.as_bstr().to_string()))
    }
}
