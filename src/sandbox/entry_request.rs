//! What is asked to be logged: requests of Rekor v1 (hashedrekord and dsse 0.0.1) and v2 (hashedrekord and dsse 0.0.2),
//! checked, and turned into the canonical body that is logged.
//!
//! A log that logged unchecked requests would let a client send garbage and never notice.

use base64ct::{Base64, Encoding as _};
use serde::Deserialize;
use serde_json::Value;

use crate::crypto::digest::unhex;
use crate::crypto::{Digest, HashAlgorithm, KeyError, KeyKind, PublicKey, SignatureScheme};
use crate::format::dsse::{DsseError, Envelope};
use crate::format::log_entry::{self, EntryKind, LoggedKey};
use crate::format::pem;
use crate::format::x509::{Certificate, X509Error};

/// The longest body: an entry bundle of a tiled log counts its length in two bytes (C2SP tlog-tiles).
pub(super) const MAX_BODY_LEN: usize = u16::MAX as usize;

/// Why an entry was not accepted.
#[derive(Debug, thiserror::Error)]
pub(super) enum EntryError {
    /// Not of the request's shape.
    #[error("the request is malformed: {0}")]
    Malformed(#[from] serde_json::Error),
    /// An entry type or version that this log does not take.
    #[error("entries of type {0} are not accepted")]
    Kind(String),
    /// A field is not base64.
    #[error("the {0} is not base64")]
    Base64(&'static str),
    /// The digest is not one of its algorithm.
    #[error("the digest is malformed")]
    Digest,
    /// Neither a certificate nor a public key.
    #[error("the verifier is neither a certificate nor a public key")]
    NoKey,
    /// The certificate cannot be read.
    #[error(transparent)]
    Certificate(#[from] X509Error),
    /// The key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The key's algorithm is not the one that was named, or not one of this log.
    #[error("the log does not take signatures by this kind of key")]
    KeyDetails,
    /// The envelope cannot be read.
    #[error(transparent)]
    Envelope(#[from] DsseError),
    /// Not exactly one verifier.
    #[error("the request has {0} verifiers, not one")]
    Verifiers(usize),
    /// The signature is not one of this key over this digest.
    #[error("the signature does not verify")]
    Signature,
    /// Longer than [`MAX_BODY_LEN`].
    #[error("the entry is too large")]
    TooLarge,
}

/// A checked entry, ready to be logged.
pub(super) struct Accepted {
    pub(super) kind: EntryKind,
    pub(super) body: Vec<u8>,
}

impl Accepted {
    fn new(kind: EntryKind, body: Vec<u8>) -> Result<Self, EntryError> {
        if body.len() > MAX_BODY_LEN { Err(EntryError::TooLarge) } else { Ok(Accepted { kind, body }) }
    }
}

/// Which kind a logged body is.
pub(super) fn kind_of(body: &[u8]) -> Option<EntryKind> {
    let body: Value = serde_json::from_slice(body).ok()?;
    EntryKind::from_kind_version(body["kind"].as_str()?, body["apiVersion"].as_str()?)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct V1 {
    api_version: String,
    kind: String,
    spec: Value,
}

#[derive(Deserialize)]
struct HashedRekordV1 {
    data: V1Data,
    signature: V1Signature,
}

#[derive(Deserialize)]
struct V1Data {
    hash: V1Hash,
}

#[derive(Deserialize)]
struct V1Hash {
    algorithm: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct V1Signature {
    content: String,
    public_key: V1Key,
}

#[derive(Deserialize)]
struct V1Key {
    content: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DsseV1 {
    proposed_content: ProposedContent,
}

#[derive(Deserialize)]
struct ProposedContent {
    envelope: String,
    verifiers: Vec<String>,
}

/// Check a request of Rekor v1.
pub(super) fn v1(request: &Value) -> Result<Accepted, EntryError> {
    let V1 { api_version, kind, spec } = V1::deserialize(request)?;
    match (kind.as_str(), api_version.as_str()) {
        ("hashedrekord", "0.0.1") => hashedrekord_v1(HashedRekordV1::deserialize(spec)?),
        ("dsse", "0.0.1") => dsse_v1(&DsseV1::deserialize(spec)?.proposed_content),
        _ => Err(EntryError::Kind(format!("{kind} {api_version}"))),
    }
}

fn hashedrekord_v1(spec: HashedRekordV1) -> Result<Accepted, EntryError> {
    let algorithm = match spec.data.hash.algorithm.as_str() {
        "sha256" => HashAlgorithm::Sha256,
        "sha384" => HashAlgorithm::Sha384,
        "sha512" => HashAlgorithm::Sha512,
        _ => return Err(EntryError::Digest),
    };
    let digest = unhex(&spec.data.hash.value).and_then(|bytes| Digest::from_bytes(algorithm, &bytes));
    let digest = digest.ok_or(EntryError::Digest)?;
    let signature = base64(&spec.signature.content, "signature")?;
    let verifier = V1Verifier::read(&spec.signature.public_key.content)?;
    verify_digest(&verifier.key, &digest, &signature)?;
    Accepted::new(EntryKind::HashedRekordV001, log_entry::hashedrekord_v001(&digest, &signature, &verifier.pem))
}

fn dsse_v1(content: &ProposedContent) -> Result<Accepted, EntryError> {
    let [verifier] = &content.verifiers[..] else { return Err(EntryError::Verifiers(content.verifiers.len())) };
    let verifier = V1Verifier::read(verifier)?;
    let envelope = Envelope::from_json(content.envelope.as_bytes())?;
    verify_message(&verifier.key, &envelope.pae(), &envelope.signature)?;
    let body = log_entry::dsse_v001(
        &HashAlgorithm::Sha256.digest(content.envelope.as_bytes()),
        &HashAlgorithm::Sha256.digest(&envelope.payload),
        &envelope.signature,
        &verifier.pem,
    );
    Accepted::new(EntryKind::DsseV001, body)
}

struct V1Verifier {
    pem: String,
    key: PublicKey,
}

impl V1Verifier {
    fn read(encoded: &str) -> Result<Self, EntryError> {
        let text = String::from_utf8(base64(encoded, "public key")?).map_err(|_| EntryError::NoKey)?;
        let pem = canonical_pem(&text)?;
        let key = match pem::decode_all("CERTIFICATE", &pem) {
            Ok(blocks) => certificate_key(&blocks[0])?,
            Err(_) => {
                let blocks = pem::decode_all("PUBLIC KEY", &pem).map_err(|_| EntryError::NoKey)?;
                PublicKey::from_spki_der(&blocks[0])?
            }
        };
        Ok(V1Verifier { pem, key })
    }
}

/// The certificate or key as the log encodes it: the first block, 64 columns, LF.
pub(super) fn canonical_pem(text: &str) -> Result<String, EntryError> {
    ["CERTIFICATE", "PUBLIC KEY"]
        .iter()
        .find_map(|label| Some(pem::encode(label, pem::decode_all(label, text).ok()?.first()?)))
        .ok_or(EntryError::NoKey)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct V2 {
    hashed_rekord_request_v002: Option<HashedRekordV2>,
    dsse_request_v002: Option<DsseV2>,
}

#[derive(Deserialize)]
struct HashedRekordV2 {
    digest: String,
    signature: V2Signature,
}

#[derive(Deserialize)]
struct V2Signature {
    content: String,
    verifier: V2Verifier,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct V2Verifier {
    key_details: String,
    x509_certificate: Option<RawBytes>,
    public_key: Option<RawBytes>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawBytes {
    raw_bytes: String,
}

#[derive(Deserialize)]
struct DsseV2 {
    envelope: Value,
    verifiers: Vec<V2Verifier>,
}

/// Check a request of Rekor v2.
pub(super) fn v2(request: &Value) -> Result<Accepted, EntryError> {
    match V2::deserialize(request)? {
        V2 { hashed_rekord_request_v002: Some(request), dsse_request_v002: None } => hashedrekord_v2(&request),
        V2 { hashed_rekord_request_v002: None, dsse_request_v002: Some(request) } => dsse_v2(&request),
        _ => Err(EntryError::Kind("none or several".to_owned())),
    }
}

fn hashedrekord_v2(request: &HashedRekordV2) -> Result<Accepted, EntryError> {
    let (logged, key, details) = request.signature.verifier.read()?;
    let algorithm = own_hash(&key).ok_or(EntryError::KeyDetails)?;
    let digest = Digest::from_bytes(algorithm, &base64(&request.digest, "digest")?).ok_or(EntryError::Digest)?;
    let signature = base64(&request.signature.content, "signature")?;
    verify_digest(&key, &digest, &signature)?;
    let body = log_entry::hashedrekord_v002(&digest, &signature, &logged, details);
    Accepted::new(EntryKind::HashedRekordV002, body)
}

fn dsse_v2(request: &DsseV2) -> Result<Accepted, EntryError> {
    let [verifier] = &request.verifiers[..] else { return Err(EntryError::Verifiers(request.verifiers.len())) };
    let (logged, key, details) = verifier.read()?;
    let envelope = Envelope::from_json(request.envelope.to_string().as_bytes())?;
    verify_message(&key, &envelope.pae(), &envelope.signature)?;
    let payload = HashAlgorithm::Sha256.digest(&envelope.payload);
    Accepted::new(EntryKind::DsseV002, log_entry::dsse_v002(&payload, &envelope.signature, &logged, details))
}

impl V2Verifier {
    fn read(&self) -> Result<(LoggedKey, PublicKey, &'static str), EntryError> {
        let (logged, key) = match (&self.x509_certificate, &self.public_key) {
            (Some(certificate), None) => {
                let der = base64(&certificate.raw_bytes, "certificate")?;
                let key = certificate_key(&der)?;
                (LoggedKey::Certificate(der), key)
            }
            (None, Some(key)) => {
                let der = base64(&key.raw_bytes, "public key")?;
                let key = PublicKey::from_spki_der(&der)?;
                (LoggedKey::PublicKey(der), key)
            }
            _ => return Err(EntryError::NoKey),
        };
        let details = log_entry::key_details(&key).filter(|details| *details == self.key_details);
        Ok((logged, key, details.ok_or(EntryError::KeyDetails)?))
    }
}

fn certificate_key(der: &[u8]) -> Result<PublicKey, EntryError> {
    Ok(Certificate::from_der(der)?.public_key()?.clone())
}

fn base64(text: &str, what: &'static str) -> Result<Vec<u8>, EntryError> {
    Base64::decode_vec(text).map_err(|_| EntryError::Base64(what))
}

/// The digest of a key's own strength, as `keyDetails` names it.
fn own_hash(key: &PublicKey) -> Option<HashAlgorithm> {
    match key.kind() {
        KeyKind::EcdsaP256 | KeyKind::Rsa => Some(HashAlgorithm::Sha256),
        KeyKind::EcdsaP384 => Some(HashAlgorithm::Sha384),
        KeyKind::EcdsaP521 => Some(HashAlgorithm::Sha512),
        KeyKind::Ed25519 => None,
    }
}

fn scheme(key: &PublicKey, hash: HashAlgorithm) -> Option<SignatureScheme> {
    match (key.kind(), hash) {
        (KeyKind::Ed25519, _) | (_, HashAlgorithm::Sha1) => None,
        (KeyKind::Rsa, HashAlgorithm::Sha256) => Some(SignatureScheme::RsaPkcs1Sha256),
        (KeyKind::Rsa, HashAlgorithm::Sha384) => Some(SignatureScheme::RsaPkcs1Sha384),
        (KeyKind::Rsa, HashAlgorithm::Sha512) => Some(SignatureScheme::RsaPkcs1Sha512),
        (_, HashAlgorithm::Sha256) => Some(SignatureScheme::EcdsaSha256),
        (_, HashAlgorithm::Sha384) => Some(SignatureScheme::EcdsaSha384),
        (_, HashAlgorithm::Sha512) => Some(SignatureScheme::EcdsaSha512),
    }
}

/// Ed25519 signs messages and not digests, so a log that sees the digest alone cannot check it.
fn verify_digest(key: &PublicKey, digest: &Digest, signature: &[u8]) -> Result<(), EntryError> {
    let scheme = scheme(key, digest.algorithm()).ok_or(EntryError::KeyDetails)?;
    key.verify_digest(scheme, digest, signature).map_err(|_| EntryError::Signature)
}

fn verify_message(key: &PublicKey, message: &[u8], signature: &[u8]) -> Result<(), EntryError> {
    let own = own_hash(key)
        .and_then(|hash| scheme(key, hash))
        .or((key.kind() == KeyKind::Ed25519).then_some(SignatureScheme::Ed25519));
    // cosign signs envelopes with SHA-256 on every curve.
    let always = scheme(key, HashAlgorithm::Sha256);
    let good = [own, always].into_iter().flatten().any(|scheme| key.verify(scheme, message, signature).is_ok());
    if good { Ok(()) } else { Err(EntryError::Signature) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{EphemeralKey, Keypair as _};
    use serde_json::json;

    fn hashedrekord(key: &EphemeralKey, signature: &[u8], pem: &str) -> Value {
        assert!(!key.public_key().raw().is_empty());
        json!({ "apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {
            "data": { "hash": { "algorithm": "sha256", "value": HashAlgorithm::Sha256.digest(b"m").to_hex() } },
            "signature": {
                "content": Base64::encode_string(signature),
                "publicKey": { "content": Base64::encode_string(pem.as_bytes()) },
            },
        }})
    }

    #[test]
    fn a_signature_is_checked_and_the_armour_made_canonical() {
        let key = EphemeralKey::generate();
        let pem = pem::encode("PUBLIC KEY", key.public_key().spki_der());
        let signature = key.sign(b"m");
        let canonical = v1(&hashedrekord(&key, &signature, &pem)).unwrap().body;
        let windows = v1(&hashedrekord(&key, &signature, &pem.replace('\n', "\r\n"))).unwrap().body;
        assert_eq!(canonical, windows);
        assert_eq!(kind_of(&canonical), Some(EntryKind::HashedRekordV001));
        let wrong = key.sign(b"another");
        assert!(matches!(v1(&hashedrekord(&key, &wrong, &pem)), Err(EntryError::Signature)));
        assert!(matches!(v1(&hashedrekord(&key, &signature, "x")), Err(EntryError::NoKey)));
    }

    #[test]
    fn rekor_v2_wants_the_details_of_the_key_that_is_there() {
        let key = EphemeralKey::generate();
        let request = |details: &str, signature: &[u8]| {
            json!({ "hashedRekordRequestV002": {
                "digest": Base64::encode_string(HashAlgorithm::Sha256.digest(b"m").as_bytes()),
                "signature": { "content": Base64::encode_string(signature), "verifier": {
                    "keyDetails": details,
                    "publicKey": { "rawBytes": Base64::encode_string(key.public_key().spki_der()) },
                }},
            }})
        };
        let accepted = v2(&request("PKIX_ECDSA_P256_SHA_256", &key.sign(b"m"))).unwrap();
        assert_eq!(accepted.kind, EntryKind::HashedRekordV002);
        assert_eq!(kind_of(&accepted.body), Some(accepted.kind));
        assert!(matches!(v2(&request("PKIX_ECDSA_P384_SHA_384", &key.sign(b"m"))), Err(EntryError::KeyDetails)));
        assert!(matches!(v2(&request("PKIX_ECDSA_P256_SHA_256", &key.sign(b"x"))), Err(EntryError::Signature)));
        assert!(v2(&json!({})).is_err());
    }
}
