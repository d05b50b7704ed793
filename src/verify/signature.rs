//! Step 6: the signature itself, over the artifact or over a statement about it.
//!
//! The scheme follows from the key and from nothing that travels with the signature, so that nobody can choose a
//! weaker one. A digest that a bundle brings along is a hint and is never what is checked.

use super::reason::{Reason, Refusal};
use crate::crypto::{Digest, HashAlgorithm, KeyKind, PublicKey, SignatureInvalid, SignatureScheme};
use crate::entity::{Artifact, SignatureContent, SignedEntity};
use crate::format::dsse::Envelope;
use crate::format::intoto::{PAYLOAD_TYPE, Statement};

/// Check that `key` signed the artifact of `entity`.
pub(super) fn check(entity: &SignedEntity, key: &PublicKey) -> Result<(), Refusal> {
    match &entity.signature {
        SignatureContent::Message(signature) => check_message(&entity.artifact, signature, key),
        SignatureContent::Dsse(envelope) => check_envelope(&entity.artifact, envelope, key),
    }
}

fn check_message(artifact: &Artifact, signature: &[u8], key: &PublicKey) -> Result<(), Refusal> {
    let verifies = |scheme: &SignatureScheme| match artifact {
        Artifact::Bytes(message) => key.verify(*scheme, message, signature).is_ok(),
        Artifact::Digest(digest) => key.verify_digest(*scheme, digest, signature).is_ok(),
    };
    if schemes_of(key.kind()).iter().any(verifies) { Ok(()) } else { Err(invalid()) }
}

fn check_envelope(artifact: &Artifact, envelope: &Envelope, key: &PublicKey) -> Result<(), Refusal> {
    let pae = envelope.pae();
    if !schemes_of(key.kind()).iter().any(|scheme| key.verify(*scheme, &pae, &envelope.signature).is_ok()) {
        return Err(invalid());
    }
    let mismatch = |detail: String| Refusal::new(Reason::StatementMismatch, detail);
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(mismatch(format!("the envelope holds {:?}, not an in-toto statement", envelope.payload_type)));
    }
    let statement = Statement::from_json(&envelope.payload).map_err(|error| mismatch(error.to_string()))?;
    let digests: Vec<Digest> = [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512]
        .into_iter()
        .filter_map(|algorithm| artifact.digest(algorithm))
        .collect();
    if digests.iter().any(|digest| statement.names(digest)) {
        Ok(())
    } else {
        Err(mismatch("the statement is about other artifacts".to_owned()))
    }
}

fn invalid() -> Refusal {
    Refusal::new(Reason::SignatureInvalid, SignatureInvalid.to_string())
}

/// How a key of `kind` signs an artifact. sigstore-python signed with P-384 keys and SHA-256 until 2023, and so are
/// most releases of CPython; the two hashes have no common output, so there is nothing to confuse.
fn schemes_of(kind: KeyKind) -> &'static [SignatureScheme] {
    match kind {
        KeyKind::EcdsaP256 => &[SignatureScheme::EcdsaSha256],
        KeyKind::EcdsaP384 => &[SignatureScheme::EcdsaSha384, SignatureScheme::EcdsaSha256],
        KeyKind::EcdsaP521 => &[SignatureScheme::EcdsaSha512, SignatureScheme::EcdsaSha256],
        KeyKind::Ed25519 => &[SignatureScheme::Ed25519],
        KeyKind::Rsa => &[SignatureScheme::RsaPkcs1Sha256],
    }
}
