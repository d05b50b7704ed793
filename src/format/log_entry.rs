//! Transparency log entries: what Rekor v1 and v2 hand out as evidence, and the canonical bodies they log.
//!
//! Follows dev.sigstore.rekor.v1.TransparencyLogEntry (protobuf-specs), the hashedrekord and dsse types of Rekor v1,
//! hashedrekord 0.0.2 of Rekor v2, and RFC 8785 for the canonical JSON. Merkle proofs are checked in
//! [`merkle`](super::merkle), checkpoints in [`checkpoint`](super::checkpoint).

use jiff::Timestamp;

/// The identity of a log: SHA-256 of its key (v1) or of its C2SP key id input (v2).
pub type LogId = [u8; 32];

/// Which type of entry it is; every other kind or version is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// Rekor v1 hashedrekord 0.0.1.
    HashedRekordV001,
    /// Rekor v2 hashedrekord 0.0.2.
    HashedRekordV002,
    /// Rekor v1 dsse 0.0.1.
    DsseV001,
    /// Rekor v2 dsse 0.0.2.
    DsseV002,
    /// Rekor v1 intoto 0.0.2, no longer written.
    IntotoV002,
}

/// A log entry as it travels with a signature: evidence, not yet believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// The index over all shards of the log.
    pub log_index: u64,
    /// Which log.
    pub log_id: LogId,
    /// What the entry says it is.
    pub kind: EntryKind,
    /// When Rekor v1 says it integrated the entry; `None` for Rekor v2, which has no clock.
    pub integrated_time: Option<Timestamp>,
    /// The signed entry timestamp (SET) of Rekor v1.
    pub inclusion_promise: Option<Vec<u8>>,
    /// The Merkle proof with its checkpoint.
    pub inclusion_proof: Option<InclusionProof>,
    /// The canonical JSON that was logged; its leaf hash is SHA-256(0x00 || body).
    pub canonicalized_body: Vec<u8>,
}

/// A proof that a leaf is in the tree of a checkpoint (RFC 6962 section 2.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof {
    /// The index in this shard's tree, not the global one.
    pub log_index: u64,
    /// The root that the log claims; the checkpoint decides.
    pub root_hash: [u8; 32],
    /// The size that the log claims; the checkpoint decides.
    pub tree_size: u64,
    /// The audit path, leaf to root.
    pub hashes: Vec<[u8; 32]>,
    /// The signed note of the tree head, as text.
    pub checkpoint: String,
}
