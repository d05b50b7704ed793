//! The protobuf form of a transparency log entry, as gitsign embeds it in a CMS signature.
//!
//! Follows dev.sigstore.rekor.v1.TransparencyLogEntry (protobuf-specs, sigstore_rekor.proto), carried as an OCTET
//! STRING in the unsigned attribute 1.3.6.1.4.1.57264.3.1. Field 7, the logged body, is left out: whoever checks the
//! signature builds it again from the signature itself, so that an entry cannot bring a body about something else.
//! Only the one encoding that gitsign and we write is accepted. The attribute is not signed, and a second spelling
//! would be a way to change a commit's object id without changing what it says.

use jiff::Timestamp;

use super::log_entry::{EntryKind, InclusionProof, LogEntry, LogId, MAX_CHECKPOINT_LEN, MAX_PROOF_HASHES, MAX_SET_LEN};

/// Longest encoding that is read, in bytes: real ones have at most 1,275; a checkpoint with many witnesses has more.
pub const MAX_TLE_LEN: usize = 64 * 1024;

/// Why an embedded log entry was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TleError {
    /// Longer than [`MAX_TLE_LEN`].
    #[error("the embedded log entry has {0} bytes, more than {MAX_TLE_LEN}")]
    TooLong(usize),
    /// Cut off, or not the protobuf wire format.
    #[error("the embedded log entry is not a protobuf message")]
    Malformed,
    /// A field that the message does not define, or of another wire type than it defines.
    #[error("the embedded log entry has an unknown field {field} in {message}")]
    UnknownField {
        /// The message that holds it.
        message: &'static str,
        /// Its number.
        field: u32,
    },
    /// A field that every entry has is absent.
    #[error("the embedded log entry lacks its {0}")]
    Missing(&'static str),
    /// A value that the field cannot have.
    #[error("the embedded log entry has an impossible {0}")]
    Value(&'static str),
    /// Not a hashedrekord, which is the only type that logs a message signature.
    #[error("the embedded log entry is of kind {kind} {version}, not a hashedrekord known here")]
    Kind {
        /// `kindVersion.kind`.
        kind: String,
        /// `kindVersion.version`.
        version: String,
    },
    /// It brings its own body, which must be built again from the signature.
    #[error("the embedded log entry brings its own body")]
    BodyPresent,
    /// Another spelling of the same entry.
    #[error("the embedded log entry is not in its canonical encoding")]
    NotCanonical,
}

/// Read an embedded entry; `body` builds the logged body that the signature calls for.
///
/// # Errors
/// [`TleError`] for anything but the encoding that [`encode`] gives.
pub fn decode(bytes: &[u8], body: impl FnOnce(EntryKind) -> Vec<u8>) -> Result<LogEntry, TleError> {
    if bytes.len() > MAX_TLE_LEN {
        return Err(TleError::TooLong(bytes.len()));
    }
    let mut entry = read_entry(bytes)?;
    // One comparison enforces the order of fields, minimal varints, no duplicate, and no default written out.
    if encode(&entry) != bytes {
        return Err(TleError::NotCanonical);
    }
    entry.canonicalized_body = body(entry.kind);
    Ok(entry)
}

/// Write an entry without its body: fields in order, defaults omitted, as every protobuf library does.
#[must_use]
pub fn encode(entry: &LogEntry) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    put_varint_field(&mut out, 1, entry.log_index);
    put_bytes(&mut out, 2, &message(|log_id| put_bytes(log_id, 1, &entry.log_id)));
    let kind_version = message(|kind_version| {
        put_bytes(kind_version, 1, entry.kind.kind().as_bytes());
        put_bytes(kind_version, 2, entry.kind.version().as_bytes());
    });
    put_bytes(&mut out, 3, &kind_version);
    if let Some(time) = entry.integrated_time {
        // An int64 is written as the varint of its two's complement.
        put_varint_field(&mut out, 4, time.as_second().cast_unsigned());
    }
    if let Some(promise) = &entry.inclusion_promise {
        put_bytes(&mut out, 5, &message(|field| put_bytes(field, 1, promise)));
    }
    if let Some(proof) = &entry.inclusion_proof {
        put_bytes(&mut out, 6, &encode_proof(proof));
    }
    out
}

fn encode_proof(proof: &InclusionProof) -> Vec<u8> {
    message(|out| {
        put_varint_field(out, 1, proof.log_index);
        put_bytes(out, 2, &proof.root_hash);
        put_varint_field(out, 3, proof.tree_size);
        for hash in &proof.hashes {
            put_bytes(out, 4, hash);
        }
        put_bytes(out, 5, &message(|checkpoint| put_bytes(checkpoint, 1, proof.checkpoint.as_bytes())));
    })
}

fn read_entry(bytes: &[u8]) -> Result<LogEntry, TleError> {
    const MESSAGE: &str = "TransparencyLogEntry";
    let mut log_index = 0;
    let mut log_id = None;
    let mut kind = None;
    let mut integrated_time = None;
    let mut inclusion_promise = None;
    let mut inclusion_proof = None;
    let mut fields = Fields(bytes);
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (1, Value::Varint(index)) => log_index = non_negative(index, "log index")?,
            (2, Value::Bytes(inner)) => log_id = Some(read_log_id(inner)?),
            (3, Value::Bytes(inner)) => kind = Some(read_kind(inner)?),
            (4, Value::Varint(seconds)) => {
                let seconds = non_negative(seconds, "integrated time")?.cast_signed();
                let time = Timestamp::from_second(seconds).map_err(|_| TleError::Value("integrated time"))?;
                integrated_time = Some(time);
            }
            (5, Value::Bytes(inner)) => {
                let promise = read_only_field(inner, "InclusionPromise")?;
                if promise.len() > MAX_SET_LEN {
                    return Err(TleError::Value("signed entry timestamp"));
                }
                inclusion_promise = Some(promise.to_vec());
            }
            (6, Value::Bytes(inner)) => inclusion_proof = Some(read_proof(inner)?),
            (7, Value::Bytes(_)) => return Err(TleError::BodyPresent),
            (field, _) => return Err(TleError::UnknownField { message: MESSAGE, field }),
        }
    }
    Ok(LogEntry {
        log_index,
        log_id: log_id.ok_or(TleError::Missing("log id"))?,
        kind: kind.ok_or(TleError::Missing("kind"))?,
        integrated_time,
        inclusion_promise,
        inclusion_proof,
        canonicalized_body: Vec::new(),
    })
}

fn read_log_id(bytes: &[u8]) -> Result<LogId, TleError> {
    read_only_field(bytes, "LogId")?.try_into().map_err(|_| TleError::Value("log id"))
}

fn read_kind(bytes: &[u8]) -> Result<EntryKind, TleError> {
    let (mut kind, mut version) = ("", "");
    let mut fields = Fields(bytes);
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (1, Value::Bytes(text)) => kind = utf8(text, "kind")?,
            (2, Value::Bytes(text)) => version = utf8(text, "kind version")?,
            (field, _) => return Err(TleError::UnknownField { message: "KindVersion", field }),
        }
    }
    match EntryKind::from_kind_version(kind, version) {
        Some(known @ (EntryKind::HashedRekordV001 | EntryKind::HashedRekordV002)) => Ok(known),
        _ => Err(TleError::Kind { kind: kind.to_owned(), version: version.to_owned() }),
    }
}

fn read_proof(bytes: &[u8]) -> Result<InclusionProof, TleError> {
    let mut log_index = 0;
    let mut tree_size = 0;
    let mut root_hash = None;
    let mut hashes = Vec::new();
    let mut checkpoint = None;
    let mut fields = Fields(bytes);
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (1, Value::Varint(index)) => log_index = non_negative(index, "proof index")?,
            (2, Value::Bytes(hash)) => root_hash = Some(hash.try_into().map_err(|_| TleError::Value("root hash"))?),
            (3, Value::Varint(size)) => tree_size = non_negative(size, "tree size")?,
            (4, Value::Bytes(_)) if hashes.len() == MAX_PROOF_HASHES => return Err(TleError::Value("proof length")),
            (4, Value::Bytes(hash)) => hashes.push(hash.try_into().map_err(|_| TleError::Value("proof hash"))?),
            (5, Value::Bytes(inner)) => checkpoint = Some(utf8(read_only_field(inner, "Checkpoint")?, "checkpoint")?),
            (field, _) => return Err(TleError::UnknownField { message: "InclusionProof", field }),
        }
    }
    let checkpoint = checkpoint.ok_or(TleError::Missing("checkpoint"))?;
    if checkpoint.len() > MAX_CHECKPOINT_LEN {
        return Err(TleError::Value("checkpoint"));
    }
    Ok(InclusionProof {
        log_index,
        root_hash: root_hash.ok_or(TleError::Missing("root hash"))?,
        tree_size,
        hashes,
        checkpoint: checkpoint.to_owned(),
    })
}

/// The one field of a message that has only one, number 1, of bytes.
fn read_only_field<'a>(bytes: &'a [u8], message: &'static str) -> Result<&'a [u8], TleError> {
    let mut fields = Fields(bytes);
    match (fields.next()?, fields.0.is_empty()) {
        (Some((1, Value::Bytes(inner))), true) => Ok(inner),
        (Some((1, Value::Bytes(_))), false) => Err(TleError::NotCanonical),
        (Some((field, _)), _) => Err(TleError::UnknownField { message, field }),
        (None, _) => Err(TleError::Missing(message)),
    }
}

/// An int64 that counts something.
fn non_negative(value: u64, what: &'static str) -> Result<u64, TleError> {
    i64::try_from(value).map(i64::cast_unsigned).map_err(|_| TleError::Value(what))
}

fn utf8<'a>(bytes: &'a [u8], what: &'static str) -> Result<&'a str, TleError> {
    std::str::from_utf8(bytes).map_err(|_| TleError::Value(what))
}

/// The fields of one message, in the order of the wire.
struct Fields<'a>(&'a [u8]);

/// The two wire types that the message uses.
enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
}

impl<'a> Fields<'a> {
    fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, TleError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let field = u32::try_from(tag >> 3).map_err(|_| TleError::Malformed)?;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            2 => {
                let len = usize::try_from(self.varint()?).map_err(|_| TleError::Malformed)?;
                let (bytes, rest) = self.0.split_at_checked(len).ok_or(TleError::Malformed)?;
                self.0 = rest;
                Value::Bytes(bytes)
            }
            _ => return Err(TleError::Malformed),
        };
        Ok(Some((field, value)))
    }

    fn varint(&mut self) -> Result<u64, TleError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first().ok_or(TleError::Malformed)?;
            self.0 = rest;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(TleError::Malformed);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(TleError::Malformed)
    }
}

fn message(fill: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    fill(&mut out);
    out
}

fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_varint(out, field << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Zero is the default and stays out (proto3).
fn put_varint_field(out: &mut Vec<u8>, field: u64, value: u64) {
    if value != 0 {
        put_varint(out, field << 3);
        put_varint(out, value);
    }
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> LogEntry {
        LogEntry {
            log_index: 300,
            log_id: [7; 32],
            kind: EntryKind::HashedRekordV001,
            integrated_time: Some(Timestamp::from_second(1_700_000_000).unwrap()),
            inclusion_promise: Some(vec![0x30, 0]),
            inclusion_proof: Some(InclusionProof {
                log_index: 0,
                root_hash: [1; 32],
                tree_size: 2,
                hashes: vec![[2; 32]],
                checkpoint: "origin\n2\nroot\n\n".to_owned(),
            }),
            canonicalized_body: Vec::new(),
        }
    }

    fn read(bytes: &[u8]) -> Result<LogEntry, TleError> {
        decode(bytes, |_| Vec::new())
    }

    #[test]
    fn what_is_written_is_read_back() {
        let v1 = entry();
        let v2 = LogEntry {
            kind: EntryKind::HashedRekordV002,
            log_index: 0,
            integrated_time: None,
            inclusion_promise: None,
            ..entry()
        };
        for entry in [v1, v2] {
            assert_eq!(read(&encode(&entry)), Ok(entry));
        }
    }

    #[test]
    fn the_body_is_asked_for_by_kind() {
        let read = decode(&encode(&entry()), |kind| kind.version().as_bytes().to_vec()).unwrap();
        assert_eq!(read.canonicalized_body, b"0.0.1");
    }

    #[test]
    fn every_truncation_is_refused() {
        let whole = encode(&entry());
        for len in 0..whole.len() {
            // Cut between fields it may still be a message, but then it says less.
            assert_ne!(read(&whole[..len]).ok(), Some(entry()), "{len}");
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        let whole = encode(&entry());
        let twice = [&whole[..], &whole[..3]].concat();
        let long_varint = [&[0x08, 0xac, 0x82, 0x00], &whole[3..]].concat();
        let explicit_zero = [&[0x08, 0x00], &encode(&LogEntry { log_index: 0, ..entry() })[..]].concat();
        let reordered = [&whole[3..], &whole[..3]].concat();
        for (name, bytes) in
            [("twice", twice), ("long varint", long_varint), ("explicit zero", explicit_zero), ("reordered", reordered)]
        {
            assert_eq!(read(&bytes), Err(TleError::NotCanonical), "{name}");
        }
        let unknown = [&whole[..], &[0x42, 0]].concat();
        assert_eq!(read(&unknown), Err(TleError::UnknownField { message: "TransparencyLogEntry", field: 8 }));
        let body = [&whole[..], &[0x3a, 1, b'x']].concat();
        assert_eq!(read(&body), Err(TleError::BodyPresent));
    }

    #[test]
    fn only_a_hashedrekord_stands_for_a_message_signature() {
        let dsse = LogEntry { kind: EntryKind::DsseV001, ..entry() };
        assert!(matches!(read(&encode(&dsse)), Err(TleError::Kind { .. })));
    }

    #[test]
    fn numbers_are_not_negative() {
        let negative = LogEntry { log_index: u64::MAX, ..entry() };
        assert_eq!(read(&encode(&negative)), Err(TleError::Value("log index")));
    }
}
