//! A TUF repository for tests, made with keys of our own: good as it stands, and spoilt in exactly one way by a test.

use std::collections::BTreeMap;

use gitseal::crypto::digest::hex;
use gitseal::crypto::{HashAlgorithm, KeyKind, Keypair as _, PublicKey, ServiceKey, sha256};
use gitseal::format::pem;
use gitseal::format::tuf::json::Json;
use gitseal::trust::MetadataFiles;
use jiff::Timestamp;
use serde_json::{Value, json};

/// When all of it is in force.
pub(super) const NOW: &str = "2026-11-24T12:00:00Z";
/// When all of it expires, unless a test says otherwise.
pub(super) const EXPIRES: &str = "2026-12-24T12:00:00Z";

pub(super) fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// A key and the id that metadata calls it by.
pub(super) struct Key {
    pub(super) id: String,
    pub(super) pair: ServiceKey,
}

impl Key {
    pub(super) fn new() -> Self {
        Self::of(KeyKind::EcdsaP256)
    }

    pub(super) fn of(kind: KeyKind) -> Self {
        let pair = ServiceKey::generate(kind).unwrap();
        Key { id: hex(&sha256(pair.public_key().spki_der())), pair }
    }

    /// The same key by another id.
    pub(super) fn alias(&self, id: &str) -> Self {
        Key {
            id: id.to_owned(),
            pair: ServiceKey::from_pkcs8(self.pair.public_key().kind(), self.pair.pkcs8()).unwrap(),
        }
    }

    pub(super) fn object(&self) -> Value {
        object(self.pair.public_key())
    }
}

fn object(key: &PublicKey) -> Value {
    let armour = pem::encode("PUBLIC KEY", key.spki_der());
    let (kind, scheme, public) = match key.kind() {
        KeyKind::Ed25519 => ("ed25519", "ed25519", hex(key.raw())),
        KeyKind::EcdsaP384 => ("ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384", armour),
        _ => ("ecdsa", "ecdsa-sha2-nistp256", armour),
    };
    json!({ "keytype": kind, "scheme": scheme, "keyval": { "public": public } })
}

/// `signed`, signed by `keys`.
pub(super) fn sign(signed: &Value, keys: &[&Key]) -> Vec<u8> {
    let message = Json::parse(signed.to_string().as_bytes()).unwrap().canonical();
    let signatures: Vec<_> =
        keys.iter().map(|key| json!({ "keyid": key.id, "sig": hex(&key.pair.sign(&message)) })).collect();
    json!({ "signatures": signatures, "signed": signed }).to_string().into_bytes()
}

/// What is signed of a role.
pub(super) fn head(role: &str, version: u64) -> Value {
    json!({ "_type": role, "spec_version": "1.0.31", "version": version, "expires": EXPIRES })
}

/// `value` with the members of `more`.
pub(super) fn with(mut value: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("not an object") };
    value.as_object_mut().unwrap().extend(more);
    value
}

pub(super) fn hashes(content: &[u8]) -> Value {
    json!({ "sha256": hex(&sha256(content)), "sha512": HashAlgorithm::Sha512.digest(content).to_hex() })
}

/// How a metadata file is described, with version, length and digests.
pub(super) fn described(file: &[u8]) -> Value {
    let document: Value = serde_json::from_slice(file).unwrap();
    json!({ "version": document["signed"]["version"], "length": file.len(), "hashes": hashes(file) })
}

type Edit = Box<dyn Fn(&mut Value)>;

/// A whole repository. Each role names and describes the next as it is; an edit then spoils what is signed of one.
pub(super) struct Repository {
    pub(super) keys: BTreeMap<&'static str, Key>,
    pub(super) root: Value,
    pub(super) timestamp: Value,
    pub(super) snapshot: Value,
    pub(super) targets: Value,
    pub(super) delegated: Vec<(String, Value, Key)>,
    pub(super) contents: BTreeMap<String, Vec<u8>>,
    edits: Vec<(String, Edit)>,
}

impl Repository {
    pub(super) fn new() -> Self {
        let keys: BTreeMap<_, _> =
            ["root", "timestamp", "snapshot", "targets"].into_iter().map(|role| (role, Key::new())).collect();
        let content = b"the trusted root".to_vec();
        let target = json!({ "length": content.len(), "hashes": hashes(&content) });
        Repository {
            root: root(1, &keys, &[]),
            timestamp: head("timestamp", 1),
            snapshot: head("snapshot", 1),
            targets: with(head("targets", 1), json!({ "targets": { "trusted_root.json": target } })),
            delegated: Vec::new(),
            contents: BTreeMap::from([("trusted_root.json".to_owned(), content)]),
            edits: Vec::new(),
            keys,
        }
    }

    pub(super) fn key(&self, role: &str) -> &Key {
        &self.keys[role]
    }

    /// The user's own root.
    pub(super) fn first_root(&self) -> Vec<u8> {
        self.signed("root", &self.root, self.key("root"))
    }

    /// Change what is signed of `role`, after the others were described in it and before it is signed.
    pub(super) fn edit(&mut self, role: &str, edit: impl Fn(&mut Value) + 'static) -> &mut Self {
        self.edits.push((role.to_owned(), Box::new(edit)));
        self
    }

    /// Set a member of what is signed of `role`.
    pub(super) fn set(&mut self, role: &str, member: &'static str, value: Value) -> &mut Self {
        self.edit(role, move |signed| *signed.pointer_mut(member).expect("such a member") = value.clone())
    }

    fn signed(&self, role: &str, signed: &Value, key: &Key) -> Vec<u8> {
        let mut signed = signed.clone();
        self.edits.iter().filter(|(name, _)| name == role).for_each(|(_, edit)| edit(&mut signed));
        sign(&signed, &[key])
    }

    /// The files that a client has when it has all.
    pub(super) fn files(&self) -> MetadataFiles {
        let mut targets: BTreeMap<_, _> =
            self.delegated.iter().map(|(name, signed, key)| (name.clone(), self.signed(name, signed, key))).collect();
        targets.insert("targets".to_owned(), self.signed("targets", &self.targets, self.key("targets")));
        let meta: serde_json::Map<_, _> =
            targets.iter().map(|(name, file)| (format!("{name}.json"), described(file))).collect();
        let snapshot = with(self.snapshot.clone(), json!({ "meta": meta }));
        let snapshot = self.signed("snapshot", &snapshot, self.key("snapshot"));
        let timestamp = with(self.timestamp.clone(), json!({ "meta": { "snapshot.json": described(&snapshot) } }));
        MetadataFiles {
            roots: BTreeMap::new(),
            timestamp: Some(self.signed("timestamp", &timestamp, self.key("timestamp"))),
            snapshot: Some(snapshot),
            targets,
            contents: self.contents.clone(),
        }
    }

    /// Let `from` give the targets that match `paths` to the role `name`, which lists `targets`.
    pub(super) fn delegate(&mut self, from: &str, name: &str, paths: &[&str], targets: &[&str]) -> &mut Self {
        self.delegate_with(from, name, json!({ "paths": paths }), targets)
    }

    pub(super) fn delegate_with(&mut self, from: &str, name: &str, more: Value, targets: &[&str]) -> &mut Self {
        let listed: serde_json::Map<_, _> = targets
            .iter()
            .map(|path| {
                let content = format!("{path} by {name}").into_bytes();
                self.contents.insert((*path).to_owned(), content.clone());
                ((*path).to_owned(), json!({ "length": content.len(), "hashes": hashes(&content) }))
            })
            .collect();
        if !self.delegated.iter().any(|(known, ..)| known == name) {
            let signed = with(head("targets", 1), json!({ "targets": listed }));
            self.delegated.push((name.to_owned(), signed, Key::new()));
        }
        let (_, _, key) = self.delegated.iter().find(|(known, ..)| known == name).unwrap();
        let role = with(json!({ "name": name, "keyids": [key.id], "threshold": 1, "terminating": false }), more);
        let (id, object) = (key.id.clone(), key.object());
        let from = match from {
            "targets" => &mut self.targets,
            from => &mut self.delegated.iter_mut().find(|(known, ..)| known == from).unwrap().1,
        };
        if from.get("delegations").is_none() {
            from["delegations"] = json!({ "keys": {}, "roles": [] });
        }
        from["delegations"]["keys"][id] = object;
        from["delegations"]["roles"].as_array_mut().unwrap().push(role);
        self
    }
}

/// What is signed of a root with one key for each role, and more keys for the root.
pub(super) fn root(version: u64, keys: &BTreeMap<&'static str, Key>, more: &[&Key]) -> Value {
    let mut objects = json!({});
    let mut roles = json!({});
    for (role, key) in keys {
        objects[&key.id] = key.object();
        roles[role] = json!({ "keyids": [key.id], "threshold": 1 });
    }
    for key in more {
        objects[&key.id] = key.object();
        roles["root"]["keyids"].as_array_mut().unwrap().push(json!(key.id));
    }
    with(head("root", version), json!({ "consistent_snapshot": true, "keys": objects, "roles": roles }))
}
