//! Cryptographic Message Syntax, SignedData (RFC 5652 section 5): the envelope of git's x509 signatures and of stamps.
//!
//! Reading keeps the received bytes of what was signed: attributes are verified as they came, in their order, with the
//! tag of a SET (section 5.4), never re-encoded. Everything outside the signed attributes is unsigned and open to
//! anyone, so each such field must hold the one value that the rest of the message implies. BER of indefinite length
//! is read by way of [`ber`]; writing is in [`build`].

pub mod ber;
pub mod build;

use const_oid::ObjectIdentifier;
use der::asn1::{AnyRef, OctetStringRef};
use der::{Decode, Reader as _, SliceReader, Tag, TagNumber, Tagged as _};
use jiff::Timestamp;
use spki::AlgorithmIdentifierRef;

use super::x509::{Certificate, X509Error, signature_scheme};
use super::{asn1, time};
use crate::crypto::{HashAlgorithm, KeyKind, SignatureScheme};

/// No message is longer than this, in bytes: gitsign's are 2.5 KiB, S/MIME with a long chain and a stamp 20 KiB.
pub const MAX_MESSAGE_LEN: usize = 128 * 1024;
/// Chains have at most a handful of certificates.
pub const MAX_CERTIFICATES: usize = 16;
/// The retired layout of January 2023 has nine unsigned attributes.
pub const MAX_ATTRIBUTES: usize = 32;
/// No attribute has more values: of log entries and stamps, one for each operator that was asked.
pub const MAX_ATTRIBUTE_VALUES: usize = 16;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
/// The content type of plain data.
pub const ID_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_TIME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.5");
/// Unsigned attribute: an RFC 3161 TimeStampToken over the signature.
pub const TIME_STAMP_TOKEN: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.14");
/// Unsigned attribute: a TransparencyLogEntry (rekor: oid-info).
pub const TRANSPARENCY_LOG_ENTRY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.3.1");

/// Why a message could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CmsError {
    /// Longer than [`MAX_MESSAGE_LEN`], or with too many certificates or attributes.
    #[error("the CMS message exceeds the limit for {0}")]
    TooMuch(&'static str),
    /// Not a SignedData in DER, or in BER that can be made DER.
    #[error("the CMS message is malformed: {0}")]
    Malformed(&'static str),
    /// Bytes follow the message.
    #[error("there is data after the CMS message")]
    TrailingData,
    /// A field holds a value that the rest of the message contradicts.
    #[error("the CMS message contradicts itself: {0}")]
    Inconsistent(&'static str),
    /// There is no signer, or more than one.
    #[error("the CMS message has {0} signers, not one")]
    SignerCount(usize),
    /// A digest or signature algorithm that no signature here may use.
    #[error("the CMS message uses an unsupported {0} algorithm")]
    UnsupportedAlgorithm(&'static str),
    /// One of the certificates does not parse.
    #[error(transparent)]
    Certificate(#[from] X509Error),
}

/// A SignedData with its one signer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedData {
    /// What was signed is of this type.
    pub content_type: ObjectIdentifier,
    /// What was signed, when it travels along; git's signatures are detached.
    pub content: Option<Vec<u8>>,
    /// The bag of certificates, in no meaningful order, none of them believed.
    pub certificates: Vec<Certificate>,
    /// Whether revocation lists travel along; nobody reads them.
    pub has_revocation_lists: bool,
    /// The signer.
    pub signer: SignerInfo,
    /// Whether the message is in the one form that Sigstore's writers use: DER, no revocation lists, and algorithms
    /// without parameters. Where it is not, its unsigned parts have other spellings.
    pub is_canonical: bool,
}

/// Which certificate is the signer's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignerId {
    /// The issuer's name in DER and the serial number.
    IssuerAndSerial {
        /// The distinguished name in DER.
        issuer: Vec<u8>,
        /// The serial number's bytes.
        serial: Vec<u8>,
    },
    /// The subject key identifier, without its OCTET STRING header.
    SubjectKey(Vec<u8>),
}

/// One signer's part (RFC 5652 section 5.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignerInfo {
    /// Which certificate is the signer's.
    pub id: SignerId,
    /// The digest of the content.
    pub digest: HashAlgorithm,
    /// What signatureAlgorithm says, which may leave the digest open.
    pub algorithm: SignatureAlgorithm,
    /// The DER of the SET OF signed attributes: the bytes that were signed.
    pub signed_attributes: Vec<u8>,
    /// The same, read: what the signer signed besides the digest and the time.
    pub attributes: Vec<Attribute>,
    /// The digest of the content, as the signer signed it.
    pub message_digest: Vec<u8>,
    /// When the signer says it signed: a claim, never a proof.
    pub signing_time: Option<Timestamp>,
    /// The signature over [`SignerInfo::signed_attributes`].
    pub signature: Vec<u8>,
    /// Attributes that anyone could have added, each with its values in DER.
    pub unsigned_attributes: Vec<Attribute>,
}

/// How a SignerInfo names its signature algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// A whole scheme, such as ecdsa-with-SHA256.
    Scheme(SignatureScheme),
    /// rsaEncryption: PKCS #1 v1.5 with the signer's digest (RFC 3370 section 3.2).
    RsaEncryption,
    /// id-ecPublicKey, which smimesign writes: ECDSA with the signer's digest.
    EcPublicKey,
}

/// An attribute and its values, each a whole TLV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// The attribute's type.
    pub id: ObjectIdentifier,
    /// Its values in DER.
    pub values: Vec<Vec<u8>>,
}

impl SignedData {
    /// Read a message in DER, or in BER of indefinite length.
    ///
    /// # Errors
    /// [`CmsError`] for anything else, and for a message that contradicts itself.
    pub fn parse(message: &[u8]) -> Result<Self, CmsError> {
        if message.len() > MAX_MESSAGE_LEN {
            return Err(CmsError::TooMuch("its length"));
        }
        if ber::is_indefinite(message) {
            Ok(SignedData { is_canonical: false, ..Self::parse_der(&ber::to_der(message)?)? })
        } else {
            Self::parse_der(message)
        }
    }

    fn parse_der(message: &[u8]) -> Result<Self, CmsError> {
        let mut reader = reader(message, "not a ContentInfo")?;
        let info = read_tlv(&mut reader, "not a ContentInfo")?;
        if !reader.is_finished() {
            return Err(CmsError::TrailingData);
        }
        let mut info = sequence(info, "not a ContentInfo")?;
        if info.decode::<ObjectIdentifier>().map_err(|_| CmsError::Malformed("not a ContentInfo"))? != SIGNED_DATA {
            return Err(CmsError::Malformed("not a SignedData"));
        }
        let content = context(&mut info, 0, "no content")?.ok_or(CmsError::Malformed("no content"))?;
        finish(&info, "ContentInfo")?;
        let mut content = self::reader(content, "no SignedData")?;
        let mut data = sequence(read_tlv(&mut content, "no SignedData")?, "no SignedData")?;
        finish(&content, "content")?;

        let version = read_version(&mut data)?;
        let digests = read_set(&mut data, MAX_CERTIFICATES, "digestAlgorithms")?;
        let mut encapsulated = sequence(read_tlv(&mut data, "encapContentInfo")?, "encapContentInfo")?;
        let content_type = encapsulated.decode().map_err(|_| CmsError::Malformed("eContentType"))?;
        let inner = context(&mut encapsulated, 0, "eContent")?
            .map(|inner| <&OctetStringRef>::from_der(inner).map(|octets| octets.as_bytes().to_vec()))
            .transpose()
            .map_err(|_| CmsError::Malformed("eContent"))?;
        finish(&encapsulated, "encapContentInfo")?;
        let certificates = match context(&mut data, 0, "certificates")? {
            Some(bag) => elements(bag, MAX_CERTIFICATES, "certificates")?
                .into_iter()
                .map(Certificate::from_der)
                .collect::<Result<_, _>>()?,
            None => Vec::new(),
        };
        let has_revocation_lists = context(&mut data, 1, "crls")?.is_some();
        let signers = read_set(&mut data, MAX_CERTIFICATES, "signerInfos")?;
        finish(&data, "SignedData")?;

        let [signer] = signers.as_slice() else { return Err(CmsError::SignerCount(signers.len())) };
        let (signer_version, signer, signer_is_plain) = SignerInfo::parse(signer, content_type)?;
        let by_key = matches!(signer.id, SignerId::SubjectKey(_));
        if signer_version != if by_key { 3 } else { 1 } {
            return Err(CmsError::Inconsistent("version of SignerInfo"));
        }
        // RFC 5652 section 5.1; some mail programs write 1 where 3 is due.
        let allowed: &[u8] = match (content_type == ID_DATA, by_key) {
            (true, false) => &[1],
            (true, true) => &[1, 3],
            (false, _) => &[3],
        };
        if !allowed.contains(&version) {
            return Err(CmsError::Inconsistent("version of SignedData"));
        }
        let [digest] = digests.as_slice() else { return Err(CmsError::Inconsistent("digestAlgorithms")) };
        if digest_algorithm(digest)? != signer.digest {
            return Err(CmsError::Inconsistent("digestAlgorithms"));
        }
        let is_canonical = signer_is_plain && is_plain(digest) && !has_revocation_lists;
        Ok(SignedData { content_type, content: inner, certificates, has_revocation_lists, signer, is_canonical })
    }

    /// The signer's certificate, found by the signer's identifier and never by its place.
    ///
    /// `None` when it is not in the bag. Two different certificates that answer to one identifier are a trap: `None`.
    #[must_use]
    pub fn signer_certificate(&self) -> Option<&Certificate> {
        let mut found = self.certificates.iter().filter(|certificate| self.signer.id.names(certificate));
        let first = found.next()?;
        found.all(|other| other.der() == first.der()).then_some(first)
    }
}

impl SignerId {
    /// Whether `certificate` is the one that is meant.
    #[must_use]
    pub fn names(&self, certificate: &Certificate) -> bool {
        match self {
            SignerId::IssuerAndSerial { issuer, serial } => {
                certificate.issuer_der() == issuer && certificate.serial() == serial
            }
            SignerId::SubjectKey(id) => certificate.subject_key_id() == Some(id),
        }
    }
}

impl SignerInfo {
    /// The version, the rest, and whether its algorithms go without parameters.
    fn parse(der: &[u8], content_type: ObjectIdentifier) -> Result<(u8, Self, bool), CmsError> {
        let mut info = sequence(der, "SignerInfo")?;
        let version = read_version(&mut info)?;
        let id = match primitive(&mut info, 0, "signer identifier")? {
            Some(key) => SignerId::SubjectKey(key.to_vec()),
            None => {
                let mut id = sequence(read_tlv(&mut info, "signer identifier")?, "signer identifier")?;
                let issuer = read_tlv(&mut id, "issuer")?.to_vec();
                let serial: der::asn1::IntRef<'_> = id.decode().map_err(|_| CmsError::Malformed("serial number"))?;
                finish(&id, "signer identifier")?;
                SignerId::IssuerAndSerial { issuer, serial: serial.as_bytes().to_vec() }
            }
        };
        let digest_der = read_tlv(&mut info, "digestAlgorithm")?;
        let digest = digest_algorithm(digest_der)?;
        let attributes =
            context(&mut info, 0, "signed attributes")?.ok_or(CmsError::Malformed("there are no signed attributes"))?;
        let algorithm_der = read_tlv(&mut info, "signatureAlgorithm")?;
        let algorithm = signature_algorithm(algorithm_der, digest)?;
        let signature: &OctetStringRef = info.decode().map_err(|_| CmsError::Malformed("signature"))?;
        let unsigned = match context(&mut info, 1, "unsigned attributes")? {
            Some(set) => {
                let attributes = elements(set, MAX_ATTRIBUTES, "unsigned attributes")?;
                // Nobody signed them, so their order is the one thing that could be changed without trace.
                if !attributes.is_sorted() {
                    return Err(CmsError::Inconsistent("order of the unsigned attributes"));
                }
                attributes.into_iter().map(Attribute::parse).collect::<Result<Vec<_>, _>>()?
            }
            None => Vec::new(),
        };
        finish(&info, "SignerInfo")?;
        if unsigned.iter().enumerate().any(|(at, one)| unsigned[..at].iter().any(|other| other.id == one.id)) {
            return Err(CmsError::Inconsistent("an unsigned attribute occurs twice"));
        }

        let signed = SignedAttributes::parse(attributes)?;
        if signed.content_type != content_type {
            return Err(CmsError::Inconsistent("contentType attribute"));
        }
        if signed.message_digest.len() != digest.output_len() {
            return Err(CmsError::Inconsistent("length of messageDigest"));
        }
        let signer = SignerInfo {
            id,
            digest,
            algorithm,
            signed_attributes: asn1::tlv(asn1::tag::SET, &[attributes]),
            attributes: signed.attributes,
            message_digest: signed.message_digest,
            signing_time: signed.signing_time,
            signature: signature.as_bytes().to_vec(),
            unsigned_attributes: unsigned,
        };
        Ok((version, signer, is_plain(digest_der) && is_plain(algorithm_der)))
    }

    /// The scheme for a key of `kind`; `None` when the algorithm does not fit the key.
    #[must_use]
    pub fn scheme(&self, kind: KeyKind) -> Option<SignatureScheme> {
        use SignatureScheme as S;
        match (self.algorithm, self.digest) {
            (SignatureAlgorithm::Scheme(scheme), _) => Some(scheme),
            (SignatureAlgorithm::RsaEncryption, HashAlgorithm::Sha256) => Some(S::RsaPkcs1Sha256),
            (SignatureAlgorithm::RsaEncryption, HashAlgorithm::Sha384) => Some(S::RsaPkcs1Sha384),
            (SignatureAlgorithm::RsaEncryption, HashAlgorithm::Sha512) => Some(S::RsaPkcs1Sha512),
            (SignatureAlgorithm::EcPublicKey, digest) => match (kind, digest) {
                (KeyKind::Rsa | KeyKind::Ed25519, _) | (_, HashAlgorithm::Sha1) => None,
                (_, HashAlgorithm::Sha256) => Some(S::EcdsaSha256),
                (_, HashAlgorithm::Sha384) => Some(S::EcdsaSha384),
                (_, HashAlgorithm::Sha512) => Some(S::EcdsaSha512),
            },
            (SignatureAlgorithm::RsaEncryption, HashAlgorithm::Sha1) => None,
        }
    }

    /// The signed attribute of type `id`.
    #[must_use]
    pub fn signed_attribute(&self, id: ObjectIdentifier) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.id == id)
    }

    /// The unsigned attribute of type `id`.
    #[must_use]
    pub fn unsigned_attribute(&self, id: ObjectIdentifier) -> Option<&Attribute> {
        self.unsigned_attributes.iter().find(|attribute| attribute.id == id)
    }
}

impl Attribute {
    fn parse(der: &[u8]) -> Result<Self, CmsError> {
        let mut attribute = sequence(der, "attribute")?;
        let id = attribute.decode().map_err(|_| CmsError::Malformed("attribute"))?;
        let values = read_set(&mut attribute, MAX_ATTRIBUTE_VALUES, "attribute values")?;
        finish(&attribute, "attribute")?;
        Ok(Attribute { id, values: values.into_iter().map(<[u8]>::to_vec).collect() })
    }

    /// The values of a SET OF in its one spelling: at least one, in DER's order (X.690 section 11.6), none twice. In an
    /// unsigned attribute anything else could be made of it by anyone.
    #[must_use]
    pub fn distinct(&self) -> Option<&[Vec<u8>]> {
        let is_distinct = !self.values.is_empty() && self.values.is_sorted_by(|one, next| one < next);
        is_distinct.then_some(&self.values)
    }

    /// The only value.
    #[must_use]
    pub fn single(&self) -> Option<&[u8]> {
        match self.values.as_slice() {
            [value] => Some(value),
            _ => None,
        }
    }
}

struct SignedAttributes {
    attributes: Vec<Attribute>,
    content_type: ObjectIdentifier,
    message_digest: Vec<u8>,
    signing_time: Option<Timestamp>,
}

impl SignedAttributes {
    fn parse(set: &[u8]) -> Result<Self, CmsError> {
        let mut attributes: Vec<Attribute> = Vec::new();
        for der in elements(set, MAX_ATTRIBUTES, "signed attributes")? {
            let attribute = Attribute::parse(der)?;
            if attributes.iter().any(|earlier| earlier.id == attribute.id) {
                return Err(CmsError::Inconsistent("a signed attribute occurs twice"));
            }
            attributes.push(attribute);
        }
        let value = |id| attributes.iter().find(|attribute| attribute.id == id).map(Attribute::single);
        let required = |id, name| value(id).flatten().ok_or(CmsError::Malformed(name));
        let signing_time = match value(SIGNING_TIME) {
            Some(der) => Some(
                der.and_then(|der| x509_cert::time::Time::from_der(der).ok())
                    .and_then(|at| time::from_der(at.to_date_time()))
                    .ok_or(CmsError::Malformed("signingTime"))?,
            ),
            None => None,
        };
        let content_type = ObjectIdentifier::from_der(required(CONTENT_TYPE, "contentType")?)
            .map_err(|_| CmsError::Malformed("contentType"))?;
        let message_digest = <&OctetStringRef>::from_der(required(MESSAGE_DIGEST, "messageDigest")?)
            .map_err(|_| CmsError::Malformed("messageDigest"))?
            .as_bytes()
            .to_vec();
        Ok(SignedAttributes { attributes, content_type, message_digest, signing_time })
    }
}

fn signature_algorithm(der: &[u8], digest: HashAlgorithm) -> Result<SignatureAlgorithm, CmsError> {
    const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
    const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
    let unsupported = CmsError::UnsupportedAlgorithm("signature");
    let algorithm = AlgorithmIdentifierRef::from_der(der).map_err(|_| CmsError::Malformed("signatureAlgorithm"))?;
    let plain = algorithm.parameters.is_none_or(AnyRef::is_null);
    // gpgsm writes NULL where RFC 5758 section 3.2 wants no parameters at all.
    let without_null = match algorithm.parameters {
        Some(parameters) if parameters.is_null() => AlgorithmIdentifierRef { oid: algorithm.oid, parameters: None },
        _ => algorithm,
    };
    match algorithm.oid {
        RSA_ENCRYPTION if plain => Ok(SignatureAlgorithm::RsaEncryption),
        EC_PUBLIC_KEY => Ok(SignatureAlgorithm::EcPublicKey),
        _ => {
            let scheme = signature_scheme(&without_null).ok_or(unsupported)?;
            // RFC 8419 section 3.1: Ed25519 goes with SHA-512.
            if scheme.hash().unwrap_or(HashAlgorithm::Sha512) != digest {
                return Err(CmsError::Inconsistent("digest of the signature algorithm"));
            }
            Ok(SignatureAlgorithm::Scheme(scheme))
        }
    }
}

fn digest_algorithm(der: &[u8]) -> Result<HashAlgorithm, CmsError> {
    let algorithm = AlgorithmIdentifierRef::from_der(der).map_err(|_| CmsError::Malformed("digest algorithm"))?;
    match super::digest_algorithm(&algorithm) {
        Some(HashAlgorithm::Sha1) | None => Err(CmsError::UnsupportedAlgorithm("digest")),
        Some(digest) => Ok(digest),
    }
}

/// Whether an AlgorithmIdentifier goes without parameters.
fn is_plain(der: &[u8]) -> bool {
    AlgorithmIdentifierRef::from_der(der).is_ok_and(|algorithm| algorithm.parameters.is_none())
}

fn reader<'a>(der: &'a [u8], what: &'static str) -> Result<SliceReader<'a>, CmsError> {
    SliceReader::new(der).map_err(|_| CmsError::Malformed(what))
}

fn read_tlv<'a>(reader: &mut SliceReader<'a>, what: &'static str) -> Result<&'a [u8], CmsError> {
    reader.tlv_bytes().map_err(|_| CmsError::Malformed(what))
}

fn read_version(reader: &mut SliceReader<'_>) -> Result<u8, CmsError> {
    reader.decode().map_err(|_| CmsError::Malformed("version"))
}

fn sequence<'a>(der: &'a [u8], what: &'static str) -> Result<SliceReader<'a>, CmsError> {
    let any = AnyRef::from_der(der).map_err(|_| CmsError::Malformed(what))?;
    if any.tag() != Tag::Sequence {
        return Err(CmsError::Malformed(what));
    }
    reader(any.value(), what)
}

/// The content of the element with the constructed context tag `number`, if it comes next.
fn context<'a>(reader: &mut SliceReader<'a>, number: u32, what: &'static str) -> Result<Option<&'a [u8]>, CmsError> {
    tagged(reader, Tag::ContextSpecific { constructed: true, number: TagNumber(number) }, what)
}

/// The same of a primitive one.
fn primitive<'a>(reader: &mut SliceReader<'a>, number: u32, what: &'static str) -> Result<Option<&'a [u8]>, CmsError> {
    tagged(reader, Tag::ContextSpecific { constructed: false, number: TagNumber(number) }, what)
}

fn tagged<'a>(reader: &mut SliceReader<'a>, tag: Tag, what: &'static str) -> Result<Option<&'a [u8]>, CmsError> {
    if reader.is_finished() || Tag::peek(reader).map_err(|_| CmsError::Malformed(what))? != tag {
        return Ok(None);
    }
    let any: AnyRef<'a> = reader.decode().map_err(|_| CmsError::Malformed(what))?;
    Ok(Some(any.value()))
}

fn read_set<'a>(reader: &mut SliceReader<'a>, max: usize, what: &'static str) -> Result<Vec<&'a [u8]>, CmsError> {
    let any: AnyRef<'a> = reader.decode().map_err(|_| CmsError::Malformed(what))?;
    if any.tag() != Tag::Set {
        return Err(CmsError::Malformed(what));
    }
    elements(any.value(), max, what)
}

fn elements<'a>(set: &'a [u8], max: usize, what: &'static str) -> Result<Vec<&'a [u8]>, CmsError> {
    let mut reader = reader(set, what)?;
    let mut found = Vec::new();
    while !reader.is_finished() {
        if found.len() == max {
            return Err(CmsError::TooMuch(what));
        }
        found.push(read_tlv(&mut reader, what)?);
    }
    Ok(found)
}

fn finish(reader: &SliceReader<'_>, what: &'static str) -> Result<(), CmsError> {
    if reader.is_finished() { Ok(()) } else { Err(CmsError::Malformed(what)) }
}
