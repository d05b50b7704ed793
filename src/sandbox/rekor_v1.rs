//! The first kind of transparency log: Rekor v1's REST interface, with promises (SETs), proofs and an index.
//!
//! An entry is checked before it is logged, as the real log does: the signature over the digest by the key or
//! certificate beside it. What is logged is the canonical body, not the request. The log pretends to have an older,
//! closed shard of [`FIRST_INDEX`] entries, so that an entry's global index differs from its index in the tree: a
//! client that mixes them up fails here and not in production.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64ct::{Base64, Encoding as _};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::entry_request::{self, Accepted};
use super::faults::{Fault, Faults};
use super::folder::{Folder, FolderError};
use super::log::{Appended, Log, LogError};
use super::operator::{Operator, Seat};
use super::reply::{Body, Parameters, Refusal, lock};
use crate::crypto::digest::{hex, unhex};
use crate::crypto::{EphemeralKey, KeyKind, Keypair, PublicKey, ServiceKey, sha256};
use crate::format::checkpoint;
use crate::format::log_entry::{InclusionProof, LogEntry, LogId, set_payload};
use crate::format::log_entry_json::to_rekor_v1;
use crate::format::merkle::{self, Hash, MerkleError, Tree};
use crate::format::pem;
use crate::format::x509::{Certificate, San};

/// How many entries the pretended older shard has.
pub const FIRST_INDEX: u64 = 4096;
/// As many as the real log hands out in one answer.
const MAX_RETRIEVED: usize = 10;

/// Why the log cannot start.
#[derive(Debug, thiserror::Error)]
pub enum RekorError {
    /// The folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The log itself.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// The log and what is served of it.
pub(super) struct RekorV1 {
    seat: Seat,
    key: ServiceKey,
    log_id: LogId,
    host: String,
    tree_id: u64,
    state: Mutex<Searchable>,
}

/// The log with its index.
struct Searchable {
    log: Log,
    index: HashMap<String, Vec<u64>>,
}

impl RekorV1 {
    pub(super) fn open(folder: &Folder, seat: Seat, host: &str) -> Result<Self, RekorError> {
        let key = folder.key(&seat.file("rekor-v1"), KeyKind::EcdsaP256)?;
        let log_id = key.public_key().spki_sha256();
        // Any positive number that stays the same; the real log's is a Trillian tree id.
        let tree_id = log_id.iter().take(8).fold(0, |id, byte| id << 8 | u64::from(*byte)) >> 1 | 1 << 60;
        let log = Log::open(&folder.at(&seat.file("rekor-v1.journal")))?;
        let mut state = Searchable { log, index: HashMap::new() };
        for index in 0..state.log.tree().size() {
            state.remember(index);
        }
        Ok(RekorV1 { seat, key, log_id, host: host.to_owned(), tree_id, state: Mutex::new(state) })
    }

    /// The key of promises and checkpoints.
    pub(super) fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    fn origin(&self) -> String {
        format!("{} - {}", self.host, self.tree_id)
    }

    fn uuid(&self, leaf: &Hash) -> String {
        format!("{:016x}{}", self.tree_id, hex(leaf))
    }

    fn checkpoint(&self, tree: &Tree, size: u64, key: &dyn Keypair) -> Result<String, MerkleError> {
        Ok(checkpoint::sign(&self.origin(), size, &tree.root(size)?, &self.host, key))
    }

    /// The entry as evidence, with proof and promise of this moment.
    fn entry(&self, log: &Log, index: u64, faults: &Faults) -> Result<(String, LogEntry), Refusal> {
        let logged = log.get(index).ok_or_else(|| Refusal::not_found("no such entry"))?;
        let kind = entry_request::kind_of(&logged.body).ok_or_else(|| Refusal::internal("unknown kind of entry"))?;
        let tree = log.tree();
        let (size, log_index) = (tree.size(), FIRST_INDEX + index);
        let rogue = faults.strikes(self.seat.rekor(), Fault::WrongKey).then(EphemeralKey::generate);
        let key: &dyn Keypair = rogue.as_ref().map_or(&self.key as &dyn Keypair, |key| key);
        let checkpoint = if faults.strikes(self.seat.rekor(), Fault::StaleCheckpoint) {
            self.checkpoint(tree, index, key)
        } else if faults.strikes(self.seat.rekor(), Fault::SplitView) {
            Ok(checkpoint::sign(&self.origin(), size, &other_history(tree, size), &self.host, key))
        } else {
            self.checkpoint(tree, size, key)
        };
        let proof = InclusionProof {
            log_index: index,
            root_hash: tree.root(size).map_err(Refusal::internal)?,
            tree_size: size,
            hashes: tree.inclusion_proof(index, size).map_err(Refusal::internal)?,
            checkpoint: checkpoint.map_err(Refusal::internal)?,
        };
        let set = key.sign(&set_payload(&logged.body, logged.time, &self.log_id, log_index));
        let entry = LogEntry {
            log_index,
            log_id: self.log_id,
            kind,
            integrated_time: Some(logged.time),
            inclusion_promise: Some(set),
            inclusion_proof: Some(proof),
            canonicalized_body: logged.body.clone(),
        };
        Ok((self.uuid(&merkle::leaf_hash(&logged.body)), entry))
    }

    fn append(&self, accepted: Accepted, faults: &Faults) -> Result<Response, Refusal> {
        let mut state = lock(&self.state);
        let leaf = merkle::leaf_hash(&accepted.body);
        let location = [(header::LOCATION, format!("/api/v1/log/entries/{}", self.uuid(&leaf)))];
        match state.log.append(accepted.body, Timestamp::now()).map_err(Refusal::internal)? {
            Appended::Known(_) => {
                let message = format!(
                    "an equivalent entry already exists in the transparency log with UUID {}",
                    self.uuid(&leaf)
                );
                let body = Json(json!({ "code": 409, "message": message }));
                Ok((StatusCode::CONFLICT, location, body).into_response())
            }
            Appended::New(index) => {
                state.remember(index);
                let (uuid, entry) = self.entry(&state.log, index, faults)?;
                let headers = [(header::ETAG, uuid.clone()), (header::CONTENT_TYPE, "application/json".to_owned())];
                Ok((StatusCode::CREATED, location, headers, to_rekor_v1(&uuid, &entry)).into_response())
            }
        }
    }

    /// By leaf hash, alone or behind the tree id.
    fn find(&self, log: &Log, uuid: &str) -> Result<u64, Refusal> {
        let leaf = uuid.len().checked_sub(64).and_then(|start| unhex(uuid.get(start..)?));
        let leaf: Hash = leaf
            .and_then(|leaf| leaf.try_into().ok())
            .filter(|_| matches!(uuid.len(), 64 | 80))
            .ok_or_else(|| Refusal::bad_request("an entry's UUID has 64 or 80 hexadecimal digits"))?;
        log.index_of(&leaf).ok_or_else(|| Refusal::not_found("no such entry"))
    }
}

/// A root of as many leaves as `tree` has, of which the first is another one.
pub(super) fn other_history(tree: &Tree, size: u64) -> Hash {
    let mut other = Tree::new();
    other.push(merkle::leaf_hash(b"another history"));
    for index in 1..size {
        other.push(tree.leaf(index).copied().unwrap_or_default());
    }
    other.root(size).unwrap_or_default()
}

impl Searchable {
    fn remember(&mut self, index: u64) {
        let Some(logged) = self.log.get(index) else { return };
        for key in search_keys(&logged.body) {
            self.index.entry(key).or_default().push(index);
        }
    }
}

/// Under what an entry is found: digests, the key or certificate, and the names in the certificate.
fn search_keys(body: &[u8]) -> BTreeSet<String> {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return BTreeSet::new() };
    let spec = &body["spec"];
    let hashes = [&spec["data"]["hash"], &spec["payloadHash"], &spec["envelopeHash"]];
    let mut keys: BTreeSet<String> = hashes
        .iter()
        .filter_map(|hash| Some(format!("{}:{}", hash["algorithm"].as_str()?, hash["value"].as_str()?)))
        .collect();
    let verifiers = [&spec["signature"]["publicKey"]["content"], &spec["signatures"][0]["verifier"]];
    for verifier in verifiers.iter().filter_map(|verifier| verifier.as_str()) {
        let Some(text) = Base64::decode_vec(verifier).ok().and_then(|pem| String::from_utf8(pem).ok()) else {
            continue;
        };
        keys.insert(key_of_pem(&text));
        let Ok(chain) = Certificate::from_pem_chain(&text) else { continue };
        for certificate in chain {
            keys.insert(key_of_pem(&pem::encode("PUBLIC KEY", certificate.spki_der())));
            keys.extend(certificate.names().iter().filter_map(|name| match name {
                San::Email(email) => Some(format!("name:{}", email.to_lowercase())),
                San::Uri(uri) => Some(format!("name:{uri}")),
                _ => None,
            }));
        }
    }
    keys
}

fn key_of_pem(text: &str) -> String {
    format!("key:{}", hex(&sha256(text.as_bytes())))
}

pub(super) fn routes() -> axum::Router<Arc<Operator>> {
    axum::Router::new()
        .route("/api/v1/log", get(log_info))
        .route("/api/v1/log/publicKey", get(public_key))
        .route("/api/v1/log/proof", get(proof))
        .route("/api/v1/log/entries", post(upload).get(by_index))
        .route("/api/v1/log/entries/retrieve", post(retrieve))
        .route("/api/v1/log/entries/{uuid}", get(by_uuid))
        .route("/api/v1/index/retrieve", post(search))
}

async fn upload(State(operator): State<Arc<Operator>>, Body(request): Body<Value>) -> Result<Response, Refusal> {
    let accepted = entry_request::v1(&request).map_err(Refusal::bad_request)?;
    operator.rekor_v1.append(accepted, &operator.faults)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ByIndex {
    log_index: u64,
}

async fn by_index(
    State(operator): State<Arc<Operator>>,
    Parameters(request): Parameters<ByIndex>,
) -> Result<Response, Refusal> {
    let rekor = &operator.rekor_v1;
    let state = lock(&rekor.state);
    let index = request.log_index.checked_sub(FIRST_INDEX).ok_or_else(|| Refusal::not_found("no such entry"))?;
    let (uuid, entry) = rekor.entry(&state.log, index, &operator.faults)?;
    Ok(one(&uuid, &entry))
}

async fn by_uuid(State(operator): State<Arc<Operator>>, Path(uuid): Path<String>) -> Result<Response, Refusal> {
    let rekor = &operator.rekor_v1;
    let state = lock(&rekor.state);
    let index = rekor.find(&state.log, &uuid)?;
    let (uuid, entry) = rekor.entry(&state.log, index, &operator.faults)?;
    Ok(one(&uuid, &entry))
}

fn one(uuid: &str, entry: &LogEntry) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], to_rekor_v1(uuid, entry)).into_response()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Retrieve {
    // Absent, or null as Go writes an empty list.
    #[serde(rename = "entryUUIDs")]
    entry_uuids: Option<Vec<String>>,
    log_indexes: Option<Vec<u64>>,
    entries: Option<Vec<Value>>,
}

async fn retrieve(State(operator): State<Arc<Operator>>, Body(request): Body<Retrieve>) -> Result<Response, Refusal> {
    let uuids = request.entry_uuids.unwrap_or_default();
    let log_indexes = request.log_indexes.unwrap_or_default();
    let entries = request.entries.unwrap_or_default();
    let wanted = uuids.len() + log_indexes.len() + entries.len();
    if wanted == 0 || wanted > MAX_RETRIEVED {
        return Err(Refusal::bad_request(format!("ask for 1 to {MAX_RETRIEVED} entries")));
    }
    let rekor = &operator.rekor_v1;
    let state = lock(&rekor.state);
    let mut indices = BTreeSet::new();
    for uuid in &uuids {
        // What is not there is left out of the answer, as by the real log.
        indices.extend(rekor.find(&state.log, uuid).ok());
    }
    indices.extend(log_indexes.iter().filter_map(|index| index.checked_sub(FIRST_INDEX)));
    for proposed in &entries {
        let accepted = entry_request::v1(proposed).map_err(Refusal::bad_request)?;
        indices.extend(state.log.index_of(&merkle::leaf_hash(&accepted.body)));
    }
    let mut found = Vec::new();
    for index in indices {
        if state.log.get(index).is_some() {
            let (uuid, entry) = rekor.entry(&state.log, index, &operator.faults)?;
            found.push(to_rekor_v1(&uuid, &entry));
        }
    }
    Ok(([(header::CONTENT_TYPE, "application/json")], format!("[{}]", found.join(","))).into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Search {
    email: Option<String>,
    hash: Option<String>,
    public_key: Option<SearchedKey>,
    subject: Option<String>,
    operator: Option<String>,
}

#[derive(Deserialize)]
struct SearchedKey {
    content: Option<String>,
}

async fn search(
    State(operator): State<Arc<Operator>>,
    Body(request): Body<Search>,
) -> Result<Json<Vec<String>>, Refusal> {
    let mut keys = Vec::new();
    keys.extend(request.email.map(|email| format!("name:{}", email.to_lowercase())));
    keys.extend(request.subject.map(|subject| format!("name:{subject}")));
    // A digest without a name is SHA-256.
    keys.extend(request.hash.map(|hash| if hash.contains(':') { hash } else { format!("sha256:{hash}") }));
    if let Some(content) = request.public_key.and_then(|key| key.content) {
        let bad = || Refusal::bad_request("the public key is not base64 of PEM");
        let text = Base64::decode_vec(&content).ok().and_then(|pem| String::from_utf8(pem).ok()).ok_or_else(bad)?;
        keys.push(key_of_pem(&entry_request::canonical_pem(&text).map_err(Refusal::bad_request)?));
    }
    if keys.is_empty() {
        return Err(Refusal::bad_request("nothing to search for"));
    }
    let rekor = &operator.rekor_v1;
    let state = lock(&rekor.state);
    let sets =
        keys.iter().map(|key| -> BTreeSet<u64> { state.index.get(key).into_iter().flatten().copied().collect() });
    let both = request.operator.as_deref() == Some("and");
    let found = sets.reduce(|a, b| if both { &a & &b } else { &a | &b }).unwrap_or_default();
    let leaves = found.iter().filter_map(|index| state.log.tree().leaf(*index));
    Ok(Json(leaves.map(|leaf| rekor.uuid(leaf)).collect()))
}

async fn log_info(State(operator): State<Arc<Operator>>) -> Result<Json<Value>, Refusal> {
    let rekor = &operator.rekor_v1;
    let state = lock(&rekor.state);
    let tree = state.log.tree();
    let size = tree.size();
    let head = rekor.checkpoint(tree, size, &rekor.key).map_err(Refusal::internal)?;
    Ok(Json(json!({
        "inactiveShards": [], "rootHash": hex(&tree.root(size).map_err(Refusal::internal)?), "signedTreeHead": head,
        "treeID": rekor.tree_id.to_string(), "treeSize": size,
    })))
}

async fn public_key(State(operator): State<Arc<Operator>>) -> Response {
    let text = pem::encode("PUBLIC KEY", operator.rekor_v1.public_key().spki_der());
    ([(header::CONTENT_TYPE, "application/x-pem-file")], text).into_response()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Proof {
    #[serde(default = "one_leaf")]
    first_size: u64,
    last_size: u64,
}

fn one_leaf() -> u64 {
    1
}

async fn proof(
    State(operator): State<Arc<Operator>>,
    Parameters(request): Parameters<Proof>,
) -> Result<Json<Value>, Refusal> {
    let rekor = &operator.rekor_v1;
    let state = lock(&rekor.state);
    let tree = state.log.tree();
    let hashes = tree.consistency_proof(request.first_size, request.last_size).map_err(Refusal::bad_request)?;
    let root = tree.root(request.last_size).map_err(Refusal::bad_request)?;
    Ok(Json(json!({ "hashes": hashes.iter().map(|hash| hex(hash)).collect::<Vec<_>>(), "rootHash": hex(&root) })))
}
