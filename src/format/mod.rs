//! Bytes to values and back, strictly: one file a format, each naming the document it follows.
//!
//! Parsers here accept one spelling where a document allows one, bound every size and count by a named constant, and
//! say which rule was broken. They believe nothing: a parsed value is a claim until [`verify`](crate::verify) has
//! judged it. ASN.1 crates may be named here and in `crypto`, and nowhere else.

mod asn1;
mod bounded;
pub mod bundle;
pub mod checkpoint;
pub mod cms;
pub mod dsse;
pub mod experimental;
pub mod git;
pub mod intoto;
pub mod issue;
#[cfg(feature = "sandbox")]
pub mod jws;
pub mod log_entry;
pub mod log_entry_json;
pub mod logged_body;
pub mod merkle;
pub mod pem;
pub mod push_certificate;
pub mod ref_update;
pub mod sct;
pub mod ssh_signature;
pub mod time;
pub mod timestamp;
pub mod timestamp_token;
pub mod tle;
pub mod tuf;
pub mod x509;

use crate::crypto::HashAlgorithm;

/// The hash function that an AlgorithmIdentifier names, parameters absent or NULL (RFC 5754 section 2).
pub(crate) fn digest_algorithm(algorithm: &spki::AlgorithmIdentifierRef<'_>) -> Option<HashAlgorithm> {
    use const_oid::ObjectIdentifier;
    const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
    const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
    const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
    const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
    if !algorithm.parameters.is_none_or(der::asn1::AnyRef::is_null) {
        return None;
    }
    match algorithm.oid {
        SHA1 => Some(HashAlgorithm::Sha1),
        SHA256 => Some(HashAlgorithm::Sha256),
        SHA384 => Some(HashAlgorithm::Sha384),
        SHA512 => Some(HashAlgorithm::Sha512),
        _ => None,
    }
}

/// The content of an OCTET STRING in DER, with nothing before or after it.
pub(crate) fn octet_string(der: &[u8]) -> Option<&[u8]> {
    use der::Decode as _;
    <&der::asn1::OctetStringRef>::from_der(der).ok().map(der::asn1::OctetStringRef::as_bytes)
}
