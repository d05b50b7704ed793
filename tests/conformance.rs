//! Bundles that no one here made: the Sigstore conformance suite's, and the releases of CPython.
//!
//! A verifier that refuses everything passes most of the suite, so each refusal must come with the reason in the table
//! below. The data is not part of the repository; see `embedded_entries` for where it is looked for.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use gitseal::crypto::digest::unhex;
use gitseal::crypto::{Digest, HashAlgorithm, PublicKey};
use gitseal::entity::Artifact;
use gitseal::entity::bundle::from_bundle;
use gitseal::format::bundle::Bundle;
use gitseal::format::pem;
use gitseal::format::x509::Identity;
use gitseal::trust::{TrustedRoot, embedded};
use gitseal::verify::{Requirements, Verifier};
use jiff::Timestamp;

const IDENTITY: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const ISSUER: &str = "https://token.actions.githubusercontent.com";

/// Why each case must be refused: where it stopped, and the beginning of the words or the stable code.
const REFUSALS: &[(&str, &str)] = &[
    ("bundle-empty-certificate-chain_fail", "bundle: the certificate chain of the bundle is empty"),
    ("bundle-from-wrong-instance_fail", "log-not-trusted"),
    ("dsse-mismatch-envelope_fail", "log-entry-mismatch"),
    ("integrated-time-in-future_fail", "certificate-not-valid-then"),
    ("intoto-expired-certificate_fail", "certificate-not-valid-then"),
    ("intoto-set-outside-signing-cert-validity_fail", "certificate-not-valid-then"),
    ("invalid-inclusion-proof_fail", "bundle: the inclusion proof of the log entry has no checkpoint"),
    ("managed-key-no-key_fail", "entity: the bundle was signed with a key of its own, and no key was given"),
    // The suite's "wrong key" is no key at all; `vectors` has a wrong one.
    ("managed-key-wrong-key_fail", "key: "),
    ("rekor2-checkpoint-missing-origin_fail", "checkpoint-malformed"),
    ("rekor2-checkpoint-missing-root-hash_fail", "checkpoint-malformed"),
    ("rekor2-checkpoint-missing-size_fail", "checkpoint-malformed"),
    ("rekor2-dsse-mismatch-envelope_fail", "log-entry-mismatch"),
    ("rekor2-no-timestamp_fail", "time-missing"),
    ("rekor2-timestamp-outside-trust-root-tsa-validity_fail", "timestamp-not-trusted"),
    ("rekor2-timestamp-outside-tsa-cert-validity_fail", "timestamp-invalid"),
    ("signature-mismatch_fail", "log-entry-mismatch"),
    ("trust-root-tlog-missing-validity-start_fail", "root: the trusted root has an entry without a start of validity"),
    ("wrong-hashedrekord-artifact_fail", "log-entry-mismatch"),
    ("wrong-material_fail", "entity: the bundle was made for an artifact with digest"),
];

fn shared() -> Option<PathBuf> {
    let shared = std::env::var_os("GITSEAL_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let conformance = shared.join("conformance");
    if conformance.is_dir() {
        return Some(conformance);
    }
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "no cases at {}", conformance.display());
    eprintln!("SKIPPED: no conformance cases at {} (set GITSEAL_SHARED)", conformance.display());
    None
}

/// Judge a bundle; the error says where it stopped and why.
fn judge(
    verifier: &Verifier,
    bundle: &[u8],
    artifact: Artifact,
    key: Option<PublicKey>,
    expected: Option<&Identity>,
) -> Result<(), String> {
    let with_key = key.is_some();
    let bundle = Bundle::from_json(bundle).map_err(|error| format!("bundle: {error}"))?;
    let entity = from_bundle(bundle, artifact, key).map_err(|error| format!("entity: {error}"))?;
    // A fixed time: verdicts do not depend on the clock, except that nothing may come from the future.
    let now: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
    let verified = verifier.verify(&entity, Requirements::default(), now);
    let verified = verified.map_err(|unverified| unverified.refusal.reason.code().to_owned())?;
    if with_key || verified.identity() == expected {
        Ok(())
    } else {
        Err(format!("identity: {:?}", verified.identity()))
    }
}

fn judge_case(folder: &Path, artifact: impl Fn(&[u8]) -> Artifact) -> Result<(), String> {
    let read = |name: &str| fs::read(folder.join(name)).ok();
    let text = |name: &str| read(name).map(|bytes| String::from_utf8(bytes).unwrap().trim().to_owned());
    let root = match read("trusted_root.json") {
        Some(json) => TrustedRoot::from_json(&json).map_err(|error| format!("root: {error}"))?,
        None => TrustedRoot::from_json(embedded::PUBLIC.trusted_root).unwrap(),
    };
    let key = text("key.pub").map(|text| {
        let der = pem::decode_all("PUBLIC KEY", &text).map_err(|error| format!("key: {error}"))?;
        PublicKey::from_spki_der(&der[0]).map_err(|error| format!("key: {error}"))
    });
    let expected = Identity {
        subject: text("identity").unwrap_or_else(|| IDENTITY.to_owned()),
        issuer: text("issuer").unwrap_or_else(|| ISSUER.to_owned()),
    };
    let file = read("artifact").unwrap_or_else(|| fs::read(folder.parent().unwrap().join("a.txt")).unwrap());
    let bundle = read("bundle.sigstore.json").unwrap();
    judge(&Verifier::new(root), &bundle, artifact(&file), key.transpose()?, Some(&expected))
}

#[test]
fn the_suites_cases_get_their_verdicts_for_the_right_reasons() {
    let Some(conformance) = shared() else { return };
    let mut folders: Vec<_> =
        fs::read_dir(conformance.join("bundle-verify")).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    let (mut good, mut refused) = (0, 0);
    let mut wrong = String::new();
    for folder in &folders {
        let name = folder.file_name().unwrap().to_str().unwrap();
        let by_file = judge_case(folder, |file| Artifact::Bytes(file.to_vec()));
        let by_digest = judge_case(folder, |file| Artifact::Digest(HashAlgorithm::Sha256.digest(file)));
        let expected = REFUSALS.iter().find(|(case, _)| *case == name).map(|(_, why)| *why);
        assert_eq!(expected.is_some(), name.ends_with("_fail"), "the table and the name of {name} disagree");
        for (how, verdict) in [("file", by_file), ("digest", by_digest)] {
            match (verdict, expected) {
                (Ok(()), None) => good += 1,
                (Err(why), Some(expected)) if why.starts_with(expected) => refused += 1,
                (verdict, expected) => {
                    writeln!(wrong, "{name} by {how}: got {verdict:?}, expected {expected:?}").unwrap();
                }
            }
        }
    }
    println!(
        "conformance: {} cases, each twice: {good} good, {refused} refused for the expected reason",
        folders.len()
    );
    assert!(wrong.is_empty(), "\n{wrong}");
    assert_eq!((good, refused), (22, 40));
}

#[test]
fn the_releases_of_cpython_are_good_and_not_interchangeable() {
    let Some(conformance) = shared() else { return };
    let bundles = fs::read_to_string(conformance.join("cpython/bundles.jsonl")).unwrap();
    let releases: Vec<serde_json::Value> = bundles.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let managers = fs::read_to_string(conformance.join("cpython/signing-identities.json")).unwrap();
    let managers: Vec<serde_json::Value> = serde_json::from_str(&managers).unwrap();
    let verifier = Verifier::new(TrustedRoot::from_json(embedded::PUBLIC.trusted_root).unwrap());
    let digest = |release: &serde_json::Value| {
        let bytes = unhex(release["sha256"].as_str().unwrap()).unwrap();
        Artifact::Digest(Digest::from_bytes(HashAlgorithm::Sha256, &bytes).unwrap())
    };
    for (at, release) in releases.iter().enumerate() {
        let file = release["file"].as_str().unwrap();
        let version = release["release"].as_str().unwrap();
        let series = version.rsplitn(2, '.').last().unwrap();
        let manager = managers.iter().find(|one| one["Release"] == series).unwrap();
        let expected = Identity {
            subject: manager["Release manager"].as_str().unwrap().to_owned(),
            issuer: manager["OIDC Issuer"].as_str().unwrap().to_owned(),
        };
        let bundle = match &release["bundle"] {
            serde_json::Value::String(text) => text.clone(),
            json => json.to_string(),
        };
        let judge = |artifact| judge(&verifier, bundle.as_bytes(), artifact, None, Some(&expected));
        assert_eq!(judge(digest(release)), Ok(()), "{file}");
        let other = releases.iter().cycle().skip(at + 1).find(|other| other["sha256"] != release["sha256"]).unwrap();
        let refused = judge(digest(other)).unwrap_err();
        assert!(refused.starts_with("entity: the bundle was made for an artifact with digest"), "{file}: {refused}");
    }
    println!("conformance: {} releases of CPython good, each refused for another's digest", releases.len());
    assert!(releases.len() > 100);
}
