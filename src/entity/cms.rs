//! From the CMS of a git signature to a [`SignedEntity`], and back.
//!
//! The log's body does not travel: it says nothing that the signature does not say, so it is built again here from
//! the signed attributes, the signature and the leaf. A body built from other things has another leaf hash, and the
//! Merkle proof fails: that is what binds the entry to the signature (CVE-2026-22703 and its kin).

use crate::crypto::{HashAlgorithm, SignatureScheme};
use crate::format::cms::build::{self, BuildError, Evidence};
use crate::format::cms::{CmsError, SignedData, TIME_STAMP_TOKEN, TRANSPARENCY_LOG_ENTRY};
use crate::format::experimental::{self, ExperimentalError};
use crate::format::log_entry::{self, EntryKind, LogEntry, LoggedKey};
use crate::format::tle::{self, TleError};
use crate::format::x509::Certificate;

use super::{Artifact, SignatureContent, SignedEntity, SignerKey, VerificationMaterial};

/// Why a CMS message is no Sigstore signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntityError {
    /// The signer's certificate is not in the message, or two answer to its name.
    #[error("the signer's certificate is not in the signature")]
    CertificateMissing,
    /// The message is in a spelling that no Sigstore client writes.
    #[error("the CMS message is not in the form that Sigstore clients write")]
    NotCanonical,
    /// The content travels along; git signatures are detached.
    #[error("the signature is not detached")]
    Attached,
    /// A log entry or stamp that is there but not exactly once.
    #[error("an unsigned attribute does not have exactly one value")]
    NotSingle,
    /// An attribute that nothing here knows: a place for bytes that nobody signed.
    #[error("the signature has an unknown unsigned attribute {0}")]
    UnknownAttribute(String),
    /// The embedded log entry does not parse.
    #[error(transparent)]
    LogEntry(#[from] TleError),
    /// The embedded log entry of January 2023 does not parse.
    #[error(transparent)]
    Experimental(#[from] ExperimentalError),
    /// The embedded log entry lacks its proof.
    #[error("the embedded log entry has no inclusion proof")]
    ProofMissing,
    /// The message does not parse.
    #[error(transparent)]
    Cms(#[from] CmsError),
}

/// The entity that a CMS message carries: its artifact is the DER of the signed attributes.
///
/// The content itself is bound to them by `messageDigest`, which [`verify::content`](crate::verify::content) checks.
///
/// # Errors
/// [`EntityError`] when a part is missing, unknown, or spelt in another way than Sigstore clients do.
pub fn from_cms(message: &SignedData) -> Result<SignedEntity, EntityError> {
    let leaf = message.signer_certificate().ok_or(EntityError::CertificateMissing)?.clone();
    if message.content.is_some() {
        return Err(EntityError::Attached);
    }
    let signer = &message.signer;
    // A bundle of these parts would be checked with the scheme that follows from the key; so must this one.
    let scheme = leaf.public_key().ok().and_then(|key| signer.scheme(key.kind()));
    if !message.is_canonical || scheme != Some(SignatureScheme::EcdsaSha256) {
        return Err(EntityError::NotCanonical);
    }
    let timestamps = match signer.unsigned_attribute(TIME_STAMP_TOKEN) {
        Some(attribute) => vec![attribute.single().ok_or(EntityError::NotSingle)?.to_vec()],
        None => Vec::new(),
    };
    let log_entries = match log_entry(message, &leaf)? {
        Some(entry) if entry.inclusion_proof.is_none() => return Err(EntityError::ProofMissing),
        entry => entry.into_iter().collect(),
    };
    let chain = message.certificates.iter().filter(|other| other.der() != leaf.der()).cloned().collect();
    Ok(SignedEntity {
        artifact: Artifact::Bytes(signer.signed_attributes.clone()),
        signature: SignatureContent::Message(signer.signature.clone()),
        material: VerificationMaterial {
            signer: SignerKey::Certificate(Box::new(leaf)),
            chain,
            log_entries,
            timestamps,
        },
    })
}

/// The CMS message of an entity whose artifact is a SET OF signed attributes; the body of its entry is left out.
///
/// # Errors
/// [`BuildError`] when a part is not what it should be.
pub fn to_cms(
    signed_attributes: &[u8],
    leaf: &Certificate,
    signature: &[u8],
    entry: Option<&LogEntry>,
    time_stamp: Option<&[u8]>,
) -> Result<Vec<u8>, BuildError> {
    let entry = entry.map(tle::encode);
    let evidence = Evidence { log_entry: entry.as_deref(), time_stamp };
    build::detached_signature(signed_attributes, leaf, signature, &evidence)
}

fn log_entry(message: &SignedData, leaf: &Certificate) -> Result<Option<LogEntry>, EntityError> {
    const OCTET_STRING: u8 = 0x04;
    let signer = &message.signer;
    let body = |kind| rebuild_body(kind, &signer.signed_attributes, &signer.signature, leaf);
    let known = [TIME_STAMP_TOKEN, TRANSPARENCY_LOG_ENTRY];
    let others: Vec<_> = signer.unsigned_attributes.iter().filter(|one| !known.contains(&one.id)).collect();
    let entry = signer.unsigned_attribute(TRANSPARENCY_LOG_ENTRY);
    let value = entry.map(|entry| entry.single().ok_or(EntityError::NotSingle)).transpose()?;
    match value {
        // The layout of January 2023 has something else than an OCTET STRING at this number.
        Some(value) if value.first() != Some(&OCTET_STRING) => {
            let mut fields = Vec::new();
            for attribute in signer.unsigned_attributes.iter().filter(|one| one.id != TIME_STAMP_TOKEN) {
                fields.push((attribute.id, attribute.single().ok_or(EntityError::NotSingle)?));
            }
            if let Some((id, _)) = fields.iter().find(|(id, _)| id.parent() != TRANSPARENCY_LOG_ENTRY.parent()) {
                return Err(EntityError::UnknownAttribute(id.to_string()));
            }
            Ok(Some(experimental::decode(fields, body)?))
        }
        _ if !others.is_empty() => Err(EntityError::UnknownAttribute(others[0].id.to_string())),
        Some(value) => Ok(Some(tle::decode(crate::format::octet_string(value).ok_or(TleError::Malformed)?, body)?)),
        None => Ok(None),
    }
}

/// The body that a log made of this signature; only the two kinds of hashedrekord log a message signature.
#[must_use]
pub fn rebuild_body(kind: EntryKind, signed_attributes: &[u8], signature: &[u8], leaf: &Certificate) -> Vec<u8> {
    let digest = HashAlgorithm::Sha256.digest(signed_attributes);
    match kind {
        EntryKind::HashedRekordV002 => {
            let details = leaf.public_key().ok().and_then(log_entry::key_details).unwrap_or_default();
            let key = LoggedKey::Certificate(leaf.der().to_vec());
            log_entry::hashedrekord_v002(&digest, signature, &key, details)
        }
        _ => log_entry::hashedrekord_v001(&digest, signature, &leaf.to_pem()),
    }
}
