//! TimeStampToken: a TSTInfo signed by its authority (RFC 3161 section 2.4.2, CMS SignedData of RFC 5652).
//!
//! The signed attributes are kept as received, because that is what the signature covers. The authority's certificate
//! is named twice, by the signer identifier and by the signing-certificate attribute (RFC 2634, RFC 5035); the
//! attribute is signed and the identifier is not, so both must lead to the certificate that is trusted.

use const_oid::ObjectIdentifier;
use jiff::Timestamp;

use super::asn1::{self, Element, tag};
use super::cms::{SignedData, SignerId};
use super::timestamp::{MAX_RESPONSE_LEN, TimestampError, TstInfo, digest_algorithm_to_der, parse_digest_algorithm};
use super::x509::Certificate;
use crate::crypto::{Digest, HashAlgorithm, Keypair, PublicKey, SignatureScheme};

const MAX_ESS_CERTS: usize = 16;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_TIME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.5");
const SIGNING_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.12");
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");

const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const ECDSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// A certificate named by the digest of its DER (ESSCertID by SHA-1, ESSCertIDv2 by a digest of its own).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EssCertId {
    digest: Digest,
}

impl EssCertId {
    /// Whether it names this certificate. The digest covers all of it, so issuer and serial number add nothing.
    #[must_use]
    pub fn names(&self, certificate_der: &[u8]) -> bool {
        self.digest.algorithm().digest(certificate_der) == self.digest
    }

    /// The digest; by SHA-1 in the attribute of RFC 2634, which still stands below a signature of its own.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

/// A parsed token; believed only when [`TimestampToken::verify_signature`] and the authority's chain hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimestampToken {
    info: TstInfo,
    info_der: Vec<u8>,
    message: SignedData,
    signing_certificates: Vec<EssCertId>,
}

impl TimestampToken {
    /// Read a token: a SignedData over a TSTInfo with exactly one signer.
    ///
    /// # Errors
    /// [`TimestampError`], naming what is wrong.
    pub fn parse(der: &[u8]) -> Result<Self, TimestampError> {
        if der.len() > MAX_RESPONSE_LEN {
            return Err(TimestampError::TooLarge);
        }
        let message = SignedData::parse(der)?;
        if message.content_type != TST_INFO {
            return Err(TimestampError::NotATimestamp);
        }
        let info_der = message.content.clone().ok_or(TimestampError::NotATimestamp)?;
        let signing_certificates = signing_certificates(&message)?;
        Ok(TimestampToken { info: TstInfo::parse(&info_der)?, info_der, message, signing_certificates })
    }

    /// What is stated.
    #[must_use]
    pub fn info(&self) -> &TstInfo {
        &self.info
    }

    /// The certificates that came with it: hints, never trust.
    #[must_use]
    pub fn certificates(&self) -> &[Certificate] {
        &self.message.certificates
    }

    /// Which certificate the SignerInfo names; not signed, a hint for finding it.
    #[must_use]
    pub fn signer(&self) -> &SignerId {
        &self.message.signer.id
    }

    /// Whether something travels along that nobody signed and nobody needs: unsigned attributes, revocation lists.
    #[must_use]
    pub fn has_unsigned_parts(&self) -> bool {
        self.message.has_revocation_lists || !self.message.signer.unsigned_attributes.is_empty()
    }

    /// The signing certificate as the signed attributes name it: one id for each attribute present, at least one.
    #[must_use]
    pub fn signing_certificates(&self) -> &[EssCertId] {
        &self.signing_certificates
    }

    /// Check that `key` signed this content: the digest attribute against the TSTInfo, then the signature against
    /// the attributes. Stops a signed attribute set from being moved to another TSTInfo.
    ///
    /// # Errors
    /// [`TimestampError::ContentDigest`] and [`TimestampError::SignatureInvalid`].
    pub fn verify_signature(&self, key: &PublicKey) -> Result<(), TimestampError> {
        let signer = &self.message.signer;
        if signer.digest.digest(&self.info_der).as_bytes() != signer.message_digest {
            return Err(TimestampError::ContentDigest);
        }
        let scheme = signer.scheme(key.kind()).ok_or(TimestampError::SignatureInvalid)?;
        key.verify(scheme, &signer.signed_attributes, &signer.signature).map_err(|_| TimestampError::SignatureInvalid)
    }
}

/// Sign `info`. The token names `certificate` (DER) and carries the certificates in `embedded`.
///
/// # Errors
/// [`TimestampError`] when the certificate or the policy cannot be read, or the key's scheme has no place in a token.
pub fn sign(
    info: &TstInfo,
    certificate: &[u8],
    embedded: &[&[u8]],
    signing_time: Timestamp,
    key: &dyn Keypair,
) -> Result<Vec<u8>, TimestampError> {
    let (digest_algorithm, signature_oid) = match key.scheme() {
        SignatureScheme::EcdsaSha256 => (HashAlgorithm::Sha256, ECDSA_SHA256),
        SignatureScheme::EcdsaSha384 => (HashAlgorithm::Sha384, ECDSA_SHA384),
        SignatureScheme::EcdsaSha512 => (HashAlgorithm::Sha512, ECDSA_SHA512),
        // RFC 8419 section 3: Ed25519 goes with SHA-512.
        SignatureScheme::Ed25519 => (HashAlgorithm::Sha512, ED25519),
        other => return Err(TimestampError::UnsupportedSignature(format!("{other:?}"))),
    };
    let info_der = info.to_der()?;
    let attribute =
        |oid, value: &[u8]| asn1::sequence(&[&asn1::oid(oid), &asn1::set_of(tag::SET, vec![value.to_vec()])]);
    // ESSCertIDv2: SHA-256 is the default algorithm and therefore absent (RFC 5035 section 4).
    let certificate_hash = asn1::tlv(tag::OCTET_STRING, &[HashAlgorithm::Sha256.digest(certificate).as_bytes()]);
    let ess = asn1::sequence(&[&asn1::sequence(&[&asn1::sequence(&[&certificate_hash])])]);
    let time = signing_time.strftime("%y%m%d%H%M%SZ").to_string();
    let digest = digest_algorithm.digest(&info_der);
    let attributes = vec![
        attribute(CONTENT_TYPE, &asn1::oid(TST_INFO)),
        attribute(SIGNING_TIME, &asn1::tlv(tag::UTC_TIME, &[time.as_bytes()])),
        attribute(MESSAGE_DIGEST, &asn1::tlv(tag::OCTET_STRING, &[digest.as_bytes()])),
        attribute(SIGNING_CERTIFICATE_V2, &ess),
    ];
    let signature = key.sign(&asn1::set_of(tag::SET, attributes.clone()));
    let (issuer, serial) = issuer_and_serial(certificate)?;
    let algorithm = digest_algorithm_to_der(digest_algorithm);
    let signer_info = asn1::sequence(&[
        &asn1::unsigned(&[1]),
        &asn1::sequence(&[issuer, serial]),
        &algorithm,
        &asn1::set_of(tag::context_constructed(0), attributes),
        &asn1::sequence(&[&asn1::oid(signature_oid)]),
        &asn1::tlv(tag::OCTET_STRING, &[&signature]),
    ]);
    let encapsulated = asn1::sequence(&[
        &asn1::oid(TST_INFO),
        &asn1::tlv(tag::context_constructed(0), &[&asn1::tlv(tag::OCTET_STRING, &[&info_der])]),
    ]);
    let embedded = match embedded {
        [] => Vec::new(),
        some => asn1::set_of(tag::context_constructed(0), some.iter().map(|der| der.to_vec()).collect()),
    };
    let signed_data = asn1::sequence(&[
        &asn1::unsigned(&[3]),
        &asn1::set_of(tag::SET, vec![algorithm]),
        &encapsulated,
        &embedded,
        &asn1::set_of(tag::SET, vec![signer_info]),
    ]);
    Ok(asn1::sequence(&[&asn1::oid(SIGNED_DATA), &asn1::tlv(tag::context_constructed(0), &[&signed_data])]))
}

/// Issuer and serial number of a certificate, as encoded (RFC 5280 section 4.1).
fn issuer_and_serial(certificate: &[u8]) -> Result<(&[u8], &[u8]), TimestampError> {
    let mut tbs = Element::from_der(certificate)?.open(tag::SEQUENCE)?.next()?.open(tag::SEQUENCE)?;
    tbs.next_if(tag::context_constructed(0))?;
    let serial = tbs.next()?.encoding;
    tbs.next()?;
    let issuer = tbs.next()?.encoding;
    Ok((issuer, serial))
}

/// What the signed attributes say of the signer's certificate; at least one of the two must be there.
fn signing_certificates(message: &SignedData) -> Result<Vec<EssCertId>, TimestampError> {
    let absent = TimestampError::SignedAttributes("the signing certificate");
    let mut ids = Vec::new();
    for (attribute, version) in [(SIGNING_CERTIFICATE, EssVersion::V1), (SIGNING_CERTIFICATE_V2, EssVersion::V2)] {
        if let Some(attribute) = message.signer.signed_attribute(attribute) {
            let value = attribute.single().ok_or_else(|| absent.clone())?;
            ids.push(ess_cert_id(Element::from_der(value)?, version)?);
        }
    }
    if ids.is_empty() { Err(absent) } else { Ok(ids) }
}

#[derive(Clone, Copy, PartialEq)]
enum EssVersion {
    V1,
    V2,
}

/// The first id of a SigningCertificate(V2): that is the signer's (RFC 5035 section 3); the rest only narrow the chain.
fn ess_cert_id(element: Element<'_>, version: EssVersion) -> Result<EssCertId, TimestampError> {
    let mut fields = element.open(tag::SEQUENCE)?;
    let ids = fields.next()?.open(tag::SEQUENCE)?.rest(MAX_ESS_CERTS)?;
    let mut id = ids.first().ok_or(TimestampError::Malformed)?.open(tag::SEQUENCE)?;
    let algorithm = match version {
        EssVersion::V1 => HashAlgorithm::Sha1,
        EssVersion::V2 => match id.next_if(tag::SEQUENCE)? {
            Some(algorithm) => parse_digest_algorithm(algorithm)?,
            None => HashAlgorithm::Sha256,
        },
    };
    let hash = id.next()?.expect(tag::OCTET_STRING)?;
    let digest = Digest::from_bytes(algorithm, hash).ok_or(TimestampError::Malformed)?;
    Ok(EssCertId { digest })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::timestamp::{Accuracy, TimestampRequest, token_of_response};

    const REQUEST: &[u8] = include_bytes!("../../tests/vectors/timestamp/openssl-p256-sha512/request.tsq");
    const RESPONSE: &[u8] = include_bytes!("../../tests/vectors/timestamp/openssl-p256-sha512/response.tsr");
    const REFUSED: &[u8] = include_bytes!("../../tests/vectors/timestamp/openssl-p256-sha512/refused.tsr");
    const DATA: &[u8] = include_bytes!("../../tests/vectors/timestamp/openssl-p256-sha512/data");
    const CERTIFICATE: &[u8] = include_bytes!("../../tests/vectors/timestamp/openssl-p256-sha512/tsa.der");

    fn public_key(certificate: &[u8]) -> PublicKey {
        let mut tbs = Element::from_der(certificate).unwrap().open(tag::SEQUENCE).unwrap().next().unwrap();
        tbs = *tbs.open(tag::SEQUENCE).unwrap().rest(10).unwrap().get(6).unwrap();
        PublicKey::from_spki_der(tbs.encoding).unwrap()
    }

    #[test]
    fn a_token_of_openssl_is_read_and_verified() {
        let request = TimestampRequest::parse(REQUEST).unwrap();
        // Not the same bytes: openssl writes a NULL parameter where RFC 5754 says to write none.
        assert_eq!(TimestampRequest::parse(&request.to_der().unwrap()).unwrap(), request);
        let token = TimestampToken::parse(token_of_response(RESPONSE).unwrap()).unwrap();
        let info = token.info();
        assert_eq!(info.imprint, HashAlgorithm::Sha384.digest(DATA));
        assert_eq!((&info.nonce, &info.imprint), (&request.nonce, &request.imprint));
        assert_eq!(info.accuracy, Some(Accuracy { seconds: 1, millis: 500, micros: 0 }));
        assert!(info.ordering);
        assert_eq!(token.certificates().len(), 2);
        let (issuer, serial) = issuer_and_serial(CERTIFICATE).unwrap();
        let serial = Element::from_der(serial).unwrap().content.to_vec();
        assert_eq!(token.signer(), &SignerId::IssuerAndSerial { issuer: issuer.to_vec(), serial });
        assert!(token.signing_certificates().iter().all(|id| id.names(CERTIFICATE)));
        assert_eq!(token.verify_signature(&public_key(CERTIFICATE)), Ok(()));
        assert!(matches!(token_of_response(REFUSED), Err(TimestampError::Refused { status: 2, .. })));
    }

    #[test]
    fn a_token_of_ours_is_read_and_verified_and_no_other_key_fits() {
        use crate::crypto::{KeyKind, ServiceKey};
        let info = TimestampToken::parse(token_of_response(RESPONSE).unwrap()).unwrap().info().clone();
        for kind in [KeyKind::EcdsaP256, KeyKind::EcdsaP384, KeyKind::Ed25519] {
            let key = ServiceKey::generate(kind).unwrap();
            let time = Timestamp::from_second(1_795_000_000).unwrap();
            for embedded in [&[][..], &[CERTIFICATE]] {
                let der = sign(&info, CERTIFICATE, embedded, time, &key).unwrap();
                let token = TimestampToken::parse(&der).unwrap();
                assert_eq!(token.info(), &info);
                assert_eq!(token.certificates().len(), embedded.len());
                assert!(token.signing_certificates()[0].names(CERTIFICATE));
                assert_eq!(token.verify_signature(key.public_key()), Ok(()));
                assert_eq!(token.verify_signature(&public_key(CERTIFICATE)), Err(TimestampError::SignatureInvalid));
                assert!(!token.has_unsigned_parts());
            }
        }
    }

    #[test]
    fn every_changed_byte_is_noticed_or_unsigned() {
        let der = token_of_response(RESPONSE).unwrap();
        let good = TimestampToken::parse(der).unwrap();
        let key = public_key(CERTIFICATE);
        for position in 0..der.len() {
            let mut changed = der.to_vec();
            changed[position] ^= 1;
            if let Ok(token) = TimestampToken::parse(&changed)
                && token.verify_signature(&key).is_ok()
            {
                assert_eq!(token.info(), good.info(), "byte {position}");
                assert_eq!(token.signing_certificates(), good.signing_certificates(), "byte {position}");
            }
        }
        for length in 0..der.len() {
            assert!(TimestampToken::parse(&der[..length]).is_err());
        }
    }
}
