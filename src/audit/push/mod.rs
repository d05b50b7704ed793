//! A push held against a policy, before any ref moves: what a server's hook decides.
//!
//! The usual question, which commits are new to the server, is the wrong one: a commit that lies on an unprotected
//! branch is not new, and was never judged. The question here is which commits are new to *this* ref, and only a ref
//! whose own rule is at least as strong may take commits out of the answer (threats T1, T2). Each ref of a push is
//! judged against the repository as it was before the push.
//!
//! | under | a ref's new commits are | down to |
//! |---|---|---|
//! | policies in the trees | all that its tip reaches | the trust root, or commits with a receipt |
//! | one policy, or expected identities | its new tip without its old one | tips of refs with a rule as strong |
//!
//! So under a trust root a gate that was off for a while is found out.

mod certificates;
mod history;
mod names;
pub mod pusher;
mod rights;
mod standing;
mod tag;

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;

use super::authority::{AuthorityError, Recompute};
use super::history::HistoryError;
use super::receipts::Receipts;
use super::trust_root::Source;
use super::{Finding, Judge};
use crate::format::git::ObjectKind;
use crate::format::ref_update::{Change, RefUpdate, is_zero};
use crate::policy::rules::{Right, Rule};
use crate::policy::{Decision, Denial, Policy, RuleRef};
use crate::repo::{RepoError, Repository};
use crate::verify::{Reason, Refusal, Verdict};

pub use certificates::{CERTIFICATES, path_of};
pub use pusher::{Certificate, Listing, Pusher, ServerSide, check_fresh};
use standing::Standing;

/// No ref has more refused commits told in full; the others are counted.
const MAX_TOLD: usize = 50;
/// How many of the commits that a forced push takes away are named.
const MAX_LOST: usize = 10;

/// Why a push cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The repository cannot be read.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// There is no authority to begin with, or its objects cannot be read.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// A repository that ends somewhere would hide what lies beyond.
    #[error("this repository is shallow, and what its history begins with cannot be judged")]
    Shallow,
    /// Grafts would show git another history.
    #[error("this repository has grafts, which show git another history than the one that is judged")]
    Grafts,
    /// Neither a policy nor anybody expected.
    #[error("nothing says who may push what: there is no trust root, no policy and nobody expected")]
    NoGround,
}

impl From<HistoryError<PushError>> for PushError {
    fn from(error: HistoryError<PushError>) -> Self {
        match error {
            HistoryError::Repo(error) => PushError::Repo(error),
            HistoryError::Authority(error) => PushError::Authority(error),
            HistoryError::Taker(error) => error,
        }
    }
}

/// What a push is held against.
pub struct Gate<'a> {
    /// The repository, with what the push brings.
    pub repository: &'a Repository,
    /// Judges signatures; whom it expects counts where there is no policy.
    pub judge: Judge<'a>,
    /// Where the policy comes from; `None` where the expected identities take its place.
    pub source: Option<Source>,
    /// Whose repository is pushed to.
    pub side: Side,
    /// The refs there, by their full names, as they are before the push.
    pub refs: BTreeMap<String, String>,
    /// The full name of the branch whose policy is the repository's, if there is such a branch.
    pub policy_ref: Option<String>,
    /// How to hold a forge to what it merged.
    pub recompute: Recompute<'a>,
    /// Commits that a forge may have squashed or rebased.
    pub heads: Vec<String>,
    /// The push certificate, if there is one.
    pub certificate: Option<Certificate<'a>>,
    /// OpenPGP keys that gpg may use for signatures of principals whom the policy lists by fingerprint.
    pub pgp_keyring: Option<PathBuf>,
    /// Now: exceptions run out by it.
    pub now: Timestamp,
}

/// Where a push is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// On the server, which decides.
    Server,
    /// Before it leaves: who pushes is not asked, for that is signed later, and what is missing here may be there.
    Client,
}

/// What was found about one ref of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefFinding {
    /// The ref, and what was to become of it.
    pub update: RefUpdate,
    /// Whether a rule names the ref; nothing is claimed about others.
    pub is_protected: bool,
    /// What is wrong with the update itself.
    pub denial: Option<Finding>,
    /// How many commits and tags were judged.
    pub judged: usize,
    /// The refused ones, the first `MAX_TOLD` of them.
    pub refused: Vec<Finding>,
    /// How many more were refused.
    pub more: usize,
    /// The first commits that the ref loses, and how many they are, where it goes back.
    pub lost: (Vec<String>, usize),
}

impl RefFinding {
    fn new(update: &RefUpdate) -> Self {
        RefFinding {
            update: update.clone(),
            is_protected: true,
            denial: None,
            judged: 0,
            refused: Vec::new(),
            more: 0,
            lost: (Vec::new(), 0),
        }
    }

    /// Good if everything is; bad if anything is.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let mut verdicts = self.denial.iter().chain(&self.refused).map(Finding::verdict).peekable();
        if verdicts.peek().is_none() {
            return if self.more == 0 { Verdict::Good } else { Verdict::Bad };
        }
        if self.more == 0 && verdicts.all(|verdict| verdict == Verdict::Undecided) {
            return Verdict::Undecided;
        }
        Verdict::Bad
    }

    fn refuse(&mut self, finding: Finding) {
        if self.refused.len() < MAX_TOLD {
            self.refused.push(finding);
        } else {
            self.more += 1;
        }
    }

    fn deny(&mut self, denial: Denial) {
        if self.denial.is_none() {
            self.denial = Some(denied(None, None, denial));
        }
    }
}

/// A finding that is nothing but a no.
fn denied(object: Option<String>, kind: Option<ObjectKind>, denial: Denial) -> Finding {
    let mut finding = Finding::refused(object, kind, Refusal::new(denial.reason, denial.found.clone()));
    finding.decision = Some(Decision::Denied(denial));
    finding
}

fn place(policy: &Policy, rule: &Rule) -> RuleRef {
    RuleRef { name: rule.name.clone(), line: rule.line, version: policy.version }
}

/// Judge every update of a push; `on` gets the findings one by one. `receipts` loses nothing and gains what was found
/// good. Returns who pushed.
///
/// # Errors
/// [`PushError`]: nothing can be said, and nothing may be let in.
pub fn judge(
    gate: &Gate<'_>,
    updates: &[RefUpdate],
    receipts: &mut Receipts,
    on: &mut dyn FnMut(RefFinding),
) -> Result<Pusher, PushError> {
    if gate.side == Side::Server {
        if gate.repository.is_shallow() {
            return Err(PushError::Shallow);
        }
        if gate.repository.disregarded()?.grafts {
            return Err(PushError::Grafts);
        }
    }
    let mut standing = Standing::new(gate, updates, receipts)?;
    // Branches first: a tag may stand on a commit that this push brings to a branch.
    let (tags, others): (Vec<&RefUpdate>, Vec<&RefUpdate>) =
        updates.iter().partition(|update| update.reference.starts_with(TAGS));
    for update in others.into_iter().chain(tags) {
        let found = standing.update(update)?;
        on(found);
    }
    Ok(standing.pusher)
}

/// Where tags are.
const TAGS: &str = "refs/tags/";
/// Where branches are.
const HEADS: &str = "refs/heads/";

impl Standing<'_, '_> {
    fn update(&mut self, update: &RefUpdate) -> Result<RefFinding, PushError> {
        let mut found = RefFinding::new(update);
        if let Some(denial) = names::reserved(&update.reference) {
            found.deny(denial);
            return Ok(found);
        }
        if !self.is_protected(&update.reference) {
            found.is_protected = false;
            if self.gate.repository.ignores_case()
                && let Some(denial) = self.policy().and_then(|policy| names::case_twin(policy, &update.reference))
            {
                found.is_protected = true;
                found.deny(denial);
            }
            return Ok(found);
        }
        if let Some(denial) = self.moved_meanwhile(update) {
            found.deny(denial);
            return Ok(found);
        }
        match update.change() {
            Change::Delete => self.ask_right(update, Right::Delete, None, &mut found),
            Change::Create | Change::Move => self.arrival(update, &mut found)?,
        }
        if found.verdict() == Verdict::Good && update.change() != Change::Delete {
            self.arrived(&update.reference, &update.new);
        }
        Ok(found)
    }

    /// The old value is the client's word until git locks the ref: were it believed, any commit that the server has could
    /// stand for it.
    fn moved_meanwhile(&self, update: &RefUpdate) -> Option<Denial> {
        let now = self.gate.refs.get(&update.reference);
        if now == Some(&update.old).filter(|old| !is_zero(old)) {
            return None;
        }
        let at = now.map_or("is not there".to_owned(), |id| format!("is at {id}"));
        Some(Denial {
            reason: Reason::RefUpdateDenied,
            found: format!("the ref {at}, and not where the push says"),
            rule: self.place_of(&update.reference),
            who_may: Vec::new(),
            mend: "git fetch, and push again".to_owned(),
        })
    }

    /// Something arrives at a protected ref.
    fn arrival(&mut self, update: &RefUpdate, found: &mut RefFinding) -> Result<(), PushError> {
        let is_tag_ref = update.reference.starts_with(TAGS);
        let object = match self.gate.repository.raw_object_by_id(&update.new) {
            Ok(object) => object,
            Err(RepoError::Kind { kind, .. }) => {
                found.deny(self.no_commit(update, &format!("it is a {kind}, and no commit")));
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let mut signer = None;
        let commit = match object.kind {
            ObjectKind::Commit if is_tag_ref && self.wants_signed_tags(&update.reference) => {
                found.deny(self.lightweight(update));
                object.id
            }
            ObjectKind::Commit => object.id,
            ObjectKind::Tag if is_tag_ref => {
                let Some((commit, tag)) = self.tag(update, &object, found)? else { return Ok(()) };
                signer = Some(tag);
                commit
            }
            ObjectKind::Tag => {
                found.deny(self.no_commit(update, "it is a tag, and no commit"));
                return Ok(());
            }
        };
        match update.change() {
            Change::Create => self.ask_right(update, Right::Create, signer.as_ref(), found),
            // A tag that moves is another tag by the same name, wherever it goes.
            _ if is_tag_ref => self.ask_right(update, Right::Force, None, found),
            _ => self.ask_way(update, &commit, found)?,
        }
        self.history(update, &commit, found)
    }

    fn no_commit(&self, update: &RefUpdate, found: &str) -> Denial {
        Denial {
            reason: Reason::TagTarget,
            found: format!("{found}; this ref is for commits"),
            rule: self.place_of(&update.reference),
            who_may: Vec::new(),
            mend: "push the commit itself".to_owned(),
        }
    }

    fn lightweight(&self, update: &RefUpdate) -> Denial {
        let name = update.reference.strip_prefix(TAGS).unwrap_or_default();
        Denial {
            reason: Reason::TagNotAnnotated,
            found: "the tag is not annotated, and nobody has signed it".to_owned(),
            rule: self.place_of(&update.reference),
            who_may: self.taggers(&update.reference),
            mend: format!("git tag -d {name}, then git tag -s {name} {} by one who may", update.new),
        }
    }

    /// Whether the old tip is an ancestor of the new one; if not, what is lost and who may do that.
    fn ask_way(&mut self, update: &RefUpdate, commit: &str, found: &mut RefFinding) -> Result<(), PushError> {
        found.lost = self.lost(&update.old, commit)?;
        if found.lost.1 > 0 {
            self.ask_right(update, Right::Force, None, found);
        } else if let Some(denial) = self.broken_line(update, commit)? {
            found.deny(denial);
        }
        Ok(())
    }
}
