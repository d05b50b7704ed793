//! The identity token: whether there is one that signing could use now, and where it comes from.

use std::path::Path;

use super::finding::{Finding, Id};
use super::setup::Setup;
use crate::cli::error::CliError;
use crate::cli::settings::TokenSources;
use crate::cli::settings::source::Standing;
use crate::cli::settings::table::Name;
use crate::cli::signing::{self, TokenPlace};
use crate::service::IdToken;

/// The token that signing would use, if it could be used now.
///
/// # Errors
/// There is none, or it is of no use.
pub(super) fn token(setup: &Setup) -> Result<IdToken, CliError> {
    usable(setup, &setup.settings().token)
}

fn usable(setup: &Setup, sources: &TokenSources) -> Result<IdToken, CliError> {
    let token = signing::token(sources)?;
    token.check(&signing::client_id(setup.settings(), setup.now), setup.now)?;
    Ok(token)
}

/// The command takes the useless source away, if another one is behind it; nothing but a new token helps otherwise.
pub(super) fn token_unusable(setup: &Setup, error: &CliError) -> Finding {
    let sources = &setup.settings().token;
    let finding = Finding::error(Id::TokenUnusable, error.to_string());
    let (name, without) = match signing::token_place(sources) {
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
        Ok(_) => finding.fix(setup.commands.unset(&located)),
        Err(_) if matches!(error, CliError::Token(_)) => finding,
        Err(_) => finding.fix(setup.commands.unset(&located)),
    }
}

/// Where the token comes from, in a few words.
#[must_use]
pub(super) fn token_source(setup: &Setup) -> Option<String> {
    let name = match signing::token_place(&setup.settings().token).ok()? {
        TokenPlace::Environment(_) => return Some(format!("the environment variable {}", setup.label(Name::IdToken))),
        TokenPlace::File(path) => path,
    };
    Some(format!("the file {}", Path::display(name)))
}
