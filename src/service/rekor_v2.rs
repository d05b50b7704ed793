//! Rekor v2 (rekor-tiles: rekor_service.proto): adds hashedrekord entries.
//!
//! It answers when the entry is in the tree, which takes up to 20 seconds, with the finished proof. It has no clock, no
//! index and no way to ask for one entry.

use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use serde_json::json;

use super::error::{Peer, ServiceError};
use super::session::{Place, Session};
use super::transparency_log::{Appending, Record, TransparencyLog};
use crate::format::log_entry::{LogEntry, key_details};
use crate::format::log_entry_json;
use crate::net::Request;

/// Largest answer: an entry with its proof and a checkpoint with many witnesses has 16 KB.
const MAX_ENTRY_LEN: usize = 256 * 1024;
/// How long one answer may take: the log's own bound is 20 seconds.
const PATIENCE: Duration = Duration::from_secs(25);

/// A Rekor v2 server.
#[derive(Debug, Clone)]
pub struct RekorV2 {
    place: Place,
}

impl RekorV2 {
    /// The server at `base`.
    ///
    /// # Errors
    /// [`ServiceError::NoAnswer`] when that is no address to talk to.
    pub fn at(base: &str) -> Result<Self, ServiceError> {
        Ok(RekorV2 { place: Place::new(Peer::TransparencyLog, base)? })
    }

    async fn add(&self, session: Session<'_>, record: &Record<'_>) -> Result<LogEntry, ServiceError> {
        let details = record.certificate.public_key().ok().and_then(key_details);
        let body = json!({
            "hashedRekordRequestV002": {
                "digest": Base64::encode_string(record.digest.as_bytes()),
                "signature": {
                    "content": Base64::encode_string(record.signature),
                    "verifier": {
                        "keyDetails": details,
                        "x509Certificate": { "rawBytes": Base64::encode_string(record.certificate.der()) },
                    },
                },
            },
        });
        let url = self.place.endpoint("/api/v2/log/entries");
        let request = Request::post_json(&url, body.to_string().into_bytes(), MAX_ENTRY_LEN).with_patience(PATIENCE);
        let response = session.send(self.place.peer(), request).await?;
        match response.status {
            200 | 201 => log_entry_json::from_protobuf_json(&response.body).map_err(|error| self.place.problem(error)),
            405 => Err(ServiceError::Frozen(self.place.host())),
            409 => Err(ServiceError::AlreadyLogged(self.place.host())),
            _ => Err(self.place.refused(&response)),
        }
    }
}

impl TransparencyLog for RekorV2 {
    fn append<'a>(&'a self, session: Session<'a>, record: &'a Record<'a>) -> Appending<'a> {
        Box::pin(self.add(session, record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::HashAlgorithm;
    use crate::format::x509::Certificate;
    use crate::net::test_only_server::Server;
    use crate::net::{Client, Limits, Roots};

    async fn append(status: u16, body: &str) -> (Result<LogEntry, ServiceError>, String) {
        let certificate = include_bytes!("../../tests/vectors/timestamp/openssl-p256-sha512/tsa.der");
        let certificate = Certificate::from_der(certificate).unwrap();
        let digest = HashAlgorithm::Sha256.digest(b"x");
        let server = Server::json(&[(status, body)]).await;
        let (client, log) = (Client::new(Roots::default(), Limits::default()), RekorV2::at(server.url("/").as_str()));
        let session = Session::new(&client, Duration::from_secs(5));
        let record = Record { digest, signature: b"sig", certificate: &certificate };
        (log.unwrap().append(session, &record).await, server.requests().remove(0))
    }

    #[tokio::test]
    async fn what_a_log_cannot_do_is_told_apart() {
        let exists = r#"{"code":6,"message":"an equivalent entry already exists"}"#;
        assert!(matches!(append(409, exists).await.0, Err(ServiceError::AlreadyLogged(_))));
        assert!(matches!(append(405, "frozen").await.0, Err(ServiceError::Frozen(_))));
        assert!(matches!(append(400, "{}").await.0, Err(ServiceError::Refused { status: 400, .. })));
        let (answer, request) = append(201, "{}").await;
        assert!(matches!(answer, Err(ServiceError::Answer { .. })));
        assert!(request.contains(r#""keyDetails":"PKIX_ECDSA_P256_SHA_256""#), "{request}");
    }
}
