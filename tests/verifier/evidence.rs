//! Certificates, log entries, stamps and signatures, each wrong in one way.

use gitseal::crypto::{EphemeralKey, HashAlgorithm, KeyKind, Keypair as _, ServiceKey};
use gitseal::entity::{Artifact, SignatureContent, SignedEntity, SignerKey};
use gitseal::format::checkpoint;
use gitseal::format::log_entry::{self, EntryKind, InclusionProof, LogEntry, LoggedKey};
use gitseal::format::timestamp_token;
use gitseal::format::x509::Certificate;

use super::instance::{
    ARTIFACT, EnvelopeLog, Instance, P256_DETAILS, STATEMENT, V1_NAME, V2_NAME, at, attestation, envelope, good_v1,
    good_v2, info, log_key, managed, message_v1_by, now, proof, wide, window,
};
use super::{is_good, is_refused};

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

// The log entry.

#[test]
fn the_same_entry_twice() {
    each_log(
        |_, entity| entity.material.log_entries = vec![entity.material.log_entries[0].clone(); 2],
        "log-entry-duplicate",
    );
}

#[test]
fn an_entry_in_each_log_is_good_and_both_must_hold() {
    let instance = Instance::new();
    let (key, v1) = good_v1(&instance);
    let mut both = v1.clone();
    let logged = LoggedKey::Certificate(leaf(&v1).der().to_vec());
    let digest = HashAlgorithm::Sha256.digest(ARTIFACT);
    let body = log_entry::hashedrekord_v002(&digest, &signature(&v1), &logged, P256_DETAILS);
    both.material.log_entries.push(instance.log_v2(EntryKind::HashedRekordV002, body));
    is_good(&instance.trusted, &both);
    let other = message_v1_by(&instance, leaf(&v1), &key, now());
    both.material.log_entries[1] = LogEntry { log_index: 7, ..other.material.log_entries[0].clone() };
    is_refused(&instance.trusted, &both, "inclusion-promise-invalid");
}

#[test]
fn an_entry_of_a_log_that_nobody_trusts() {
    each_log(|_, entity| entry(entity).log_id[0] ^= 1, "log-not-trusted");
}

#[test]
fn an_entry_that_says_it_is_of_another_kind() {
    let instance = Instance::new();
    let (_, mut v1) = good_v1(&instance);
    entry(&mut v1).kind = EntryKind::DsseV001;
    is_refused(&instance.trusted, &v1, "log-entry-malformed");
    let (_, mut v2) = good_v2(&instance);
    entry(&mut v2).kind = EntryKind::DsseV002;
    is_refused(&instance.trusted, &v2, "log-entry-malformed");
}

/// Everything about the entry is in order, except that it is another signature's (CVE-2026-22703).
#[test]
fn a_spliced_entry() {
    each_log(
        |instance, entity| {
            let (_, other) = if entry(entity).kind.is_rekor_v2() { good_v2(instance) } else { good_v1(instance) };
            entity.material.log_entries = other.material.log_entries;
        },
        "log-entry-mismatch",
    );
}

/// The same key signs the same artifact again: ECDSA gives another signature, which is not the logged one.
#[test]
fn a_second_signature_by_the_same_key() {
    let instance = Instance::new();
    for (key, mut entity) in [good_v1(&instance), good_v2(&instance)] {
        // RFC 6979 signatures repeat, so the second is made by negating s, which verifies as well.
        let twin = negate_s(&signature(&entity));
        assert!(key.public_key().verify(key.scheme(), ARTIFACT, &twin).is_ok());
        entity.signature = SignatureContent::Message(twin.clone());
        if !entity.material.timestamps.is_empty() {
            entity.material.timestamps = vec![instance.stamp(&twin, now())];
        }
        is_refused(&instance.trusted, &entity, "log-entry-mismatch");
    }
}

#[test]
fn an_entry_about_another_artifact_or_key() {
    let instance = Instance::new();
    let (_, good) = good_v1(&instance);
    let (signature, leaf) = (signature(&good), leaf(&good));
    let other_leaf = instance.leaf(EphemeralKey::generate().public_key());
    let digest = HashAlgorithm::Sha256.digest(ARTIFACT);
    for body in [
        log_entry::hashedrekord_v001(&HashAlgorithm::Sha256.digest(b"else"), &signature, &leaf.to_pem()),
        log_entry::hashedrekord_v001(&HashAlgorithm::Sha512.digest(ARTIFACT), &signature[1..], &leaf.to_pem()),
        log_entry::hashedrekord_v001(&digest, &signature, &other_leaf.to_pem()),
    ] {
        let mut entity = good.clone();
        entity.material.log_entries = vec![instance.log_v1(EntryKind::HashedRekordV001, body, now())];
        is_refused(&instance.trusted, &entity, "log-entry-mismatch");
    }
    // The key alone, where the certificate was used.
    let pem = gitseal::format::pem::encode("PUBLIC KEY", leaf.public_key().unwrap().spki_der());
    let body = log_entry::hashedrekord_v001(&digest, &signature, &pem);
    let mut entity = good.clone();
    entity.material.log_entries = vec![instance.log_v1(EntryKind::HashedRekordV001, body, now())];
    is_refused(&instance.trusted, &entity, "log-entry-mismatch");
}

#[test]
fn a_promise_that_the_log_did_not_make() {
    let instance = Instance::new();
    let (_, good) = good_v1(&instance);
    let changes: [fn(&mut LogEntry); 4] = [
        |entry| *entry.inclusion_promise.as_mut().unwrap().last_mut().unwrap() ^= 1,
        |entry| entry.integrated_time = Some(at(1)),
        |entry| entry.log_index += 1,
        |entry| entry.integrated_time = None,
    ];
    for change in changes {
        let mut entity = good.clone();
        change(entry(&mut entity));
        is_refused(&instance.trusted, &entity, "inclusion-promise-invalid");
    }
}

/// A time that nobody signed is no time (TOB-SIGSTORE-3).
#[test]
fn a_time_without_a_promise() {
    let instance = Instance::new();
    let (_, mut entity) = good_v1(&instance);
    entry(&mut entity).inclusion_promise = None;
    is_refused(&instance.trusted, &entity, "time-missing");
    let signature = signature(&entity);
    entity.material.timestamps = vec![instance.stamp(&signature, now())];
    is_good(&instance.trusted, &entity);
}

#[test]
fn neither_promise_nor_proof() {
    each_log(
        |_, entity| {
            entry(entity).inclusion_promise = None;
            entry(entity).inclusion_proof = None;
        },
        "inclusion-proof-missing",
    );
}

#[test]
fn a_proof_that_leads_elsewhere() {
    each_log(|_, entity| proof_of(entity).hashes[0][0] ^= 1, "inclusion-proof-invalid");
    each_log(|_, entity| proof_of(entity).log_index = 2, "inclusion-proof-invalid");
    each_log(|_, entity| proof_of(entity).log_index = 3, "inclusion-proof-invalid");
    each_log(|_, entity| proof_of(entity).log_index = u64::MAX, "inclusion-proof-invalid");
    each_log(|_, entity| proof_of(entity).hashes.clear(), "inclusion-proof-invalid");
    each_log(|_, entity| proof_of(entity).hashes.push([0; 32]), "inclusion-proof-invalid");
    each_log(|_, entity| proof_of(entity).root_hash[0] ^= 1, "checkpoint-mismatch");
    each_log(|_, entity| proof_of(entity).tree_size = 4, "checkpoint-mismatch");
}

#[test]
fn a_checkpoint_of_another_tree_by_the_right_log() {
    let instance = Instance::new();
    let (_, mut v1) = good_v1(&instance);
    *proof_of(&mut v1) = proof(b"another leaf", "rekor.example - 17", V1_NAME, &instance.log_v1);
    is_refused(&instance.trusted, &v1, "inclusion-proof-invalid");
    let (_, mut v2) = good_v2(&instance);
    *proof_of(&mut v2) = proof(b"another leaf", V2_NAME, V2_NAME, &instance.log_v2);
    is_refused(&instance.trusted, &v2, "inclusion-proof-invalid");
}

#[test]
fn a_checkpoint_that_the_log_did_not_sign() {
    let instance = Instance::new();
    let other = ServiceKey::generate(KeyKind::Ed25519).unwrap();
    let (_, mut entity) = good_v2(&instance);
    let body = entry(&mut entity).canonicalized_body.clone();
    // Another key under the log's name, the log's key under another name.
    for (name, key) in [(V2_NAME, &other), ("evil.example", &instance.log_v2)] {
        *proof_of(&mut entity) = proof(&body, V2_NAME, name, key);
        is_refused(&instance.trusted, &entity, "checkpoint-invalid");
    }
    // The other log, which is trusted too.
    *proof_of(&mut entity) = proof(&body, V1_NAME, V1_NAME, &instance.log_v1);
    is_refused(&instance.trusted, &entity, "checkpoint-invalid");
}

#[test]
fn a_checkpoint_with_a_changed_text_or_signature() {
    let changes: [fn(&str) -> String; 3] = [
        |text| text.replacen("example", "example.org", 1),
        |text| text.replacen("\n\n", "\nextension line\n\n", 1),
        |text| {
            // The last byte of the signature.
            let (head, blob) = text.trim_end().rsplit_once(' ').unwrap();
            use base64ct::{Base64, Encoding as _};
            let mut blob = Base64::decode_vec(blob).unwrap();
            *blob.last_mut().unwrap() ^= 1;
            format!("{head} {}\n", Base64::encode_string(&blob))
        },
    ];
    for change in changes {
        each_log(
            |_, entity| {
                let proof = proof_of(entity);
                proof.checkpoint = change(&proof.checkpoint);
            },
            "checkpoint-invalid",
        );
    }
}

#[test]
fn a_checkpoint_with_the_lines_of_witnesses_is_good() {
    let instance = Instance::new();
    let (_, mut entity) = good_v2(&instance);
    let witness = ServiceKey::generate(KeyKind::Ed25519).unwrap();
    let proof = proof_of(&mut entity);
    let cosigned = checkpoint::sign(V2_NAME, 3, &proof.root_hash, "witness.example", &witness);
    let line = cosigned.lines().last().unwrap();
    let (text, own) = proof.checkpoint.split_once("\n\n").unwrap();
    proof.checkpoint = format!("{text}\n\n{line}\n{own}{line}\n");
    is_good(&instance.trusted, &entity);
}

// The time.

#[test]
fn rekor_v2_without_a_stamp() {
    let instance = Instance::new();
    let (_, mut entity) = good_v2(&instance);
    entity.material.timestamps.clear();
    is_refused(&instance.trusted, &entity, "time-missing");
}

#[test]
fn rekor_v2_with_a_time_of_its_own() {
    let instance = Instance::new();
    let (_, mut entity) = good_v2(&instance);
    entity.material.timestamps.clear();
    entry(&mut entity).integrated_time = Some(now());
    is_refused(&instance.trusted, &entity, "time-missing");
}

#[test]
fn a_stamp_over_another_signature() {
    let instance = Instance::new();
    let (_, mut entity) = good_v2(&instance);
    entity.material.timestamps.push(instance.stamp(b"another", now()));
    is_refused(&instance.trusted, &entity, "timestamp-mismatch");
}

#[test]
fn a_stamp_by_an_authority_that_nobody_trusts() {
    let (instance, other) = (Instance::new(), Instance::new());
    let (_, mut entity) = good_v2(&instance);
    let signature = signature(&entity);
    for embedded in [vec![], vec![&other.tsa_certificate[..]]] {
        let stamp = other.stamp_with(&signature, now(), HashAlgorithm::Sha256, &embedded);
        entity.material.timestamps = vec![stamp];
        // The names are the same, so only the keys tell the two apart.
        is_refused(&instance.trusted, &entity, "timestamp-invalid");
    }
    let mut trusted = instance.trusted.clone();
    trusted.timestamp_authorities.clear();
    is_refused(&trusted, &entity, "timestamp-not-trusted");
}

#[test]
fn a_changed_stamp() {
    let instance = Instance::new();
    let (_, good) = good_v2(&instance);
    let stamp = good.material.timestamps[0].clone();
    for at in 0..stamp.len() {
        for bit in 0..8 {
            let mut entity = good.clone();
            entity.material.timestamps[0][at] ^= 1 << bit;
            assert!(super::judge(&instance.trusted, &entity).is_err(), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn stamps_of_every_digest_with_and_without_the_certificate() {
    for kind in [KeyKind::EcdsaP256, KeyKind::EcdsaP384, KeyKind::Ed25519] {
        let instance = Instance::with_stamps_by(kind);
        let (_, mut entity) = good_v2(&instance);
        let signature = signature(&entity);
        for hash in [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512] {
            for embedded in [vec![], vec![&instance.tsa_certificate[..]]] {
                entity.material.timestamps = vec![instance.stamp_with(&signature, now(), hash, &embedded)];
                is_good(&instance.trusted, &entity);
            }
        }
    }
}

/// The trusted root may name only those who issue stampers' certificates; then the token must bring its own.
#[test]
fn a_stamp_under_an_authority_of_which_only_the_root_is_trusted() {
    let instance = Instance::new();
    let (_, mut entity) = good_v2(&instance);
    let signature = signature(&entity);
    let mut trusted = instance.trusted.clone();
    trusted.timestamp_authorities[0].chain.remove(0);
    is_good(&trusted, &entity);
    entity.material.timestamps = vec![instance.stamp_with(&signature, now(), HashAlgorithm::Sha256, &[])];
    is_refused(&trusted, &entity, "timestamp-not-trusted");
    let stranger = Instance::new();
    entity.material.timestamps = vec![stranger.stamp(&signature, now())];
    is_refused(&trusted, &entity, "timestamp-invalid");
}

/// A certificate that may issue certificates may not stamp, even when the authority is trusted; nor may a signer's.
#[test]
fn a_stamp_by_a_certificate_for_another_purpose() {
    let instance = Instance::new();
    let (_, mut entity) = good_v2(&instance);
    let signature = signature(&entity);
    let anchor = instance.trusted.timestamp_authorities[0].chain[1].clone();
    let info = info(&signature, now(), HashAlgorithm::Sha256);
    let by_ca = timestamp_token::sign(&info, anchor.der(), &[anchor.der()], now(), &instance.tsa_root).unwrap();
    entity.material.timestamps = vec![by_ca];
    let mut trusted = instance.trusted.clone();
    trusted.timestamp_authorities[0].chain = vec![anchor];
    is_refused(&trusted, &entity, "timestamp-invalid");

    let signer_key = ServiceKey::generate(KeyKind::EcdsaP256).unwrap();
    let signer = instance.leaf(signer_key.public_key());
    let by_signer = timestamp_token::sign(&info, signer.der(), &[signer.der()], now(), &signer_key).unwrap();
    entity.material.timestamps = vec![by_signer];
    let mut trusted = instance.trusted.clone();
    let mut chain = trusted.certificate_authorities[0].chain.clone();
    chain.insert(0, signer);
    trusted.timestamp_authorities[0].chain = chain;
    is_refused(&trusted, &entity, "timestamp-invalid");
}

// The certificate.

#[test]
fn a_certificate_of_an_authority_that_nobody_trusts() {
    let (instance, other) = (Instance::new(), Instance::new());
    let (key, _) = good_v1(&instance);
    // The same names, other keys.
    let entity = message_v1_by(&instance, other.leaf(key.public_key()), &key, now());
    is_refused(&instance.trusted, &entity, "chain-invalid");
    let mut trusted = instance.trusted.clone();
    trusted.certificate_authorities.clear();
    is_refused(&trusted, &entity, "issuer-not-trusted");
}

/// Found by key, not by name: two authorities may share one.
#[test]
fn two_authorities_of_one_name() {
    let (instance, other) = (Instance::new(), Instance::new());
    let (_, entity) = good_v1(&instance);
    for order in [0, 1] {
        let mut trusted = instance.trusted.clone();
        trusted.certificate_authorities.insert(order, other.trusted.certificate_authorities[0].clone());
        is_good(&trusted, &entity);
    }
}

#[test]
fn a_certificate_for_another_purpose() {
    let instance = Instance::new();
    let key = EphemeralKey::generate();
    let stamper = Certificate::from_der(&instance.tsa_certificate).unwrap();
    let entity = message_v1_by(&instance, stamper, &key, now());
    is_refused(&instance.trusted, &entity, "purpose-wrong");
    let authority = instance.trusted.certificate_authorities[0].chain[0].clone();
    let entity = message_v1_by(&instance, authority, &key, now());
    is_refused(&instance.trusted, &entity, "purpose-wrong");
}

#[test]
fn a_certificate_that_travels_along_for_nothing() {
    let (instance, other) = (Instance::new(), Instance::new());
    let (_, mut entity) = good_v1(&instance);
    entity.material.chain = instance.trusted.certificate_authorities[0].chain.clone();
    is_good(&instance.trusted, &entity);
    entity.material.chain.push(other.trusted.certificate_authorities[0].chain[0].clone());
    is_refused(&instance.trusted, &entity, "certificate-superfluous");
}

#[test]
fn timestamps_of_ct_logs() {
    let (instance, other) = (Instance::new(), Instance::new());
    let key = EphemeralKey::generate();
    let by = |log: &ServiceKey, time| {
        let leaf = instance.leaf_with(key.public_key(), window(-300, 300), |pre| pre.logged_by(log, time).unwrap());
        message_v1_by(&instance, leaf, &key, now())
    };
    is_good(&instance.trusted, &by(&instance.ct_log, now()));
    is_refused(&instance.trusted, &by(&other.ct_log, now()), "sct-not-trusted");
    // A log whose key is not the one that its id stands for.
    let mut trusted = instance.trusted.clone();
    trusted.ct_logs[0].key = other.ct_log.public_key().clone();
    is_refused(&trusted, &by(&instance.ct_log, now()), "sct-invalid");
    // The time of the SCT counts, not that of the signature.
    let mut trusted = instance.trusted.clone();
    trusted.ct_logs[0].valid_for = window(-10, 10);
    is_good(&trusted, &by(&instance.ct_log, at(10)));
    is_refused(&trusted, &by(&instance.ct_log, at(11)), "sct-not-trusted");
    // The same log listed again with another window.
    trusted.ct_logs.push(log_key("ct.example", instance.ct_log.public_key(), wide()));
    is_good(&trusted, &by(&instance.ct_log, at(11)));
}

// The signature.

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

// Envelopes.

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

/// The other ECDSA signature that the same key and message allow: n - s in the place of s.
fn negate_s(signature: &[u8]) -> Vec<u8> {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
        0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let r_len = usize::from(signature[3]);
    let (r, s) = (&signature[2..4 + r_len], &signature[6 + r_len..]);
    let mut padded = [0; 32];
    let s = &s[s.len().saturating_sub(32)..];
    padded[32 - s.len()..].copy_from_slice(s);
    let (mut negated, mut borrow) = ([0u8; 32], 0i16);
    for at in (0..32).rev() {
        let digit = i16::from(ORDER[at]) - i16::from(padded[at]) - borrow;
        borrow = i16::from(digit < 0);
        negated[at] = digit.rem_euclid(256) as u8;
    }
    let first = negated.iter().position(|byte| *byte != 0).unwrap();
    let mut s = negated[first..].to_vec();
    if s[0] & 0x80 != 0 {
        s.insert(0, 0);
    }
    let body = [r, &[2, s.len() as u8], &s].concat();
    [&[0x30, body.len() as u8][..], &body].concat()
}
