//! Log entries, each wrong in one way.

use gitseal::crypto::{EphemeralKey, HashAlgorithm, KeyKind, Keypair as _, ServiceKey};
use gitseal::entity::SignatureContent;
use gitseal::format::checkpoint;
use gitseal::format::log_entry::{self, EntryKind, LogEntry, LoggedKey};

use super::instance::{
    ARTIFACT, Instance, P256_DETAILS, V1_NAME, V2_NAME, at, good_v1, good_v2, message_v1_by, now, proof,
};
use super::{each_log, entry, is_good, is_refused, leaf, proof_of, signature};

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
