//! Making certificates: roots, intermediates, Fulcio leaves with embedded SCTs, timestamping certificates (RFC 5280,
//! RFC 6962 section 3, Fulcio's certificate profile).
//!
//! The sandbox's authorities issue with it, and nothing else does. Profiles, not a builder: each function writes one
//! kind of certificate completely, so that a senseless mixture cannot be asked for. Reading is in `x509` and `sct`,
//! and shares no code with this file: what both agree on is the format.

use const_oid::ObjectIdentifier;
use jiff::Timestamp;

use super::asn1::{self, Asn1Error, Element, tag};
use crate::crypto::{HashAlgorithm, Keypair, PublicKey, SignatureInvalid, SignatureScheme, sha256};

const fn arc(dotted: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(dotted)
}

const ORGANIZATION: ObjectIdentifier = arc("2.5.4.10");
const COMMON_NAME: ObjectIdentifier = arc("2.5.4.3");
const SUBJECT_KEY_ID: ObjectIdentifier = arc("2.5.29.14");
const KEY_USAGE: ObjectIdentifier = arc("2.5.29.15");
const SUBJECT_ALT_NAME: ObjectIdentifier = arc("2.5.29.17");
const BASIC_CONSTRAINTS: ObjectIdentifier = arc("2.5.29.19");
const AUTHORITY_KEY_ID: ObjectIdentifier = arc("2.5.29.35");
const EXTENDED_KEY_USAGE: ObjectIdentifier = arc("2.5.29.37");
const CODE_SIGNING: ObjectIdentifier = arc("1.3.6.1.5.5.7.3.3");
const TIME_STAMPING: ObjectIdentifier = arc("1.3.6.1.5.5.7.3.8");
const SCT_LIST: ObjectIdentifier = arc("1.3.6.1.4.1.11129.2.4.2");
const FULCIO_ISSUER: ObjectIdentifier = arc("1.3.6.1.4.1.57264.1.1");
const FULCIO_ISSUER_V2: ObjectIdentifier = arc("1.3.6.1.4.1.57264.1.8");

const ECDSA_SHA256: ObjectIdentifier = arc("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = arc("1.2.840.10045.4.3.3");
const ECDSA_SHA512: ObjectIdentifier = arc("1.2.840.10045.4.3.4");
const ED25519: ObjectIdentifier = arc("1.3.101.112");
const RSA_SHA256: ObjectIdentifier = arc("1.2.840.113549.1.1.11");
const RSA_SHA384: ObjectIdentifier = arc("1.2.840.113549.1.1.12");
const RSA_SHA512: ObjectIdentifier = arc("1.2.840.113549.1.1.13");

/// A certification request holds a key and a name: a few hundred bytes.
pub const MAX_REQUEST_LEN: usize = 16 * 1024;

/// Why no certificate was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// The certification request is not one (RFC 2986).
    #[error("the certificate request is malformed")]
    MalformedRequest,
    /// Its key cannot be certified.
    #[error(transparent)]
    Key(#[from] crate::crypto::KeyError),
    /// Its signature is not by its key, or by an algorithm that is not supported.
    #[error("the certificate request is not signed by its own key")]
    RequestSignature,
    /// The authority's key signs in a way that certificates are not signed here.
    #[error("certificates are not signed with {0:?}")]
    UnsupportedScheme(SignatureScheme),
    /// A name that does not fit its type: an e-mail address or URI is ASCII.
    #[error("the subject alternative name is not ASCII")]
    Name,
}

impl From<Asn1Error> for IssueError {
    fn from(_: Asn1Error) -> Self {
        IssueError::MalformedRequest
    }
}

impl From<SignatureInvalid> for IssueError {
    fn from(_: SignatureInvalid) -> Self {
        IssueError::RequestSignature
    }
}

/// A distinguished name of organization and common name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DistinguishedName {
    /// O.
    pub organization: String,
    /// CN.
    pub common_name: String,
}

impl DistinguishedName {
    fn to_der(&self) -> Vec<u8> {
        let relative = |oid, text: &str| {
            let attribute = asn1::sequence(&[&asn1::oid(oid), &asn1::tlv(tag::UTF8_STRING, &[text.as_bytes()])]);
            asn1::set_of(tag::SET, vec![attribute])
        };
        asn1::sequence(&[&relative(ORGANIZATION, &self.organization), &relative(COMMON_NAME, &self.common_name)])
    }
}

/// When a certificate is valid, both ends included, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub not_before: Timestamp,
    /// The last second.
    pub not_after: Timestamp,
}

impl Validity {
    fn to_der(self) -> Vec<u8> {
        asn1::sequence(&[&time_to_der(self.not_before), &time_to_der(self.not_after)])
    }
}

/// Who may use the key of a Fulcio leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectName {
    /// An e-mail address (rfc822Name).
    Email(String),
    /// A URI, as workloads have.
    Uri(String),
}

impl SubjectName {
    fn to_der(&self) -> Result<Vec<u8>, IssueError> {
        let (number, text) = match self {
            SubjectName::Email(text) => (1, text),
            SubjectName::Uri(text) => (6, text),
        };
        if !text.is_ascii() || text.is_empty() {
            return Err(IssueError::Name);
        }
        Ok(asn1::sequence(&[&asn1::tlv(tag::context(number), &[text.as_bytes()])]))
    }
}

/// A certificate authority: its name and its key.
pub struct Authority<'a> {
    /// The subject of its certificate.
    pub name: &'a DistinguishedName,
    /// Its key.
    pub key: &'a dyn Keypair,
}

/// What a certificate says of its subject.
pub struct Subject<'a> {
    /// Unique for the authority; the first bit is dropped, so that it is positive.
    pub serial: [u8; 20],
    /// When it is valid.
    pub validity: Validity,
    /// The key that is certified.
    pub public_key: &'a PublicKey,
}

/// A Fulcio leaf before the CT log has seen it.
pub struct Precertificate<'a> {
    authority: &'a Authority<'a>,
    /// The fields of the TBSCertificate up to the extensions, encoded.
    fields: Vec<u8>,
    /// The extensions without the SCT list, encoded.
    extensions: Vec<u8>,
}

impl Authority<'_> {
    /// A self-signed root that may have one authority below it.
    ///
    /// # Errors
    /// [`IssueError::UnsupportedScheme`].
    pub fn root(&self, serial: [u8; 20], validity: Validity) -> Result<Vec<u8>, IssueError> {
        let subject = Subject { serial, validity, public_key: self.key.public_key() };
        let extensions =
            [basic_constraints(1), key_usage(KeyUsage::CertificatesAndCrls), subject_key_id(subject.public_key)];
        self.sign(&tbs(&self.fields(&subject, &self.name.to_der())?, &extensions.concat()))
    }

    /// An intermediate that issues code-signing leaves and nothing else.
    ///
    /// # Errors
    /// [`IssueError::UnsupportedScheme`].
    pub fn intermediate(&self, name: &DistinguishedName, subject: &Subject<'_>) -> Result<Vec<u8>, IssueError> {
        let extensions = [
            basic_constraints(0),
            key_usage(KeyUsage::CertificatesAndCrls),
            extended_key_usage(CODE_SIGNING, Criticality::NotCritical),
            subject_key_id(subject.public_key),
            self.authority_key_id(),
        ];
        self.sign(&tbs(&self.fields(subject, &name.to_der())?, &extensions.concat()))
    }

    /// The certificate of a timestamp authority (RFC 3161 section 2.3: critical, and timeStamping alone).
    ///
    /// # Errors
    /// [`IssueError::UnsupportedScheme`].
    pub fn timestamper(&self, name: &DistinguishedName, subject: &Subject<'_>) -> Result<Vec<u8>, IssueError> {
        let extensions = [
            key_usage(KeyUsage::DigitalSignature),
            extended_key_usage(TIME_STAMPING, Criticality::Critical),
            subject_key_id(subject.public_key),
            self.authority_key_id(),
        ];
        self.sign(&tbs(&self.fields(subject, &name.to_der())?, &extensions.concat()))
    }

    /// A Fulcio leaf: empty subject, one critical name, who vouched for it (OIDs .1 and .8), ready for the CT log.
    ///
    /// # Errors
    /// [`IssueError::Name`] and [`IssueError::UnsupportedScheme`].
    pub fn fulcio_leaf(
        &self,
        subject: &Subject<'_>,
        name: &SubjectName,
        oidc_issuer: &str,
    ) -> Result<Precertificate<'_>, IssueError> {
        let issuer_v2 = asn1::tlv(tag::UTF8_STRING, &[oidc_issuer.as_bytes()]);
        let extensions = [
            key_usage(KeyUsage::DigitalSignature),
            extended_key_usage(CODE_SIGNING, Criticality::NotCritical),
            subject_key_id(subject.public_key),
            self.authority_key_id(),
            // Critical because the subject is empty (RFC 5280 section 4.2.1.6).
            extension(SUBJECT_ALT_NAME, Criticality::Critical, &name.to_der()?),
            // Raw bytes by an early mistake of Fulcio's, which .8 repeats in DER.
            extension(FULCIO_ISSUER, Criticality::NotCritical, oidc_issuer.as_bytes()),
            extension(FULCIO_ISSUER_V2, Criticality::NotCritical, &issuer_v2),
        ];
        let empty_name = asn1::sequence(&[]);
        Ok(Precertificate {
            authority: self,
            fields: self.fields(subject, &empty_name)?,
            extensions: extensions.concat(),
        })
    }

    fn fields(&self, subject: &Subject<'_>, subject_name: &[u8]) -> Result<Vec<u8>, IssueError> {
        let mut serial = subject.serial;
        serial[0] &= 0x7f;
        Ok([
            asn1::tlv(tag::context_constructed(0), &[&asn1::unsigned(&[2])]),
            asn1::unsigned(&serial),
            algorithm_to_der(self.key.scheme())?,
            self.name.to_der(),
            subject.validity.to_der(),
            subject_name.to_vec(),
            subject.public_key.spki_der().to_vec(),
        ]
        .concat())
    }

    fn authority_key_id(&self) -> Vec<u8> {
        let id = asn1::tlv(tag::context(0), &[&key_id(self.key.public_key())]);
        extension(AUTHORITY_KEY_ID, Criticality::NotCritical, &asn1::sequence(&[&id]))
    }

    fn sign(&self, tbs: &[u8]) -> Result<Vec<u8>, IssueError> {
        let signature = self.key.sign(tbs);
        let bits = asn1::tlv(tag::BIT_STRING, &[&[0], &signature]);
        Ok(asn1::sequence(&[tbs, &algorithm_to_der(self.key.scheme())?, &bits]))
    }
}

impl Precertificate<'_> {
    /// What the CT log signs to promise that it will log this certificate at `time` (RFC 6962 section 3.2, with the
    /// TBSCertificate stripped of the SCT list).
    #[must_use]
    pub fn sct_input(&self, time: Timestamp) -> Vec<u8> {
        let tbs = tbs(&self.fields, &self.extensions);
        let mut input = vec![0, 0]; // v1, certificate_timestamp
        input.extend_from_slice(&time.as_millisecond().to_be_bytes());
        input.extend_from_slice(&[0, 1]); // precert_entry
        input.extend_from_slice(&self.authority.key.public_key().spki_sha256());
        input.extend_from_slice(&(tbs.len() as u32).to_be_bytes()[1..]);
        input.extend_from_slice(&tbs);
        input.extend_from_slice(&[0, 0]); // no extensions
        input
    }

    /// The certificate with the promise of `ct_log`, a P-256 key, made at `time`.
    ///
    /// # Errors
    /// [`IssueError::UnsupportedScheme`].
    pub fn logged_by(&self, ct_log: &dyn Keypair, time: Timestamp) -> Result<Vec<u8>, IssueError> {
        if ct_log.scheme() != SignatureScheme::EcdsaSha256 {
            return Err(IssueError::UnsupportedScheme(ct_log.scheme()));
        }
        let signature = ct_log.sign(&self.sct_input(time));
        let mut sct = vec![0]; // v1
        sct.extend_from_slice(&sha256(ct_log.public_key().spki_der()));
        sct.extend_from_slice(&time.as_millisecond().to_be_bytes());
        sct.extend_from_slice(&[0, 0]); // no extensions
        sct.extend_from_slice(&[4, 3]); // sha256, ecdsa (RFC 5246 section 7.4.1.4.1)
        sct.extend_from_slice(&prefixed(&signature));
        let list = prefixed(&prefixed(&sct));
        let list = extension(SCT_LIST, Criticality::NotCritical, &asn1::tlv(tag::OCTET_STRING, &[&list]));
        self.authority.sign(&tbs(&self.fields, &[&self.extensions[..], &list].concat()))
    }
}

/// A PKCS#10 certification request (RFC 2986). Only its key matters: the name comes from the identity token.
pub struct CertificateRequest {
    public_key: PublicKey,
}

impl CertificateRequest {
    /// Read a request and check that its key signed it, which is its proof of possession.
    ///
    /// # Errors
    /// [`IssueError`] when it is malformed or not signed by its own key.
    pub fn parse(der: &[u8]) -> Result<Self, IssueError> {
        if der.len() > MAX_REQUEST_LEN {
            return Err(IssueError::MalformedRequest);
        }
        let mut request = Element::from_der(der)?.open(tag::SEQUENCE)?;
        let info = request.next()?;
        let algorithm = request.next()?.open(tag::SEQUENCE)?.next()?.oid()?;
        let signature = request.next()?.expect(tag::BIT_STRING)?;
        request.end()?;
        let mut fields = info.open(tag::SEQUENCE)?;
        fields.next()?.small()?;
        fields.next()?.expect(tag::SEQUENCE)?;
        let public_key = PublicKey::from_spki_der(fields.next()?.encoding)?;
        let scheme = match algorithm {
            ECDSA_SHA256 => SignatureScheme::EcdsaSha256,
            ECDSA_SHA384 => SignatureScheme::EcdsaSha384,
            ECDSA_SHA512 => SignatureScheme::EcdsaSha512,
            ED25519 => SignatureScheme::Ed25519,
            RSA_SHA256 => SignatureScheme::RsaPkcs1Sha256,
            RSA_SHA384 => SignatureScheme::RsaPkcs1Sha384,
            RSA_SHA512 => SignatureScheme::RsaPkcs1Sha512,
            _ => return Err(IssueError::RequestSignature),
        };
        let signature = signature.strip_prefix(&[0]).ok_or(IssueError::MalformedRequest)?;
        public_key.verify(scheme, info.encoding, signature)?;
        Ok(CertificateRequest { public_key })
    }

    /// The key to be certified, which has signed the request.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }
}

enum Criticality {
    Critical,
    NotCritical,
}

enum KeyUsage {
    DigitalSignature,
    CertificatesAndCrls,
}

fn tbs(fields: &[u8], extensions: &[u8]) -> Vec<u8> {
    asn1::sequence(&[fields, &asn1::tlv(tag::context_constructed(3), &[&asn1::sequence(&[extensions])])])
}

fn extension(oid: ObjectIdentifier, criticality: Criticality, value: &[u8]) -> Vec<u8> {
    let critical = match criticality {
        Criticality::Critical => asn1::tlv(tag::BOOLEAN, &[&[0xff]]),
        Criticality::NotCritical => Vec::new(),
    };
    asn1::sequence(&[&asn1::oid(oid), &critical, &asn1::tlv(tag::OCTET_STRING, &[value])])
}

fn basic_constraints(path_len: u8) -> Vec<u8> {
    let value = asn1::sequence(&[&asn1::tlv(tag::BOOLEAN, &[&[0xff]]), &asn1::unsigned(&[path_len])]);
    extension(BASIC_CONSTRAINTS, Criticality::Critical, &value)
}

fn key_usage(usage: KeyUsage) -> Vec<u8> {
    // Named bits from the left: digitalSignature 0, keyCertSign 5, cRLSign 6; the first octet counts unused bits.
    let bits: [u8; 2] = match usage {
        KeyUsage::DigitalSignature => [7, 0x80],
        KeyUsage::CertificatesAndCrls => [1, 0x06],
    };
    extension(KEY_USAGE, Criticality::Critical, &asn1::tlv(tag::BIT_STRING, &[&bits]))
}

fn extended_key_usage(purpose: ObjectIdentifier, criticality: Criticality) -> Vec<u8> {
    extension(EXTENDED_KEY_USAGE, criticality, &asn1::sequence(&[&asn1::oid(purpose)]))
}

fn subject_key_id(key: &PublicKey) -> Vec<u8> {
    let id = asn1::tlv(tag::OCTET_STRING, &[&key_id(key)]);
    extension(SUBJECT_KEY_ID, Criticality::NotCritical, &id)
}

/// SHA-1 of the key's bits (RFC 5280 section 4.2.1.2, method 1): a name, not a proof.
fn key_id(key: &PublicKey) -> Vec<u8> {
    HashAlgorithm::Sha1.digest(key.raw()).as_bytes().to_vec()
}

fn algorithm_to_der(scheme: SignatureScheme) -> Result<Vec<u8>, IssueError> {
    let oid = match scheme {
        SignatureScheme::EcdsaSha256 => ECDSA_SHA256,
        SignatureScheme::EcdsaSha384 => ECDSA_SHA384,
        SignatureScheme::Ed25519 => ED25519,
        other => return Err(IssueError::UnsupportedScheme(other)),
    };
    Ok(asn1::sequence(&[&asn1::oid(oid)]))
}

/// UTCTime up to 2049, GeneralizedTime from then on (RFC 5280 section 4.1.2.5).
fn time_to_der(time: Timestamp) -> Vec<u8> {
    let text = time.strftime("%Y%m%d%H%M%SZ").to_string();
    if (1950..2050).contains(&text[..4].parse().unwrap_or(0)) {
        asn1::tlv(tag::UTC_TIME, &[&text.as_bytes()[2..]])
    } else {
        asn1::tlv(tag::GENERALIZED_TIME, &[text.as_bytes()])
    }
}

/// A TLS vector with a two-byte length (RFC 8446 section 3.4); nothing here is nearly as long as 65,535 bytes.
fn prefixed(bytes: &[u8]) -> Vec<u8> {
    let mut out = (bytes.len() as u16).to_be_bytes().to_vec();
    out.extend_from_slice(bytes);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{EphemeralKey, KeyKind, ServiceKey};
    use crate::format::x509::{Certificate, San};

    const REQUEST: &[u8] = include_bytes!("../../tests/vectors/certificate-request/openssl-p384/request.der");

    fn name(common_name: &str) -> DistinguishedName {
        DistinguishedName { organization: "o".to_owned(), common_name: common_name.to_owned() }
    }

    fn validity() -> Validity {
        let at = |text: &str| text.parse().unwrap();
        Validity { not_before: at("2026-11-22T10:00:00Z"), not_after: at("2051-01-01T00:00:00Z") }
    }

    #[test]
    fn a_request_is_believed_when_its_own_key_signed_it() {
        assert_eq!(CertificateRequest::parse(REQUEST).unwrap().public_key().kind(), KeyKind::EcdsaP384);
        for position in 0..REQUEST.len() {
            let mut changed = REQUEST.to_vec();
            changed[position] ^= 1;
            assert!(CertificateRequest::parse(&changed).is_err(), "{position}");
            assert!(CertificateRequest::parse(&REQUEST[..position]).is_err(), "{position}");
        }
    }

    #[test]
    fn what_is_issued_is_read_as_what_was_meant() {
        let (root_key, leaf_key) = (ServiceKey::generate(KeyKind::EcdsaP384).unwrap(), EphemeralKey::generate());
        let ct_key = ServiceKey::generate(KeyKind::EcdsaP256).unwrap();
        let root_name = name("root");
        let authority = Authority { name: &root_name, key: &root_key };
        let root = Certificate::from_der(&authority.root([0xff; 20], validity()).unwrap()).unwrap();
        assert!(root.is_ca() && root.path_len() == Some(1));
        assert_eq!(root.not_after(), validity().not_after);
        let subject = Subject { serial: [1; 20], validity: validity(), public_key: leaf_key.public_key() };
        let email = SubjectName::Email("me@example.com".to_owned());
        let precertificate = authority.fulcio_leaf(&subject, &email, "https://issuer.example").unwrap();
        let time = validity().not_before;
        let leaf = Certificate::from_der(&precertificate.logged_by(&ct_key, time).unwrap()).unwrap();
        assert_eq!(leaf.names(), [San::Email("me@example.com".to_owned())]);
        assert_eq!(leaf.identity().unwrap().issuer, "https://issuer.example");
        assert_eq!(leaf.issuer_der(), root.subject_der());
        assert!(!leaf.is_ca() && leaf.sct_list().is_some());
        let scheme = leaf.signature_scheme().unwrap();
        assert_eq!(root.public_key().unwrap().verify(scheme, leaf.tbs_der(), leaf.signature()), Ok(()));
        let stamper = Certificate::from_der(&authority.timestamper(&name("tsa"), &subject).unwrap()).unwrap();
        assert!(stamper.extended_key_usage_is_critical());
    }

    #[test]
    fn a_name_is_ascii_or_nothing_is_issued() {
        let (key, leaf_key) = (ServiceKey::generate(KeyKind::EcdsaP384).unwrap(), EphemeralKey::generate());
        let issuer = name("root");
        let authority = Authority { name: &issuer, key: &key };
        let subject = Subject { serial: [1; 20], validity: validity(), public_key: leaf_key.public_key() };
        for text in ["", "jörg@example.com"] {
            let leaf = authority.fulcio_leaf(&subject, &SubjectName::Email(text.to_owned()), "https://issuer.example");
            assert_eq!(leaf.err(), Some(IssueError::Name));
        }
    }
}
