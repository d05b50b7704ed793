//! The trusted root (protobuf-specs: sigstore_trustroot.proto): the keys and certificates that an instance stands on.
//!
//! Read from JSON once. An entry whose key is of a kind that this program cannot check is left out: nothing can be
//! verified by it, and a root may run ahead of its readers. Everything else that is not as it should be is an error.

use std::fmt::Write as _;

use base64ct::{Base64, Encoding as _};
use jiff::Timestamp;
use serde::Deserialize;

use crate::crypto::digest::{hex, sha256};
use crate::crypto::{KeyError, PublicKey};
use crate::format::checkpoint;
use crate::format::log_entry::LogId;
use crate::format::time::Interval;
use crate::format::x509::{Certificate, X509Error};

/// No trusted root is longer than this, in bytes; the public one has 8 KiB.
pub const MAX_TRUSTED_ROOT_LEN: usize = 1024 * 1024;
/// No list in a trusted root is longer; the public one has two of each.
pub const MAX_ENTRIES: usize = 64;

/// Why a trusted root was refused.
#[derive(Debug, thiserror::Error)]
pub enum TrustedRootError {
    /// Longer than [`MAX_TRUSTED_ROOT_LEN`], or with a list longer than [`MAX_ENTRIES`].
    #[error("the trusted root is too large")]
    TooLarge,
    /// Not the JSON of a trusted root.
    #[error("the trusted root is malformed: {0}")]
    Json(#[from] serde_json::Error),
    /// A media type other than those of versions 0.1 and 0.2.
    #[error("the trusted root has the unknown media type {0:?}")]
    MediaType(String),
    /// A field that must be there is missing.
    #[error("the trusted root has an entry without {0}")]
    Missing(&'static str),
    /// A field that is not base64.
    #[error("the trusted root has a field that is not base64")]
    NotBase64,
    /// A time that is not RFC 3339.
    #[error("the trusted root has a malformed time")]
    Time,
    /// A log id that is not 32 bytes.
    #[error("the trusted root has a log id that is not 32 bytes long")]
    LogId,
    /// A certificate that does not parse.
    #[error("the trusted root has a malformed certificate: {0}")]
    Certificate(#[from] X509Error),
    /// A key that does not parse.
    #[error("the trusted root has a malformed key: {0}")]
    Key(KeyError),
}

/// A log's key, and when it may be used: a transparency log's or a certificate transparency log's.
#[derive(Debug, Clone)]
pub struct LogKey {
    /// Where the log lives.
    pub base_url: String,
    /// Who runs it; empty when the document does not say. Whoever counts witnesses counts these, and nothing else:
    /// two keys of one operator are one witness.
    pub operator: String,
    /// The name under which it signs its checkpoints: the host of its URL.
    pub name: String,
    /// The same with the port, if the URL has one: that is how Rekor v1 names itself.
    pub name_with_port: String,
    /// How entries name it.
    pub id: LogId,
    /// The first four bytes of its signatures in checkpoints.
    pub checkpoint_key_id: [u8; 4],
    /// Its key.
    pub key: PublicKey,
    /// When the key was in use.
    pub valid_for: Interval,
}

/// An authority that issues certificates or time stamps: a chain, and when it may be used, as one value.
#[derive(Debug, Clone)]
pub struct Authority {
    /// Where it lives.
    pub uri: String,
    /// Who runs it, as for a [`LogKey`].
    pub operator: String,
    /// The chain: the one that signs first, the anchor last; at least one.
    pub chain: Vec<Certificate>,
    /// When it was in use.
    pub valid_for: Interval,
}

/// The keys and certificates that an instance stands on.
#[derive(Debug, Clone)]
pub struct TrustedRoot {
    /// Transparency logs (Rekor).
    pub logs: Vec<LogKey>,
    /// Certificate transparency logs.
    pub ct_logs: Vec<LogKey>,
    /// Certificate authorities (Fulcio).
    pub certificate_authorities: Vec<Authority>,
    /// Time stamp authorities.
    pub timestamp_authorities: Vec<Authority>,
}

impl TrustedRoot {
    /// Read `trusted_root.json`.
    ///
    /// # Errors
    /// [`TrustedRootError`] when it is too large or malformed, or when a log key has no start of validity.
    pub fn from_json(json: &[u8]) -> Result<Self, TrustedRootError> {
        if json.len() > MAX_TRUSTED_ROOT_LEN {
            return Err(TrustedRootError::TooLarge);
        }
        let document: Document = serde_json::from_slice(json)?;
        const MEDIA_TYPES: [&str; 3] = [
            "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "application/vnd.dev.sigstore.trustedroot.v0.1+json",
            "application/vnd.dev.sigstore.trustedroot.v0.2+json",
        ];
        if !MEDIA_TYPES.contains(&document.media_type.as_str()) {
            return Err(TrustedRootError::MediaType(document.media_type));
        }
        Ok(TrustedRoot {
            logs: logs(document.tlogs)?,
            ct_logs: logs(document.ctlogs)?,
            certificate_authorities: authorities(document.certificate_authorities)?,
            timestamp_authorities: authorities(document.timestamp_authorities)?,
        })
    }

    /// A digest of everything in it that a verdict depends on.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut text = String::new();
        for (kind, keys) in [("log", &self.logs), ("ct log", &self.ct_logs)] {
            for LogKey { base_url, operator, id, key, valid_for, .. } in keys {
                let key = hex(&key.spki_sha256());
                let _ = writeln!(text, "{kind} {base_url:?} {operator:?} {} {key} {valid_for:?}", hex(id));
            }
        }
        for (kind, authorities) in [("ca", &self.certificate_authorities), ("tsa", &self.timestamp_authorities)] {
            for Authority { operator, chain, valid_for, .. } in authorities {
                let chain: Vec<String> = chain.iter().map(|one| hex(&sha256(one.der()))).collect();
                let _ = writeln!(text, "{kind} {operator:?} {chain:?} {valid_for:?}");
            }
        }
        sha256(text.as_bytes())
    }

    /// The transparency log of that id.
    #[must_use]
    pub fn log(&self, id: &LogId) -> Option<&LogKey> {
        self.logs.iter().find(|log| log.id == *id)
    }

    /// The certificate transparency logs of that id; a key may be listed again with another validity.
    pub fn ct_logs(&self, id: &[u8; 32]) -> impl Iterator<Item = &LogKey> {
        self.ct_logs.iter().filter(move |log| log.id == *id)
    }
}

fn logs(entries: Vec<LogDocument>) -> Result<Vec<LogKey>, TrustedRootError> {
    if entries.len() > MAX_ENTRIES {
        return Err(TrustedRootError::TooLarge);
    }
    let read = entries.into_iter().map(LogDocument::read).collect::<Result<Vec<_>, _>>()?;
    Ok(read.into_iter().flatten().collect())
}

fn authorities(entries: Vec<AuthorityDocument>) -> Result<Vec<Authority>, TrustedRootError> {
    if entries.len() > MAX_ENTRIES {
        return Err(TrustedRootError::TooLarge);
    }
    entries.into_iter().map(AuthorityDocument::read).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    media_type: String,
    #[serde(default)]
    tlogs: Vec<LogDocument>,
    #[serde(default)]
    ctlogs: Vec<LogDocument>,
    #[serde(default)]
    certificate_authorities: Vec<AuthorityDocument>,
    #[serde(default)]
    timestamp_authorities: Vec<AuthorityDocument>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogDocument {
    #[serde(default)]
    base_url: String,
    public_key: KeyDocument,
    log_id: LogIdDocument,
    checkpoint_key_id: Option<LogIdDocument>,
    #[serde(default)]
    operator: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyDocument {
    raw_bytes: String,
    key_details: String,
    valid_for: Option<IntervalDocument>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogIdDocument {
    key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AuthorityDocument {
    #[serde(default)]
    uri: String,
    cert_chain: ChainDocument,
    valid_for: Option<IntervalDocument>,
    #[serde(default)]
    operator: String,
}

#[derive(Deserialize)]
struct ChainDocument {
    certificates: Vec<CertificateDocument>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CertificateDocument {
    raw_bytes: String,
}

#[derive(Deserialize)]
struct IntervalDocument {
    start: Option<String>,
    end: Option<String>,
}

impl LogDocument {
    /// `None` for a key of an unsupported kind.
    fn read(self) -> Result<Option<LogKey>, TrustedRootError> {
        let raw = base64(&self.public_key.raw_bytes)?;
        // Some old logs publish a bare PKCS#1 key; the details say so, the bytes are not guessed at.
        let key = if self.public_key.key_details.starts_with("PKCS1_") {
            PublicKey::from_pkcs1_der(&raw)
        } else {
            PublicKey::from_spki_der(&raw)
        };
        let key = match key {
            Ok(key) => key,
            Err(KeyError::Unsupported(_)) => return Ok(None),
            Err(error) => return Err(TrustedRootError::Key(error)),
        };
        let id = LogId::try_from(base64(&self.log_id.key_id)?).map_err(|_| TrustedRootError::LogId)?;
        let name_with_port = authority(&self.base_url).to_owned();
        let name = host(&self.base_url).to_owned();
        let checkpoint_key_id = match self.checkpoint_key_id {
            Some(hint) => {
                let bytes = base64(&hint.key_id)?;
                *bytes.first_chunk().ok_or(TrustedRootError::LogId)?
            }
            None => {
                let [a, b, c, d, ..] = checkpoint::log_id(&name, &key);
                [a, b, c, d]
            }
        };
        let valid_for = interval(self.public_key.valid_for)?;
        Ok(Some(LogKey {
            base_url: self.base_url,
            operator: self.operator,
            name,
            name_with_port,
            id,
            checkpoint_key_id,
            key,
            valid_for,
        }))
    }
}

impl AuthorityDocument {
    fn read(self) -> Result<Authority, TrustedRootError> {
        let certificates = self.cert_chain.certificates;
        if certificates.is_empty() {
            return Err(TrustedRootError::Missing("a certificate"));
        }
        if certificates.len() > MAX_ENTRIES {
            return Err(TrustedRootError::TooLarge);
        }
        let chain = certificates
            .iter()
            .map(|certificate| Ok(Certificate::from_der(&base64(&certificate.raw_bytes)?)?))
            .collect::<Result<_, TrustedRootError>>()?;
        Ok(Authority { uri: self.uri, operator: self.operator, chain, valid_for: interval(self.valid_for)? })
    }
}

fn base64(text: &str) -> Result<Vec<u8>, TrustedRootError> {
    Base64::decode_vec(text).map_err(|_| TrustedRootError::NotBase64)
}

/// A closed interval; one without a start is malformed, for it would reach back for ever.
fn interval(document: Option<IntervalDocument>) -> Result<Interval, TrustedRootError> {
    let document = document.ok_or(TrustedRootError::Missing("a validity"))?;
    let time = |text: String| text.parse::<Timestamp>().map_err(|_| TrustedRootError::Time);
    let start = document.start.ok_or(TrustedRootError::Missing("a start of validity"))?;
    Ok(Interval { start: time(start)?, end: document.end.map(time).transpose()? })
}

/// The host and port of a URL, without scheme, user and path.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

/// The host alone.
fn host(url: &str) -> &str {
    let authority = authority(url);
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|c| c.is_ascii_digit()) => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::embedded::{PUBLIC, STAGING};

    #[test]
    fn the_embedded_roots_parse_whole() {
        let public = TrustedRoot::from_json(PUBLIC.trusted_root).unwrap();
        assert_eq!((public.logs.len(), public.ct_logs.len()), (2, 2));
        assert_eq!((public.certificate_authorities.len(), public.timestamp_authorities.len()), (2, 1));
        assert_eq!(public.logs[0].name, "rekor.sigstore.dev");
        assert!(public.logs.iter().all(|log| log.id[..4] == log.checkpoint_key_id));
        let staging = TrustedRoot::from_json(STAGING.trusted_root).unwrap();
        assert!(!staging.logs.is_empty() && !staging.ct_logs.is_empty());
    }

    #[test]
    fn a_log_without_a_start_of_validity_is_refused_fail() {
        let text = std::str::from_utf8(PUBLIC.trusted_root).unwrap();
        let mut document: serde_json::Value = serde_json::from_str(text).unwrap();
        document["tlogs"][0]["publicKey"]["validFor"].as_object_mut().unwrap().remove("start");
        let refused = TrustedRoot::from_json(document.to_string().as_bytes());
        assert!(matches!(refused, Err(TrustedRootError::Missing("a start of validity"))));
    }

    #[test]
    fn who_runs_a_log_or_an_authority_is_read_where_it_is_said() {
        let text = std::str::from_utf8(PUBLIC.trusted_root).unwrap();
        let mut document: serde_json::Value = serde_json::from_str(text).unwrap();
        document["tlogs"][1]["operator"] = "one".into();
        document["timestampAuthorities"][0]["operator"] = "two".into();
        let root = TrustedRoot::from_json(document.to_string().as_bytes()).unwrap();
        assert_eq!((root.logs[0].operator.as_str(), root.logs[1].operator.as_str()), ("", "one"));
        assert_eq!(root.timestamp_authorities[0].operator, "two");
    }

    #[test]
    fn hosts_are_read_with_and_without_port() {
        assert_eq!(authority("http://user@localhost:8000/path"), "localhost:8000");
        assert_eq!(host("https://log2025-1.rekor.sigstore.dev"), "log2025-1.rekor.sigstore.dev");
        assert_eq!(host("http://127.0.0.1:3000/rekor"), "127.0.0.1");
    }
}
