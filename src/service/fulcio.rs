//! Fulcio v2: exchanges an ID token and a proof of possession for a certificate (fulcio.proto, SigningCert).
//!
//! What comes back is only parsed. Whether the certificate is one for this key and this person, from an authority that
//! we trust, is checked by [`credential`](crate::credential) before the key signs anything.

use base64ct::{Base64, Encoding as _};
use serde::{Deserialize, Serialize};

use super::error::{Peer, ServiceError};
use super::id_token::IdToken;
use super::session::{Place, Session};
use crate::crypto::Keypair;
use crate::format::pem;
use crate::format::x509::Certificate;
use crate::net::Request;

/// Largest answer: three certificates in PEM have 4 KB.
const MAX_ANSWER_LEN: usize = 128 * 1024;
/// Longest chain: the public one has three certificates.
const MAX_CHAIN: usize = 8;

/// A certificate as issued, and what the authority sent along to lead from it to a root. Not yet believed.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate for our key.
    pub leaf: Certificate,
    /// The rest of the chain, from the leaf's issuer on.
    pub chain: Vec<Certificate>,
}

/// A Fulcio server.
#[derive(Debug, Clone)]
pub struct Fulcio {
    place: Place,
}

impl Fulcio {
    /// The server at `base`.
    ///
    /// # Errors
    /// [`ServiceError::NoAnswer`] when that is no address to talk to.
    pub fn at(base: &str) -> Result<Self, ServiceError> {
        Ok(Fulcio { place: Place::new(Peer::CertificateAuthority, base)? })
    }

    /// Ask for a certificate for `key` in the name that `token` gives.
    ///
    /// # Errors
    /// [`ServiceError`] when there is none, or when its certificate transparency proof is not inside it: a git
    /// signature has no other place to carry it.
    pub async fn issue(
        &self,
        session: Session<'_>,
        token: &IdToken,
        key: &dyn Keypair,
    ) -> Result<Issued, ServiceError> {
        let content = pem::encode("PUBLIC KEY", key.public_key().spki_der());
        let body = SigningCertRequest {
            credentials: Credentials { oidc_identity_token: token.reveal() },
            public_key_request: PublicKeyRequest {
                public_key: PublicKeyJson { algorithm: "ECDSA", content: &content },
                // Without this anyone who saw the token could have a key of somebody else certified.
                proof_of_possession: Base64::encode_string(&key.sign(token.subject().as_str().as_bytes())),
            },
        };
        let body = serde_json::to_vec(&body).expect("strings have a JSON form");
        let url = self.place.endpoint("/api/v2/signingCert");
        let response = session.send(self.place.peer(), Request::post_json(&url, body, MAX_ANSWER_LEN)).await?;
        if !matches!(response.status, 200 | 201) {
            return Err(self.place.refused(&response));
        }
        let answer: SigningCertificate =
            serde_json::from_slice(&response.body).map_err(|_| self.place.problem("no certificate"))?;
        match answer {
            SigningCertificate { signed_certificate_embedded_sct: Some(signed) } => {
                self.read(&signed.chain.certificates)
            }
            SigningCertificate { .. } => Err(self.place.problem("a certificate without an embedded SCT")),
        }
    }

    fn read(&self, pems: &[String]) -> Result<Issued, ServiceError> {
        if pems.len() > MAX_CHAIN {
            return Err(self.place.problem(format_args!("a chain of {} certificates", pems.len())));
        }
        let mut certificates = Vec::with_capacity(pems.len());
        for text in pems {
            certificates.extend(Certificate::from_pem_chain(text).map_err(|error| self.place.problem(error))?);
        }
        let mut certificates = certificates.into_iter();
        let leaf = certificates.next().ok_or_else(|| self.place.problem("no certificate"))?;
        Ok(Issued { leaf, chain: certificates.collect() })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SigningCertRequest<'a> {
    credentials: Credentials<'a>,
    public_key_request: PublicKeyRequest<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Credentials<'a> {
    oidc_identity_token: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PublicKeyRequest<'a> {
    public_key: PublicKeyJson<'a>,
    proof_of_possession: String,
}

#[derive(Serialize)]
struct PublicKeyJson<'a> {
    algorithm: &'static str,
    content: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SigningCertificate {
    signed_certificate_embedded_sct: Option<SignedCertificate>,
}

#[derive(Deserialize)]
struct SignedCertificate {
    chain: Chain,
}

#[derive(Deserialize)]
struct Chain {
    certificates: Vec<String>,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base64ct::Base64UrlUnpadded;

    use super::*;
    use crate::crypto::EphemeralKey;
    use crate::net::test_only_server::Server;
    use crate::net::{Client, Limits, Roots};

    async fn issue(status: u16, body: &str) -> (Result<Issued, ServiceError>, String) {
        let claims = br#"{"iss":"https://i","sub":"s","aud":"sigstore","iat":1,"exp":2}"#;
        let part = Base64UrlUnpadded::encode_string;
        let token = format!("{}.{}.c2VjcmV0", part(br#"{"alg":"ES256"}"#), part(claims));
        let server = Server::json(&[(status, body)]).await;
        let client = Client::new(Roots::default(), Limits::default());
        let fulcio = Fulcio::at(server.url("/").as_str()).unwrap();
        let session = Session::new(&client, Duration::from_secs(5));
        let token = IdToken::parse(&token).unwrap();
        let issued = fulcio.issue(session, &token, &EphemeralKey::generate()).await;
        (issued, server.requests().remove(0))
    }

    #[tokio::test]
    async fn the_token_goes_into_the_body_and_into_no_message() {
        let (issued, request) =
            issue(401, r#"{"code":16,"message":"There was an error processing the identity token"}"#).await;
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /api/v2/signingCert "));
        assert!(body.contains("c2VjcmV0") && !head.contains("c2VjcmV0"));
        let error = issued.unwrap_err();
        assert!(matches!(error, ServiceError::Refused { status: 401, .. }));
        assert!(!format!("{error} {error:?}").contains("c2VjcmV0"));
        assert!(error.hint().contains("token"));
    }

    #[tokio::test]
    async fn an_answer_without_a_usable_certificate_is_refused() {
        let detached = r#"{"signedCertificateDetachedSct":{"chain":{"certificates":["x"]}}}"#;
        let none = r#"{"signedCertificateEmbeddedSct":{"chain":{"certificates":[]}}}"#;
        let garbage = r#"{"signedCertificateEmbeddedSct":{"chain":{"certificates":["x"]}}}"#;
        let long = format!(
            r#"{{"signedCertificateEmbeddedSct":{{"chain":{{"certificates":[{}]}}}}}}"#,
            [r#""x""#; MAX_CHAIN + 1].join(",")
        );
        for body in ["", "{}", detached, none, garbage, &long] {
            assert!(matches!(issue(200, body).await.0, Err(ServiceError::Answer { .. })), "{body}");
        }
    }
}
