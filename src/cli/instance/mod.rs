//! Which Sigstore this is: the documents that the settings choose, from files, from an instance, or with pieces in the
//! place of an instance's own.

pub mod documents;
mod pieces;
pub mod services;
pub mod store;
pub mod tuf;

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::error::CliError;
use super::input;
use super::settings::{Pieces, Settings, TufMirror};
use crate::format::x509::Certificate;
use crate::trust::InstanceName;
use crate::trust::embedded::PUBLIC;
use crate::trust::export::{Export, Exported, Origin as ExportedOrigin};
use crate::trust::instance::CLIENT_ID;
use crate::trust::root::{MAX_TRUSTED_ROOT_LEN, TrustedRoot};
use crate::trust::signing_config::{MAX_CONFIG_LEN, Service, SigningConfig};
use documents::{Documents, Origin};
use store::Pair;

/// Why an instance can be verified with and not be signed with.
const NO_SIGNING_CONFIG: &str = "its TUF repository lists no signing_config.v0.2.json";

/// Whom we believe, and where that is written.
#[derive(Debug)]
pub struct ChosenRoot {
    /// The keys and certificates.
    pub root: TrustedRoot,
    /// Where they come from.
    pub origin: RootOrigin,
}

/// Where a trusted root comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootOrigin {
    /// An instance.
    Instance {
        /// Its name, if it has one.
        name: Option<InstanceName>,
        /// Where its documents come from.
        origin: Origin,
        /// Whether keys or certificates of gitsign's settings stand in place of its own.
        in_pieces: bool,
    },
    /// `gitseal.trustedRoot`.
    File(PathBuf),
}

/// Whom we ask, and as whom.
#[derive(Debug)]
pub struct ChosenConfig {
    /// The services.
    pub config: SigningConfig,
    /// The audience of tokens.
    pub client_id: String,
}

/// The TUF repository of cosign's variables, where nothing of gitseal's own and no key that stands alone says whom to
/// believe.
#[must_use]
pub fn mirror(settings: &Settings) -> Option<&TufMirror> {
    let Settings { instance, trusted_root, signing_config, pieces, tuf_mirror, .. } = settings;
    let said = instance.is_some() || trusted_root.is_some() || signing_config.is_some() || pieces::any_key(pieces);
    tuf_mirror.as_ref().filter(|_| !said)
}

/// Settings that take the place of any instance's documents: who chooses an instance and sees no change should know.
#[must_use]
pub fn in_its_place(settings: &Settings) -> Vec<String> {
    let documents = [
        ("gitseal.trustedRoot (or GITSEAL_TRUSTED_ROOT)", settings.trusted_root.is_some()),
        ("gitseal.signingConfig (or GITSEAL_SIGNING_CONFIG)", settings.signing_config.is_some()),
    ];
    let set = documents.into_iter().filter(|(_, set)| *set);
    set.map(|(label, _)| format!("{label} is set and counts more than the instance's own document")).collect()
}

/// What the settings choose. The documents of an instance are read and judged when they are first needed, and once.
pub struct Choice<'a> {
    settings: &'a Settings,
    now: Timestamp,
    documents: OnceCell<Documents>,
}

impl<'a> Choice<'a> {
    /// What `settings` choose at `now`; nothing is read yet.
    #[must_use]
    pub fn new(settings: &'a Settings, now: Timestamp) -> Self {
        Choice { settings, now, documents: OnceCell::new() }
    }

    /// The trusted root.
    ///
    /// # Errors
    /// A file cannot be read, or is not what it should be.
    pub fn trusted_root(&self) -> Result<ChosenRoot, CliError> {
        if let Some(path) = &self.settings.trusted_root {
            let root =
                TrustedRoot::from_json(&trusted_root_file(path)?).map_err(|error| CliError::document(path, error))?;
            return Ok(ChosenRoot { root, origin: RootOrigin::File(path.clone()) });
        }
        let Documents { instance: name, pair, origin, .. } = self.documents()?;
        let root = TrustedRoot::from_json(&pair.trusted_root);
        let mut root = root.map_err(|error| CliError::instance(name.as_ref(), error))?;
        let in_pieces = pieces::replace(&mut root, &self.settings.pieces)?;
        let (name, origin) = (name.clone(), origin.clone());
        Ok(ChosenRoot { root, origin: RootOrigin::Instance { name, origin, in_pieces } })
    }

    /// The signing config.
    ///
    /// # Errors
    /// A file cannot be read, or is not what it should be.
    pub fn signing_config(&self) -> Result<ChosenConfig, CliError> {
        if let Some(path) = &self.settings.signing_config {
            let config = SigningConfig::from_json(&signing_config_file(path)?);
            let config = config.map_err(|error| CliError::document(path, error))?;
            return Ok(ChosenConfig { config, client_id: self.client_id(None) });
        }
        let Documents { instance: name, pair, issuer, client_id, .. } = self.documents()?;
        let json = pair.signing_config.as_ref().ok_or_else(|| CliError::instance(name.as_ref(), NO_SIGNING_CONFIG))?;
        let config = SigningConfig::from_json(json);
        let mut config = config.map_err(|error| CliError::instance(name.as_ref(), error))?;
        if let Some(url) = issuer {
            config.oidc_providers = vec![Service::at(url.clone(), 1)];
        }
        pieces::replace_addresses(&mut config, self.settings);
        Ok(ChosenConfig { config, client_id: self.client_id(client_id.as_ref()) })
    }

    /// The user's word, else the instance's, else the usual one.
    fn client_id(&self, instances: Option<&String>) -> String {
        self.settings.client_id.as_ref().or(instances).map_or(CLIENT_ID, String::as_str).to_owned()
    }

    fn documents(&self) -> Result<&Documents, CliError> {
        match self.documents.get() {
            Some(documents) => Ok(documents),
            None => {
                let documents = Documents::in_force(self.settings, self.now)?;
                Ok(self.documents.get_or_init(|| documents))
            }
        }
    }
}

/// The documents that the settings choose, as one file carries them elsewhere.
///
/// # Errors
/// A file cannot be read, or what is chosen are pieces and no documents.
pub fn to_export(settings: &Settings, now: Timestamp) -> Result<(Export, Exported), CliError> {
    if settings.trusted_root.is_none() && pieces::any_key(&settings.pieces)
        || settings.signing_config.is_none() && pieces::any_address(&settings.pieces)
    {
        return Err(CliError::Usage {
            problem: "gitsign's or cosign's settings replace parts of the instance, and parts are no document".into(),
            hint: "unset them (gitseal-config(5), AN INSTANCE IN PIECES), or define an instance with 'gitseal instance add'"
                .into(),
        });
    }
    let documents = match (&settings.trusted_root, &settings.signing_config) {
        (Some(root), Some(config)) => {
            let (root, config) = (trusted_root_file(root)?, signing_config_file(config)?);
            let pair = Pair { trusted_root: root, signing_config: Some(config) };
            let exported = Exported { exported_at: now, as_of: None, origin: ExportedOrigin::Files {} };
            return Ok((export(None, pair, None, settings.client_id.clone())?, exported));
        }
        (None, None) => Documents::in_force(settings, now)?,
        // One document of an instance and one from somewhere else are nobody's instance.
        _ => {
            return Err(CliError::Usage {
                problem: "a trusted root or a signing config is set without the other".into(),
                hint: "set both or none of gitseal.trustedRoot and gitseal.signingConfig".into(),
            });
        }
    };
    let Documents { instance, pair, origin, issuer, client_id } = documents;
    Ok((export(instance, pair, issuer, client_id)?, origin.exported(now)))
}

fn export(
    instance: Option<InstanceName>,
    pair: Pair,
    issuer: Option<String>,
    client_id: Option<String>,
) -> Result<Export, CliError> {
    let Pair { trusted_root, signing_config } = pair;
    let signing_config = signing_config.ok_or_else(|| CliError::instance(instance.as_ref(), NO_SIGNING_CONFIG))?;
    Ok(Export { instance, issuer, client_id, exported: None, trusted_root, signing_config })
}

/// Whether these pieces can be used, whatever instance they would be put into.
///
/// # Errors
/// A file cannot be read, or is not what it should be.
pub fn check_pieces(pieces: &Pieces) -> Result<(), CliError> {
    let mut root = TrustedRoot::from_json(PUBLIC.trusted_root).expect("a test reads the embedded documents");
    pieces::replace(&mut root, pieces).map(drop)
}

/// The authorities of `gitseal.smimeCaFile`; none without it.
///
/// # Errors
/// The file cannot be read, or holds no certificates.
pub fn smime_authorities(settings: &Settings) -> Result<Vec<Certificate>, CliError> {
    settings.smime_ca_file.as_deref().map_or(Ok(Vec::new()), pieces::certificates)
}

/// The bytes of a trusted root that a setting or an option names.
///
/// # Errors
/// The file cannot be read.
pub fn trusted_root_file(path: &Path) -> Result<Vec<u8>, CliError> {
    input::file(path, "the trusted root", MAX_TRUSTED_ROOT_LEN as u64)
}

/// The bytes of a signing config that a setting or an option names.
///
/// # Errors
/// The file cannot be read.
pub fn signing_config_file(path: &Path) -> Result<Vec<u8>, CliError> {
    input::file(path, "the signing config", MAX_CONFIG_LEN as u64)
}
