//! The device flow (RFC 8628): the person logs in anywhere, with a code that the terminal shows, and we ask whether they
//! have. PKCE goes along, as some providers (Dex) bind the code with it and the others ignore it.

use std::time::Duration;

use openidconnect::core::{CoreDeviceAuthorizationResponse, CoreTokenResponse};
use openidconnect::{DeviceCodeErrorResponse, DeviceCodeErrorResponseType, Nonce, PkceCodeVerifier};

use super::super::error::ServiceError;
use super::code_flow::challenge;
use super::error::OidcError;
use super::provider::{Provider, check_address, exchange};
use super::{Granted, Remember};
use crate::net::{NetError, Url};

/// No code is waited for longer than this, whatever the provider says: nobody sits in front of it.
pub const MAX_WAIT: Duration = Duration::from_secs(15 * 60);
/// The longest pause between two questions; a provider that asks for more would never be heard.
const MAX_INTERVAL: Duration = Duration::from_secs(60);
/// The shortest: a provider that asks for none would be asked without a pause.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// How much longer the pauses become when the provider says `slow_down` (section 3.5).
const SLOWER: Duration = Duration::from_secs(5);
/// Failed requests in a row, each repeated already, before we believe that the provider is down.
const MAX_FAILURES: u32 = 4;
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";
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
    /// The library has a loop for this. It goes on after every failed request, redirects and oversized answers too, until
    /// the code expires; here only what may pass is waited for, and not for ever.
    ///
    /// # Errors
    /// They did not, or the provider's token is not one for us.
    pub async fn wait(self, provider: &Provider<'_>) -> Result<Granted, OidcError> {
        match tokio::time::timeout(self.lifetime(), self.ask(provider)).await {
            // A nonce binds an answer that came through a browser to the question. This one came to us alone, for a
            // device code that only we have, and RFC 8628 knows no nonce.
            Ok(answer) => provider.granted(&answer?, |_: Option<&Nonce>| Ok(())),
            Err(_) => Err(OidcError::DeviceExpired),
        }
    }

    /// RFC 8628 sections 3.4 and 3.5.
    async fn ask(&self, provider: &Provider<'_>) -> Result<CoreTokenResponse, OidcError> {
        let grant = [
            ("grant_type", GRANT_TYPE),
            ("device_code", self.answer.device_code().secret()),
            ("code_verifier", self.verifier.secret()),
        ];
        let mut interval = self.answer.interval().clamp(MIN_INTERVAL, MAX_INTERVAL);
        let mut failures = 0;
        loop {
            tokio::time::sleep(interval).await;
            let answer = match provider.ask_for_token(&grant).await {
                Ok(answer) => answer,
                Err(error) if may_pass(&error) && failures < MAX_FAILURES => {
                    failures += 1;
                    interval = (interval * 2).min(MAX_INTERVAL);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            failures = 0;
            if answer.status == 200 {
                return serde_json::from_slice(&answer.body)
                    .map_err(|_| OidcError::document(provider.issuer(), "an answer that is none of RFC 6749"));
            }
            let said: DeviceCodeErrorResponse = serde_json::from_slice(&answer.body)
                .map_err(|_| OidcError::document(provider.issuer(), "an answer that is none of RFC 8628"))?;
            match said.error() {
                DeviceCodeErrorResponseType::AuthorizationPending => {}
                DeviceCodeErrorResponseType::SlowDown => interval = (interval + SLOWER).min(MAX_INTERVAL),
                DeviceCodeErrorResponseType::ExpiredToken => return Err(OidcError::DeviceExpired),
                other => {
                    let description = said.error_description().map(String::as_str);
                    return Err(OidcError::refused(other.as_ref(), description));
                }
            }
        }
    }
}

/// Whether a request that failed may go well a little later.
fn may_pass(error: &ServiceError) -> bool {
    let ServiceError::NoAnswer { source, .. } = error else { return false };
    matches!(source, NetError::Connection { .. } | NetError::TimedOut { .. } | NetError::Unavailable { .. })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::net::test_only_server::{Server, answer};
    use crate::net::{Client, Limits, Roots};
    use crate::service::oidc::Registration;

    const PENDING: (u16, &str) = (400, r#"{"error":"authorization_pending"}"#);

    /// The login's end, where the token endpoint answers so; and how often it was asked.
    async fn asked(token_answers: &[(u16, &str)]) -> (OidcError, usize) {
        let answers =
            token_answers.iter().map(|(status, body)| answer(*status, "Location: https://elsewhere.example\r\n", body));
        let token = Server::new(answers).await;
        let device = Server::json(&[(
            200,
            r#"{"device_code":"d","user_code":"ABCD","verification_uri":"https://i.example/d","expires_in":30,"interval":0}"#,
        )])
        .await;
        let keys = Server::json(&[(200, r#"{"keys":[]}"#)]).await;
        let body = format!(
            r#"{{"issuer":"ISSUER","authorization_endpoint":"https://i.example/a","token_endpoint":"{}",
            "device_authorization_endpoint":"{}","jwks_uri":"{}","response_types_supported":["code"],
            "subject_types_supported":["public"],"id_token_signing_alg_values_supported":["ES256"]}}"#,
            token.url("/token"),
            device.url("/device"),
            keys.url("/keys"),
        );
        let issuer = Server::naming_itself(&body, "ISSUER").await;
        let client = Client::new(Roots::default(), Limits { attempts: 1, ..Limits::default() });
        let registration = Registration { client_id: "sigstore".into(), secret: None };
        let name = issuer.url("/").as_str().trim_end_matches('/').to_owned();
        let provider = Provider::discover(&client, &name, registration, &Timestamp::now).await.unwrap();
        let flow = DeviceFlow::begin(&provider, Remember::No).await.unwrap();
        assert_eq!((flow.user_code(), flow.page().as_str()), ("ABCD", "https://i.example/d"));
        (flow.wait(&provider).await.unwrap_err(), token.calls())
    }

    #[tokio::test]
    async fn pending_is_waited_for_and_the_end_is_told() {
        let (error, calls) = asked(&[PENDING, (400, r#"{"error":"access_denied"}"#)]).await;
        assert_eq!((error.to_string().as_str(), calls), ("the login was refused: access_denied", 2));
        let (error, _) = asked(&[(400, r#"{"error":"expired_token"}"#)]).await;
        assert!(matches!(error, OidcError::DeviceExpired));
    }

    #[tokio::test]
    async fn slow_down_makes_the_pauses_longer() {
        let started = tokio::time::Instant::now();
        let (_, calls) = asked(&[(400, r#"{"error":"slow_down"}"#), (400, r#"{"error":"access_denied"}"#)]).await;
        assert_eq!(calls, 2);
        assert!(started.elapsed() >= MIN_INTERVAL + SLOWER);
    }

    #[tokio::test]
    async fn what_passes_is_waited_for_and_nothing_else() {
        let (error, calls) = asked(&[(503, ""), (400, r#"{"error":"access_denied"}"#)]).await;
        assert!(matches!(error, OidcError::Refused { .. }) && calls == 2);
        for (status, body) in [(307, ""), (400, "nonsense"), (200, "{}"), (400, "{}")] {
            let (error, calls) = asked(&[(status, body)]).await;
            assert!(matches!(error, OidcError::Service(_) | OidcError::Document { .. }), "{status}: {error}");
            assert_eq!(calls, 1, "{status} {body}");
        }
    }
}
