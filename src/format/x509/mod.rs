//! X.509 certificates (RFC 5280), read once, with the extensions that verification asks about.
//!
//! The certificate keeps the bytes it came in: what was signed is the received TBSCertificate, never a re-encoding.
//! Path validation is not here but in `verify::chain`; the Fulcio extensions are in [`claims`].

pub mod claims;

use const_oid::ObjectIdentifier;
use der::asn1::{AnyRef, BitStringRef, IntRef, OctetStringRef};
use der::{Decode as _, Encode as _, Sequence};
use jiff::Timestamp;
use spki::AlgorithmIdentifierRef;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAltName};
use x509_cert::name::Name;
use x509_cert::time::Validity;

use super::pem;
use super::time;
use crate::crypto::{HashAlgorithm, KeyError, PublicKey, SignatureScheme};
pub use claims::{Claim, Claims};

/// No certificate of a signer or an authority is longer than this, in bytes; real ones stay below 3 KiB.
pub const MAX_CERTIFICATE_LEN: usize = 16 * 1024;
/// Real certificates have about 20 extensions.
pub const MAX_EXTENSIONS: usize = 64;
/// Fulcio writes one name; S/MIME certificates a handful.
pub const MAX_NAMES: usize = 64;

const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
const NAME_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.30");
const CERTIFICATE_POLICIES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.32");
const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
/// The embedded SignedCertificateTimestampList (RFC 6962 section 3.3).
pub(super) const SCT_LIST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.4.2");
const FULCIO_OTHER_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.7");

/// What a key is for (extended key usage, RFC 5280 section 4.2.1.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyPurpose {
    /// Signing code: Fulcio's leaves.
    CodeSigning,
    /// Protecting e-mail: S/MIME.
    EmailProtection,
    /// Time stamping (RFC 3161 section 2.3).
    TimeStamping,
    /// Whatever one likes.
    Any,
    /// Something that nothing here asks for.
    Other,
}

impl KeyPurpose {
    fn of(id: ObjectIdentifier) -> Self {
        const CODE_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.3");
        const EMAIL_PROTECTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.4");
        const TIME_STAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");
        const ANY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");
        match id {
            CODE_SIGNING => KeyPurpose::CodeSigning,
            EMAIL_PROTECTION => KeyPurpose::EmailProtection,
            TIME_STAMPING => KeyPurpose::TimeStamping,
            ANY => KeyPurpose::Any,
            _ => KeyPurpose::Other,
        }
    }
}

/// Why a certificate could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum X509Error {
    /// Longer than [`MAX_CERTIFICATE_LEN`].
    #[error("a certificate of {0} bytes is too long")]
    TooLong(usize),
    /// Not a certificate in DER.
    #[error("the certificate is malformed")]
    Malformed,
    /// The two signature algorithm fields differ (RFC 5280 section 4.1.1.2).
    #[error("the certificate names two different signature algorithms")]
    AlgorithmMismatch,
    /// An extension occurs twice (RFC 5280 section 4.2).
    #[error("the certificate has extension {0} twice")]
    DuplicateExtension(ObjectIdentifier),
    /// An extension that matters does not parse.
    #[error("extension {0} of the certificate is malformed")]
    MalformedExtension(ObjectIdentifier),
    /// The old and the new issuer extension of Fulcio disagree.
    #[error("the certificate names two different OIDC issuers")]
    IssuerConflict,
    /// A text that is not one or more PEM certificates.
    #[error(transparent)]
    Pem(#[from] pem::PemError),
}

/// A name that a certificate gives its subject (RFC 5280 section 4.2.1.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum San {
    /// An e-mail address.
    Email(String),
    /// A URI: workflows, service accounts, SPIFFE ids.
    Uri(String),
    /// A Fulcio user name (OtherName 1.3.6.1.4.1.57264.1.7).
    OtherName(String),
    /// A DNS name.
    Dns(String),
    /// Any other form, by its name: never an identity.
    Unsupported(&'static str),
}

/// Who: an OIDC issuer, and the subject that it vouches for, as the certificate names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    /// The OIDC issuer's URL.
    pub issuer: String,
    /// An e-mail address, URI or user name.
    pub subject: String,
}

/// A certificate, parsed once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    tbs: Vec<u8>,
    serial: Vec<u8>,
    issuer: Vec<u8>,
    subject: Vec<u8>,
    not_before: Timestamp,
    not_after: Timestamp,
    public_key: Result<PublicKey, KeyError>,
    spki: Vec<u8>,
    scheme: Option<SignatureScheme>,
    signature: Vec<u8>,
    names: Vec<San>,
    ca: bool,
    path_len: Option<u8>,
    digital_signature: Option<bool>,
    cert_sign: Option<bool>,
    extended_key_usage: Option<Vec<KeyPurpose>>,
    extended_key_usage_critical: bool,
    subject_key_id: Option<Vec<u8>>,
    scts: Option<Vec<u8>>,
    claims: Claims,
    unknown_critical: Option<ObjectIdentifier>,
}

#[derive(Sequence)]
struct RawCertificate<'a> {
    tbs: AnyRef<'a>,
    algorithm: AlgorithmIdentifierRef<'a>,
    signature: BitStringRef<'a>,
}

#[derive(Sequence)]
struct RawTbs<'a> {
    #[asn1(context_specific = "0", default = "version_1")]
    version: u8,
    serial: IntRef<'a>,
    algorithm: AlgorithmIdentifierRef<'a>,
    issuer: AnyRef<'a>,
    validity: Validity,
    subject: AnyRef<'a>,
    spki: AnyRef<'a>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    issuer_unique_id: Option<BitStringRef<'a>>,
    #[asn1(context_specific = "2", tag_mode = "IMPLICIT", optional = "true")]
    subject_unique_id: Option<BitStringRef<'a>>,
    #[asn1(context_specific = "3", optional = "true")]
    extensions: Option<Vec<RawExtension<'a>>>,
}

#[derive(Sequence)]
struct RawExtension<'a> {
    id: ObjectIdentifier,
    #[asn1(default = "Default::default")]
    critical: bool,
    value: &'a OctetStringRef,
}

fn version_1() -> u8 {
    0
}

impl Certificate {
    /// Read one certificate in DER.
    ///
    /// # Errors
    /// [`X509Error`] for anything that is not one strictly encoded certificate whose known extensions parse.
    pub fn from_der(der: &[u8]) -> Result<Self, X509Error> {
        if der.len() > MAX_CERTIFICATE_LEN {
            return Err(X509Error::TooLong(der.len()));
        }
        let malformed = |_| X509Error::Malformed;
        let raw = RawCertificate::from_der(der).map_err(malformed)?;
        let tbs_der = raw.tbs.to_der().map_err(malformed)?;
        let tbs = RawTbs::from_der(&tbs_der).map_err(malformed)?;
        if tbs.algorithm != raw.algorithm {
            return Err(X509Error::AlgorithmMismatch);
        }
        let spki = tbs.spki.to_der().map_err(malformed)?;
        let mut certificate = Certificate {
            der: der.to_vec(),
            serial: tbs.serial.as_bytes().to_vec(),
            issuer: tbs.issuer.to_der().map_err(malformed)?,
            subject: tbs.subject.to_der().map_err(malformed)?,
            not_before: time::from_der(tbs.validity.not_before.to_date_time()).ok_or(X509Error::Malformed)?,
            not_after: time::from_der(tbs.validity.not_after.to_date_time()).ok_or(X509Error::Malformed)?,
            public_key: PublicKey::from_spki_der(&spki),
            spki,
            scheme: signature_scheme(&raw.algorithm),
            signature: raw.signature.as_bytes().ok_or(X509Error::Malformed)?.to_vec(),
            names: Vec::new(),
            ca: false,
            path_len: None,
            digital_signature: None,
            cert_sign: None,
            extended_key_usage: None,
            extended_key_usage_critical: false,
            subject_key_id: None,
            scts: None,
            claims: Claims::default(),
            unknown_critical: None,
            tbs: Vec::new(),
        };
        let extensions = tbs.extensions.unwrap_or_default();
        if extensions.len() > MAX_EXTENSIONS || (tbs.version != 2 && !extensions.is_empty()) {
            return Err(X509Error::Malformed);
        }
        for (index, extension) in extensions.iter().enumerate() {
            if extensions[..index].iter().any(|earlier| earlier.id == extension.id) {
                return Err(X509Error::DuplicateExtension(extension.id));
            }
            certificate.read_extension(extension)?;
        }
        if certificate.claims.issuers_conflict() {
            return Err(X509Error::IssuerConflict);
        }
        certificate.tbs = tbs_der;
        Ok(certificate)
    }

    /// Read every certificate of a PEM text, in order.
    ///
    /// # Errors
    /// [`X509Error`] when a block is malformed or is not a certificate, or when there is none.
    pub fn from_pem_chain(text: &str) -> Result<Vec<Self>, X509Error> {
        pem::decode_all("CERTIFICATE", text)?.iter().map(|der| Self::from_der(der)).collect()
    }

    fn read_extension(&mut self, extension: &RawExtension<'_>) -> Result<(), X509Error> {
        let value = extension.value.as_bytes();
        let malformed = |_| X509Error::MalformedExtension(extension.id);
        match extension.id {
            SUBJECT_ALT_NAME => {
                let names = SubjectAltName::from_der(value).map_err(malformed)?.0;
                if names.len() > MAX_NAMES {
                    return Err(X509Error::MalformedExtension(extension.id));
                }
                self.names = names.iter().map(san).collect::<Option<_>>().ok_or(X509Error::Malformed)?;
            }
            BASIC_CONSTRAINTS => {
                let constraints = BasicConstraints::from_der(value).map_err(malformed)?;
                self.ca = constraints.ca;
                self.path_len = constraints.path_len_constraint;
            }
            KEY_USAGE => {
                let usage = KeyUsage::from_der(value).map_err(malformed)?;
                self.digital_signature = Some(usage.digital_signature());
                self.cert_sign = Some(usage.key_cert_sign());
            }
            EXTENDED_KEY_USAGE => {
                let usages = ExtendedKeyUsage::from_der(value).map_err(malformed)?.0;
                self.extended_key_usage = Some(usages.into_iter().map(KeyPurpose::of).collect());
                self.extended_key_usage_critical = extension.critical;
            }
            SUBJECT_KEY_IDENTIFIER => {
                let id = <&OctetStringRef>::from_der(value).map_err(malformed)?;
                self.subject_key_id = Some(id.as_bytes().to_vec());
            }
            SCT_LIST => {
                let list = <&OctetStringRef>::from_der(value).map_err(malformed)?;
                self.scts = Some(list.as_bytes().to_vec());
            }
            // Constraints that nobody here can apply may not be passed over, whatever their criticality.
            NAME_CONSTRAINTS => self.unknown_critical = Some(extension.id),
            // No policy is asked for, so none can be missing (RFC 5280 section 6.1.1, any-policy).
            CERTIFICATE_POLICIES => {}
            id => {
                let known = self.claims.read(id, value).map_err(malformed)?;
                if extension.critical && !known {
                    self.unknown_critical = Some(id);
                }
            }
        }
        Ok(())
    }

    /// The bytes it came in.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The signed part, as received.
    #[must_use]
    pub fn tbs_der(&self) -> &[u8] {
        &self.tbs
    }

    /// PEM with the label CERTIFICATE, lines of 64 columns, and a final newline: the form that Rekor v1 logs.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::encode("CERTIFICATE", &self.der)
    }

    /// The serial number: a big-endian two's complement integer, at least one byte.
    #[must_use]
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// The issuer's distinguished name in DER.
    #[must_use]
    pub fn issuer_der(&self) -> &[u8] {
        &self.issuer
    }

    /// The subject's distinguished name in DER; an empty sequence in Fulcio's leaves.
    #[must_use]
    pub fn subject_der(&self) -> &[u8] {
        &self.subject
    }

    /// The issuer's distinguished name as text (RFC 4514).
    #[must_use]
    pub fn issuer_name(&self) -> String {
        name_text(&self.issuer)
    }

    /// The subject's distinguished name as text (RFC 4514); empty in Fulcio's leaves.
    #[must_use]
    pub fn subject_name(&self) -> String {
        name_text(&self.subject)
    }

    /// The first second of validity.
    #[must_use]
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// The last second of validity.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Both ends of the validity, closed (RFC 5280 section 4.1.2.5).
    #[must_use]
    pub fn validity(&self) -> time::Interval {
        time::Interval { start: self.not_before, end: Some(self.not_after) }
    }

    /// The subject's public key.
    ///
    /// # Errors
    /// [`KeyError`] when its algorithm or size is not supported.
    pub fn public_key(&self) -> Result<&PublicKey, KeyError> {
        self.public_key.as_ref().map_err(Clone::clone)
    }

    /// The subject's SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// How the issuer signed; `None` for an algorithm that is not supported, SHA-1 among them.
    #[must_use]
    pub fn signature_scheme(&self) -> Option<SignatureScheme> {
        self.scheme
    }

    /// The issuer's signature over [`Certificate::tbs_der`].
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The subject alternative names.
    #[must_use]
    pub fn names(&self) -> &[San] {
        &self.names
    }

    /// Whether it may issue certificates (basicConstraints).
    #[must_use]
    pub fn is_ca(&self) -> bool {
        self.ca
    }

    /// How many intermediates may follow it (basicConstraints).
    #[must_use]
    pub fn path_len(&self) -> Option<u8> {
        self.path_len
    }

    /// Whether the key may sign data: `None` when the certificate does not say.
    #[must_use]
    pub fn may_sign_data(&self) -> Option<bool> {
        self.digital_signature
    }

    /// Whether the key may sign certificates: `None` when the certificate does not say.
    #[must_use]
    pub fn may_sign_certificates(&self) -> Option<bool> {
        self.cert_sign
    }

    /// The purposes of the key: `None` when the certificate does not say.
    #[must_use]
    pub fn extended_key_usage(&self) -> Option<&[KeyPurpose]> {
        self.extended_key_usage.as_deref()
    }

    /// Whether the purposes are marked critical, as RFC 3161 section 2.3 demands of a timestamp authority.
    #[must_use]
    pub fn extended_key_usage_is_critical(&self) -> bool {
        self.extended_key_usage_critical
    }

    /// The subject key identifier.
    #[must_use]
    pub fn subject_key_id(&self) -> Option<&[u8]> {
        self.subject_key_id.as_deref()
    }

    /// The embedded SignedCertificateTimestampList (RFC 6962 section 3.3), for [`sct`](super::sct).
    #[must_use]
    pub fn sct_list(&self) -> Option<&[u8]> {
        self.scts.as_deref()
    }

    /// What Fulcio attests.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// A constraint that this program cannot apply, if there is one: no path through it may be accepted.
    #[must_use]
    pub fn unsupported_constraint(&self) -> Option<ObjectIdentifier> {
        self.unknown_critical
    }

    /// The keyless identity: exactly one usable name and an issuer; `None` otherwise.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        let issuer = self.claims.issuer()?.to_owned();
        match self.names.as_slice() {
            [San::Email(subject) | San::Uri(subject) | San::OtherName(subject) | San::Dns(subject)] => {
                Some(Identity { issuer, subject: subject.clone() })
            }
            _ => None,
        }
    }

    /// SHA-1 of the certificate, upper-case hexadecimal: how git and gpgsm name it, not a security property.
    #[must_use]
    pub fn fingerprint_sha1(&self) -> String {
        HashAlgorithm::Sha1.digest(&self.der).to_hex().to_uppercase()
    }
}

/// The first name for people: e-mail, URI, user name, or the distinguished name.
impl std::fmt::Display for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.names.iter().find_map(|name| match name {
            San::Email(text) | San::Uri(text) | San::OtherName(text) | San::Dns(text) => Some(text.clone()),
            San::Unsupported(_) => None,
        });
        f.write_str(&name.unwrap_or_else(|| self.subject_name()))
    }
}

fn name_text(der: &[u8]) -> String {
    Name::from_der(der).map(|name| name.to_string()).unwrap_or_default()
}

fn san(name: &GeneralName) -> Option<San> {
    Some(match name {
        GeneralName::Rfc822Name(text) => San::Email(text.as_str().to_owned()),
        GeneralName::UniformResourceIdentifier(text) => San::Uri(text.as_str().to_owned()),
        GeneralName::DnsName(text) => San::Dns(text.as_str().to_owned()),
        GeneralName::OtherName(other) if other.type_id == FULCIO_OTHER_NAME => {
            San::OtherName(other.value.decode_as::<String>().ok()?)
        }
        GeneralName::OtherName(_) => San::Unsupported("other name"),
        GeneralName::DirectoryName(_) => San::Unsupported("directory name"),
        GeneralName::EdiPartyName(_) => San::Unsupported("EDI party name"),
        GeneralName::IpAddress(_) => San::Unsupported("IP address"),
        GeneralName::RegisteredId(_) => San::Unsupported("registered id"),
    })
}

/// The scheme that an AlgorithmIdentifier of a signature names (RFC 5758, RFC 8017, RFC 8410); `None` when unsupported.
#[must_use]
pub fn signature_scheme(algorithm: &AlgorithmIdentifierRef<'_>) -> Option<SignatureScheme> {
    let absent = algorithm.parameters.is_none();
    let null = algorithm.parameters.is_some_and(AnyRef::is_null);
    let scheme = match algorithm.oid.to_string().as_str() {
        "1.2.840.10045.4.3.2" if absent => SignatureScheme::EcdsaSha256,
        "1.2.840.10045.4.3.3" if absent => SignatureScheme::EcdsaSha384,
        "1.2.840.10045.4.3.4" if absent => SignatureScheme::EcdsaSha512,
        "1.3.101.112" if absent => SignatureScheme::Ed25519,
        "1.2.840.113549.1.1.11" if absent || null => SignatureScheme::RsaPkcs1Sha256,
        "1.2.840.113549.1.1.12" if absent || null => SignatureScheme::RsaPkcs1Sha384,
        "1.2.840.113549.1.1.13" if absent || null => SignatureScheme::RsaPkcs1Sha512,
        "1.2.840.113549.1.1.10" => return pss_scheme(algorithm.parameters?),
        _ => return None,
    };
    Some(scheme)
}

/// RSASSA-PSS parameters (RFC 4055 section 3.1): one digest for message and mask, a salt as long as the digest.
fn pss_scheme(parameters: AnyRef<'_>) -> Option<SignatureScheme> {
    #[derive(Sequence)]
    struct PssParameters<'a> {
        #[asn1(context_specific = "0", optional = "true")]
        hash: Option<AlgorithmIdentifierRef<'a>>,
        #[asn1(context_specific = "1", optional = "true")]
        mask: Option<AlgorithmIdentifierRef<'a>>,
        #[asn1(context_specific = "2", optional = "true")]
        salt_len: Option<u16>,
        #[asn1(context_specific = "3", optional = "true")]
        trailer: Option<u8>,
    }
    const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");
    let parameters = parameters.decode_as::<PssParameters<'_>>().ok()?;
    let (hash, mask) = (parameters.hash?, parameters.mask?);
    let mask_hash = mask.parameters?.decode_as::<AlgorithmIdentifierRef<'_>>().ok()?;
    if mask.oid != MGF1 || mask_hash.oid != hash.oid || parameters.trailer.is_some_and(|trailer| trailer != 1) {
        return None;
    }
    let (scheme, len) = match super::digest_algorithm(&hash)? {
        HashAlgorithm::Sha256 => (SignatureScheme::RsaPssSha256, 32),
        HashAlgorithm::Sha384 => (SignatureScheme::RsaPssSha384, 48),
        HashAlgorithm::Sha512 => (SignatureScheme::RsaPssSha512, 64),
        HashAlgorithm::Sha1 => return None,
    };
    (parameters.salt_len == Some(len)).then_some(scheme)
}
