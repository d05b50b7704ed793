//! The repository as it stands before a push: the policy that it goes by, and which refs that protects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Gate, HEADS, PushError, Pusher, Side, TAGS};
use crate::audit::receipts::{Grounds, Receipts};
use crate::audit::trust_root::{Source, root_policy};
use crate::audit::{Judge, Keys};
use crate::crypto::sha256;
use crate::format::git::commit_header;
use crate::format::ref_update::RefUpdate;
use crate::policy::rules::{Right, Rule};
use crate::policy::{Policy, RuleRef, decide};

/// The repository before the push, and what the push has proved so far.
pub(super) struct Standing<'g, 'a> {
    pub(super) gate: &'g Gate<'a>,
    pub(super) receipts: &'g mut Receipts,
    /// Who pushes.
    pub(super) pusher: Pusher,
    /// The policy of the repository; `None` where expected identities take its place.
    policy: Option<Arc<Policy>>,
    /// The trust root's policy.
    first: Option<Arc<Policy>>,
    /// The tips of protected refs: before the push, and those that it has brought and that are good.
    tips: BTreeMap<String, String>,
    /// Where the policy's branch is.
    pub(super) policy_tip: Option<String>,
}

impl<'g, 'a> Standing<'g, 'a> {
    pub(super) fn new(
        gate: &'g Gate<'a>,
        updates: &[RefUpdate],
        receipts: &'g mut Receipts,
    ) -> Result<Self, PushError> {
        let mut standing = Standing {
            gate,
            receipts,
            pusher: Pusher::Unknown,
            policy: None,
            first: None,
            tips: BTreeMap::new(),
            policy_tip: None,
        };
        match &gate.source {
            None if gate.judge.expected.is_none() && gate.side == Side::Server => return Err(PushError::NoGround),
            None => {}
            Some(Source::Fixed(policy)) => standing.policy = Some(policy.clone()),
            Some(source @ Source::Tree { root, path }) => {
                let first = Arc::new(root_policy(gate.repository, root, path)?);
                standing.first = Some(first.clone());
                standing.policy = Some(standing.policy_of_branch(first, source)?);
            }
        }
        let keys = standing.keys(None);
        standing.pusher = Pusher::of(&standing.judge(&keys), gate.certificate.as_ref(), updates);
        standing.tips = gate.refs.iter().filter(|(name, _)| standing.is_protected(name)).map(owned).collect();
        Ok(standing)
    }

    /// The policy at the tip of the policy branch; the trust root's as long as there is no such branch.
    fn policy_of_branch(&mut self, first: Arc<Policy>, source: &Source) -> Result<Arc<Policy>, PushError> {
        let Some(branch) = self.gate.policy_ref.clone() else { return Ok(first) };
        let Some(tip) = self.gate.refs.get(&branch).cloned() else { return Ok(first) };
        self.policy_tip = Some(tip.clone());
        let Source::Tree { path, .. } = source else { return Ok(first) };
        // The receipt of the branch's own tip, by the branch's own name: rules have names that a policy gives them.
        let own = self.policy_in(&tip, path)?.map(Arc::new);
        let grounds = own.as_ref().map(|own| self.grounds(&branch, own, Some(own)));
        if let (Some(own), Some(grounds)) = (own, &grounds)
            && self.receipts.holds(&grounds.receipt(&tip))
        {
            return Ok(own);
        }
        self.judged_policy(source, &branch, &tip, grounds)
    }

    /// The keys that the policy of the repository lists, that of the trust root, and that of a new tip. Whose they are, and
    /// whether they count, is decided commit by commit.
    pub(super) fn keys(&self, tip: Option<&Policy>) -> Keys {
        let standing = self.policy.as_deref().into_iter().chain(self.first.as_deref());
        Keys::of(standing.chain(tip), self.gate.judge.smime_authorities, self.gate.pgp_keyring.clone())
    }

    /// The judge of signatures; without a policy it is the one who knows whom to expect.
    pub(super) fn judge<'k>(&self, keys: &'k Keys) -> Judge<'k>
    where
        'a: 'k,
    {
        if self.gate.source.is_some() { keys.judge(self.gate.judge) } else { self.gate.judge }
    }

    /// Whether authority begins with this very commit.
    pub(super) fn is_root(&self, commit: &str) -> bool {
        matches!(&self.gate.source, Some(Source::Tree { root, .. }) if root.commit == commit)
    }

    /// The policy of a commit, if there is one that parses.
    pub(super) fn policy_in(&self, commit: &str, path: &str) -> Result<Option<Policy>, PushError> {
        let object = self.gate.repository.raw_object_by_id(commit)?;
        let Ok(header) = commit_header(&object.bytes) else { return Ok(None) };
        let file = self.gate.repository.blob_at(&header.tree, path)?;
        Ok(file.and_then(|(_, bytes)| Policy::parse(&bytes).ok()))
    }

    /// The policy of the repository.
    pub(super) fn policy(&self) -> Option<&Arc<Policy>> {
        self.policy.as_ref()
    }

    /// Whether anything is asked of a ref.
    pub(super) fn is_protected(&self, reference: &str) -> bool {
        match &self.policy {
            Some(policy) => policy.rule_for(reference).is_some(),
            None => reference.starts_with(HEADS) || reference.starts_with(TAGS),
        }
    }

    /// The rule of a ref, with the policy that has it.
    pub(super) fn rule(&self, reference: &str) -> Option<(&Arc<Policy>, &Rule)> {
        let policy = self.policy.as_ref()?;
        Some((policy, policy.rule_for(reference)?))
    }

    pub(super) fn place_of(&self, reference: &str) -> Option<RuleRef> {
        self.rule(reference).map(|(policy, rule)| super::place(policy, rule))
    }

    /// Who may sign a tag for that ref.
    pub(super) fn taggers(&self, reference: &str) -> Vec<String> {
        match self.rule(reference) {
            Some((policy, rule)) => decide::holders(policy, rule, Right::Tag),
            None => vec!["whoever is expected to sign here".to_owned()],
        }
    }

    /// Whether a tag that nobody signed is worse than none.
    pub(super) fn wants_signed_tags(&self, reference: &str) -> bool {
        match self.rule(reference) {
            Some((_, rule)) => rule.rights.contains_key(&Right::Tag),
            None => true,
        }
    }

    /// The tips, each once, of other protected refs that are `wanted`.
    pub(super) fn other_tips(&self, reference: &str, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let others = self.tips.iter().filter(|(name, _)| name.as_str() != reference && wanted(name));
        others.map(|(_, tip)| tip.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The tips of other refs whose rule is at least as strong: what they hold needs no second look.
    pub(super) fn tips_as_strong(&self, reference: &str) -> Vec<String> {
        let Some((policy, rule)) = self.rule(reference) else { return self.other_tips(reference, |_| true) };
        self.other_tips(reference, |name| policy.rule_for(name).is_some_and(|other| other.implies(rule, policy)))
    }

    /// A ref has been found good.
    pub(super) fn arrived(&mut self, reference: &str, tip: &str) {
        self.tips.insert(reference.to_owned(), tip.to_owned());
    }

    /// What a receipt rests on: for a ref by its full name, for a rule by [`for_rule`].
    ///
    /// Whom the policies have retired or found compromised, and what they except, is part of it: both change the verdict
    /// on commits that have long been judged.
    pub(super) fn grounds(&self, what: &str, current: &Policy, tip: Option<&Policy>) -> Grounds {
        let mut terms = BTreeSet::new();
        for policy in std::iter::once(current).chain(tip) {
            let ended = policy.principals.values().filter(|one| one.retired.is_some() || one.compromised.is_some());
            terms.extend(ended.map(|one| format!("{:?}", (&one.name, &one.keys, one.retired, one.compromised))));
        }
        for exception in tip.into_iter().flat_map(|tip| &tip.exceptions) {
            let counts = exception.expires.is_none_or(|expires| self.gate.now < expires);
            terms.extend(counts.then(|| format!("except {}", exception.commit)));
        }
        let terms: Vec<String> = terms.into_iter().collect();
        let verification = sha256(&[self.gate.judge.digest().as_slice(), terms.join("\n").as_bytes()].concat());
        let root = match &self.gate.source {
            Some(Source::Tree { root, path }) => format!("{root} {path}"),
            _ => String::new(),
        };
        let first = self.first.as_ref().map_or([0; 32], |first| first.digest);
        Grounds::new(&root, &first, what, &verification)
    }

    /// The grounds on which commits are known for a ref: those of its own rule, and of rules at least as strong.
    pub(super) fn grounds_for(&self, policy: &Policy, rule: &Rule, tip: Option<&Policy>) -> Vec<Grounds> {
        let as_strong = policy.rules.iter().filter(|other| other.name != rule.name && other.implies(rule, policy));
        std::iter::once(rule).chain(as_strong).map(|rule| self.grounds(&for_rule(rule), policy, tip)).collect()
    }
}

fn owned((name, id): (&String, &String)) -> (String, String) {
    (name.clone(), id.clone())
}

/// Receipts are for a rule and not for a ref: what one branch has, every branch under the same rule has.
pub(super) fn for_rule(rule: &Rule) -> String {
    format!("rule {:?} {:?}", rule.name, rule.judged)
}
