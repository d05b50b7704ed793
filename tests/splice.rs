//! Good parts put together wrongly: another's entry, certificate or stamp, one thing twice, decoys in the bag.

use gitseal::crypto::Keypair as _;
use gitseal::entity::{Artifact, SignatureContent, SignedEntity, SignerKey};
use gitseal::verify::{Reason, Requirements, Verifier};

use crate::forge::{Forge, OIDC_ISSUER, Proof, SUBJECT, Times, at, noise};

const PROOFS: [Proof; 3] = [Proof::LogV1, Proof::LogV1AndStamp, Proof::LogV2AndStamp];

fn reason(forge: &Forge, entity: &SignedEntity) -> Option<Reason> {
    let verifier = Verifier::new(forge.trusted_root(&Times::default()));
    verifier.verify(entity, Requirements::default(), at(99)).err().map(|unverified| unverified.refusal.reason)
}

#[test]
fn what_the_forge_makes_is_good() {
    let forge = Forge::new();
    for proof in PROOFS {
        let entity = forge.sign(&Times::default(), proof);
        let verifier = Verifier::new(forge.trusted_root(&Times::default()));
        let verified = verifier.verify(&entity, Requirements::default(), at(99)).unwrap();
        let identity = verified.identity().unwrap();
        assert_eq!((identity.subject.as_str(), identity.issuer.as_str()), (SUBJECT, OIDC_ISSUER));
        assert_eq!(verified.logged().len(), 1);
        assert!(verified.has_sct());
    }
}

/// CVE-2022-36056 and CVE-2026-22703: a valid entry proves nothing about another signature, even by the same key.
#[test]
fn a_valid_entry_about_something_else_is_refused_fail() {
    let forge = Forge::new();
    for proof in PROOFS {
        let good = forge.sign(&Times::default(), proof);

        let mut other_signature = good.clone();
        let second = forge.signer().sign(b"another message");
        other_signature.artifact = Artifact::Bytes(b"another message".to_vec());
        other_signature.signature = SignatureContent::Message(second.clone());
        other_signature.material.timestamps.clear();
        assert_eq!(reason(&forge, &other_signature), Some(Reason::LogEntryMismatch));

        let mut other_artifact = good.clone();
        other_artifact.artifact = Artifact::Bytes(b"another message".to_vec());
        assert_eq!(reason(&forge, &other_artifact), Some(Reason::LogEntryMismatch));

        // Made a second later: the same key and name, another certificate.
        let mut other_certificate = good;
        let leaf = forge.leaf(&Times { leaf: (41, 60), ..Times::default() });
        other_certificate.material.signer = SignerKey::Certificate(Box::new(leaf));
        assert_eq!(reason(&forge, &other_certificate), Some(Reason::LogEntryMismatch));
    }
}

/// Where the log is not asked for, the signature still is.
#[test]
fn a_signature_by_nobody_is_refused_fail() {
    let forge = Forge::new();
    let mut entity = forge.sign(&Times::default(), Proof::LogV1);
    entity.signature = SignatureContent::Message(noise());
    entity.material.log_entries.clear();
    assert_eq!(reason(&forge, &entity), Some(Reason::SignatureInvalid));
}

/// CVE-2026-49834: one entry is one entry, however often it is shown.
#[test]
fn an_entry_shown_twice_is_refused_fail() {
    let forge = Forge::new();
    for proof in PROOFS {
        let mut entity = forge.sign(&Times::default(), proof);
        let entry = entity.material.log_entries[0].clone();
        entity.material.log_entries.push(entry);
        assert_eq!(reason(&forge, &entity), Some(Reason::LogEntryDuplicate));
    }
}

#[test]
fn evidence_of_strangers_is_refused_fail() {
    let (forge, stranger) = (Forge::new(), Forge::new());
    let times = Times::default();
    let theirs = stranger.sign(&times, Proof::LogV1AndStamp);
    assert_eq!(reason(&forge, &theirs), Some(Reason::LogNotTrusted));

    let mut unlogged = theirs.clone();
    unlogged.material.log_entries.clear();
    unlogged.material.timestamps.clear();
    // The strangers' authority has the same name: what fails is the signature on the certificate.
    assert_eq!(reason(&forge, &unlogged), Some(Reason::ChainInvalid));

    let mut stamped = forge.sign(&times, Proof::LogV2AndStamp);
    let SignatureContent::Message(signature) = stamped.signature.clone() else { unreachable!("a message signature") };
    stamped.material.timestamps = vec![stranger.stamp(&times, &signature)];
    assert_eq!(reason(&forge, &stamped), Some(Reason::TimestampInvalid));
    stamped.material.timestamps = vec![forge.stamp(&times, b"another signature")];
    assert_eq!(reason(&forge, &stamped), Some(Reason::TimestampMismatch));
}

#[test]
fn an_entry_with_any_field_changed_is_refused_fail() {
    let forge = Forge::new();
    type Change = fn(&mut SignedEntity);
    let changes: [(Change, Reason); 9] = [
        (|e| e.material.log_entries[0].log_index += 1, Reason::InclusionPromiseInvalid),
        (|e| e.material.log_entries[0].integrated_time = Some(at(51)), Reason::InclusionPromiseInvalid),
        (|e| e.material.log_entries[0].inclusion_promise = Some(noise()), Reason::InclusionPromiseInvalid),
        (|e| e.material.log_entries[0].log_id[9] ^= 1, Reason::LogNotTrusted),
        (|e| proof(e).log_index = 0, Reason::InclusionProofInvalid),
        (|e| proof(e).tree_size += 1, Reason::CheckpointMismatch),
        (|e| proof(e).root_hash[0] ^= 1, Reason::CheckpointMismatch),
        (|e| proof(e).hashes[0][0] ^= 1, Reason::InclusionProofInvalid),
        (|e| proof(e).checkpoint = proof(e).checkpoint.replace("\n3\n", "\n4\n"), Reason::CheckpointInvalid),
    ];
    for (number, (change, expected)) in changes.into_iter().enumerate() {
        let mut entity = forge.sign(&Times::default(), Proof::LogV1);
        change(&mut entity);
        assert_eq!(reason(&forge, &entity), Some(expected), "change {number}");
    }
}

fn proof(entity: &mut SignedEntity) -> &mut gitseal::format::log_entry::InclusionProof {
    entity.material.log_entries[0].inclusion_proof.as_mut().unwrap()
}

/// CVE-2026-39984: the signer is who signed, never who stands first; and what has no place in the chain has none here.
#[test]
fn decoys_among_the_certificates_are_refused_fail() {
    let forge = Forge::new();
    let times = Times::default();
    let stranger = Forge::new();
    for decoy in [stranger.leaf(&times), stranger.root_certificate(&times), forge.leaf(&times)] {
        let mut entity = forge.sign(&times, Proof::LogV1);
        entity.material.chain = vec![decoy];
        assert_eq!(reason(&forge, &entity), Some(Reason::CertificateSuperfluous));
    }
    // A certificate of the trusted chain is no decoy.
    let root = forge.trusted_root(&times);
    let mut entity = forge.sign(&times, Proof::LogV1);
    entity.material.chain.clone_from(&root.certificate_authorities[0].chain);
    let verified = Verifier::new(root).verify(&entity, Requirements::default(), at(99));
    assert!(verified.is_ok());
}
