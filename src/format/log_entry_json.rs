//! The two JSON forms of a transparency log entry.
//!
//! The proto3 JSON of dev.sigstore.rekor.v1.TransparencyLogEntry is what bundles hold and what Rekor v2 answers; the
//! other form is what Rekor v1 answers (openapi.yaml, LogEntry). Both readings refuse what the other would take. int64
//! is a string in the first form and a number in the second; bytes are base64 in the first, hexadecimal in the second.

use std::collections::BTreeMap;

use base64ct::{Base64, Encoding as _};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::bounded::Bounded;
use super::log_entry::{EntryKind, InclusionProof, LogEntry, LogId, MAX_CHECKPOINT_LEN, MAX_PROOF_HASHES, MAX_SET_LEN};
use super::logged_body::MAX_BODY_LEN;
use crate::crypto::digest::{hex, unhex};

/// Most entries that one answer of Rekor v1 may hold: it is never asked for more than ten.
pub const MAX_ANSWER_ENTRIES: usize = 64;

/// Why the JSON of a log entry was refused.
#[derive(Debug, thiserror::Error)]
pub enum LogEntryJsonError {
    /// Not JSON, or not of the form's shape: a missing, unknown or repeated field, a value of another type.
    #[error("the log entry is not of the expected form: {0}")]
    Json(#[from] serde_json::Error),
    /// Bytes that are not standard base64 with padding (RFC 4648 section 4), or not lower-case hexadecimal.
    #[error("the {0} of the log entry is not well encoded")]
    Encoding(&'static str),
    /// Digits were expected, without sign or leading zero, or a value of this length.
    #[error("the {0} of the log entry has an impossible value")]
    Value(&'static str),
    /// Longer than any honest one.
    #[error("the {0} of the log entry is too long")]
    TooLong(&'static str),
    /// The inclusion proof says which root it leads to, but nobody signed that root.
    #[error("the inclusion proof of the log entry has no checkpoint")]
    NoCheckpoint,
    /// A type of entry that is not read here.
    #[error("log entries of kind {kind} {version} are not read")]
    Kind {
        /// `kind`.
        kind: String,
        /// `version` or `apiVersion`.
        version: String,
    },
    /// The answer holds none, or more than one where one was asked for.
    #[error("the log answered with {0} entries")]
    Count(usize),
}

type Result<T> = std::result::Result<T, LogEntryJsonError>;

/// Read the proto3 JSON form, as Rekor v2 answers.
///
/// # Errors
/// [`LogEntryJsonError`]
pub fn from_protobuf_json(json: &[u8]) -> Result<LogEntry> {
    serde_json::from_slice::<TlogEntryJson>(json)?.read()
}

/// Write the proto3 JSON form. Zero and empty fields of the proof are written out: readers exist that miss them.
#[must_use]
pub fn to_protobuf_json(entry: &LogEntry) -> String {
    serde_json::to_string(&TlogEntryJson::from(entry)).expect("strings and arrays have a JSON form")
}

/// Read one entry of Rekor v1, an object with the entry's UUID as its only key, as the log answers to an upload and to
/// a look-up; gives UUID and entry.
///
/// # Errors
/// [`LogEntryJsonError`]
pub fn from_rekor_v1(json: &[u8]) -> Result<(String, LogEntry)> {
    let answer: BTreeMap<String, RekorV1Json> = serde_json::from_slice(json)?;
    let count = answer.len();
    match answer.into_iter().next() {
        Some((uuid, entry)) if count == 1 => Ok((uuid, entry.read()?)),
        _ => Err(LogEntryJsonError::Count(count)),
    }
}

/// Read the entries that Rekor v1 answers to `log/entries/retrieve`, an array of what [`from_rekor_v1`] reads. Each is
/// judged by itself: an entry of a type that is not read here does not hide another.
///
/// # Errors
/// [`LogEntryJsonError`] when the array itself is malformed.
pub fn from_rekor_v1_list(json: &[u8]) -> Result<Vec<(String, Result<LogEntry>)>> {
    let answer: Bounded<BTreeMap<String, RekorV1Json>, MAX_ANSWER_ENTRIES> = serde_json::from_slice(json)?;
    Ok(answer.0.into_iter().flatten().map(|(uuid, entry)| (uuid, entry.read())).collect())
}

/// Write one entry as Rekor v1 answers.
#[must_use]
pub fn to_rekor_v1(uuid: &str, entry: &LogEntry) -> String {
    let answer = BTreeMap::from([(uuid, RekorV1Json::from(entry))]);
    serde_json::to_string(&answer).expect("strings, numbers and arrays have a JSON form")
}

/// An audit path.
type HashesJson = Bounded<String, MAX_PROOF_HASHES>;

/// proto3 JSON: lower camel case, absent or null means the default.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct TlogEntryJson {
    log_index: Option<String>,
    log_id: LogIdJson,
    kind_version: KindVersionJson,
    #[serde(skip_serializing_if = "Option::is_none")]
    integrated_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inclusion_promise: Option<PromiseJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inclusion_proof: Option<ProofJson>,
    canonicalized_body: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct LogIdJson {
    key_id: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct KindVersionJson {
    kind: String,
    version: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PromiseJson {
    signed_entry_timestamp: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ProofJson {
    log_index: Option<String>,
    root_hash: String,
    tree_size: Option<String>,
    hashes: Option<HashesJson>,
    checkpoint: Option<CheckpointJson>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct CheckpointJson {
    envelope: String,
}

impl TlogEntryJson {
    pub(super) fn read(self) -> Result<LogEntry> {
        let KindVersionJson { kind, version } = self.kind_version;
        let kind = known_kind(kind, version)?;
        let body = base64(&self.canonicalized_body, "body")?;
        let promise = self.inclusion_promise.map(|p| base64(&p.signed_entry_timestamp, "signed entry timestamp"));
        // Rekor v2 has no clock, and some writers spell that as zero.
        let integrated_time = match int64(self.integrated_time.as_deref(), "integrated time")? {
            0 => None,
            seconds => Some(timestamp(seconds)?),
        };
        LogEntry {
            log_index: int64(self.log_index.as_deref(), "log index")?,
            log_id: hash(base64(&self.log_id.key_id, "log id")?, "log id")?,
            kind,
            integrated_time,
            inclusion_promise: promise.transpose()?,
            inclusion_proof: self.inclusion_proof.map(ProofJson::read).transpose()?,
            canonicalized_body: body,
        }
        .bounded()
    }
}

impl ProofJson {
    fn read(self) -> Result<InclusionProof> {
        let hashes = self.hashes.unwrap_or_default();
        let hashes = hashes.0.iter().map(|text| hash(base64(text, "proof hash")?, "proof hash"));
        Ok(InclusionProof {
            log_index: int64(self.log_index.as_deref(), "proof index")?,
            root_hash: hash(base64(&self.root_hash, "root hash")?, "root hash")?,
            tree_size: int64(self.tree_size.as_deref(), "tree size")?,
            hashes: hashes.collect::<Result<_>>()?,
            checkpoint: self.checkpoint.ok_or(LogEntryJsonError::NoCheckpoint)?.envelope,
        })
    }
}

impl From<&LogEntry> for TlogEntryJson {
    fn from(entry: &LogEntry) -> Self {
        let proof = entry.inclusion_proof.as_ref().map(|proof| ProofJson {
            log_index: Some(proof.log_index.to_string()),
            root_hash: Base64::encode_string(&proof.root_hash),
            tree_size: Some(proof.tree_size.to_string()),
            hashes: Some(Bounded(proof.hashes.iter().map(|hash| Base64::encode_string(hash)).collect())),
            checkpoint: Some(CheckpointJson { envelope: proof.checkpoint.clone() }),
        });
        let promise = |set: &Vec<u8>| PromiseJson { signed_entry_timestamp: Base64::encode_string(set) };
        TlogEntryJson {
            log_index: Some(entry.log_index.to_string()),
            log_id: LogIdJson { key_id: Base64::encode_string(&entry.log_id) },
            kind_version: KindVersionJson {
                kind: entry.kind.kind().to_owned(),
                version: entry.kind.version().to_owned(),
            },
            integrated_time: entry.integrated_time.map(|time| time.as_second().to_string()),
            inclusion_promise: entry.inclusion_promise.as_ref().map(promise),
            inclusion_proof: proof,
            canonicalized_body: Base64::encode_string(&entry.canonicalized_body),
        }
    }
}

/// What Rekor v1 answers. It adds fields from time to time (`attestation`); they are evidence of nothing.
#[derive(Deserialize, Serialize)]
struct RekorV1Json {
    body: String,
    #[serde(rename = "integratedTime")]
    integrated_time: u64,
    #[serde(rename = "logID")]
    log_id: String,
    #[serde(rename = "logIndex")]
    log_index: u64,
    verification: Option<VerificationJson>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct VerificationJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    inclusion_proof: Option<RekorV1ProofJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_entry_timestamp: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct RekorV1ProofJson {
    checkpoint: String,
    hashes: HashesJson,
    log_index: u64,
    root_hash: String,
    tree_size: u64,
}

impl RekorV1Json {
    fn read(self) -> Result<LogEntry> {
        #[derive(Deserialize)]
        struct Head {
            #[serde(rename = "apiVersion")]
            api_version: String,
            kind: String,
        }
        let body = base64(&self.body, "body")?;
        if body.len() > MAX_BODY_LEN {
            return Err(LogEntryJsonError::TooLong("body"));
        }
        let head: Head = serde_json::from_slice(&body)?;
        let (proof, promise) = match self.verification {
            Some(verification) => (verification.inclusion_proof, verification.signed_entry_timestamp),
            None => (None, None),
        };
        LogEntry {
            log_index: self.log_index,
            log_id: hash(unhexed(&self.log_id, "log id")?, "log id")?,
            kind: known_kind(head.kind, head.api_version)?,
            integrated_time: Some(timestamp(self.integrated_time)?),
            inclusion_promise: promise.map(|set| base64(&set, "signed entry timestamp")).transpose()?,
            inclusion_proof: proof.map(RekorV1ProofJson::read).transpose()?,
            canonicalized_body: body,
        }
        .bounded()
    }
}

impl RekorV1ProofJson {
    fn read(self) -> Result<InclusionProof> {
        let hashes = self.hashes.0.iter().map(|text| hash(unhexed(text, "proof hash")?, "proof hash"));
        Ok(InclusionProof {
            log_index: self.log_index,
            root_hash: hash(unhexed(&self.root_hash, "root hash")?, "root hash")?,
            tree_size: self.tree_size,
            hashes: hashes.collect::<Result<_>>()?,
            checkpoint: self.checkpoint,
        })
    }
}

impl From<&LogEntry> for RekorV1Json {
    fn from(entry: &LogEntry) -> Self {
        let proof = entry.inclusion_proof.as_ref().map(|proof| RekorV1ProofJson {
            checkpoint: proof.checkpoint.clone(),
            hashes: Bounded(proof.hashes.iter().map(|hash| hex(hash)).collect()),
            log_index: proof.log_index,
            root_hash: hex(&proof.root_hash),
            tree_size: proof.tree_size,
        });
        RekorV1Json {
            body: Base64::encode_string(&entry.canonicalized_body),
            integrated_time: entry.integrated_time.map_or(0, |time| time.as_second().unsigned_abs()),
            log_id: hex(&entry.log_id),
            log_index: entry.log_index,
            verification: Some(VerificationJson {
                inclusion_proof: proof,
                signed_entry_timestamp: entry.inclusion_promise.as_ref().map(|set| Base64::encode_string(set)),
            }),
        }
    }
}

impl LogEntry {
    /// The bounds that both forms share.
    fn bounded(self) -> Result<Self> {
        let set = self.inclusion_promise.as_ref().map_or(0, Vec::len);
        let checkpoint = self.inclusion_proof.as_ref().map_or(0, |proof| proof.checkpoint.len());
        let in_proof = self.inclusion_proof.iter().flat_map(|proof| [proof.log_index, proof.tree_size]);
        if set > MAX_SET_LEN {
            Err(LogEntryJsonError::TooLong("signed entry timestamp"))
        } else if checkpoint > MAX_CHECKPOINT_LEN {
            Err(LogEntryJsonError::TooLong("checkpoint"))
        } else if self.canonicalized_body.len() > MAX_BODY_LEN {
            Err(LogEntryJsonError::TooLong("body"))
        } else if in_proof.chain([self.log_index]).any(|number| i64::try_from(number).is_err()) {
            Err(LogEntryJsonError::Value("index"))
        } else {
            Ok(self)
        }
    }
}

fn known_kind(kind: String, version: String) -> Result<EntryKind> {
    EntryKind::from_kind_version(&kind, &version).ok_or(LogEntryJsonError::Kind { kind, version })
}

/// An int64 that counts something: proto3 JSON writes it as a string, and leaves out zero.
fn int64(text: Option<&str>, what: &'static str) -> Result<u64> {
    let Some(text) = text else { return Ok(0) };
    match text.parse::<u64>() {
        // `parse` would also take a plus sign and leading zeros.
        Ok(number) if number.to_string() == text && i64::try_from(number).is_ok() => Ok(number),
        _ => Err(LogEntryJsonError::Value(what)),
    }
}

fn timestamp(seconds: u64) -> Result<Timestamp> {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .ok_or(LogEntryJsonError::Value("integrated time"))
}

fn base64(text: &str, what: &'static str) -> Result<Vec<u8>> {
    Base64::decode_vec(text).map_err(|_| LogEntryJsonError::Encoding(what))
}

fn unhexed(text: &str, what: &'static str) -> Result<Vec<u8>> {
    unhex(text).ok_or(LogEntryJsonError::Encoding(what))
}

fn hash(bytes: Vec<u8>, what: &'static str) -> Result<LogId> {
    bytes.try_into().map_err(|_| LogEntryJsonError::Value(what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::HashAlgorithm;
    use crate::format::log_entry::{LoggedKey, hashedrekord_v002};

    fn entry() -> LogEntry {
        let digest = HashAlgorithm::Sha256.digest(b"artifact");
        let key = LoggedKey::PublicKey(b"spki".to_vec());
        LogEntry {
            log_index: 0,
            log_id: [7; 32],
            kind: EntryKind::HashedRekordV002,
            integrated_time: Some(Timestamp::from_second(1_700_000_000).unwrap()),
            inclusion_promise: Some(b"set".to_vec()),
            inclusion_proof: Some(InclusionProof {
                log_index: 0,
                root_hash: [1; 32],
                tree_size: 1,
                hashes: vec![],
                checkpoint: "origin\n1\nroot\n\n\u{2014} origin c2ln\n".to_owned(),
            }),
            canonicalized_body: hashedrekord_v002(&digest, b"signature", &key, "PKIX_ECDSA_P256_SHA_256"),
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let v2 = LogEntry { integrated_time: None, inclusion_promise: None, ..entry() };
        for entry in [entry(), v2] {
            assert_eq!(from_protobuf_json(to_protobuf_json(&entry).as_bytes()).unwrap(), entry);
        }
        let (uuid, read) = from_rekor_v1(to_rekor_v1("24296fb2", &entry()).as_bytes()).unwrap();
        assert_eq!((&uuid[..], read), ("24296fb2", entry()));
    }

    #[test]
    fn zero_and_empty_are_written_and_may_be_missing() {
        let json = to_protobuf_json(&entry());
        assert!(json.contains(r#""inclusionProof":{"logIndex":"0","#), "{json}");
        assert!(json.contains(r#""hashes":[]"#), "{json}");
        let sparse = json.replace(r#""hashes":[],"#, "").replace(r#""logIndex":"0","#, "");
        assert_eq!(from_protobuf_json(sparse.as_bytes()).unwrap(), entry());
    }

    #[test]
    fn what_a_gateway_writes_for_nothing_is_nothing() {
        let entry = LogEntry { integrated_time: None, inclusion_promise: None, ..entry() };
        let json = to_protobuf_json(&entry);
        let json = json.replacen('{', r#"{"integratedTime":"0","inclusionPromise":null,"#, 1);
        assert_eq!(from_protobuf_json(json.as_bytes()).unwrap(), entry);
    }

    #[test]
    fn other_spellings_are_refused() {
        let json = to_protobuf_json(&entry());
        for (from, to) in [
            (r#""treeSize":"1""#, r#""treeSize":1"#),
            (r#""treeSize":"1""#, r#""treeSize":"+1""#),
            (r#""treeSize":"1""#, r#""treeSize":"01""#),
            (r#""treeSize":"1""#, r#""treeSize":"-1""#),
            (r#""treeSize":"1""#, r#""treeSize":"9223372036854775808""#),
            (r#""treeSize":"1""#, r#""treeSize":"1","treeSize":"1""#),
            (r#""treeSize":"1""#, r#""treeSize":"1","more":1"#),
            (r#""version":"0.0.2""#, r#""version":"0.0.3""#),
            (r#""keyId":"Bw"#, r#""keyId":"\nBw"#),
            (r#"Bwc=""#, r#"Bwd=""#),
            (r#"Bwc=""#, r#"Bwc""#),
        ] {
            let changed = json.replace(from, to);
            assert_ne!(changed, json, "{from}");
            assert!(from_protobuf_json(changed.as_bytes()).is_err(), "{to}");
        }
    }

    #[test]
    fn a_proof_without_a_checkpoint_proves_nothing() {
        let mut json: serde_json::Value = serde_json::from_str(&to_protobuf_json(&entry())).unwrap();
        json["inclusionProof"].as_object_mut().unwrap().remove("checkpoint");
        let read = from_protobuf_json(json.to_string().as_bytes());
        assert!(matches!(read, Err(LogEntryJsonError::NoCheckpoint)));
    }

    #[test]
    fn a_strange_entry_does_not_hide_its_neighbour() {
        let good = to_rekor_v1("a", &entry());
        let strange = Base64::encode_string(br#"{"apiVersion":"0.0.1","kind":"rpm","spec":{}}"#);
        let strange = good.replace(&Base64::encode_string(&entry().canonicalized_body), &strange);
        let read = from_rekor_v1_list(format!("[{strange},{good}]").as_bytes()).unwrap();
        assert!(matches!(read[0].1, Err(LogEntryJsonError::Kind { .. })));
        assert_eq!(*read[1].1.as_ref().unwrap(), entry());
    }
}
