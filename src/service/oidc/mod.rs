//! Logging a person in at an OpenID provider: discovery, authorization code with PKCE, device flow, refresh, revocation
//! (OpenID Connect Core and Discovery 1.0, RFC 6749, 7009, 7636, 8252, 8628, 9207).
//!
//! The messages and the checks of ID tokens are openidconnect's, the requests are our client's: https or this machine, no
//! redirect followed, bounded answers. A request may be repeated there, which is right for the token endpoint too: a
//! code or a refresh token that was taken while its answer got lost is lost either way. Nothing here opens a browser or
//! speaks to a terminal; that is the caller's part.

pub mod code_flow;
pub mod device_flow;
pub mod error;
pub mod page;
pub mod provider;
pub mod redirect;
mod redirect_request;
pub mod renewal;

pub use code_flow::CodeFlow;
pub use device_flow::DeviceFlow;
pub use error::OidcError;
pub use page::Page;
pub use provider::{Provider, Registration};
pub use redirect::Redirect;

use std::fmt;

use zeroize::Zeroizing;

use super::id_token::IdToken;

/// What a login gives.
#[derive(Debug)]
pub struct Granted {
    /// Who it is: signed by the provider, checked, and ready for a certificate authority.
    pub id_token: IdToken,
    /// What a later login without the person takes, where one was wanted and the provider gives it.
    pub refresh_token: Option<RefreshToken>,
}

/// Whether the provider is asked to let us come back without the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remember {
    /// This once.
    No,
    /// Until it is revoked: the provider gives a refresh token, if it does such a thing.
    Yes,
}

/// Who holds it can log in as its owner for weeks, so it has no `Display`, shows nothing in `Debug`, and is wiped.
pub struct RefreshToken(Zeroizing<String>);

impl RefreshToken {
    /// One that a keyring has kept.
    #[must_use]
    pub fn new(secret: Zeroizing<String>) -> Self {
        RefreshToken(secret)
    }

    /// The token itself, for the keyring that keeps it and for the provider that gave it.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(redacted)")
    }
}
