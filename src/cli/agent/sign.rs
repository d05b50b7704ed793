//! Signing through the agent: ask the one that runs, give it a token when it has no credential, start it when there is
//! none. What it gives back is looked at before it is believed: it must be about this payload.

use crate::agent::protocol::{
    Bytes, Code, Complaint, Context, Held, Hex32, Kind, Login, MAX_REPOSITORY_LEN, Request, Response, Scope, Secret,
    Sign, Signature, SignedPayload,
};
use crate::agent::{Client, ClientError};
use crate::cli::error::CliError;
use crate::cli::settings::{AgentUse, Settings};
use crate::cli::signatory::Signatory;
use crate::cli::streams::Streams;
use crate::crypto::sha256;
use crate::entity::SignerKey;
use crate::entity::cms::from_cms;
use crate::format::cms::SignedData;
use crate::format::git::{self, ObjectKind, SIGNED_MESSAGE};
use crate::format::pem;
use crate::service::IdToken;
use crate::sign::{Payload, Signed};
use crate::verify::content;

use super::{connect, digest_of, start};

/// What is to be signed, for whom, and where.
pub struct Wanted<'a> {
    /// The payload in the form that the settings ask for.
    pub payload: Payload<'a>,
    /// Who must sign, if that is known.
    pub identity: Option<String>,
    /// Whose word that is, if it is known.
    pub issuer: Option<String>,
    /// What for.
    pub context: Context,
}

/// What `payload` is, and where it will be stored.
#[must_use]
pub fn context(payload: &[u8], repository: Option<&std::path::Path>) -> Context {
    let kind = match git::recognise(payload) {
        Some((ObjectKind::Commit, _)) => Kind::Commit,
        Some((ObjectKind::Tag, _)) => Kind::Tag,
        _ if payload.starts_with(b"certificate version ") => Kind::Push,
        _ => Kind::Other,
    };
    let repository = repository.map(|path| path.display().to_string());
    Context { kind, repository: repository.filter(|path| path.len() <= MAX_REPOSITORY_LEN) }
}

/// Sign through the agent. `None` when this process had better do it: the agent is off, or cannot, or is not worth
/// starting for a token of a CI job.
///
/// # Errors
/// There is no signature, or the settings require an agent that cannot be had.
pub fn sign(
    settings: &Settings,
    wanted: &Wanted<'_>,
    signatory: &mut Signatory<'_>,
    streams: &mut Streams,
) -> Result<Option<Signed>, CliError> {
    let is_of_use = match settings.agent.wanted {
        AgentUse::Off => false,
        // A job has a token whenever it needs one, and no use for an agent that outlives its step.
        AgentUse::Auto => !signatory.is_machine(),
        AgentUse::Require => true,
    };
    if !is_of_use {
        return Ok(None);
    }
    match attempt(settings, wanted, signatory, streams) {
        Err(error) if settings.agent.wanted == AgentUse::Auto && is_no_reason_not_to_sign(&error) => {
            streams.warning(&format!("signing without the agent: {error}"));
            if let Some(hint) = error.hint() {
                streams.hint(&hint);
            }
            Ok(None)
        }
        outcome => outcome,
    }
}

/// Whether the fault is the agent's alone. One that ended in the middle of its work is not among them: what it was asked
/// for may be in the log already, and whoever asked should know.
fn is_no_reason_not_to_sign(error: &CliError) -> bool {
    match error {
        CliError::Agent(ClientError::Refused(Complaint { code, .. })) => match code {
            Code::Malformed | Code::Version | Code::Busy | Code::OtherSettings | Code::Locked => true,
            // What a forwarded agent may not do, and has not, can be done here.
            Code::Forbidden | Code::NoCredential => true,
            _ => false,
        },
        CliError::Agent(ClientError::Ended) => false,
        CliError::Agent(_) | CliError::AgentStart(_) => true,
        _ => false,
    }
}

fn attempt(
    settings: &Settings,
    wanted: &Wanted<'_>,
    signatory: &mut Signatory<'_>,
    streams: &mut Streams,
) -> Result<Option<Signed>, CliError> {
    let request = Request::Sign(request(settings, wanted));
    let mut running = connect(&settings.agent)?;
    if let Some(client) = &mut running {
        match client.ask(&request) {
            // One that somebody else started takes no token; it says where to log in.
            Err(ClientError::Refused(Complaint { code: Code::NoCredential, .. }))
                if settings.agent.socket.is_none() => {}
            answer => return finish(answer?, wanted).map(Some),
        }
    }
    let token = Secret::new(signatory.token(streams)?.reveal());
    let mut client = running.map_or_else(|| start::for_settings(&settings.agent), Ok)?;
    exchange(&mut client, scope(settings, wanted.issuer.clone(), wanted.identity.clone()), token)?;
    finish(client.ask(&request)?, wanted).map(Some)
}

/// Have the agent take `token`; it is started if there is none.
///
/// # Errors
/// There is no credential.
pub fn log_in(settings: &Settings, token: &IdToken) -> Result<Held, CliError> {
    let mut client = connect(&settings.agent)?.map_or_else(|| start::for_settings(&settings.agent), Ok)?;
    exchange(&mut client, scope(settings, None, settings.identity.clone()), Secret::new(token.reveal()))
}

fn exchange(client: &mut Client, scope: Scope, token: Secret) -> Result<Held, CliError> {
    match client.ask(&Request::Login(Login { scope, token }))? {
        Response::Credential(held) => Ok(held),
        _ => Err(ClientError::Answer.into()),
    }
}

fn scope(settings: &Settings, issuer: Option<String>, identity: Option<String>) -> Scope {
    Scope {
        instance: settings.instance_name(),
        settings: digest_of(settings),
        issuer,
        client_id: settings.client_id.clone(),
        identity,
    }
}

fn request(settings: &Settings, wanted: &Wanted<'_>) -> Sign {
    let payload = match &wanted.payload {
        Payload::Embedded(digest) => SignedPayload::Digest(Hex32(*digest)),
        Payload::LogOnly(bytes) => SignedPayload::Object(Bytes(bytes.to_vec())),
    };
    Sign {
        scope: scope(settings, wanted.issuer.clone(), wanted.identity.clone()),
        rekor_version: settings.rekor_version,
        payloads: vec![payload],
        context: wanted.context.clone(),
    }
}

/// The one signature in `response`, if it is about what was asked.
fn finish(response: Response, wanted: &Wanted<'_>) -> Result<Signed, CliError> {
    let digest = match &wanted.payload {
        Payload::Embedded(digest) => *digest,
        Payload::LogOnly(bytes) => sha256(bytes),
    };
    let Response::Signed(signatures) = response else { return Err(ClientError::Answer.into()) };
    let [signature] = <[Signature; 1]>::try_from(signatures).map_err(|_| ClientError::Answer)?;
    read(signature, &digest).ok_or_else(|| ClientError::Answer.into())
}

fn read(signature: Signature, digest: &[u8; 32]) -> Option<Signed> {
    let Signature { armour, signing_time, log_indices } = signature;
    let der = pem::decode_strict(SIGNED_MESSAGE, armour.as_bytes()).ok()?;
    let message = SignedData::parse(&der).ok()?;
    content::check_sha256(&message, digest).ok()?;
    let SignerKey::Certificate(certificate) = from_cms(&message).ok()?.material.signer else { return None };
    let identity = certificate.identity()?;
    Some(Signed { armour, certificate: *certificate, identity, signing_time, log_indices })
}
