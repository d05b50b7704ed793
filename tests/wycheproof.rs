//! The Wycheproof vectors, through our own entry point: every signature that must fail does, every valid one passes.
//!
//! Both ways of checking are tried, with the message and with its digest, and must agree.

use gitseal::crypto::{PublicKey, SignatureScheme};
use wycheproof::TestResult;

/// What one set came to.
#[derive(Default)]
struct Tally {
    valid: usize,
    refused: usize,
    acceptable: usize,
}

impl Tally {
    fn check(&mut self, set: &str, id: usize, expected: TestResult, accepted: bool) {
        match expected {
            TestResult::Valid => self.valid += 1,
            TestResult::Invalid => self.refused += 1,
            TestResult::Acceptable => self.acceptable += 1,
        }
        match expected {
            TestResult::Valid => assert!(accepted, "{set}: {id} is valid and was refused"),
            TestResult::Invalid => assert!(!accepted, "{set}: {id} is invalid and was accepted"),
            TestResult::Acceptable => {}
        }
    }

    fn print(&self, set: &str) {
        let Tally { valid, refused, acceptable } = self;
        println!("wycheproof {set}: {valid} valid accepted, {refused} invalid refused, {acceptable} left open");
        assert!(*valid > 0 && *refused > 0, "{set} tested nothing");
    }
}

fn accepts(key: &PublicKey, scheme: SignatureScheme, message: &[u8], signature: &[u8]) -> bool {
    let by_message = key.verify(scheme, message, signature).is_ok();
    if let Some(hash) = scheme.hash() {
        let by_digest = key.verify_digest(scheme, &hash.digest(message), signature).is_ok();
        assert_eq!(by_message, by_digest);
    }
    by_message
}

#[test]
fn ecdsa() {
    use SignatureScheme::{EcdsaSha256, EcdsaSha384, EcdsaSha512};
    use wycheproof::ecdsa::{TestName, TestSet};
    for (name, scheme) in [
        (TestName::EcdsaSecp256r1Sha256, EcdsaSha256),
        (TestName::EcdsaSecp256r1Sha512, EcdsaSha512),
        (TestName::EcdsaSecp384r1Sha256, EcdsaSha256),
        (TestName::EcdsaSecp384r1Sha384, EcdsaSha384),
        (TestName::EcdsaSecp384r1Sha512, EcdsaSha512),
        (TestName::EcdsaSecp521r1Sha512, EcdsaSha512),
    ] {
        let mut tally = Tally::default();
        for group in TestSet::load(name).unwrap().test_groups {
            let key = PublicKey::from_spki_der(&group.der).unwrap();
            for test in group.tests {
                let accepted = accepts(&key, scheme, &test.msg, &test.sig);
                tally.check(&format!("{name:?}"), test.tc_id, test.result, accepted);
            }
        }
        tally.print(&format!("{name:?}"));
    }
}

/// The other encoding of an ECDSA signature, two numbers side by side, is not the one that we take.
#[test]
fn ecdsa_without_its_asn1_is_refused() {
    use wycheproof::ecdsa::{TestName, TestSet};
    for group in TestSet::load(TestName::EcdsaSecp256r1Sha256P1363).unwrap().test_groups {
        let key = PublicKey::from_spki_der(&group.der).unwrap();
        for test in group.tests {
            assert!(!accepts(&key, SignatureScheme::EcdsaSha256, &test.msg, &test.sig), "{}", test.tc_id);
        }
    }
}

#[test]
fn ed25519() {
    use wycheproof::eddsa::{TestName, TestSet};
    let mut tally = Tally::default();
    for group in TestSet::load(TestName::Ed25519).unwrap().test_groups {
        let key = PublicKey::from_spki_der(&group.der).unwrap();
        for test in group.tests {
            let accepted = accepts(&key, SignatureScheme::Ed25519, &test.msg, &test.sig);
            tally.check("Ed25519", test.tc_id, test.result, accepted);
        }
    }
    tally.print("Ed25519");
}

#[test]
fn rsa_pkcs1() {
    use SignatureScheme::{RsaPkcs1Sha256, RsaPkcs1Sha384, RsaPkcs1Sha512};
    use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};
    for (name, scheme) in [
        (TestName::Rsa2048Sha256, RsaPkcs1Sha256),
        (TestName::Rsa2048Sha384, RsaPkcs1Sha384),
        (TestName::Rsa2048Sha512, RsaPkcs1Sha512),
        (TestName::Rsa3072Sha256, RsaPkcs1Sha256),
        (TestName::Rsa3072Sha384, RsaPkcs1Sha384),
        (TestName::Rsa3072Sha512, RsaPkcs1Sha512),
        (TestName::Rsa4096Sha256, RsaPkcs1Sha256),
        (TestName::Rsa4096Sha384, RsaPkcs1Sha384),
        (TestName::Rsa4096Sha512, RsaPkcs1Sha512),
        (TestName::Rsa8192Sha256, RsaPkcs1Sha256),
    ] {
        let mut tally = Tally::default();
        for group in TestSet::load(name).unwrap().test_groups {
            let key = PublicKey::from_spki_der(&group.der).unwrap();
            for test in group.tests {
                let accepted = accepts(&key, scheme, &test.msg, &test.sig);
                tally.check(&format!("{name:?}"), test.tc_id, test.result, accepted);
            }
        }
        tally.print(&format!("{name:?}"));
    }
}

#[test]
fn rsa_pss() {
    use SignatureScheme::{RsaPssSha256, RsaPssSha384, RsaPssSha512};
    use wycheproof::rsa_pss_verify::{TestName, TestSet};
    for (name, scheme) in [
        (TestName::RsaPss2048Sha256Mgf1SaltLen32, RsaPssSha256),
        (TestName::RsaPss2048Sha384Mgf1SaltLen48, RsaPssSha384),
        (TestName::RsaPss3072Sha256Mgf1SaltLen32, RsaPssSha256),
        (TestName::RsaPss4096Sha256Mgf1SaltLen32, RsaPssSha256),
        (TestName::RsaPss4096Sha384Mgf1SaltLen48, RsaPssSha384),
        (TestName::RsaPss4096Sha512Mgf1SaltLen64, RsaPssSha512),
    ] {
        let mut tally = Tally::default();
        for group in TestSet::load(name).unwrap().test_groups {
            let key = PublicKey::from_spki_der(&group.der).unwrap();
            for test in group.tests {
                let accepted = accepts(&key, scheme, &test.msg, &test.sig);
                tally.check(&format!("{name:?}"), test.tc_id, test.result, accepted);
            }
        }
        tally.print(&format!("{name:?}"));
    }
}

/// A salt of another length than the digest's is another scheme, which nothing here speaks.
#[test]
fn rsa_pss_with_another_salt_is_refused() {
    use wycheproof::rsa_pss_verify::{TestName, TestSet};
    for group in TestSet::load(TestName::RsaPss2048Sha256Mgf1SaltLen0).unwrap().test_groups {
        let key = PublicKey::from_spki_der(&group.der).unwrap();
        for test in group.tests.iter().filter(|test| test.result == TestResult::Valid) {
            assert!(!accepts(&key, SignatureScheme::RsaPssSha256, &test.msg, &test.sig), "{}", test.tc_id);
        }
    }
}
