//! What a decision stood on, for people who ask why: the same look-ups as the decision's own, once more.

use std::sync::Arc;

use super::{Authority, AuthorityError, folder_of, newest};
use crate::audit::trust_root::{Source, header_of};
use crate::format::git::CommitHeader;
use crate::policy::Policy;
use crate::policy::rules::Rule;

/// What a decision about a commit stood on.
#[derive(Debug, Clone)]
pub struct Basis {
    /// What each parent leaves, in order.
    pub parents: Vec<Left>,
    /// The policy that was in force.
    pub policy: Arc<Policy>,
    /// Which parent left it; `None` where one policy holds for everything, or the commit has no parents.
    pub governing: Option<String>,
    /// The rule of the ref; `None`: the ref is not protected.
    pub rule: Option<Rule>,
    /// Whether the commit changes the policy, or what lies beside it.
    pub changes_policy: bool,
    /// What it changes, where the rule asks about paths.
    pub paths: Vec<String>,
}

/// What a parent leaves to its children.
#[derive(Debug, Clone)]
pub struct Left {
    /// The parent.
    pub id: String,
    /// The policy.
    pub policy: Arc<Policy>,
    /// Whether it passed, and everything before it that is claimed.
    pub sound: bool,
}

impl Authority<'_> {
    /// What the decision about the commit with this head stood on. Its parents have been decided by now.
    ///
    /// # Errors
    /// An object that is needed cannot be read.
    pub fn basis(&mut self, header: &CommitHeader) -> Result<Basis, AuthorityError> {
        let legacies = self.parents(header)?;
        let governing = newest(&legacies).cloned().unwrap_or_else(|| self.beginning());
        // By the place in memory: two parents may leave the same version, and the first of them governs.
        let at = newest(&legacies).and_then(|newest| legacies.iter().position(|one| std::ptr::eq(one, newest)));
        let folder = match &self.terms.source {
            Source::Fixed(_) => None,
            Source::Tree { path, .. } => self.repository.entry_at(&header.tree, folder_of(path))?,
        };
        let rule = governing.policy.rule_for(&self.terms.reference).cloned();
        let asks = rule.as_ref().is_some_and(|rule| !rule.paths.is_empty());
        let left = |(id, legacy): (&String, &super::Legacy)| Left {
            id: id.clone(),
            policy: legacy.policy.clone(),
            sound: legacy.sound,
        };
        Ok(Basis {
            parents: header.parents.iter().zip(&legacies).map(left).collect(),
            governing: at.filter(|_| self.is_tree()).map(|at| header.parents[at].clone()),
            changes_policy: self.is_tree() && folder != governing.folder,
            paths: if asks { self.paths(header)? } else { Vec::new() },
            policy: governing.policy,
            rule,
        })
    }

    /// The head of a commit that has been decided.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn header(&self, id: &str) -> Result<CommitHeader, AuthorityError> {
        Ok(header_of(self.repository, id)?)
    }
}
