//! A Sigstore of plain functions: an authority, a CT log, a log of each kind, a timestamp authority, and their root.
//!
//! It signs whatever it is asked to, at whatever time, so that each test can put exactly one thing wrong.

use gitseal::crypto::{EphemeralKey, HashAlgorithm, KeyKind, Keypair, PublicKey, ServiceKey};
use gitseal::entity::{Artifact, SignatureContent, SignedEntity, SignerKey, VerificationMaterial};
use gitseal::format::dsse::{self, Envelope};
use gitseal::format::issue::{self, DistinguishedName, Precertificate, Subject, SubjectName, Validity};
use gitseal::format::log_entry::{self, EntryKind, InclusionProof, LogEntry, LoggedKey};
use gitseal::format::merkle::{self, Tree};
use gitseal::format::time::Interval;
use gitseal::format::timestamp::TstInfo;
use gitseal::format::timestamp_token;
use gitseal::format::x509::Certificate;
use gitseal::format::{checkpoint, intoto, pem};
use gitseal::trust::{Authority, LogKey, TrustedRoot};
use jiff::{SignedDuration, Timestamp};

pub(super) const P256_DETAILS: &str = "PKIX_ECDSA_P256_SHA_256";
pub(super) const V1_NAME: &str = "rekor.example";
pub(super) const V2_NAME: &str = "log2026.example";

/// When everything in the tests is signed.
pub(super) fn now() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

/// So many seconds after [`now`], or before.
pub(super) fn at(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

/// From so many seconds after [`now`] to so many.
pub(super) fn window(start: i64, end: i64) -> Interval {
    Interval { start: at(start), end: Some(at(end)) }
}

const YEAR: i64 = 365 * 24 * 3600;

/// The years around [`now`].
pub(super) fn wide() -> Interval {
    window(-5 * YEAR, 5 * YEAR)
}

fn validity(interval: Interval) -> Validity {
    Validity { not_before: interval.start, not_after: interval.end.unwrap() }
}

/// A whole Sigstore.
pub(super) struct Instance {
    pub(super) intermediate: ServiceKey,
    pub(super) ct_log: ServiceKey,
    pub(super) log_v1: ServiceKey,
    pub(super) log_v2: ServiceKey,
    pub(super) tsa: ServiceKey,
    pub(super) tsa_root: ServiceKey,
    pub(super) tsa_certificate: Vec<u8>,
    pub(super) trusted: TrustedRoot,
}

fn key(kind: KeyKind) -> ServiceKey {
    ServiceKey::generate(kind).unwrap()
}

fn name(common_name: &str) -> DistinguishedName {
    DistinguishedName { organization: "example".to_owned(), common_name: common_name.to_owned() }
}

pub(super) fn log_key(name: &str, key: &PublicKey, valid_for: Interval) -> LogKey {
    let id = checkpoint::log_id(name, key);
    LogKey {
        base_url: format!("https://{name}"),
        operator: String::new(),
        name: name.to_owned(),
        name_with_port: name.to_owned(),
        id,
        checkpoint_key_id: *id.first_chunk().unwrap(),
        key: key.clone(),
        valid_for,
    }
}

impl Instance {
    pub(super) fn new() -> Self {
        Self::with_stamps_by(KeyKind::EcdsaP256)
    }

    /// An instance whose timestamp authority has a key of that kind.
    pub(super) fn with_stamps_by(tsa_kind: KeyKind) -> Self {
        let (root, intermediate) = (key(KeyKind::EcdsaP384), key(KeyKind::EcdsaP384));
        let (tsa_root, tsa) = (key(KeyKind::EcdsaP384), key(tsa_kind));
        let (root_name, tsa_name) = (name("root"), name("tsa root"));
        let anchor = issue::Authority { name: &root_name, key: &root };
        let root_der = anchor.root([1; 20], validity(wide())).unwrap();
        let subject = Subject { serial: [2; 20], validity: validity(wide()), public_key: intermediate.public_key() };
        let intermediate_der = anchor.intermediate(&name("intermediate"), &subject).unwrap();
        let stamper = issue::Authority { name: &tsa_name, key: &tsa_root };
        let tsa_root_der = stamper.root([3; 20], validity(wide())).unwrap();
        let subject = Subject { serial: [4; 20], validity: validity(wide()), public_key: tsa.public_key() };
        let tsa_certificate = stamper.timestamper(&name("tsa"), &subject).unwrap();

        let (ct_log, log_v1, log_v2) = (key(KeyKind::EcdsaP256), key(KeyKind::EcdsaP256), key(KeyKind::Ed25519));
        let chain = |ders: [&[u8]; 2]| ders.map(|der| Certificate::from_der(der).unwrap()).to_vec();
        let authority =
            |uri: &str, chain, valid_for| Authority { uri: uri.to_owned(), operator: String::new(), chain, valid_for };
        let trusted = TrustedRoot {
            logs: vec![log_key(V1_NAME, log_v1.public_key(), wide()), log_key(V2_NAME, log_v2.public_key(), wide())],
            ct_logs: vec![log_key("ct.example", ct_log.public_key(), wide())],
            certificate_authorities: vec![authority(
                "https://fulcio.example",
                chain([&intermediate_der, &root_der]),
                wide(),
            )],
            timestamp_authorities: vec![authority(
                "https://tsa.example",
                chain([&tsa_certificate, &tsa_root_der]),
                wide(),
            )],
        };
        Instance { intermediate, ct_log, log_v1, log_v2, tsa, tsa_root, tsa_certificate, trusted }
    }

    /// A leaf for `key`, before a CT log has seen it, finished by `log`.
    pub(super) fn leaf_with(
        &self,
        key: &PublicKey,
        interval: Interval,
        log: impl FnOnce(Precertificate<'_>) -> Vec<u8>,
    ) -> Certificate {
        let authority_name = name("intermediate");
        let authority = issue::Authority { name: &authority_name, key: &self.intermediate };
        let subject = Subject { serial: [5; 20], validity: validity(interval), public_key: key };
        let san = SubjectName::Email("someone@example.com".to_owned());
        let precertificate = authority.fulcio_leaf(&subject, &san, "https://issuer.example").unwrap();
        Certificate::from_der(&log(precertificate)).unwrap()
    }

    /// A leaf of ten minutes around [`now`].
    pub(super) fn leaf(&self, key: &PublicKey) -> Certificate {
        self.leaf_valid(key, window(-300, 300))
    }

    pub(super) fn leaf_valid(&self, key: &PublicKey, interval: Interval) -> Certificate {
        self.leaf_with(key, interval, |pre| pre.logged_by(&self.ct_log, now()).unwrap())
    }

    /// An entry of the Rekor v1 log, the second of three, integrated at `time`.
    pub(super) fn log_v1(&self, kind: EntryKind, body: Vec<u8>, time: Timestamp) -> LogEntry {
        let log_id = checkpoint::log_id(V1_NAME, self.log_v1.public_key());
        let log_index = 1_000_001;
        let payload = log_entry::set_payload(&body, time, &log_id, log_index);
        LogEntry {
            log_index,
            log_id,
            kind,
            integrated_time: Some(time),
            inclusion_promise: Some(self.log_v1.sign(&payload)),
            inclusion_proof: Some(proof(&body, "rekor.example - 17", V1_NAME, &self.log_v1)),
            canonicalized_body: body,
        }
    }

    /// An entry of the Rekor v2 log, the second of three.
    pub(super) fn log_v2(&self, kind: EntryKind, body: Vec<u8>) -> LogEntry {
        LogEntry {
            log_index: 1,
            log_id: checkpoint::log_id(V2_NAME, self.log_v2.public_key()),
            kind,
            integrated_time: None,
            inclusion_promise: None,
            inclusion_proof: Some(proof(&body, V2_NAME, V2_NAME, &self.log_v2)),
            canonicalized_body: body,
        }
    }

    /// A stamp over `signature` at `time`.
    pub(super) fn stamp(&self, signature: &[u8], time: Timestamp) -> Vec<u8> {
        self.stamp_with(signature, time, HashAlgorithm::Sha256, &[&self.tsa_certificate])
    }

    pub(super) fn stamp_with(
        &self,
        signature: &[u8],
        time: Timestamp,
        hash: HashAlgorithm,
        embedded: &[&[u8]],
    ) -> Vec<u8> {
        timestamp_token::sign(&info(signature, time, hash), &self.tsa_certificate, embedded, time, &self.tsa).unwrap()
    }
}

pub(super) fn info(signature: &[u8], time: Timestamp, hash: HashAlgorithm) -> TstInfo {
    TstInfo {
        policy: "1.3.6.1.4.1.57264.2".to_owned(),
        imprint: hash.digest(signature),
        serial: vec![7],
        time,
        accuracy: None,
        ordering: false,
        nonce: None,
    }
}

/// A proof that `body` is the second leaf of three.
pub(super) fn proof(body: &[u8], origin: &str, name: &str, key: &ServiceKey) -> InclusionProof {
    let mut tree = Tree::new();
    for leaf in [b"before".as_slice(), body, b"after"] {
        tree.push(merkle::leaf_hash(leaf));
    }
    let root_hash = tree.root(3).unwrap();
    InclusionProof {
        log_index: 1,
        root_hash,
        tree_size: 3,
        hashes: tree.inclusion_proof(1, 3).unwrap(),
        checkpoint: checkpoint::sign(origin, 3, &root_hash, name, key),
    }
}

pub(super) const ARTIFACT: &[u8] = b"what was signed";

/// A signature over [`ARTIFACT`] logged in Rekor v1 at this time, with this leaf, which is for `key` if all is well.
pub(super) fn message_v1_by(
    instance: &Instance,
    leaf: Certificate,
    key: &dyn Keypair,
    time: Timestamp,
) -> SignedEntity {
    let signature = key.sign(ARTIFACT);
    let body = log_entry::hashedrekord_v001(&HashAlgorithm::Sha256.digest(ARTIFACT), &signature, &leaf.to_pem());
    let entry = instance.log_v1(EntryKind::HashedRekordV001, body, time);
    entity(leaf, SignatureContent::Message(signature), vec![entry], vec![])
}

/// A signature over [`ARTIFACT`] logged in Rekor v2, with a stamp.
pub(super) fn message_v2_by(
    instance: &Instance,
    leaf: Certificate,
    key: &dyn Keypair,
    time: Timestamp,
) -> SignedEntity {
    let signature = key.sign(ARTIFACT);
    let logged = LoggedKey::Certificate(leaf.der().to_vec());
    let digest = HashAlgorithm::Sha256.digest(ARTIFACT);
    let body = log_entry::hashedrekord_v002(&digest, &signature, &logged, P256_DETAILS);
    let stamp = instance.stamp(&signature, time);
    let entry = instance.log_v2(EntryKind::HashedRekordV002, body);
    entity(leaf, SignatureContent::Message(signature), vec![entry], vec![stamp])
}

/// A good entity of each log.
pub(super) fn good_v1(instance: &Instance) -> (EphemeralKey, SignedEntity) {
    let key = EphemeralKey::generate();
    let entity = message_v1_by(instance, instance.leaf(key.public_key()), &key, now());
    (key, entity)
}

pub(super) fn good_v2(instance: &Instance) -> (EphemeralKey, SignedEntity) {
    let key = EphemeralKey::generate();
    let entity = message_v2_by(instance, instance.leaf(key.public_key()), &key, now());
    (key, entity)
}

/// A statement about `artifact` in an envelope of that type, signed by `key`.
pub(super) fn envelope(key: &EphemeralKey, payload_type: &str, artifact: &[u8]) -> Envelope {
    let digest = HashAlgorithm::Sha256.digest(artifact).to_hex();
    let payload = format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"digest":{{"sha256":"{digest}"}}}}],"predicateType":"https://example.com/p","predicate":{{}}}}"#
    )
    .into_bytes();
    let signature = key.sign(&dsse::pae(payload_type, &payload));
    Envelope { payload_type: payload_type.to_owned(), payload, signature, keyid: String::new() }
}

/// How an envelope is logged.
#[derive(Clone, Copy, Debug)]
pub(super) enum EnvelopeLog {
    V1Dsse,
    V2Dsse,
    V2HashedRekord,
}

/// An attestation about [`ARTIFACT`], logged in one of three ways.
pub(super) fn attestation(
    instance: &Instance,
    key: &EphemeralKey,
    envelope: Envelope,
    how: EnvelopeLog,
) -> SignedEntity {
    let leaf = instance.leaf(key.public_key());
    let logged = LoggedKey::Certificate(leaf.der().to_vec());
    let payload = HashAlgorithm::Sha256.digest(&envelope.payload);
    let signature = &envelope.signature;
    let entry = match how {
        EnvelopeLog::V1Dsse => {
            let json = HashAlgorithm::Sha256.digest(envelope.to_json().as_bytes());
            let body = log_entry::dsse_v001(&json, &payload, signature, &leaf.to_pem());
            instance.log_v1(EntryKind::DsseV001, body, now())
        }
        EnvelopeLog::V2Dsse => {
            let body = log_entry::dsse_v002(&payload, signature, &logged, P256_DETAILS);
            instance.log_v2(EntryKind::DsseV002, body)
        }
        EnvelopeLog::V2HashedRekord => {
            let digest = HashAlgorithm::Sha256.digest(&envelope.pae());
            let body = log_entry::hashedrekord_v002(&digest, signature, &logged, P256_DETAILS);
            instance.log_v2(EntryKind::HashedRekordV002, body)
        }
    };
    let stamps = match how {
        EnvelopeLog::V1Dsse => vec![],
        EnvelopeLog::V2Dsse | EnvelopeLog::V2HashedRekord => vec![instance.stamp(signature, now())],
    };
    entity(leaf, SignatureContent::Dsse(envelope), vec![entry], stamps)
}

/// A signature by a bare key.
pub(super) fn managed(instance: &Instance, key: &EphemeralKey) -> SignedEntity {
    let signature = key.sign(ARTIFACT);
    let pem = pem::encode("PUBLIC KEY", key.public_key().spki_der());
    let body = log_entry::hashedrekord_v001(&HashAlgorithm::Sha256.digest(ARTIFACT), &signature, &pem);
    let entry = instance.log_v1(EntryKind::HashedRekordV001, body, now());
    SignedEntity {
        artifact: Artifact::Bytes(ARTIFACT.to_vec()),
        signature: SignatureContent::Message(signature),
        material: VerificationMaterial {
            signer: SignerKey::PublicKey(key.public_key().clone()),
            chain: vec![],
            log_entries: vec![entry],
            timestamps: vec![],
        },
    }
}

pub(super) fn entity(
    leaf: Certificate,
    signature: SignatureContent,
    log_entries: Vec<LogEntry>,
    timestamps: Vec<Vec<u8>>,
) -> SignedEntity {
    SignedEntity {
        artifact: Artifact::Bytes(ARTIFACT.to_vec()),
        signature,
        material: VerificationMaterial {
            signer: SignerKey::Certificate(Box::new(leaf)),
            chain: vec![],
            log_entries,
            timestamps,
        },
    }
}

pub(super) const STATEMENT: &str = intoto::PAYLOAD_TYPE;
