//! An export: one file with everything that verifying needs, for machines without a connection.
//!
//! Its schema is `gitseal-trust-export/1`: what the documents are, where they came from, how old they are and their
//! digests, around a `ClientTrustConfig` (dev.sigstore.trustroot.v1) that holds the documents byte for byte. Our own
//! members stand around that message and not in it, because sigstore-python refuses members that it does not know. A
//! bare `ClientTrustConfig`, as other programs write it, is read too; it says nothing of its age.
//!
//! The digests find damage, not malice: whoever makes the file makes them too. Against malice there is the digest of
//! the whole file, which travels another way.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::instance::{ClientIdError, InstanceName, check_client_id};
use super::root::{MAX_TRUSTED_ROOT_LEN, TrustedRoot, TrustedRootError};
use super::signing_config::{MAX_CONFIG_LEN, SigningConfig, SigningConfigError};
use crate::crypto::digest::hex;
use crate::crypto::sha256;

/// No export is longer, in bytes: the two documents, and room for the rest.
pub const MAX_EXPORT_LEN: usize = MAX_TRUSTED_ROOT_LEN + MAX_CONFIG_LEN + 64 * 1024;

const SCHEMA: &str = "gitseal-trust-export/1";
const CLIENT_TRUST_CONFIG: &str = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json";

/// Why an export cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Longer than [`MAX_EXPORT_LEN`].
    #[error("the export is larger than {MAX_EXPORT_LEN} bytes")]
    TooLarge,
    /// Not the JSON of an export.
    #[error("the export is malformed: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A document of another type or version.
    #[error("the export has the schema {0:?}; this gitseal knows {SCHEMA}")]
    Schema(String),
    /// The part inside is of another type or version.
    #[error("the export holds the media type {0:?}; this gitseal knows {CLIENT_TRUST_CONFIG}")]
    MediaType(String),
    /// A document is not the one that was exported.
    #[error("the {0} is not the one that was exported: its digest is another")]
    Digest(&'static str),
    /// The trusted root cannot be used.
    #[error(transparent)]
    TrustedRoot(#[from] TrustedRootError),
    /// The signing config cannot be used.
    #[error(transparent)]
    SigningConfig(#[from] SigningConfigError),
    /// The client id cannot be an audience.
    #[error(transparent)]
    ClientId(#[from] ClientIdError),
}

/// When documents were exported, and what they were then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exported {
    /// When.
    pub exported_at: Timestamp,
    /// When they were last known to be in force; not everything that exports says so.
    pub as_of: Option<Timestamp>,
    /// Where they came from.
    pub origin: Origin,
}

/// Where exported documents came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Origin {
    /// They came with the program.
    BuiltIn {},
    /// From files.
    Files {},
    /// From a TUF repository.
    Tuf(TufOrigin),
}

/// What a TUF repository had vouched for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TufOrigin {
    /// Its address.
    pub url: String,
    /// The version of its root.
    pub root_version: u64,
    /// Until when that root was to be used.
    pub root_expires: Timestamp,
    /// The version of its timestamp.
    pub timestamp_version: u64,
    /// By when the documents were to be asked for again.
    pub expires: Timestamp,
    /// The keys whose signatures carried the root.
    pub signed_by: Vec<String>,
}

/// The documents of an instance, and what is known of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// What it is called, if it has a name.
    pub instance: Option<InstanceName>,
    /// The OpenID provider, in place of the signing config's.
    pub issuer: Option<String>,
    /// The audience of tokens, in place of the usual one.
    pub client_id: Option<String>,
    /// What is known; nothing of a bare `ClientTrustConfig`.
    pub exported: Option<Exported>,
    /// `trusted_root.json`.
    pub trusted_root: Vec<u8>,
    /// `signing_config.json`.
    pub signing_config: Vec<u8>,
}

impl Export {
    /// Read an export, or a bare `ClientTrustConfig`. Both documents in it can be used, and are those of the digests.
    ///
    /// # Errors
    /// [`ExportError`] says what it is not.
    pub fn from_json(json: &[u8]) -> Result<Self, ExportError> {
        if json.len() > MAX_EXPORT_LEN {
            return Err(ExportError::TooLarge);
        }
        let Kind { schema, media_type } = serde_json::from_slice(json)?;
        let export = match (schema, media_type) {
            (None, Some(_)) => Export::bare(serde_json::from_slice(json)?)?,
            (schema, _) if schema.as_deref() != Some(SCHEMA) => {
                return Err(ExportError::Schema(schema.unwrap_or_default().chars().take(100).collect()));
            }
            _ => Export::whole(serde_json::from_slice(json)?)?,
        };
        TrustedRoot::from_json(&export.trusted_root)?;
        SigningConfig::from_json(&export.signing_config)?;
        export.client_id.as_deref().map(check_client_id).transpose()?;
        Ok(export)
    }

    fn bare(config: ClientTrustConfig<'_>) -> Result<Self, ExportError> {
        if config.media_type != CLIENT_TRUST_CONFIG {
            return Err(ExportError::MediaType(config.media_type.chars().take(100).collect()));
        }
        Ok(Export {
            instance: None,
            issuer: None,
            client_id: None,
            exported: None,
            trusted_root: bytes(config.trusted_root),
            signing_config: bytes(config.signing_config),
        })
    }

    fn whole(document: Document<'_>) -> Result<Self, ExportError> {
        let Document { instance, issuer, client_id, exported, sha256, client_trust_config, .. } = document;
        let documents = Export::bare(client_trust_config)?;
        for (what, document, digest) in [
            ("trusted root", &documents.trusted_root, &sha256.trusted_root),
            ("signing config", &documents.signing_config, &sha256.signing_config),
        ] {
            if digest_of(document) != *digest {
                return Err(ExportError::Digest(what));
            }
        }
        Ok(Export { instance, issuer, client_id, exported: Some(exported), ..documents })
    }

    /// Write it. What is not known of the documents is said to be so.
    ///
    /// # Errors
    /// One of the documents is not JSON.
    pub fn to_json(&self, exported: &Exported) -> Result<Vec<u8>, serde_json::Error> {
        let (trusted_root, signing_config) = (raw(&self.trusted_root)?, raw(&self.signing_config)?);
        let document = Document {
            schema: SCHEMA.to_owned(),
            instance: self.instance.clone(),
            issuer: self.issuer.clone(),
            client_id: self.client_id.clone(),
            exported: exported.clone(),
            sha256: Digests {
                trusted_root: digest_of(trusted_root.get().as_bytes()),
                signing_config: digest_of(signing_config.get().as_bytes()),
            },
            client_trust_config: ClientTrustConfig {
                media_type: CLIENT_TRUST_CONFIG.to_owned(),
                trusted_root: &trusted_root,
                signing_config: &signing_config,
            },
        };
        let mut json = serde_json::to_vec_pretty(&document)?;
        json.push(b'\n');
        Ok(json)
    }
}

/// A document as a value of JSON whose every byte stays; only what surrounds the value (a last newline) is left out.
fn raw(document: &[u8]) -> Result<Box<RawValue>, serde_json::Error> {
    serde_json::from_slice(document)
}

fn bytes(value: &RawValue) -> Vec<u8> {
    value.get().as_bytes().to_vec()
}

fn digest_of(document: &[u8]) -> String {
    hex(&sha256(document))
}

#[derive(Deserialize)]
struct Kind {
    schema: Option<String>,
    #[serde(rename = "mediaType")]
    media_type: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<'a> {
    schema: String,
    instance: Option<InstanceName>,
    issuer: Option<String>,
    client_id: Option<String>,
    exported: Exported,
    sha256: Digests,
    #[serde(borrow)]
    client_trust_config: ClientTrustConfig<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Digests {
    trusted_root: String,
    signing_config: String,
}

/// Members that a later version may add are skipped, as protobuf wants.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientTrustConfig<'a> {
    media_type: String,
    #[serde(borrow)]
    trusted_root: &'a RawValue,
    #[serde(borrow)]
    signing_config: &'a RawValue,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::embedded::PUBLIC;

    fn exported() -> Exported {
        let origin = TufOrigin {
            url: "https://tuf.corp.example".into(),
            root_version: 3,
            root_expires: "2027-01-01T00:00:00Z".parse().unwrap(),
            timestamp_version: 9,
            expires: "2026-12-01T00:00:00Z".parse().unwrap(),
            signed_by: vec!["ab".repeat(32)],
        };
        let at = "2026-11-24T00:00:00Z".parse().unwrap();
        Exported { exported_at: at, as_of: Some(at), origin: Origin::Tuf(origin) }
    }

    fn export() -> Export {
        let trim = |json: &[u8]| json.trim_ascii().to_vec();
        Export {
            instance: Some(InstanceName::new("corp").unwrap()),
            issuer: Some("https://login.corp.example".into()),
            client_id: None,
            exported: Some(exported()),
            trusted_root: trim(PUBLIC.trusted_root),
            signing_config: trim(PUBLIC.signing_config),
        }
    }

    fn text() -> String {
        String::from_utf8(export().to_json(&exported()).unwrap()).unwrap()
    }

    #[test]
    fn the_documents_come_back_byte_for_byte() {
        assert_eq!(Export::from_json(text().as_bytes()).unwrap(), export());
        let spaced = Export { trusted_root: [b"\n ", PUBLIC.trusted_root, b"\n"].concat(), ..export() };
        assert_eq!(Export::from_json(&spaced.to_json(&exported()).unwrap()).unwrap(), export());
    }

    #[test]
    fn a_bare_client_trust_config_is_read_too() {
        let whole: serde_json::Value = serde_json::from_str(&text()).unwrap();
        let bare = whole["client_trust_config"].to_string();
        let read = Export::from_json(bare.as_bytes()).unwrap();
        assert_eq!((read.instance, read.issuer, read.exported), (None, None, None));
        assert!(TrustedRoot::from_json(&read.trusted_root).is_ok());
    }

    #[test]
    fn what_is_no_export_is_refused_for_its_reason_fail() {
        let text = text();
        let refused = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            Export::from_json(text.replacen(from, to, 1).as_bytes()).unwrap_err()
        };
        assert!(matches!(refused("export/1", "export/2"), ExportError::Schema(_)));
        assert!(matches!(refused("config.v0.1", "config.v0.2"), ExportError::MediaType(_)));
        assert!(matches!(refused("https://rekor.sigstore.dev", "https://rekor.evil.dev"), ExportError::Digest(_)));
        assert!(matches!(
            refused("https://oauth2.sigstore.dev/auth", "https://evil.example/auth"),
            ExportError::Digest("signing config")
        ));
        assert!(matches!(refused("\"issuer\"", "\"more\": 1, \"issuer\""), ExportError::Malformed(_)));
        assert!(matches!(refused("\"corp\"", "\"../corp\""), ExportError::Malformed(_)));
        assert!(matches!(refused("\"client_id\": null", "\"client_id\": \"\\n\""), ExportError::ClientId(_)));
        assert!(matches!(Export::from_json(b"{}"), Err(ExportError::Schema(_))));
        assert!(matches!(Export::from_json(&vec![b' '; MAX_EXPORT_LEN + 1]), Err(ExportError::TooLarge)));

        let rootless = Export { trusted_root: b"{}".to_vec(), ..export() }.to_json(&exported()).unwrap();
        assert!(matches!(Export::from_json(&rootless), Err(ExportError::TrustedRoot(_))));
        let configless = Export { signing_config: b"{}".to_vec(), ..export() }.to_json(&exported()).unwrap();
        assert!(matches!(Export::from_json(&configless), Err(ExportError::SigningConfig(_))));
        assert!(Export { trusted_root: b"{".to_vec(), ..export() }.to_json(&exported()).is_err());
    }
}
