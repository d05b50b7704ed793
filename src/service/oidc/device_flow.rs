//! The device flow (RFC 8628): the person logs in anywhere, with a code that the terminal shows, and we ask whether they
//! have. PKCE goes along, as some providers (Dex) bind the code with it and the others ignore it.

use std::time::Duration;

use openidconnect::core::CoreDeviceAuthorizationResponse;
use openidconnect::{DeviceCodeErrorResponse, DeviceCodeErrorResponseType, Nonce, PkceCodeVerifier, RequestTokenError};

use super::super::error::ServiceError;
use super::code_flow::challenge;
use super::error::OidcError;
use super::provider::{Provider, check_address, exchange};
use super::{Granted, Remember};
use crate::net::Url;

/// No code is waited for longer than this, whatever the provider says: nobody sits in front of it.
pub const MAX_WAIT: Duration = Duration::from_secs(15 * 60);
/// The longest pause between two questions; a provider that asks for more would never be heard.
const MAX_INTERVAL: Duration = Duration::from_secs(60);
/// A code is typed by a person: longer ones are a mistake or an attempt to write on the terminal.
const MAX_USER_CODE_LEN: usize = 64;

/// A login that has begun: what to show, and how to ask for its outcome.
pub struct DeviceFlow {
    answer: CoreDeviceAuthorizationResponse,
    page: Url,
    complete: Option<Url>,
    verifier: PkceCodeVerifier,
}

impl DeviceFlow {
    /// Begin a login at `provider`.
    ///
    /// # Errors
    /// It has no device flow, refuses, or answers with an address that no browser should open.
    pub async fn begin(provider: &Provider<'_>, remember: Remember) -> Result<Self, OidcError> {
        let Some(endpoint) = provider.device_endpoint() else {
            return Err(OidcError::NoDeviceFlow(provider.issuer().to_owned()));
        };
        let session = provider.session();
        let (challenge, verifier) = challenge();
        let client = provider.client.clone().set_device_authorization_url(endpoint.clone());
        let answer: CoreDeviceAuthorizationResponse = client
            .exchange_device_code()
            .add_scopes(provider.scopes(remember))
            .add_extra_param("code_challenge", challenge.as_str().to_owned())
            .add_extra_param("code_challenge_method", "S256")
            .request_async(&|request| exchange(session, request))
            .await
            .map_err(|error| OidcError::of_endpoint(provider.issuer(), error))?;
        let issuer = provider.issuer();
        let page = answer.verification_uri().url().clone();
        check_address(issuer, &page)?;
        let complete = answer.verification_uri_complete().and_then(|uri| Url::parse(uri.secret()).ok());
        if let Some(complete) = &complete {
            check_address(issuer, complete)?;
        }
        if answer.user_code().secret().chars().count() > MAX_USER_CODE_LEN {
            return Err(OidcError::document(issuer, "its code is too long for anybody to type"));
        }
        Ok(DeviceFlow { answer, page, complete, verifier })
    }

    /// The page to open.
    #[must_use]
    pub fn page(&self) -> &Url {
        &self.page
    }

    /// The same page with the code filled in, where the provider has one.
    #[must_use]
    pub fn complete_page(&self) -> Option<&Url> {
        self.complete.as_ref()
    }

    /// The code to type there.
    #[must_use]
    pub fn user_code(&self) -> &str {
        self.answer.user_code().secret()
    }

    /// How long the person has.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.answer.expires_in().min(MAX_WAIT)
    }

    /// Ask until the person has logged in, at the provider's pace.
    ///
    /// # Errors
    /// They did not, or the provider's token is not one for us.
    pub async fn wait(self, provider: &Provider<'_>) -> Result<Granted, OidcError> {
        let lifetime = self.lifetime();
        let session = provider.session_of(lifetime);
        let http = |request| exchange(session, request);
        let pause = |asked: Duration| tokio::time::sleep(asked.min(MAX_INTERVAL));
        let asking = provider
            .client
            .exchange_device_access_token(&self.answer)
            .set_max_backoff_interval(MAX_INTERVAL)
            .add_extra_param("code_verifier", self.verifier.secret().as_str())
            .request_async(&http, pause, Some(lifetime));
        // The library looks at its clock before it asks, not after a pause that has outlived the code.
        let answer = match tokio::time::timeout(lifetime, asking).await {
            Ok(answer) => answer.map_err(|error| ended(provider.issuer(), error))?,
            Err(_) => return Err(OidcError::DeviceExpired),
        };
        // A nonce binds an answer that came through a browser to the question. This one came to us alone, for a device
        // code that only we have, and RFC 8628 knows no nonce.
        provider.granted(&answer, |_: Option<&Nonce>| Ok(()))
    }
}

fn ended(issuer: &str, error: RequestTokenError<ServiceError, DeviceCodeErrorResponse>) -> OidcError {
    match error {
        RequestTokenError::ServerResponse(said) if *said.error() == DeviceCodeErrorResponseType::ExpiredToken => {
            OidcError::DeviceExpired
        }
        RequestTokenError::ServerResponse(said) => {
            OidcError::refused(&said.error().to_string(), said.error_description().map(String::as_str))
        }
        RequestTokenError::Request(error) => OidcError::Service(error),
        RequestTokenError::Parse(..) => OidcError::document(issuer, "an answer that is none of RFC 8628"),
        RequestTokenError::Other(problem) => OidcError::document(issuer, problem),
    }
}
