//! From the CMS of a git signature to a [`SignedEntity`], and back.
//!
//! The log's body does not travel: it says nothing that the signature does not say, so it is built again here from
//! the signed attributes, the signature and the leaf. A body built from other things has another leaf hash, and the
//! Merkle proof fails: that is what binds the entry to the signature (CVE-2026-22703 and its kin).

use crate::crypto::{HashAlgorithm, SignatureScheme};
use crate::format::cms::build::{self, BuildError, Evidence};
use crate::format::cms::{Attribute, CmsError, SignedData, TIME_STAMP_TOKEN, TRANSPARENCY_LOG_ENTRY};
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
    /// Log entries or stamps that are not in DER's order, or one that is there twice.
    #[error("the values of an unsigned attribute are not in DER's order, each once")]
    NotDistinct,
    /// A part of the layout of January 2023 that is there but not exactly once.
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
    let timestamps = values(signer.unsigned_attribute(TIME_STAMP_TOKEN))?.to_vec();
    let log_entries = log_entries(message, &leaf)?;
    if log_entries.iter().any(|entry| entry.inclusion_proof.is_none()) {
        return Err(EntityError::ProofMissing);
    }
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

/// The CMS message of an entity whose artifact is a SET OF signed attributes; the bodies of its entries are left out.
/// Several entries, or several stamps, are the values of one attribute; one alone is what gitsign writes and reads.
///
/// # Errors
/// [`BuildError`] when a part is not what it should be.
pub fn to_cms(
    signed_attributes: &[u8],
    leaf: &Certificate,
    signature: &[u8],
    log_entries: &[LogEntry],
    time_stamps: &[Vec<u8>],
) -> Result<Vec<u8>, BuildError> {
    let evidence = Evidence { log_entries: log_entries.iter().map(tle::encode).collect(), time_stamps };
    build::detached_signature(signed_attributes, leaf, signature, &evidence)
}

/// The values of an unsigned attribute; none without it.
fn values(attribute: Option<&Attribute>) -> Result<&[Vec<u8>], EntityError> {
    attribute.map_or(Ok(&[]), |attribute| attribute.distinct().ok_or(EntityError::NotDistinct))
}

fn log_entries(message: &SignedData, leaf: &Certificate) -> Result<Vec<LogEntry>, EntityError> {
    const OCTET_STRING: u8 = 0x04;
    let signer = &message.signer;
    let body = |kind| rebuild_body(kind, &signer.signed_attributes, &signer.signature, leaf);
    let known = [TIME_STAMP_TOKEN, TRANSPARENCY_LOG_ENTRY];
    let others: Vec<_> = signer.unsigned_attributes.iter().filter(|one| !known.contains(&one.id)).collect();
    let values = values(signer.unsigned_attribute(TRANSPARENCY_LOG_ENTRY))?;
    // The layout of January 2023 has something else than an OCTET STRING at this number.
    if values.first().is_some_and(|value| value.first() != Some(&OCTET_STRING)) {
        let mut fields = Vec::new();
        for attribute in signer.unsigned_attributes.iter().filter(|one| one.id != TIME_STAMP_TOKEN) {
            fields.push((attribute.id, attribute.single().ok_or(EntityError::NotSingle)?));
        }
        if let Some((id, _)) = fields.iter().find(|(id, _)| id.parent() != TRANSPARENCY_LOG_ENTRY.parent()) {
            return Err(EntityError::UnknownAttribute(id.to_string()));
        }
        return Ok(vec![experimental::decode(fields, body)?]);
    }
    if let Some(other) = others.first() {
        return Err(EntityError::UnknownAttribute(other.id.to_string()));
    }
    let decode = |value: &Vec<u8>| {
        tle::decode(crate::format::octet_string(value).ok_or(TleError::Malformed)?, body).map_err(EntityError::from)
    };
    values.iter().map(decode).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::cms::MAX_ATTRIBUTE_VALUES;

    /// A message with stamps that are as long as each other, which nobody has looked at yet.
    fn message(stamps: impl IntoIterator<Item = u8>) -> Vec<u8> {
        let leaf = include_bytes!("../../tests/vectors/timestamp/openssl-p256-sha512/tsa.der");
        let leaf = Certificate::from_der(leaf).unwrap();
        let attributes = build::signed_attributes(&[7; 32], jiff::Timestamp::UNIX_EPOCH).unwrap();
        let stamps: Vec<_> = stamps.into_iter().map(stamp).collect();
        to_cms(&attributes, &leaf, b"signature", &[], &stamps).unwrap()
    }

    fn stamp(number: u8) -> Vec<u8> {
        [&[0x04, 0x07], "stamp ".as_bytes(), &[number]].concat()
    }

    fn stamps(message: &[u8]) -> Result<Vec<Vec<u8>>, EntityError> {
        Ok(from_cms(&SignedData::parse(message)?)?.material.timestamps)
    }

    /// The message with its stamps, which were made in order, in this one.
    fn reordered(message: &[u8], order: [u8; 2]) -> Vec<u8> {
        let (old, new) = ([stamp(1), stamp(2)].concat(), order.map(stamp).concat());
        let at = message.windows(old.len()).position(|window| window == old).unwrap();
        [&message[..at], &new, &message[at + old.len()..]].concat()
    }

    #[test]
    fn several_values_are_read_in_their_one_order() {
        let two = message([2, 1]);
        assert_eq!(stamps(&two), Ok(vec![stamp(1), stamp(2)]));
        for order in [[2, 1], [1, 1], [2, 2]] {
            assert_eq!(stamps(&reordered(&two, order)), Err(EntityError::NotDistinct), "{order:?}");
        }
    }

    #[test]
    fn more_values_than_anybody_needs_are_refused() {
        let most = MAX_ATTRIBUTE_VALUES as u8;
        assert_eq!(stamps(&message(0..most)).map(|found| found.len()), Ok(MAX_ATTRIBUTE_VALUES));
        let error = EntityError::Cms(CmsError::TooMuch("attribute values"));
        assert_eq!(stamps(&message(0..=most)), Err(error));
    }
}
