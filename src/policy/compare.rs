//! One rule held against another: whether what passed the one needs no second look under the other.

use std::collections::BTreeSet;

use super::decide::path_rule;
use super::rules::{Evidence, Judged, Policy, Right, Rule};

impl Rule {
    /// Whether every commit that passed this rule would pass `other` too, both of `policy`.
    ///
    /// Used to leave out of a ref's new commits those that another ref holds already; a wrong yes would let an unjudged
    /// commit in by that ref, so every doubt is a no. It speaks of commits: of tags, pushes and updates nothing follows.
    #[must_use]
    pub fn implies(&self, other: &Rule, policy: &Policy) -> bool {
        // What this rule never looked at it cannot vouch for: a commit beside the first-parent line of its ref may be
        // on the line of the other.
        let every_one = self.judged == Judged::All;
        let reaches_as_far = self.since.is_none() || self.since == other.since;
        let same_people = [Right::Commit, Right::Merge].into_iter().all(|right| self.narrower(other, right, policy))
            && within(self.rights.get(&Right::Policy), other.rights.get(&Right::Policy), policy);
        let as_much_evidence = self.require.is_superset(&other.require)
            && (!other.require.contains(&Evidence::PushCertificate)
                || within(self.rights.get(&Right::Push), other.rights.get(&Right::Push), policy));
        let as_early = other.from.is_none_or(|theirs| self.from.is_some_and(|ours| ours >= theirs));
        let as_late = other.until.is_none_or(|theirs| self.until.is_some_and(|ours| ours <= theirs));
        let as_exact =
            other.clock_tolerance.is_none_or(|theirs| self.clock_tolerance.is_some_and(|ours| ours <= theirs));
        every_one
            && reaches_as_far
            && same_people
            && as_much_evidence
            && as_early
            && as_late
            && as_exact
            && self.committer >= other.committer
            && (!self.covered_by_push || other.covered_by_push)
            && self.approvals >= other.approvals
    }

    /// Whether whoever may commit (or merge) something under this rule may under `other`, whatever the path.
    ///
    /// The prefixes of both that hold a path lie one within the other, so the longest decides alike for the path and
    /// for that prefix: asking about each prefix, and about a path that none holds, is asking about all paths.
    fn narrower(&self, other: &Rule, right: Right, policy: &Policy) -> bool {
        let mut prefixes = self.paths.iter().chain(&other.paths).map(|path| path.prefix.as_str());
        let list = |rule: &Rule, path: &str| match path_rule(rule, path) {
            Some(path) => Some(path.commit.clone()),
            None => rule.list(right).cloned(),
        };
        within(self.list(right), other.list(right), policy)
            && prefixes.all(|prefix| {
                let path = prefix.trim_end_matches('/');
                within(list(self, path).as_ref(), list(other, path).as_ref(), policy)
            })
    }

    /// The list of a right; whom `commit` names may merge where nothing else is said.
    fn list(&self, right: Right) -> Option<&BTreeSet<String>> {
        match right {
            Right::Merge => self.rights.get(&Right::Merge).or_else(|| self.rights.get(&Right::Commit)),
            right => self.rights.get(&right),
        }
    }
}

/// Whether everybody in `ours` is in `theirs`, through groups or by name. Without a list there is nobody.
fn within(ours: Option<&BTreeSet<String>>, theirs: Option<&BTreeSet<String>>, policy: &Policy) -> bool {
    match (ours, theirs) {
        (None, _) => true,
        (Some(ours), None) => ours.is_empty(),
        (Some(ours), Some(theirs)) => policy
            .principals
            .keys()
            .filter(|principal| policy.includes(ours, principal))
            .all(|principal| policy.includes(theirs, principal)),
    }
}

#[cfg(test)]
mod tests;
