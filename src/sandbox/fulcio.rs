//! The certificate authority: Fulcio's v2 and v1 interfaces, with a CT log's promise inside every leaf.
//!
//! It does what the real one does with a request: the token is believed only with signature, issuer, audience and
//! time in order, and the key is certified only for whoever proves to hold it. A client that gets either wrong is
//! refused here as it would be there.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64ct::{Base64, Encoding as _};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::faults::{Fault, Service};
use super::folder::{Folder, FolderError};
use super::oidc::AUDIENCE;
use super::reply::{Body, Refusal};
use super::server::Services;
use crate::crypto::{EphemeralKey, KeyError, KeyKind, Keypair, PublicKey, ServiceKey, SignatureScheme, random};
use crate::format::issue::{
    Authority, CertificateRequest, DistinguishedName, IssueError, Subject, SubjectName, Validity,
};
use crate::format::{jws, pem};

/// How long a leaf is valid unless told otherwise: as long as Fulcio's.
pub(super) const CERTIFICATE_LIFETIME: SignedDuration = SignedDuration::from_mins(10);
/// How far the clocks of issuer and authority may differ: not at all, they are one, but a token's second is whole.
const CLOCK_LEEWAY_SECS: i64 = 5;
/// How long the authorities of a sandbox are valid.
pub(super) const AUTHORITY_LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 365 * 10);

/// Keys and certificates of the authority and of its CT log.
pub(super) struct Fulcio {
    intermediate_name: DistinguishedName,
    intermediate_key: ServiceKey,
    ct_key: ServiceKey,
    /// Intermediate first, root last, in DER.
    chain: Vec<Vec<u8>>,
    certificate_lifetime: SignedDuration,
}

/// Why the authority cannot start or issue.
#[derive(Debug, thiserror::Error)]
pub enum FulcioError {
    /// The folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Making a certificate.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// Making a key.
    #[error(transparent)]
    Key(#[from] KeyError),
}

fn name(common_name: &str) -> DistinguishedName {
    DistinguishedName { organization: "gitseal sandbox".to_owned(), common_name: common_name.to_owned() }
}

/// A certificate's serial number: positive, and 20 octets in DER, which is what may be (RFC 5280 section 4.1.2.2). One in
/// 256 would be shorter, and what is printed of it with it.
pub(super) fn serial() -> [u8; 20] {
    let mut serial: [u8; 20] = random::bytes();
    serial[0] = serial[0] & 0x7f | 0x40;
    serial
}

impl Fulcio {
    /// The keys of `folder`, valid from `start`; a leaf lives for `certificate_lifetime`.
    pub(super) fn open(
        folder: &Folder,
        start: Timestamp,
        certificate_lifetime: SignedDuration,
    ) -> Result<Self, FulcioError> {
        let root_key = folder.key("fulcio-root", KeyKind::EcdsaP384)?;
        let intermediate_key = folder.key("fulcio-intermediate", KeyKind::EcdsaP384)?;
        let intermediate_name = name("fulcio intermediate");
        let validity = Validity { not_before: start, not_after: start + AUTHORITY_LIFETIME };
        let root_name = name("fulcio root");
        let root = Authority { name: &root_name, key: &root_key };
        let root_der = stored(folder, "fulcio-root", || root.root(serial(), validity))?;
        let intermediate_der = stored(folder, "fulcio-intermediate", || {
            let subject = Subject { serial: serial(), validity, public_key: intermediate_key.public_key() };
            root.intermediate(&intermediate_name, &subject)
        })?;
        let ct_key = folder.key("ct-log", KeyKind::EcdsaP256)?;
        let chain = vec![intermediate_der, root_der];
        Ok(Fulcio { intermediate_name, intermediate_key, ct_key, chain, certificate_lifetime })
    }

    /// Intermediate and root, in DER.
    pub(super) fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// The key of the CT log.
    pub(super) fn ct_key(&self) -> &PublicKey {
        self.ct_key.public_key()
    }

    fn issue(
        &self,
        signers: &Signers<'_>,
        public_key: &PublicKey,
        name: &SubjectName,
        oidc_issuer: &str,
        now: Timestamp,
    ) -> Result<Vec<u8>, IssueError> {
        let authority = Authority { name: &self.intermediate_name, key: signers.authority };
        let not_before = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let validity = Validity { not_before, not_after: not_before + self.certificate_lifetime };
        let subject = Subject { serial: serial(), validity, public_key };
        authority.fulcio_leaf(&subject, name, oidc_issuer)?.logged_by(signers.ct_log, now)
    }
}

/// Who signs a certificate and the promise in it: the authority and its log, or somebody whom nobody trusts.
struct Signers<'a> {
    authority: &'a dyn Keypair,
    ct_log: &'a dyn Keypair,
}

/// The certificate `name` in the folder; made by `make` at the first time.
pub(super) fn stored(
    folder: &Folder,
    name: &str,
    make: impl FnOnce() -> Result<Vec<u8>, IssueError>,
) -> Result<Vec<u8>, FulcioError> {
    let file = format!("keys/{name}.crt");
    if let Some(der) = folder.read(&file)? {
        return Ok(der);
    }
    let der = make()?;
    folder.write(&file, &der)?;
    Ok(der)
}

pub(super) fn routes() -> axum::Router<Arc<Services>> {
    axum::Router::new()
        .route("/api/v2/signingCert", post(signing_cert_v2))
        .route("/api/v1/signingCert", post(signing_cert_v1))
        .route("/api/v2/trustBundle", get(trust_bundle))
        .route("/api/v1/rootCert", get(root_cert))
        .route("/api/v2/configuration", get(configuration))
}

/// Both interfaces' requests; which fields are there tells which.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SigningCertRequest {
    credentials: Option<Credentials>,
    public_key_request: Option<PublicKeyRequest>,
    /// v1.
    public_key: Option<RequestedKey>,
    /// v1: the proof of possession.
    signed_email_address: Option<String>,
    /// Base64 of a PEM or DER request.
    certificate_signing_request: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credentials {
    oidc_identity_token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PublicKeyRequest {
    public_key: RequestedKey,
    proof_of_possession: String,
}

#[derive(Deserialize)]
struct RequestedKey {
    content: String,
}

async fn signing_cert_v2(
    State(services): State<Arc<Services>>,
    headers: HeaderMap,
    Body(request): Body<SigningCertRequest>,
) -> Result<Json<Value>, Refusal> {
    let certificates = certify(&services, &headers, request)?;
    Ok(Json(json!({ "signedCertificateEmbeddedSct": { "chain": { "certificates": certificates } } })))
}

async fn signing_cert_v1(
    State(services): State<Arc<Services>>,
    headers: HeaderMap,
    Body(request): Body<SigningCertRequest>,
) -> Result<Response, Refusal> {
    let certificates = certify(&services, &headers, request)?;
    let kind = [(header::CONTENT_TYPE, "application/pem-certificate-chain")];
    Ok((StatusCode::CREATED, kind, certificates.concat()).into_response())
}

/// The leaf and its chain in PEM, leaf first.
fn certify(services: &Services, headers: &HeaderMap, request: SigningCertRequest) -> Result<Vec<String>, Refusal> {
    let now = Timestamp::now();
    // 1. Who asks.
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let token = request.credentials.as_ref().map(|credentials| credentials.oidc_identity_token.as_str()).or(bearer);
    let token = token.ok_or_else(|| Refusal::unauthorized("no identity token"))?;
    let Principal { name, challenge } = principal(services, token, now)?;
    // 2. For which key, and does he hold it.
    let public_key = proven_key(request, &challenge)?;
    // 3. The certificate.
    let fulcio = &services.fulcio;
    let strikes = |service| services.faults.strikes(service, Fault::WrongKey);
    let rogue = strikes(Service::Fulcio).then(|| ServiceKey::generate(KeyKind::EcdsaP384)).transpose();
    let rogue = rogue.map_err(Refusal::internal)?;
    let rogue_log = strikes(Service::Ct).then(EphemeralKey::generate);
    let signers = Signers {
        authority: rogue.as_ref().unwrap_or(&fulcio.intermediate_key),
        ct_log: rogue_log.as_ref().map_or(&fulcio.ct_key as &dyn Keypair, |key| key),
    };
    let leaf = fulcio.issue(&signers, &public_key, &name, services.oidc.issuer(), now).map_err(Refusal::bad_request)?;
    let chain = std::iter::once(&leaf).chain(&fulcio.chain);
    Ok(chain.map(|der| pem::encode("CERTIFICATE", der)).collect())
}

/// Whom a token speaks of.
struct Principal {
    name: SubjectName,
    /// What a proof of possession signs.
    challenge: String,
}

fn principal(services: &Services, token: &str, now: Timestamp) -> Result<Principal, Refusal> {
    let claims = jws::verify(token, services.oidc.public_key()).map_err(Refusal::unauthorized)?;
    if claims["iss"] != services.oidc.issuer() {
        return Err(Refusal::unauthorized("the token is of another issuer"));
    }
    let audience = &claims["aud"];
    let for_us = audience == AUDIENCE || audience.as_array().is_some_and(|all| all.iter().any(|one| one == AUDIENCE));
    if !for_us {
        return Err(Refusal::unauthorized("the token is for another audience"));
    }
    let now = now.as_second();
    let seconds = |claim: &str| claims[claim].as_i64().unwrap_or(0);
    if seconds("exp") <= now || seconds("nbf").max(seconds("iat")) > now + CLOCK_LEEWAY_SECS {
        return Err(Refusal::unauthorized("the token has expired or is not yet valid"));
    }
    match (claims["email"].as_str(), claims["sub"].as_str()) {
        (Some(email), _) if claims["email_verified"] == true => {
            Ok(Principal { name: SubjectName::Email(email.to_owned()), challenge: email.to_owned() })
        }
        (Some(_), _) => Err(Refusal::bad_request("the e-mail address of the token is not verified")),
        (None, Some(uri)) if uri.contains("://") => {
            Ok(Principal { name: SubjectName::Uri(uri.to_owned()), challenge: uri.to_owned() })
        }
        _ => Err(Refusal::bad_request("the token names neither an e-mail address nor a URI")),
    }
}

fn proven_key(request: SigningCertRequest, challenge: &str) -> Result<PublicKey, Refusal> {
    if let Some(encoded) = request.certificate_signing_request {
        let der = unarmoured(&encoded, "CERTIFICATE REQUEST")?;
        let request = CertificateRequest::parse(&der).map_err(Refusal::bad_request)?;
        return Ok(request.public_key().clone());
    }
    let (key, proof) = match (request.public_key_request, request.public_key, request.signed_email_address) {
        (Some(request), _, _) => (request.public_key, request.proof_of_possession),
        (None, Some(key), Some(proof)) => (key, proof),
        _ => return Err(Refusal::bad_request("neither a public key with a proof of possession nor a CSR")),
    };
    let spki = unarmoured(&key.content, "PUBLIC KEY")?;
    let key = PublicKey::from_spki_der(&spki).map_err(Refusal::bad_request)?;
    let proof = Base64::decode_vec(&proof).map_err(|_| Refusal::bad_request("the proof is not base64"))?;
    let holds = proof_schemes(&key).iter().any(|scheme| key.verify(*scheme, challenge.as_bytes(), &proof).is_ok());
    if holds { Ok(key) } else { Err(Refusal::bad_request("the proof of possession does not verify")) }
}

/// Clients sign the challenge with SHA-256 on every curve, or with the curve's own digest.
fn proof_schemes(key: &PublicKey) -> &'static [SignatureScheme] {
    match key.kind() {
        KeyKind::EcdsaP256 => &[SignatureScheme::EcdsaSha256],
        KeyKind::EcdsaP384 => &[SignatureScheme::EcdsaSha384, SignatureScheme::EcdsaSha256],
        KeyKind::EcdsaP521 => &[SignatureScheme::EcdsaSha512, SignatureScheme::EcdsaSha256],
        KeyKind::Ed25519 => &[SignatureScheme::Ed25519],
        KeyKind::Rsa => &[SignatureScheme::RsaPkcs1Sha256, SignatureScheme::RsaPssSha256],
    }
}

/// PEM, base64 of PEM, or base64 of DER: v2 clients send the first, cosign 2 the second, gitsign the third.
fn unarmoured(text: &str, label: &str) -> Result<Vec<u8>, Refusal> {
    let bad = || Refusal::bad_request(format!("the request holds no {label}"));
    let block = |text: &str| pem::decode_all(label, text).ok().and_then(|blocks| blocks.into_iter().next());
    if text.starts_with("-----BEGIN") {
        return block(text).ok_or_else(bad);
    }
    let bytes = Base64::decode_vec(text.trim_end()).map_err(|_| bad())?;
    match std::str::from_utf8(&bytes) {
        Ok(text) if text.starts_with("-----BEGIN") => block(text).ok_or_else(bad),
        _ => Ok(bytes),
    }
}

async fn trust_bundle(State(services): State<Arc<Services>>) -> Json<Value> {
    let chain: Vec<_> = services.fulcio.chain.iter().map(|der| pem::encode("CERTIFICATE", der)).collect();
    Json(json!({ "chains": [{ "certificates": chain }] }))
}

async fn root_cert(State(services): State<Arc<Services>>) -> Response {
    let chain: String = services.fulcio.chain.iter().map(|der| pem::encode("CERTIFICATE", der)).collect();
    ([(header::CONTENT_TYPE, "application/pem-certificate-chain")], chain).into_response()
}

async fn configuration(State(services): State<Arc<Services>>) -> Json<Value> {
    Json(json!({ "issuers": [{
        "issuerUrl": services.oidc.issuer(), "audience": AUDIENCE, "challengeClaim": "email", "issuerType": "email",
    }] }))
}
