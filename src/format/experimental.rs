//! The log entry that gitsign of January 2023 spread over nine unsigned attributes, before it embedded a message.
//!
//! No document defines it. The attributes are consecutive arcs of 1.3.6.1.4.1.57264.3, each with one value:
//! integrated time, log id (hex), log index, signed entry timestamp, checkpoint, audit path (hex), root hash (hex), tree
//! size, index in the tree. gitsign's own commit c47e8bf5 counts them from 0, the sample in its README of that week
//! from 1. The log was Rekor v1 and the entry a hashedrekord 0.0.1. Nobody writes this form any more.

use const_oid::ObjectIdentifier;
use der::Decode as _;
use der::asn1::{OctetStringRef, PrintableStringRef, Utf8StringRef};
use jiff::Timestamp;

use super::log_entry::{EntryKind, InclusionProof, LogEntry, MAX_CHECKPOINT_LEN, MAX_PROOF_HASHES, MAX_SET_LEN};
use crate::crypto::digest::unhex;

/// The arc of the attributes; the arc below it named 1 is also where the protobuf form lives, as an OCTET STRING.
pub const REKOR_ARC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.3");

/// How many attributes make one entry.
const ATTRIBUTES: usize = 9;

/// Why the attributes were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExperimentalError {
    /// Not each of the nine, once.
    #[error("the experimental log attributes are not nine in a row")]
    Incomplete,
    /// An attribute that is not what its place calls for.
    #[error("the experimental log attributes have an impossible {0}")]
    Value(&'static str),
}

/// Read the entry from unsigned attributes, given as identifier and the DER of the one value; attributes of other arcs
/// are passed over. `body` builds the logged body that the signature calls for.
///
/// # Errors
/// [`ExperimentalError`] when one of the nine is missing, there twice, or not of its type.
pub fn decode<'a>(
    attributes: impl IntoIterator<Item = (ObjectIdentifier, &'a [u8])>,
    body: impl FnOnce(EntryKind) -> Vec<u8>,
) -> Result<LogEntry, ExperimentalError> {
    let mut found: Vec<(u32, &[u8])> = attributes
        .into_iter()
        .filter(|(oid, _)| oid.parent() == Some(REKOR_ARC))
        .filter_map(|(oid, value)| Some((oid.arcs().last()?, value)))
        .take(ATTRIBUTES + 1)
        .collect();
    found.sort_by_key(|(arc, _)| *arc);
    let counts_from = |first: u32| found.iter().map(|(arc, _)| *arc).eq((first..).take(ATTRIBUTES));
    if !counts_from(0) && !counts_from(1) {
        return Err(ExperimentalError::Incomplete);
    }
    let value = |place: usize| found[place].1;

    let checkpoint = Utf8StringRef::from_der(value(4)).map_err(|_| ExperimentalError::Value("checkpoint"))?;
    let promise = <&OctetStringRef>::from_der(value(3))
        .map_err(|_| ExperimentalError::Value("signed entry timestamp"))?
        .as_bytes();
    if checkpoint.as_str().len() > MAX_CHECKPOINT_LEN {
        return Err(ExperimentalError::Value("checkpoint"));
    }
    if promise.len() > MAX_SET_LEN {
        return Err(ExperimentalError::Value("signed entry timestamp"));
    }
    let proof = InclusionProof {
        log_index: number(value(8), "index in the tree")?,
        root_hash: hash(PrintableStringRef::from_der(value(6)).ok(), "root hash")?,
        tree_size: number(value(7), "tree size")?,
        hashes: audit_path(value(5))?,
        checkpoint: checkpoint.as_str().to_owned(),
    };
    let kind = EntryKind::HashedRekordV001;
    let integrated_time = Timestamp::from_second(number(value(0), "integrated time")?.cast_signed())
        .map_err(|_| ExperimentalError::Value("integrated time"))?;
    Ok(LogEntry {
        log_index: number(value(2), "log index")?,
        log_id: hash(PrintableStringRef::from_der(value(1)).ok(), "log id")?,
        kind,
        integrated_time: Some(integrated_time),
        inclusion_promise: Some(promise.to_vec()),
        inclusion_proof: Some(proof),
        canonicalized_body: body(kind),
    })
}

fn audit_path(der: &[u8]) -> Result<Vec<[u8; 32]>, ExperimentalError> {
    const WHAT: &str = "audit path";
    let hashes = Vec::<PrintableStringRef<'_>>::from_der(der).map_err(|_| ExperimentalError::Value(WHAT))?;
    if hashes.len() > MAX_PROOF_HASHES {
        return Err(ExperimentalError::Value(WHAT));
    }
    hashes.into_iter().map(|text| hash(Some(text), WHAT)).collect()
}

fn hash(text: Option<PrintableStringRef<'_>>, what: &'static str) -> Result<[u8; 32], ExperimentalError> {
    text.and_then(|text| unhex(text.as_str()))
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(ExperimentalError::Value(what))
}

fn number(der: &[u8], what: &'static str) -> Result<u64, ExperimentalError> {
    match u64::from_der(der) {
        Ok(number) if i64::try_from(number).is_ok() => Ok(number),
        _ => Err(ExperimentalError::Value(what)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use der::Encode as _;

    fn attributes(first: u32) -> Vec<(ObjectIdentifier, Vec<u8>)> {
        let id = "ab".repeat(32);
        let text = PrintableStringRef::new(&id).unwrap();
        let values = [
            1_673_483_618u64.to_der().unwrap(),
            text.to_der().unwrap(),
            7u64.to_der().unwrap(),
            OctetStringRef::new(b"set").unwrap().to_der().unwrap(),
            Utf8StringRef::new("origin \u{2014}").unwrap().to_der().unwrap(),
            vec![text].to_der().unwrap(),
            text.to_der().unwrap(),
            2u64.to_der().unwrap(),
            1u64.to_der().unwrap(),
        ];
        (first..).zip(values).map(|(arc, value)| (REKOR_ARC.push_arc(arc).unwrap(), value)).collect()
    }

    fn read(attributes: &[(ObjectIdentifier, Vec<u8>)]) -> Result<LogEntry, ExperimentalError> {
        decode(attributes.iter().map(|(oid, value)| (*oid, &value[..])), |_| Vec::new())
    }

    #[test]
    fn both_counts_say_the_same() {
        let entry = read(&attributes(0)).unwrap();
        assert_eq!((entry.log_index, entry.log_id), (7, [0xab; 32]));
        assert_eq!(read(&attributes(1)), Ok(entry));
    }

    #[test]
    fn all_nine_are_needed_once() {
        let nine = attributes(0);
        assert_eq!(read(&nine[1..]), Err(ExperimentalError::Incomplete));
        assert_eq!(read(&[&nine[..], &nine[..1]].concat()), Err(ExperimentalError::Incomplete));
        assert_eq!(read(&attributes(2)), Err(ExperimentalError::Incomplete));
        assert_eq!(read(&[]), Err(ExperimentalError::Incomplete));
    }
}
