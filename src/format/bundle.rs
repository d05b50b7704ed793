//! Sigstore bundles: a signature over a file and all the evidence for it, in one JSON document.
//!
//! Follows dev.sigstore.bundle.v1.Bundle (protobuf-specs, sigstore_bundle.proto) and the Sigstore bundle format
//! document: versions 0.1, 0.2 and 0.3 are read, 0.3 is written. The proto3 JSON is read strictly: no unknown and no
//! repeated field, int64 as strings, standard base64 with padding. Certificates and timestamps come out as DER, not yet
//! looked at.

use base64ct::{Base64, Encoding as _};
use serde::{Deserialize, Serialize};

use super::bounded::Bounded;
use super::dsse::{DsseError, Envelope, EnvelopeJson};
use super::log_entry::LogEntry;
use super::log_entry_json::{LogEntryJsonError, TlogEntryJson};
use crate::crypto::{Digest, HashAlgorithm};

/// Longest bundle that is read, in bytes: with a message signature about 10,000; an attestation holds its payload.
pub const MAX_BUNDLE_LEN: usize = 16 * 1024 * 1024;
/// Most log entries of one bundle: each costs signature checks, and nobody has more than a handful of logs.
pub const MAX_LOG_ENTRIES: usize = 32;
/// Most timestamps of one bundle, for the same reason.
pub const MAX_TIMESTAMPS: usize = 32;
/// Most certificates of one bundle; Fulcio's chains have three.
pub const MAX_CERTIFICATES: usize = 10;
/// Longest hint at a public key, in bytes: base64 of a digest has 44.
pub const MAX_HINT_LEN: usize = 1024;

const MEDIA_TYPE_V0_1: &str = "application/vnd.dev.sigstore.bundle+json;version=0.1";
const MEDIA_TYPE_V0_2: &str = "application/vnd.dev.sigstore.bundle+json;version=0.2";
/// The media type that is written, also of files and of layers in a registry.
pub const MEDIA_TYPE_V0_3: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// How version 0.3 was spelled in its first months.
const MEDIA_TYPE_V0_3_EARLY: &str = "application/vnd.dev.sigstore.bundle+json;version=0.3";

/// Why a bundle was refused.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Longer than [`MAX_BUNDLE_LEN`].
    #[error("the bundle has {0} bytes, more than {MAX_BUNDLE_LEN}")]
    TooLong(usize),
    /// Not JSON, or not of a bundle's shape.
    #[error("the bundle is not of the expected form: {0}")]
    Json(#[from] serde_json::Error),
    /// A version that is not read.
    #[error("bundles of media type {0} are not read")]
    MediaType(String),
    /// Not standard base64 with padding.
    #[error("the {0} of the bundle is not base64")]
    Base64(&'static str),
    /// None, or several, of certificate, certificate chain and public key hint.
    #[error("the bundle does not name exactly one key or certificate")]
    KeyMaterial,
    /// The form of the certificate that belongs to another version.
    #[error("a bundle of this version holds its certificate in another field")]
    CertificateField,
    /// A chain with no certificate in it.
    #[error("the certificate chain of the bundle is empty")]
    EmptyChain,
    /// None, or both, of message signature and envelope.
    #[error("the bundle does not hold exactly one signature")]
    Content,
    /// The digest of the message is of an unknown kind or of the wrong length.
    #[error("the message digest of the bundle is malformed")]
    MessageDigest,
    /// Version 0.1 needs an inclusion promise with each entry.
    #[error("a log entry of the bundle lacks its inclusion promise")]
    NoInclusionPromise,
    /// Version 0.2 and later need an inclusion proof with each entry.
    #[error("a log entry of the bundle lacks its inclusion proof")]
    NoInclusionProof,
    /// A log entry that cannot be read.
    #[error(transparent)]
    LogEntry(#[from] LogEntryJsonError),
    /// An envelope that cannot be read.
    #[error(transparent)]
    Envelope(#[from] DsseError),
}

/// A bundle, of any version that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Who signed, as far as the bundle says.
    pub key: KeyMaterial,
    /// The entries of transparency logs.
    pub log_entries: Vec<LogEntry>,
    /// RFC 3161 responses in DER.
    pub timestamps: Vec<Vec<u8>>,
    /// The signature.
    pub content: Content,
}

/// How a bundle names the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyMaterial {
    /// Certificates in DER, the signer's first; never empty. What follows the first is a hint and not trusted.
    Certificates(Vec<Vec<u8>>),
    /// A hint at a key that the reader must have from elsewhere.
    PublicKeyHint(String),
}

/// What was signed, and the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A signature over the artifact itself.
    Message {
        /// The digest of the artifact as the bundle states it: to find the artifact by, not to check against.
        digest: Option<Digest>,
        /// The signature.
        signature: Vec<u8>,
    },
    /// A signature over a statement about the artifact.
    Dsse(Envelope),
}

impl Bundle {
    /// Read a bundle.
    ///
    /// # Errors
    /// [`BundleError`]
    pub fn from_json(json: &[u8]) -> Result<Self, BundleError> {
        if json.len() > MAX_BUNDLE_LEN {
            return Err(BundleError::TooLong(json.len()));
        }
        let bundle: BundleJson = serde_json::from_slice(json)?;
        let version = match &bundle.media_type[..] {
            MEDIA_TYPE_V0_1 => Version::V0_1,
            MEDIA_TYPE_V0_2 => Version::V0_2,
            MEDIA_TYPE_V0_3 | MEDIA_TYPE_V0_3_EARLY => Version::V0_3,
            _ => return Err(BundleError::MediaType(bundle.media_type)),
        };
        let material = bundle.verification_material;
        Ok(Bundle {
            key: material.key(version)?,
            log_entries: log_entries(material.tlog_entries, version)?,
            timestamps: timestamps(material.timestamp_verification_data)?,
            content: match (bundle.message_signature, bundle.dsse_envelope) {
                (Some(message), None) => message.read()?,
                (None, Some(envelope)) => Content::Dsse(envelope.read()?),
                _ => return Err(BundleError::Content),
            },
        })
    }

    /// Write the bundle as version 0.3, which holds the signer's certificate and no other.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(&BundleJson::from(self)).expect("strings and arrays have a JSON form")
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    V0_1,
    V0_2,
    V0_3,
}

fn log_entries(entries: Option<LogEntriesJson>, version: Version) -> Result<Vec<LogEntry>, BundleError> {
    let read = |entry: TlogEntryJson| {
        let entry = entry.read()?;
        if version == Version::V0_1 && entry.inclusion_promise.is_none() {
            Err(BundleError::NoInclusionPromise)
        } else if version != Version::V0_1 && entry.inclusion_proof.is_none() {
            Err(BundleError::NoInclusionProof)
        } else {
            Ok(entry)
        }
    };
    entries.unwrap_or_default().0.into_iter().map(read).collect()
}

fn timestamps(data: Option<TimestampDataJson>) -> Result<Vec<Vec<u8>>, BundleError> {
    let timestamps = data.and_then(|data| data.rfc3161_timestamps).unwrap_or_default();
    timestamps.0.iter().map(|timestamp| base64(&timestamp.signed_timestamp, "timestamp")).collect()
}

fn base64(text: &str, what: &'static str) -> Result<Vec<u8>, BundleError> {
    Base64::decode_vec(text).map_err(|_| BundleError::Base64(what))
}

// The proto3 JSON; absent or null means the default.

type LogEntriesJson = Bounded<TlogEntryJson, MAX_LOG_ENTRIES>;

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct BundleJson {
    media_type: String,
    verification_material: MaterialJson,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_signature: Option<MessageSignatureJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dsse_envelope: Option<EnvelopeJson>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct MaterialJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<RawBytesJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x509_certificate_chain: Option<ChainJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<HintJson>,
    tlog_entries: Option<LogEntriesJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp_verification_data: Option<TimestampDataJson>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RawBytesJson {
    raw_bytes: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct ChainJson {
    certificates: Option<Bounded<RawBytesJson, MAX_CERTIFICATES>>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct HintJson {
    hint: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct TimestampDataJson {
    rfc3161_timestamps: Option<Bounded<SignedTimestampJson, MAX_TIMESTAMPS>>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SignedTimestampJson {
    signed_timestamp: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct MessageSignatureJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    message_digest: Option<HashOutputJson>,
    signature: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct HashOutputJson {
    algorithm: String,
    digest: String,
}

impl MaterialJson {
    fn key(&self, version: Version) -> Result<KeyMaterial, BundleError> {
        match (&self.certificate, &self.x509_certificate_chain, &self.public_key) {
            (Some(certificate), None, None) if version == Version::V0_3 => {
                Ok(KeyMaterial::Certificates(vec![base64(&certificate.raw_bytes, "certificate")?]))
            }
            (None, Some(chain), None) if version != Version::V0_3 => chain.read(),
            (Some(_), None, None) | (None, Some(_), None) => Err(BundleError::CertificateField),
            (None, None, Some(HintJson { hint })) => {
                let hint = hint.clone().unwrap_or_default();
                if hint.len() > MAX_HINT_LEN {
                    return Err(BundleError::KeyMaterial);
                }
                Ok(KeyMaterial::PublicKeyHint(hint))
            }
            _ => Err(BundleError::KeyMaterial),
        }
    }
}

impl ChainJson {
    fn read(&self) -> Result<KeyMaterial, BundleError> {
        let certificates = self.certificates.iter().flat_map(|certificates| &certificates.0);
        let der = certificates.map(|certificate| base64(&certificate.raw_bytes, "certificate"));
        match der.collect::<Result<Vec<_>, _>>()? {
            empty if empty.is_empty() => Err(BundleError::EmptyChain),
            chain => Ok(KeyMaterial::Certificates(chain)),
        }
    }
}

impl MessageSignatureJson {
    fn read(self) -> Result<Content, BundleError> {
        let digest = self.message_digest.map(|stated| {
            let algorithm = match &stated.algorithm[..] {
                "SHA2_256" => HashAlgorithm::Sha256,
                "SHA2_384" => HashAlgorithm::Sha384,
                "SHA2_512" => HashAlgorithm::Sha512,
                _ => return Err(BundleError::MessageDigest),
            };
            let digest = base64(&stated.digest, "message digest")?;
            Digest::from_bytes(algorithm, &digest).ok_or(BundleError::MessageDigest)
        });
        Ok(Content::Message { digest: digest.transpose()?, signature: base64(&self.signature, "signature")? })
    }
}

impl From<&Bundle> for BundleJson {
    fn from(bundle: &Bundle) -> Self {
        let raw = |der: &Vec<u8>| RawBytesJson { raw_bytes: Base64::encode_string(der) };
        let (certificate, public_key) = match &bundle.key {
            KeyMaterial::Certificates(chain) => (chain.first().map(raw), None),
            KeyMaterial::PublicKeyHint(hint) => (None, Some(HintJson { hint: Some(hint.clone()) })),
        };
        let stamp = |der: &Vec<u8>| SignedTimestampJson { signed_timestamp: Base64::encode_string(der) };
        let timestamps = (!bundle.timestamps.is_empty()).then(|| TimestampDataJson {
            rfc3161_timestamps: Some(Bounded(bundle.timestamps.iter().map(stamp).collect())),
        });
        let (message_signature, dsse_envelope) = match &bundle.content {
            Content::Message { digest, signature } => (Some(message_signature(digest.as_ref(), signature)), None),
            Content::Dsse(envelope) => (None, Some(EnvelopeJson::from(envelope))),
        };
        BundleJson {
            media_type: MEDIA_TYPE_V0_3.to_owned(),
            verification_material: MaterialJson {
                certificate,
                x509_certificate_chain: None,
                public_key,
                tlog_entries: Some(Bounded(bundle.log_entries.iter().map(TlogEntryJson::from).collect())),
                timestamp_verification_data: timestamps,
            },
            message_signature,
            dsse_envelope,
        }
    }
}

fn message_signature(digest: Option<&Digest>, signature: &[u8]) -> MessageSignatureJson {
    let stated = digest.and_then(|digest| {
        let algorithm = match digest.algorithm() {
            HashAlgorithm::Sha256 => "SHA2_256",
            HashAlgorithm::Sha384 => "SHA2_384",
            HashAlgorithm::Sha512 => "SHA2_512",
            // Nothing signs a SHA-1 digest, and the hint may be left out.
            HashAlgorithm::Sha1 => return None,
        };
        Some(HashOutputJson { algorithm: algorithm.to_owned(), digest: Base64::encode_string(digest.as_bytes()) })
    });
    MessageSignatureJson { message_digest: stated, signature: Base64::encode_string(signature) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::log_entry::{EntryKind, InclusionProof};

    fn bundle() -> Bundle {
        Bundle {
            key: KeyMaterial::Certificates(vec![b"leaf".to_vec()]),
            log_entries: vec![LogEntry {
                log_index: 0,
                log_id: [7; 32],
                kind: EntryKind::HashedRekordV002,
                integrated_time: None,
                inclusion_promise: None,
                inclusion_proof: Some(InclusionProof {
                    log_index: 0,
                    root_hash: [1; 32],
                    tree_size: 1,
                    hashes: vec![],
                    checkpoint: "checkpoint".to_owned(),
                }),
                canonicalized_body: b"{}".to_vec(),
            }],
            timestamps: vec![b"stamp".to_vec()],
            content: Content::Message {
                digest: Some(HashAlgorithm::Sha256.digest(b"artifact")),
                signature: b"signature".to_vec(),
            },
        }
    }

    fn dsse() -> Bundle {
        let envelope = Envelope {
            payload_type: "text/plain".to_owned(),
            payload: b"payload".to_vec(),
            signature: b"signature".to_vec(),
            keyid: String::new(),
        };
        Bundle { content: Content::Dsse(envelope), timestamps: vec![], ..bundle() }
    }

    fn changed(change: impl FnOnce(&mut serde_json::Value)) -> Result<Bundle, BundleError> {
        let mut json = serde_json::from_str(&bundle().to_json()).unwrap();
        change(&mut json);
        Bundle::from_json(json.to_string().as_bytes())
    }

    #[test]
    fn what_is_written_is_read_back() {
        let hint = KeyMaterial::PublicKeyHint("hint".to_owned());
        for bundle in [bundle(), dsse(), Bundle { key: hint, log_entries: vec![], ..bundle() }] {
            assert_eq!(Bundle::from_json(bundle.to_json().as_bytes()).unwrap(), bundle);
        }
    }

    #[test]
    fn zero_and_empty_proof_fields_are_written() {
        let json = bundle().to_json();
        assert!(json.contains(r#""inclusionProof":{"logIndex":"0""#), "{json}");
        assert!(json.contains(r#""hashes":[]"#), "{json}");
    }

    #[test]
    fn both_spellings_of_version_0_3_are_read_and_others_are_not() {
        assert_eq!(changed(|json| json["mediaType"] = MEDIA_TYPE_V0_3_EARLY.into()).unwrap(), bundle());
        for other in ["application/vnd.dev.sigstore.bundle.v0.4+json", "", "application/json"] {
            let read = changed(|json| json["mediaType"] = other.into());
            assert!(matches!(read, Err(BundleError::MediaType(_))), "{other}");
        }
    }

    #[test]
    fn each_version_has_its_own_form_of_certificate() {
        let chain = |json: &mut serde_json::Value, certificates: serde_json::Value| {
            let material = json["verificationMaterial"].as_object_mut().unwrap();
            material.remove("certificate");
            material.insert("x509CertificateChain".to_owned(), serde_json::json!({ "certificates": certificates }));
        };
        let one = serde_json::json!([{ "rawBytes": "bGVhZg==" }]);
        let read = changed(|json| chain(json, one.clone()));
        assert!(matches!(read, Err(BundleError::CertificateField)));
        let read = changed(|json| json["mediaType"] = MEDIA_TYPE_V0_2.into());
        assert!(matches!(read, Err(BundleError::CertificateField)));
        let v0_2 = |certificates| {
            changed(|json| {
                json["mediaType"] = MEDIA_TYPE_V0_2.into();
                chain(json, certificates);
            })
        };
        assert_eq!(v0_2(one).unwrap(), bundle());
        assert!(matches!(v0_2(serde_json::json!([])), Err(BundleError::EmptyChain)));
        let many = vec![serde_json::json!({ "rawBytes": "" }); MAX_CERTIFICATES + 1];
        assert!(v0_2(many.into()).unwrap_err().to_string().contains("more than 10 items"));
    }

    #[test]
    fn each_version_asks_for_its_own_evidence() {
        let entry = |json: &mut serde_json::Value| json["verificationMaterial"]["tlogEntries"][0].take();
        let read = changed(|json| {
            let mut entry = entry(json);
            entry.as_object_mut().unwrap().remove("inclusionProof");
            json["verificationMaterial"]["tlogEntries"] = [entry].into_iter().collect();
        });
        assert!(matches!(read, Err(BundleError::NoInclusionProof)));
        let read = changed(|json| {
            json["mediaType"] = MEDIA_TYPE_V0_1.into();
            let leaf = json["verificationMaterial"].as_object_mut().unwrap().remove("certificate").unwrap();
            json["verificationMaterial"]["x509CertificateChain"] = serde_json::json!({ "certificates": [leaf] });
        });
        assert!(matches!(read, Err(BundleError::NoInclusionPromise)));
    }

    #[test]
    fn one_signature_and_one_key() {
        let read = changed(|json| {
            json["dsseEnvelope"] =
                serde_json::from_str::<serde_json::Value>(&dsse().to_json()).unwrap()["dsseEnvelope"].take()
        });
        assert!(matches!(read, Err(BundleError::Content)));
        let read = changed(|json| {
            json.as_object_mut().unwrap().remove("messageSignature");
        });
        assert!(matches!(read, Err(BundleError::Content)));
        let read = changed(|json| json["verificationMaterial"]["publicKey"] = serde_json::json!({ "hint": "" }));
        assert!(matches!(read, Err(BundleError::KeyMaterial)));
        let read = changed(|json| {
            json["verificationMaterial"].as_object_mut().unwrap().remove("certificate");
        });
        assert!(matches!(read, Err(BundleError::KeyMaterial)));
    }

    #[test]
    fn counts_are_bounded() {
        let read = changed(|json| {
            let entry = json["verificationMaterial"]["tlogEntries"][0].take();
            json["verificationMaterial"]["tlogEntries"] = vec![entry; MAX_LOG_ENTRIES + 1].into();
        });
        assert!(read.unwrap_err().to_string().contains("more than 32 items"));
        let read = changed(|json| {
            let stamp = serde_json::json!({ "signedTimestamp": "" });
            json["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"] =
                vec![stamp; MAX_TIMESTAMPS + 1].into();
        });
        assert!(read.unwrap_err().to_string().contains("more than 32 items"));
    }

    #[test]
    fn a_strange_field_or_a_repeated_one_is_refused() {
        assert!(matches!(changed(|json| json["more"] = 1.into()), Err(BundleError::Json(_))));
        let twice = bundle().to_json().replace(r#""mediaType""#, r#""mediaType":"x","mediaType""#);
        assert!(matches!(Bundle::from_json(twice.as_bytes()), Err(BundleError::Json(_))));
    }
}
