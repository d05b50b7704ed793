//! Who the user is: by git's word, by the token's, or by that of the settings.

use super::finding::Finding;
use super::place::set_globally;
use super::setup::Setup;
use super::token::token;
use crate::cli::settings::Expected;
use crate::service::IdToken;
use crate::service::id_token::TokenSubject;

/// What stands in a command for an address that only the reader knows.
const YOUR_ADDRESS: &str = "YOU@EXAMPLE.COM";

/// The address that the user signs with, or commits as; else something to be replaced.
#[must_use]
pub(super) fn own_address(setup: &Setup) -> String {
    let from_token = token(setup).ok().flatten().and_then(|token| address_of(&token));
    from_token.or_else(|| the_only_address(&setup.settings().expected)).unwrap_or_else(|| YOUR_ADDRESS.to_owned())
}

/// The address that a token names; the name of a workload is none.
#[must_use]
pub(super) fn address_of(token: &IdToken) -> Option<String> {
    match token.subject() {
        TokenSubject::Email(email) => Some(email.clone()),
        TokenSubject::Subject(_) => None,
    }
}

/// The one person that is expected, if it is one and has an address.
#[must_use]
pub(super) fn the_only_address(expected: &Expected) -> Option<String> {
    match expected.identities.as_slice() {
        [only] if only.contains('@') && !only.contains("://") => Some(only.clone()),
        _ => None,
    }
}

/// Whom git commits as; `None` if it does not know, or would have to make an address up.
#[must_use]
pub(super) fn committer_email(setup: &Setup) -> Option<String> {
    // Without `useConfigOnly` git would ask the name service for this machine's domain, which is the network.
    let ident =
        setup.git.as_ref()?.run(&["-c", "user.useConfigOnly=true", "-c", "user.name=x", "var", "GIT_COMMITTER_IDENT"]);
    let ident = ident.ok()?;
    let (_, rest) = ident.split_once('<')?;
    let (email, _) = rest.rsplit_once('>')?;
    (!email.is_empty()).then(|| email.to_owned())
}

/// Have git commit as `address`: said where it would be overheard by nothing.
#[must_use]
pub(super) fn set_email(setup: &Setup, finding: Finding, address: &str) -> Finding {
    let keys = ["committer.email", "user.email"].iter();
    let value = setup.variable("GIT_COMMITTER_EMAIL").or_else(|| keys.filter_map(|key| setup.key(key).pop()).next());
    match value {
        Some(value) => finding.at(&value).fix(setup.commands.replace(&value, address)),
        None => finding.fix(set_globally("user.email", address)),
    }
}
