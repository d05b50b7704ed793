//! An OpenID provider: what its discovery document says of it (OpenID Connect Discovery 1.0), its keys, and the check of
//! the ID tokens that it signs (OpenID Connect Core 1.0 section 3.1.3.7).

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod, CoreGrantType,
    CoreIdTokenVerifier, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm,
    CoreJwsSigningAlgorithm, CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType, CoreTokenResponse,
};
use openidconnect::{
    AdditionalProviderMetadata, AuthType, ClientId, ClientSecret, DeviceAuthorizationUrl, DiscoveryError,
    EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IssuerUrl, NonceVerifier, OAuth2TokenResponse as _,
    ProviderMetadata, RevocationUrl, Scope, TokenResponse as _,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::super::error::{Peer, ServiceError};
use super::super::id_token::IdToken;
use super::super::session::Session;
use super::error::OidcError;
use super::{Granted, RefreshToken, Remember};
use crate::net::address::{self, AddressError};
use crate::net::{Client, Request, Response, Url};

/// Largest answer of a provider, in bytes: discovery documents and key sets have a few KiB, token answers less.
const MAX_ANSWER_LEN: usize = 256 * 1024;
/// How long one exchange with the provider may take, repetitions included. A person is watching.
const EXCHANGE_TIME: Duration = Duration::from_secs(30);
/// What the endpoints of RFC 6749 take.
const FORM: &str = "application/x-www-form-urlencoded";
/// What its ID tokens may be signed with: nothing symmetric, whose key we would have to share, and not `none`.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
];

/// Who we are to the provider.
pub struct Registration {
    /// The client id, which is the audience of its tokens.
    pub client_id: String,
    /// The secret that goes with it, where the provider demands one.
    pub secret: Option<Zeroizing<String>>,
}

/// A provider that has introduced itself.
pub struct Provider<'a> {
    http: &'a Client,
    clock: &'a dyn Fn() -> Timestamp,
    issuer: String,
    secret: Option<Zeroizing<String>>,
    pub(super) client: OidcClient,
    metadata: Metadata,
}

pub(super) type OidcClient =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet, EndpointNotSet>;

type Metadata = ProviderMetadata<
    Endpoints,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// What other documents add to the metadata of Discovery 1.0.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Endpoints {
    /// RFC 8628.
    device_authorization_endpoint: Option<DeviceAuthorizationUrl>,
    /// RFC 7009.
    revocation_endpoint: Option<RevocationUrl>,
    /// RFC 7636.
    code_challenge_methods_supported: Option<Vec<String>>,
    /// RFC 9207: whether the answer names its issuer.
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for Endpoints {}

impl<'a> Provider<'a> {
    /// Have the provider at `issuer` introduce itself; `clock` says when its tokens are judged.
    ///
    /// # Errors
    /// It cannot be reached, is another one, or names addresses that are no good.
    pub async fn discover(
        http: &'a Client,
        issuer: &str,
        registration: Registration,
        clock: &'a dyn Fn() -> Timestamp,
    ) -> Result<Self, OidcError> {
        address::parse(issuer).map_err(|error| ServiceError::address(Peer::OidcProvider, error))?;
        // The name counts as it is spelled: the document and the tokens must have the same one, letter by letter.
        let url = IssuerUrl::new(issuer.to_owned()).map_err(|error| OidcError::document(issuer, error))?;
        let session = Session::new(http, EXCHANGE_TIME);
        let metadata = Metadata::discover_async(url, &|request| exchange(session, request))
            .await
            .map_err(|error| discovery_failed(issuer, error))?;
        check_endpoints(issuer, &metadata)?;
        let Registration { client_id, secret } = registration;
        let Some(token_endpoint) = metadata.token_endpoint().cloned() else {
            return Err(OidcError::document(issuer, "its document names no token endpoint"));
        };
        let client = CoreClient::new(ClientId::new(client_id), metadata.issuer().clone(), metadata.jwks().clone())
            .set_auth_uri(metadata.authorization_endpoint().clone())
            .set_token_uri(token_endpoint)
            // The one way of `client_secret_post`; our requests have no header for the other one.
            .set_auth_type(AuthType::RequestBody);
        let client = match &secret {
            Some(secret) => client.set_client_secret(ClientSecret::new(secret.to_string())),
            None => client,
        };
        Ok(Provider { http, clock, issuer: issuer.to_owned(), secret, client, metadata })
    }

    /// The provider's name.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// RFC 7636, as far as it says.
    pub(super) fn challenge_methods(&self) -> Option<&[String]> {
        self.metadata.additional_metadata().code_challenge_methods_supported.as_deref()
    }

    /// RFC 8628.
    pub(super) fn device_endpoint(&self) -> Option<&DeviceAuthorizationUrl> {
        self.metadata.additional_metadata().device_authorization_endpoint.as_ref()
    }

    /// RFC 7009.
    pub(super) fn revocation_endpoint(&self) -> Option<&RevocationUrl> {
        self.metadata.additional_metadata().revocation_endpoint.as_ref()
    }

    /// RFC 9207.
    pub(super) fn names_itself(&self) -> bool {
        self.metadata.additional_metadata().authorization_response_iss_parameter_supported
    }

    /// A conversation about one thing.
    pub(super) fn session(&self) -> Session<'a> {
        Session::new(self.http, EXCHANGE_TIME)
    }

    /// Ask the token endpoint with a form of our own.
    pub(super) async fn ask_for_token(&self, form: &[(&str, &str)]) -> Result<Response, ServiceError> {
        self.post(self.client.token_uri().url(), form).await
    }

    /// Send a form of our own, and who we are (RFC 6749 section 2.3.1).
    pub(super) async fn post(&self, url: &Url, form: &[(&str, &str)]) -> Result<Response, ServiceError> {
        let mut query = Url::parse("http://localhost").expect("a plain address");
        query.query_pairs_mut().extend_pairs(form).append_pair("client_id", self.client.client_id());
        if let Some(secret) = &self.secret {
            query.query_pairs_mut().append_pair("client_secret", secret);
        }
        let body = query.query().unwrap_or_default().as_bytes().to_vec();
        let request = Request::post(url, (FORM, body), "application/json", MAX_ANSWER_LEN);
        self.session().send(Peer::OidcProvider, request).await
    }

    /// What is asked for: who it is, and if it shall be remembered the right to come back. A provider that lists its
    /// scopes without `offline_access` (Google) refuses the word, and has other ways to ask for the same.
    pub(super) fn scopes(&self, remember: Remember) -> Vec<Scope> {
        let mut scopes = vec![Scope::new("email".to_owned())];
        let offline = Scope::new("offline_access".to_owned());
        let listed = self.metadata.scopes_supported().is_none_or(|scopes| scopes.contains(&offline));
        if remember == Remember::Yes && listed {
            scopes.push(offline);
        }
        scopes
    }

    /// Believe an answer of the token endpoint. The steps of section 3.1.3.7: the issuer is the one that was asked (2),
    /// the audience is we and nobody else (3 to 5), the signature is by one of its keys with an algorithm that is no
    /// shared secret (6 to 8), it has not expired (9), and the nonce is that of this login (11).
    pub(super) fn granted(&self, answer: &CoreTokenResponse, nonce: impl NonceVerifier) -> Result<Granted, OidcError> {
        let id_token = answer.id_token().ok_or_else(|| OidcError::NoIdToken(self.issuer.clone()))?;
        let now = SystemTime::from((self.clock)());
        let verifier = CoreIdTokenVerifier::new_public_client(
            self.client.client_id().clone(),
            self.metadata.issuer().clone(),
            self.metadata.jwks().clone(),
        )
        .set_allowed_algs(ALGORITHMS)
        .set_time_fn(move || now.into());
        id_token.claims(&verifier, nonce).map_err(OidcError::BadIdToken)?;
        let raw = Zeroizing::new(id_token.to_string());
        let refresh_token = answer.refresh_token().map(|token| RefreshToken::new(token.secret().clone().into()));
        Ok(Granted { id_token: IdToken::parse(&raw)?, refresh_token })
    }
}

/// Every address that a request or a browser will go to is one that we talk to: https, or this machine.
fn check_endpoints(issuer: &str, metadata: &Metadata) -> Result<(), OidcError> {
    let more = metadata.additional_metadata();
    let endpoints = [
        Some(metadata.authorization_endpoint().url()),
        metadata.token_endpoint().map(|endpoint| endpoint.url()),
        more.device_authorization_endpoint.as_ref().map(|endpoint| endpoint.url()),
        more.revocation_endpoint.as_ref().map(|endpoint| endpoint.url()),
    ];
    for endpoint in endpoints.into_iter().flatten() {
        check_address(issuer, endpoint)?;
    }
    Ok(())
}

/// As above, for one address.
pub(super) fn check_address(issuer: &str, url: &Url) -> Result<(), OidcError> {
    address::check(url).map_err(|cause| OidcError::Endpoint { issuer: issuer.to_owned(), cause })
}

fn discovery_failed(issuer: &str, error: DiscoveryError<ServiceError>) -> OidcError {
    let problem = match error {
        DiscoveryError::Request(error) => return OidcError::Service(error),
        DiscoveryError::Parse(error) => format!("its document does not say what it must: {}", error.into_inner()),
        DiscoveryError::Response(status, ..) => {
            format!("it answers with status {} where its document should be", status.as_u16())
        }
        // The name in the document is another one: a provider must not speak for its neighbour.
        DiscoveryError::Validation(problem) => problem,
        other => other.to_string(),
    };
    OidcError::document(issuer, problem)
}

/// Send what the library has prepared, through our client.
pub(super) async fn exchange(session: Session<'_>, request: HttpRequest) -> Result<HttpResponse, ServiceError> {
    let url = Url::parse(&request.uri().to_string())
        .map_err(|_| ServiceError::address(Peer::OidcProvider, AddressError::NotAUrl(request.uri().to_string())))?;
    let body = request.into_body();
    let request = if body.is_empty() {
        Request::get(&url, MAX_ANSWER_LEN)
    } else {
        Request::post(&url, (FORM, body), "application/json", MAX_ANSWER_LEN)
    };
    let answer = session.send(Peer::OidcProvider, request).await?;
    let mut response = HttpResponse::new(answer.body);
    *response.status_mut() =
        openidconnect::http::StatusCode::from_u16(answer.status).expect("a status that was received");
    Ok(response)
}
