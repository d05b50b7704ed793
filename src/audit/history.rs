//! A history judged as a whole: what is walked, judged by its signatures, and decided by the policies along it.
//!
//! With a trust root the walk ends there, or at what is known to have been authenticated; never at what merely lies on a
//! server already. So a commit that came in while the gate was open is found when somebody builds on it.

use std::collections::HashSet;

use super::authority::{Authority, AuthorityError, Terms};
use super::finding::Finding;
use super::object::Judge;
use super::range::judge_all;
use super::trust_root::Source;
use crate::policy::rules::{Judged, Rule};
use crate::repo::{RepoError, Repository, Selection};

/// A head with more commits than this is no pull request: what was squashed from it somebody else must commit.
const MAX_HEAD_COMMITS: usize = 10_000;

/// Why a history cannot be judged to its end.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError<E> {
    /// There is no authority, or an object cannot be read.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// An object cannot be read.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// Whoever takes the findings gave up.
    #[error("the findings are no longer taken")]
    Taker(E),
}

/// A history that is being judged for one ref.
pub struct History<'a> {
    repository: &'a Repository,
    judge: &'a Judge<'a>,
    authority: Authority<'a>,
    source: Source,
    /// With one policy for everything: what is not judged again.
    hidden: Vec<String>,
    /// Commits that a forge may have squashed or rebased.
    heads: Vec<String>,
}

impl<'a> History<'a> {
    /// A history that is to be judged up to `tip`. `heads` are what a forge may have squashed or rebased. `hidden` is what need not be judged where one policy holds for
    /// everything; with a trust root nothing but the trust root ends it.
    ///
    /// # Errors
    /// There is no authority to begin with.
    pub fn new(
        repository: &'a Repository,
        judge: &'a Judge<'a>,
        terms: Terms<'a>,
        tip: &str,
        hidden: Vec<String>,
        heads: Vec<String>,
    ) -> Result<Self, AuthorityError> {
        let source = terms.source.clone();
        let authority = Authority::new(repository, terms, tip)?;
        Ok(History { repository, judge, authority, source, hidden, heads })
    }

    /// What has been decided so far.
    #[must_use]
    pub fn authority(&mut self) -> &mut Authority<'a> {
        &mut self.authority
    }

    /// The rule that says which commits are judged: that of the branch's policy as it stands.
    fn rule(&self) -> Option<Rule> {
        let policy = self.authority.current().or_else(|| self.authority.first())?;
        policy.rule_for(self.authority.reference()).cloned()
    }

    /// Judge what leads up to `base`, and take the policy there for the one that stands: what comes after on an older one
    /// must pass it as well.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn begin_at<E>(
        &mut self,
        base: &str,
        on: &mut dyn FnMut(Finding) -> Result<(), E>,
    ) -> Result<(), HistoryError<E>> {
        self.advance(base, on)?;
        let (policy, _) = self.authority.after(base)?;
        self.authority.set_current(policy);
        Ok(())
    }

    /// Judge what leads up to `tip` and was not judged yet, parents first.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn advance<E>(
        &mut self,
        tip: &str,
        on: &mut dyn FnMut(Finding) -> Result<(), E>,
    ) -> Result<(), HistoryError<E>> {
        let ids = self.to_judge(tip)?;
        if self.authority.knows_a_forge() {
            self.draw_line(tip)?;
            self.judge_heads()?;
        }
        let authority = &mut self.authority;
        judge_all(self.repository, self.judge, &ids, &mut |judged| {
            on(authority.decide(judged)?).map_err(HistoryError::Taker)
        })
    }

    /// The first-parent line of `tip`, down to where it is known.
    fn draw_line(&mut self, tip: &str) -> Result<(), RepoError> {
        let line = Selection { tips: vec![tip.to_owned()], first_parent: true, ..Selection::default() };
        let root = match &self.source {
            Source::Tree { root, .. } => Some(root.commit.as_str()),
            Source::Fixed(_) => None,
        };
        let mut ends = Vec::new();
        let ids = self.repository.walk(&line, &mut |id| {
            let ends_here = root == Some(id) || self.hidden.iter().any(|one| one == id) || self.authority.is_sound(id);
            if ends_here {
                ends.push(id.to_owned());
            }
            ends_here
        })?;
        self.authority.add_to_line(ids.into_iter().chain(ends));
        Ok(())
    }

    /// Judge what a forge may have squashed or rebased. What is found is nobody's business: only whether it passed is.
    fn judge_heads<E>(&mut self) -> Result<(), HistoryError<E>> {
        for head in std::mem::take(&mut self.heads) {
            let ids = self.to_judge(&head)?;
            if ids.len() > MAX_HEAD_COMMITS {
                continue;
            }
            let authority = &mut self.authority;
            judge_all(self.repository, self.judge, &ids, &mut |judged| {
                authority.decide(judged).map(drop).map_err(HistoryError::Authority)
            })?;
        }
        Ok(())
    }

    /// The ids of what is to be judged before `tip` is authenticated, parents first.
    ///
    /// # Errors
    /// An object cannot be read.
    pub fn to_judge(&self, tip: &str) -> Result<Vec<String>, RepoError> {
        let rule = self.rule();
        let mut hidden = self.hidden.clone();
        if let Source::Tree { root, .. } = &self.source {
            hidden = vec![root.commit.clone()];
        }
        hidden.extend(rule.as_ref().and_then(|rule| rule.since.clone()));
        let whole = Selection { tips: vec![tip.to_owned()], hidden, ..Selection::default() };
        // What was denied is not denied twice.
        let mut known = |id: &str| self.authority.is_sound(id) || self.authority.has_decided(id);
        let mode = rule.map_or(Judged::All, |rule| rule.judged);
        if mode == Judged::All {
            return self.repository.walk(&whole, &mut known);
        }
        let line = Selection { first_parent: true, ..whole.clone() };
        let line = self.repository.walk(&line, &mut known)?;
        if mode == Judged::FirstParent {
            return Ok(line);
        }
        let merges = self.repository.walk(&Selection { merges_only: true, ..whole.clone() }, &mut known)?;
        let wanted: HashSet<String> = line.into_iter().chain(merges).collect();
        let all = self.repository.walk(&whole, &mut known)?;
        Ok(all.into_iter().filter(|id| wanted.contains(id)).collect())
    }
}

/// Whether the first-parent line of `tip` leads to `old`: a merge the other way round (a foxtrot) would put somebody
/// else's line in its place.
///
/// # Errors
/// An object cannot be read.
pub fn is_on_line(repository: &Repository, tip: &str, old: &str) -> Result<bool, RepoError> {
    let mut found = false;
    let line = Selection { tips: vec![tip.to_owned()], first_parent: true, ..Selection::default() };
    repository.walk(&line, &mut |id| {
        found |= id == old;
        found
    })?;
    Ok(found)
}
