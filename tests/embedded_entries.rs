//! The log entries embedded in real signatures: each is read, written again to the same bytes, and good as a bundle.

use std::fs;
use std::path::PathBuf;

use base64ct::{Base64, Encoding as _};
use const_oid::ObjectIdentifier;
use gitseal::entity::Artifact;
use gitseal::entity::bundle::{from_bundle, to_bundle};
use gitseal::entity::cms::from_cms;
use gitseal::format::bundle::Bundle;
use gitseal::format::cms::SignedData;
use gitseal::format::git::{Armour, Object, ObjectKind, SecondSignature, decode_armour};
use gitseal::format::log_entry::EntryKind;
use gitseal::format::{experimental, tle};
use gitseal::trust::{TrustedRoot, embedded};
use gitseal::verify::{Requirements, Verifier};

/// The attribute 1.3.6.1.4.1.57264.3.1 up to its SET, in DER.
const ATTRIBUTE: &[u8] = &[0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xbf, 0x30, 0x03, 0x01, 0x31];

/// The corpus of real objects, which is not part of the repository.
fn corpus() -> Option<PathBuf> {
    let shared = std::env::var_os("GITSEAL_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let corpus = shared.join("corpus");
    if corpus.is_dir() {
        return Some(corpus);
    }
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "no corpus at {}", corpus.display());
    eprintln!("SKIPPED: no corpus at {} (set GITSEAL_SHARED)", corpus.display());
    None
}

/// The CMS of an object, found without our own parsers.
fn cms(object: &str) -> Vec<u8> {
    let (_, rest) = object.split_once("-----BEGIN SIGNED MESSAGE-----").unwrap();
    let (armour, _) = rest.split_once("-----END SIGNED MESSAGE-----").unwrap();
    let base64: String = armour.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    Base64::decode_vec(&base64).unwrap()
}

/// The contents and the rest of the DER element at the start of `der`.
fn element(der: &[u8]) -> (&[u8], &[u8]) {
    let (header, len) = match der[1] {
        0x82 => (4, usize::from(der[2]) << 8 | usize::from(der[3])),
        0x81 => (3, usize::from(der[2])),
        short => (2, usize::from(short)),
    };
    der[header..].split_at(len)
}

fn find(haystack: &[u8], needle: &[u8]) -> usize {
    haystack.windows(needle.len()).position(|window| window == needle).unwrap()
}

#[test]
fn every_embedded_entry_is_read_and_written_alike() {
    let Some(corpus) = corpus() else { return };
    let (mut offline, mut experimental) = (0, 0);
    for line in fs::read_to_string(corpus.join("index.jsonl")).unwrap().lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        let file = entry["file"].as_str().unwrap();
        let read = match entry["style"].as_str() {
            Some("offline") => {
                offline += 1;
                let der = cms(&String::from_utf8_lossy(&fs::read(corpus.join(file)).unwrap()));
                let set = element(&der[find(&der, ATTRIBUTE) + ATTRIBUTE.len() - 1..]).0;
                let (message, rest) = element(set);
                assert_eq!((set[0], rest), (0x04, &[][..]), "{file}");
                let read = tle::decode(message, |_| Vec::new()).unwrap_or_else(|error| panic!("{file}: {error}"));
                assert_eq!(tle::encode(&read), message, "{file}");
                read
            }
            Some("offline-experimental") => {
                experimental += 1;
                let der = cms(&String::from_utf8_lossy(&fs::read(corpus.join(file)).unwrap()));
                let attributes = experimental_attributes(&der);
                let read =
                    experimental::decode(attributes.iter().map(|(oid, value)| (*oid, &value[..])), |_| Vec::new());
                read.unwrap_or_else(|error| panic!("{file}: {error}"))
            }
            _ => continue,
        };
        let proof = read.inclusion_proof.as_ref().unwrap();
        assert_eq!(read.kind, EntryKind::HashedRekordV001, "{file}");
        assert_eq!(Some(read.log_index), entry["log_index"].as_u64(), "{file}");
        assert_eq!(read.integrated_time.map(jiff::Timestamp::as_second), entry["integrated_time"].as_i64(), "{file}");
        assert_eq!(Some(proof.log_index), entry["tlog_proof_index"].as_u64(), "{file}");
        assert_eq!(Some(proof.tree_size), entry["tlog_tree_size"].as_u64(), "{file}");
        assert_eq!(Some(&*gitseal::crypto::digest::hex(&read.log_id)), entry["log_id"].as_str(), "{file}");
    }
    assert_eq!((offline, experimental), (53, 1));
}

/// What `show --bundle` exports: the signed attributes are the artifact, and any Sigstore client can check them.
#[test]
fn every_signature_with_an_embedded_entry_is_good_as_a_bundle() {
    let Some(corpus) = corpus() else { return };
    let verifier = Verifier::new(TrustedRoot::from_json(embedded::PUBLIC.trusted_root).unwrap());
    let now = "2026-11-22T00:00:00Z".parse().unwrap();
    let mut good = 0;
    for line in fs::read_to_string(corpus.join("index.jsonl")).unwrap().lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        let file = entry["file"].as_str().unwrap();
        if !matches!(entry["style"].as_str(), Some("offline" | "offline-experimental")) {
            continue;
        }
        let kind = if entry["type"] == "tag" { ObjectKind::Tag } else { ObjectKind::Commit };
        let object = Object::parse(kind, &fs::read(corpus.join(file)).unwrap(), SecondSignature::Refused).unwrap();
        let Some(Armour::Cms(armour)) = object.signature else { panic!("{file} has no CMS signature") };
        let message = SignedData::parse(&decode_armour(&armour).unwrap().0).unwrap();
        let entity = from_cms(&message).unwrap();
        let json = to_bundle(&entity).to_json();
        let read = |artifact| from_bundle(Bundle::from_json(json.as_bytes()).unwrap(), artifact, None).unwrap();
        let again = read(Artifact::Bytes(message.signer.signed_attributes.clone()));
        assert_eq!(again.material.log_entries, entity.material.log_entries, "{file}");
        let verdict = verifier.verify(&again, Requirements::default(), now);
        let verified = verdict.unwrap_or_else(|unverified| panic!("{file}: {}", unverified.refusal));
        let san = entry["san"][0][1].as_str().unwrap();
        assert_eq!(verified.identity().unwrap().subject, san, "{file}");
        good += 1;
    }
    assert_eq!(good, 54);
}

/// The attributes under 1.3.6.1.4.1.57264.3 of the unsigned attributes, which here are the end of the message.
fn experimental_attributes(der: &[u8]) -> Vec<(ObjectIdentifier, Vec<u8>)> {
    let arc = &ATTRIBUTE[..11];
    let mut found = Vec::new();
    let mut rest = der;
    while let Some(at) = rest.windows(arc.len()).position(|window| window == arc) {
        let oid = ObjectIdentifier::from_bytes(&rest[at + 2..at + 12]).unwrap();
        let (value, after) = element(&rest[at + 12..]);
        found.push((oid, value.to_vec()));
        rest = after;
    }
    found
}
