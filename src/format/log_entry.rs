//! Transparency log entries: what Rekor v1 and v2 hand out as evidence, and the canonical bodies they log.
//!
//! Follows dev.sigstore.rekor.v1.TransparencyLogEntry (protobuf-specs), the hashedrekord and dsse types of Rekor v1,
//! hashedrekord 0.0.2 of Rekor v2, and RFC 8785 for the canonical JSON. Merkle proofs are checked in
//! [`merkle`](super::merkle), checkpoints in [`checkpoint`](super::checkpoint); bodies are read in
//! [`logged_body`](super::logged_body).

use base64ct::{Base64, Encoding as _};
use jiff::Timestamp;

use crate::crypto::{Digest, HashAlgorithm, KeyKind, PublicKey, digest::hex};

/// Longest audit path: a tree of 2^63 leaves has no longer one.
pub const MAX_PROOF_HASHES: usize = 64;
/// Longest signed note that is read, in bytes: a few hundred, and about a hundred for each witness.
pub const MAX_CHECKPOINT_LEN: usize = 32 * 1024;
/// Longest signed entry timestamp that is read, in bytes: RSA with 8192 bits has 1024.
pub const MAX_SET_LEN: usize = 1024;

/// The identity of a log: SHA-256 of its key (v1) or of its C2SP key id input (v2).
pub type LogId = [u8; 32];

/// Which type of entry it is; every other kind or version is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// Rekor v1 hashedrekord 0.0.1.
    HashedRekordV001,
    /// Rekor v2 hashedrekord 0.0.2.
    HashedRekordV002,
    /// Rekor v1 dsse 0.0.1.
    DsseV001,
    /// Rekor v2 dsse 0.0.2.
    DsseV002,
    /// Rekor v1 intoto 0.0.2, no longer written.
    IntotoV002,
}

impl EntryKind {
    /// What `kind` and `version` name; `None` when entries of that type are not read here.
    #[must_use]
    pub fn from_kind_version(kind: &str, version: &str) -> Option<Self> {
        match (kind, version) {
            ("hashedrekord", "0.0.1") => Some(Self::HashedRekordV001),
            ("hashedrekord", "0.0.2") => Some(Self::HashedRekordV002),
            ("dsse", "0.0.1") => Some(Self::DsseV001),
            ("dsse", "0.0.2") => Some(Self::DsseV002),
            ("intoto", "0.0.2") => Some(Self::IntotoV002),
            _ => None,
        }
    }

    /// `kindVersion.kind`, and the `kind` of the body.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::HashedRekordV001 | Self::HashedRekordV002 => "hashedrekord",
            Self::DsseV001 | Self::DsseV002 => "dsse",
            Self::IntotoV002 => "intoto",
        }
    }

    /// `kindVersion.version`, and the `apiVersion` of the body.
    #[must_use]
    pub fn version(self) -> &'static str {
        match self {
            Self::HashedRekordV001 | Self::DsseV001 => "0.0.1",
            Self::HashedRekordV002 | Self::DsseV002 | Self::IntotoV002 => "0.0.2",
        }
    }

    /// Whether a Rekor v2 log writes it: such an entry has no clock, no promise, and keys in DER.
    #[must_use]
    pub fn is_rekor_v2(self) -> bool {
        matches!(self, Self::HashedRekordV002 | Self::DsseV002)
    }
}

/// A log entry as it travels with a signature: evidence, not yet believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// The index over all shards of the log.
    pub log_index: u64,
    /// Which log.
    pub log_id: LogId,
    /// What the entry says it is.
    pub kind: EntryKind,
    /// When Rekor v1 says it integrated the entry; `None` for Rekor v2, which has no clock.
    pub integrated_time: Option<Timestamp>,
    /// The signed entry timestamp (SET) of Rekor v1.
    pub inclusion_promise: Option<Vec<u8>>,
    /// The Merkle proof with its checkpoint.
    pub inclusion_proof: Option<InclusionProof>,
    /// The canonical JSON that was logged; its leaf hash is SHA-256(0x00 || body).
    pub canonicalized_body: Vec<u8>,
}

/// A proof that a leaf is in the tree of a checkpoint (RFC 6962 section 2.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof {
    /// The index in this shard's tree, not the global one.
    pub log_index: u64,
    /// The root that the log claims; the checkpoint decides.
    pub root_hash: [u8; 32],
    /// The size that the log claims; the checkpoint decides.
    pub tree_size: u64,
    /// The audit path, leaf to root.
    pub hashes: Vec<[u8; 32]>,
    /// The signed note of the tree head, as text.
    pub checkpoint: String,
}

/// What a log entry names as the key of the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoggedKey {
    /// A certificate in DER.
    Certificate(Vec<u8>),
    /// A SubjectPublicKeyInfo in DER.
    PublicKey(Vec<u8>),
}

/// The `keyDetails` of a key (dev.sigstore.common.v1.PublicKeyDetails), by which Rekor v2 knows how to check a
/// signature; `None` for a key that Rekor v2 does not take. Pure Ed25519 is one: it would have to see the message.
#[must_use]
pub fn key_details(key: &PublicKey) -> Option<&'static str> {
    match key.kind() {
        KeyKind::EcdsaP256 => Some("PKIX_ECDSA_P256_SHA_256"),
        KeyKind::EcdsaP384 => Some("PKIX_ECDSA_P384_SHA_384"),
        KeyKind::EcdsaP521 => Some("PKIX_ECDSA_P521_SHA_512"),
        KeyKind::Ed25519 => None,
        KeyKind::Rsa => match key.spki_der().len() {
            // A SubjectPublicKeyInfo with exponent 65537 and a modulus of 2048, 3072 or 4096 bits.
            294 => Some("PKIX_RSA_PKCS1V15_2048_SHA256"),
            422 => Some("PKIX_RSA_PKCS1V15_3072_SHA256"),
            550 => Some("PKIX_RSA_PKCS1V15_4096_SHA256"),
            _ => None,
        },
    }
}

// The bodies below are canonical JSON (RFC 8785) by construction: keys in order, no spaces, and strings of letters,
// digits and `+/=_-` only, which need no escape. The log hashes exactly these bytes.

/// The body of a Rekor v1 hashedrekord; `verifier_pem` is the certificate or public key as the log encodes PEM: 64
/// columns, LF, a final newline.
#[must_use]
pub fn hashedrekord_v001(digest: &Digest, signature: &[u8], verifier_pem: &str) -> Vec<u8> {
    format!(
        concat!(
            r#"{{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{{"data":{{"hash":{{"algorithm":"{}","value":"{}"}}}},"#,
            r#""signature":{{"content":"{}","publicKey":{{"content":"{}"}}}}}}}}"#
        ),
        v1_name(digest.algorithm()),
        digest.to_hex(),
        Base64::encode_string(signature),
        Base64::encode_string(verifier_pem.as_bytes()),
    )
    .into_bytes()
}

/// The body of a Rekor v2 hashedrekord; for a DSSE envelope, `digest` is that of the pre-authentication encoding.
#[must_use]
pub fn hashedrekord_v002(digest: &Digest, signature: &[u8], key: &LoggedKey, key_details: &str) -> Vec<u8> {
    format!(
        concat!(
            r#"{{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{{"hashedRekordV002":{{"data":{{"algorithm":"{}","digest":"{}"}},"#,
            r#""signature":{{"content":"{}","verifier":{}}}}}}}}}"#
        ),
        v2_name(digest.algorithm()),
        Base64::encode_string(digest.as_bytes()),
        Base64::encode_string(signature),
        v2_verifier(key, key_details),
    )
    .into_bytes()
}

/// The body of a Rekor v1 dsse entry with one signature; `envelope` is the digest of the envelope's JSON as it was
/// sent to the log, `payload` that of the decoded payload.
#[must_use]
pub fn dsse_v001(envelope: &Digest, payload: &Digest, signature: &[u8], verifier_pem: &str) -> Vec<u8> {
    format!(
        concat!(
            r#"{{"apiVersion":"0.0.1","kind":"dsse","spec":{{"envelopeHash":{{"algorithm":"{}","value":"{}"}},"#,
            r#""payloadHash":{{"algorithm":"{}","value":"{}"}},"signatures":[{{"signature":"{}","verifier":"{}"}}]}}}}"#
        ),
        v1_name(envelope.algorithm()),
        envelope.to_hex(),
        v1_name(payload.algorithm()),
        payload.to_hex(),
        Base64::encode_string(signature),
        Base64::encode_string(verifier_pem.as_bytes()),
    )
    .into_bytes()
}

/// The body of a Rekor v2 dsse entry with one signature.
#[must_use]
pub fn dsse_v002(payload: &Digest, signature: &[u8], key: &LoggedKey, key_details: &str) -> Vec<u8> {
    format!(
        concat!(
            r#"{{"apiVersion":"0.0.2","kind":"dsse","spec":{{"dsseV002":{{"payloadHash":{{"algorithm":"{}","digest":"{}"}},"#,
            r#""signatures":[{{"content":"{}","verifier":{}}}]}}}}}}"#
        ),
        v2_name(payload.algorithm()),
        Base64::encode_string(payload.as_bytes()),
        Base64::encode_string(signature),
        v2_verifier(key, key_details),
    )
    .into_bytes()
}

/// What a signed entry timestamp signs: the canonical JSON of the entry's place and time. `log_index` is the index
/// over all shards, not the one of the inclusion proof.
#[must_use]
pub fn set_payload(body: &[u8], integrated_time: Timestamp, log_id: &LogId, log_index: u64) -> Vec<u8> {
    format!(
        r#"{{"body":"{}","integratedTime":{},"logID":"{}","logIndex":{}}}"#,
        Base64::encode_string(body),
        integrated_time.as_second(),
        hex(log_id),
        log_index,
    )
    .into_bytes()
}

fn v2_verifier(key: &LoggedKey, key_details: &str) -> String {
    let (field, der) = match key {
        LoggedKey::Certificate(der) => ("x509Certificate", der),
        LoggedKey::PublicKey(der) => ("publicKey", der),
    };
    let der = Base64::encode_string(der);
    // `keyDetails` sorts before both.
    format!(r#"{{"keyDetails":"{key_details}","{field}":{{"rawBytes":"{der}"}}}}"#)
}

fn v1_name(algorithm: HashAlgorithm) -> &'static str {
    match algorithm {
        HashAlgorithm::Sha1 => "sha1",
        HashAlgorithm::Sha256 => "sha256",
        HashAlgorithm::Sha384 => "sha384",
        HashAlgorithm::Sha512 => "sha512",
    }
}

fn v2_name(algorithm: HashAlgorithm) -> &'static str {
    match algorithm {
        HashAlgorithm::Sha1 => "SHA1",
        HashAlgorithm::Sha256 => "SHA2_256",
        HashAlgorithm::Sha384 => "SHA2_384",
        HashAlgorithm::Sha512 => "SHA2_512",
    }
}
