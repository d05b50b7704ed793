//! The identity token: whether there is one that signing could use now, and where it comes from.

use super::finding::{Finding, Id};
use super::setup::Setup;
use crate::cli::error::CliError;
use crate::cli::instance::services;
use crate::cli::settings::TokenSources;
use crate::cli::settings::source::Standing;
use crate::cli::settings::table::Name;
use crate::cli::token::{self, TokenPlace};
use crate::service::IdToken;

/// The token that signing would use, if it could be used now; `None` where one is fetched when something is signed.
///
/// # Errors
/// It is of no use, or the provider that the settings name has none.
pub(super) fn token(setup: &Setup) -> Result<Option<IdToken>, CliError> {
    usable(setup, &setup.settings().token)
}

fn usable(setup: &Setup, sources: &TokenSources) -> Result<Option<IdToken>, CliError> {
    let around = token::surroundings();
    let audience = || services::client_id(setup.settings(), setup.now);
    let place = token::place(sources, around)?;
    let token = place.read()?;
    if let Some(token) = &token {
        token.check(&audience(), setup.now)?;
    }
    if let (TokenPlace::Platform(platform), Some(_)) = (place, &sources.provider) {
        platform.prepare(around, &audience())?;
    }
    Ok(token)
}

/// What a platform that gives tokens when something is signed would do, in a few words. That it gives none is no fault
/// of the setup: many jobs only verify.
#[must_use]
pub(super) fn platform(setup: &Setup) -> Option<String> {
    let around = token::surroundings();
    let platform = match token::place(&setup.settings().token, around) {
        Ok(TokenPlace::Platform(platform)) => platform,
        Err(CliError::NoToken) => {
            return Some("the environment has none, and the settings look nowhere else (gitseal.tokenProvider)".into());
        }
        _ => return None,
    };
    Some(match platform.prepare(around, &services::client_id(setup.settings(), setup.now)) {
        Ok(_) => format!("{platform} gives one when something is signed"),
        Err(error) => error.to_string(),
    })
}

/// The command takes the useless source away, if another one is behind it; nothing but a new token helps otherwise.
pub(super) fn token_unusable(setup: &Setup, error: &CliError) -> Finding {
    let sources = &setup.settings().token;
    let finding = Finding::error(Id::TokenUnusable, error.to_string());
    let (name, without) = match token::place(sources, token::surroundings()) {
        Ok(TokenPlace::Environment(_)) => {
            // Without this variable the one that it overrides would count.
            let values = setup.values(Name::IdToken);
            let next = values.iter().rfind(|value| value.standing == Standing::Overridden);
            let token = next.and_then(|value| String::from_utf8(value.text.clone()?).ok());
            (Name::IdToken, TokenSources { token, ..sources.clone() })
        }
        Ok(TokenPlace::File(_)) if sources.file.is_some() => {
            (Name::IdTokenFile, TokenSources { file: None, ..sources.clone() })
        }
        _ => (Name::TokenProvider, TokenSources { provider: None, ..sources.clone() }),
    };
    let Some(located) = setup.counting(name) else { return finding };
    let finding = finding.at(&located);
    match usable(setup, &without) {
        Ok(Some(_)) => finding.fix(setup.commands.unset(&located)),
        _ if matches!(error, CliError::Token(_)) => finding,
        _ => finding.fix(setup.commands.unset(&located)),
    }
}

/// Where the token comes from, in a few words.
#[must_use]
pub(super) fn token_source(setup: &Setup) -> Option<String> {
    match token::place(&setup.settings().token, token::surroundings()).ok()? {
        TokenPlace::Environment(_) => Some(format!("the environment variable {}", setup.label(Name::IdToken))),
        TokenPlace::File(path) => Some(format!("the file {}", path.display())),
        TokenPlace::Platform(_) | TokenPlace::Person(_) => None,
    }
}
