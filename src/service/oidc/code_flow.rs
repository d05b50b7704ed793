//! The authorization code flow (OpenID Connect Core 1.0 section 3.1) as RFC 8252 and RFC 9700 want it of a program on a
//! person's machine: PKCE with S256, a state and a nonce of its own for every login.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use openidconnect::core::CoreAuthenticationFlow;
use openidconnect::{AuthorizationCode, CsrfToken, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl};

use super::error::OidcError;
use super::provider::{Provider, exchange};
use super::{Granted, Remember};
use crate::crypto::random;
use crate::net::Url;

/// Random bytes in a state, a nonce and a verifier: RFC 9700 asks for 128 bits, RFC 7636 for 256.
const RANDOM_LEN: usize = 32;
/// The one way to answer a challenge that keeps the verifier secret.
const S256: &str = "S256";

/// A login that has begun: the address that the browser opens, and what its answer must fit.
pub struct CodeFlow {
    url: Url,
    redirect_uri: RedirectUrl,
    state: CsrfToken,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

impl CodeFlow {
    /// Begin a login at `provider` that comes back to `redirect_uri`; a federating provider goes on to `connector` and
    /// does not ask which.
    ///
    /// # Errors
    /// The provider says that it has no PKCE. One that says nothing about it (Microsoft's) is taken at its silence: if
    /// it ignores the challenge, the nonce still keeps a foreign code from being taken for ours.
    pub fn begin(
        provider: &Provider<'_>,
        redirect_uri: &Url,
        connector: Option<&str>,
        remember: Remember,
    ) -> Result<Self, OidcError> {
        if provider.challenge_methods().is_some_and(|methods| !methods.iter().any(|method| method == S256)) {
            return Err(OidcError::NoPkce(provider.issuer().to_owned()));
        }
        let (state, nonce) = (CsrfToken::new(unguessable()), Nonce::new(unguessable()));
        let (challenge, verifier) = challenge();
        let redirect_uri = RedirectUrl::from_url(redirect_uri.clone());
        let (given_state, given_nonce) = (state.clone(), nonce.clone());
        let mut request = provider
            .client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, move || given_state, move || given_nonce)
            .add_scopes(provider.scopes(remember))
            .set_pkce_challenge(challenge)
            .set_redirect_uri(std::borrow::Cow::Borrowed(&redirect_uri));
        if let Some(connector) = connector {
            // Dex: the upstream to use.
            request = request.add_extra_param("connector_id", connector);
        }
        request = match remember {
            Remember::No => request.add_extra_param("access_type", "online"),
            // Google's words for a refresh token, and OpenID Connect's for asking the person about it.
            Remember::Yes => request.add_extra_param("access_type", "offline").add_extra_param("prompt", "consent"),
        };
        let (url, ..) = request.url();
        Ok(CodeFlow { url, redirect_uri, state, nonce, verifier })
    }

    /// What the browser opens.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// What the answer must bring back.
    pub(super) fn state(&self) -> &str {
        self.state.secret()
    }

    /// Redeem the code that came back.
    ///
    /// # Errors
    /// The provider refuses, or its token is not one for this login.
    pub async fn redeem(self, provider: &Provider<'_>, code: AuthorizationCode) -> Result<Granted, OidcError> {
        let session = provider.session();
        let answer = provider
            .client
            .exchange_code(code)
            .set_pkce_verifier(self.verifier)
            .set_redirect_uri(std::borrow::Cow::Borrowed(&self.redirect_uri))
            .request_async(&|request| exchange(session, request))
            .await
            .map_err(|error| OidcError::of_endpoint(provider.issuer(), error))?;
        provider.granted(&answer, &self.nonce)
    }
}

/// What nobody guesses.
fn unguessable() -> String {
    Base64UrlUnpadded::encode_string(&random::bytes::<RANDOM_LEN>())
}

/// A verifier and its challenge (RFC 7636 section 4). The library could make both, from another source of randomness.
pub(super) fn challenge() -> (PkceCodeChallenge, PkceCodeVerifier) {
    let verifier = PkceCodeVerifier::new(unguessable());
    (PkceCodeChallenge::from_code_verifier_sha256(&verifier), verifier)
}
