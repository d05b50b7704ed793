//! What signing makes public for ever, shown to the person whose it is, once, before any of it is sent.
//!
//! A certificate and a log entry cannot be taken back: an address that was private is not any more. Whoever has agreed is
//! kept in `gitseal.acknowledged`, in the user's own configuration. Tokens that a platform, a variable or a file brings
//! are not asked about: there is nobody to ask, and whoever put them there has decided.

use jiff::Timestamp;
use thiserror::Error;

use super::config_file::ConfigFile;
use super::error::CliError;
use super::instance::mirror;
use super::settings::table::Name;
use super::settings::{Pieces, Settings};
use super::shell::quote;
use super::streams::Streams;
use super::terminal::Terminal;
use crate::service::id_token::TokenSubject;
use crate::sign::SignError;
use crate::trust::{Instance, InstanceName};

/// Why an identity does not become public.
#[derive(Debug, Error)]
pub enum DisclosureError {
    /// Its owner said no.
    #[error("nothing was signed: you did not agree that {0} becomes public")]
    Declined(String),
    /// There is no terminal, or it is not ours to use.
    #[error("signing makes {identity} public for ever, and there is no terminal to ask you on")]
    NobodyToAsk {
        /// Who would become public.
        identity: String,
        /// What a yes would be kept as.
        answer: String,
    },
}

impl DisclosureError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            DisclosureError::Declined(_) => {
                "nothing was sent; log in as somebody else, or sign with an instance of your own: gitseal-instance(1)"
                    .to_owned()
            }
            DisclosureError::NobodyToAsk { answer, .. } => format!("if that is as you want it: {}", command(answer)),
        }
    }
}

/// Whether the person is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assent {
    /// On the terminal, unless they agreed before.
    Ask,
    /// They said yes on the command line.
    Given,
}

/// Let nothing of `who`, whom `issuer` vouches for, get into the logs of `instance` before they have agreed to it.
///
/// # Errors
/// They have not, or could not be asked. Then nothing has been sent.
pub fn acknowledge(
    settings: &Settings,
    who: &TokenSubject,
    issuer: &str,
    instance: &Instance,
    assent: Assent,
    streams: &mut Streams,
) -> Result<(), CliError> {
    let identity = who.as_str();
    let now = Timestamp::now();
    let answer = answer(settings, identity, instance, now)?;
    if settings.login.acknowledged.iter().any(|known| known == identity || *known == answer) {
        return Ok(());
    }
    if assent == Assent::Ask {
        let story = story(identity, issuer, instance, now)?;
        let nobody = || DisclosureError::NobodyToAsk { identity: identity.to_owned(), answer: answer.clone() };
        let mut terminal = Terminal::open().ok_or_else(nobody)?;
        for line in story {
            terminal.show(&line)?;
        }
        if !terminal.agrees("Make this public?")? {
            return Err(DisclosureError::Declined(identity.to_owned()).into());
        }
    }
    // They have agreed, whether or not that can be kept; but they should not wonder why they are asked again.
    if let Err(error) = ConfigFile::global().add(&key(), &answer) {
        streams.warning(&format!("your answer could not be kept: {error}"));
        streams.hint(&command(&answer));
    }
    Ok(())
}

fn key() -> String {
    Name::Acknowledged.setting().label()
}

/// What a yes is kept as: the identity, and after it the logs that it was about. A yes to the public instance says no more
/// than the identity, for whoever is known there is known everywhere.
fn answer(settings: &Settings, identity: &str, instance: &Instance, now: Timestamp) -> Result<String, CliError> {
    let is_public = settings.instance_name() == InstanceName::public()
        && settings.trusted_root.is_none()
        && settings.signing_config.is_none()
        && settings.pieces == Pieces::default()
        && mirror(settings).is_none();
    if is_public {
        return Ok(identity.to_owned());
    }
    let logs = instance.signing_config.logs(now).map_err(SignError::from)?;
    Ok(format!("{identity} in {}", places(logs.iter().map(|log| log.url.as_str()))))
}

/// The command that agrees beforehand.
fn command(answer: &str) -> String {
    format!("git config --global --add {} {}", key(), quote(answer.as_bytes()))
}

/// The lines to show: all that becomes public and where, and what does not.
fn story(identity: &str, issuer: &str, instance: &Instance, now: Timestamp) -> Result<Vec<String>, CliError> {
    let ct_logs = instance.trusted_root.ct_logs.iter().filter(|log| log.valid_for.contains(now));
    let ct_logs = places(ct_logs.map(|log| log.base_url.as_str()));
    let logs = instance.signing_config.logs(now).map_err(SignError::from)?;
    let logs = places(logs.iter().map(|log| log.url.as_str()));
    Ok(vec![
        format!("You are about to sign as {identity} for the first time."),
        String::new(),
        "Public for ever, for everybody to search, and impossible to take back:".to_owned(),
        format!("  {identity}, and that {issuer} vouches for you,"),
        format!("    in each certificate, which is logged at {ct_logs}"),
        "  of each commit, tag or push that you sign: a digest, the time, the public key, the certificate,".to_owned(),
        format!("    as an entry in the log at {logs}"),
        String::new(),
        "Not public, and not sent: what you sign, its message, the name of the repository.".to_owned(),
        String::new(),
    ])
}

/// The addresses without what all have in common, each once.
fn places<'a>(urls: impl Iterator<Item = &'a str>) -> String {
    let mut places: Vec<&str> = Vec::new();
    for url in urls {
        let place = url.split_once("://").map_or(url, |(_, place)| place).trim_end_matches('/');
        if !places.contains(&place) {
            places.push(place);
        }
    }
    if places.is_empty() { "a place that the instance does not name".to_owned() } else { places.join(" and ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_instance_is_called_by_its_hosts() {
        let now = "2026-11-25T00:00:00Z".parse().unwrap();
        let instance = Instance::public(now);
        let story = story("ann@example.com", "https://accounts.example", &instance, now).unwrap().join("\n");
        for part in ["ann@example.com", "https://accounts.example", "ctfe.sigstore.dev/2022", "rekor.sigstore.dev"] {
            assert!(story.contains(part), "{part}: {story}");
        }
        assert!(!story.contains("ctfe.sigstore.dev/test"), "a log that is not used any more: {story}");
    }

    #[test]
    fn a_yes_to_one_instance_is_none_to_another() {
        let now = "2026-11-25T00:00:00Z".parse().unwrap();
        let instance = Instance::public(now);
        let public = Settings::default();
        assert_eq!(answer(&public, "ann@example.com", &instance, now).unwrap(), "ann@example.com");
        let own = Settings { trusted_root: Some("root.json".into()), ..Settings::default() };
        let own = answer(&own, "ann@example.com", &instance, now).unwrap();
        assert!(own.starts_with("ann@example.com in ") && own.contains("rekor.sigstore.dev"), "{own}");
    }

    #[test]
    fn the_command_is_safe_to_paste() {
        let identity = "x'; rm -rf ~ #@y".to_owned();
        let hint = DisclosureError::NobodyToAsk { answer: identity.clone(), identity }.hint();
        assert!(hint.ends_with(r"git config --global --add gitseal.acknowledged 'x'\''; rm -rf ~ #@y'"), "{hint}");
    }
}
