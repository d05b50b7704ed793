//! Signed certificate timestamps (RFC 6962 section 3): a CT log's promise that it has seen a certificate.
//!
//! Fulcio embeds them. What the log signed is the certificate as it was before the timestamp went in, so that form is
//! rebuilt here from the received bytes; nothing but the one extension and the lengths around it changes.

use jiff::Timestamp;

use super::asn1::{self, Asn1Error, Element, tag};
use super::x509::{Certificate, MAX_EXTENSIONS, SCT_LIST};
use crate::crypto::{KeyKind, SignatureScheme};

/// Real certificates carry one to four.
pub const MAX_SCTS: usize = 16;
/// A TBSCertificate has ten fields at the most (RFC 5280 section 4.1).
const MAX_FIELDS: usize = 10;

/// Why the timestamps of a certificate could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SctError {
    /// Not a SignedCertificateTimestampList, or one of more than [`MAX_SCTS`].
    #[error("the list of signed certificate timestamps is malformed")]
    Malformed,
    /// A version other than v1.
    #[error("a signed certificate timestamp has an unknown version")]
    Version,
    /// The certificate has no such list.
    #[error("the certificate has no embedded signed certificate timestamp")]
    Absent,
}

/// One timestamp, not yet believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sct {
    /// SHA-256 of the log's key.
    pub log_id: [u8; 32],
    /// When the log says it saw the certificate, in milliseconds.
    pub time: Timestamp,
    /// Opaque to RFC 6962; the leaf index in Static CT. Signed like the rest.
    pub extensions: Vec<u8>,
    /// The log's signature.
    pub signature: Vec<u8>,
    millis: u64,
    hash_algorithm: u8,
    signature_algorithm: u8,
}

/// The timestamps embedded in `certificate`.
///
/// # Errors
/// [`SctError::Absent`] without such an extension; the others when it does not parse.
pub fn embedded(certificate: &Certificate) -> Result<Vec<Sct>, SctError> {
    let mut input = certificate.sct_list().ok_or(SctError::Absent)?;
    let mut list = take_vector(&mut input)?;
    if !input.is_empty() {
        return Err(SctError::Malformed);
    }
    let mut scts = Vec::new();
    while !list.is_empty() {
        if scts.len() == MAX_SCTS {
            return Err(SctError::Malformed);
        }
        scts.push(Sct::parse(take_vector(&mut list)?)?);
    }
    if scts.is_empty() { Err(SctError::Absent) } else { Ok(scts) }
}

impl Sct {
    fn parse(mut input: &[u8]) -> Result<Self, SctError> {
        let [version] = take::<1>(&mut input)?;
        if version != 0 {
            return Err(SctError::Version);
        }
        let log_id = take::<32>(&mut input)?;
        let millis = u64::from_be_bytes(take::<8>(&mut input)?);
        let extensions = take_vector(&mut input)?.to_vec();
        let [hash_algorithm, signature_algorithm] = take::<2>(&mut input)?;
        let signature = take_vector(&mut input)?.to_vec();
        if !input.is_empty() {
            return Err(SctError::Malformed);
        }
        let time = i64::try_from(millis).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok());
        let time = time.ok_or(SctError::Malformed)?;
        Ok(Sct { log_id, time, extensions, signature, millis, hash_algorithm, signature_algorithm })
    }

    /// The scheme that the timestamp names, for a key of `kind`; `None` when they do not fit (RFC 5246 section 7.4.1.4.1).
    #[must_use]
    pub fn scheme(&self, kind: KeyKind) -> Option<SignatureScheme> {
        const SHA256: u8 = 4;
        const RSA: u8 = 1;
        const ECDSA: u8 = 3;
        match (self.hash_algorithm, self.signature_algorithm, kind) {
            (SHA256, ECDSA, KeyKind::EcdsaP256 | KeyKind::EcdsaP384) => Some(SignatureScheme::EcdsaSha256),
            (SHA256, RSA, KeyKind::Rsa) => Some(SignatureScheme::RsaPkcs1Sha256),
            _ => None,
        }
    }

    /// What the log signed: a precert entry of `certificate` under the issuer whose key has the given SHA-256.
    ///
    /// # Errors
    /// [`SctError::Malformed`] when the certificate has no such extension to take out.
    pub fn signed_data(&self, certificate: &Certificate, issuer_key_hash: &[u8; 32]) -> Result<Vec<u8>, SctError> {
        const V1: u8 = 0;
        const CERTIFICATE_TIMESTAMP: u8 = 0;
        const PRECERT_ENTRY: [u8; 2] = [0, 1];
        let tbs = precertificate(certificate).map_err(|_| SctError::Malformed)?;
        let mut data = vec![V1, CERTIFICATE_TIMESTAMP];
        data.extend_from_slice(&self.millis.to_be_bytes());
        data.extend_from_slice(&PRECERT_ENTRY);
        data.extend_from_slice(issuer_key_hash);
        let len = u32::try_from(tbs.len()).map_err(|_| SctError::Malformed)?.to_be_bytes();
        data.extend_from_slice(&len[1..]);
        data.extend_from_slice(&tbs);
        let len = u16::try_from(self.extensions.len()).map_err(|_| SctError::Malformed)?;
        data.extend_from_slice(&len.to_be_bytes());
        data.extend_from_slice(&self.extensions);
        Ok(data)
    }
}

/// The TBSCertificate without its timestamp list (RFC 6962 section 3.2).
fn precertificate(certificate: &Certificate) -> Result<Vec<u8>, Asn1Error> {
    const EXTENSIONS: u8 = tag::context_constructed(3);
    let mut kept: Vec<Vec<u8>> = Vec::new();
    let fields = Element::from_der(certificate.tbs_der())?.open(tag::SEQUENCE)?;
    for field in fields.rest(MAX_FIELDS)? {
        if field.tag != EXTENSIONS {
            kept.push(field.encoding.to_vec());
            continue;
        }
        let mut others = Vec::new();
        for extension in Element::from_der(field.content)?.open(tag::SEQUENCE)?.rest(MAX_EXTENSIONS)? {
            if extension.open(tag::SEQUENCE)?.next()?.oid()? != SCT_LIST {
                others.push(extension.encoding);
            }
        }
        kept.push(asn1::tlv(EXTENSIONS, &[&asn1::tlv(tag::SEQUENCE, &others)]));
    }
    let kept: Vec<&[u8]> = kept.iter().map(Vec::as_slice).collect();
    Ok(asn1::tlv(tag::SEQUENCE, &kept))
}

fn take<const N: usize>(input: &mut &[u8]) -> Result<[u8; N], SctError> {
    let (head, rest) = input.split_first_chunk::<N>().ok_or(SctError::Malformed)?;
    *input = rest;
    Ok(*head)
}

/// A TLS vector with a length of two octets (RFC 5246 section 4.3).
fn take_vector<'a>(input: &mut &'a [u8]) -> Result<&'a [u8], SctError> {
    let len = usize::from(u16::from_be_bytes(take::<2>(input)?));
    let (vector, rest) = input.split_at_checked(len).ok_or(SctError::Malformed)?;
    *input = rest;
    Ok(vector)
}
