//! An annotated tag on its way to a ref under `refs/tags/`: it must be signed by somebody who may, be for that very name,
//! and stand on a commit. git itself checks none of this (threats T5).

use super::standing::Standing;
use super::{PushError, RefFinding, TAGS, denied};
use crate::audit::Finding;
use crate::audit::authority::proof_of;
use crate::format::git::{ObjectKind, tag_header};
use crate::format::ref_update::RefUpdate;
use crate::policy::rules::Right;
use crate::policy::{Decision, Denial, decide};
use crate::repo::{RawObject, RepoError};
use crate::verify::{Reason, Refusal};

impl Standing<'_, '_> {
    /// Judge a tag; the commit that it stands on, and the finding about the tag. `None` when there is no commit to judge.
    pub(super) fn tag(
        &mut self,
        update: &RefUpdate,
        object: &RawObject,
        found: &mut RefFinding,
    ) -> Result<Option<(String, Finding)>, PushError> {
        let name = update.reference.strip_prefix(TAGS);
        let keys = self.keys(None);
        let mut finding = self.judge(&keys).object(object.kind, &object.bytes, name, &[]);
        found.judged += 1;
        finding.object = Some(object.id.clone());
        let target = match tag_header(&object.bytes) {
            Ok(header) => {
                finding.title = Some(header.title.clone());
                header
            }
            Err(error) => {
                finding.refusal = Some(Refusal::new(Reason::ObjectMalformed, error.to_string()));
                found.refuse(finding);
                return Ok(None);
            }
        };
        self.decide_tag(update, &mut finding);
        if finding.refusal.is_some() {
            found.refuse(finding.clone());
        }
        if target.target_kind != "commit" {
            found.refuse(self.nested(
                update,
                object,
                &format!("the tag is of a {}, and of no commit", target.target_kind),
            ));
            return Ok(None);
        }
        // What the tag says of its target is its maker's word.
        match self.gate.repository.raw_object_by_id(&target.target) {
            Ok(commit) if commit.kind == ObjectKind::Commit => {}
            Ok(_) | Err(RepoError::Kind { .. }) => {
                found.refuse(self.nested(update, object, "the tag calls its target a commit, and it is none"));
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(Some((target.target, finding)))
    }

    fn decide_tag(&self, update: &RefUpdate, finding: &mut Finding) {
        let Some((policy, rule)) = self.rule(&update.reference) else { return };
        let denial = match (&finding.refusal, proof_of(finding)) {
            (None, Some(proof)) => match decide::act(policy, rule, Right::Tag, &proof) {
                Ok(allowed) => {
                    finding.decision = Some(Decision::Allowed(allowed));
                    return;
                }
                Err(denial) => denial,
            },
            (Some(refusal), _) => Denial {
                reason: refusal.reason,
                found: refusal.detail.clone(),
                rule: Some(super::place(policy, rule)),
                who_may: decide::holders(policy, rule, Right::Tag),
                mend: mend(update),
            },
            (None, None) => return,
        };
        let Denial { reason, found, .. } = &denial;
        finding.refusal = Some(Refusal::new(*reason, found.clone()));
        finding.decision = Some(Decision::Denied(Denial { mend: mend(update), ..denial }));
    }

    fn nested(&self, update: &RefUpdate, object: &RawObject, found: &str) -> Finding {
        let denial = Denial {
            reason: Reason::TagTarget,
            found: found.to_owned(),
            rule: self.place_of(&update.reference),
            who_may: Vec::new(),
            mend: mend(update),
        };
        denied(Some(object.id.clone()), Some(object.kind), denial)
    }
}

fn mend(update: &RefUpdate) -> String {
    let name = update.reference.strip_prefix(TAGS).unwrap_or_default();
    format!("git tag -d {name}, then git tag -s {name} COMMIT by one who may")
}
