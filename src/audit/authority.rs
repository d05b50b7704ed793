//! Authority over a history: each commit is judged by the policy of a parent that was authenticated before it, from a
//! commit that the verifier named onwards. So nobody's commit lets itself in (threats T8), and nobody goes back to a
//! policy that was kinder (T9).
//!
//! Findings come in parents first and go out with their decision. What a commit leaves to its children:
//!
//! | it was | its children are judged by |
//! |---|---|
//! | the trust root | the policy in its own tree |
//! | allowed | the policy in its own tree, which it may have changed if it had the right |
//! | denied, or excepted | the policy that it was judged by itself: its own changes count for nothing |
//!
//! So each bad commit is named once, and what comes after it is judged all the same; the history as a whole is refused
//! as soon as one is bad.

mod basis;

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::finding::{Clock, Finding, ForeignSigner};
use super::range::Judged;
use super::recompute::{self, NotReproduced, Recomputer};
use super::trust_root::{Source, header_of, root_policy};
use crate::format::git::CommitHeader;
use crate::policy::decide::{self, Facts, Proof, SignedBy};
use crate::policy::file::PolicyFileError;
use crate::policy::rules::{Exception, Rule};
use crate::policy::{Allowed, Decision, Denial, Policy, Right, RuleRef};
use crate::repo::merge::MergeError;
use crate::repo::{RepoError, Repository};
use crate::verify::{Reason, Refusal};
pub use basis::{Basis, Left};

/// Makes what can make a forge's commits again, where a policy asks for it.
pub type Recompute<'a> = &'a dyn Fn() -> Result<Recomputer<'a>, MergeError>;
/// Whether a commit is known to have been authenticated before.
pub type Known<'a> = &'a dyn Fn(&str) -> bool;

/// What is proven about whoever pushed a commit, where a push certificate covers it.
pub type Pushed<'a> = &'a dyn Fn(&str) -> Option<Proof<'a>>;

/// What a history is held against.
pub struct Terms<'a> {
    /// Where the policy comes from.
    pub source: Source,
    /// The full name of the ref that the history is for.
    pub reference: String,
    /// The policy of the branch as it stands: a new commit on an older one must pass this one too, and whom it has
    /// retired or found compromised is so for all.
    pub current: Option<Arc<Policy>>,
    /// Whether a commit is new to where it goes. What is not was let in by the policies of its time.
    pub is_new: Known<'a>,
    /// Push certificates.
    pub pushed: Pushed<'a>,
    /// Receipts.
    pub known: Known<'a>,
    /// How to hold a forge to what it merged, and a merge to what merging gives by itself.
    pub recompute: Recompute<'a>,
    /// Now: exceptions run out by it, and nothing else does.
    pub now: Timestamp,
}

/// Why a history cannot be judged at all.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// An object cannot be read.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// A merge cannot be made again.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// A merge cannot be compared with what merging gives.
    #[error("a merge cannot be compared with what merging gives: {0}")]
    NotReproduced(#[from] NotReproduced),
    /// There is no policy where the trust root says that there is one.
    #[error("the trust root {commit} has no policy at {path}")]
    RootWithoutPolicy {
        /// The trust root's commit.
        commit: String,
        /// Where it was looked for.
        path: String,
    },
    /// It is another one.
    #[error("the policy of the trust root {commit} has the digest sha256:{found}, and sha256:{wanted} is expected")]
    RootMismatch {
        /// The trust root's commit.
        commit: String,
        /// What is there.
        found: String,
        /// What should be.
        wanted: String,
    },
    /// It does not parse.
    #[error("the policy at {path} of {commit} does not parse: {cause}")]
    Policy {
        /// The commit.
        commit: String,
        /// Where it lies.
        path: String,
        /// What is wrong with it.
        cause: PolicyFileError,
    },
}

impl AuthorityError {
    /// The reason, where it is one of a verdict's.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            AuthorityError::Repo(_) | AuthorityError::Merge(_) | AuthorityError::NotReproduced(_) => {
                Reason::ObjectMissing
            }
            AuthorityError::RootWithoutPolicy { .. } => Reason::PolicyMissing,
            AuthorityError::RootMismatch { .. } => Reason::PolicyRootMismatch,
            AuthorityError::Policy { .. } => Reason::PolicyMalformed,
        }
    }
}

/// What a commit leaves to its children.
#[derive(Debug, Clone)]
struct Legacy {
    /// The policy that they are judged by.
    policy: Arc<Policy>,
    /// The id of the policy's folder, against which a change of theirs is measured.
    folder: Option<String>,
    /// Whether nothing before it was denied: only then is it worth a receipt.
    sound: bool,
}

/// One history under judgement.
pub struct Authority<'a> {
    repository: &'a Repository,
    terms: Terms<'a>,
    root: Option<Legacy>,
    /// The policy at the tip that is being judged. It can retire, find compromised and except; if it was never
    /// authorised, the commit that brought it is denied, and so is the history.
    tip: Option<Arc<Policy>>,
    legacies: HashMap<String, Legacy>,
    /// What commits leave that were not judged here: they lie before everything that is claimed, or have a receipt.
    before: HashMap<String, Legacy>,
    /// The first-parent line of what is judged: a forge merges into it.
    line: HashSet<String>,
    recomputer: OnceCell<Recomputer<'a>>,
    /// Policies by the id of their blob: a history has few.
    parsed: HashMap<String, Option<Arc<Policy>>>,
}

impl<'a> Authority<'a> {
    /// A history that ends in `tip`.
    ///
    /// # Errors
    /// [`AuthorityError`] when there is no authority to begin with.
    pub fn new(repository: &'a Repository, terms: Terms<'a>, tip: &str) -> Result<Self, AuthorityError> {
        let mut authority = Authority {
            repository,
            terms,
            root: None,
            tip: None,
            legacies: HashMap::new(),
            before: HashMap::new(),
            line: HashSet::new(),
            recomputer: OnceCell::new(),
            parsed: HashMap::new(),
        };
        match authority.terms.source.clone() {
            Source::Fixed(policy) => {
                authority.root = Some(Legacy { policy: policy.clone(), folder: None, sound: true });
                authority.tip = Some(policy);
            }
            Source::Tree { root, path } => {
                let policy = root_policy(repository, &root, &path)?;
                let tree = header_of(repository, &root.commit)?.tree;
                let folder = repository.entry_at(&tree, folder_of(&path))?;
                let legacy = Legacy { policy: Arc::new(policy), folder, sound: true };
                authority.legacies.insert(root.commit.clone(), legacy.clone());
                authority.root = Some(legacy);
                let tip_tree = header_of(repository, tip)?.tree;
                // One that does not parse is named with the commit that brought it.
                authority.tip = match authority.policy_in(&tip_tree) {
                    Err(AuthorityError::Policy { .. }) => None,
                    policy => policy?,
                };
            }
        }
        Ok(authority)
    }

    /// The ref that the history is for.
    #[must_use]
    pub fn reference(&self) -> &str {
        &self.terms.reference
    }

    /// The policy that the children of `commit` are judged by, and whether everything up to it was allowed.
    ///
    /// # Errors
    /// An object that is needed cannot be read.
    pub fn after(&mut self, commit: &str) -> Result<(Arc<Policy>, bool), AuthorityError> {
        let legacy = self.legacy_of(commit)?;
        Ok((legacy.policy, legacy.sound))
    }

    /// What is wrong with the policy at the tip of the branch that the whole repository goes by: it must be there, be
    /// the one in force, and be no older than the one that stands.
    ///
    /// # Errors
    /// An object that is needed cannot be read.
    pub fn tip_fault(&mut self, tip: &str) -> Result<Option<Refusal>, AuthorityError> {
        if !self.is_tree() {
            return Ok(None);
        }
        let (in_force, _) = self.after(tip)?;
        let tree = header_of(self.repository, tip)?.tree;
        let own = match self.policy_in(&tree) {
            Err(AuthorityError::Policy { cause, .. }) => {
                return Ok(Some(Refusal::new(Reason::PolicyMalformed, format!("its policy does not parse: {cause}"))));
            }
            own => own?,
        };
        let standing = self.terms.current.as_ref().map_or(0, |current| current.version);
        let fault = match own {
            None => Refusal::new(Reason::PolicyMissing, "it has no policy, and the repository goes by this branch's"),
            Some(own) if own.version < standing => {
                let found = format!("its policy has version {}, and version {standing} stands", own.version);
                Refusal::new(Reason::PolicyRolledBack, found)
            }
            Some(own) if own.digest != in_force.digest => {
                Refusal::new(Reason::PolicyRolledBack, "nobody with the right to change the policy made the one it has")
            }
            Some(_) => return Ok(None),
        };
        Ok(Some(fault))
    }

    /// The policy as it stands, where that has been told.
    #[must_use]
    pub fn current(&self) -> Option<&Arc<Policy>> {
        self.terms.current.as_ref()
    }

    /// The policy that it begins with.
    #[must_use]
    pub fn first(&self) -> Option<&Arc<Policy>> {
        self.root.as_ref().map(|root| &root.policy)
    }

    /// Hold what comes on an older policy against this one as well. Of several the newest counts.
    pub fn set_current(&mut self, policy: Arc<Policy>) {
        if self.terms.current.as_ref().is_none_or(|current| current.version < policy.version) {
            self.terms.current = Some(policy);
        }
    }

    /// Whether `commit` has been decided about here.
    #[must_use]
    pub fn has_decided(&self, commit: &str) -> bool {
        self.legacies.contains_key(commit)
    }

    /// Whether `commit` and everything before it is known to be allowed: by this judgement or by a receipt.
    #[must_use]
    pub fn is_sound(&self, commit: &str) -> bool {
        match self.legacies.get(commit) {
            Some(legacy) => legacy.sound,
            None => self.is_tree() && (self.terms.known)(commit),
        }
    }

    /// Give a finding its decision. Parents come before their children.
    ///
    /// # Errors
    /// An object that is needed cannot be read.
    pub fn decide(&mut self, judged: Judged) -> Result<Finding, AuthorityError> {
        let Judged { mut finding, id, header, .. } = judged;
        let Some(header) = header else {
            // Missing or malformed: what comes after it stands on nothing.
            self.legacies.insert(id, Legacy { folder: None, sound: false, ..self.beginning() });
            return Ok(finding);
        };
        if self.is_root(&id) {
            return Ok(finding);
        }
        let folder = self.folder_in(&header)?;
        let mut parents = self.parents(&header)?;
        if parents.is_empty() && !self.is_tree() {
            parents.push(self.beginning());
        }
        let Some(governing) = newest(&parents) else {
            let sound = self.exception(&id).is_some();
            self.legacies.insert(id.clone(), Legacy { folder, sound, ..self.beginning() });
            self.settle(&mut finding, &id, Err(self.orphan(&id)));
            return Ok(finding);
        };
        let governing = governing.clone();
        let sound = parents.iter().all(|parent| parent.sound);
        let verdict = self.judge(&finding, &id, &header, &governing, &parents, folder.as_deref());
        let (verdict, own) = match verdict? {
            Ok((allowed, own)) => (Ok(allowed), own),
            Err(denial) => (Err(denial), None),
        };
        let excepted = verdict.is_err() && self.exception(&id).is_some();
        let legacy = match own {
            // Nothing is asked of who writes to a ref that no rule names, and so they write no policy.
            Some(_) if verdict == Ok(None) && self.is_tree() => Legacy { sound, ..governing },
            Some(policy) => Legacy { policy, folder, sound },
            None => Legacy { sound: sound && excepted, ..governing },
        };
        self.legacies.insert(id.clone(), legacy);
        self.settle(&mut finding, &id, verdict);
        Ok(finding)
    }

    /// The decision about a commit by itself, of which nobody asks what leads to it: where that has not passed, neither
    /// has this.
    ///
    /// # Errors
    /// An object that is needed cannot be read.
    pub fn decide_alone(&mut self, judged: Judged) -> Result<Finding, AuthorityError> {
        let id = judged.id.clone();
        let mut finding = self.decide(judged)?;
        if matches!(finding.decision, Some(Decision::Allowed(_))) && !self.is_sound(&id) && !self.is_root(&id) {
            let Some(Decision::Allowed(allowed)) = finding.decision.take() else { return Ok(finding) };
            let denial = Denial {
                reason: Reason::ParentNotAuthenticated,
                found: "what leads to it has not passed".to_owned(),
                rule: Some(allowed.rule),
                who_may: Vec::new(),
                mend: format!("gitseal policy explain {id} tells more"),
            };
            self.settle(&mut finding, &id, Err(denial));
        }
        Ok(finding)
    }

    /// Give a finding about a signed tag of a commit that was judged its decision, by the policy at that commit.
    ///
    /// # Errors
    /// An object that is needed cannot be read.
    pub fn decide_tag(&mut self, mut finding: Finding, name: &str, target: &str) -> Result<Finding, AuthorityError> {
        let (policy, sound) = self.after(target)?;
        let Some(rule) = policy.rule_for(&format!("refs/tags/{name}")) else {
            finding.decision = finding.refusal.is_none().then_some(Decision::NotProtected);
            return Ok(finding);
        };
        let denied = |reason, found: String| Denial {
            reason,
            found,
            rule: Some(place(&policy, rule)),
            who_may: decide::holders(&policy, rule, Right::Tag),
            mend: "git tag -d NAME, then git tag -s NAME by one who may".to_owned(),
        };
        let verdict = match (&finding.refusal, proof_of(&finding)) {
            (Some(refusal), _) => Err(denied(refusal.reason, refusal.detail.clone())),
            (None, None) => Err(denied(Reason::NoSignature, "there is no signature".to_owned())),
            (None, Some(_)) if !sound => {
                let found = "what leads to the commit that it names has not passed".to_owned();
                Err(denied(Reason::ParentNotAuthenticated, found))
            }
            (None, Some(proof)) => decide::act(&policy, rule, Right::Tag, &proof),
        };
        self.settle(&mut finding, "", verdict.map(Some));
        Ok(finding)
    }

    /// What the trust root, or the one policy, leaves.
    fn beginning(&self) -> Legacy {
        self.root.clone().expect("set when the authority was made")
    }

    fn is_root(&self, id: &str) -> bool {
        matches!(&self.terms.source, Source::Tree { root, .. } if root.commit == id)
    }

    /// The decision into the finding; an exception takes the place of a no.
    fn settle(&self, finding: &mut Finding, id: &str, verdict: Result<Option<Allowed>, Denial>) {
        match verdict {
            Ok(Some(allowed)) => {
                finding.refusal = None;
                finding.decision = Some(Decision::Allowed(allowed));
            }
            Ok(None) => finding.decision = Some(Decision::NotProtected),
            Err(denial) => match self.exception(id) {
                Some((exception, version)) => {
                    let name = format!("exception by {}", exception.by);
                    let rule = RuleRef { name, line: exception.line, version };
                    finding.refusal = None;
                    finding.decision = Some(Decision::Excepted { rule, reason: exception.reason.clone() });
                }
                None => {
                    finding.refusal = Some(Refusal::new(denial.reason, denial.found.clone()));
                    finding.decision = Some(Decision::Denied(denial));
                }
            },
        }
    }

    fn exception(&self, id: &str) -> Option<(&Exception, u64)> {
        let policy = self.tip.as_ref()?;
        let in_time = |exception: &&Exception| exception.expires.is_none_or(|expires| self.terms.now < expires);
        let found = policy.exceptions.iter().filter(|exception| exception.commit == id).find(in_time)?;
        Some((found, policy.version))
    }

    fn orphan(&self, id: &str) -> Denial {
        let rule = self.root.as_ref().and_then(|root| root.policy.rule_for(&self.terms.reference));
        let place = rule.zip(self.root.as_ref()).map(|(rule, root)| place(&root.policy, rule));
        Denial {
            reason: Reason::ParentNotAuthenticated,
            found: "it has no parents, and is not the trust root: nothing says by which policy to judge it".to_owned(),
            rule: place,
            who_may: Vec::new(),
            mend: format!("an exception for {id} in the policy, by somebody with the right to change it"),
        }
    }

    /// The decision about one commit; with a yes comes the policy that it leaves to its children.
    #[allow(clippy::type_complexity, reason = "two failures: no answer, and the answer no")]
    fn judge(
        &mut self,
        finding: &Finding,
        id: &str,
        header: &CommitHeader,
        governing: &Legacy,
        parents: &[Legacy],
        folder: Option<&str>,
    ) -> Result<Result<(Option<Allowed>, Option<Arc<Policy>>), Denial>, AuthorityError> {
        let policy = governing.policy.clone();
        let stands = |current: &Arc<Policy>| current.version > policy.version && (self.terms.is_new)(id);
        let current = self.terms.current.clone().filter(stands);
        let changes_policy = self.is_tree() && folder != governing.folder.as_deref();
        let reference = self.terms.reference.clone();
        let rules: Vec<(Arc<Policy>, Rule)> = std::iter::once(&policy)
            .chain(&current)
            .filter_map(|policy| Some((policy.clone(), policy.rule_for(&reference)?.clone())))
            .collect();
        let paths = if rules.iter().any(|(_, rule)| !rule.paths.is_empty()) { self.paths(header)? } else { Vec::new() };
        let email = String::from_utf8_lossy(&header.committer.email).into_owned();
        let committed = Timestamp::from_second(header.committer.seconds).unwrap_or(Timestamp::UNIX_EPOCH);
        let mut facts = Facts {
            id,
            parents: header.parents.len(),
            committer: &email,
            committed,
            changes_policy,
            paths: &paths,
            pushed_signed: false,
            reproduced: false,
        };
        let mut allowed = None;
        for (policy, rule) in &rules {
            let pushed = (self.terms.pushed)(id);
            facts.pushed_signed = pushed.is_some_and(|proof| decide::act(policy, rule, Right::Push, &proof).is_ok());
            let proof = match proof(finding, rule, pushed) {
                Ok(proof) => proof,
                Err(refusal) => {
                    return Ok(Err(decide::unsigned(policy, rule, &facts, refusal.reason, &refusal.detail)));
                }
            };
            let by_forge = decide::principals(policy, &proof.by).iter().any(|principal| principal.is_forge);
            facts.reproduced = by_forge && self.is_reproduced(id)?;
            match decide::commit(policy, rule, &facts, &proof) {
                Ok(found) => allowed = allowed.or(Some(found)),
                Err(denial) => return Ok(Err(denial)),
            }
            for later in self.terms.current.iter().chain(&self.tip) {
                if let Some(rule) = later.rule_for(&reference)
                    && let Err(denial) = decide::lifetime(later, rule, &facts, &proof)
                {
                    return Ok(Err(denial));
                }
            }
        }
        if !self.is_tree() {
            return Ok(Ok((allowed, Some(policy))));
        }
        let rule = rules.first().map(|(_, rule)| rule);
        match self.succession(header, &policy, parents, changes_policy)? {
            Ok(own) => Ok(Ok((allowed, Some(own)))),
            Err((reason, found)) => Ok(Err(self.policy_denial(&policy, rule, &facts, reason, found))),
        }
    }

    fn policy_denial(
        &self,
        policy: &Policy,
        rule: Option<&Rule>,
        facts: &Facts<'_>,
        reason: Reason,
        found: String,
    ) -> Denial {
        match rule {
            Some(rule) => {
                let mend =
                    "raise the version in the policy, see that 'gitseal policy lint' is content, and commit again";
                Denial { mend: mend.to_owned(), ..decide::unsigned(policy, rule, facts, reason, &found) }
            }
            None => Denial { reason, found, rule: None, who_may: Vec::new(), mend: String::new() },
        }
    }

    /// The policy in the commit's own tree, if it may follow those of its parents.
    #[allow(clippy::type_complexity, reason = "two failures: no answer, and the answer no")]
    fn succession(
        &mut self,
        header: &CommitHeader,
        governing: &Arc<Policy>,
        parents: &[Legacy],
        changed: bool,
    ) -> Result<Result<Arc<Policy>, (Reason, String)>, AuthorityError> {
        if !changed {
            // A merge of two policies that both call themselves the newest must say which it is.
            let rival = parents
                .iter()
                .find(|one| one.policy.version == governing.version && one.policy.digest != governing.digest);
            return Ok(match rival {
                Some(_) => {
                    let version = governing.version;
                    let found =
                        format!("two policies of version {version} meet, and neither is raised above the other");
                    Err((Reason::PolicyRolledBack, found))
                }
                None => Ok(governing.clone()),
            });
        }
        let own = match self.policy_in(&header.tree) {
            Ok(Some(own)) => own,
            Ok(None) => return Ok(Err((Reason::PolicyMissing, "it takes the policy away".to_owned()))),
            Err(AuthorityError::Policy { cause, .. }) => {
                return Ok(Err((Reason::PolicyMalformed, format!("its policy does not parse: {cause}"))));
            }
            Err(error) => return Err(error),
        };
        if own.digest == governing.digest {
            return Ok(Ok(own));
        }
        let highest = parents.iter().map(|parent| parent.policy.version).max().unwrap_or(governing.version);
        if own.version <= highest {
            let found = format!("its policy has version {}, and version {highest} came before it", own.version);
            return Ok(Err((Reason::PolicyRolledBack, found)));
        }
        Ok(Ok(own))
    }

    fn is_tree(&self) -> bool {
        matches!(self.terms.source, Source::Tree { .. })
    }

    /// What the parents leave; one that was not judged lies before everything that is claimed.
    fn parents(&mut self, header: &CommitHeader) -> Result<Vec<Legacy>, AuthorityError> {
        header.parents.iter().map(|parent| self.legacy_of(parent)).collect()
    }

    fn legacy_of(&mut self, id: &str) -> Result<Legacy, AuthorityError> {
        if let Some(legacy) = self.legacies.get(id).or_else(|| self.before.get(id)) {
            return Ok(legacy.clone());
        }
        let root = self.beginning();
        let legacy = match &self.terms.source {
            Source::Fixed(_) => root,
            Source::Tree { .. } => {
                let header = header_of(self.repository, id)?;
                let folder = self.folder_in(&header)?;
                let own = if (self.terms.known)(id) { self.policy_in(&header.tree)? } else { None };
                Legacy { policy: own.unwrap_or(root.policy), folder, sound: true }
            }
        };
        self.before.insert(id.to_owned(), legacy.clone());
        Ok(legacy)
    }

    fn folder_in(&self, header: &CommitHeader) -> Result<Option<String>, AuthorityError> {
        match &self.terms.source {
            Source::Fixed(_) => Ok(None),
            Source::Tree { path, .. } => Ok(self.repository.entry_at(&header.tree, folder_of(path))?),
        }
    }

    fn policy_in(&mut self, tree: &str) -> Result<Option<Arc<Policy>>, AuthorityError> {
        let Source::Tree { path, .. } = &self.terms.source else { return Ok(None) };
        let path = path.clone();
        let Some(blob) = self.repository.entry_at(tree, &path)? else { return Ok(None) };
        if let Some(policy) = self.parsed.get(&blob) {
            return Ok(policy.clone());
        }
        let bytes = self.repository.blob_at(tree, &path)?.map(|(_, bytes)| bytes).unwrap_or_default();
        let policy =
            Policy::parse(&bytes).map_err(|cause| AuthorityError::Policy { commit: tree.to_owned(), path, cause })?;
        let policy = Some(Arc::new(policy));
        self.parsed.insert(blob, policy.clone());
        Ok(policy)
    }

    /// What a commit changes: against its parent, or, of a merge, what merging did not make by itself.
    fn paths(&self, header: &CommitHeader) -> Result<Vec<String>, AuthorityError> {
        let changed = match header.parents.as_slice() {
            [] => self.repository.changed_paths(None, &header.tree, MAX_PATHS)?,
            [parent] => {
                let before = header_of(self.repository, parent)?.tree;
                self.repository.changed_paths(Some(&before), &header.tree, MAX_PATHS)?
            }
            parents => self.recomputer()?.hand_made(parents, &header.tree)?,
        };
        Ok(changed)
    }

    fn is_reproduced(&self, id: &str) -> Result<bool, AuthorityError> {
        let raw = self.repository.raw_object_by_id(id)?.bytes;
        let passed = |commit: &str| self.is_sound(commit) || self.before.contains_key(commit);
        let on_target = |commit: &str| self.line.contains(commit);
        match self.recomputer()?.recompute(&raw, recompute::Known { passed: &passed, on_target: &on_target }) {
            Ok(_) => Ok(true),
            Err(NotReproduced::Merge(error @ (MergeError::Git(_) | MergeError::TooOld))) => Err(error.into()),
            Err(_) => Ok(false),
        }
    }

    fn recomputer(&self) -> Result<&Recomputer<'a>, AuthorityError> {
        if let Some(recomputer) = self.recomputer.get() {
            return Ok(recomputer);
        }
        let made = (self.terms.recompute)()?;
        Ok(self.recomputer.get_or_init(|| made))
    }

    /// Tell which commits are on the first-parent line of what is judged.
    pub fn add_to_line(&mut self, commits: impl IntoIterator<Item = String>) {
        self.line.extend(commits);
    }

    /// Whether any policy that is known by now has a forge, so that its commits must be made again.
    #[must_use]
    pub fn knows_a_forge(&self) -> bool {
        let known = [self.first(), self.current(), self.tip.as_ref()];
        known.into_iter().flatten().any(|policy| policy.principals.values().any(|principal| principal.is_forge))
    }
}

/// No commit changes more paths than this and is still looked at path by path; more is refused.
const MAX_PATHS: usize = 100_000;

/// What is proven about who stands behind a commit: its own signature, or the push that brought it.
fn proof<'b>(finding: &'b Finding, rule: &Rule, pushed: Option<Proof<'b>>) -> Result<Proof<'b>, Refusal> {
    match (&finding.refusal, proof_of(finding), pushed) {
        (None, Some(proof), _) => Ok(proof),
        (Some(refusal), _, Some(push)) if rule.covered_by_push && refusal.reason == Reason::NoSignature => Ok(push),
        (Some(refusal), ..) => Err(refusal.clone()),
        (None, None, _) => Err(Refusal::new(Reason::NoSignature, "there is no signature")),
    }
}

/// What is proven about who signed; `None` when nothing is.
#[must_use]
pub fn proof_of(finding: &Finding) -> Option<Proof<'_>> {
    if finding.refusal.is_some() {
        return None;
    }
    let time = finding.signed_at.filter(|at| at.clock != Clock::Signer).map(|at| at.time);
    let by = match (&finding.signer, &finding.foreign) {
        (Some(signer), _) => match &signer.root {
            None => SignedBy::Keyless { identity: &signer.identity, claims: signer.certificate.claims() },
            Some(root) => SignedBy::X509 { root, subject: &signer.identity.subject },
        },
        (None, Some(ForeignSigner::Ssh(key))) => SignedBy::Ssh(key),
        (None, Some(ForeignSigner::Pgp(fingerprint))) => SignedBy::Pgp(fingerprint),
        (None, None) => return None,
    };
    Some(Proof { by, time, logged: !finding.logged.is_empty(), stamped: !finding.stamps.is_empty() })
}

/// The newest of the policies that the parents leave; of several as new the first parent's.
fn newest(parents: &[Legacy]) -> Option<&Legacy> {
    parents.iter().rev().max_by_key(|parent| parent.policy.version)
}

/// The folder that the policy lies in, changes of which are changes of the policy; the file itself at the top.
fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(folder, _)| folder)
}

fn place(policy: &Policy, rule: &Rule) -> RuleRef {
    RuleRef { name: rule.name.clone(), line: rule.line, version: policy.version }
}
