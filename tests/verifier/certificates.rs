//! The signer's certificate, its chain and its CT log, each wrong in one way.

use gitseal::crypto::{EphemeralKey, Keypair as _, ServiceKey};
use gitseal::format::x509::Certificate;

use super::instance::{Instance, at, good_v1, log_key, message_v1_by, now, wide, window};
use super::{is_good, is_refused};

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
