//! Who may make, force back and delete a ref: somebody who has signed the push, or, where the policy says so, anyone.

use super::standing::Standing;
use super::{PushError, RefFinding, Side};
use crate::audit::Finding;
use crate::audit::authority::proof_of;
use crate::audit::history::is_on_line;
use crate::format::ref_update::RefUpdate;
use crate::policy::Denial;
use crate::policy::decide;
use crate::policy::file::ANYONE;
use crate::policy::rules::{Evidence, Judged, Right};
use crate::repo::Selection;
use crate::verify::Reason;

impl Standing<'_, '_> {
    /// Ask for a right that whoever pushes must have; `signer` has signed just what the ref is to hold, under its name.
    pub(super) fn ask_right(&self, update: &RefUpdate, right: Right, signer: Option<&Finding>, found: &mut RefFinding) {
        if let Some(denial) = self.denied_right(update, right, signer) {
            found.deny(denial);
        }
    }

    fn denied_right(&self, update: &RefUpdate, right: Right, signer: Option<&Finding>) -> Option<Denial> {
        // Expected identities say who may sign, and nothing about refs: git's own receive.deny* keys do.
        let (policy, rule) = self.rule(&update.reference).filter(|_| self.gate.side == Side::Server)?;
        let list = rule.rights.get(&right);
        if list.is_some_and(|list| list.contains(ANYONE)) {
            return None;
        }
        if let Some(proof) = signer.and_then(proof_of)
            && decide::act(policy, rule, right, &proof).is_ok()
        {
            return None;
        }
        let what = match right {
            Right::Create => "make this ref",
            Right::Delete => "delete this ref",
            _ => "move this ref back or aside",
        };
        let holders = decide::holders(policy, rule, right);
        let denial = |reason, found: String| Denial {
            reason,
            found,
            rule: Some(super::place(policy, rule)),
            who_may: holders.clone(),
            mend: if holders.is_empty() {
                format!("somebody with the right 'policy' gives {:?} a list {:?}", rule.name, right.name())
            } else {
                format!("git push --signed=if-asked by one who may {what}")
            },
        };
        if list.is_none_or(|list| list.is_empty()) {
            return Some(denial(Reason::RefUpdateDenied, format!("the policy lets nobody {what}")));
        }
        match self.pusher.proof() {
            Ok(proof) => decide::act(policy, rule, right, &proof).err(),
            Err(refusal) => Some(denial(refusal.reason, format!("to {what} is not for anyone; {}", refusal.detail))),
        }
    }

    /// A push certificate that the rule demands.
    pub(super) fn ask_certificate(&self, update: &RefUpdate, found: &mut RefFinding) {
        let Some((policy, rule)) = self.rule(&update.reference) else { return };
        if self.gate.side == Side::Client || !rule.require.contains(&Evidence::PushCertificate) {
            return;
        }
        match self.pusher.proof() {
            Ok(proof) => {
                if let Err(denial) = decide::act(policy, rule, Right::Push, &proof) {
                    found.deny(denial);
                }
            }
            Err(refusal) => found.deny(Denial {
                reason: refusal.reason,
                found: format!("the rule demands a push certificate; {}", refusal.detail),
                rule: Some(super::place(policy, rule)),
                who_may: decide::holders(policy, rule, Right::Push),
                mend: "git push --signed=if-asked".to_owned(),
            }),
        }
    }

    /// What the ref loses: commits that its old tip reaches and its new one does not. The first few, and how many.
    pub(super) fn lost(&self, old: &str, new: &str) -> Result<(Vec<String>, usize), PushError> {
        let lost = Selection { tips: vec![old.to_owned()], hidden: vec![new.to_owned()], ..Selection::default() };
        let lost = self.gate.repository.walk(&lost, &mut |_| false)?;
        // Youngest first: what people know.
        let first = lost.iter().rev().take(super::MAX_LOST).cloned().collect();
        Ok((first, lost.len()))
    }

    /// Where the first-parent line counts, the old tip must be on it: a merge the other way round makes somebody else's
    /// line the branch's.
    pub(super) fn broken_line(&self, update: &RefUpdate, commit: &str) -> Result<Option<Denial>, PushError> {
        let Some((policy, rule)) = self.rule(&update.reference) else { return Ok(None) };
        if rule.judged == Judged::All || is_on_line(self.gate.repository, commit, &update.old)? {
            return Ok(None);
        }
        Ok(Some(Denial {
            reason: Reason::LineBroken,
            found: format!("the first-parent line of the new tip does not lead to {}", update.old),
            rule: Some(super::place(policy, rule)),
            who_may: Vec::new(),
            mend: "git checkout the branch as it is on the server, and git merge the other line into it".to_owned(),
        }))
    }
}
