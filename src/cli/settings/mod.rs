//! What the user has decided, read once: git configuration and the environment, flags on top (DESIGN section 6).
//!
//! From low to high: built in, `gitsign.*`, `gitseal.*`, the environment (`SIGSTORE_*`, `GITSIGN_*`, `GITSEAL_*`), flags.
//! A repository's own configuration may choose an instance and ask for more; a value there that would decide whom to
//! believe is left out and reported, with the command that sets it rightly.

mod definitions;
pub mod source;
pub mod table;
mod values;

pub use values::{
    AgentSettings, AgentUse, Expected, LoginSettings, MatchCommitter, OnlineLookup, Pieces, PolicySettings, RekorMode,
    Selected, TokenSources, TufMirror,
};

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use super::shell::quote;
use crate::net::Roots;
use crate::repo::config::{Config, Environment, Scope, parse_boolean};
use crate::trust::InstanceName;
use crate::trust::instance::NameError;
use source::{Place, SetValue, Standing};
use table::{Kind, Name, Setting};
use values::AUTOCLOSE_TIMEOUT;

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
    /// Not the name of any instance.
    #[error("{name} is '{value}', which can be no instance: {cause}")]
    Instance {
        /// The key or variable.
        name: String,
        /// What it holds.
        value: String,
        /// Why not.
        cause: NameError,
    },
    /// Not one of git's booleans.
    #[error("{name} is '{value}', which is neither true nor false")]
    Boolean {
        /// The key or variable.
        name: String,
        /// What it holds.
        value: String,
    },
    /// Not a number, or one that is too large.
    #[error("{name} is '{value}', which is no number from 0 to {max}")]
    Count {
        /// The key or variable.
        name: String,
        /// What it holds.
        value: String,
        /// The largest number it may hold.
        max: usize,
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
        | SettingsError::Instance { name, .. }
        | SettingsError::Boolean { name, .. }
        | SettingsError::Count { name, .. }
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

/// What the user has decided.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// Which Sigstore; the public one without a word of the user's.
    pub instance: Option<Selected>,
    /// A trusted root instead of the instance's.
    pub trusted_root: Option<PathBuf>,
    /// A signing config instead of the instance's.
    pub signing_config: Option<PathBuf>,
    /// Parts of an instance without documents.
    pub pieces: Pieces,
    /// An instance without a name, where nothing of gitseal's own says otherwise.
    pub tuf_mirror: Option<TufMirror>,
    /// Whose signatures are expected.
    pub expected: Expected,
    /// Who may do what in a history.
    pub policy: PolicySettings,
    /// Authorities for S/MIME, PEM.
    pub smime_ca_file: Option<PathBuf>,
    /// Whether certificates without an SCT pass.
    pub insecure_ignore_sct: bool,
    /// How many different operators' logs must have seen a signature.
    pub log_threshold: usize,
    /// How many different operators' authorities must have stamped it.
    pub timestamp_threshold: usize,
    /// Whether the log may be asked.
    pub online_lookup: OnlineLookup,
    /// Certificate authorities for the services' servers, PEM, in place of the system's.
    pub ssl_ca_info: Option<PathBuf>,
    /// Where tokens come from.
    pub token: TokenSources,
    /// Who asks for a token.
    pub client_id: Option<String>,
    /// How a person logs in.
    pub login: LoginSettings,
    /// Who signs here, and nobody else: an e-mail address, or the subject of a workload.
    pub identity: Option<String>,
    /// The agent.
    pub agent: AgentSettings,
    /// How much it matters that the committer is the signer.
    pub match_committer: MatchCommitter,
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

/// What reading the settings gave, faults included.
#[derive(Debug, Default)]
pub struct Reading {
    /// The settings; where a value means nothing, the built-in default.
    pub settings: Settings,
    /// What a repository may not set.
    pub ignored: Vec<Ignored>,
    /// What means nothing.
    pub errors: Vec<(Name, SettingsError)>,
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
        let Reading { settings, ignored, errors } = Settings::examine(config, environment, home);
        errors.into_iter().next().map_or(Ok((settings, ignored)), |(_, error)| Err(error))
    }

    /// Read them to the end, whatever is wrong with some of them.
    #[must_use]
    pub fn examine(config: &Config, environment: Environment<'_>, home: Option<PathBuf>) -> Reading {
        let mut reader = Reader { config, environment, home, ignored: Vec::new(), errors: Vec::new() };
        let settings = Settings {
            instance: reader.instance(),
            trusted_root: reader.path(Name::TrustedRoot),
            signing_config: reader.path(Name::SigningConfig),
            pieces: Pieces {
                fulcio: reader.text(Name::Fulcio),
                fulcio_root: reader.path(Name::FulcioRoot),
                rekor: reader.text(Name::Rekor),
                rekor_public_key: reader.path(Name::RekorPublicKey),
                ct_log_public_key: reader.path(Name::CtLogPublicKey),
                timestamp_server: reader.text(Name::TimestampServerUrl),
                timestamp_chain: reader.path(Name::TimestampCertChain),
                issuer: reader.text(Name::Issuer),
            },
            tuf_mirror: reader.tuf_mirror(),
            expected: Expected {
                identities: reader.list(Name::CertificateIdentity),
                identity_patterns: reader.list(Name::CertificateIdentityRegexp),
                issuers: reader.list(Name::CertificateOidcIssuer),
                issuer_patterns: reader.list(Name::CertificateOidcIssuerRegexp),
            },
            policy: PolicySettings {
                root: reader.text(Name::PolicyRoot),
                roots: reader.path(Name::PolicyRoots),
                file: reader.path(Name::PolicyFile),
                path: reader.text(Name::PolicyPath),
                reference: reader.text(Name::PolicyRef),
                pgp_keyring: reader.path(Name::PgpKeyring),
                pushees: reader.list(Name::Pushee),
            },
            smime_ca_file: reader.path(Name::SmimeCaFile),
            insecure_ignore_sct: reader.boolean(Name::InsecureIgnoreSct),
            log_threshold: reader.count(Name::LogThreshold),
            timestamp_threshold: reader.count(Name::TimestampThreshold),
            online_lookup: match reader.text(Name::OnlineLookup).as_deref() {
                Some("always") => OnlineLookup::Always,
                Some("never") => OnlineLookup::Never,
                _ => OnlineLookup::Auto,
            },
            ssl_ca_info: reader.path(Name::SslCaInfo),
            token: TokenSources {
                token: reader.text(Name::IdToken),
                file: reader.path(Name::IdTokenFile),
                provider: reader.text(Name::TokenProvider),
            },
            client_id: reader.text(Name::ClientId),
            login: LoginSettings {
                connector_id: reader.text(Name::ConnectorId),
                redirect_url: reader.text(Name::RedirectUrl),
                client_secret_file: reader.path(Name::ClientSecretFile),
                url_opener: reader.text(Name::UrlOpener),
                autoclose: reader.switch(Name::Autoclose).unwrap_or(true),
                autoclose_timeout: reader
                    .text(Name::AutocloseTimeout)
                    .and_then(|seconds| source::parse_count(seconds.as_bytes()))
                    .map_or(AUTOCLOSE_TIMEOUT, |seconds| Duration::from_secs(seconds as u64)),
                remember: reader.boolean(Name::RememberLogin),
                acknowledged: reader.list(Name::Acknowledged),
            },
            identity: reader.text(Name::Identity),
            agent: AgentSettings {
                wanted: match reader.text(Name::Agent).as_deref() {
                    Some("off") => AgentUse::Off,
                    Some("require") => AgentUse::Require,
                    _ => AgentUse::Auto,
                },
                socket: reader.path(Name::AgentSocket),
                directory: reader.path(Name::AgentDirectory),
                forward_instances: reader.list(Name::ForwardInstance),
            },
            match_committer: match reader.level(Name::MatchCommitter) {
                Some("require") => MatchCommitter::Require,
                Some("warn") => MatchCommitter::Warn,
                _ => MatchCommitter::Off,
            },
            rekor_mode: match reader.text(Name::RekorMode).as_deref() {
                Some("online") => RekorMode::Online,
                _ => RekorMode::Offline,
            },
            rekor_version: match reader.text(Name::RekorVersion).as_deref() {
                Some("1") => Some(1),
                Some("2") => Some(2),
                _ => None,
            },
        };
        reader.ignored.extend(definitions::attempted(config));
        Reading { settings, ignored: reader.ignored, errors: reader.errors }
    }

    /// Who vouches for the services' servers.
    #[must_use]
    pub fn server_roots(&self) -> Roots {
        Roots { ca_file: self.ssl_ca_info.clone() }
    }

    /// Whether files take the place of both documents of any instance.
    #[must_use]
    pub fn need_no_instance(&self) -> bool {
        self.trusted_root.is_some() && self.signing_config.is_some()
    }

    /// The instance in force, where no file and no variable of somebody else's takes its place.
    #[must_use]
    pub fn instance_name(&self) -> InstanceName {
        self.instance.as_ref().map_or_else(InstanceName::public, |selected| selected.name.clone())
    }
}

/// One value that counts and the name of the place it came from.
struct Found {
    name: String,
    scope: Option<Scope>,
    text: Option<Vec<u8>>,
}

struct Reader<'a> {
    config: &'a Config,
    environment: Environment<'a>,
    home: Option<PathBuf>,
    ignored: Vec<Ignored>,
    errors: Vec<(Name, SettingsError)>,
}

impl Reader<'_> {
    /// All values that count, lowest precedence first.
    fn found(&mut self, setting: &Setting) -> Vec<Found> {
        let values = source::values_of(setting, self.config, self.environment);
        // Where the user's own variable decides, what a repository tries is not worth a word.
        let decided = values.iter().any(|value| matches!(value.place, Place::Variable(_)));
        let mut found = Vec::new();
        for SetValue { place, text, standing } in values {
            let name = place.name();
            let scope = match place {
                Place::Key { scope, .. } => Some(scope),
                Place::Variable(_) => None,
            };
            match standing {
                Standing::Counts => found.push(Found { name, scope, text }),
                Standing::RepositoryMayNot if !decided => {
                    self.ignored.push(Ignored { remedy: remedy(setting, &name, text.as_deref()), key: name });
                }
                Standing::RepositoryMayNot | Standing::Overridden => {}
            }
        }
        found
    }

    /// The value, or the built-in default in the place of one that means nothing.
    fn noted<T: Default>(&mut self, name: Name, value: Result<T, SettingsError>) -> T {
        value.unwrap_or_else(|error| {
            self.errors.push((name, error));
            T::default()
        })
    }

    /// The value that counts most; an empty one means the built-in default.
    fn last(&mut self, setting: &Setting) -> Result<Option<(String, String)>, SettingsError> {
        let Some(found) = self.found(setting).pop() else { return Ok(None) };
        let (name, text) = found.into_text()?;
        Ok((!text.is_empty()).then_some((name, text)))
    }

    fn text(&mut self, name: Name) -> Option<String> {
        let setting = name.setting();
        let value = self.last(setting).and_then(|found| match found {
            Some((name, value)) => check(setting, name, value).map(Some),
            None => Ok(None),
        });
        self.noted(name, value)
    }

    fn instance(&mut self) -> Option<Selected> {
        let found = self.found(Name::Instance.setting()).pop()?;
        let scope = found.scope;
        let selected = found.into_text().and_then(|(by, value)| match InstanceName::new(&value) {
            _ if value.is_empty() => Ok(None),
            Ok(name) => Ok(Some(Selected { name, by, scope })),
            Err(cause) => Err(SettingsError::Instance { name: by, value, cause }),
        });
        self.noted(Name::Instance, selected)
    }

    /// Both or none: a mirror without its first root would have to be believed at first sight.
    fn tuf_mirror(&mut self) -> Option<TufMirror> {
        let (url, root) = (self.text(Name::TufMirror), self.path(Name::TufRootJson));
        url.zip(root).map(|(url, root)| TufMirror { url, root })
    }

    fn path(&mut self, name: Name) -> Option<PathBuf> {
        let value = self.last(name.setting()).and_then(|found| match found {
            Some((name, value)) => self.under_home(name, &value).map(Some),
            None => Ok(None),
        });
        self.noted(name, value)
    }

    fn under_home(&self, name: String, value: &str) -> Result<PathBuf, SettingsError> {
        match value.strip_prefix("~/") {
            Some(below) => Ok(self.home.as_ref().ok_or(SettingsError::NoHome { name })?.join(below)),
            None => Ok(PathBuf::from(value)),
        }
    }

    fn boolean(&mut self, name: Name) -> bool {
        self.switch(name).unwrap_or(false)
    }

    /// A boolean, if it is set and is one.
    fn switch(&mut self, name: Name) -> Option<bool> {
        let Found { name: key, text, .. } = self.found(name.setting()).pop()?;
        let value = parse_boolean(text.as_deref()).map(Some).ok_or_else(|| {
            let value = text.as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
            SettingsError::Boolean { name: key, value }
        });
        self.noted(name, value)
    }

    /// The word of a level, if it is set.
    fn level(&mut self, name: Name) -> Option<&'static str> {
        let Kind::Level(allowed) = name.setting().kind else { return None };
        let Found { name: key, text, .. } = self.found(name.setting()).pop()?;
        let level = source::parse_level(allowed, text.as_deref()).map(|level| Some(allowed[level]));
        let level = level.ok_or_else(|| {
            let value = text.as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
            SettingsError::Choice { name: key, value, allowed }
        });
        self.noted(name, level)
    }

    fn count(&mut self, name: Name) -> usize {
        self.text(name).and_then(|value| source::parse_count(value.as_bytes())).unwrap_or(0)
    }

    /// All values; in a variable, one a line.
    fn list(&mut self, name: Name) -> Vec<String> {
        let mut list = Vec::new();
        for found in self.found(name.setting()) {
            match found.into_text() {
                Ok((_, text)) => list.extend(text.lines().filter(|line| !line.is_empty()).map(str::to_owned)),
                Err(error) => self.errors.push((name, error)),
            }
        }
        list
    }
}

impl Found {
    fn into_text(self) -> Result<(String, String), SettingsError> {
        let Found { name, text, .. } = self;
        let Some(text) = text else { return Err(SettingsError::NoValue { name }) };
        match String::from_utf8(text) {
            Ok(text) => Ok((name, text)),
            Err(_) => Err(SettingsError::NotUtf8 { name }),
        }
    }
}

fn check(setting: &Setting, name: String, value: String) -> Result<String, SettingsError> {
    match setting.kind {
        Kind::Choice(allowed) if !allowed.contains(&value.as_str()) => {
            Err(SettingsError::Choice { name, value, allowed })
        }
        Kind::Url if !(value.starts_with("https://") || value.starts_with("http://")) => {
            Err(SettingsError::Url { name, value })
        }
        Kind::Count(max) if source::parse_count(value.as_bytes()).is_none_or(|count| count > max) => {
            Err(SettingsError::Count { name, value, max })
        }
        _ => Ok(value),
    }
}

/// The command that sets `key` for the user. The value is quoted for a shell: it was not the user who chose it.
fn remedy(setting: &Setting, key: &str, value: Option<&[u8]>) -> String {
    let quoted = quote(value.unwrap_or(b"true"));
    let add = if setting.kind == Kind::List { " --add" } else { "" };
    format!("git config --global{add} {key} {quoted}")
}

#[cfg(test)]
mod tests;
