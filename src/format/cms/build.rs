//! Writing the one form of SignedData that git signatures use (RFC 5652; git-signatures as gitsign writes them).
//!
//! Detached, one certificate (the leaf), one signer named by issuer and serial number, SHA-256 with absent parameters,
//! the attributes contentType, signingTime and messageDigest in DER order.

use cms::cert::{CertificateChoices, IssuerAndSerialNumber};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{EncapsulatedContentInfo, SignedData, SignerIdentifier, SignerInfo, SignerInfos};
use const_oid::ObjectIdentifier;
use der::asn1::{OctetString, SetOfVec, UtcTime};
use der::{Any, Decode as _, Encode as _};
use jiff::Timestamp;
use spki::AlgorithmIdentifierOwned;
use x509_cert::attr::Attribute;

use super::{CONTENT_TYPE, ID_DATA, MESSAGE_DIGEST, SIGNED_DATA, SIGNING_TIME};
use super::{TIME_STAMP_TOKEN, TRANSPARENCY_LOG_ENTRY};
use crate::format::time;
use crate::format::x509::Certificate;

const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

/// The message could not be written: a time outside 1970..2050, or a part that is not DER.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the CMS message could not be encoded: {0}")]
pub struct BuildError(&'static str);

/// What goes into the unsigned attributes: for each kind one attribute, with a value for each piece.
#[derive(Debug, Clone, Default)]
pub struct Evidence<'a> {
    /// TransparencyLogEntry messages in protobuf, without their bodies.
    pub log_entries: Vec<Vec<u8>>,
    /// TimeStampTokens in DER, over the signature (RFC 3161 appendix A; several values as in RFC 5126 section 6.1.1).
    pub time_stamps: &'a [Vec<u8>],
}

/// The DER of the SET OF signed attributes: the bytes to sign (RFC 5652 section 5.4).
///
/// # Errors
/// [`BuildError`] when `signing_time` is outside the years of UTCTime, 1970 to 2049.
pub fn signed_attributes(message_digest: &[u8; 32], signing_time: Timestamp) -> Result<Vec<u8>, BuildError> {
    let when = time::to_der(signing_time).and_then(|when| UtcTime::from_date_time(when).ok());
    let when = when.ok_or(BuildError("the clock is outside the years of UTCTime"))?;
    let digest = OctetString::new(message_digest.as_slice()).map_err(|_| BuildError("digest"))?;
    let attributes =
        vec![attribute(CONTENT_TYPE, &ID_DATA)?, attribute(SIGNING_TIME, &when)?, attribute(MESSAGE_DIGEST, &digest)?];
    set(attributes)?.to_der().map_err(|_| BuildError("signed attributes"))
}

/// Put a signature over `signed_attributes` into a detached SignedData, in DER.
///
/// # Errors
/// [`BuildError`] when a part is not what it should be.
pub fn detached_signature(
    signed_attributes: &[u8],
    leaf: &Certificate,
    signature: &[u8],
    evidence: &Evidence<'_>,
) -> Result<Vec<u8>, BuildError> {
    let certificate =
        x509_cert::Certificate::from_der(leaf.der()).map_err(|_| BuildError("the signer's certificate"))?;
    let id = IssuerAndSerialNumber {
        issuer: certificate.tbs_certificate().issuer().clone(),
        serial_number: certificate.tbs_certificate().serial_number().clone(),
    };
    let sha256 = AlgorithmIdentifierOwned { oid: SHA256, parameters: None };
    let signer = SignerInfo {
        version: CmsVersion::V1,
        sid: SignerIdentifier::IssuerAndSerialNumber(id),
        digest_alg: sha256.clone(),
        signed_attrs: Some(SetOfVec::from_der(signed_attributes).map_err(|_| BuildError("signed attributes"))?),
        signature_algorithm: AlgorithmIdentifierOwned { oid: ECDSA_WITH_SHA256, parameters: None },
        signature: OctetString::new(signature).map_err(|_| BuildError("signature"))?,
        unsigned_attrs: unsigned_attributes(evidence)?,
    };
    let data = SignedData {
        version: CmsVersion::V1,
        digest_algorithms: SetOfVec::from_iter([sha256]).map_err(|_| BuildError("digest algorithms"))?,
        encap_content_info: EncapsulatedContentInfo { econtent_type: ID_DATA, econtent: None },
        certificates: Some(
            vec![CertificateChoices::Certificate(certificate)].try_into().map_err(|_| BuildError("certificates"))?,
        ),
        crls: None,
        signer_infos: SignerInfos(SetOfVec::from_iter([signer]).map_err(|_| BuildError("signer"))?),
    };
    let content = Any::encode_from(&data).map_err(|_| BuildError("content"))?;
    ContentInfo { content_type: SIGNED_DATA, content }.to_der().map_err(|_| BuildError("content info"))
}

fn unsigned_attributes(evidence: &Evidence<'_>) -> Result<Option<SetOfVec<Attribute>>, BuildError> {
    let octets = |entry: &Vec<u8>| OctetString::new(entry.as_slice()).and_then(|octets| Any::encode_from(&octets));
    let entries = evidence.log_entries.iter().map(octets).collect::<Result<Vec<_>, _>>();
    let entries = entries.map_err(|_| BuildError("log entry"))?;
    let tokens = evidence.time_stamps.iter().map(|token| Any::from_der(token)).collect::<Result<Vec<_>, _>>();
    let tokens = tokens.map_err(|_| BuildError("time stamp"))?;
    let mut attributes = Vec::new();
    for (oid, values) in [(TRANSPARENCY_LOG_ENTRY, entries), (TIME_STAMP_TOKEN, tokens)] {
        if !values.is_empty() {
            // Sorts them, and refuses one that is there twice.
            let values = SetOfVec::try_from(values).map_err(|_| BuildError("the same evidence twice"))?;
            attributes.push(Attribute { oid, values });
        }
    }
    if attributes.is_empty() { Ok(None) } else { set(attributes).map(Some) }
}

fn attribute<T>(oid: ObjectIdentifier, value: &T) -> Result<Attribute, BuildError>
where
    T: der::EncodeValue + der::Tagged,
{
    let value = Any::encode_from(value).map_err(|_| BuildError("attribute"))?;
    let values = SetOfVec::from_iter([value]).map_err(|_| BuildError("attribute"))?;
    Ok(Attribute { oid, values })
}

fn set(attributes: Vec<Attribute>) -> Result<SetOfVec<Attribute>, BuildError> {
    SetOfVec::try_from(attributes).map_err(|_| BuildError("attributes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signed_bytes_have_the_length_and_order_that_gitsign_writes() {
        let when = time::from_unix_seconds(1_700_000_000).unwrap();
        let bytes = signed_attributes(&[7; 32], when).unwrap();
        assert_eq!(bytes.len(), 107);
        assert_eq!(bytes[..4], [0x31, 0x69, 0x30, 0x18]);
        assert!(signed_attributes(&[7; 32], time::from_unix_seconds(3_000_000_000).unwrap()).is_err());
    }
}
