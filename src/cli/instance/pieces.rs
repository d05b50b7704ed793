//! An instance in pieces, as gitsign and cosign take it: single addresses, keys and certificates in the place of what
//! the documents of an instance say.

use std::path::Path;

use base64ct::{Base64, Encoding as _};
use jiff::Timestamp;
use serde_json::json;

use crate::cli::error::CliError;
use crate::cli::input;
use crate::cli::settings::{Pieces, Settings};
use crate::crypto::PublicKey;
use crate::format::log_entry;
use crate::format::pem;
use crate::format::time::Interval;
use crate::format::x509::Certificate;
use crate::trust::root::{Authority, LogKey, TrustedRoot};
use crate::trust::signing_config::{Selector, Service, SigningConfig};

/// Whether there is a piece that says whom to believe.
pub(super) fn any_key(pieces: &Pieces) -> bool {
    let Pieces { fulcio_root, rekor_public_key, ct_log_public_key, timestamp_chain, .. } = pieces;
    [fulcio_root, rekor_public_key, ct_log_public_key, timestamp_chain].iter().any(|piece| piece.is_some())
}

/// Whether there is a piece that says whom to ask.
pub(super) fn any_address(pieces: &Pieces) -> bool {
    let Pieces { fulcio, rekor, timestamp_server, issuer, .. } = pieces;
    [fulcio, rekor, timestamp_server, issuer].iter().any(|piece| piece.is_some())
}

/// Put each address in the place of the instance's own.
pub(super) fn replace_addresses(config: &mut SigningConfig, settings: &Settings) {
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
        config.timestamp_selector = Selector::Any;
    }
}

/// Put each piece in the place of the instance's own, as gitsign does; whether there was any.
pub(super) fn replace(root: &mut TrustedRoot, pieces: &Pieces) -> Result<bool, CliError> {
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
    Ok(any_key(pieces))
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

pub(super) fn certificates(path: &Path) -> Result<Vec<Certificate>, CliError> {
    let text = input::text(path, "certificates")?;
    let certificates = Certificate::from_pem_chain(&text).map_err(|error| CliError::document(path, error))?;
    if certificates.is_empty() {
        return Err(CliError::document(path, "it holds no certificate"));
    }
    Ok(certificates)
}
