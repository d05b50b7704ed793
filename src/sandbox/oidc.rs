//! The OIDC issuer: discovery, keys, authorization code with PKCE, device flow, refresh, revocation, and a token for the
//! asking (OpenID Connect Core, RFC 6749, 7009, 7636, 8628, 9207).
//!
//! It approves everybody: whoever asks is the configured identity, or the one that `login_hint` names. That is the
//! point of a sandbox and the reason why it listens on loopback only.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::extract::{Form, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use base64ct::{Base64UrlUnpadded as Base64Url, Encoding as _};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::faults::{Fault, Faults, Service};
use super::reply::{Parameters, Refusal, lock};
use super::server::Services;
use crate::crypto::{EphemeralKey, Keypair, ServiceKey, digest::hex, random, sha256};
use crate::format::jws;

/// The audience that Fulcio asks for, and the client id that Sigstore's programs use.
pub const AUDIENCE: &str = "sigstore";
/// How long an identity token is good for, unless told otherwise.
pub(super) const TOKEN_LIFETIME: SignedDuration = SignedDuration::from_mins(10);
/// What may be asked for at most, of a token and of a certificate: as long as anybody works in a sandbox.
pub const MAX_LIFETIME: SignedDuration = SignedDuration::from_hours(24);
/// How long a code may wait to be redeemed.
const CODE_LIFETIME: SignedDuration = SignedDuration::from_mins(5);
/// How long a refresh token is good for.
const REFRESH_LIFETIME: SignedDuration = SignedDuration::from_hours(24);
/// Logins that are under way at one time; the oldest gives way.
const MAX_GRANTS: usize = 1024;
/// Seconds between two polls of a device.
const DEVICE_INTERVAL: i64 = 1;

const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Another host, and another issuer, for the faults that have one.
const ELSEWHERE: &str = "https://elsewhere.example";
const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";

/// The issuer.
pub(super) struct Oidc {
    issuer: String,
    key: ServiceKey,
    identity: String,
    /// How long the tokens of a login are good for.
    token_lifetime: SignedDuration,
    grants: Mutex<HashMap<String, Grant>>,
}

/// A promise of a token to whoever presents its name: an authorization code, a device code, or a refresh token.
#[derive(Clone)]
struct Grant {
    kind: GrantKind,
    identity: String,
    client_id: String,
    nonce: Option<String>,
    /// S256 of the verifier that must come with it.
    challenge: Option<String>,
    expires: Timestamp,
}

#[derive(Clone, PartialEq)]
enum GrantKind {
    Code { redirect_uri: String },
    Device { polled: bool },
    Refresh,
}

/// An error of the token endpoint (RFC 6749 section 5.2, RFC 8628 section 3.5).
struct OAuthError(&'static str, &'static str);

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.0, "error_description": self.1 });
        (StatusCode::BAD_REQUEST, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
    }
}

impl Oidc {
    pub(super) fn new(issuer: String, key: ServiceKey, identity: String, token_lifetime: SignedDuration) -> Self {
        Oidc { issuer, key, identity, token_lifetime, grants: Mutex::new(HashMap::new()) }
    }

    /// The URL that tokens name.
    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The key that tokens are signed with.
    pub(super) fn public_key(&self) -> &crate::crypto::PublicKey {
        self.key.public_key()
    }

    /// A token for `identity`: an e-mail address, or a URI as workloads have.
    pub(super) fn token(
        &self,
        identity: &str,
        audience: &str,
        nonce: Option<&str>,
        lifetime: SignedDuration,
        now: Timestamp,
    ) -> String {
        let issuer = &self.issuer;
        sign(Claims { issuer, identity, audience, nonce, lifetime }, now, &self.key)
    }

    fn grant(&self, grant: Grant) -> String {
        let name = Base64Url::encode_string(&random::bytes::<24>());
        let mut grants = lock(&self.grants);
        if grants.len() >= MAX_GRANTS
            && let Some(oldest) = grants.iter().min_by_key(|(_, grant)| grant.expires).map(|(name, _)| name.clone())
        {
            grants.remove(&oldest);
        }
        grants.insert(name.clone(), grant);
        name
    }

    fn answer(&self, grant: &Grant, now: Timestamp, faults: &Faults) -> Response {
        let strikes = |fault| faults.strikes(Service::Oidc, fault);
        let mut claims = Claims {
            issuer: &self.issuer,
            identity: &grant.identity,
            audience: &grant.client_id,
            nonce: grant.nonce.as_deref(),
            lifetime: self.token_lifetime,
        };
        if strikes(Fault::WrongNonce) {
            claims.nonce = Some("another");
        }
        if strikes(Fault::WrongIssuer) {
            claims.issuer = ELSEWHERE;
        }
        if strikes(Fault::WrongAudience) {
            claims.audience = "another";
        }
        if strikes(Fault::ExpiredToken) {
            claims.lifetime = SignedDuration::from_mins(-1);
        }
        let lifetime = claims.lifetime;
        let id_token = match strikes(Fault::WrongKey) {
            true => sign(claims, now, &EphemeralKey::generate()),
            false => sign(claims, now, &self.key),
        };
        let refresh = Grant {
            kind: GrantKind::Refresh,
            challenge: None,
            nonce: None,
            expires: now + REFRESH_LIFETIME,
            ..grant.clone()
        };
        let body = json!({
            "access_token": Base64Url::encode_string(&random::bytes::<24>()), "token_type": "Bearer",
            "expires_in": lifetime.as_secs().max(0), "id_token": id_token, "refresh_token": self.grant(refresh),
        });
        ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
    }
}

/// What a token says.
struct Claims<'a> {
    issuer: &'a str,
    identity: &'a str,
    audience: &'a str,
    nonce: Option<&'a str>,
    lifetime: SignedDuration,
}

fn sign(claims: Claims<'_>, now: Timestamp, key: &dyn Keypair) -> String {
    let Claims { issuer, identity, audience, nonce, lifetime } = claims;
    let issued = now.as_second();
    let expires = issued + lifetime.as_secs();
    let mut claims = json!({
        "iss": issuer, "aud": audience, "iat": issued, "nbf": issued, "exp": expires, "sub": subject(identity),
    });
    if is_email(identity) {
        claims["email"] = json!(identity);
        claims["email_verified"] = json!(true);
    }
    if let Some(nonce) = nonce {
        claims["nonce"] = json!(nonce);
    }
    jws::sign(&claims, key).expect("the issuer's key is a P-256 key")
}

/// Whether an identity is an e-mail address; else it is the URI of a workload.
pub(super) fn is_email(identity: &str) -> bool {
    identity.contains('@') && !identity.contains("://")
}

/// The `sub` of a token. A person's is opaque, as real issuers have it: whoever takes it for the address finds out.
fn subject(identity: &str) -> String {
    if is_email(identity) { format!("sandbox|{}", hex(&sha256(identity.as_bytes())[..8])) } else { identity.to_owned() }
}

pub(super) fn routes() -> axum::Router<Arc<Services>> {
    axum::Router::new()
        .route("/oidc/.well-known/openid-configuration", get(discovery))
        .route("/oidc/keys", get(keys))
        .route("/oidc/auth", get(authorize))
        .route("/oidc/token", post(token))
        .route("/oidc/revoke", post(revoke))
        .route("/oidc/device/code", post(device_code))
        .route("/oidc/device", get(device_page))
        .route("/token", get(plain_token))
}

async fn discovery(State(services): State<Arc<Services>>) -> Json<Value> {
    let issuer = services.oidc.issuer();
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/auth"),
        "token_endpoint": format!("{issuer}/token"),
        "device_authorization_endpoint": format!("{issuer}/device/code"),
        "revocation_endpoint": format!("{issuer}/revoke"),
        "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token", DEVICE_GRANT],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "scopes_supported": ["openid", "email", "profile", "offline_access"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "nbf", "email", "email_verified", "nonce"],
    }))
}

async fn keys(State(services): State<Arc<Services>>) -> Json<Value> {
    Json(json!({ "keys": [jws::jwk(services.oidc.public_key())] }))
}

#[derive(Deserialize)]
struct Authorize {
    response_type: String,
    client_id: String,
    redirect_uri: String,
    #[serde(default)]
    scope: String,
    state: Option<String>,
    nonce: Option<String>,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
    login_hint: Option<String>,
}

async fn authorize(
    State(services): State<Arc<Services>>,
    Parameters(request): Parameters<Authorize>,
) -> Result<Response, Refusal> {
    // Sent nowhere but to the machine that asks: a redirect is the one way a code can leave it.
    if !is_loopback_redirect(&request.redirect_uri) {
        return Err(Refusal::bad_request("redirect_uri must be http on localhost, 127.0.0.1 or [::1]"));
    }
    if request.response_type != "code" || !request.scope.split(' ').any(|scope| scope == "openid") {
        return Err(Refusal::bad_request("response_type must be code, scope must contain openid"));
    }
    if request.code_challenge_method.as_deref() != Some("S256") || request.code_challenge.is_none() {
        return Err(Refusal::bad_request("PKCE with S256 is required"));
    }
    let oidc = &services.oidc;
    let strikes = |fault| services.faults.strikes(Service::Oidc, fault);
    let separator = if request.redirect_uri.contains('?') { '&' } else { '?' };
    let state = if strikes(Fault::WrongState) { Some("another".to_owned()) } else { request.state };
    let state = state.map(|state| format!("&state={}", percent(&state))).unwrap_or_default();
    let issuer = if strikes(Fault::MixedUp) { ELSEWHERE } else { oidc.issuer() };
    let back = |answer: &str| {
        let location = format!("{}{separator}{answer}{state}&iss={}", request.redirect_uri, percent(issuer));
        (StatusCode::FOUND, [(header::LOCATION, location)]).into_response()
    };
    if strikes(Fault::Denied) {
        return Ok(back("error=access_denied&error_description=fault"));
    }
    let code = oidc.grant(Grant {
        kind: GrantKind::Code { redirect_uri: request.redirect_uri.clone() },
        identity: request.login_hint.unwrap_or_else(|| oidc.identity.clone()),
        client_id: request.client_id,
        nonce: request.nonce,
        challenge: request.code_challenge,
        expires: Timestamp::now() + CODE_LIFETIME,
    });
    if request.redirect_uri == OUT_OF_BAND {
        return Ok(
            Html(format!("<!doctype html><title>code</title><p>Your code is <code>{code}</code></p>")).into_response()
        );
    }
    Ok(back(&format!("code={code}")))
}

#[derive(Deserialize)]
struct Redeem {
    grant_type: String,
    code: Option<String>,
    redirect_uri: Option<String>,
    code_verifier: Option<String>,
    refresh_token: Option<String>,
    device_code: Option<String>,
}

async fn token(State(services): State<Arc<Services>>, Form(request): Form<Redeem>) -> Result<Response, OAuthError> {
    let now = Timestamp::now();
    if services.faults.strikes(Service::Oidc, Fault::RedirectElsewhere) {
        return Ok((StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, ELSEWHERE)]).into_response());
    }
    if request.grant_type == DEVICE_GRANT && services.faults.strikes(Service::Oidc, Fault::Denied) {
        return Err(OAuthError("access_denied", "fault"));
    }
    let oidc = &services.oidc;
    let invalid = OAuthError("invalid_grant", "unknown, used or expired");
    let name = match request.grant_type.as_str() {
        "authorization_code" => &request.code,
        "refresh_token" => &request.refresh_token,
        DEVICE_GRANT => &request.device_code,
        _ => return Err(OAuthError("unsupported_grant_type", "not one of those in the discovery document")),
    };
    let Some(name) = name else { return Err(OAuthError("invalid_request", "the grant is missing")) };
    let grant = {
        let mut grants = lock(&oidc.grants);
        if let Some(Grant { kind: GrantKind::Device { polled: polled @ false }, .. }) = grants.get_mut(name) {
            // The user "approves" while the client waits: so that waiting is tried as well.
            *polled = true;
            return Err(OAuthError("authorization_pending", "the user has not approved yet"));
        }
        // Everything is good for one use; a replayed code has already been taken away.
        grants.remove(name)
    };
    let Some(grant) = grant else { return Err(invalid) };
    let fits = match &grant.kind {
        GrantKind::Code { redirect_uri } => {
            request.grant_type == "authorization_code" && request.redirect_uri.as_ref() == Some(redirect_uri)
        }
        GrantKind::Device { .. } => request.grant_type == DEVICE_GRANT,
        GrantKind::Refresh => request.grant_type == "refresh_token",
    };
    let proven = grant.challenge.as_ref().is_none_or(|challenge| {
        let verifier = request.code_verifier.as_deref().unwrap_or_default();
        Base64Url::encode_string(&sha256(verifier.as_bytes())) == *challenge
    });
    if !fits || !proven || grant.expires < now {
        return Err(invalid);
    }
    Ok(oidc.answer(&grant, now, &services.faults))
}

#[derive(Deserialize)]
struct Revoke {
    token: String,
}

/// Gone either way (RFC 7009 section 2.2).
async fn revoke(State(services): State<Arc<Services>>, Form(request): Form<Revoke>) -> StatusCode {
    lock(&services.oidc.grants).remove(&request.token);
    StatusCode::OK
}

#[derive(Deserialize)]
struct DeviceRequest {
    client_id: String,
    nonce: Option<String>,
    login_hint: Option<String>,
    code_challenge: Option<String>,
}

async fn device_code(State(services): State<Arc<Services>>, Form(request): Form<DeviceRequest>) -> Json<Value> {
    let oidc = &services.oidc;
    let device_code = oidc.grant(Grant {
        kind: GrantKind::Device { polled: false },
        identity: request.login_hint.unwrap_or_else(|| oidc.identity.clone()),
        client_id: request.client_id,
        nonce: request.nonce,
        challenge: request.code_challenge,
        expires: Timestamp::now() + CODE_LIFETIME,
    });
    let user_code = hex(&random::bytes::<4>()).to_uppercase();
    let page = format!("{}/device", oidc.issuer);
    Json(json!({
        "device_code": device_code, "user_code": user_code, "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={user_code}"),
        "expires_in": CODE_LIFETIME.as_secs(), "interval": DEVICE_INTERVAL,
    }))
}

async fn device_page() -> Html<&'static str> {
    Html("<!doctype html><title>approved</title><p>The sandbox approves every device by itself.</p>")
}

#[derive(Deserialize)]
struct PlainToken {
    identity: Option<String>,
    audience: Option<String>,
    /// Seconds.
    lifetime: Option<i64>,
}

/// A token for the asking, for scripts: `curl BASE/token?identity=me@example.com`.
async fn plain_token(State(services): State<Arc<Services>>, Parameters(request): Parameters<PlainToken>) -> String {
    let oidc = &services.oidc;
    let identity = request.identity.unwrap_or_else(|| oidc.identity.clone());
    let audience = request.audience.as_deref().unwrap_or(AUDIENCE);
    // Negative lifetimes are allowed: somebody has to hand out expired tokens.
    let lifetime =
        request.lifetime.map_or(oidc.token_lifetime, SignedDuration::from_secs).clamp(-MAX_LIFETIME, MAX_LIFETIME);
    if services.faults.strikes(Service::Oidc, Fault::WrongKey) {
        let claims = Claims { issuer: &oidc.issuer, identity: &identity, audience, nonce: None, lifetime };
        return sign(claims, Timestamp::now(), &EphemeralKey::generate());
    }
    oidc.token(&identity, audience, None, lifetime, Timestamp::now())
}

/// RFC 8252 section 7.3: a native application's redirect, on any port.
fn is_loopback_redirect(uri: &str) -> bool {
    let Some(rest) = uri.strip_prefix("http://") else { return uri == OUT_OF_BAND };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|host| {
        authority.strip_prefix(host).is_some_and(|port| {
            port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.bytes().all(|c| c.is_ascii_digit()))
        })
    }) && !uri.contains(char::is_control)
}

/// Percent-encode everything that is not unreserved (RFC 3986 section 2.3).
fn percent(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_goes_to_loopback_and_nowhere_else() {
        for good in ["http://localhost:7/auth/callback", "http://127.0.0.1/x", "http://[::1]:80", OUT_OF_BAND] {
            assert!(is_loopback_redirect(good), "{good}");
        }
        for bad in [
            "https://localhost/",
            "http://localhost.example.com/",
            "http://localhost@example.com/",
            "http://localhost:7@example.com/",
            "http://127.0.0.1.example.com/",
            "http://example.com/?http://localhost",
            "http://localhost/\r\nX: y",
        ] {
            assert!(!is_loopback_redirect(bad), "{bad}");
        }
    }

    #[test]
    fn a_persons_subject_is_opaque_and_a_workloads_is_its_uri() {
        assert!(!subject("me@example.com").contains("example"));
        assert_eq!(subject("https://ci.example/job@1"), "https://ci.example/job@1");
    }
}
