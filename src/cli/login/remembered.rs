//! Logins that the keyring remembers (`gitseal.rememberLogin`): used before anybody is asked, kept after somebody was.
//!
//! A keyring that is not there is said so, once in a run, and is no reason not to sign.

use std::path::PathBuf;

use directories::ProjectDirs;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::{Registration, secret};
use crate::cli::error::CliError;
use crate::cli::settings::Settings;
use crate::cli::streams::Streams;
use crate::credential::remembered::{Login, Redemption, RememberError, RememberedLogins, RenewError, Renewed, Taken};
use crate::net::{Client, Limits};
use crate::service::oidc::renewal::{Revoked, refresh, revoke};
use crate::service::oidc::{OidcError, Provider, RefreshToken};
use crate::service::{IdToken, wait};

/// What the provider says of a refresh token that it does not take any more (RFC 6749 section 5.2).
const INVALID_GRANT: &str = "invalid_grant";

/// What became of a remembered login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgotten {
    /// There was none.
    Nothing,
    /// It is gone from the keyring, and the provider knows it no more.
    Revoked,
    /// It is gone from the keyring. The provider has no way to be told, or did not listen.
    KeyringOnly,
}

/// A provider, and who we are to it.
#[derive(Clone, Copy)]
pub struct Account<'a> {
    /// The settings in force.
    pub settings: &'a Settings,
    /// The provider.
    pub issuer: &'a str,
    /// Who asks it.
    pub client_id: &'a str,
}

impl Account<'_> {
    /// A token for the login that is remembered; `None` if none is, if it is over, or if nobody can tell: then a person
    /// has to log in.
    ///
    /// # Errors
    /// The client's secret cannot be read.
    pub fn renew(&self, streams: &mut Streams) -> Result<Option<IdToken>, CliError> {
        let Some((logins, login)) = self.logins(streams) else { return Ok(None) };
        let http = Client::new(self.settings.server_roots(), Limits::default());
        let registration = self.registration()?;
        let renewed = wait(logins.renew(&login, async |token| {
            let provider = Provider::discover(&http, self.issuer, registration, &Timestamp::now).await?;
            match refresh(&provider, RefreshToken::new(token.clone())).await {
                Ok(granted) => {
                    let replacement = granted.refresh_token.filter(|new| new.secret() != token.as_str());
                    let replacement = replacement.map(|new| Zeroizing::new(new.secret().to_owned()));
                    Ok(Redemption::Redeemed { tokens: granted.id_token, replacement })
                }
                Err(OidcError::Refused { code, .. }) if code == INVALID_GRANT => Ok(Redemption::Refused),
                Err(error) => Err(error),
            }
        }));
        match renewed.map_err(|error| CliError::io("wait for the provider", error))? {
            Ok(None) => Ok(None),
            Ok(Some(Renewed { tokens, kept })) => {
                if let Err(error) = kept {
                    warn(streams, &error);
                }
                Ok(Some(tokens))
            }
            Err(RenewError::Remember(error)) => {
                warn(streams, &error);
                Ok(None)
            }
            Err(RenewError::Issuer(error)) => {
                streams.warning(&format!("the remembered login could not be used: {error}"));
                Ok(None)
            }
        }
    }

    /// Keep what the provider gave for the next time, if it can be kept.
    ///
    /// # Errors
    /// The operating system gives no event queue.
    pub fn remember(&self, token: &RefreshToken, streams: &mut Streams) -> Result<(), CliError> {
        let Some((logins, login)) = self.logins(streams) else { return Ok(()) };
        let token = Zeroizing::new(token.secret().to_owned());
        let kept =
            wait(logins.remember(&login, &token)).map_err(|error| CliError::io("wait for the keyring", error))?;
        if let Err(error) = kept {
            warn(streams, &error);
        }
        Ok(())
    }

    /// Make an end of the login that is remembered, in the keyring first.
    ///
    /// # Errors
    /// The keyring does not answer; what is there is there still.
    pub fn forget(&self, streams: &mut Streams) -> Result<Forgotten, CliError> {
        let Some((logins, login)) = self.logins(streams) else { return Ok(Forgotten::Nothing) };
        let taken = wait(logins.take(&login)).map_err(|error| CliError::io("wait for the keyring", error))?;
        let token = match taken {
            Ok(Taken::Token(token)) => token,
            Ok(Taken::Nothing) => return Ok(Forgotten::Nothing),
            Ok(Taken::Useless) => return Ok(Forgotten::KeyringOnly),
            // Where there is no keyring, nothing can be in it.
            Err(error) if error.is_absence() => return Ok(Forgotten::Nothing),
            Err(error) => return Err(error.into()),
        };
        let http = Client::new(self.settings.server_roots(), Limits::default());
        let registration = self.registration()?;
        let revoked = wait(async {
            let provider = Provider::discover(&http, self.issuer, registration, &Timestamp::now).await?;
            revoke(&provider, &RefreshToken::new(token)).await
        });
        match revoked.map_err(|error| CliError::io("wait for the provider", error))? {
            Ok(Revoked::Yes) => Ok(Forgotten::Revoked),
            Ok(Revoked::NotPossible) => Ok(Forgotten::KeyringOnly),
            Err(error) => {
                streams.warning(&format!("the provider was not told: {error}"));
                Ok(Forgotten::KeyringOnly)
            }
        }
    }

    fn registration(&self) -> Result<Registration, CliError> {
        Ok(Registration { client_id: self.client_id.to_owned(), secret: secret(&self.settings.login)? })
    }

    fn logins(&self, streams: &mut Streams) -> Option<(RememberedLogins, Login)> {
        let login = Login::new(self.issuer, self.client_id, self.settings.identity.as_deref());
        let login = login.map_err(|error| warn(streams, &error)).ok()?;
        Some((RememberedLogins::new(locks()?), login))
    }
}

fn warn(streams: &mut Streams, error: &RememberError) {
    streams.warning(&format!("no login is remembered: {error}"));
    streams.hint(error.hint());
}

/// Where processes wait for each other. There is nothing in these files.
fn locks() -> Option<PathBuf> {
    let directories = ProjectDirs::from("", "", "gitseal")?;
    Some(directories.state_dir().unwrap_or(directories.data_local_dir()).join("logins"))
}
