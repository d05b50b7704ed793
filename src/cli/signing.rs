//! Signing for git: through the agent, or in this process with a key for this one signature.

use std::path::Path;

use jiff::Timestamp;

use super::agent;
use super::agent::sign::Wanted;
use super::committer::Committer;
use super::error::CliError;
use super::instance::services::{instance, renew};
use super::settings::{RekorMode, Settings};
use super::signatory::Signatory;
use super::streams::Streams;
use crate::crypto::sha256;
use crate::net::{Client, Limits};
use crate::service::Session;
use crate::service::session::SIGNING_TIME;
use crate::sign::git::{GitSigner, Payload, Signed};

/// Sign `payload` as `settings` say, through the agent or in this process.
///
/// # Errors
/// There is no token, or no signature: then nothing at all has been made that git could take for one.
pub fn sign(
    settings: &Settings,
    payload: &[u8],
    repository: Option<&Path>,
    streams: &mut Streams,
) -> Result<Signed, CliError> {
    let committer = Committer::of(payload, settings.match_committer)?;
    let mut signatory = Signatory::of(settings, &committer)?;
    if signatory.is_machine() || signatory.subject().is_some() {
        signatory.token(streams)?;
    }
    let given = signatory.subject().map(|subject| subject.as_str().to_owned());
    let wanted = Wanted {
        payload: as_wanted(settings, payload),
        identity: given.or_else(|| settings.identity.clone()).or_else(|| committer.required().map(str::to_owned)),
        issuer: signatory.issuer().or_else(|| settings.pieces.issuer.clone()),
        context: agent::sign::context(payload, repository),
    };
    let signed = match agent::sign::sign(settings, &wanted, &mut signatory, streams)? {
        Some(signed) => signed,
        None => sign_here(settings, &wanted.payload, &mut signatory, streams)?,
    };
    // The name of a workload is not known before: its authority makes it up.
    committer.judge(&signed.identity.subject, streams)?;
    Ok(signed)
}

/// In this process: a key for this one signature.
fn sign_here(
    settings: &Settings,
    payload: &Payload<'_>,
    signatory: &mut Signatory<'_>,
    streams: &mut Streams,
) -> Result<Signed, CliError> {
    let token = signatory.token(streams)?;
    renew(settings, streams)?;
    let instance = instance(settings)?;
    let client = Client::new(settings.server_roots(), Limits::default());
    let clock = Timestamp::now;
    let signer = GitSigner::new(instance, &clock);
    Ok(signer.sign(Session::new(&client, SIGNING_TIME), token, payload)?)
}

/// Whether the settings alone, with no service asked, allow a signature to be made.
///
/// # Errors
/// What signing would fail with before it sends anything.
pub fn check(settings: &Settings) -> Result<(), CliError> {
    let instance = instance(settings)?;
    Ok(GitSigner::new(instance, &Timestamp::now).check(&as_wanted(settings, b""))?)
}

fn as_wanted<'a>(settings: &Settings, payload: &'a [u8]) -> Payload<'a> {
    match settings.rekor_mode {
        RekorMode::Offline => Payload::Embedded(sha256(payload)),
        RekorMode::Online => Payload::LogOnly(payload),
    }
}
