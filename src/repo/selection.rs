//! Which commits of a history are meant: what people write as `A..B` (gitrevisions(7), "SPECIFYING RANGES").

use gix::ObjectId;
use gix::bstr::BStr;
use gix::revision::plumbing::Spec;
use jiff::Timestamp;

use super::walk::Walk;
use super::{RepoError, Repository, fallback};
use crate::format::git::commit_links;

/// A part of a history: what the tips reach and the hidden commits do not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Full names of commits, or of tags that lead to commits.
    pub tips: Vec<String>,
    /// Likewise: these, and what they reach by any parent, do not belong to it.
    pub hidden: Vec<String>,
    /// Only the first parent of a merge is followed, from the tips.
    pub first_parent: bool,
    /// Of what is walked, only commits with several parents belong to it.
    pub merges_only: bool,
    /// Only what was committed from then on, by the committers' own clocks.
    pub since: Option<Timestamp>,
}

impl Repository {
    /// What `revisions` mean together, as for `git rev-list`: a commit brings all that it reaches, `^A` takes away all
    /// that A reaches, wherever it stands.
    ///
    /// # Errors
    /// One of them names nothing, or no commit.
    pub fn select(&self, revisions: &[String]) -> Result<Selection, RepoError> {
        let mut selection = Selection::default();
        for revision in revisions {
            self.select_one(revision, &mut selection)?;
        }
        for ids in [&mut selection.tips, &mut selection.hidden] {
            for id in ids {
                *id = self.peel(self.id(id)?)?.to_string();
            }
        }
        Ok(selection)
    }

    fn select_one(&self, revision: &str, into: &mut Selection) -> Result<(), RepoError> {
        // `A^-` and `A^-2`, which gix does not read: without what that parent reaches.
        if let Some((commit, number)) = revision.rsplit_once("^-")
            && number.bytes().all(|c| c.is_ascii_digit())
        {
            let parent = if number.is_empty() { "1" } else { number };
            into.tips.push(self.resolve(commit)?.to_string());
            into.hidden.push(self.resolve(&format!("{commit}^{parent}"))?.to_string());
            return Ok(());
        }
        if self.asks_git() && !is_full_range(revision) {
            for line in fallback::rev_parse_range(self.git_dir(), revision)? {
                match line.strip_prefix('^') {
                    Some(id) => into.hidden.push(id.to_owned()),
                    None => into.tips.push(line),
                }
            }
            return Ok(());
        }
        match self.spec(revision)? {
            Spec::Include(id) => into.tips.push(id.to_string()),
            Spec::Exclude(id) => into.hidden.push(id.to_string()),
            Spec::Range { from, to } => {
                into.hidden.push(from.to_string());
                into.tips.push(to.to_string());
            }
            Spec::Merge { theirs, ours } => {
                let (theirs, ours) = (self.peel(theirs)?, self.peel(ours)?);
                into.hidden.extend(self.shared(theirs, ours)?);
                into.tips.extend([theirs.to_string(), ours.to_string()]);
            }
            Spec::IncludeOnlyParents(id) => into.tips.extend(self.parents(id)?),
            Spec::ExcludeParents(id) => {
                into.hidden.extend(self.parents(id)?);
                into.tips.push(id.to_string());
            }
        }
        Ok(())
    }

    fn spec(&self, revision: &str) -> Result<Spec, RepoError> {
        let full = |text: &str| self.id(text).ok();
        // Full names need not be looked for, and git may have no ref for them yet.
        if let Some(id) = full(revision) {
            return Ok(Spec::Include(id));
        }
        if let Some(id) = revision.strip_prefix('^').and_then(full) {
            return Ok(Spec::Exclude(id));
        }
        if let Some((Some(theirs), Some(ours))) = revision.split_once("...").map(|(a, b)| (full(a), full(b))) {
            return Ok(Spec::Merge { theirs, ours });
        }
        if let Some((Some(from), Some(to))) = revision.split_once("..").map(|(a, b)| (full(a), full(b))) {
            return Ok(Spec::Range { from, to });
        }
        let unknown = |cause: String| RepoError::Revision { revision: revision.to_owned(), cause };
        if self.inner.head().is_ok_and(|head| head.is_unborn()) && revision.contains("HEAD") {
            return Err(unknown("there is no commit yet".to_owned()));
        }
        let spec = self.inner.rev_parse(BStr::new(revision)).map_err(|error| unknown(error.to_string()))?;
        Ok(spec.detach())
    }

    fn parents(&self, id: ObjectId) -> Result<Vec<String>, RepoError> {
        let id = self.peel(id)?;
        let mut buffer = Vec::new();
        self.read(&id, &mut buffer)?;
        let malformed = |cause: crate::format::git::ObjectError| RepoError::Malformed {
            id: id.to_string(),
            cause: cause.to_string(),
        };
        let links = commit_links(&buffer).map_err(malformed)?;
        Ok(links.parents.iter().map(|parent| String::from_utf8_lossy(parent).into_owned()).collect())
    }

    /// Commits that both reach and that reach all others that both do: where walking from one of them one first meets
    /// what the other reaches.
    fn shared(&self, one: ObjectId, other: ObjectId) -> Result<Vec<String>, RepoError> {
        let mut walk = Walk::new(self);
        walk.run(&[one], &[other], None, &mut |_| false)?;
        Ok(walk.boundary())
    }
}

/// `HEX`, `^HEX`, `HEX..HEX` and `HEX...HEX`, for which nobody need be asked.
fn is_full_range(revision: &str) -> bool {
    let is_full = |text: &str| matches!(text.len(), 40 | 64) && text.bytes().all(|c| c.is_ascii_hexdigit());
    let revision = revision.strip_prefix('^').unwrap_or(revision);
    match revision.split_once("...").or_else(|| revision.split_once("..")) {
        Some((from, to)) => is_full(from) && is_full(to),
        None => is_full(revision),
    }
}
