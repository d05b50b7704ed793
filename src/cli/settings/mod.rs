//! What the user has decided, read once: git configuration and the environment, flags on top (DESIGN section 6).
//!
//! From low to high: built in, `gitsign.*`, `gitseal.*`, the environment (`SIGSTORE_*`, `GITSIGN_*`, `GITSEAL_*`), flags.
//! A repository's own configuration may choose an instance and ask for more; a value there that would decide whom to
//! believe is left out and reported, with the command that sets it rightly.

pub mod table;

use std::path::PathBuf;

use thiserror::Error;

use crate::repo::config::{Config, Environment, Scope, parse_boolean};
use table::{Kind, Name, Rule, Setting};

/// Why a setting cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SettingsError {
    /// Not one of the words it takes.
    #[error("{name} is '{value}', which is none of {}", .allowed.join(", "))]
    Choice {
        /// The key or variable.
        name: String,
        /// What it holds.
        value: String,
        /// What it may hold.
        allowed: &'static [&'static str],
    },
    /// Not one of git's booleans.
    #[error("{name} is '{value}', which is neither true nor false")]
    Boolean {
        /// The key or variable.
        name: String,
        /// What it holds.
        value: String,
    },
    /// Not an http or https address.
    #[error("{name} is '{value}', which is no http or https address")]
    Url {
        /// The key or variable.
        name: String,
        /// What it holds.
        value: String,
    },
    /// A `~/` without a home directory.
    #[error("{name} starts with ~/ and there is no home directory")]
    NoHome {
        /// The key or variable.
        name: String,
    },
    /// Text that is not UTF-8.
    #[error("{name} is not UTF-8")]
    NotUtf8 {
        /// The key or variable.
        name: String,
    },
    /// A key without a value, where one is needed.
    #[error("{name} has no value")]
    NoValue {
        /// The key or variable.
        name: String,
    },
}

impl SettingsError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        let (SettingsError::Choice { name, .. }
        | SettingsError::Boolean { name, .. }
        | SettingsError::Url { name, .. }
        | SettingsError::NoHome { name }
        | SettingsError::NotUtf8 { name }
        | SettingsError::NoValue { name }) = self;
        if name.contains('.') {
            format!("'git config --show-origin --get-all {name}' says where it is set; see gitseal-config(5)")
        } else {
            format!("correct or unset the environment variable {name}; see gitseal-config(5)")
        }
    }
}

/// Which Sigstore is meant where nothing else says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InstanceName {
    /// The Public Good Instance.
    #[default]
    Public,
    /// Its rehearsal.
    Staging,
}

impl InstanceName {
    /// As in `gitseal.instance`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            InstanceName::Public => "public",
            InstanceName::Staging => "staging",
        }
    }
}

/// When the log may be asked for an entry that a signature lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnlineLookup {
    /// When a person is waiting.
    #[default]
    Auto,
    /// Whenever it would help.
    Always,
    /// Not at all.
    Never,
}

/// Whether a signature brings its log entry along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RekorMode {
    /// It does; verifying needs no network.
    #[default]
    Offline,
    /// The entry is only in the log.
    Online,
}

/// Whose signatures are expected, as configured: texts and patterns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expected {
    /// Subject alternative names, exact.
    pub identities: Vec<String>,
    /// Patterns of them.
    pub identity_patterns: Vec<String>,
    /// OIDC issuers, exact.
    pub issuers: Vec<String>,
    /// Patterns of them.
    pub issuer_patterns: Vec<String>,
}

impl Expected {
    /// Nobody in particular.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.identities.is_empty()
            && self.identity_patterns.is_empty()
            && self.issuers.is_empty()
            && self.issuer_patterns.is_empty()
    }
}

/// Where an identity token comes from. The token itself is a secret: it is never printed.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct TokenSources {
    /// The token, given in the environment.
    pub token: Option<String>,
    /// A file that holds it.
    pub file: Option<PathBuf>,
    /// The provider to use, and no other.
    pub provider: Option<String>,
}

impl std::fmt::Debug for TokenSources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenSources")
            .field("token", &self.token.as_ref().map(|_| "(secret)"))
            .field("file", &self.file)
            .field("provider", &self.provider)
            .finish()
    }
}

/// An instance given in pieces, as gitsign and cosign take it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pieces {
    /// The certificate authority.
    pub fulcio: Option<String>,
    /// Its certificates, PEM.
    pub fulcio_root: Option<PathBuf>,
    /// The log.
    pub rekor: Option<String>,
    /// Its key, PEM.
    pub rekor_public_key: Option<PathBuf>,
    /// The certificate log's key, PEM.
    pub ct_log_public_key: Option<PathBuf>,
    /// The timestamp authority.
    pub timestamp_server: Option<String>,
    /// Its certificates, PEM.
    pub timestamp_chain: Option<PathBuf>,
    /// The issuer of tokens.
    pub issuer: Option<String>,
}

/// What the user has decided.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// Which Sigstore.
    pub instance: InstanceName,
    /// A trusted root instead of the instance's.
    pub trusted_root: Option<PathBuf>,
    /// A signing config instead of the instance's.
    pub signing_config: Option<PathBuf>,
    /// Parts of an instance without documents.
    pub pieces: Pieces,
    /// Whose signatures are expected.
    pub expected: Expected,
    /// Authorities for S/MIME, PEM.
    pub smime_ca_file: Option<PathBuf>,
    /// Whether certificates without an SCT pass.
    pub insecure_ignore_sct: bool,
    /// Whether the log may be asked.
    pub online_lookup: OnlineLookup,
    /// Certificate authorities for the services' servers, PEM, in place of the system's.
    pub ssl_ca_info: Option<PathBuf>,
    /// Where tokens come from.
    pub token: TokenSources,
    /// Who asks for a token.
    pub client_id: Option<String>,
    /// Whether the committer must be the signer.
    pub match_committer: bool,
    /// Whether the log entry is embedded.
    pub rekor_mode: RekorMode,
    /// The preferred major version of the log's API.
    pub rekor_version: Option<u32>,
}

/// A value in a repository's own configuration that may not be set there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// The key.
    pub key: String,
    /// The command that sets it where it counts.
    pub remedy: String,
}

impl Settings {
    /// Read them from `config` and `environment`; `home` is what `~/` stands for.
    ///
    /// # Errors
    /// A value is not what its setting takes.
    pub fn load(
        config: &Config,
        environment: Environment<'_>,
        home: Option<PathBuf>,
    ) -> Result<(Self, Vec<Ignored>), SettingsError> {
        let mut reader = Reader { config, environment, home, ignored: Vec::new() };
        let settings = Settings {
            instance: match reader.text(Name::Instance)?.as_deref() {
                Some("staging") => InstanceName::Staging,
                _ => InstanceName::Public,
            },
            trusted_root: reader.path(Name::TrustedRoot)?,
            signing_config: reader.path(Name::SigningConfig)?,
            pieces: Pieces {
                fulcio: reader.text(Name::Fulcio)?,
                fulcio_root: reader.path(Name::FulcioRoot)?,
                rekor: reader.text(Name::Rekor)?,
                rekor_public_key: reader.path(Name::RekorPublicKey)?,
                ct_log_public_key: reader.path(Name::CtLogPublicKey)?,
                timestamp_server: reader.text(Name::TimestampServerUrl)?,
                timestamp_chain: reader.path(Name::TimestampCertChain)?,
                issuer: reader.text(Name::Issuer)?,
            },
            expected: Expected {
                identities: reader.list(Name::CertificateIdentity)?,
                identity_patterns: reader.list(Name::CertificateIdentityRegexp)?,
                issuers: reader.list(Name::CertificateOidcIssuer)?,
                issuer_patterns: reader.list(Name::CertificateOidcIssuerRegexp)?,
            },
            smime_ca_file: reader.path(Name::SmimeCaFile)?,
            insecure_ignore_sct: reader.boolean(Name::InsecureIgnoreSct)?,
            online_lookup: match reader.text(Name::OnlineLookup)?.as_deref() {
                Some("always") => OnlineLookup::Always,
                Some("never") => OnlineLookup::Never,
                _ => OnlineLookup::Auto,
            },
            ssl_ca_info: reader.path(Name::SslCaInfo)?,
            token: TokenSources {
                token: reader.text(Name::IdToken)?,
                file: reader.path(Name::IdTokenFile)?,
                provider: reader.text(Name::TokenProvider)?,
            },
            client_id: reader.text(Name::ClientId)?,
            match_committer: reader.boolean(Name::MatchCommitter)?,
            rekor_mode: match reader.text(Name::RekorMode)?.as_deref() {
                Some("online") => RekorMode::Online,
                _ => RekorMode::Offline,
            },
            rekor_version: match reader.text(Name::RekorVersion)?.as_deref() {
                Some("1") => Some(1),
                Some("2") => Some(2),
                _ => None,
            },
        };
        Ok((settings, reader.ignored))
    }
}

/// One value and the name of the place it came from.
struct Found {
    name: String,
    text: Option<Vec<u8>>,
}

struct Reader<'a> {
    config: &'a Config,
    environment: Environment<'a>,
    home: Option<PathBuf>,
    ignored: Vec<Ignored>,
}

impl Reader<'_> {
    /// All values that count, lowest precedence first. A variable replaces what the files say, even a list.
    fn found(&mut self, setting: &Setting) -> Vec<Found> {
        for variable in setting.environment.iter().rev() {
            if let Some(value) = (self.environment)(variable) {
                let text = Some(value.into_encoded_bytes());
                return vec![Found { name: (*variable).to_owned(), text }];
            }
        }
        let mut found = Vec::new();
        for (section, key) in [("gitsign", setting.gitsign), ("gitseal", setting.gitseal)] {
            let Some(key) = key else { continue };
            for value in self.config.values(section, key) {
                let name = format!("{section}.{key}");
                if value.scope == Scope::Repository && !repository_may(setting, value.text.as_deref()) {
                    self.ignored.push(Ignored { remedy: remedy(setting, &name, value.text.as_deref()), key: name });
                } else {
                    found.push(Found { name, text: value.text });
                }
            }
        }
        found
    }

    /// The value that counts most; an empty one means the built-in default.
    fn last(&mut self, setting: &Setting) -> Result<Option<(String, String)>, SettingsError> {
        let Some(Found { name, text }) = self.found(setting).pop() else { return Ok(None) };
        let Some(text) = text else { return Err(SettingsError::NoValue { name }) };
        let Ok(text) = String::from_utf8(text) else { return Err(SettingsError::NotUtf8 { name }) };
        Ok((!text.is_empty()).then_some((name, text)))
    }

    fn text(&mut self, name: Name) -> Result<Option<String>, SettingsError> {
        let setting = name.setting();
        let Some((name, value)) = self.last(setting)? else { return Ok(None) };
        match setting.kind {
            Kind::Choice(allowed) if !allowed.contains(&value.as_str()) => {
                Err(SettingsError::Choice { name, value, allowed })
            }
            Kind::Url if !(value.starts_with("https://") || value.starts_with("http://")) => {
                Err(SettingsError::Url { name, value })
            }
            _ => Ok(Some(value)),
        }
    }

    fn path(&mut self, name: Name) -> Result<Option<PathBuf>, SettingsError> {
        let Some((name, value)) = self.last(name.setting())? else { return Ok(None) };
        match value.strip_prefix("~/") {
            Some(below) => match &self.home {
                Some(home) => Ok(Some(home.join(below))),
                None => Err(SettingsError::NoHome { name }),
            },
            None => Ok(Some(PathBuf::from(value))),
        }
    }

    fn boolean(&mut self, name: Name) -> Result<bool, SettingsError> {
        let Some(Found { name, text }) = self.found(name.setting()).pop() else { return Ok(false) };
        parse_boolean(text.as_deref()).ok_or_else(|| {
            let value = text.as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
            SettingsError::Boolean { name, value }
        })
    }

    /// All values; in a variable, one a line.
    fn list(&mut self, name: Name) -> Result<Vec<String>, SettingsError> {
        let mut list = Vec::new();
        for Found { name, text } in self.found(name.setting()) {
            let Some(text) = text else { return Err(SettingsError::NoValue { name }) };
            let Ok(text) = String::from_utf8(text) else { return Err(SettingsError::NotUtf8 { name }) };
            if text.is_empty() {
                list.clear();
            }
            list.extend(text.lines().filter(|line| !line.is_empty()).map(str::to_owned));
        }
        Ok(list)
    }
}

fn repository_may(setting: &Setting, value: Option<&[u8]>) -> bool {
    match setting.rule {
        Rule::Anywhere => true,
        Rule::UserOnly => false,
        Rule::RepositoryMayTighten(to) if setting.kind == Kind::Boolean => {
            parse_boolean(value) == parse_boolean(Some(to.as_bytes()))
        }
        Rule::RepositoryMayTighten(to) => value == Some(to.as_bytes()),
    }
}

/// The command that sets `key` for the user. The value is quoted for a shell: it was not the user who chose it.
fn remedy(setting: &Setting, key: &str, value: Option<&[u8]>) -> String {
    let value = value.map_or_else(|| "true".into(), String::from_utf8_lossy);
    let quoted = format!("'{}'", value.replace('\'', r"'\''"));
    let add = if setting.kind == Kind::List { " --add" } else { "" };
    format!("git config --global{add} {key} {quoted}")
}

#[cfg(test)]
mod tests;
