//! Who may sign for a role and who did (TUF specification sections 4.2.1 and 4.3): different keys are counted, nothing else.

use std::collections::BTreeMap;

use super::fields::{Fields, MetadataError};
use super::key::Key;
use crate::crypto::digest::unhex;

/// No metadata carries more signatures: the public instance's roots have five to eight.
pub const MAX_SIGNATURES: usize = 256;
/// No role has more keys.
pub const MAX_ROLE_KEYS: usize = 256;

/// The signatures of metadata, and the canonical form that they are over.
#[derive(Debug, Clone)]
pub struct Signatures {
    message: Vec<u8>,
    /// By key id. A signature that is no hexadecimal is one that does not verify.
    values: BTreeMap<String, Option<Vec<u8>>>,
}

impl Signatures {
    /// Those that `document` has beside its signed part, whose canonical form is `message`.
    pub(super) fn read(document: &Fields<'_>, message: Vec<u8>) -> Result<Self, MetadataError> {
        let mut values = BTreeMap::new();
        for item in document.array("signatures", MAX_SIGNATURES)? {
            let item = Fields::of(item, "a signature")?;
            let id = item.text("keyid")?.to_owned();
            if values.insert(id.clone(), unhex(item.text("sig")?)).is_some() {
                return Err(MetadataError::DuplicateSignature(id));
            }
        }
        Ok(Signatures { message, values })
    }
}

/// Who may sign for a role: its keys, and how many of them it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// By key id. The id is whatever the delegator calls the key: GitHub's repository does not derive it as others do.
    pub keys: BTreeMap<String, Key>,
    /// How many different keys must sign; never 0.
    pub threshold: u64,
}

impl Authority {
    /// The authority of `role`, out of the keys that its delegator lists.
    pub(super) fn read(role: &Fields<'_>, keys: &BTreeMap<String, Key>) -> Result<Self, MetadataError> {
        let mut own = BTreeMap::new();
        for id in role.texts("keyids", MAX_ROLE_KEYS)? {
            // An id without a key is one that cannot sign.
            let key = keys.get(id).cloned().unwrap_or(Key::Unusable);
            if own.insert(id.to_owned(), key).is_some() {
                return Err(MetadataError::DuplicateKey(id.to_owned()));
            }
        }
        Ok(Authority { keys: own, threshold: role.positive("threshold")? })
    }

    /// The ids of those who signed, each key once, whatever number of ids it goes by (CVE-2026-23992).
    #[must_use]
    pub fn signers<'a>(&'a self, signatures: &Signatures) -> Vec<&'a str> {
        let mut signers: Vec<(&str, &Key)> = Vec::new();
        for (id, key) in &self.keys {
            let Some(Some(signature)) = signatures.values.get(id) else { continue };
            let is_counted = signers.iter().any(|(_, counted)| counted.is_same(key));
            if !is_counted && key.verifies(&signatures.message, signature) {
                signers.push((id, key));
            }
        }
        signers.into_iter().map(|(id, _)| id).collect()
    }
}

/// The keys that a delegator lists.
pub(super) fn keys(fields: &Fields<'_>) -> Result<BTreeMap<String, Key>, MetadataError> {
    fields.object("keys")?.members().map(|(id, key)| Ok((id.clone(), Key::read(key)?))).collect()
}
