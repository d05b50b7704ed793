//! The verifier against a Sigstore that can be told to do exactly one thing wrong.
//!
//! The public suite's negatives often fail before the thing that they are named for. Here everything else is in order,
//! and the reason must be the right one. Times have a file of their own, `times`.

mod certificates;
mod instance;
mod log_entry;
mod signatures;
mod stamps;
mod vectors;
mod witnesses;

use gitseal::entity::{SignatureContent, SignedEntity, SignerKey};
use gitseal::format::log_entry::{InclusionProof, LogEntry};
use gitseal::format::x509::Certificate;
use gitseal::trust::TrustedRoot;
use gitseal::verify::{Requirements, Verified, Verifier};

use instance::{EnvelopeLog, Instance, good_v1, good_v2};

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

/// Every way to log an envelope.
const LOGS: [EnvelopeLog; 3] = [EnvelopeLog::V1Dsse, EnvelopeLog::V2Dsse, EnvelopeLog::V2HashedRekord];

fn signature(entity: &SignedEntity) -> Vec<u8> {
    match &entity.signature {
        SignatureContent::Message(signature) => signature.clone(),
        SignatureContent::Dsse(envelope) => envelope.signature.clone(),
    }
}

fn entry(entity: &mut SignedEntity) -> &mut LogEntry {
    &mut entity.material.log_entries[0]
}

fn proof_of(entity: &mut SignedEntity) -> &mut InclusionProof {
    entry(entity).inclusion_proof.as_mut().unwrap()
}

fn leaf(entity: &SignedEntity) -> Certificate {
    match &entity.material.signer {
        SignerKey::Certificate(leaf) => (**leaf).clone(),
        SignerKey::PublicKey(_) => unreachable!(),
    }
}

/// Both logs, with their one wrong thing.
fn each_log(change: impl Fn(&Instance, &mut SignedEntity), code: &str) {
    let instance = Instance::new();
    for (_, mut entity) in [good_v1(&instance), good_v2(&instance)] {
        is_good(&instance.trusted, &entity);
        change(&instance, &mut entity);
        is_refused(&instance.trusted, &entity, code);
    }
}
