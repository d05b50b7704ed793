//! RFC 3161 timestamps: the request, the response, and what a token states (TSTInfo).
//!
//! The signed wrapping of a token, a CMS SignedData, is [`TimestampToken`] in `timestamp_token`. Parsing believes
//! nothing: whether the authority is trusted, and was at that time, is for the verifier.

use const_oid::ObjectIdentifier;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::asn1::{self, Asn1Error, Element, Elements, tag};
use super::cms::CmsError;
pub use super::timestamp_token::{EssCertId, TimestampToken};
use crate::crypto::{Digest, HashAlgorithm};

/// A response with a chain of four RSA certificates is 7 kB.
pub const MAX_RESPONSE_LEN: usize = 64 * 1024;
/// A request is a digest, a nonce and a policy: about 100 bytes.
pub const MAX_REQUEST_LEN: usize = 4 * 1024;
/// RFC 3161 section 2.4.2 allows serial numbers of 160 bits; nonces are not bounded there, and 128 bits are enough.
pub const MAX_INTEGER_LEN: usize = 33;
/// A critical extension that nobody knows makes a request or token unusable; more than a few is an attack.
const MAX_EXTENSIONS: usize = 8;
const MAX_STATUS_TEXTS: usize = 8;

const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");

/// Why a timestamp request, response or token cannot be read or used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// Longer than the bounds of this module.
    #[error("the timestamp is too large")]
    TooLarge,
    /// Not DER, or not the structure of RFC 3161.
    #[error("the timestamp is malformed")]
    Malformed,
    /// A digest algorithm that no timestamp may use: SHA-1, or an unknown one.
    #[error("timestamps with digest algorithm {0} are not supported")]
    UnsupportedDigest(String),
    /// A signature algorithm that no timestamp may use.
    #[error("timestamps with signature algorithm {0} are not supported")]
    UnsupportedSignature(String),
    /// The token is not a message that can be read.
    #[error("in the token: {0}")]
    Cms(#[from] CmsError),
    /// The content type is not TSTInfo, inside or outside the signed attributes.
    #[error("the token does not contain a timestamp")]
    NotATimestamp,
    /// A required signed attribute is absent or there twice.
    #[error("the token's signed attributes lack {0}, or have it twice")]
    SignedAttributes(&'static str),
    /// A critical extension that is not understood.
    #[error("the timestamp has a critical extension that is not understood")]
    CriticalExtension,
    /// The authority refused.
    #[error("the timestamp authority refused (status {status}{})", failure.as_ref().map(|text| format!(", {text}")).unwrap_or_default())]
    Refused {
        /// PKIStatus.
        status: u32,
        /// The texts of the authority.
        failure: Option<String>,
    },
    /// The message digest attribute is not the digest of the TSTInfo.
    #[error("the token's message digest is not that of its content")]
    ContentDigest,
    /// The signature is not one of this key over the signed attributes.
    #[error("the token's signature does not verify")]
    SignatureInvalid,
}

impl From<Asn1Error> for TimestampError {
    fn from(_: Asn1Error) -> Self {
        TimestampError::Malformed
    }
}

/// A nonce: the content octets of an INTEGER, as they were or will be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nonce(Vec<u8>);

impl Nonce {
    /// The nonce of 16 random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        // 15 bytes below a fixed first one: positive, and in its shortest form whatever the bytes are.
        let mut content = bytes.to_vec();
        content[0] = content[0] & 0x3f | 0x40;
        Nonce(content)
    }

    fn from_content(content: &[u8]) -> Result<Self, TimestampError> {
        if content.len() > MAX_INTEGER_LEN {
            return Err(TimestampError::TooLarge);
        }
        Ok(Nonce(content.to_vec()))
    }

    fn to_der(&self) -> Vec<u8> {
        asn1::tlv(tag::INTEGER, &[&self.0])
    }
}

/// A TimeStampReq (section 2.4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimestampRequest {
    /// The digest to be stamped.
    pub imprint: Digest,
    /// The policy that is asked for, in dotted decimal.
    pub policy: Option<String>,
    /// What the response must repeat.
    pub nonce: Option<Nonce>,
    /// Whether the response shall carry the authority's certificate.
    pub wants_certificate: bool,
}

impl TimestampRequest {
    /// Read a request.
    ///
    /// # Errors
    /// [`TimestampError`] when it is not one, or for an imprint by SHA-1.
    pub fn parse(der: &[u8]) -> Result<Self, TimestampError> {
        if der.len() > MAX_REQUEST_LEN {
            return Err(TimestampError::TooLarge);
        }
        let mut fields = Element::from_der(der)?.open(tag::SEQUENCE)?;
        if fields.next()?.small()? != 1 {
            return Err(TimestampError::Malformed);
        }
        let imprint = parse_imprint(fields.next()?)?;
        let policy = fields.next_if(tag::OID)?.map(Element::oid).transpose()?.map(|oid| oid.to_string());
        let nonce = parse_nonce(&mut fields)?;
        let wants_certificate = parse_flag(&mut fields)?;
        refuse_critical(fields.next_if(tag::context_constructed(0))?)?;
        fields.end()?;
        Ok(TimestampRequest { imprint, policy, nonce, wants_certificate })
    }

    /// Write the request.
    ///
    /// # Errors
    /// [`TimestampError::Malformed`] when the policy is not an object identifier.
    pub fn to_der(&self) -> Result<Vec<u8>, TimestampError> {
        Ok(asn1::sequence(&[
            &asn1::unsigned(&[1]),
            &imprint_to_der(&self.imprint),
            &self.policy.as_deref().map(policy_to_der).transpose()?.unwrap_or_default(),
            &self.nonce.as_ref().map(Nonce::to_der).unwrap_or_default(),
            &flag_to_der(self.wants_certificate),
        ]))
    }
}

/// Read the token out of a TimeStampResp (section 2.4.2); the token's DER is what a CMS attribute carries.
///
/// # Errors
/// [`TimestampError::Refused`] with the authority's words when it did not grant one; others when it is malformed.
pub fn token_of_response(der: &[u8]) -> Result<&[u8], TimestampError> {
    if der.len() > MAX_RESPONSE_LEN {
        return Err(TimestampError::TooLarge);
    }
    let mut fields = Element::from_der(der)?.open(tag::SEQUENCE)?;
    let mut status_info = fields.next()?.open(tag::SEQUENCE)?;
    let status = status_info.next()?.small()?;
    let texts = match status_info.next_if(tag::SEQUENCE)? {
        Some(texts) => texts.open(tag::SEQUENCE)?.rest(MAX_STATUS_TEXTS)?,
        None => Vec::new(),
    };
    status_info.next_if(tag::BIT_STRING)?;
    status_info.end()?;
    let token = fields.next_if(tag::SEQUENCE)?;
    fields.end()?;
    match (status, token) {
        // granted, grantedWithMods
        (0 | 1, Some(token)) => Ok(token.encoding),
        (0 | 1, None) => Err(TimestampError::Malformed),
        _ => {
            let texts: Vec<_> = texts.iter().map(|text| String::from_utf8_lossy(text.content)).collect();
            let failure = (!texts.is_empty()).then(|| texts.join("; "));
            Err(TimestampError::Refused { status, failure })
        }
    }
}

/// Why an authority refuses (PKIFailureInfo, section 2.4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Unrecognised or unsupported algorithm identifier.
    BadAlgorithm,
    /// The transaction is not permitted or supported.
    BadRequest,
    /// The data submitted has the wrong format.
    BadDataFormat,
    /// The requested policy is not supported.
    UnacceptedPolicy,
    /// The requested extension is not supported.
    UnacceptedExtension,
}

impl Failure {
    fn bit(self) -> usize {
        match self {
            Failure::BadAlgorithm => 0,
            Failure::BadRequest => 2,
            Failure::BadDataFormat => 5,
            Failure::UnacceptedPolicy => 15,
            Failure::UnacceptedExtension => 16,
        }
    }
}

/// A TimeStampResp that grants `token`.
#[must_use]
pub fn grant(token: &[u8]) -> Vec<u8> {
    asn1::sequence(&[&asn1::sequence(&[&asn1::unsigned(&[0])]), token])
}

/// A TimeStampResp that refuses with `failure` and says why.
#[must_use]
pub fn refuse(failure: Failure, why: &str) -> Vec<u8> {
    let bit = failure.bit();
    let mut bits = vec![0; bit / 8 + 1];
    bits[bit / 8] = 0x80 >> (bit % 8);
    // DER drops trailing zero bits (X.690 section 11.2.2).
    let unused = [7 - (bit % 8) as u8];
    let text = asn1::sequence(&[&asn1::tlv(tag::UTF8_STRING, &[why.as_bytes()])]);
    let status = asn1::sequence(&[&asn1::unsigned(&[2]), &text, &asn1::tlv(tag::BIT_STRING, &[&unused, &bits])]);
    asn1::sequence(&[&status])
}

/// How far the clock may be off (section 2.4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Accuracy {
    /// Seconds.
    pub seconds: u32,
    /// Milliseconds, 1 to 999, or 0.
    pub millis: u32,
    /// Microseconds, 1 to 999, or 0.
    pub micros: u32,
}

/// What a timestamp states: this digest existed at this time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TstInfo {
    /// The policy, in dotted decimal.
    pub policy: String,
    /// The digest that was stamped.
    pub imprint: Digest,
    /// The content octets of the serial number.
    pub serial: Vec<u8>,
    /// When, to the fraction of a second that the authority gave.
    pub time: Timestamp,
    /// How exact that is.
    pub accuracy: Option<Accuracy>,
    /// Whether any two stamps of the authority can be ordered by their times.
    pub ordering: bool,
    /// The nonce of the request.
    pub nonce: Option<Nonce>,
}

impl TstInfo {
    /// Read a TSTInfo.
    ///
    /// # Errors
    /// [`TimestampError`] when it is malformed, has an imprint by SHA-1, or a critical extension.
    pub fn parse(der: &[u8]) -> Result<Self, TimestampError> {
        let mut fields = Element::from_der(der)?.open(tag::SEQUENCE)?;
        if fields.next()?.small()? != 1 {
            return Err(TimestampError::Malformed);
        }
        let policy = fields.next()?.oid()?.to_string();
        let imprint = parse_imprint(fields.next()?)?;
        let serial = fields.next()?.integer()?;
        if serial.len() > MAX_INTEGER_LEN {
            return Err(TimestampError::TooLarge);
        }
        let time = parse_time(fields.next()?.expect(tag::GENERALIZED_TIME)?)?;
        let accuracy = fields.next_if(tag::SEQUENCE)?.map(parse_accuracy).transpose()?;
        let ordering = parse_flag(&mut fields)?;
        let nonce = parse_nonce(&mut fields)?;
        fields.next_if(tag::context_constructed(0))?;
        refuse_critical(fields.next_if(tag::context_constructed(1))?)?;
        fields.end()?;
        Ok(TstInfo { policy, imprint, serial: serial.to_vec(), time, accuracy, ordering, nonce })
    }

    /// Write the TSTInfo.
    ///
    /// # Errors
    /// [`TimestampError::Malformed`] when the policy is not an object identifier.
    pub fn to_der(&self) -> Result<Vec<u8>, TimestampError> {
        Ok(asn1::sequence(&[
            &asn1::unsigned(&[1]),
            &policy_to_der(&self.policy)?,
            &imprint_to_der(&self.imprint),
            &asn1::tlv(tag::INTEGER, &[&self.serial]),
            &asn1::tlv(tag::GENERALIZED_TIME, &[time_to_text(self.time).as_bytes()]),
            &self.accuracy.map(accuracy_to_der).unwrap_or_default(),
            &flag_to_der(self.ordering),
            &self.nonce.as_ref().map(Nonce::to_der).unwrap_or_default(),
        ]))
    }
}

/// The digest algorithm of an AlgorithmIdentifier: parameters absent or NULL (RFC 5754 section 2), never SHA-1.
pub(super) fn parse_digest_algorithm(element: Element<'_>) -> Result<HashAlgorithm, TimestampError> {
    let mut fields = element.open(tag::SEQUENCE)?;
    let oid = fields.next()?.oid()?;
    fields.next_if(tag::NULL)?;
    fields.end()?;
    match oid {
        SHA256 => Ok(HashAlgorithm::Sha256),
        SHA384 => Ok(HashAlgorithm::Sha384),
        SHA512 => Ok(HashAlgorithm::Sha512),
        other => Err(TimestampError::UnsupportedDigest(other.to_string())),
    }
}

/// An AlgorithmIdentifier without parameters.
pub(super) fn digest_algorithm_to_der(algorithm: HashAlgorithm) -> Vec<u8> {
    let oid = match algorithm {
        HashAlgorithm::Sha1 => SHA1,
        HashAlgorithm::Sha256 => SHA256,
        HashAlgorithm::Sha384 => SHA384,
        HashAlgorithm::Sha512 => SHA512,
    };
    asn1::sequence(&[&asn1::oid(oid)])
}

fn parse_imprint(element: Element<'_>) -> Result<Digest, TimestampError> {
    let mut fields = element.open(tag::SEQUENCE)?;
    let algorithm = parse_digest_algorithm(fields.next()?)?;
    let digest = fields.next()?.expect(tag::OCTET_STRING)?;
    fields.end()?;
    Digest::from_bytes(algorithm, digest).ok_or(TimestampError::Malformed)
}

fn imprint_to_der(imprint: &Digest) -> Vec<u8> {
    asn1::sequence(&[
        &digest_algorithm_to_der(imprint.algorithm()),
        &asn1::tlv(tag::OCTET_STRING, &[imprint.as_bytes()]),
    ])
}

fn policy_to_der(policy: &str) -> Result<Vec<u8>, TimestampError> {
    ObjectIdentifier::new(policy).map(asn1::oid).map_err(|_| TimestampError::Malformed)
}

/// BOOLEAN DEFAULT FALSE: present only when true, and then 0xff.
fn parse_flag(fields: &mut Elements<'_>) -> Result<bool, TimestampError> {
    match fields.next_if(tag::BOOLEAN)?.map(|flag| flag.content) {
        None | Some([0]) => Ok(false),
        Some([0xff]) => Ok(true),
        Some(_) => Err(TimestampError::Malformed),
    }
}

fn flag_to_der(flag: bool) -> Vec<u8> {
    if flag { asn1::tlv(tag::BOOLEAN, &[&[0xff]]) } else { Vec::new() }
}

fn parse_nonce(fields: &mut Elements<'_>) -> Result<Option<Nonce>, TimestampError> {
    match fields.next_if(tag::INTEGER)? {
        Some(nonce) => Nonce::from_content(nonce.integer()?).map(Some),
        None => Ok(None),
    }
}

fn refuse_critical(extensions: Option<Element<'_>>) -> Result<(), TimestampError> {
    let Some(extensions) = extensions else { return Ok(()) };
    for extension in Elements::of(extensions.content)?.rest(MAX_EXTENSIONS)? {
        let mut fields = extension.open(tag::SEQUENCE)?;
        fields.next()?.oid()?;
        if parse_flag(&mut fields)? {
            return Err(TimestampError::CriticalExtension);
        }
    }
    Ok(())
}

fn parse_accuracy(element: Element<'_>) -> Result<Accuracy, TimestampError> {
    let mut fields = element.open(tag::SEQUENCE)?;
    let seconds = fields.next_if(tag::INTEGER)?.map(Element::small).transpose()?.unwrap_or(0);
    let mut part = |number| match fields.next_if(tag::context(number))? {
        Some(Element { content: [], .. }) => Err(TimestampError::Malformed),
        Some(element) => match asn1::small(element.content)? {
            value @ 1..=999 => Ok(value),
            _ => Err(TimestampError::Malformed),
        },
        None => Ok(0),
    };
    let (millis, micros) = (part(0)?, part(1)?);
    fields.end()?;
    Ok(Accuracy { seconds, millis, micros })
}

fn accuracy_to_der(Accuracy { seconds, millis, micros }: Accuracy) -> Vec<u8> {
    let integer = |value: u32| asn1::unsigned(&value.to_be_bytes());
    let tagged = |number: u8, value: u32| match value {
        0 => Vec::new(),
        // IMPLICIT: the content of the INTEGER under the context tag.
        _ => asn1::tlv(tag::context(number), &[&integer(value)[2..]]),
    };
    let seconds = if seconds == 0 { Vec::new() } else { integer(seconds) };
    asn1::sequence(&[&seconds, &tagged(0, millis), &tagged(1, micros)])
}

/// `YYYYMMDDhhmmss[.f]Z`, the fraction without trailing zeros (section 2.4.2); up to nanoseconds.
fn parse_time(content: &[u8]) -> Result<Timestamp, TimestampError> {
    let malformed = TimestampError::Malformed;
    let text = std::str::from_utf8(content).ok().and_then(|text| text.strip_suffix('Z')).ok_or(malformed.clone())?;
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, fraction),
        None => (text, ""),
    };
    let digits = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
    let dangling = text.len() != whole.len() && (fraction.is_empty() || fraction.ends_with('0'));
    if whole.len() != 14 || fraction.len() > 9 || dangling || !digits(whole) || !digits(fraction) {
        return Err(malformed);
    }
    let number = |text: &str| text.parse::<i32>().map_err(|_| TimestampError::Malformed);
    let small = |range: std::ops::Range<usize>| whole[range].parse::<i8>().map_err(|_| TimestampError::Malformed);
    let nanoseconds = number(&format!("{fraction:0<9}"))?;
    let year = whole[..4].parse::<i16>().map_err(|_| TimestampError::Malformed)?;
    let civil =
        DateTime::new(year, small(4..6)?, small(6..8)?, small(8..10)?, small(10..12)?, small(12..14)?, nanoseconds)
            .map_err(|_| TimestampError::Malformed)?;
    TimeZone::UTC.to_timestamp(civil).map_err(|_| TimestampError::Malformed)
}

fn time_to_text(time: Timestamp) -> String {
    let whole = time.strftime("%Y%m%d%H%M%S").to_string();
    match time.subsec_nanosecond() {
        0 => format!("{whole}Z"),
        fraction => format!("{whole}.{}Z", format!("{fraction:09}").trim_end_matches('0')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info() -> TstInfo {
        TstInfo {
            policy: "1.3.6.1.4.1.57264.2".to_owned(),
            imprint: HashAlgorithm::Sha384.digest(b"signature"),
            serial: vec![0, 0x80],
            time: "2026-11-22T10:11:12.345Z".parse().unwrap(),
            accuracy: Some(Accuracy { seconds: 1, millis: 500, micros: 0 }),
            ordering: false,
            nonce: Some(Nonce::from_random([0xff; 16])),
        }
    }

    #[test]
    fn a_tst_info_survives_its_encoding() {
        for info in [info(), TstInfo { accuracy: None, nonce: None, ordering: true, ..info() }] {
            assert_eq!(TstInfo::parse(&info.to_der().unwrap()).unwrap(), info);
        }
    }

    #[test]
    fn a_request_survives_its_encoding_and_sha1_is_refused() {
        let request = TimestampRequest {
            imprint: HashAlgorithm::Sha256.digest(b"signature"),
            policy: Some("1.2.3".to_owned()),
            nonce: Some(Nonce::from_random([0; 16])),
            wants_certificate: true,
        };
        assert_eq!(TimestampRequest::parse(&request.to_der().unwrap()).unwrap(), request);
        let weak = TimestampRequest { imprint: HashAlgorithm::Sha1.digest(b"signature"), ..request };
        assert!(matches!(TimestampRequest::parse(&weak.to_der().unwrap()), Err(TimestampError::UnsupportedDigest(_))));
    }

    #[test]
    fn times_have_one_spelling() {
        for (text, rfc3339) in [
            ("20261122101112Z", "2026-11-22T10:11:12Z"),
            ("20261122101112.5Z", "2026-11-22T10:11:12.5Z"),
            ("20261122101112.000000001Z", "2026-11-22T10:11:12.000000001Z"),
        ] {
            let time = parse_time(text.as_bytes()).unwrap();
            assert_eq!(time, rfc3339.parse().unwrap());
            assert_eq!(time_to_text(time), text);
        }
        for bad in [
            "20261122101112",
            "202611221011Z",
            "20261122101112.Z",
            "20261122101112.50Z",
            "20261122101112.0000000001Z",
            "20261122101112+0100",
            "20261322101112Z",
            "20261122101160Z",
            "+2026112210111Z",
        ] {
            assert!(parse_time(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_refusal_is_told_in_the_authoritys_words() {
        let response = refuse(Failure::BadAlgorithm, "SHA-1 is not stamped");
        assert_eq!(
            token_of_response(&response),
            Err(TimestampError::Refused { status: 2, failure: Some("SHA-1 is not stamped".to_owned()) })
        );
        assert_eq!(token_of_response(&grant(&[0x30, 0])), Ok(&[0x30, 0][..]));
        assert_eq!(token_of_response(&[0x30, 5, 0x30, 3, 2, 1, 0]), Err(TimestampError::Malformed));
    }
}
