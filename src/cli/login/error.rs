//! Why nobody was logged in, before and beyond what the provider says.

use std::io;

use thiserror::Error;

use crate::service::oidc::OidcError;

/// Why nobody was logged in.
#[derive(Debug, Error)]
pub enum LoginError {
    /// Neither a browser nor a terminal.
    #[error("no identity token, and no way to log in: there is no browser and no terminal here")]
    NoWay,
    /// A job of CI.
    #[error("no identity token, and nobody to log in: this is a job of CI")]
    NobodyThere,
    /// The browser was asked for.
    #[error("no browser can be opened here, and there is no terminal to show its address on")]
    NoBrowser,
    /// The device flow was asked for.
    #[error("there is no terminal to show the code on")]
    NoTerminal,
    /// The configured opener.
    #[error("gitseal.urlOpener {0}")]
    Opener(&'static str),
    /// A program that cannot be started.
    #[error("cannot run '{program}' to open the browser: {source}")]
    Open {
        /// Which.
        program: String,
        /// What the system says.
        source: io::Error,
    },
    /// The provider, or what came back from the browser.
    #[error(transparent)]
    Oidc(#[from] OidcError),
}

/// Tokens from elsewhere.
const ELSEWHERE: &str = "set SIGSTORE_ID_TOKEN or gitseal.idTokenFile";

impl LoginError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            LoginError::NoWay | LoginError::NoBrowser | LoginError::NoTerminal => {
                format!("run 'gitseal login --device' in a terminal, or {ELSEWHERE}; gitseal-login(1) has them all")
            }
            LoginError::NobodyThere => {
                format!(
                    "give the job its platform's token (gitseal.tokenProvider), or {ELSEWHERE}; see gitseal-config(5)"
                )
            }
            LoginError::Opener(_) => {
                "a command with {{.URL}} in it, such as: git config --global gitseal.urlOpener 'firefox {{.URL}}'"
                    .into()
            }
            LoginError::Open { .. } => {
                "correct gitseal.urlOpener or BROWSER, or log in with 'gitseal login --device'".into()
            }
            LoginError::Oidc(error) => error.hint().to_owned(),
        }
    }
}
