//! Times and the stamps that prove them, each wrong in one way.

use gitseal::crypto::{HashAlgorithm, KeyKind, Keypair as _, ServiceKey};
use gitseal::format::timestamp_token;

use super::instance::{Instance, good_v2, info, now};
use super::{entry, is_good, is_refused, signature};

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
