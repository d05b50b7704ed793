//! The second kind of transparency log: Rekor v2's tiles, with nothing but entries, proofs and checkpoints (C2SP
//! tlog-tiles, rekor-tiles).
//!
//! No clock, no promise, no search: an answer is a TransparencyLogEntry as it goes into a bundle, and everything else
//! is a file that never changes once it is full.

use std::sync::{Arc, Mutex};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::entry_request::{self, Accepted};
use super::faults::{Fault, Faults};
use super::folder::Folder;
use super::log::{Appended, Log};
use super::operator::{Operator, Seat};
use super::rekor_v1::{RekorError, other_history};
use super::reply::{Body, Refusal, lock};
use crate::crypto::{KeyKind, Keypair, PublicKey, ServiceKey};
use crate::format::checkpoint;
use crate::format::log_entry::{InclusionProof, LogEntry, LogId};
use crate::format::log_entry_json::to_protobuf_json;

/// Hashes, or entries, in a full tile.
const TILE_WIDTH: u64 = 256;
/// Levels of the tree below one level of tiles.
const TILE_HEIGHT: u32 = 8;
/// A tree of 2^63 leaves has no more levels of tiles.
const MAX_TILE_LEVEL: u32 = 7;

/// The log.
pub(super) struct RekorV2 {
    seat: Seat,
    key: ServiceKey,
    log_id: LogId,
    host: String,
    log: Mutex<Log>,
}

impl RekorV2 {
    pub(super) fn open(folder: &Folder, seat: Seat, host: &str) -> Result<Self, RekorError> {
        let key = folder.key(&seat.file("rekor-v2"), KeyKind::Ed25519)?;
        let log_id = checkpoint::log_id(host, key.public_key());
        let log = Mutex::new(Log::open(&folder.at(&seat.file("rekor-v2.journal")))?);
        Ok(RekorV2 { seat, key, log_id, host: host.to_owned(), log })
    }

    /// The key of checkpoints.
    pub(super) fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    /// The whole key id.
    pub(super) fn log_id(&self) -> &LogId {
        &self.log_id
    }

    fn checkpoint(&self, log: &Log, index: Option<u64>, faults: &Faults) -> Result<String, Refusal> {
        let tree = log.tree();
        let rogue = faults
            .strikes(self.seat.rekor(), Fault::WrongKey)
            .then(|| ServiceKey::generate(KeyKind::Ed25519))
            .transpose()
            .map_err(Refusal::internal)?;
        let key: &dyn Keypair = rogue.as_ref().unwrap_or(&self.key);
        let mut size = tree.size();
        if faults.strikes(self.seat.rekor(), Fault::StaleCheckpoint) {
            size = index.unwrap_or(size.saturating_sub(1));
        }
        let root = if faults.strikes(self.seat.rekor(), Fault::SplitView) {
            other_history(tree, size)
        } else {
            tree.root(size).map_err(Refusal::internal)?
        };
        Ok(checkpoint::sign(&self.host, size, &root, &self.host, key))
    }

    fn append(&self, accepted: Accepted, faults: &Faults) -> Result<Response, Refusal> {
        let mut log = lock(&self.log);
        let body = accepted.body.clone();
        let index = match log.append(accepted.body, Timestamp::now()).map_err(Refusal::internal)? {
            Appended::New(index) => index,
            Appended::Known(index) => {
                let message = format!("an equivalent entry already exists in the transparency log with index {index}");
                let found = [(HeaderName::from_static("index"), index.to_string())];
                // 6 is gRPC's AlreadyExists.
                return Ok(
                    (StatusCode::CONFLICT, found, Json(json!({ "code": 6, "message": message }))).into_response()
                );
            }
        };
        let tree = log.tree();
        let size = tree.size();
        let entry = LogEntry {
            log_index: index,
            log_id: self.log_id,
            kind: accepted.kind,
            integrated_time: None,
            inclusion_promise: None,
            inclusion_proof: Some(InclusionProof {
                log_index: index,
                root_hash: tree.root(size).map_err(Refusal::internal)?,
                tree_size: size,
                hashes: tree.inclusion_proof(index, size).map_err(Refusal::internal)?,
                checkpoint: self.checkpoint(&log, Some(index), faults)?,
            }),
            canonicalized_body: body,
        };
        let kind = [(header::CONTENT_TYPE, "application/json")];
        Ok((StatusCode::CREATED, kind, to_protobuf_json(&entry)).into_response())
    }
}

pub(super) fn routes() -> axum::Router<Arc<Operator>> {
    axum::Router::new()
        .route("/api/v2/log/entries", post(upload))
        .route("/api/v2/checkpoint", get(current_checkpoint))
        .route("/api/v2/tile/{*path}", get(tile))
}

async fn upload(State(operator): State<Arc<Operator>>, Body(request): Body<Value>) -> Result<Response, Refusal> {
    let accepted = entry_request::v2(&request).map_err(Refusal::bad_request)?;
    operator.rekor_v2.append(accepted, &operator.faults)
}

async fn current_checkpoint(State(operator): State<Arc<Operator>>) -> Result<Response, Refusal> {
    let rekor = &operator.rekor_v2;
    let text = rekor.checkpoint(&lock(&rekor.log), None, &operator.faults)?;
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, text).into_response())
}

async fn tile(State(operator): State<Arc<Operator>>, Path(path): Path<String>) -> Result<Response, Refusal> {
    let absent = || Refusal::not_found("no such tile");
    let wanted = TilePath::parse(&path).ok_or_else(absent)?;
    let log = lock(&operator.rekor_v2.log);
    let content = wanted.read(&log).ok_or_else(absent)?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], content).into_response())
}

/// Which tile: of hashes at a level, or of entries (C2SP tlog-tiles, "Merkle Tree" and "Log entries").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TilePath {
    /// `None`: entries.
    level: Option<u32>,
    number: u64,
    /// Fewer than [`TILE_WIDTH`] at the ragged edge.
    width: u64,
}

impl TilePath {
    /// `L/N[.p/W]` or `entries/N[.p/W]`, N in groups of three digits, all but the last behind an `x`.
    fn parse(path: &str) -> Option<Self> {
        let (level, rest) = path.split_once('/')?;
        let level = match level {
            "entries" => None,
            level => Some(number(level).filter(|level| *level <= u64::from(MAX_TILE_LEVEL))? as u32),
        };
        let (groups, width) = match rest.split_once(".p/") {
            Some((groups, width)) => (groups, number(width).filter(|width| (1..TILE_WIDTH).contains(width))?),
            None => (rest, TILE_WIDTH),
        };
        let mut tile: u64 = 0;
        let mut groups = groups.split('/').peekable();
        let mut first = true;
        while let Some(group) = groups.next() {
            let last = groups.peek().is_none();
            let digits = if last { group } else { group.strip_prefix('x')? };
            if digits.len() != 3 || !digits.bytes().all(|c| c.is_ascii_digit()) || (first && !last && digits == "000") {
                return None;
            }
            tile = tile.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
            first = false;
        }
        Some(TilePath { level, number: tile, width })
    }

    fn read(self, log: &Log) -> Option<Vec<u8>> {
        let start = usize::try_from(self.number.checked_mul(TILE_WIDTH)?).ok()?;
        let range = start..start.checked_add(self.width as usize)?;
        match self.level {
            Some(level) => Some(log.tree().level((level * TILE_HEIGHT) as usize).get(range)?.concat()),
            None => {
                let mut bundle = Vec::new();
                for entry in log.entries().get(range)? {
                    bundle.extend_from_slice(&(entry.body.len() as u16).to_be_bytes());
                    bundle.extend_from_slice(&entry.body);
                }
                Some(bundle)
            }
        }
    }
}

/// Decimal in its one spelling.
fn number(text: &str) -> Option<u64> {
    let canonical = text.bytes().all(|c| c.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_have_one_path() {
        let path = |level, number, width| Some(TilePath { level, number, width });
        assert_eq!(TilePath::parse("0/000"), path(Some(0), 0, 256));
        assert_eq!(TilePath::parse("1/067.p/8"), path(Some(1), 67, 8));
        assert_eq!(TilePath::parse("entries/x001/x234/067"), path(None, 1_234_067, 256));
        for bad in ["0", "0/0", "0/x000/001", "0/x001", "00/000", "8/000", "0/000.p/256", "0/000.p/0", "a/000", "0/00a"]
        {
            assert_eq!(TilePath::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn tiles_hold_hashes_and_entries() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Log::open(&dir.path().join("log")).unwrap();
        for n in 0..300_u32 {
            log.append(n.to_string().into_bytes(), Timestamp::UNIX_EPOCH).unwrap();
        }
        let read = |path: &str| TilePath::parse(path).unwrap().read(&log);
        assert_eq!(read("0/000").unwrap().len(), 256 * 32);
        assert_eq!(read("0/001.p/44").unwrap().len(), 44 * 32);
        assert_eq!(read("0/001"), None);
        assert_eq!(read("1/000.p/1").unwrap(), log.tree().root(256).unwrap());
        assert!(read("entries/001.p/44").unwrap().starts_with(b"\x00\x03256\x00\x03257"));
    }
}
