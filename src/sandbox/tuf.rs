//! The TUF repository: serves the trusted root, the signing config and the single keys, signed (TUF specification 1.0,
//! consistent snapshots, Sigstore's target names).
//!
//! One root for the life of the folder; targets, snapshot and timestamp get a new version when a document changes, as
//! it does when the sandbox listens on another port. What has been published under a version stays as it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::folder::{Folder, FolderError};
use super::fulcio::AUTHORITY_LIFETIME;
use super::reply::Refusal;
use super::server::Services;
use crate::crypto::digest::hex;
use crate::crypto::{HashAlgorithm, KeyKind, Keypair as _, PublicKey, ServiceKey, sha256};
use crate::format::pem;
use crate::format::tuf::json::Json;

const SPEC_VERSION: &str = "1.0";
const ROLES: [&str; 4] = ["root", "targets", "snapshot", "timestamp"];

/// A file that the repository vouches for.
pub(super) struct Target {
    /// Its name.
    pub(super) name: &'static str,
    /// Its content.
    pub(super) content: Vec<u8>,
    /// What older clients look for instead of names: `Fulcio`, `Rekor`, `CTFE`, `TSA`.
    pub(super) usage: Option<&'static str>,
}

/// Contents by path.
type Files = BTreeMap<String, Vec<u8>>;

/// The repository.
pub(super) struct TufRepository {
    files: Files,
}

impl TufRepository {
    /// Publish `targets`; `start` is when the folder was made.
    pub(super) fn open(folder: &Folder, targets: Vec<Target>, start: Timestamp) -> Result<Self, FolderError> {
        let keys: Vec<ServiceKey> = ROLES
            .iter()
            .map(|role| folder.key(&format!("tuf-{role}"), KeyKind::EcdsaP256))
            .collect::<Result<_, _>>()?;
        let publisher = Publisher { folder, keys, expires: (start + AUTHORITY_LIFETIME).to_string() };
        publisher.publish(targets)
    }

    /// The first root, which clients are given by hand.
    pub(super) fn root(&self) -> &[u8] {
        self.files.get("1.root.json").map_or(&[], Vec::as_slice)
    }
}

struct Publisher<'a> {
    folder: &'a Folder,
    /// In the order of [`ROLES`].
    keys: Vec<ServiceKey>,
    expires: String,
}

impl Publisher<'_> {
    fn publish(&self, targets: Vec<Target>) -> Result<TufRepository, FolderError> {
        let mut files = BTreeMap::new();
        let root = match self.folder.read("tuf/1.root.json")? {
            Some(root) => root,
            None => self.root(),
        };
        files.insert("1.root.json".to_owned(), root);

        let listed = list(&targets);
        let (version, published) = self.current(&listed)?;
        files.extend(match published {
            Some(files) => files,
            None => self.metadata(version, &listed),
        });
        // Metadata last to first, timestamp at the end: a crash in between leaves the older version in force.
        for (name, content) in &files {
            if name != "timestamp.json" {
                self.folder.write(&format!("tuf/{name}"), content)?;
            }
        }
        self.folder.write("tuf/timestamp.json", &files["timestamp.json"])?;

        for target in targets {
            let (sha256, sha512) = hashes(&target.content);
            files.insert(format!("targets/{sha512}.{}", target.name), target.content.clone());
            files.insert(format!("targets/{sha256}.{}", target.name), target.content);
        }
        Ok(TufRepository { files })
    }

    /// The version in force and its files if it lists these targets, else the next version.
    fn current(&self, listed: &Value) -> Result<(u64, Option<Files>), FolderError> {
        let parse = |content: &[u8]| serde_json::from_slice::<Value>(content).unwrap_or_default();
        let Some(timestamp) = self.folder.read("tuf/timestamp.json")? else { return Ok((1, None)) };
        let version = parse(&timestamp)["signed"]["version"].as_u64().unwrap_or(0);
        let mut files = BTreeMap::from([("timestamp.json".to_owned(), timestamp)]);
        for role in ["targets", "snapshot"] {
            let name = format!("{version}.{role}.json");
            if let Some(content) = self.folder.read(&format!("tuf/{name}"))? {
                files.insert(name, content);
            }
        }
        let same = files
            .get(&format!("{version}.targets.json"))
            .is_some_and(|targets| parse(targets)["signed"]["targets"] == *listed);
        Ok(if same && files.len() == 3 { (version, Some(files)) } else { (version + 1, None) })
    }

    fn root(&self) -> Vec<u8> {
        let mut keys = serde_json::Map::new();
        let mut roles = serde_json::Map::new();
        for (role, key) in ROLES.iter().zip(&self.keys) {
            let id = key_id(key.public_key());
            roles.insert((*role).to_owned(), json!({ "keyids": [id], "threshold": 1 }));
            keys.insert(id, key_object(key.public_key()));
        }
        let signed = json!({ "consistent_snapshot": true, "keys": keys, "roles": roles });
        self.sign("root", 1, signed)
    }

    fn metadata(&self, version: u64, listed: &Value) -> Files {
        let meta = |name: &str| json!({ "meta": { name: { "version": version } } });
        BTreeMap::from([
            (format!("{version}.targets.json"), self.sign("targets", version, json!({ "targets": listed }))),
            (format!("{version}.snapshot.json"), self.sign("snapshot", version, meta("targets.json"))),
            ("timestamp.json".to_owned(), self.sign("timestamp", version, meta("snapshot.json"))),
        ])
    }

    fn sign(&self, role: &str, version: u64, mut signed: Value) -> Vec<u8> {
        signed["_type"] = json!(role);
        signed["spec_version"] = json!(SPEC_VERSION);
        signed["version"] = json!(version);
        signed["expires"] = json!(self.expires);
        let key = ROLES.iter().position(|name| *name == role).map(|at| &self.keys[at]);
        let signatures: Vec<_> = key
            .map(|key| {
                let signature = hex(&key.sign(&canonical(&signed)));
                json!({ "keyid": key_id(key.public_key()), "sig": signature })
            })
            .into_iter()
            .collect();
        format!("{:#}\n", json!({ "signatures": signatures, "signed": signed })).into_bytes()
    }
}

fn list(targets: &[Target]) -> Value {
    let describe = |target: &Target| {
        let (sha256, sha512) = hashes(&target.content);
        let mut described = json!({ "length": target.content.len(), "hashes": { "sha256": sha256, "sha512": sha512 } });
        if let Some(usage) = target.usage {
            described["custom"] = json!({ "sigstore": { "status": "Active", "usage": usage } });
        }
        (target.name.to_owned(), described)
    };
    Value::Object(targets.iter().map(describe).collect())
}

fn hashes(content: &[u8]) -> (String, String) {
    (hex(&sha256(content)), HashAlgorithm::Sha512.digest(content).to_hex())
}

fn key_object(key: &PublicKey) -> Value {
    let public = pem::encode("PUBLIC KEY", key.spki_der());
    json!({ "keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256", "keyval": { "public": public } })
}

fn key_id(key: &PublicKey) -> String {
    hex(&sha256(&canonical(&key_object(key))))
}

fn canonical(value: &Value) -> Vec<u8> {
    Json::parse(value.to_string().as_bytes()).expect("what is signed has a canonical form").canonical()
}

pub(super) fn routes() -> axum::Router<Arc<Services>> {
    axum::Router::new().route("/tuf/{*path}", get(file))
}

async fn file(State(services): State<Arc<Services>>, Path(path): Path<String>) -> Result<Response, Refusal> {
    let content = services.tuf.files.get(&path).ok_or_else(|| Refusal::not_found("no such file"))?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], content.clone()).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SignatureScheme;

    fn targets(content: &str) -> Vec<Target> {
        vec![Target { name: "trusted_root.json", content: content.into(), usage: None }]
    }

    fn version(repository: &TufRepository) -> u64 {
        let timestamp: Value = serde_json::from_slice(&repository.files["timestamp.json"]).unwrap();
        timestamp["signed"]["version"].as_u64().unwrap()
    }

    #[test]
    fn a_version_changes_with_its_targets_and_only_then() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let open = |content: &str| TufRepository::open(&folder, targets(content), Timestamp::UNIX_EPOCH).unwrap();
        let first = open("one");
        assert_eq!(version(&first), 1);
        assert_eq!(open("one").files, first.files);
        let second = open("two");
        assert_eq!(version(&second), 2);
        assert_eq!(second.root(), first.root());
        assert!(second.files.contains_key(&format!("targets/{}.trusted_root.json", hashes(b"two").0)));
    }

    #[test]
    fn metadata_is_signed_by_the_key_that_the_root_names() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let repository = TufRepository::open(&folder, targets("one"), Timestamp::UNIX_EPOCH).unwrap();
        let root: Value = serde_json::from_slice(repository.root()).unwrap();
        for (role, file) in ROLES.iter().zip(["1.root.json", "1.targets.json", "1.snapshot.json", "timestamp.json"]) {
            let metadata: Value = serde_json::from_slice(&repository.files[file]).unwrap();
            let id = root["signed"]["roles"][role]["keyids"][0].as_str().unwrap();
            assert_eq!(metadata["signatures"][0]["keyid"], id);
            let public = root["signed"]["keys"][id]["keyval"]["public"].as_str().unwrap();
            let spki = pem::decode_all("PUBLIC KEY", public).unwrap().remove(0);
            let key = PublicKey::from_spki_der(&spki).unwrap();
            let signature = crate::crypto::digest::unhex(metadata["signatures"][0]["sig"].as_str().unwrap()).unwrap();
            let signed = canonical(&metadata["signed"]);
            assert!(key.verify(SignatureScheme::EcdsaSha256, &signed, &signature).is_ok(), "{role}");
        }
    }
}
