//! The commits that a ref of a push brings, judged.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::sync::Arc;

use super::standing::{Standing, for_rule};
use super::{PushError, RefFinding, Side, TAGS};
use crate::audit::Finding;
use crate::audit::authority::{Authority, Terms};
use crate::audit::history::History;
use crate::audit::range::judge_all;
use crate::audit::receipts::{Grounds, Receipts};
use crate::audit::trust_root::Source;
use crate::format::ref_update::{RefUpdate, is_zero};
use crate::policy::rules::Evidence;
use crate::policy::{Decision, Denial, Policy};
use crate::repo::Selection;
use crate::verify::{Reason, Verdict};

impl Standing<'_, '_> {
    /// Judge the commits that lead up to `tip` and are new to the ref.
    pub(super) fn history(&mut self, update: &RefUpdate, tip: &str, found: &mut RefFinding) -> Result<(), PushError> {
        match self.gate.source.clone() {
            None => self.by_identity(update, tip, found),
            Some(source) => self.by_policy(source, update, tip, found),
        }
    }

    /// Every new commit must be by somebody expected.
    fn by_identity(&mut self, update: &RefUpdate, tip: &str, found: &mut RefFinding) -> Result<(), PushError> {
        let hidden = self.settled(update);
        let selection = Selection { tips: vec![tip.to_owned()], hidden, ..Selection::default() };
        let ids = self.gate.repository.walk(&selection, &mut |_| false)?;
        judge_all(self.gate.repository, &self.gate.judge, &ids, &mut |judged| {
            take(judged.finding, found);
            Ok(())
        })
    }

    /// What need not be judged again: what the ref has, and what refs have whose rule is at least as strong. A tag may
    /// stand on whatever is on a protected branch.
    fn settled(&self, update: &RefUpdate) -> Vec<String> {
        let mut hidden = if update.reference.starts_with(TAGS) {
            self.other_tips(&update.reference, |name| !name.starts_with(TAGS))
        } else {
            self.tips_as_strong(&update.reference)
        };
        if !is_zero(&update.old) {
            hidden.push(update.old.clone());
        }
        if self.gate.side == Side::Client {
            // What the other side has need not be here, and then hides nothing that is.
            hidden.retain(|id| self.gate.repository.raw_object_by_id(id).is_ok());
        }
        hidden
    }

    /// Every commit must be allowed by the policy in force for it.
    fn by_policy(
        &mut self,
        source: Source,
        update: &RefUpdate,
        tip: &str,
        found: &mut RefFinding,
    ) -> Result<(), PushError> {
        let Some((policy, rule)) = self.rule(&update.reference) else { return Ok(()) };
        let (policy, rule) = (policy.clone(), rule.clone());
        self.ask_certificate(update, found);
        let new = self.new_commits(update, tip)?;
        if update.reference.starts_with(TAGS) && new.is_empty() {
            return Ok(());
        }
        let own = match &source {
            Source::Tree { path, .. } => self.policy_in(tip, path)?,
            Source::Fixed(_) => None,
        };
        let grounds = self.grounds_for(&policy, &rule, own.as_ref());
        let keys = self.keys(own.as_ref());
        let judge = self.judge(&keys);
        let mut good = Vec::new();
        {
            let receipts: &Receipts = self.receipts;
            // A tag may stand on what a protected branch has, whatever its own rule says of commits.
            let is_tag = update.reference.starts_with(TAGS);
            let known = |id: &str| is_known(receipts, &grounds, id) || (is_tag && !new.contains(id));
            let is_new = |id: &str| new.contains(id);
            let recompute = || (self.gate.recompute)();
            let wants_pusher = rule.covered_by_push || rule.require.contains(&Evidence::PushCertificate);
            let before = OnceCell::new();
            let pushed = |id: &str| match wants_pusher {
                true if new.contains(id) => self.pusher.proof().ok(),
                true => before.get_or_init(|| self.certified(&judge, &update.reference)).proof(id),
                false => None,
            };
            let terms = Terms {
                source: source.clone(),
                reference: update.reference.clone(),
                current: Some(policy.clone()),
                is_new: &is_new,
                pushed: &pushed,
                known: &known,
                recompute: &recompute,
                now: self.gate.now,
            };
            let mut history =
                History::new(self.gate.repository, &judge, terms, tip, self.settled(update), self.gate.heads.clone())?;
            let mut tip_was_judged = false;
            history.advance(tip, &mut |finding: Finding| {
                let id = finding.object.clone().unwrap_or_default();
                tip_was_judged |= id == tip;
                if matches!(finding.decision, Some(Decision::Allowed(_))) {
                    good.push(id);
                }
                take(finding, found);
                Ok::<(), PushError>(())
            })?;
            let authority = history.authority();
            good.retain(|id| authority.is_sound(id));
            if matches!(source, Source::Tree { .. }) {
                self.check_tip(authority, update, tip_was_judged, tip, found)?;
            }
        }
        if matches!(source, Source::Tree { .. }) {
            let for_rule = self.grounds(&for_rule(&rule), &policy, own.as_ref());
            good.iter().for_each(|id| self.receipts.add(for_rule.receipt(id)));
            if found.verdict() == Verdict::Good
                && let Some(own) = &own
            {
                let for_ref = self.grounds(&update.reference, own, Some(own));
                self.receipts.add(for_ref.receipt(tip));
            }
        }
        Ok(())
    }

    /// What the tip itself must be: claimed, and on the policy's branch the bearer of the policy in force.
    fn check_tip(
        &self,
        authority: &mut Authority<'_>,
        update: &RefUpdate,
        was_judged: bool,
        tip: &str,
        found: &mut RefFinding,
    ) -> Result<(), PushError> {
        let Some((policy, rule)) = self.rule(&update.reference) else { return Ok(()) };
        let deny = |reason, found: String, mend: &str| Denial {
            reason,
            found,
            rule: Some(super::place(policy, rule)),
            who_may: Vec::new(),
            mend: mend.to_owned(),
        };
        let is_beginning = self.is_root(tip) || rule.since.as_deref() == Some(tip);
        if !was_judged && !is_beginning && !authority.is_sound(tip) {
            let what = "the new tip lies before the trust root, where nothing is claimed of anybody".to_owned();
            found.deny(deny(Reason::ParentNotAuthenticated, what, "push a commit that comes after the trust root"));
        }
        let is_policys = self.gate.policy_ref.as_deref() == Some(&update.reference);
        if is_policys
            && found.refused.is_empty()
            && let Some(fault) = authority.tip_fault(tip)?
        {
            let mend = "commit a policy by somebody with the right 'policy', with a higher version";
            found.deny(deny(fault.reason, fault.detail, mend));
        }
        Ok(())
    }

    /// The commits that neither the ref, nor the policy's branch, nor any ref with a rule as strong has.
    fn new_commits(&self, update: &RefUpdate, tip: &str) -> Result<HashSet<String>, PushError> {
        let mut hidden = self.settled(update);
        hidden.extend(self.policy_tip.clone());
        let selection = Selection { tips: vec![tip.to_owned()], hidden, ..Selection::default() };
        Ok(self.gate.repository.walk(&selection, &mut |_| false)?.into_iter().collect())
    }

    /// The policy that the history of the policy's branch leads to.
    pub(super) fn judged_policy(
        &mut self,
        source: &Source,
        branch: &str,
        tip: &str,
        grounds: Option<Grounds>,
    ) -> Result<Arc<Policy>, PushError> {
        let own = match source {
            Source::Tree { path, .. } => self.policy_in(tip, path)?,
            Source::Fixed(_) => None,
        };
        let keys = self.keys(own.as_ref());
        let judge = self.judge(&keys);
        let (policy, is_sound) = {
            let receipts: &Receipts = self.receipts;
            let known = |id: &str| is_known(receipts, grounds.as_slice(), id);
            let recompute = || (self.gate.recompute)();
            let before = OnceCell::new();
            let pushed = |id: &str| before.get_or_init(|| self.certified(&judge, branch)).proof(id);
            let terms = Terms {
                source: source.clone(),
                reference: branch.to_owned(),
                current: None,
                is_new: &|_| false,
                pushed: &pushed,
                known: &known,
                recompute: &recompute,
                now: self.gate.now,
            };
            let mut history =
                History::new(self.gate.repository, &judge, terms, tip, Vec::new(), self.gate.heads.clone())?;
            // What is bad there is told when somebody pushes to it.
            history.advance(tip, &mut |_| Ok::<(), PushError>(()))?;
            history.authority().after(tip)?
        };
        if let Some(grounds) = grounds.filter(|_| is_sound) {
            self.receipts.add(grounds.receipt(tip));
        }
        Ok(policy)
    }
}

fn is_known(receipts: &Receipts, grounds: &[Grounds], id: &str) -> bool {
    grounds.iter().any(|grounds| receipts.holds(&grounds.receipt(id)))
}

/// Count a finding, and keep it if it is a no.
fn take(finding: Finding, found: &mut RefFinding) {
    found.judged += 1;
    let is_refused = match &finding.decision {
        Some(Decision::Denied(_)) => true,
        Some(Decision::Allowed(_) | Decision::Excepted { .. } | Decision::NotProtected) => false,
        None => finding.refusal.is_some(),
    };
    if is_refused {
        found.refuse(finding);
    }
}
