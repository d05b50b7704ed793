//! What a forge made with its own key, made again: merges, squashes and rebased commits.
//!
//! Behind the merge button a forge signs content that is nobody's. Its key proves where a commit was made and not what
//! is in it, so such a commit passes only where the same tree comes out here, of commits that have passed themselves. An
//! edit in a forge's web editor, a revert or a conflict resolved there is therefore never reproduced: a person must
//! commit it. No policy is asked here; which commits have passed is what the caller knows.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet, VecDeque};

use thiserror::Error;

use crate::crypto::sha256;
use crate::format::git::{self, CommitHeader, ObjectError, ObjectKind};
use crate::repo::merge::{MergeError, Merged, Merger};
use crate::repo::{RepoError, Repository};
use crate::verify::Reason;

/// How many heads or sources are tried for one commit, a few milliseconds each. Those that its message names come first.
const MAX_TRIED: usize = 100;
/// How many commits behind the heads are looked at for what a rebased commit was made of.
const MAX_SOURCES: usize = 10_000;

/// A commit that may have been squashed or rebased, by the name of the ref that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The full name of the ref, or whatever else names it.
    pub name: String,
    /// The commit.
    pub id: String,
}

/// What is known of other commits.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// Whether a commit has passed, and all that is behind it.
    pub passed: &'a dyn Fn(&str) -> bool,
    /// Whether a commit is on the line of the branch that was merged into.
    pub on_target: &'a dyn Fn(&str) -> bool,
}

/// Of what a commit was made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recomputed {
    /// Its second parent merged into the first.
    Merge,
    /// This head merged into its parent, in one commit.
    Squash(Head),
    /// This commit, moved onto its parent.
    Rebase(String),
}

/// Why a commit was not made again.
#[derive(Debug, Error)]
pub enum NotReproduced {
    /// It is a first commit, or has three parents or more.
    #[error("it has {0} parents; a forge's merge has two, its squash one")]
    Parents(usize),
    /// One of its parents has not passed.
    #[error("its parent {0} has not passed itself")]
    ParentNotPassed(String),
    /// It was merged the other way round.
    #[error("its first parent {0} is not on the branch that was merged into")]
    ParentOrder(String),
    /// Its parents conflict, so somebody decided.
    #[error("its parents conflict: what is in it was somebody's decision")]
    Conflict,
    /// Merging gives something else.
    #[error("its tree is {found}, and merging its parents gives {merged}")]
    Differs {
        /// What it holds.
        found: String,
        /// What it should hold.
        merged: String,
    },
    /// It says something and does nothing.
    #[error("it changes nothing, so it is a squash of nothing")]
    Empty,
    /// It is neither the squash of a head nor a rebased commit.
    #[error("merging none of {heads} heads that have passed gives its tree, and no commit behind them was moved here")]
    NoSource {
        /// How many heads were tried.
        heads: usize,
    },
    /// The merge could not be made.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// It, or what it may have been made of, is no commit that git would write.
    #[error(transparent)]
    Malformed(#[from] ObjectError),
    /// A commit could not be read.
    #[error(transparent)]
    Repo(#[from] RepoError),
}

impl NotReproduced {
    /// The reason for machines.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            NotReproduced::Merge(MergeError::Failed(_)) | NotReproduced::Repo(_) => Reason::ObjectMissing,
            _ => Reason::MergeNotReproduced,
        }
    }
}

/// Makes a forge's commits again.
pub struct Recomputer<'a> {
    repository: &'a Repository,
    merger: Merger,
    heads: Vec<Head>,
    sources: OnceCell<Sources>,
}

/// Commits by what stays when one is moved: its author and its message.
type Sources = HashMap<[u8; 32], Vec<(String, Commit)>>;

impl<'a> Recomputer<'a> {
    /// One for `repository`, where `heads` are what may have been squashed or rebased: the heads that the forge keeps of
    /// pull requests, other branches, or what a person names.
    #[must_use]
    pub fn new(repository: &'a Repository, merger: Merger, heads: Vec<Head>) -> Self {
        Recomputer { repository, merger, heads, sources: OnceCell::new() }
    }

    /// Make the commit again that has the content `raw`.
    ///
    /// # Errors
    /// [`NotReproduced`]: it is not what a forge makes of `known` commits, or that cannot be told.
    pub fn recompute(&self, raw: &[u8], known: Known<'_>) -> Result<Recomputed, NotReproduced> {
        let commit = Commit::parse(raw)?;
        if !(1..=2).contains(&commit.parents.len()) {
            return Err(NotReproduced::Parents(commit.parents.len()));
        }
        if let Some(parent) = commit.parents.iter().find(|parent| !(known.passed)(parent)) {
            return Err(NotReproduced::ParentNotPassed(parent.clone()));
        }
        let first = &commit.parents[0];
        if !(known.on_target)(first) {
            return Err(NotReproduced::ParentOrder(first.clone()));
        }
        match commit.parents.get(1) {
            Some(second) => self.merge(&commit, first, second),
            None => self.rebase_or_squash(&commit, first, known),
        }
    }

    /// The paths in which a commit's `tree` is not what merging its `parents` gives, or in which they conflict: what
    /// whoever merged has decided. Of one parent or more than two, what is not like the first.
    ///
    /// # Errors
    /// [`NotReproduced::Merge`]: the merge could not be made.
    pub fn hand_made(&self, parents: &[String], tree: &str) -> Result<Vec<String>, NotReproduced> {
        Ok(self.merger.decided_by_hand(parents, tree)?)
    }

    fn merge(&self, commit: &Commit, first: &str, second: &str) -> Result<Recomputed, NotReproduced> {
        match self.merger.merge(first, second)? {
            Merged::Tree(merged) if merged == commit.tree => Ok(Recomputed::Merge),
            Merged::Tree(merged) => Err(NotReproduced::Differs { found: commit.tree.clone(), merged }),
            Merged::Conflict => Err(NotReproduced::Conflict),
        }
    }

    fn rebase_or_squash(&self, commit: &Commit, parent: &str, known: Known<'_>) -> Result<Recomputed, NotReproduced> {
        let onto = self.commit(parent)?.tree;
        let wanted = Merged::Tree(commit.tree.clone());
        for (id, source) in self.sources_of(commit, known)? {
            let [base] = source.parents.as_slice() else { continue };
            if (known.passed)(id) && self.merger.pick(&self.commit(base)?.tree, &onto, &source.tree)? == wanted {
                return Ok(Recomputed::Rebase(id.clone()));
            }
        }
        // Merging a head that is merged already changes nothing: any message could be signed like that.
        if onto == commit.tree {
            return Err(NotReproduced::Empty);
        }
        let named = numbers(&commit.message);
        let (mut first, second): (Vec<&Head>, Vec<&Head>) =
            self.heads.iter().partition(|head| head.name.split('/').any(|part| named.contains(&part)));
        first.extend(second);
        let of_use = first.into_iter().filter(|head| (known.passed)(&head.id) && !(known.on_target)(&head.id));
        let mut heads = 0;
        for head in of_use.take(MAX_TRIED) {
            heads += 1;
            if self.merger.merge(parent, &head.id)? == wanted {
                return Ok(Recomputed::Squash(head.clone()));
            }
        }
        Err(NotReproduced::NoSource { heads })
    }

    fn sources_of(&self, commit: &Commit, known: Known<'_>) -> Result<&[(String, Commit)], NotReproduced> {
        let sources = match self.sources.get() {
            Some(sources) => sources,
            None => {
                let sources = self.read_sources(known)?;
                self.sources.get_or_init(|| sources)
            }
        };
        let found = sources.get(&commit.lasting).map(Vec::as_slice).unwrap_or_default();
        Ok(&found[..found.len().min(MAX_TRIED)])
    }

    /// What is behind the heads, as far as the branch that was merged into.
    fn read_sources(&self, known: Known<'_>) -> Result<Sources, NotReproduced> {
        let mut sources = Sources::new();
        let mut seen = HashSet::new();
        let mut queue: VecDeque<String> = self.heads.iter().map(|head| head.id.clone()).collect();
        while let Some(id) = queue.pop_front() {
            if seen.len() == MAX_SOURCES || (known.on_target)(&id) || !seen.insert(id.clone()) {
                continue;
            }
            let commit = self.commit(&id)?;
            queue.extend(commit.parents.iter().cloned());
            sources.entry(commit.lasting).or_default().push((id, commit));
        }
        Ok(sources)
    }

    fn commit(&self, id: &str) -> Result<Commit, NotReproduced> {
        let object = self.repository.raw_object_by_id(id)?;
        match object.kind {
            ObjectKind::Commit => Ok(Commit::parse(&object.bytes)?),
            kind => Err(RepoError::Kind { id: object.id, kind: kind.to_string() }.into()),
        }
    }
}

/// What counts of a commit here. That it is well formed is found out where its signature is judged.
struct Commit {
    tree: String,
    parents: Vec<String>,
    message: Vec<u8>,
    /// A digest of what a rebase leaves alone.
    lasting: [u8; 32],
}

impl Commit {
    fn parse(raw: &[u8]) -> Result<Self, ObjectError> {
        let CommitHeader { tree, parents, .. } = git::commit_header(raw)?;
        let end = raw.windows(2).position(|pair| pair == b"\n\n").unwrap_or(raw.len());
        let message = raw[end..].to_vec();
        // Name, address, time and zone of the author, and in which encoding they and the message are.
        let headers = raw[..end].split(|byte| *byte == b'\n');
        let kept = headers.filter(|line| line.starts_with(b"author ") || line.starts_with(b"encoding "));
        let lasting = sha256(&[kept.collect::<Vec<_>>().join(&b'\n'), message.clone()].concat());
        Ok(Commit { tree, parents, message, lasting })
    }
}

/// The numbers that a message gives as `#7` (a pull request) or `!7` (a merge request).
fn numbers(message: &[u8]) -> HashSet<&str> {
    let text = std::str::from_utf8(message).unwrap_or_default();
    let parts = text.split(['#', '!']).skip(1);
    let digits = parts.map(|part| &part[..part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len())]);
    digits.filter(|digits| !digits.is_empty()).collect()
}
