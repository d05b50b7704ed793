//! An instance: one Sigstore, with whom we believe and whom we ask of it; and its definition, as the user keeps it.
//!
//! A definition (`instance.json`, schema `gitseal-instance/1`) says where the documents come from. It is the user's
//! word, so it is read strictly: a member that this program does not know is an error, not a member to skip.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::embedded::{self, Embedded};
use super::export::Exported;
use super::root::{TrustedRoot, TrustedRootError};
use super::signing_config::{SigningConfig, SigningConfigError};

/// The client id that Sigstore's OpenID providers know programs like this one by; it is the tokens' audience.
pub const CLIENT_ID: &str = "sigstore";
/// No definition is longer, in bytes: one has half a kilobyte.
pub const MAX_DEFINITION_LEN: usize = 64 * 1024;
/// No name is longer; it names a directory.
pub const MAX_NAME_LEN: usize = 64;
/// No client id is longer; providers hand out some 70 characters.
pub const MAX_CLIENT_ID_LEN: usize = 256;

const SCHEMA: &str = "gitseal-instance/1";

/// Why the documents make no instance.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// The trusted root cannot be used.
    #[error(transparent)]
    TrustedRoot(#[from] TrustedRootError),
    /// The signing config cannot be used.
    #[error(transparent)]
    SigningConfig(#[from] SigningConfigError),
}

/// Why a definition cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    /// Longer than [`MAX_DEFINITION_LEN`].
    #[error("the definition is larger than {MAX_DEFINITION_LEN} bytes")]
    TooLarge,
    /// Not the JSON of a definition.
    #[error("the definition is malformed: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A document of another type or version.
    #[error("the definition has the schema {0:?}; this gitseal knows {SCHEMA}")]
    Schema(String),
    /// It says that it is another instance's.
    #[error("the definition is that of {0}")]
    Name(InstanceName),
    /// The client id cannot be an audience.
    #[error(transparent)]
    ClientId(#[from] ClientIdError),
}

/// Why a text is no instance's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name has at most {MAX_NAME_LEN} of a-z, 0-9, '.', '_' and '-', and begins with a letter or a digit")]
pub struct NameError;

/// Why a text is no client id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a client id has 1 to {MAX_CLIENT_ID_LEN} printable characters")]
pub struct ClientIdError;

/// What an instance is called: never a path, and no two spellings of one name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstanceName(String);

impl InstanceName {
    /// The name in `text`.
    ///
    /// # Errors
    /// [`NameError`] when it is none.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let allowed = |c: u8| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        let begins_well = text.bytes().next().is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        if !begins_well || text.len() > MAX_NAME_LEN || !text.bytes().all(allowed) {
            return Err(NameError);
        }
        Ok(InstanceName(text.to_owned()))
    }

    /// The public-good instance's.
    #[must_use]
    pub fn public() -> Self {
        InstanceName(embedded::PUBLIC.name.to_owned())
    }

    /// The staging instance's.
    #[must_use]
    pub fn staging() -> Self {
        InstanceName(embedded::STAGING.name.to_owned())
    }

    /// The documents that came with this program, if it knows this instance.
    #[must_use]
    pub fn embedded(&self) -> Option<Embedded> {
        embedded::ALL.into_iter().find(|embedded| embedded.name == self.0)
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InstanceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for InstanceName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        InstanceName::new(&text)
    }
}

impl From<InstanceName> for String {
    fn from(name: InstanceName) -> Self {
        name.0
    }
}

/// Check that `text` can be the audience of tokens.
///
/// # Errors
/// [`ClientIdError`] when it is empty, too long, or holds a control character.
pub fn check_client_id(text: &str) -> Result<(), ClientIdError> {
    let sound = !text.is_empty() && text.len() <= MAX_CLIENT_ID_LEN && !text.chars().any(char::is_control);
    if sound { Ok(()) } else { Err(ClientIdError) }
}

/// How the user has defined an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// What it is called.
    pub name: InstanceName,
    /// Where its documents come from.
    pub source: Source,
    /// The OpenID provider, in place of the signing config's.
    pub issuer: Option<String>,
    /// The audience of tokens, in place of [`CLIENT_ID`].
    pub client_id: Option<String>,
    /// When it was defined.
    pub added_at: Timestamp,
}

/// Where the documents of a defined instance come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Source {
    /// A TUF repository; the first root is kept beside the definition.
    Tuf {
        /// Its address.
        url: String,
    },
    /// The two documents, kept beside the definition.
    Files {},
    /// The two documents out of an export, kept beside the definition.
    Import(Exported),
}

impl Definition {
    /// Read `instance.json` of the instance that is called `name`.
    ///
    /// # Errors
    /// [`DefinitionError`] when it is not the whole definition of that instance and nothing else.
    pub fn from_json(name: &InstanceName, json: &[u8]) -> Result<Self, DefinitionError> {
        if json.len() > MAX_DEFINITION_LEN {
            return Err(DefinitionError::TooLarge);
        }
        // The schema is read first, so that a definition of a later version is named as such and not as malformed.
        let Schema { schema } = serde_json::from_slice(json)?;
        if schema != SCHEMA {
            return Err(DefinitionError::Schema(schema.chars().take(100).collect()));
        }
        let document: Document = serde_json::from_slice(json)?;
        if document.name != *name {
            return Err(DefinitionError::Name(document.name));
        }
        document.client_id.as_deref().map(check_client_id).transpose()?;
        let Document { name, source, issuer, client_id, added_at, .. } = document;
        Ok(Definition { name, source, issuer, client_id, added_at })
    }

    /// Write it as `instance.json`.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let Definition { name, source, issuer, client_id, added_at } = self.clone();
        let document = Document { schema: SCHEMA.to_owned(), name, source, issuer, client_id, added_at };
        let mut json = serde_json::to_vec_pretty(&document).expect("a definition is plain data");
        json.push(b'\n');
        json
    }
}

#[derive(Deserialize)]
struct Schema {
    schema: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    schema: String,
    name: InstanceName,
    source: Source,
    issuer: Option<String>,
    client_id: Option<String>,
    added_at: Timestamp,
}

/// One Sigstore.
#[derive(Debug, Clone)]
pub struct Instance {
    /// What people call it.
    pub name: String,
    /// Whom to believe.
    pub trusted_root: TrustedRoot,
    /// Whom to ask.
    pub signing_config: SigningConfig,
    /// The OpenID provider to log in at; tokens that come from elsewhere need none.
    pub issuer: Option<String>,
    /// The audience of its tokens.
    pub client_id: String,
}

impl Instance {
    /// The instance that these documents describe, with the OpenID provider in service at `now`.
    ///
    /// # Errors
    /// [`InstanceError`] when one of them cannot be used.
    pub fn from_documents(
        name: &str,
        trusted_root: &[u8],
        signing_config: &[u8],
        now: Timestamp,
    ) -> Result<Self, InstanceError> {
        let signing_config = SigningConfig::from_json(signing_config)?;
        Ok(Instance {
            name: name.to_owned(),
            trusted_root: TrustedRoot::from_json(trusted_root)?,
            issuer: signing_config.oidc_provider(now).ok().map(|provider| provider.url.clone()),
            signing_config,
            client_id: CLIENT_ID.to_owned(),
        })
    }

    /// The public-good instance, as embedded.
    #[must_use]
    pub fn public(now: Timestamp) -> Self {
        Self::embedded(&embedded::PUBLIC, now)
    }

    /// The staging instance, as embedded.
    #[must_use]
    pub fn staging(now: Timestamp) -> Self {
        Self::embedded(&embedded::STAGING, now)
    }

    fn embedded(documents: &Embedded, now: Timestamp) -> Self {
        Self::from_documents(documents.name, documents.trusted_root, documents.signing_config, now)
            .expect("the embedded documents are sound")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::export::Origin;

    const ADDED: &str = "2026-11-24T00:00:00Z";

    fn definition(source: Source) -> Definition {
        Definition {
            name: InstanceName::new("corp").unwrap(),
            source,
            issuer: Some("https://login.corp.example".into()),
            client_id: Some("sigstore".into()),
            added_at: ADDED.parse().unwrap(),
        }
    }

    #[test]
    fn the_embedded_instances_know_their_provider() {
        let now = "2026-11-22T00:00:00Z".parse().unwrap();
        let issuers = [Instance::public(now), Instance::staging(now)].map(|instance| instance.issuer);
        let want = ["https://oauth2.sigstore.dev/auth", "https://oauth2.sigstage.dev/auth"];
        assert_eq!(issuers, want.map(|url| Some(url.to_owned())));
    }

    #[test]
    fn a_name_is_never_a_path_fail() {
        for good in ["corp", "a", "0", "my.corp_2-b", "a..b", &"a".repeat(MAX_NAME_LEN)] {
            assert_eq!(InstanceName::new(good).map(String::from).as_deref(), Ok(good));
        }
        for bad in [
            "",
            ".",
            "..",
            "../corp",
            "a/b",
            "a\\b",
            "Corp",
            "-corp",
            "_corp",
            ".corp",
            "c\0",
            "c\n",
            "é",
            "c:",
            "a b",
            &"a".repeat(MAX_NAME_LEN + 1),
        ] {
            assert_eq!(InstanceName::new(bad), Err(NameError), "{bad:?}");
        }
        assert!(InstanceName::public().embedded().is_some() && InstanceName::staging().embedded().is_some());
        assert!(InstanceName::new("corp").unwrap().embedded().is_none());
    }

    #[test]
    fn a_definition_is_read_back_as_it_was_written() {
        let exported = Exported { exported_at: ADDED.parse().unwrap(), as_of: None, origin: Origin::Files {} };
        let tuf = Source::Tuf { url: "https://tuf.corp.example".into() };
        for source in [tuf, Source::Files {}, Source::Import(exported)] {
            let definition = definition(source);
            assert_eq!(Definition::from_json(&definition.name, &definition.to_json()).unwrap(), definition);
        }
    }

    #[test]
    fn what_is_no_definition_is_refused_for_its_reason_fail() {
        let good = definition(Source::Files {});
        let text = String::from_utf8(good.to_json()).unwrap();
        let read = |text: &str| Definition::from_json(&good.name, text.as_bytes());
        assert!(read(&text).is_ok());
        assert!(matches!(read(&text.replace("instance/1", "instance/2")), Err(DefinitionError::Schema(_))));
        assert!(matches!(read(&text.replace("\"corp\"", "\"crop\"")), Err(DefinitionError::Name(_))));
        assert!(matches!(read(&text.replace("\"sigstore\"", "\"\"")), Err(DefinitionError::ClientId(_))));
        for (from, to) in [
            ("\"name\"", "\"checksum\": \"\", \"name\""),
            ("\"corp\"", "\"../corp\""),
            ("\"files\": {}", "\"files\": {\"url\": \"x\"}"),
            ("\"files\": {}", "\"files\": {}, \"tuf\": {\"url\": \"x\"}"),
            (ADDED, "yesterday"),
        ] {
            assert!(text.contains(from), "{from}");
            assert!(matches!(read(&text.replace(from, to)), Err(DefinitionError::Malformed(_))), "{to}");
        }
        assert!(matches!(read(&" ".repeat(MAX_DEFINITION_LEN + 1)), Err(DefinitionError::TooLarge)));
    }
}
