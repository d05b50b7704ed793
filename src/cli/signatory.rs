//! Who signs in this run: the token that was given, or that a platform gives, or that a person logs in for. What was
//! given is known from the start; anything else is got when it is needed.

use jiff::Timestamp;

use super::error::CliError;
use super::settings::Settings;
use super::signing::client_id;
use super::streams::Streams;
use super::token::{self, FoundToken, Source, TokenPlace, TokenSource};
use crate::net::{Client, Limits};
use crate::service::IdToken;
use crate::service::id_token::TokenSubject;

/// Who signs.
pub struct Signatory<'a> {
    settings: &'a Settings,
    /// A machine's platform will say; a person will not be asked.
    is_machine: bool,
    token: Option<IdToken>,
}

impl<'a> Signatory<'a> {
    /// Look at what is given.
    ///
    /// # Errors
    /// A token is given that is none, or a provider is named that there is not.
    pub fn of(settings: &'a Settings) -> Result<Self, CliError> {
        let place = match token::place(&settings.token, token::surroundings()) {
            // Somebody who named the environment, where nothing is: an agent may still hold what signs.
            Err(CliError::NoToken) => return Ok(Signatory { settings, is_machine: false, token: None }),
            place => place?,
        };
        let is_machine = matches!(place, TokenPlace::Platform(_));
        Ok(Signatory { settings, is_machine, token: place.read()? })
    }

    /// Whom the token is about, if there is one yet.
    #[must_use]
    pub fn subject(&self) -> Option<&TokenSubject> {
        self.token.as_ref().map(IdToken::subject)
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

    /// The token.
    ///
    /// # Errors
    /// There is none, or it is somebody else's than the settings ask for: then it has gone nowhere.
    pub fn token(&mut self, streams: &mut Streams) -> Result<&IdToken, CliError> {
        if self.token.is_none() {
            self.token = Some(self.obtain(streams)?);
        }
        let token = self.token.as_ref().expect("it was just put there");
        expect(self.settings.identity.as_deref(), token.subject())?;
        Ok(token)
    }

    fn obtain(&mut self, _streams: &mut Streams) -> Result<IdToken, CliError> {
        let now = Timestamp::now();
        let client = Client::new(self.settings.server_roots(), Limits::default());
        let audience = || client_id(self.settings, now);
        match token::find(&self.settings.token, token::surroundings(), &client, audience, now)? {
            Source::Given(FoundToken { token, source }) => {
                self.is_machine = matches!(source, TokenSource::Platform(_));
                Ok(token)
            }
            Source::Person(_) => Err(CliError::NoToken),
        }
    }
}

/// Refuse a token that is not about `expected`, where somebody is: an address that gets into a log stays there.
fn expect(expected: Option<&str>, found: &TokenSubject) -> Result<(), CliError> {
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
        assert!(matches!(Signatory::of(&bad), Err(CliError::Token(_))));
        let unknown = with(TokenSources { provider: Some("nobody".into()), ..TokenSources::default() });
        assert!(matches!(Signatory::of(&unknown), Err(CliError::Usage { .. })));
        let nowhere = with(TokenSources { provider: Some("envvar".into()), ..TokenSources::default() });
        assert!(Signatory::of(&nowhere).unwrap().subject().is_none());
    }
}
