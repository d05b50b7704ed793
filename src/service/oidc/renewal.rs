//! Logging in again without the person (RFC 6749 section 6, OpenID Connect Core 1.0 section 12), and making an end of it
//! (RFC 7009).

use openidconnect::{Nonce, RefreshToken as Refresh};

use super::super::error::{Peer, ServiceError};
use super::error::OidcError;
use super::provider::{Provider, exchange};
use super::{Granted, RefreshToken};
use crate::net::address;

/// Have a new ID token for `token`. Where the provider gives no new refresh token, the old one goes on; it is handed
/// back either way.
///
/// Whether the new token is about the same person is for the caller to check, who knows whom it remembered.
///
/// # Errors
/// The provider refuses ([`OidcError::Refused`] with `invalid_grant`: the login must be made anew), or its token is not
/// one for us.
pub async fn refresh(provider: &Provider<'_>, token: RefreshToken) -> Result<Granted, OidcError> {
    let session = provider.session();
    let refresh = Refresh::new(token.secret().to_owned());
    let answer = provider
        .client
        .exchange_refresh_token(&refresh)
        .request_async(&|request| exchange(session, request))
        .await
        .map_err(|error| OidcError::of_endpoint(provider.issuer(), error))?;
    // Section 12.2: a nonce, if there is one, is that of the first login, which nobody has kept.
    let granted = provider.granted(&answer, |_: Option<&Nonce>| Ok(()))?;
    Ok(Granted { refresh_token: granted.refresh_token.or(Some(token)), ..granted })
}

/// Whether the provider was asked to make an end of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    /// It has.
    Yes,
    /// It names no endpoint for it: the token lives until it expires.
    NotPossible,
}

/// Have the provider forget `token`. The library would refuse to ask a provider on this machine, which has no https.
///
/// # Errors
/// It was asked and did not.
pub async fn revoke(provider: &Provider<'_>, token: &RefreshToken) -> Result<Revoked, OidcError> {
    let Some(endpoint) = provider.revocation_endpoint() else { return Ok(Revoked::NotPossible) };
    let url = endpoint.url();
    let answer = provider.post(url, &[("token", token.secret()), ("token_type_hint", "refresh_token")]).await?;
    match answer.status {
        // Section 2.2: also for a token that it does not know any more.
        200..=299 => Ok(Revoked::Yes),
        status => Err(ServiceError::Refused {
            peer: Peer::OidcProvider,
            host: address::host(url),
            status,
            message: answer.message(),
        }
        .into()),
    }
}
