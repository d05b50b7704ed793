//! Who signs in this run: the token that was given, or that a platform gives, or that a person logs in for. What was
//! given is known from the start; anything else is got when it is needed.

use jiff::Timestamp;

use super::committer::Committer;
use super::disclosure::{Assent, acknowledge};
use super::error::CliError;
use super::instance::services::{client_id, instance, renew};
use super::login::remembered::Account;
use super::login::{self, Way};
use super::settings::Settings;
use super::streams::Streams;
use super::token::{self, Source};
use crate::net::{Client, Limits};
use crate::service::IdToken;
use crate::service::id_token::TokenSubject;
use crate::service::oidc::Granted;

/// Who signs.
pub struct Signatory<'a> {
    settings: &'a Settings,
    committer: &'a Committer,
    /// A machine's platform will say; a person will not be asked.
    is_machine: bool,
    token: Option<IdToken>,
}

impl<'a> Signatory<'a> {
    /// Look at what is given, for something that `committer` has made.
    ///
    /// # Errors
    /// A token is given that is none, or a provider is named that there is not.
    pub fn of(settings: &'a Settings, committer: &'a Committer) -> Result<Self, CliError> {
        let around = token::surroundings();
        let place = match token::place(&settings.token, around) {
            // Somebody who named the environment, where nothing is: an agent may still hold what signs.
            Err(CliError::NoToken) => return Ok(Signatory { settings, committer, is_machine: false, token: None }),
            place => place?,
        };
        let is_machine = place.is_a_machines(&settings.token, around);
        Ok(Signatory { settings, committer, is_machine, token: place.read()? })
    }

    /// Whom the token is about, if there is one yet.
    #[must_use]
    pub fn subject(&self) -> Option<&TokenSubject> {
        self.token.as_ref().map(IdToken::subject)
    }

    /// The token, if there is one yet.
    #[must_use]
    pub fn given(&self) -> Option<&IdToken> {
        self.token.as_ref()
    }

    /// Who has issued it, if there is one yet.
    #[must_use]
    pub fn issuer(&self) -> Option<String> {
        self.token.as_ref().and_then(|token| token.issuers().next()).map(str::to_owned)
    }

    /// Whether a platform says who signs. It does so for each job anew, so what an agent holds may be another's.
    #[must_use]
    pub fn is_machine(&self) -> bool {
        self.is_machine
    }

    /// The token, of somebody who may sign this as far as that is known before it travels.
    ///
    /// # Errors
    /// There is none, or it is somebody else's than the settings ask for: then it has gone nowhere.
    pub fn token(&mut self, streams: &mut Streams) -> Result<&IdToken, CliError> {
        if self.token.is_none() {
            self.token = Some(self.obtain(streams)?);
        }
        let token = self.token.as_ref().expect("it was just put there");
        expect(self.settings.identity.as_deref(), token.subject())?;
        self.committer.admit(token.subject(), streams)?;
        Ok(token)
    }

    fn obtain(&self, streams: &mut Streams) -> Result<IdToken, CliError> {
        let now = Timestamp::now();
        let client = Client::new(self.settings.server_roots(), Limits::default());
        let audience = || client_id(self.settings, now);
        match token::find(&self.settings.token, token::surroundings(), &client, audience, now)? {
            Source::Given(token) => Ok(token),
            Source::Person(way) => log_in(self.settings, way, Assent::Ask, streams),
        }
    }
}

/// Have somebody log in, unless a login is remembered. Before the token goes anywhere it is known to be whose it should
/// be, and they know what becomes public.
///
/// # Errors
/// Nobody did, or it is somebody else, or they would rather not.
pub fn log_in(
    settings: &Settings,
    way: Option<Way>,
    assent: Assent,
    streams: &mut Streams,
) -> Result<IdToken, CliError> {
    renew(settings, streams)?;
    let instance = instance(settings)?;
    let issuer = instance.issuer.as_deref().ok_or_else(|| CliError::Usage {
        problem: format!("the instance '{}' names no OpenID provider to log in at", instance.name),
        hint: "set gitseal.issuer, or set SIGSTORE_ID_TOKEN or gitseal.idTokenFile".into(),
    })?;
    let account = Account { settings, issuer, client_id: &instance.client_id };
    // Whoever says how they log in wants to.
    if settings.login.remember
        && way.is_none()
        && let Some(token) = account.renew(streams)?
    {
        expect(settings.identity.as_deref(), token.subject())?;
        return Ok(token);
    }
    let Granted { id_token, refresh_token } = login::obtain(settings, issuer, &instance.client_id, way, streams)?;
    expect(settings.identity.as_deref(), id_token.subject())?;
    let vouching = id_token.issuers().last().unwrap_or(issuer);
    acknowledge(settings, id_token.subject(), vouching, &instance, assent, streams)?;
    if let Some(refresh_token) = refresh_token.filter(|_| settings.login.remember) {
        account.remember(&refresh_token, streams)?;
    }
    Ok(id_token)
}

/// Refuse a token that is not about `expected`, where somebody is: an address that gets into a log stays there.
///
/// # Errors
/// It is about somebody else.
pub fn expect(expected: Option<&str>, found: &TokenSubject) -> Result<(), CliError> {
    match expected {
        Some(expected) if expected != found.as_str() => Err(CliError::Usage {
            problem: format!("the identity token is for {}, and gitseal.identity is {expected}", found.as_str()),
            hint: "log in as that identity; 'git config --show-origin gitseal.identity' says who asks for it".into(),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::settings::TokenSources;

    #[test]
    fn a_token_that_is_none_ends_it_at_once() {
        let with = |token: TokenSources| Settings { token, ..Settings::default() };
        let bad = with(TokenSources { token: Some("x".into()), ..TokenSources::default() });
        assert!(matches!(Signatory::of(&bad, &Committer::Anybody), Err(CliError::Token(_))));
        let unknown = with(TokenSources { provider: Some("nobody".into()), ..TokenSources::default() });
        assert!(matches!(Signatory::of(&unknown, &Committer::Anybody), Err(CliError::Usage { .. })));
        let nowhere = with(TokenSources { provider: Some("envvar".into()), ..TokenSources::default() });
        assert!(Signatory::of(&nowhere, &Committer::Anybody).unwrap().subject().is_none());
    }
}
