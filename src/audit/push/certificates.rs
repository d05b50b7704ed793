//! Push certificates of earlier pushes, which the server keeps under `refs/gitseal/push-certificates`: in a commit's tree
//! each lies under the tip that it covers, as `ab/cdef.../CERTIFICATE`.
//!
//! No push may write there, so what is there was fresh when it came. Who signed it is judged again.

use std::collections::{BTreeSet, HashMap};

use super::pusher;
use super::standing::Standing;
use super::{PushError, pusher::parsed};
use crate::audit::authority::proof_of;
use crate::audit::{Finding, Judge};
use crate::format::git::commit_header;
use crate::format::ref_update::{Change, RefUpdate};
use crate::policy::decide::Proof;
use crate::repo::Selection;

/// Where the certificates are kept.
pub const CERTIFICATES: &str = "refs/gitseal/push-certificates";
/// No more entries are read: one for each ref of each signed push.
const MAX_ENTRIES: usize = 200_000;

/// Which commits came by which signed push.
#[derive(Debug, Default)]
pub(super) struct Certified {
    pushes: Vec<Finding>,
    /// The place in the list of the push that brought a commit.
    brought: HashMap<String, usize>,
}

impl Certified {
    /// What is proven about who pushed a commit.
    pub(super) fn proof(&self, commit: &str) -> Option<Proof<'_>> {
        proof_of(self.pushes.get(*self.brought.get(commit)?)?)
    }
}

/// Where an entry for `update` lies in the tree.
#[must_use]
pub fn path_of(update: &RefUpdate, certificate: &str) -> Option<String> {
    let (folder, rest) = update.new.split_at_checked(2)?;
    (update.change() != Change::Delete).then(|| format!("{folder}/{rest}/{certificate}"))
}

impl Standing<'_, '_> {
    /// What earlier signed pushes brought to a ref. What cannot be read proves nothing.
    pub(super) fn certified(&self, judge: &Judge<'_>, reference: &str) -> Certified {
        let mut certified = Certified::default();
        let Some(tip) = self.gate.refs.get(CERTIFICATES) else { return certified };
        let Ok(ids) = self.kept(tip) else { return certified };
        for id in ids {
            let Ok(raw) = self.gate.repository.blob(&id) else { continue };
            let Ok(certificate) = parsed(&raw) else { continue };
            let Some(update) = certificate.updates.iter().find(|update| update.reference == reference) else {
                continue;
            };
            let Ok(brought) = self.brought(update) else { continue };
            let finding = pusher::signed(judge, &certificate);
            if finding.refusal.is_none() {
                let place = certified.pushes.len();
                certified.pushes.push(finding);
                certified.brought.extend(brought.into_iter().map(|id| (id, place)));
            }
        }
        certified
    }

    /// The names of the certificates.
    fn kept(&self, tip: &str) -> Result<BTreeSet<String>, PushError> {
        let repository = self.gate.repository;
        let Ok(header) = commit_header(&repository.raw_object_by_id(tip)?.bytes) else { return Ok(BTreeSet::new()) };
        let paths = repository.changed_paths(None, &header.tree, MAX_ENTRIES)?;
        Ok(paths.iter().filter_map(|path| path.rsplit('/').next()).map(str::to_owned).collect())
    }

    fn brought(&self, update: &RefUpdate) -> Result<Vec<String>, PushError> {
        let mut hidden = Vec::new();
        if update.change() == Change::Move {
            hidden.push(update.old.clone());
        }
        let selection = Selection { tips: vec![update.new.clone()], hidden, ..Selection::default() };
        Ok(self.gate.repository.walk(&selection, &mut |_| false)?)
    }
}
