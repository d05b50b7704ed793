//! Logging a person in: which way, what is opened, what the terminal shows meanwhile.
//!
//! Under git standard output is the signature and standard input the payload, so neither is touched here: people are
//! spoken to on the terminal (`Streams`), and what is started for them gets no stream of ours.

mod browser;
mod device;
mod error;
mod opener;
pub mod remembered;

pub use error::LoginError;

use std::ffi::OsString;

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::error::CliError;
use super::input;
use super::settings::{LoginSettings, Settings};
use super::streams::Streams;
use super::terminal;
use crate::net::{Client, Limits};
use crate::repo::config::parse_boolean;
use crate::service::oidc::{Granted, OidcError, Provider, Registration, Remember};
use crate::service::wait;
use opener::Opener;

/// How a person logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// In a browser on this machine.
    Browser,
    /// In any browser anywhere, with a code that the terminal shows.
    Device,
}

/// Have a person log in at `issuer`; without a `way`, by the one that there is.
///
/// # Errors
/// There is none, or the login gave no token. Nothing is left behind then.
pub fn obtain(
    settings: &Settings,
    issuer: &str,
    client_id: &str,
    way: Option<Way>,
    streams: &mut Streams,
) -> Result<Granted, CliError> {
    let login = &settings.login;
    let opener = Opener::find(login.url_opener.as_deref(), &environment)?;
    let here = Here { browser: opener.is_some(), terminal: has_terminal(streams), ci: is_ci(&environment) };
    let way = choose(way, here)?;
    let registration = Registration { client_id: client_id.to_owned(), secret: secret(login)? };
    let remember = if login.remember { Remember::Yes } else { Remember::No };
    let http = Client::new(settings.server_roots(), Limits::default());
    let granted = wait(async {
        let provider = Provider::discover(&http, issuer, registration, &Timestamp::now).await?;
        match way {
            Way::Browser => browser::log_in(&provider, login, opener.as_ref(), remember, streams).await,
            Way::Device => device::log_in(&provider, remember, streams).await,
        }
    });
    let granted = granted.map_err(|error| CliError::io("wait for the login", error))?.map_err(LoginError::Oidc)?;
    streams.note(&format!("gitseal: logged in as {}", granted.id_token.subject().as_str()));
    Ok(granted)
}

/// What there is to log in with.
#[derive(Debug, Clone, Copy)]
struct Here {
    browser: bool,
    terminal: bool,
    ci: bool,
}

/// The way to go. One that was asked for is gone if it can be at all; else nobody is made to wait for a browser that a
/// job of CI would open in vain, or for a code that nobody sees.
fn choose(way: Option<Way>, here: Here) -> Result<Way, LoginError> {
    match (way, here) {
        // Without a browser here, the address on the terminal is opened by hand, through a forwarded port perhaps.
        (Some(Way::Browser), Here { browser: false, terminal: false, .. }) => Err(LoginError::NoBrowser),
        (Some(Way::Device), Here { terminal: false, .. }) => Err(LoginError::NoTerminal),
        (Some(way), _) => Ok(way),
        (None, Here { ci: true, .. }) => Err(LoginError::NobodyThere),
        (None, Here { browser: true, .. }) => Ok(Way::Browser),
        (None, Here { terminal: true, .. }) => Ok(Way::Device),
        (None, _) => Err(LoginError::NoWay),
    }
}

fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Whether somebody sees what we show: stderr or, under git, the terminal itself.
fn has_terminal(streams: &Streams) -> bool {
    streams.is_terminal() && terminal::is_allowed()
}

/// The variable that all CI systems set, to `true` or to `1`.
fn is_ci(environment: &dyn Fn(&str) -> Option<OsString>) -> bool {
    environment("CI").is_some_and(|value| parse_boolean(Some(value.as_encoded_bytes())) != Some(false))
}

fn secret(login: &LoginSettings) -> Result<Option<Zeroizing<String>>, CliError> {
    let Some(path) = &login.client_secret_file else { return Ok(None) };
    let text = Zeroizing::new(input::text(path, "the client secret")?);
    Ok(Some(Zeroizing::new(text.trim().to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here(browser: bool, terminal: bool, ci: bool) -> Here {
        Here { browser, terminal, ci }
    }

    #[test]
    fn a_browser_counts_before_a_code() {
        assert_eq!(choose(None, here(true, true, false)).unwrap(), Way::Browser);
        assert_eq!(choose(None, here(true, false, false)).unwrap(), Way::Browser);
        assert_eq!(choose(None, here(false, true, false)).unwrap(), Way::Device);
        assert!(matches!(choose(None, here(false, false, false)), Err(LoginError::NoWay)));
    }

    #[test]
    fn nobody_logs_in_to_a_job_of_ci_unless_they_say_how() {
        for browser in [true, false] {
            assert!(matches!(choose(None, here(browser, true, true)), Err(LoginError::NobodyThere)));
        }
        assert_eq!(choose(Some(Way::Device), here(false, true, true)).unwrap(), Way::Device);
        let environment = |value: &'static str| move |_: &str| Some(OsString::from(value));
        assert!(is_ci(&environment("true")) && is_ci(&environment("1")) && is_ci(&environment("woodpecker")));
        assert!(!is_ci(&environment("false")) && !is_ci(&|_| None));
    }

    #[test]
    fn a_way_that_was_asked_for_is_gone_where_it_can_be() {
        assert_eq!(choose(Some(Way::Browser), here(false, true, false)).unwrap(), Way::Browser);
        assert!(matches!(choose(Some(Way::Browser), here(false, false, false)), Err(LoginError::NoBrowser)));
        assert!(matches!(choose(Some(Way::Device), here(true, false, false)), Err(LoginError::NoTerminal)));
    }
}
