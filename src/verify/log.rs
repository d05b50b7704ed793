//! Step 2: that a trusted log holds the entry, and that the entry is about this signature.
//!
//! Stops: an entry of an unknown log or a retired key; an entry that is not in the log; a valid entry about something
//! else (CVE-2022-36056, CVE-2026-22703); one entry counted twice (CVE-2026-49834). A time comes out of this step only
//! when the log signed it.

use jiff::Timestamp;

use super::reason::{Reason, Refusal};
use super::timestamp::Stamp;
use crate::entity::{SignatureContent, SignedEntity, SignerKey};
use crate::format::checkpoint::{Checkpoint, CheckpointError};
use crate::format::log_entry::{self, EntryKind, LogEntry, LogId, LoggedKey};
use crate::format::logged_body::LoggedBody;
use crate::format::merkle;
use crate::trust::{LogKey, TrustedRoot};

/// No signature needs more entries; sigstore-go has the same limit.
pub const MAX_LOG_ENTRIES: usize = 32;

/// Where a signature is logged, proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedAt {
    /// The log's URL, from the trusted root.
    pub log_url: String,
    /// Who runs the log; see [`LogKey::operator`].
    pub operator: String,
    /// The log's id.
    pub log_id: LogId,
    /// The index over all shards.
    pub log_index: u64,
    /// When the log integrated the entry, if it signed that.
    pub integrated_time: Option<Timestamp>,
}

/// Check every entry; each must hold.
pub(super) fn check(root: &TrustedRoot, entity: &SignedEntity) -> Result<Vec<LoggedAt>, Refusal> {
    let entries = &entity.material.log_entries;
    if entries.len() > MAX_LOG_ENTRIES {
        return Err(Refusal::new(Reason::LogEntryMalformed, format!("{} log entries are too many", entries.len())));
    }
    for (at, entry) in entries.iter().enumerate() {
        if entries[..at].iter().any(|other| (other.log_id, other.log_index) == (entry.log_id, entry.log_index)) {
            return Err(Refusal::new(Reason::LogEntryDuplicate, "the same log entry is given twice"));
        }
    }
    entries.iter().map(|entry| check_entry(root, entity, entry)).collect()
}

fn check_entry(root: &TrustedRoot, entity: &SignedEntity, entry: &LogEntry) -> Result<LoggedAt, Refusal> {
    // 2.1 The log, by its id.
    let log = root.log(&entry.log_id).ok_or_else(|| {
        Refusal::new(Reason::LogNotTrusted, "the log entry is of a log that the trusted root does not list")
    })?;
    // 2.2 The time that the entry claims lies within the use of the log's key.
    if let Some(time) = entry.integrated_time
        && !log.valid_for.contains(time)
    {
        let detail = format!("the key of {} was not in use at {time}", log.base_url);
        return Err(Refusal::new(Reason::LogKeyNotValidThen, detail));
    }
    // 2.3 The promise, which alone makes the time believable.
    let integrated_time = match &entry.inclusion_promise {
        Some(promise) => Some(check_promise(log, entry, promise)?),
        None => None,
    };
    // 2.4 The proof. Rekor v2 gives nothing else.
    match &entry.inclusion_proof {
        Some(_) => check_proof(log, entry)?,
        None if entry.kind.is_rekor_v2() || integrated_time.is_none() => {
            return Err(Refusal::new(Reason::InclusionProofMissing, "the log entry has no inclusion proof"));
        }
        None => {}
    }
    // 2.5 The entry is about this signature, this key and this artifact.
    check_binding(entity, entry)?;
    Ok(LoggedAt {
        log_url: log.base_url.clone(),
        operator: log.operator.clone(),
        log_id: entry.log_id,
        log_index: entry.log_index,
        integrated_time,
    })
}

/// 2.2 again, for an entry without a clock of its own: the log's key was in use at every time that a stamp proves
/// (CVE-2026-54787).
pub(super) fn check_key_window(root: &TrustedRoot, logged: &[LoggedAt], stamps: &[Stamp]) -> Result<(), Refusal> {
    for entry in logged.iter().filter(|entry| entry.integrated_time.is_none()) {
        for stamp in stamps {
            if !root.log(&entry.log_id).is_some_and(|log| log.valid_for.contains(stamp.time)) {
                let detail = format!("the key of {} was not in use at {}", entry.log_url, stamp.time);
                return Err(Refusal::new(Reason::LogKeyNotValidThen, detail));
            }
        }
    }
    Ok(())
}

fn check_promise(log: &LogKey, entry: &LogEntry, promise: &[u8]) -> Result<Timestamp, Refusal> {
    let invalid = |detail| Refusal::new(Reason::InclusionPromiseInvalid, detail);
    let time = entry.integrated_time.ok_or_else(|| invalid("the log entry has a promise but no time"))?;
    let payload = log_entry::set_payload(&entry.canonicalized_body, time, &entry.log_id, entry.log_index);
    let scheme = crate::format::checkpoint::note_scheme(&log.key);
    log.key.verify(scheme, &payload, promise).map_err(|_| invalid("the log did not sign this entry's timestamp"))?;
    Ok(time)
}

fn check_proof(log: &LogKey, entry: &LogEntry) -> Result<(), Refusal> {
    let Some(proof) = &entry.inclusion_proof else { return Ok(()) };
    let checkpoint = Checkpoint::parse(&proof.checkpoint)
        .map_err(|error| Refusal::new(Reason::CheckpointMalformed, error.to_string()))?;
    let verify = |name: &str| checkpoint.verify(name, log.checkpoint_key_id, &log.key);
    let verified = match verify(&log.name) {
        Err(CheckpointError::NotSigned) => verify(&log.name_with_port),
        verified => verified,
    };
    verified.map_err(|error| match error {
        CheckpointError::NotSigned => {
            Refusal::new(Reason::CheckpointInvalid, format!("the checkpoint is not signed by {}", log.name))
        }
        other => Refusal::new(Reason::CheckpointInvalid, other.to_string()),
    })?;
    // The checkpoint decides; what the proof says of its tree must agree, or it is about another tree.
    if *checkpoint.root() != proof.root_hash || checkpoint.size() != proof.tree_size {
        return Err(Refusal::new(Reason::CheckpointMismatch, "the inclusion proof is for another tree"));
    }
    let leaf = merkle::leaf_hash(&entry.canonicalized_body);
    merkle::verify_inclusion(proof.log_index, checkpoint.size(), &leaf, &proof.hashes, checkpoint.root())
        .map_err(|error| Refusal::new(Reason::InclusionProofInvalid, error.to_string()))?;
    // Rekor v2 has one tree a log, and one index an entry.
    if entry.kind.is_rekor_v2() && proof.log_index != entry.log_index {
        return Err(Refusal::new(Reason::InclusionProofInvalid, "the log entry has two different indices"));
    }
    Ok(())
}

fn check_binding(entity: &SignedEntity, entry: &LogEntry) -> Result<(), Refusal> {
    let mismatch = |detail| Refusal::new(Reason::LogEntryMismatch, detail);
    let body = LoggedBody::parse(entry.kind, &entry.canonicalized_body)
        .map_err(|error| Refusal::new(Reason::LogEntryMalformed, error.to_string()))?;
    // Byte for byte: another valid signature by the same key is another signature.
    if body.signature != entity.signature.bytes() {
        return Err(mismatch("the log entry is about another signature"));
    }
    let same_key = match (&body.key, &entity.material.signer) {
        (LoggedKey::Certificate(logged), SignerKey::Certificate(certificate)) => logged == certificate.der(),
        (LoggedKey::PublicKey(logged), SignerKey::PublicKey(key)) => logged == key.spki_der(),
        _ => false,
    };
    if !same_key {
        return Err(mismatch("the log entry is about another key"));
    }
    let is_dsse_kind = matches!(entry.kind, EntryKind::DsseV001 | EntryKind::DsseV002 | EntryKind::IntotoV002);
    let digest = match &entity.signature {
        SignatureContent::Message(_) if is_dsse_kind => None,
        SignatureContent::Message(_) => entity.artifact.digest(body.digest.algorithm()),
        SignatureContent::Dsse(envelope) if is_dsse_kind => Some(body.digest.algorithm().digest(&envelope.payload)),
        SignatureContent::Dsse(envelope) => Some(body.digest.algorithm().digest(&envelope.pae())),
    };
    if digest.as_ref() != Some(&body.digest) {
        return Err(mismatch("the log entry is about another artifact"));
    }
    Ok(())
}
