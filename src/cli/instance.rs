//! Which Sigstore this is: the documents that the settings choose, from a file, from pieces, or built in.

use std::path::{Path, PathBuf};

use base64ct::{Base64, Encoding as _};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;

use super::error::CliError;
use super::input;
use super::settings::{InstanceName, Pieces, Settings};
use crate::crypto::PublicKey;
use crate::format::log_entry;
use crate::format::pem;
use crate::format::time::Interval;
use crate::format::x509::Certificate;
use crate::trust::embedded::{self, Embedded};
use crate::trust::root::{Authority, LogKey, MAX_TRUSTED_ROOT_LEN, TrustedRoot};
use crate::trust::signing_config::{MAX_CONFIG_LEN, Selector, Service, SigningConfig};

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
    /// It came with this program.
    Embedded {
        /// The instance.
        name: &'static str,
        /// How old the document is.
        date: Date,
    },
    /// `gitseal.trustedRoot`.
    File(PathBuf),
    /// The built-in one, with keys or certificates of gitsign's settings in place of its own.
    Pieces(&'static str),
}

/// The trusted root that the settings choose.
///
/// # Errors
/// A file cannot be read, or is not what it should be.
pub fn trusted_root(settings: &Settings) -> Result<ChosenRoot, CliError> {
    if let Some(path) = &settings.trusted_root {
        let json = input::file(path, "the trusted root", MAX_TRUSTED_ROOT_LEN as u64)?;
        let root = TrustedRoot::from_json(&json).map_err(|error| CliError::document(path, error))?;
        return Ok(ChosenRoot { root, origin: RootOrigin::File(path.clone()) });
    }
    let Embedded { name, trusted_root, date, .. } = embedded(settings.instance);
    let mut root = TrustedRoot::from_json(trusted_root).expect("a test reads the embedded documents");
    let origin = if replace_pieces(&mut root, &settings.pieces)? {
        RootOrigin::Pieces(name)
    } else {
        RootOrigin::Embedded { name, date }
    };
    Ok(ChosenRoot { root, origin })
}

/// The signing config that the settings choose.
///
/// # Errors
/// A file cannot be read, or is not what it should be.
pub fn signing_config(settings: &Settings) -> Result<SigningConfig, CliError> {
    if let Some(path) = &settings.signing_config {
        let json = input::file(path, "the signing config", MAX_CONFIG_LEN as u64)?;
        return SigningConfig::from_json(&json).map_err(|error| CliError::document(path, error));
    }
    let embedded = embedded(settings.instance).signing_config;
    let mut config = SigningConfig::from_json(embedded).expect("a test reads the embedded documents");
    let pieces = &settings.pieces;
    if let Some(url) = &pieces.fulcio {
        config.authorities = vec![Service::at(url.clone(), 1)];
    }
    if let Some(url) = &pieces.issuer {
        config.oidc_providers = vec![Service::at(url.clone(), 1)];
    }
    if let Some(url) = &pieces.rekor {
        config.logs = vec![Service::at(url.clone(), settings.rekor_version.unwrap_or(1))];
        config.log_selector = Selector::Any;
    }
    if let Some(url) = &pieces.timestamp_server {
        config.timestamp_authorities = vec![Service::at(url.clone(), 1)];
        config.timestamp_selector = Selector::Any;
    } else if pieces.rekor.is_some() {
        // A private log's entries are not stamped by somebody else's authority unless that was asked for.
        config.timestamp_authorities = Vec::new();
    }
    Ok(config)
}

/// The authorities of `gitseal.smimeCaFile`; none without it.
///
/// # Errors
/// The file cannot be read, or holds no certificates.
pub fn smime_authorities(settings: &Settings) -> Result<Vec<Certificate>, CliError> {
    settings.smime_ca_file.as_deref().map_or(Ok(Vec::new()), certificates)
}

fn embedded(name: InstanceName) -> Embedded {
    match name {
        InstanceName::Public => embedded::PUBLIC,
        InstanceName::Staging => embedded::STAGING,
    }
}

/// Put each piece in the place of the instance's own, as gitsign does; whether there was any.
fn replace_pieces(root: &mut TrustedRoot, pieces: &Pieces) -> Result<bool, CliError> {
    let Pieces { fulcio_root, rekor_public_key, ct_log_public_key, timestamp_chain, .. } = pieces;
    if let Some(path) = fulcio_root {
        root.certificate_authorities = authorities(path, pieces.fulcio.as_deref())?;
    }
    if let Some(path) = rekor_public_key {
        // gitsign's users who replace the key alone keep the log's address.
        let url = pieces.rekor.clone().or_else(|| root.logs.first().map(|log| log.base_url.clone()));
        root.logs = log_key(path, url.as_deref())?;
    }
    if let Some(path) = ct_log_public_key {
        root.ct_logs = log_key(path, None)?;
    }
    if let Some(path) = timestamp_chain {
        root.timestamp_authorities = authorities(path, pieces.timestamp_server.as_deref())?;
    }
    Ok([fulcio_root, rekor_public_key, ct_log_public_key, timestamp_chain].iter().any(|piece| piece.is_some()))
}

/// A key says nothing about when it was in use.
const ALWAYS: Interval = Interval { start: Timestamp::UNIX_EPOCH, end: None };

/// The log at `url` with the key in a file. It is put in a document's own words, so that the one reader of documents
/// derives the names that it signs by.
fn log_key(path: &Path, url: Option<&str>) -> Result<Vec<LogKey>, CliError> {
    const LABEL: &str = "PUBLIC KEY";
    let ders = pem::decode_all(LABEL, &input::text(path, "a log's key")?);
    let ders = ders.map_err(|error| CliError::document(path, error))?;
    let [der] = ders.as_slice() else {
        return Err(CliError::document(path, "it does not hold exactly one public key"));
    };
    let key = PublicKey::from_spki_der(der).map_err(|error| CliError::document(path, error))?;
    let document = json!({
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "tlogs": [{
            "baseUrl": url.unwrap_or_default(),
            "publicKey": {
                "rawBytes": Base64::encode_string(der),
                "keyDetails": log_entry::key_details(&key).unwrap_or_default(),
                "validFor": { "start": ALWAYS.start.to_string() },
            },
            "logId": { "keyId": Base64::encode_string(&key.spki_sha256()) },
        }],
    });
    let root = TrustedRoot::from_json(document.to_string().as_bytes());
    Ok(root.map_err(|error| CliError::document(path, error))?.logs)
}

/// A bag of certificates as authorities: every certificate that can issue others, with its way up to a root.
fn authorities(path: &Path, url: Option<&str>) -> Result<Vec<Authority>, CliError> {
    let bag = certificates(path)?;
    let uri = url.unwrap_or_default().to_owned();
    let chains = bag.iter().map(|certificate| chain_up(certificate, &bag));
    Ok(chains.map(|chain| Authority { uri: uri.clone(), operator: String::new(), chain, valid_for: ALWAYS }).collect())
}

fn chain_up(first: &Certificate, bag: &[Certificate]) -> Vec<Certificate> {
    let mut chain = vec![first.clone()];
    while let Some(last) = chain.last()
        && last.issuer_der() != last.subject_der()
        && let Some(issuer) = bag.iter().find(|other| other.subject_der() == last.issuer_der())
        && !chain.contains(issuer)
    {
        chain.push(issuer.clone());
    }
    chain
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, CliError> {
    let text = input::text(path, "certificates")?;
    let certificates = Certificate::from_pem_chain(&text).map_err(|error| CliError::document(path, error))?;
    if certificates.is_empty() {
        return Err(CliError::document(path, "it holds no certificate"));
    }
    Ok(certificates)
}
