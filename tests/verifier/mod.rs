//! The verifier against a Sigstore that can be told to do exactly one thing wrong.
//!
//! The public suite's negatives often fail before the thing that they are named for. Here everything else is in order,
//! and the reason must be the right one. Times have a file of their own, `times`.

mod evidence;
mod instance;
mod vectors;

use gitseal::entity::SignedEntity;
use gitseal::trust::TrustedRoot;
use gitseal::verify::{Requirements, Verified, Verifier};

/// The code of the reason, or what was proven.
fn judge(trusted: &TrustedRoot, entity: &SignedEntity) -> Result<Verified, &'static str> {
    Verifier::new(trusted.clone())
        .verify(entity, Requirements::default(), instance::at(3600))
        .map_err(|unverified| unverified.refusal.reason.code())
}

#[track_caller]
fn is_good(trusted: &TrustedRoot, entity: &SignedEntity) {
    assert_eq!(judge(trusted, entity).err(), None);
}

#[track_caller]
fn is_refused(trusted: &TrustedRoot, entity: &SignedEntity, code: &str) {
    assert_eq!(judge(trusted, entity).err(), Some(code));
}
