//! Signing for git: the instance that the settings choose, the token that says who signs, and the signer.

use std::path::Path;

use jiff::Timestamp;

use super::agent;
use super::agent::sign::Wanted;
use super::error::CliError;
use super::input;
use super::instance::tuf::{Renewal, TufInstance};
use super::instance::{Choice, ChosenConfig};
use super::settings::{MatchCommitter, RekorMode, Settings, TokenSources};
use super::streams::Streams;
use crate::crypto::sha256;
use crate::net::{Client, Limits};
use crate::service::id_token::TokenSubject;
use crate::service::session::SIGNING_TIME;
use crate::service::{IdToken, Session};
use crate::sign::git::{GitSigner, Payload, Signed};
use crate::trust::Instance;
use crate::trust::instance::CLIENT_ID;

/// Where workloads find a token that their platform puts there, as cosign and gitsign know it.
const AMBIENT_TOKEN_FILE: &str = "/var/run/sigstore/cosign/oidc-token";

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
    let mut tokens = Tokens::new(&settings.token)?;
    let committer = Committer::of(payload, settings.match_committer)?;
    if let Some(subject) = tokens.subject() {
        admit(settings, &committer, subject, streams)?;
    }
    let wanted = Wanted {
        payload: as_wanted(settings, payload),
        identity: tokens.subject().map(|subject| subject.as_str().to_owned()).or_else(|| settings.identity.clone()),
        issuer: tokens.issuer().or_else(|| settings.pieces.issuer.clone()),
        context: agent::sign::context(payload, repository),
        committer,
    };
    let signed = match agent::sign::sign(settings, &wanted, &mut tokens, streams)? {
        Some(signed) => signed,
        None => sign_here(settings, &wanted, &mut tokens, streams)?,
    };
    // The name of a workload is not known before: its authority makes it up.
    wanted.committer.judge(&signed.identity.subject, streams)?;
    Ok(signed)
}

/// In this process: a key for this one signature.
fn sign_here(
    settings: &Settings,
    wanted: &Wanted<'_>,
    tokens: &mut Tokens<'_>,
    streams: &mut Streams,
) -> Result<Signed, CliError> {
    let token = tokens.obtain(streams)?;
    admit(settings, &wanted.committer, token.subject(), streams)?;
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

/// The token of this run: one that was given is known from the start, another is got when it is needed.
pub struct Tokens<'a> {
    sources: &'a TokenSources,
    token: Option<IdToken>,
}

impl<'a> Tokens<'a> {
    /// Look at what is given.
    ///
    /// # Errors
    /// A token is given that is none.
    pub fn new(sources: &'a TokenSources) -> Result<Self, CliError> {
        let token = match token(sources) {
            Ok(token) => Some(token),
            Err(CliError::NoToken) => None,
            Err(error) => return Err(error),
        };
        Ok(Tokens { sources, token })
    }

    /// Whom the token is about, if there is one.
    #[must_use]
    pub fn subject(&self) -> Option<&TokenSubject> {
        self.token.as_ref().map(IdToken::subject)
    }

    /// Who has issued it, if there is one.
    #[must_use]
    pub fn issuer(&self) -> Option<String> {
        self.token.as_ref().and_then(|token| token.issuers().next()).map(str::to_owned)
    }

    /// Whether it comes from a machine's platform, and not from a person or their settings.
    #[must_use]
    pub fn are_a_machines(&self) -> bool {
        false
    }

    /// The token.
    ///
    /// # Errors
    /// There is none.
    pub fn obtain(&mut self, _streams: &mut Streams) -> Result<&IdToken, CliError> {
        if self.token.is_none() {
            self.token = Some(token(self.sources)?);
        }
        Ok(self.token.as_ref().expect("it was just put there"))
    }
}

/// Where the token to sign with is.
#[derive(Clone, PartialEq, Eq)]
pub enum TokenPlace<'a> {
    /// In the environment: this is it.
    Environment(&'a str),
    /// In this file.
    File(&'a Path),
}

/// Where the token to sign with is. A file that is named counts most, for it can be kept fresh while a shell lives on.
///
/// # Errors
/// There is none, or the settings name a provider that there is not.
pub fn token_place(sources: &TokenSources) -> Result<TokenPlace<'_>, CliError> {
    let TokenSources { token, file, provider } = sources;
    Ok(match (provider.as_deref(), file, token) {
        // gitsign's `envvar` names the one source that gitsign knows; the file is gitseal's own, and was named too.
        (None | Some("envvar"), Some(file), _) => TokenPlace::File(file),
        (None | Some("envvar"), None, Some(token)) => TokenPlace::Environment(token),
        (None, None, None) if Path::new(AMBIENT_TOKEN_FILE).exists() => TokenPlace::File(Path::new(AMBIENT_TOKEN_FILE)),
        (None | Some("envvar"), None, None) => return Err(CliError::NoToken),
        (Some("filesystem"), file, _) => TokenPlace::File(file.as_deref().unwrap_or(Path::new(AMBIENT_TOKEN_FILE))),
        (Some(other), ..) => {
            return Err(CliError::Usage {
                problem: format!("the token provider '{other}' is not one of envvar, filesystem"),
                hint: "unset gitseal.tokenProvider (or gitsign.tokenProvider), and see gitseal-config(5)".into(),
            });
        }
    })
}

/// The token to sign with.
///
/// # Errors
/// There is none, or it cannot be read.
pub fn token(sources: &TokenSources) -> Result<IdToken, CliError> {
    Ok(match token_place(sources)? {
        TokenPlace::Environment(token) => IdToken::parse(token)?,
        TokenPlace::File(path) => IdToken::parse(&input::text(path, "the identity token")?)?,
    })
}

/// Ask of a token all that is known before it travels. It is asked again of one that was: what a person is told, once.
///
/// # Errors
/// It may not sign this.
pub fn admit(
    settings: &Settings,
    committer: &Committer,
    subject: &TokenSubject,
    streams: &mut Streams,
) -> Result<(), CliError> {
    expect(settings.identity.as_deref(), subject)?;
    match subject {
        TokenSubject::Email(email) => committer.judge(email, streams),
        TokenSubject::Subject(_) => Ok(()),
    }
}

/// Refuse a token that is not about `expected`, where somebody is: an address that gets into a log stays there.
///
/// # Errors
/// It is about somebody else.
fn expect(expected: Option<&str>, found: &TokenSubject) -> Result<(), CliError> {
    match expected {
        Some(expected) if expected != found.as_str() => Err(CliError::Usage {
            problem: format!("the identity token is for {}, and gitseal.identity is {expected}", found.as_str()),
            hint: "log in as that identity; 'git config --show-origin gitseal.identity' says who asks for it".into(),
        }),
        _ => Ok(()),
    }
}

/// Whoever made the commit or tag that is to be signed, and how much it matters who that is.
#[derive(Debug, PartialEq, Eq)]
pub enum Committer {
    /// Not at all.
    Anybody,
    /// A person is told if it is not this one.
    Preferably(String),
    /// It must be this one.
    Exactly(String),
}

impl Committer {
    /// That of `payload`, as far as `matching` asks for it. A push certificate has none, which is wrong where one is
    /// required.
    ///
    /// # Errors
    /// One is required, and there is none.
    pub fn of(payload: &[u8], matching: MatchCommitter) -> Result<Self, CliError> {
        match (matching, committer(payload)) {
            (MatchCommitter::Off, _) | (MatchCommitter::Warn, None) => Ok(Committer::Anybody),
            (MatchCommitter::Warn, Some(committer)) => Ok(Committer::Preferably(committer)),
            (MatchCommitter::Require, Some(committer)) => Ok(Committer::Exactly(committer)),
            (MatchCommitter::Require, None) => Err(CliError::Usage {
                problem: "gitseal.matchCommitter is set, and what is to be signed names no committer".into(),
                hint: "only commits and tags do; unset it to sign anything else, such as a push".into(),
            }),
        }
    }

    /// Whether `identity` may sign it.
    ///
    /// # Errors
    /// It must be somebody else.
    pub fn judge(&self, identity: &str, streams: &mut Streams) -> Result<(), CliError> {
        let (Committer::Preferably(committer) | Committer::Exactly(committer)) = self else { return Ok(()) };
        if committer == identity {
            return Ok(());
        }
        let problem = format!("{identity} would sign what {committer} has committed");
        let hint = "set user.email to the address you sign with, or unset gitseal.matchCommitter";
        if matches!(self, Committer::Exactly(_)) {
            return Err(CliError::Usage { problem, hint: hint.into() });
        }
        streams.warning(&format!("{identity} signs what {committer} has committed"));
        streams.hint(hint);
        Ok(())
    }
}

/// The mail address of whoever made the commit or tag that `payload` is.
fn committer(payload: &[u8]) -> Option<String> {
    let headers = payload.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty());
    let mut lines = headers.filter(|line| line.starts_with(b"committer ") || line.starts_with(b"tagger "));
    let line = std::str::from_utf8(lines.next()?).ok()?;
    let (_, rest) = line.split_once('<')?;
    rest.split_once('>').map(|(email, _)| email.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committer_is_read_from_the_payload() {
        let commit = b"tree 0\nauthor A <a@x> 1 +0000\ncommitter B <b@x> 1 +0000\n\ncommitter <c@x>\n";
        assert_eq!(committer(commit).unwrap(), "b@x");
        assert_eq!(committer(b"object 0\ntype commit\ntag v\ntagger T <t@x> 1 +0000\n\nm\n").unwrap(), "t@x");
        let push = b"certificate version 0.1\npusher x\n\ncommitter <c@x>\n";
        assert_eq!(committer(push), None);
        assert!(Committer::of(push, MatchCommitter::Require).is_err());
        assert_eq!(Committer::of(push, MatchCommitter::Warn).unwrap(), Committer::Anybody);
    }

    #[test]
    fn without_a_token_nothing_begins() {
        let none = TokenSources::default();
        if !Path::new(AMBIENT_TOKEN_FILE).exists() {
            assert!(matches!(token(&none), Err(CliError::NoToken)));
        }
        let other = TokenSources { provider: Some("spiffe".into()), ..TokenSources::default() };
        assert!(matches!(token(&other), Err(CliError::Usage { .. })));
        let bad = TokenSources { token: Some("x".into()), ..TokenSources::default() };
        assert!(matches!(token(&bad), Err(CliError::Token(_))));
    }
}
