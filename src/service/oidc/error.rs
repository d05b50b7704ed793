//! Why a login gave no token, and what a person can do about it.

use std::io;
use std::time::Duration;

use openidconnect::{ClaimsVerificationError, ErrorResponseType, RequestTokenError, StandardErrorResponse};

use super::super::error::ServiceError;
use super::super::id_token::TokenError;
use crate::net::address::AddressError;

/// How much of a provider's own words is kept for people to read.
const MAX_WORDS_LEN: usize = 300;

/// Why a login gave no token.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// The provider cannot be reached, or answers with what is no answer.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// Its discovery document or its keys are not what they must be.
    #[error("OpenID provider {issuer}: {problem}")]
    Document {
        /// Who was asked.
        issuer: String,
        /// What is wrong.
        problem: String,
    },
    /// Its discovery document names an address that no request and no browser may go to.
    #[error("OpenID provider {issuer}: {cause}")]
    Endpoint {
        /// Who named it.
        issuer: String,
        /// Why not.
        cause: AddressError,
    },
    /// It lists what it can do for public clients, and S256 is not among it: a code could be redeemed by whoever sees it.
    #[error("OpenID provider {0} has no PKCE with S256")]
    NoPkce(String),
    /// It names no device endpoint.
    #[error("OpenID provider {0} has no device flow")]
    NoDeviceFlow(String),
    /// It did not log the person in, and says why.
    #[error("the login was refused: {}", words(.code, .description))]
    Refused {
        /// One of the words of RFC 6749, RFC 8628 or OpenID Connect.
        code: String,
        /// More of its own words.
        description: Option<String>,
    },
    /// The person or the provider let the device's code expire.
    #[error("the code expired before the login was done")]
    DeviceExpired,
    /// Nobody came back.
    #[error("nobody came back from the browser within {} s{}", .within.as_secs(), and_strangers(.strangers))]
    NobodyCame {
        /// How long we waited.
        within: Duration,
        /// How many requests came that were not of this login.
        strangers: usize,
    },
    /// The answer names another provider than the one that was asked (RFC 9207): two logins were mixed up.
    #[error("the login came back from {found}, and {wanted} was asked")]
    MixedUp {
        /// Who says to have answered.
        found: String,
        /// Who was asked.
        wanted: String,
    },
    /// An answer of the token endpoint without the token.
    #[error("OpenID provider {0} gave no ID token")]
    NoIdToken(String),
    /// An ID token that is not for us, not from them, not for this login, or not valid any more.
    #[error("the ID token {}", why(.0))]
    BadIdToken(ClaimsVerificationError),
    /// An ID token that holds and that is of no use.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The configured redirect address is not one that this machine could answer.
    #[error("{0} cannot be where the browser comes back to")]
    RedirectUrl(String),
    /// The port cannot be had.
    #[error("cannot wait for the browser on {place}: {source}")]
    Listen {
        /// Where.
        place: String,
        /// What the system says.
        source: io::Error,
    },
}

impl OidcError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            OidcError::Service(error) => error.hint(),
            OidcError::Document { .. } | OidcError::Endpoint { .. } | OidcError::NoIdToken(_) => {
                "check gitseal.issuer; if it is right, this is the provider's to repair"
            }
            OidcError::NoPkce(_) => "ask its operator to switch PKCE on, or log in with a token from elsewhere",
            OidcError::NoDeviceFlow(_) => "log in with a browser, or set SIGSTORE_ID_TOKEN or gitseal.idTokenFile",
            OidcError::Refused { code, .. } if code == "access_denied" => "log in again, and agree to it this time",
            OidcError::Refused { code, .. } if code.ends_with("_client") => {
                "check gitseal.clientID and gitseal.clientSecretFile"
            }
            OidcError::Refused { .. } => "the provider's own words say why; try again, or report it to its operator",
            OidcError::DeviceExpired => "try again, and enter the code a little sooner",
            OidcError::NobodyCame { .. } => {
                "try again; without a browser on this machine, use 'gitseal login --device'"
            }
            OidcError::MixedUp { .. } => "close the other login, and try again",
            OidcError::BadIdToken(ClaimsVerificationError::Expired(_)) => {
                "check the clock of this machine, and try again"
            }
            OidcError::BadIdToken(ClaimsVerificationError::InvalidAudience(_)) => "check gitseal.clientID",
            OidcError::BadIdToken(_) => "try again; if it stays so, do not trust this provider and report it",
            OidcError::Token(error) => error.hint(),
            OidcError::RedirectUrl(_) => {
                "set gitseal.redirectURL to http on localhost, 127.0.0.1 or [::1], such as http://localhost:8123/auth/callback"
            }
            OidcError::Listen { .. } => "set gitseal.redirectURL to a free port, or unset it to have one chosen",
        }
    }

    /// A failure of the token endpoint, the device endpoint or the revocation endpoint.
    pub(super) fn of_endpoint<T>(issuer: &str, error: RequestTokenError<ServiceError, StandardErrorResponse<T>>) -> Self
    where
        T: ErrorResponseType + AsRef<str> + std::fmt::Display + 'static,
    {
        match error {
            RequestTokenError::Request(error) => OidcError::Service(error),
            RequestTokenError::ServerResponse(said) => {
                OidcError::refused(said.error().as_ref(), said.error_description().map(String::as_str))
            }
            RequestTokenError::Parse(..) => OidcError::document(issuer, "an answer that is none of RFC 6749"),
            RequestTokenError::Other(problem) => OidcError::document(issuer, problem),
        }
    }

    /// A refusal in the provider's own words, shortened.
    pub(super) fn refused(code: &str, description: Option<&str>) -> Self {
        OidcError::Refused { code: shortened(code), description: description.map(shortened) }
    }

    pub(super) fn document(issuer: &str, problem: impl ToString) -> Self {
        OidcError::Document { issuer: issuer.to_owned(), problem: shortened(&problem.to_string()) }
    }
}

fn words(code: &str, description: &Option<String>) -> String {
    match description {
        Some(description) => format!("{description} ({code})"),
        None => code.to_owned(),
    }
}

/// What is wrong with an ID token.
fn why(cause: &ClaimsVerificationError) -> String {
    match cause {
        ClaimsVerificationError::Expired(detail) => format!("has expired: {detail}"),
        ClaimsVerificationError::InvalidAudience(detail) => format!("is for somebody else: {detail}"),
        ClaimsVerificationError::InvalidIssuer(detail) => format!("is by another issuer: {detail}"),
        ClaimsVerificationError::InvalidNonce(_) => "is for another login".to_owned(),
        ClaimsVerificationError::SignatureVerification(_) => "is not signed by this provider".to_owned(),
        other => format!("does not hold: {other}"),
    }
}

fn and_strangers(count: &usize) -> String {
    match count {
        0 => String::new(),
        count => format!(", and {count} requests were not of this login"),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_WORDS_LEN).collect()
}
