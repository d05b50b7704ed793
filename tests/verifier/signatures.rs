//! The signature itself and what it is over: messages and envelopes.

use gitseal::crypto::{EphemeralKey, HashAlgorithm, KeyKind, Keypair as _, ServiceKey};
use gitseal::entity::{Artifact, SignatureContent, SignerKey};
use gitseal::format::log_entry::{self, EntryKind};

use super::instance::{
    ARTIFACT, EnvelopeLog, Instance, STATEMENT, attestation, envelope, good_v1, good_v2, managed, message_v1_by, now,
};
use super::{LOGS, each_log, is_good, is_refused, leaf, signature};

#[test]
fn good_is_good_in_every_way_to_log_it() {
    let instance = Instance::new();
    for how in LOGS {
        let key = EphemeralKey::generate();
        is_good(&instance.trusted, &attestation(&instance, &key, envelope(&key, STATEMENT, ARTIFACT), how));
    }
    is_good(&instance.trusted, &managed(&instance, &EphemeralKey::generate()));
    for (_, mut entity) in [good_v1(&instance), good_v2(&instance)] {
        entity.artifact = Artifact::Digest(HashAlgorithm::Sha256.digest(ARTIFACT));
        is_good(&instance.trusted, &entity);
    }
}

#[test]
fn keys_of_other_kinds_sign_with_their_own_hashes() {
    let instance = Instance::new();
    for kind in [KeyKind::EcdsaP256, KeyKind::EcdsaP384, KeyKind::Ed25519] {
        let key = ServiceKey::generate(kind).unwrap();
        let mut entity = message_v1_by(&instance, instance.leaf(key.public_key()), &key, now());
        is_good(&instance.trusted, &entity);
        // By digest it works as long as the digest is the one that was signed; Ed25519 signs none.
        for hash in [HashAlgorithm::Sha256, HashAlgorithm::Sha384] {
            entity.artifact = Artifact::Digest(hash.digest(ARTIFACT));
            let logged_by = HashAlgorithm::Sha256;
            let code = match (hash == logged_by, kind) {
                (true, KeyKind::EcdsaP256) => None,
                (true, _) => Some("signature-invalid"),
                (false, _) => Some("log-entry-mismatch"),
            };
            assert_eq!(super::judge(&instance.trusted, &entity).err(), code, "{kind:?} {hash:?}");
        }
    }
}

#[test]
fn a_signature_by_another_key_that_is_logged_as_such() {
    let instance = Instance::new();
    let (key, other) = (EphemeralKey::generate(), EphemeralKey::generate());
    // Logged under the leaf, made by another key: a log does not check what it logs for us.
    let entity = message_v1_by(&instance, instance.leaf(key.public_key()), &other, now());
    is_refused(&instance.trusted, &entity, "signature-invalid");
}

#[test]
fn a_bare_key_that_is_another() {
    let instance = Instance::new();
    let mut entity = managed(&instance, &EphemeralKey::generate());
    entity.material.signer = SignerKey::PublicKey(EphemeralKey::generate().public_key().clone());
    is_refused(&instance.trusted, &entity, "log-entry-mismatch");
    let certified = good_v1(&instance).1;
    entity.material.signer = certified.material.signer;
    is_refused(&instance.trusted, &entity, "log-entry-mismatch");
}

#[test]
fn an_artifact_that_is_another() {
    each_log(|_, entity| entity.artifact = Artifact::Bytes(b"another".to_vec()), "log-entry-mismatch");
    let another = HashAlgorithm::Sha256.digest(b"another");
    each_log(move |_, entity| entity.artifact = Artifact::Digest(another.clone()), "log-entry-mismatch");
}

#[test]
fn an_envelope_about_another_artifact() {
    let instance = Instance::new();
    for how in LOGS {
        let key = EphemeralKey::generate();
        let entity = attestation(&instance, &key, envelope(&key, STATEMENT, b"another"), how);
        is_refused(&instance.trusted, &entity, "statement-mismatch");
    }
}

#[test]
fn an_envelope_that_holds_no_statement() {
    let instance = Instance::new();
    for how in LOGS {
        let key = EphemeralKey::generate();
        let entity = attestation(&instance, &key, envelope(&key, "text/plain", ARTIFACT), how);
        is_refused(&instance.trusted, &entity, "statement-mismatch");
    }
}

/// The payload is changed, and everything that is not signed or logged with it.
#[test]
fn an_envelope_other_than_the_logged_one() {
    let instance = Instance::new();
    for how in LOGS {
        let key = EphemeralKey::generate();
        let mut entity = attestation(&instance, &key, envelope(&key, STATEMENT, ARTIFACT), how);
        let SignatureContent::Dsse(envelope) = &mut entity.signature else { unreachable!() };
        envelope.payload.push(b' ');
        is_refused(&instance.trusted, &entity, "log-entry-mismatch");
    }
}

/// The type is signed but not logged by every kind of entry.
#[test]
fn an_envelope_with_another_type() {
    let instance = Instance::new();
    for how in LOGS {
        let key = EphemeralKey::generate();
        let mut entity = attestation(&instance, &key, envelope(&key, "text/plain", ARTIFACT), how);
        let SignatureContent::Dsse(envelope) = &mut entity.signature else { unreachable!() };
        envelope.payload_type = STATEMENT.to_owned();
        let code = match how {
            EnvelopeLog::V2HashedRekord => "log-entry-mismatch",
            EnvelopeLog::V1Dsse | EnvelopeLog::V2Dsse => "signature-invalid",
        };
        is_refused(&instance.trusted, &entity, code);
    }
}

/// An entry for an envelope does not stand for a message, nor the other way round.
#[test]
fn an_entry_for_the_other_kind_of_signature() {
    let instance = Instance::new();
    let (key, mut message) = good_v1(&instance);
    let signature = signature(&message);
    let leaf = leaf(&message);
    let digest = HashAlgorithm::Sha256.digest(ARTIFACT);
    let body = log_entry::dsse_v001(&digest, &digest, &signature, &leaf.to_pem());
    message.material.log_entries = vec![instance.log_v1(EntryKind::DsseV001, body, now())];
    is_refused(&instance.trusted, &message, "log-entry-mismatch");

    let enveloped = envelope(&key, STATEMENT, ARTIFACT);
    let payload = HashAlgorithm::Sha256.digest(&enveloped.payload);
    let body = log_entry::hashedrekord_v001(&payload, &enveloped.signature, &leaf.to_pem());
    message.signature = SignatureContent::Dsse(enveloped);
    message.material.log_entries = vec![instance.log_v1(EntryKind::HashedRekordV001, body, now())];
    is_refused(&instance.trusted, &message, "log-entry-mismatch");
}
