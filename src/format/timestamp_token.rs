//! TimeStampToken: a TSTInfo signed by its authority (RFC 3161 section 2.4.2, CMS SignedData of RFC 5652).
//!
//! The signed attributes are kept as received, because that is what the signature covers. The authority's certificate
//! is named twice, by the signer identifier and by the signing-certificate attribute (RFC 2634, RFC 5035); the
//! attribute is signed and the identifier is not, so both must lead to the certificate that is trusted.

use const_oid::ObjectIdentifier;
use jiff::Timestamp;

use super::asn1::{self, Element, Elements, tag};
use super::timestamp::{MAX_RESPONSE_LEN, TimestampError, TstInfo, digest_algorithm_to_der, parse_digest_algorithm};
use crate::crypto::{Digest, HashAlgorithm, Keypair, PublicKey, SignatureScheme};

/// An authority's chain; more would only cost time.
pub const MAX_CERTIFICATES: usize = 16;
/// Four attributes are usual.
const MAX_ATTRIBUTES: usize = 16;
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
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const RSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const RSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Which certificate the SignerInfo names; not signed, a hint for finding it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignerId {
    /// Issuer and serial number.
    IssuerAndSerial {
        /// The issuer's Name in DER.
        issuer: Vec<u8>,
        /// The content octets of the serial number.
        serial: Vec<u8>,
    },
    /// The subject key identifier.
    SubjectKeyId(Vec<u8>),
}

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
    certificates: Vec<Vec<u8>>,
    signer: SignerId,
    digest_algorithm: HashAlgorithm,
    signed_attributes: Vec<u8>,
    message_digest: Vec<u8>,
    signing_certificates: Vec<EssCertId>,
    scheme: SignatureScheme,
    signature: Vec<u8>,
}

impl TimestampToken {
    /// Read a token: a ContentInfo with exactly one signer.
    ///
    /// # Errors
    /// [`TimestampError`], naming what is wrong.
    pub fn parse(der: &[u8]) -> Result<Self, TimestampError> {
        if der.len() > MAX_RESPONSE_LEN {
            return Err(TimestampError::TooLarge);
        }
        let mut content_info = Element::from_der(der)?.open(tag::SEQUENCE)?;
        if content_info.next()?.oid()? != SIGNED_DATA {
            return Err(TimestampError::NotATimestamp);
        }
        let signed_data = explicit(content_info.next()?, 0)?;
        content_info.end()?;

        let mut fields = signed_data.open(tag::SEQUENCE)?;
        // Version 3 by RFC 5652; some authorities write 1, and nothing depends on it.
        fields.next()?.small()?;
        fields.next()?.expect(tag::SET)?;
        let info_der = encapsulated(fields.next()?)?;
        let certificates = match fields.next_if(tag::context_constructed(0))? {
            Some(set) => certificates(set.content)?,
            None => Vec::new(),
        };
        fields.next_if(tag::context_constructed(1))?;
        let signer_info = Element::from_der(fields.next()?.expect(tag::SET)?)?;
        fields.end()?;
        Self::with_signer(info_der, certificates, signer_info)
    }

    fn with_signer(
        info_der: &[u8],
        certificates: Vec<Vec<u8>>,
        signer_info: Element<'_>,
    ) -> Result<Self, TimestampError> {
        let mut fields = signer_info.open(tag::SEQUENCE)?;
        fields.next()?.small()?;
        let signer = signer_id(fields.next()?)?;
        let digest_algorithm = parse_digest_algorithm(fields.next()?)?;
        let attributes = fields.next()?.expect(tag::context_constructed(0))?;
        let SignedAttributes { message_digest, signing_certificates } = SignedAttributes::parse(attributes)?;
        let scheme = signature_scheme(fields.next()?, digest_algorithm)?;
        let signature = fields.next()?.expect(tag::OCTET_STRING)?.to_vec();
        fields.next_if(tag::context_constructed(1))?;
        fields.end()?;
        Ok(TimestampToken {
            info: TstInfo::parse(info_der)?,
            info_der: info_der.to_vec(),
            certificates,
            signer,
            digest_algorithm,
            // The signature covers the SET OF, not the implicit tag (RFC 5652 section 5.4); order as received.
            signed_attributes: asn1::tlv(tag::SET, &[attributes]),
            message_digest,
            signing_certificates,
            scheme,
            signature,
        })
    }

    /// What is stated.
    #[must_use]
    pub fn info(&self) -> &TstInfo {
        &self.info
    }

    /// The certificates that came with it, in DER: hints, never trust.
    #[must_use]
    pub fn certificates(&self) -> &[Vec<u8>] {
        &self.certificates
    }

    /// Which certificate the SignerInfo names.
    #[must_use]
    pub fn signer(&self) -> &SignerId {
        &self.signer
    }

    /// The signing certificate as the signed attributes name it: one id for each attribute present, at least one.
    #[must_use]
    pub fn signing_certificates(&self) -> &[EssCertId] {
        &self.signing_certificates
    }

    /// How it is signed.
    #[must_use]
    pub fn scheme(&self) -> SignatureScheme {
        self.scheme
    }

    /// Check that `key` signed this content: the digest attribute against the TSTInfo, then the signature against
    /// the attributes. Stops a signed attribute set from being moved to another TSTInfo.
    ///
    /// # Errors
    /// [`TimestampError::ContentDigest`] and [`TimestampError::SignatureInvalid`].
    pub fn verify_signature(&self, key: &PublicKey) -> Result<(), TimestampError> {
        if self.digest_algorithm.digest(&self.info_der).as_bytes() != self.message_digest {
            return Err(TimestampError::ContentDigest);
        }
        key.verify(self.scheme, &self.signed_attributes, &self.signature).map_err(|_| TimestampError::SignatureInvalid)
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

/// The element below an explicit tag.
fn explicit(element: Element<'_>, number: u8) -> Result<Element<'_>, TimestampError> {
    Ok(Element::from_der(element.expect(tag::context_constructed(number))?)?)
}

/// The DER of the TSTInfo in an EncapsulatedContentInfo.
fn encapsulated(element: Element<'_>) -> Result<&[u8], TimestampError> {
    let mut fields = element.open(tag::SEQUENCE)?;
    if fields.next()?.oid()? != TST_INFO {
        return Err(TimestampError::NotATimestamp);
    }
    let content = explicit(fields.next()?, 0)?.expect(tag::OCTET_STRING)?;
    fields.end()?;
    Ok(content)
}

fn certificates(set: &[u8]) -> Result<Vec<Vec<u8>>, TimestampError> {
    let elements = Elements::of(set)?.rest(MAX_CERTIFICATES)?;
    if elements.iter().any(|certificate| certificate.tag != tag::SEQUENCE) {
        return Err(TimestampError::Malformed);
    }
    Ok(elements.iter().map(|certificate| certificate.encoding.to_vec()).collect())
}

fn signer_id(element: Element<'_>) -> Result<SignerId, TimestampError> {
    if element.tag == tag::context(0) {
        return Ok(SignerId::SubjectKeyId(element.content.to_vec()));
    }
    let mut fields = element.open(tag::SEQUENCE)?;
    let issuer = fields.next()?.encoding.to_vec();
    let serial = fields.next()?.integer()?.to_vec();
    fields.end()?;
    Ok(SignerId::IssuerAndSerial { issuer, serial })
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

struct SignedAttributes {
    message_digest: Vec<u8>,
    signing_certificates: Vec<EssCertId>,
}

impl SignedAttributes {
    fn parse(content: &[u8]) -> Result<Self, TimestampError> {
        let mut content_type = None;
        let mut message_digest = None;
        let mut certificate_v1 = None;
        let mut certificate_v2 = None;
        for attribute in Elements::of(content)?.rest(MAX_ATTRIBUTES)? {
            let mut fields = attribute.open(tag::SEQUENCE)?;
            let oid = fields.next()?.oid()?;
            let values = fields.next()?;
            fields.end()?;
            let (slot, name) = match oid {
                CONTENT_TYPE => (&mut content_type, "the content type"),
                MESSAGE_DIGEST => (&mut message_digest, "the message digest"),
                SIGNING_CERTIFICATE => (&mut certificate_v1, "the signing certificate"),
                SIGNING_CERTIFICATE_V2 => (&mut certificate_v2, "the signing certificate"),
                _ => continue,
            };
            // Each of these has exactly one value, and none may be there twice (RFC 5652 section 11).
            let value = Element::from_der(values.expect(tag::SET)?)?;
            if slot.replace(value).is_some() {
                return Err(TimestampError::SignedAttributes(name));
            }
        }
        let content_type = content_type.ok_or(TimestampError::SignedAttributes("the content type"))?;
        if content_type.oid()? != TST_INFO {
            return Err(TimestampError::NotATimestamp);
        }
        let message_digest = message_digest.ok_or(TimestampError::SignedAttributes("the message digest"))?;
        let mut signing_certificates = Vec::new();
        if let Some(v1) = certificate_v1 {
            signing_certificates.push(ess_cert_id(v1, EssVersion::V1)?);
        }
        if let Some(v2) = certificate_v2 {
            signing_certificates.push(ess_cert_id(v2, EssVersion::V2)?);
        }
        if signing_certificates.is_empty() {
            return Err(TimestampError::SignedAttributes("the signing certificate"));
        }
        Ok(SignedAttributes {
            message_digest: message_digest.expect(tag::OCTET_STRING)?.to_vec(),
            signing_certificates,
        })
    }
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

/// `rsaEncryption` names no digest and takes that of the SignerInfo (RFC 3370 section 3.2).
fn signature_scheme(element: Element<'_>, digest: HashAlgorithm) -> Result<SignatureScheme, TimestampError> {
    let oid = element.open(tag::SEQUENCE)?.next()?.oid()?;
    match (oid, digest) {
        (ECDSA_SHA256, _) => Ok(SignatureScheme::EcdsaSha256),
        (ECDSA_SHA384, _) => Ok(SignatureScheme::EcdsaSha384),
        (ECDSA_SHA512, _) => Ok(SignatureScheme::EcdsaSha512),
        (ED25519, _) => Ok(SignatureScheme::Ed25519),
        (RSA_SHA256, _) | (RSA_ENCRYPTION, HashAlgorithm::Sha256) => Ok(SignatureScheme::RsaPkcs1Sha256),
        (RSA_SHA384, _) | (RSA_ENCRYPTION, HashAlgorithm::Sha384) => Ok(SignatureScheme::RsaPkcs1Sha384),
        (RSA_SHA512, _) | (RSA_ENCRYPTION, HashAlgorithm::Sha512) => Ok(SignatureScheme::RsaPkcs1Sha512),
        (other, _) => Err(TimestampError::UnsupportedSignature(other.to_string())),
    }
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
        assert_eq!(token.scheme(), SignatureScheme::EcdsaSha512);
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
