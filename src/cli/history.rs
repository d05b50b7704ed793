//! Judging a history for a command: the policy that flags and settings name, the keys that it lists, receipts.

use std::sync::Arc;

use super::error::CliError;
use super::judgement::Bench;
use super::world::World;
use crate::audit::recompute::{Head, Recomputer};
use crate::audit::{Authority, Finding, History, HistoryError, Judged, Keys, Source, Terms, trust_root};
use crate::format::git::{ObjectError, ObjectKind, commit_header, tag_header};
use crate::policy::Policy;
use crate::repo::merge::{MergeError, Merger};
use crate::repo::{RepoError, Repository};

/// Where forges keep what was asked to be merged.
const ASKED_TO_BE_MERGED: [&str; 2] = ["refs/pull/", "refs/merge-requests/"];
/// No more of them are looked at: the newest, by their numbers.
const MAX_HEADS: usize = 100;

/// A question about a history.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Where policies come from.
    pub source: &'a Source,
    /// For which ref, by its full name.
    pub reference: &'a str,
    /// What stands already: what comes after it on an older policy must pass the one there as well.
    pub bases: &'a [String],
    /// Up to where.
    pub tips: &'a [String],
}

/// Judge a history, parents first. With a trust root the findings begin there, however near the bases are.
///
/// # Errors
/// There is no authority to begin with, an object cannot be read, or `on` has had enough.
pub fn judge(
    world: &World,
    bench: &Bench,
    question: Question<'_>,
    on: &mut dyn FnMut(Finding) -> Result<(), CliError>,
) -> Result<(), CliError> {
    judge_and_ask(world, bench, question, on, &mut |_| Ok(()))
}

/// [`judge`], and at the end `ask` what the decisions stood on.
///
/// # Errors
/// As for [`judge`], or what `ask` says.
pub fn judge_and_ask(
    world: &World,
    bench: &Bench,
    question: Question<'_>,
    on: &mut dyn FnMut(Finding) -> Result<(), CliError>,
    ask: &mut dyn FnMut(&mut Authority<'_>) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let Question { source, reference, bases, tips } = question;
    let repository = world.repository()?;
    let keys = keys_of(&trust_root::policies(repository, source, bases.iter().chain(tips))?, world, bench);
    let judge = keys.judge(bench.judge(world));
    let recompute = || recomputer(repository);
    for tip in tips {
        let terms = Terms {
            source: source.clone(),
            reference: reference.to_owned(),
            current: None,
            is_new: &|_| true,
            pushed: &|_| None,
            known: &|_| false,
            recompute: &recompute,
            now: world.now,
        };
        let heads = heads(repository)?.into_iter().map(|head| head.id).collect();
        let mut history = History::new(repository, &judge, terms, tip, bases.to_vec(), heads)?;
        for base in bases {
            history.begin_at(base, on)?;
        }
        history.advance(tip, on)?;
        ask(history.authority())?;
    }
    Ok(())
}

/// Give a finding about a signature that git handed over its decision, for the branch that the repository goes by.
///
/// # Errors
/// As for [`judge`].
pub fn decide_one(
    world: &World,
    bench: &Bench,
    source: &Source,
    finding: Finding,
    payload: &[u8],
) -> Result<Finding, CliError> {
    let (Some(id), Some(kind)) = (finding.object.clone(), finding.kind) else { return Ok(finding) };
    let repository = world.repository()?;
    let malformed = |error: ObjectError| {
        CliError::Authority(RepoError::Malformed { id: id.clone(), cause: error.to_string() }.into())
    };
    let (before, header) = match kind {
        ObjectKind::Commit => {
            let header = commit_header(payload).map_err(malformed)?;
            (header.parents.clone(), Some(header))
        }
        ObjectKind::Tag => (vec![tag_header(payload).map_err(malformed)?.target], None),
    };
    let reference = super::authority::policy_reference(world)?;
    let policies = trust_root::policies(repository, source, &before)?;
    let keys = keys_of(&policies, world, bench);
    let judge = keys.judge(bench.judge(world));
    let recompute = || recomputer(repository);
    let terms = Terms {
        source: source.clone(),
        reference,
        current: None,
        is_new: &|_| true,
        pushed: &|_| None,
        known: &|_| false,
        recompute: &recompute,
        now: world.now,
    };
    let root = match source {
        Source::Tree { root, .. } => Some(root.commit.clone()),
        Source::Fixed(_) => None,
    };
    let Some(tip) = before.first().cloned().or(root) else { return Ok(finding) };
    let mut history = History::new(repository, &judge, terms, &tip, Vec::new(), Vec::new())?;
    if matches!(source, Source::Tree { .. }) {
        for commit in &before {
            history.advance(commit, &mut |_| Ok::<(), CliError>(()))?;
        }
    }
    let authority = history.authority();
    Ok(match (header, &before[..]) {
        (None, [target]) => {
            let name = tag_header(payload).map_err(malformed)?.name;
            authority.decide_tag(finding, &name, target)?
        }
        (header, _) => authority.decide_alone(Judged { id, finding, header, raw_len: payload.len() })?,
    })
}

/// The keys that `policies` list.
fn keys_of(policies: &[Arc<Policy>], world: &World, bench: &Bench) -> Keys {
    let keyring = world.settings.policy.pgp_keyring.clone();
    Keys::of(policies.iter().map(|policy| &**policy), bench.smime_authorities(), keyring)
}

/// What makes a forge's commits again.
///
/// # Errors
/// There is no place for temporary files.
pub fn recomputer(repository: &Repository) -> Result<Recomputer<'_>, MergeError> {
    let merger = Merger::new(repository, &|name| std::env::var_os(name))?;
    let heads = heads(repository).map_err(|error| MergeError::Failed(error.to_string()))?;
    Ok(Recomputer::new(repository, merger, heads))
}

/// What a forge may have squashed or rebased: the newest of what was asked to be merged.
///
/// # Errors
/// The references cannot be read.
pub fn heads(repository: &Repository) -> Result<Vec<Head>, RepoError> {
    let mut found = Vec::new();
    for prefix in ASKED_TO_BE_MERGED {
        for (name, id) in repository.references(prefix)? {
            let number = name[prefix.len()..].strip_suffix("/head").and_then(|number| number.parse::<u64>().ok());
            found.extend(number.map(|number| (number, Head { name, id })));
        }
    }
    found.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    Ok(found.into_iter().take(MAX_HEADS).map(|(_, head)| head).collect())
}

impl From<HistoryError<CliError>> for CliError {
    fn from(error: HistoryError<CliError>) -> Self {
        match error {
            HistoryError::Authority(error) => error.into(),
            HistoryError::Repo(error) => error.into(),
            HistoryError::Taker(error) => error,
        }
    }
}
