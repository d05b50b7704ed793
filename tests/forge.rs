//! A forge: signatures with every time and every certificate of one's choosing, by keys that the forge's own trusted
//! root lists. The sandbox cannot do this, for it tells the truth.

use gitseal::crypto::{EphemeralKey, HashAlgorithm, KeyKind, Keypair, ServiceKey, random};
use gitseal::entity::{Artifact, SignatureContent, SignedEntity, SignerKey, VerificationMaterial};
use gitseal::format::issue::{Authority as Issuer, DistinguishedName, Subject, SubjectName, Validity};
use gitseal::format::log_entry::{self, EntryKind, InclusionProof, LogEntry, LoggedKey};
use gitseal::format::time::Interval;
use gitseal::format::timestamp::TstInfo;
use gitseal::format::x509::Certificate;
use gitseal::format::{checkpoint, merkle, timestamp_token};
use gitseal::trust::{Authority, LogKey, TrustedRoot};
use jiff::Timestamp;

/// The name under which the forge's logs sign.
const HOST: &str = "log.example.com";
/// Who signs.
pub(crate) const SUBJECT: &str = "dev@example.com";
/// Who vouches for it.
pub(crate) const OIDC_ISSUER: &str = "https://accounts.example.com";
/// What is signed.
pub(crate) const MESSAGE: &[u8] = b"the message";

/// Seconds since an arbitrary beginning, all at once small enough to read.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).expect("a small number")
}

/// Every time that a verdict depends on. The signature of [`Times::default`] is made at 50 and good.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    pub(crate) root: (i64, i64),
    pub(crate) intermediate: (i64, i64),
    pub(crate) leaf: (i64, i64),
    pub(crate) authority_window: (i64, i64),
    pub(crate) sct: i64,
    pub(crate) ct_window: (i64, i64),
    pub(crate) integrated: i64,
    pub(crate) log_window: (i64, i64),
    pub(crate) stamp: i64,
    pub(crate) stamp_root: (i64, i64),
    pub(crate) stamp_leaf: (i64, i64),
    pub(crate) stamp_window: (i64, i64),
}

impl Default for Times {
    fn default() -> Self {
        let wide = (0, 100);
        Times {
            root: wide,
            intermediate: wide,
            leaf: (40, 60),
            authority_window: wide,
            sct: 45,
            ct_window: wide,
            integrated: 50,
            log_window: wide,
            stamp: 51,
            stamp_root: wide,
            stamp_leaf: wide,
            stamp_window: wide,
        }
    }
}

/// How the time of a signature is proven.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// By a Rekor v1 log alone.
    LogV1,
    /// By a Rekor v1 log and a stamp.
    LogV1AndStamp,
    /// By a stamp: a Rekor v2 log has no clock.
    LogV2AndStamp,
    /// Not at all: a Rekor v2 log without a stamp.
    LogV2,
}

/// Keys, and what they have signed.
pub(crate) struct Forge {
    root: ServiceKey,
    intermediate: ServiceKey,
    ct_log: ServiceKey,
    log_v1: ServiceKey,
    log_v2: ServiceKey,
    stamp_root: ServiceKey,
    stamp_leaf: ServiceKey,
    signer: EphemeralKey,
}

impl Forge {
    pub(crate) fn new() -> Self {
        let key = |kind| ServiceKey::generate(kind).expect("the kind is supported");
        Forge {
            root: key(KeyKind::EcdsaP384),
            intermediate: key(KeyKind::EcdsaP384),
            ct_log: key(KeyKind::EcdsaP256),
            log_v1: key(KeyKind::EcdsaP256),
            log_v2: key(KeyKind::Ed25519),
            // Ed25519 signs the same thing the same way: the stamp's certificate, which stamps name by its digest, is one
            // certificate however often it is made.
            stamp_root: key(KeyKind::Ed25519),
            stamp_leaf: key(KeyKind::EcdsaP256),
            signer: EphemeralKey::generate(),
        }
    }

    /// The trusted root of these keys.
    pub(crate) fn trusted_root(&self, times: &Times) -> TrustedRoot {
        let stamp_root = self.stamp_root_certificate(times);
        TrustedRoot {
            logs: vec![log_key(&self.log_v1, times.log_window), log_key(&self.log_v2, times.log_window)],
            ct_logs: vec![log_key(&self.ct_log, times.ct_window)],
            certificate_authorities: vec![Authority {
                uri: "https://ca.example.com".into(),
                operator: String::new(),
                chain: vec![self.intermediate_certificate(times), self.root_certificate(times)],
                valid_for: interval(times.authority_window),
            }],
            timestamp_authorities: vec![Authority {
                uri: "https://tsa.example.com".into(),
                operator: String::new(),
                chain: vec![self.stamp_certificate(times), stamp_root],
                valid_for: interval(times.stamp_window),
            }],
        }
    }

    /// A signature over [`MESSAGE`].
    pub(crate) fn sign(&self, times: &Times, proof: Proof) -> SignedEntity {
        let leaf = self.leaf(times);
        let signature = self.signer.sign(MESSAGE);
        let entry = match proof {
            Proof::LogV1 | Proof::LogV1AndStamp => self.entry_v1(times, &leaf, &signature),
            Proof::LogV2 | Proof::LogV2AndStamp => self.entry_v2(&leaf, &signature),
        };
        let timestamps = match proof {
            Proof::LogV1AndStamp | Proof::LogV2AndStamp => vec![self.stamp(times, &signature)],
            Proof::LogV1 | Proof::LogV2 => Vec::new(),
        };
        SignedEntity {
            artifact: Artifact::Bytes(MESSAGE.to_vec()),
            signature: SignatureContent::Message(signature),
            material: VerificationMaterial {
                signer: SignerKey::Certificate(Box::new(leaf)),
                chain: Vec::new(),
                log_entries: vec![entry],
                timestamps,
            },
        }
    }

    /// The signer's key, to sign more with.
    pub(crate) fn signer(&self) -> &EphemeralKey {
        &self.signer
    }

    /// The signer's certificate.
    pub(crate) fn leaf(&self, times: &Times) -> Certificate {
        let name = name("intermediate");
        let issuer = Issuer { name: &name, key: &self.intermediate };
        let subject =
            Subject { serial: serial("leaf"), validity: validity(times.leaf), public_key: self.signer.public_key() };
        let precertificate =
            issuer.fulcio_leaf(&subject, &SubjectName::Email(SUBJECT.into()), OIDC_ISSUER).expect("a valid name");
        parse(&precertificate.logged_by(&self.ct_log, at(times.sct)).expect("a P-256 log"))
    }

    /// A certificate of the chain that has no business among the signer's.
    pub(crate) fn root_certificate(&self, times: &Times) -> Certificate {
        let name = name("root");
        parse(&Issuer { name: &name, key: &self.root }.root(serial("root"), validity(times.root)).expect("a root"))
    }

    fn intermediate_certificate(&self, times: &Times) -> Certificate {
        let (above, own) = (name("root"), name("intermediate"));
        let subject = Subject {
            serial: serial("intermediate"),
            validity: validity(times.intermediate),
            public_key: self.intermediate.public_key(),
        };
        parse(&Issuer { name: &above, key: &self.root }.intermediate(&own, &subject).expect("an intermediate"))
    }

    fn stamp_root_certificate(&self, times: &Times) -> Certificate {
        let name = name("stamp root");
        let issuer = Issuer { name: &name, key: &self.stamp_root };
        parse(&issuer.root(serial("stamp root"), validity(times.stamp_root)).expect("a root"))
    }

    fn stamp_certificate(&self, times: &Times) -> Certificate {
        let (above, own) = (name("stamp root"), name("stamp"));
        let subject = Subject {
            serial: serial("stamp"),
            validity: validity(times.stamp_leaf),
            public_key: self.stamp_leaf.public_key(),
        };
        parse(&Issuer { name: &above, key: &self.stamp_root }.timestamper(&own, &subject).expect("a stamper"))
    }

    /// A stamp over `signature`.
    pub(crate) fn stamp(&self, times: &Times, signature: &[u8]) -> Vec<u8> {
        let info = TstInfo {
            policy: "1.3.6.1.4.1.57264.2".into(),
            imprint: HashAlgorithm::Sha256.digest(signature),
            serial: vec![1],
            time: at(times.stamp),
            accuracy: None,
            ordering: false,
            nonce: None,
        };
        let certificate = self.stamp_certificate(times);
        timestamp_token::sign(&info, certificate.der(), &[], at(times.stamp), &self.stamp_leaf).expect("a token")
    }

    fn entry_v1(&self, times: &Times, leaf: &Certificate, signature: &[u8]) -> LogEntry {
        let digest = HashAlgorithm::Sha256.digest(MESSAGE);
        let body = log_entry::hashedrekord_v001(&digest, signature, &leaf.to_pem());
        let mut entry = logged(EntryKind::HashedRekordV001, body, &self.log_v1);
        entry.integrated_time = Some(at(times.integrated));
        self.promise(&mut entry);
        entry
    }

    fn entry_v2(&self, leaf: &Certificate, signature: &[u8]) -> LogEntry {
        let digest = HashAlgorithm::Sha256.digest(MESSAGE);
        let key = LoggedKey::Certificate(leaf.der().to_vec());
        let body = log_entry::hashedrekord_v002(&digest, signature, &key, "PKIX_ECDSA_P256_SHA_256");
        logged(EntryKind::HashedRekordV002, body, &self.log_v2)
    }

    /// Sign the entry's time and index anew, as the log would.
    pub(crate) fn promise(&self, entry: &mut LogEntry) {
        let time = entry.integrated_time.expect("a v1 entry");
        let payload = log_entry::set_payload(&entry.canonicalized_body, time, &entry.log_id, entry.log_index);
        entry.inclusion_promise = Some(self.log_v1.sign(&payload));
    }
}

/// An entry in a log of three, between two others.
fn logged(kind: EntryKind, body: Vec<u8>, key: &ServiceKey) -> LogEntry {
    let mut tree = merkle::Tree::new();
    tree.push(merkle::leaf_hash(b"before"));
    let index = tree.push(merkle::leaf_hash(&body));
    tree.push(merkle::leaf_hash(b"after"));
    let root_hash = tree.root(tree.size()).expect("the whole tree");
    LogEntry {
        log_index: index,
        log_id: checkpoint::log_id(HOST, key.public_key()),
        kind,
        integrated_time: None,
        inclusion_promise: None,
        inclusion_proof: Some(InclusionProof {
            log_index: index,
            root_hash,
            tree_size: tree.size(),
            hashes: tree.inclusion_proof(index, tree.size()).expect("a leaf of the tree"),
            checkpoint: checkpoint::sign(HOST, tree.size(), &root_hash, HOST, key),
        }),
        canonicalized_body: body,
    }
}

fn log_key(key: &ServiceKey, window: (i64, i64)) -> LogKey {
    let id = checkpoint::log_id(HOST, key.public_key());
    LogKey {
        base_url: format!("https://{HOST}"),
        operator: String::new(),
        name: HOST.into(),
        name_with_port: HOST.into(),
        id,
        checkpoint_key_id: [id[0], id[1], id[2], id[3]],
        key: key.public_key().clone(),
        valid_for: interval(window),
    }
}

fn interval((start, end): (i64, i64)) -> Interval {
    Interval { start: at(start), end: Some(at(end)) }
}

fn validity((not_before, not_after): (i64, i64)) -> Validity {
    Validity { not_before: at(not_before), not_after: at(not_after) }
}

fn name(common_name: &str) -> DistinguishedName {
    DistinguishedName { organization: "forge".into(), common_name: common_name.into() }
}

/// The same for the same certificate.
fn serial(of: &str) -> [u8; 20] {
    let mut serial = [1; 20];
    serial[1..1 + of.len()].copy_from_slice(of.as_bytes());
    serial
}

fn parse(der: &[u8]) -> Certificate {
    Certificate::from_der(der).expect("the forge makes certificates that parse")
}

/// A signature by nobody.
pub(crate) fn noise() -> Vec<u8> {
    random::bytes::<64>().to_vec()
}
