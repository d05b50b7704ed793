//! Signing for git: the instance that the settings choose, the token that says who signs, and the signer.

use std::path::Path;

use jiff::Timestamp;

use super::agent;
use super::agent::sign::Wanted;
use super::committer::Committer;
use super::error::CliError;
use super::instance::tuf::{Renewal, TufInstance};
use super::instance::{Choice, ChosenConfig};
use super::settings::{RekorMode, Settings};
use super::signatory::Signatory;
use super::streams::Streams;
use crate::crypto::sha256;
use crate::net::{Client, Limits};
use crate::service::Session;
use crate::service::session::SIGNING_TIME;
use crate::sign::git::{GitSigner, Payload, Signed};
use crate::trust::Instance;
use crate::trust::instance::CLIENT_ID;

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
    let mut signatory = Signatory::of(settings)?;
    let committer = Committer::of(payload, settings.match_committer)?;
    if signatory.is_machine() || signatory.subject().is_some() {
        committer.admit(signatory.token(streams)?.subject(), streams)?;
    }
    let given = signatory.subject().map(|subject| subject.as_str().to_owned());
    let wanted = Wanted {
        payload: as_wanted(settings, payload),
        identity: given.or_else(|| settings.identity.clone()).or_else(|| committer.required().map(str::to_owned)),
        issuer: signatory.issuer().or_else(|| settings.pieces.issuer.clone()),
        context: agent::sign::context(payload, repository),
        committer,
    };
    let signed = match agent::sign::sign(settings, &wanted, &mut signatory, streams)? {
        Some(signed) => signed,
        None => sign_here(settings, &wanted, &mut signatory, streams)?,
    };
    // The name of a workload is not known before: its authority makes it up.
    wanted.committer.judge(&signed.identity.subject, streams)?;
    Ok(signed)
}

/// In this process: a key for this one signature.
fn sign_here(
    settings: &Settings,
    wanted: &Wanted<'_>,
    signatory: &mut Signatory<'_>,
    streams: &mut Streams,
) -> Result<Signed, CliError> {
    let token = signatory.token(streams)?;
    wanted.committer.admit(token.subject(), streams)?;
    renew(settings, streams)?;
    let instance = instance(settings)?;
    let client = Client::new(settings.server_roots(), Limits::default());
    let clock = Timestamp::now;
    let signer = GitSigner::new(instance, &clock);
    Ok(signer.sign(Session::new(&client, SIGNING_TIME), token, &wanted.payload)?)
}

/// Fetch what is in force if what is believed soon expires: signing has the network, verifying has not.
///
/// # Errors
/// What is kept cannot be used.
pub fn renew(settings: &Settings, streams: &mut Streams) -> Result<(), CliError> {
    if settings.need_no_instance() {
        return Ok(());
    }
    let Some(instance) = TufInstance::in_force(settings)? else { return Ok(()) };
    if let Renewal::Failed(error) = instance.renew(settings.server_roots(), Timestamp::now())? {
        streams.warning(&format!("what is believed expires within a day, and could not be renewed: {error}"));
    }
    Ok(())
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

/// The instance that the settings choose, for signing.
///
/// # Errors
/// One of its documents cannot be read, or names no log of the wanted version.
pub fn instance(settings: &Settings) -> Result<Instance, CliError> {
    let now = Timestamp::now();
    let choice = Choice::new(settings, now);
    let ChosenConfig { config: mut signing_config, client_id } = choice.signing_config()?;
    if let Some(version) = settings.rekor_version {
        signing_config.logs.retain(|log| log.major_api_version == version);
        if signing_config.logs.is_empty() {
            return Err(CliError::Usage {
                problem: format!("the signing config names no transparency log of version {version}"),
                hint: "unset gitseal.rekorVersion, or use a signing config that names one".into(),
            });
        }
    }
    Ok(Instance {
        name: settings.instance_name().to_string(),
        trusted_root: choice.trusted_root()?.root,
        issuer: signing_config.oidc_provider(now).ok().map(|provider| provider.url.clone()),
        signing_config,
        client_id,
    })
}

/// The audience that tokens must be for, even where the instance cannot be had.
#[must_use]
pub fn client_id(settings: &Settings, now: Timestamp) -> String {
    let chosen = || Choice::new(settings, now).signing_config().map_or(CLIENT_ID.to_owned(), |chosen| chosen.client_id);
    settings.client_id.clone().unwrap_or_else(chosen)
}
