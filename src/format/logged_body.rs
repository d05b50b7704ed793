//! The body that a log entry logged, read back so that it can be compared with the signature it came with.
//!
//! Follows the Rekor v1 types hashedrekord 0.0.1, dsse 0.0.1 and intoto 0.0.2 and the Rekor v2 types hashedrekord and
//! dsse 0.0.2. The log swears to the bytes of a body; what they say about whom is for `verify` to compare, byte for
//! byte. A proof that some body is in the log says nothing about this signature until then.

use base64ct::{Base64, Encoding as _};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::bounded::Bounded;
use super::dsse::MAX_SIGNATURES;
use super::log_entry::{self, EntryKind, LoggedKey};
use super::pem::{self, PemError};
use crate::crypto::{Digest, HashAlgorithm, digest::unhex};

/// Longest body that is read, in bytes: a hashedrekord has a few thousand, an old intoto entry may hold its payload.
pub const MAX_BODY_LEN: usize = 16 * 1024 * 1024;

/// Why a logged body was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Longer than [`MAX_BODY_LEN`].
    #[error("the logged body has {0} bytes, more than {MAX_BODY_LEN}")]
    TooLong(usize),
    /// Not JSON of the shape that its kind calls for.
    #[error("the logged body is not one of a {kind} {version} entry")]
    Malformed {
        /// The kind that was expected.
        kind: &'static str,
        /// Its version.
        version: &'static str,
    },
    /// `kind` or `apiVersion` inside differs from what the entry says it is.
    #[error("the log entry is said to be a {expected}, its body says {found}")]
    Kind {
        /// What the entry says.
        expected: String,
        /// What the body says.
        found: String,
    },
    /// A field that has the right type but an impossible value.
    #[error("the logged body has an impossible {0}")]
    Value(&'static str),
    /// The log took a signature by several keys; which one is meant cannot be said.
    #[error("the logged body has {0} signatures, not one")]
    Signatures(usize),
    /// Not canonical JSON (RFC 8785).
    #[error("the logged body is not canonical JSON")]
    NotCanonical,
}

/// What the log logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedBody {
    /// hashedrekord: the digest of the artifact, or of the pre-authentication encoding when Rekor v2 logs a DSSE
    /// envelope; dsse and intoto: the digest of the envelope's payload.
    pub digest: Digest,
    /// The signature, decoded.
    pub signature: Vec<u8>,
    /// The key or certificate that the log checked it with.
    pub key: LoggedKey,
}

impl LoggedBody {
    /// Read a canonicalized body that is said to be of `kind`.
    ///
    /// # Errors
    /// [`BodyError`] when it is another kind, not exactly of that kind's shape, or not canonical.
    pub fn parse(kind: EntryKind, bytes: &[u8]) -> Result<Self, BodyError> {
        if bytes.len() > MAX_BODY_LEN {
            return Err(BodyError::TooLong(bytes.len()));
        }
        let malformed = || BodyError::Malformed { kind: kind.kind(), version: kind.version() };
        let head: Head<'_> = serde_json::from_slice(bytes).map_err(|_| malformed())?;
        if (head.kind, head.api_version) != (kind.kind(), kind.version()) {
            return Err(BodyError::Kind {
                expected: format!("{} {}", kind.kind(), kind.version()),
                found: format!("{} {}", head.kind, head.api_version),
            });
        }
        match kind {
            EntryKind::HashedRekordV001 => hashedrekord_v001(spec(head.spec).ok_or_else(malformed)?, bytes),
            EntryKind::HashedRekordV002 => hashedrekord_v002(spec(head.spec).ok_or_else(malformed)?, bytes),
            EntryKind::DsseV001 => dsse_v001(spec(head.spec).ok_or_else(malformed)?, bytes),
            EntryKind::DsseV002 => dsse_v002(spec(head.spec).ok_or_else(malformed)?, bytes),
            EntryKind::IntotoV002 => intoto_v002(spec(head.spec).ok_or_else(malformed)?),
        }
    }
}

fn hashedrekord_v001(spec: v1::HashedRekord, bytes: &[u8]) -> Result<LoggedBody, BodyError> {
    let digest = spec.data.hash.read()?;
    let signature = base64(&spec.signature.content, "signature")?;
    let (pem, key) = pem_key(&spec.signature.public_key.content)?;
    canonical(bytes, &log_entry::hashedrekord_v001(&digest, &signature, &pem))?;
    Ok(LoggedBody { digest, signature, key })
}

fn hashedrekord_v002(spec: v2::HashedRekord, bytes: &[u8]) -> Result<LoggedBody, BodyError> {
    let record = spec.hashed_rekord;
    let digest = record.data.read()?;
    let signature = base64(&record.signature.content, "signature")?;
    let key = record.signature.verifier.read()?;
    let details = &record.signature.verifier.key_details;
    canonical(bytes, &log_entry::hashedrekord_v002(&digest, &signature, &key, details))?;
    Ok(LoggedBody { digest, signature, key })
}

fn dsse_v001(spec: v1::Dsse, bytes: &[u8]) -> Result<LoggedBody, BodyError> {
    let envelope = spec.envelope_hash.read()?;
    let digest = spec.payload_hash.read()?;
    let [signed] = &spec.signatures.0[..] else { return Err(BodyError::Signatures(spec.signatures.0.len())) };
    let signature = base64(&signed.signature, "signature")?;
    let (pem, key) = pem_key(&signed.verifier)?;
    canonical(bytes, &log_entry::dsse_v001(&envelope, &digest, &signature, &pem))?;
    Ok(LoggedBody { digest, signature, key })
}

fn dsse_v002(spec: v2::Dsse, bytes: &[u8]) -> Result<LoggedBody, BodyError> {
    let digest = spec.dsse.payload_hash.read()?;
    let [signed] = &spec.dsse.signatures.0[..] else { return Err(BodyError::Signatures(spec.dsse.signatures.0.len())) };
    let signature = base64(&signed.content, "signature")?;
    let key = signed.verifier.read()?;
    canonical(bytes, &log_entry::dsse_v002(&digest, &signature, &key, &signed.verifier.key_details))?;
    Ok(LoggedBody { digest, signature, key })
}

fn intoto_v002(spec: v1::Intoto) -> Result<LoggedBody, BodyError> {
    let content = spec.content;
    let digest = content.payload_hash.read()?;
    let envelope = content.envelope;
    let [signed] = &envelope.signatures.0[..] else { return Err(BodyError::Signatures(envelope.signatures.0.len())) };
    // The log keeps the base64 text of the envelope as bytes, and so encodes it a second time.
    let twice = |text: &str, what| {
        let inner = String::from_utf8(base64(text, what)?).map_err(|_| BodyError::Value(what))?;
        base64(&inner, what)
    };
    if let Some(payload) = &envelope.payload
        && !payload.is_empty()
        && digest.algorithm().digest(&twice(payload, "payload")?) != digest
    {
        return Err(BodyError::Value("payload"));
    }
    let key = loose_pem_key(&signed.public_key)?;
    Ok(LoggedBody { digest, signature: twice(&signed.sig, "signature")?, key })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head<'a> {
    #[serde(rename = "apiVersion")]
    api_version: &'a str,
    kind: &'a str,
    #[serde(borrow)]
    spec: &'a serde_json::value::RawValue,
}

fn spec<T: DeserializeOwned>(spec: &serde_json::value::RawValue) -> Option<T> {
    serde_json::from_str(spec.get()).ok()
}

fn base64(text: &str, what: &'static str) -> Result<Vec<u8>, BodyError> {
    Base64::decode_vec(text).map_err(|_| BodyError::Value(what))
}

fn canonical(bytes: &[u8], rebuilt: &[u8]) -> Result<(), BodyError> {
    if bytes == rebuilt { Ok(()) } else { Err(BodyError::NotCanonical) }
}

/// A certificate or public key as Rekor v1 stores it: the base64 of its PEM, which the log has encoded itself.
fn pem_key(text: &str) -> Result<(String, LoggedKey), BodyError> {
    const WHAT: &str = "key";
    let pem = String::from_utf8(base64(text, WHAT)?).map_err(|_| BodyError::Value(WHAT))?;
    let decode = |label| pem::decode_strict(label, pem.as_bytes());
    let key = match decode("CERTIFICATE") {
        Ok(der) => LoggedKey::Certificate(der),
        Err(PemError::NoBegin) => LoggedKey::PublicKey(decode("PUBLIC KEY").map_err(|_| BodyError::Value(WHAT))?),
        Err(_) => return Err(BodyError::Value(WHAT)),
    };
    Ok((pem, key))
}

/// The same in an intoto entry, which holds the PEM as the client sent it: any width of line, one block.
fn loose_pem_key(text: &str) -> Result<LoggedKey, BodyError> {
    const WHAT: &str = "key";
    let pem = String::from_utf8(base64(text, WHAT)?).map_err(|_| BodyError::Value(WHAT))?;
    let (certificates, keys) = (pem::decode_all("CERTIFICATE", &pem), pem::decode_all("PUBLIC KEY", &pem));
    match (certificates.as_deref(), keys.as_deref()) {
        (Ok([der]), Err(PemError::NoBegin)) => Ok(LoggedKey::Certificate(der.clone())),
        (Err(PemError::NoBegin), Ok([der])) => Ok(LoggedKey::PublicKey(der.clone())),
        _ => Err(BodyError::Value(WHAT)),
    }
}

/// The shapes of Rekor v1.
mod v1 {
    use super::{BodyError, Bounded, Deserialize, Digest, HashAlgorithm, MAX_SIGNATURES, unhex};

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct HashedRekord {
        pub(super) data: Data,
        pub(super) signature: Signature,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Data {
        pub(super) hash: Hash,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Hash {
        algorithm: String,
        value: String,
    }

    impl Hash {
        pub(super) fn read(&self) -> Result<Digest, BodyError> {
            let algorithm = match &self.algorithm[..] {
                "sha256" => HashAlgorithm::Sha256,
                "sha384" => HashAlgorithm::Sha384,
                "sha512" => HashAlgorithm::Sha512,
                _ => return Err(BodyError::Value("hash algorithm")),
            };
            let bytes = unhex(&self.value).ok_or(BodyError::Value("hash"))?;
            Digest::from_bytes(algorithm, &bytes).ok_or(BodyError::Value("hash"))
        }
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Signature {
        pub(super) content: String,
        #[serde(rename = "publicKey")]
        pub(super) public_key: PublicKey,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct PublicKey {
        pub(super) content: String,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    pub(super) struct Dsse {
        pub(super) envelope_hash: Hash,
        pub(super) payload_hash: Hash,
        pub(super) signatures: Bounded<DsseSignature, MAX_SIGNATURES>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct DsseSignature {
        pub(super) signature: String,
        pub(super) verifier: String,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Intoto {
        pub(super) content: IntotoContent,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    pub(super) struct IntotoContent {
        pub(super) envelope: IntotoEnvelope,
        #[serde(rename = "hash")]
        _hash: Hash,
        pub(super) payload_hash: Hash,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    pub(super) struct IntotoEnvelope {
        pub(super) payload: Option<String>,
        #[serde(rename = "payloadType")]
        _payload_type: String,
        pub(super) signatures: Bounded<IntotoSignature, MAX_SIGNATURES>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    pub(super) struct IntotoSignature {
        pub(super) sig: String,
        pub(super) public_key: String,
        #[serde(rename = "keyid")]
        _keyid: Option<String>,
    }
}

/// The shapes of Rekor v2.
mod v2 {
    use super::{BodyError, Bounded, Deserialize, Digest, HashAlgorithm, LoggedKey, MAX_SIGNATURES, base64};

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct HashedRekord {
        #[serde(rename = "hashedRekordV002")]
        pub(super) hashed_rekord: Record,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Record {
        pub(super) data: Hash,
        pub(super) signature: Signature,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Hash {
        algorithm: String,
        digest: String,
    }

    impl Hash {
        pub(super) fn read(&self) -> Result<Digest, BodyError> {
            let algorithm = match &self.algorithm[..] {
                "SHA2_256" => HashAlgorithm::Sha256,
                "SHA2_384" => HashAlgorithm::Sha384,
                "SHA2_512" => HashAlgorithm::Sha512,
                _ => return Err(BodyError::Value("hash algorithm")),
            };
            let bytes = base64(&self.digest, "hash")?;
            Digest::from_bytes(algorithm, &bytes).ok_or(BodyError::Value("hash"))
        }
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Signature {
        pub(super) content: String,
        pub(super) verifier: Verifier,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    pub(super) struct Verifier {
        pub(super) key_details: String,
        public_key: Option<RawBytes>,
        x509_certificate: Option<RawBytes>,
    }

    impl Verifier {
        pub(super) fn read(&self) -> Result<LoggedKey, BodyError> {
            match (&self.public_key, &self.x509_certificate) {
                (Some(key), None) => Ok(LoggedKey::PublicKey(base64(&key.raw_bytes, "key")?)),
                (None, Some(certificate)) => Ok(LoggedKey::Certificate(base64(&certificate.raw_bytes, "key")?)),
                _ => Err(BodyError::Value("key")),
            }
        }
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    pub(super) struct RawBytes {
        raw_bytes: String,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Dsse {
        #[serde(rename = "dsseV002")]
        pub(super) dsse: DsseRecord,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    pub(super) struct DsseRecord {
        pub(super) payload_hash: Hash,
        pub(super) signatures: Bounded<Signature, MAX_SIGNATURES>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{EphemeralKey, Keypair as _};

    fn digest() -> Digest {
        HashAlgorithm::Sha256.digest(b"artifact")
    }

    fn spki() -> Vec<u8> {
        EphemeralKey::generate().public_key().spki_der().to_vec()
    }

    fn pem(spki: &[u8]) -> String {
        pem::encode("PUBLIC KEY", spki)
    }

    #[test]
    fn every_kind_that_we_build_reads_back() {
        let spki = spki();
        let key = LoggedKey::PublicKey(spki.clone());
        let pem = pem(&spki);
        let details = "PKIX_ECDSA_P256_SHA_256";
        for (kind, body) in [
            (EntryKind::HashedRekordV001, log_entry::hashedrekord_v001(&digest(), b"signature", &pem)),
            (EntryKind::HashedRekordV002, log_entry::hashedrekord_v002(&digest(), b"signature", &key, details)),
            (EntryKind::DsseV001, log_entry::dsse_v001(&digest(), &digest(), b"signature", &pem)),
            (EntryKind::DsseV002, log_entry::dsse_v002(&digest(), b"signature", &key, details)),
        ] {
            let expected = LoggedBody { digest: digest(), signature: b"signature".to_vec(), key: key.clone() };
            assert_eq!(LoggedBody::parse(kind, &body), Ok(expected), "{kind:?}");
        }
    }

    #[test]
    fn a_body_of_another_kind_is_refused() {
        let body = log_entry::hashedrekord_v001(&digest(), b"signature", &pem(&spki()));
        for kind in [EntryKind::HashedRekordV002, EntryKind::DsseV001, EntryKind::IntotoV002] {
            assert!(matches!(LoggedBody::parse(kind, &body), Err(BodyError::Kind { .. })), "{kind:?}");
        }
    }

    #[test]
    fn another_spelling_is_refused() {
        let body = log_entry::hashedrekord_v001(&digest(), b"signature", &pem(&spki()));
        let body = String::from_utf8(body).unwrap();
        let parse = |text: &str| LoggedBody::parse(EntryKind::HashedRekordV001, text.as_bytes());
        assert_eq!(parse(&body.replace(":{", ": {")), Err(BodyError::NotCanonical));
        let twice = body.replace(r#""kind""#, r#""kind":"hashedrekord","kind""#);
        assert!(matches!(parse(&twice), Err(BodyError::Malformed { .. })));
        let more = body.replace(r#""data""#, r#""more":1,"data""#);
        assert!(matches!(parse(&more), Err(BodyError::Malformed { .. })));
        let crlf = pem(&spki()).replace('\n', "\r\n");
        let crlf = log_entry::hashedrekord_v001(&digest(), b"signature", &crlf);
        assert_eq!(LoggedBody::parse(EntryKind::HashedRekordV001, &crlf), Err(BodyError::Value("key")));
    }
}
