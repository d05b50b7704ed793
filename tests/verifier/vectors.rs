//! The same, as files for other people's verifiers: one folder a case under `tests/vectors/bundle`.
//!
//! A name that ends in `_fail` must be refused. `README` says what is wrong, `expected` holds our reason for it. The
//! artifact and the signer are the same in all. `cargo test write_vectors -- --ignored` makes them anew, with new keys.

use std::fs;
use std::path::PathBuf;

use base64ct::{Base64, Encoding as _};
use gitseal::crypto::{EphemeralKey, Keypair as _, PublicKey};
use gitseal::entity::bundle::{from_bundle, to_bundle};
use gitseal::entity::{Artifact, SignatureContent, SignedEntity};
use gitseal::format::bundle::Bundle;
use gitseal::format::log_entry::EntryKind;
use gitseal::format::time::Interval;
use gitseal::format::x509::Certificate;
use gitseal::format::{pem, timestamp_token};
use gitseal::trust::{Authority, LogKey, TrustedRoot};
use serde_json::{Value, json};

use super::instance::{
    ARTIFACT, EnvelopeLog, Instance, STATEMENT, at, attestation, envelope, good_v1, good_v2, info, managed,
    message_v1_by, now, proof, window,
};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/bundle")
}

/// Where a case is refused, as `expected` has it: a reason's code, or the part that could not be read.
fn judge(case: &std::path::Path) -> Result<(), String> {
    let read = |name: &str| fs::read(case.join(name)).ok();
    let trusted = TrustedRoot::from_json(&read("trusted_root.json").unwrap()).map_err(|_| "trusted-root")?;
    let bundle = Bundle::from_json(&read("bundle.sigstore.json").unwrap()).map_err(|_| "bundle")?;
    let key = read("key.pub").map(|text| {
        let der = pem::decode_strict("PUBLIC KEY", &text).unwrap();
        PublicKey::from_spki_der(&der).unwrap()
    });
    let artifact = Artifact::Bytes(fs::read(folder().join("artifact")).unwrap());
    let entity = from_bundle(bundle, artifact, key).map_err(|_| "bundle")?;
    super::judge(&trusted, &entity).map(|_| ()).map_err(str::to_owned)
}

#[test]
fn every_folder_gets_its_verdict() {
    let (mut good, mut refused) = (0, 0);
    for entry in fs::read_dir(folder()).unwrap() {
        let case = entry.unwrap().path();
        if !case.is_dir() {
            continue;
        }
        let name = case.file_name().unwrap().to_str().unwrap();
        assert!(case.join("README").exists(), "{name} does not say what it is");
        match fs::read_to_string(case.join("expected")) {
            Ok(expected) => {
                assert!(name.ends_with("_fail"), "{name}");
                assert_eq!(judge(&case).unwrap_err(), expected.trim(), "{name}");
                refused += 1;
            }
            Err(_) => {
                assert!(!name.ends_with("_fail"), "{name}");
                assert_eq!(judge(&case), Ok(()), "{name}");
                good += 1;
            }
        }
    }
    println!("vectors: {good} good, {refused} refused for the expected reason");
    assert!(good > 4 && refused > 15);
}

/// What a changed byte leaves good must say the same: a bundle is not signed as a whole, but all that it says is.
#[test]
fn a_changed_byte_is_refused_or_says_the_same() {
    /// Every so many bytes; a prime, so that no field is always missed.
    const STRIDE: usize = 5;
    for case in ["message-v1", "message-v2", "envelope-dsse-v1"].map(|name| folder().join(name)) {
        let json = fs::read(case.join("bundle.sigstore.json")).unwrap();
        let trusted = TrustedRoot::from_json(&fs::read(case.join("trusted_root.json")).unwrap()).unwrap();
        let original = Bundle::from_json(&json).unwrap();
        let (mut refused, mut same) = (0, 0);
        for at in (0..json.len()).step_by(STRIDE) {
            let mut changed = json.clone();
            changed[at] ^= if at % 2 == 0 { 0x01 } else { 0x20 };
            let Ok(bundle) = Bundle::from_json(&changed) else {
                refused += 1;
                continue;
            };
            let entity = from_bundle(bundle.clone(), Artifact::Bytes(ARTIFACT.to_vec()), None);
            match entity.map(|entity| super::judge(&trusted, &entity)) {
                Ok(Ok(_)) => {
                    assert_eq!(bundle, original, "byte {at} of {}", case.display());
                    same += 1;
                }
                _ => refused += 1,
            }
        }
        println!("vectors: {}: {refused} changed bytes refused, {same} say the same", case.display());
    }
}

/// One case in the making.
struct Case {
    name: &'static str,
    readme: &'static str,
    expected: &'static str,
    trusted: TrustedRoot,
    bundle: Value,
    key: Option<PublicKey>,
}

impl Case {
    fn new(
        name: &'static str,
        readme: &'static str,
        expected: &'static str,
        trusted: &TrustedRoot,
        entity: &SignedEntity,
    ) -> Self {
        let bundle = serde_json::from_str(&to_bundle(entity).to_json()).unwrap();
        Case { name, readme, expected, trusted: trusted.clone(), bundle, key: None }
    }

    /// With the JSON changed.
    fn changed(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.bundle);
        self
    }

    fn with_key(mut self, key: &PublicKey) -> Self {
        self.key = Some(key.clone());
        self
    }

    fn write(&self) {
        let folder = folder().join(self.name);
        fs::create_dir_all(&folder).unwrap();
        let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
        write("README", &format!("{}\n", self.readme));
        write("bundle.sigstore.json", &format!("{}\n", self.bundle));
        write("trusted_root.json", &format!("{:#}\n", trusted_root(&self.trusted)));
        if !self.expected.is_empty() {
            write("expected", &format!("{}\n", self.expected));
        }
        if let Some(key) = &self.key {
            write("key.pub", &pem::encode("PUBLIC KEY", key.spki_der()));
        }
    }
}

fn trusted_root(root: &TrustedRoot) -> Value {
    let valid_for = |interval: &Interval| {
        let mut json = json!({ "start": interval.start.to_string() });
        if let Some(end) = interval.end {
            json["end"] = end.to_string().into();
        }
        json
    };
    let log = |log: &LogKey| {
        let details = if log.key.raw().len() == 32 { "PKIX_ED25519" } else { "PKIX_ECDSA_P256_SHA_256" };
        json!({
            "baseUrl": log.base_url,
            "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": Base64::encode_string(log.key.spki_der()),
                "keyDetails": details,
                "validFor": valid_for(&log.valid_for),
            },
            "logId": { "keyId": Base64::encode_string(&log.id) },
        })
    };
    let authority = |authority: &Authority| {
        let certificate = |one: &Certificate| json!({ "rawBytes": Base64::encode_string(one.der()) });
        json!({
            "subject": { "organization": "example", "commonName": "example" },
            "uri": authority.uri,
            "certChain": { "certificates": authority.chain.iter().map(certificate).collect::<Vec<_>>() },
            "validFor": valid_for(&authority.valid_for),
        })
    };
    json!({
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "tlogs": root.logs.iter().map(log).collect::<Vec<_>>(),
        "ctlogs": root.ct_logs.iter().map(log).collect::<Vec<_>>(),
        "certificateAuthorities": root.certificate_authorities.iter().map(authority).collect::<Vec<_>>(),
        "timestampAuthorities": root.timestamp_authorities.iter().map(authority).collect::<Vec<_>>(),
    })
}

fn signature(entity: &SignedEntity) -> &[u8] {
    match &entity.signature {
        SignatureContent::Message(signature) => signature,
        SignatureContent::Dsse(envelope) => &envelope.signature,
    }
}

#[test]
#[ignore = "not a test: makes the folders"]
fn write_vectors() {
    fs::create_dir_all(folder()).unwrap();
    fs::write(folder().join("artifact"), ARTIFACT).unwrap();
    let instance = Instance::new();
    for case in good_cases(&instance)
        .into_iter()
        .chain(form_cases(&instance))
        .chain(log_cases(&instance))
        .chain(time_cases(&instance))
    {
        case.write();
    }
}

fn good_cases(instance: &Instance) -> Vec<Case> {
    let trusted = &instance.trusted;
    let (key, v1) = good_v1(instance);
    let bare = EphemeralKey::generate();
    let statement = || envelope(&key, STATEMENT, ARTIFACT);
    vec![
        Case::new("message-v1", "A message signature, logged in Rekor v1.", "", trusted, &v1),
        Case::new(
            "message-v2",
            "A message signature, logged in Rekor v2, with a stamp.",
            "",
            trusted,
            &good_v2(instance).1,
        ),
        Case::new("managed-key", "A message signature by a bare key.", "", trusted, &managed(instance, &bare))
            .with_key(bare.public_key()),
        Case::new(
            "envelope-dsse-v1",
            "An attestation, logged in Rekor v1 as dsse 0.0.1.",
            "",
            trusted,
            &attestation(instance, &key, statement(), EnvelopeLog::V1Dsse),
        ),
        Case::new(
            "envelope-hashedrekord-v2",
            "An attestation, logged in Rekor v2 as hashedrekord 0.0.2.",
            "",
            trusted,
            &attestation(instance, &key, statement(), EnvelopeLog::V2HashedRekord),
        ),
    ]
}

/// The document itself; all else is in order.
fn form_cases(instance: &Instance) -> Vec<Case> {
    let trusted = &instance.trusted;
    let (key, v1) = good_v1(instance);
    let (bare, other) = (EphemeralKey::generate(), EphemeralKey::generate());
    let attested = attestation(instance, &key, envelope(&key, STATEMENT, ARTIFACT), EnvelopeLog::V1Dsse);
    vec![
        Case::new(
            "version-unknown_fail",
            "The media type names a version that does not exist.",
            "bundle",
            trusted,
            &v1,
        )
        .changed(|json| json["mediaType"] = "application/vnd.dev.sigstore.bundle.v99.9+json".into()),
        Case::new("log-index-negative_fail", "The log index is negative.", "bundle", trusted, &v1)
            .changed(|json| json["verificationMaterial"]["tlogEntries"][0]["logIndex"] = "-1".into()),
        Case::new(
            "certificate-chain-empty_fail",
            "Version 0.2 with an empty certificate chain.",
            "bundle",
            trusted,
            &v1,
        )
        .changed(|json| {
            json["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.2".into();
            let material = json["verificationMaterial"].as_object_mut().unwrap();
            material.remove("certificate");
            material.insert("x509CertificateChain".to_owned(), json!({ "certificates": [] }));
        }),
        Case::new("checkpoint-missing_fail", "The inclusion proof has no checkpoint.", "bundle", trusted, &v1).changed(
            |json| {
                let proof = &mut json["verificationMaterial"]["tlogEntries"][0]["inclusionProof"];
                proof.as_object_mut().unwrap().remove("checkpoint");
            },
        ),
        Case::new("message-digest-wrong_fail", "The stated digest is of another artifact.", "bundle", trusted, &v1)
            .changed(|json| {
                json["messageSignature"]["messageDigest"]["digest"] = Base64::encode_string(&[7; 32]).into()
            }),
        Case::new(
            "envelope-two-signatures_fail",
            "The envelope has its signature twice.",
            "bundle",
            trusted,
            &attested,
        )
        .changed(|json| {
            let signatures = json["dsseEnvelope"]["signatures"].as_array_mut().unwrap();
            signatures.push(signatures[0].clone());
        }),
        Case::new(
            "managed-key-missing_fail",
            "Signed with a bare key, and no key is given.",
            "bundle",
            trusted,
            &managed(instance, &bare),
        ),
        Case::new(
            "managed-key-other_fail",
            "Signed with a bare key, and another is given.",
            "log-entry-mismatch",
            trusted,
            &managed(instance, &bare),
        )
        .with_key(other.public_key()),
        Case::new(
            "payload-type-other_fail",
            "The envelope is good but holds text, not a statement.",
            "statement-mismatch",
            trusted,
            &attestation(instance, &key, envelope(&key, "text/plain", ARTIFACT), EnvelopeLog::V1Dsse),
        ),
        Case::new(
            "statement-other-artifact_fail",
            "The statement is about another artifact.",
            "statement-mismatch",
            trusted,
            &attestation(instance, &key, envelope(&key, STATEMENT, b"another"), EnvelopeLog::V1Dsse),
        ),
    ]
}

/// The log entry.
fn log_cases(instance: &Instance) -> Vec<Case> {
    let trusted = &instance.trusted;
    let (key, v1) = good_v1(instance);
    let (_, v2) = good_v2(instance);
    let with = |from: &SignedEntity, change: &dyn Fn(&mut SignedEntity)| {
        let mut entity = from.clone();
        change(&mut entity);
        entity
    };
    let (_, strange) = good_v1(instance);
    let other = EphemeralKey::generate();
    vec![
        Case::new(
            "log-entry-twice_fail",
            "The same log entry is given twice.",
            "log-entry-duplicate",
            trusted,
            &with(&v1, &|entity| entity.material.log_entries = vec![entity.material.log_entries[0].clone(); 2]),
        ),
        Case::new(
            "log-entry-spliced_fail",
            "A valid log entry, of another signature over the same artifact.",
            "log-entry-mismatch",
            trusted,
            &with(&v1, &|entity| entity.material.log_entries = strange.material.log_entries.clone()),
        ),
        Case::new(
            "log-entry-other-kind_fail",
            "kindVersion says dsse, the body says hashedrekord.",
            "log-entry-malformed",
            trusted,
            &with(&v1, &|entity| entity.material.log_entries[0].kind = EntryKind::DsseV001),
        ),
        Case::new(
            "promise-time-changed_fail",
            "The integrated time is not the one that the log signed.",
            "inclusion-promise-invalid",
            trusted,
            &with(&v1, &|entity| entity.material.log_entries[0].integrated_time = Some(at(1))),
        ),
        Case::new(
            "proof-of-another-leaf_fail",
            "Proof and checkpoint are good, but of a tree that holds another leaf.",
            "inclusion-proof-invalid",
            trusted,
            &with(&v2, &|entity| {
                let name = super::instance::V2_NAME;
                entity.material.log_entries[0].inclusion_proof = Some(proof(b"another", name, name, &instance.log_v2));
            }),
        ),
        Case::new(
            "checkpoint-other-name_fail",
            "The log's key signed the checkpoint under another log's name.",
            "checkpoint-invalid",
            trusted,
            &with(&v2, &|entity| {
                let body = entity.material.log_entries[0].canonicalized_body.clone();
                let name = super::instance::V2_NAME;
                let proof = proof(&body, name, "evil.example", &instance.log_v2);
                entity.material.log_entries[0].inclusion_proof = Some(proof);
            }),
        ),
        Case::new(
            "signature-by-another-key_fail",
            "Logged as made by this certificate's key, but made by another.",
            "signature-invalid",
            trusted,
            &message_v1_by(instance, instance.leaf(key.public_key()), &other, now()),
        ),
    ]
}

/// Times, and who vouches for them.
fn time_cases(instance: &Instance) -> Vec<Case> {
    let trusted = &instance.trusted;
    let (key, v1) = good_v1(instance);
    let (_, v2) = good_v2(instance);
    let stamped = |token: Vec<u8>| {
        let mut entity = v2.clone();
        entity.material.timestamps = vec![token];
        entity
    };
    let ended = |change: &dyn Fn(&mut TrustedRoot)| {
        let mut trusted = trusted.clone();
        change(&mut trusted);
        trusted
    };
    let anchor = trusted.timestamp_authorities[0].chain[1].clone();
    let details = info(signature(&v2), now(), gitseal::crypto::HashAlgorithm::Sha256);
    let by_ca = timestamp_token::sign(&details, anchor.der(), &[anchor.der()], now(), &instance.tsa_root).unwrap();
    let late_sct = instance
        .leaf_with(key.public_key(), window(-300, 300), |pre| pre.logged_by(&instance.ct_log, at(100)).unwrap());
    let mut no_stamp = v2.clone();
    no_stamp.material.timestamps.clear();
    let mut no_promise = v1.clone();
    no_promise.material.log_entries[0].inclusion_promise = None;
    vec![
        Case::new(
            "stamp-missing_fail",
            "Logged in Rekor v2, which has no clock, without a stamp.",
            "time-missing",
            trusted,
            &no_stamp,
        ),
        Case::new(
            "promise-missing_fail",
            "An integrated time that the log did not sign is no time.",
            "time-missing",
            trusted,
            &no_promise,
        ),
        Case::new(
            "stamp-over-another-signature_fail",
            "The stamp is over another signature.",
            "timestamp-mismatch",
            trusted,
            &stamped(instance.stamp(b"another", now())),
        ),
        Case::new(
            "stamp-outside-certificate_fail",
            "The stamp is a second later than the certificate is valid.",
            "certificate-not-valid-then",
            trusted,
            &stamped(instance.stamp(signature(&v2), at(301))),
        ),
        Case::new(
            "stamp-at-the-last-second",
            "The stamp is at the last second at which the certificate is valid.",
            "",
            trusted,
            &stamped(instance.stamp(signature(&v2), at(300))),
        ),
        Case::new(
            "stamp-by-authority_fail",
            "The stamp is signed by a certificate that may issue certificates.",
            "timestamp-invalid",
            &ended(&|trusted| trusted.timestamp_authorities[0].chain = vec![anchor.clone()]),
            &stamped(by_ca),
        ),
        Case::new(
            "stamp-outside-window_fail",
            "The timestamp authority was retired a second before.",
            "timestamp-not-trusted",
            &ended(&|trusted| trusted.timestamp_authorities[0].valid_for = window(-3600, -1)),
            &v2,
        ),
        Case::new(
            "log-key-retired-v1_fail",
            "The key of the Rekor v1 log was retired a second before.",
            "log-key-not-valid-then",
            &ended(&|trusted| trusted.logs[0].valid_for = window(-3600, -1)),
            &v1,
        ),
        Case::new(
            "log-key-retired-v2_fail",
            "The key of the Rekor v2 log was retired a second before the stamp.",
            "log-key-not-valid-then",
            &ended(&|trusted| trusted.logs[1].valid_for = window(-3600, -1)),
            &v2,
        ),
        Case::new(
            "authority-retired_fail",
            "The certificate authority was retired a second before.",
            "authority-not-valid-then",
            &ended(&|trusted| trusted.certificate_authorities[0].valid_for = window(-3600, -1)),
            &v1,
        ),
        Case::new(
            "sct-outside-window_fail",
            "The CT log saw the certificate a second after its key was retired.",
            "sct-not-trusted",
            &ended(&|trusted| trusted.ct_logs[0].valid_for = window(-3600, 99)),
            &message_v1_by(instance, late_sct, &key, now()),
        ),
    ]
}
