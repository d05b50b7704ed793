//! The timestamp authority (RFC 3161 over HTTP, section 3.4), with a P-256 key below a P-384 root.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64ct::{Base64, Encoding as _};
use jiff::Timestamp;
use serde::Deserialize;

use super::faults::Fault;
use super::folder::Folder;
use super::fulcio::{AUTHORITY_LIFETIME, FulcioError, serial, stored};
use super::operator::{Operator, Seat};
use super::reply::Refusal;
use crate::crypto::{Digest, EphemeralKey, HashAlgorithm, KeyKind, Keypair, ServiceKey};
use crate::format::issue::{Authority, DistinguishedName, Subject, Validity};
use crate::format::pem;
use crate::format::timestamp::{
    Accuracy, Failure, MAX_REQUEST_LEN, TimestampError, TimestampRequest, TstInfo, grant, refuse,
};
use crate::format::timestamp_token;

/// The policy of Sigstore's own authority (OID 1.3.6.1.4.1.57264.2).
const POLICY: &str = "1.3.6.1.4.1.57264.2";
const QUERY: &str = "application/timestamp-query";
/// The other form of a question that Sigstore's own authority takes, and the only one that sigstore-js sends.
const JSON_QUERY: &str = "application/json";
const REPLY: &str = "application/timestamp-reply";

/// The authority.
pub(super) struct Tsa {
    key: ServiceKey,
    /// Leaf first, root last, in DER.
    chain: Vec<Vec<u8>>,
}

impl Tsa {
    pub(super) fn open(folder: &Folder, seat: Seat, start: Timestamp) -> Result<Self, FulcioError> {
        let root_key = folder.key(&seat.file("tsa-root"), KeyKind::EcdsaP384)?;
        let key = folder.key(&seat.file("tsa"), KeyKind::EcdsaP256)?;
        let name = |common_name: &str| DistinguishedName {
            organization: match seat {
                Seat::First => "gitseal sandbox".to_owned(),
                Seat::Second => "gitseal sandbox, second operator".to_owned(),
            },
            common_name: common_name.to_owned(),
        };
        let validity = Validity { not_before: start, not_after: start + AUTHORITY_LIFETIME };
        let root_name = name("tsa root");
        let root = Authority { name: &root_name, key: &root_key };
        let root_der = stored(folder, &seat.file("tsa-root"), || root.root(serial(), validity))?;
        let leaf_der = stored(folder, &seat.file("tsa"), || {
            let subject = Subject { serial: serial(), validity, public_key: key.public_key() };
            root.timestamper(&name("tsa"), &subject)
        })?;
        Ok(Tsa { key, chain: vec![leaf_der, root_der] })
    }

    /// Leaf and root, in DER.
    pub(super) fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    fn answer(&self, request: Result<TimestampRequest, TimestampError>, key: &dyn Keypair, now: Timestamp) -> Vec<u8> {
        let request = match request {
            Ok(request) => request,
            Err(error @ TimestampError::UnsupportedDigest(_)) => {
                return refuse(Failure::BadAlgorithm, &error.to_string());
            }
            Err(error @ TimestampError::CriticalExtension) => {
                return refuse(Failure::UnacceptedExtension, &error.to_string());
            }
            Err(error) => return refuse(Failure::BadDataFormat, &error.to_string()),
        };
        if request.policy.as_deref().is_some_and(|policy| policy != POLICY) {
            return refuse(Failure::UnacceptedPolicy, "stamps are made under one policy only");
        }
        let mut number = serial();
        // Positive and in its shortest form, whatever the bytes are.
        number[0] = number[0] & 0x3f | 0x40;
        let info = TstInfo {
            policy: POLICY.to_owned(),
            imprint: request.imprint,
            serial: number.to_vec(),
            // Whole seconds, as the public authority writes: sigstore-js reads fractions of exactly three digits only,
            // and DER (X.690 section 11.7.3) drops the trailing zeros that would make them so.
            time: Timestamp::from_second(now.as_second()).unwrap_or(now),
            accuracy: Some(Accuracy { seconds: 1, ..Accuracy::default() }),
            ordering: false,
            nonce: request.nonce,
        };
        let leaf = &self.chain[0];
        let embedded: &[&[u8]] = if request.wants_certificate { &[leaf] } else { &[] };
        match timestamp_token::sign(&info, leaf, embedded, now, key) {
            Ok(token) => grant(&token),
            Err(error) => refuse(Failure::BadRequest, &error.to_string()),
        }
    }
}

/// A request in JSON (timestamp-authority, pkg/api/timestamp.go), without the fields that no client here sends.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct JsonQuery {
    artifact_hash: String,
    hash_algorithm: String,
    #[serde(default)]
    certificates: bool,
}

impl JsonQuery {
    fn parse(json: &[u8]) -> Result<Result<TimestampRequest, TimestampError>, Refusal> {
        if json.len() > MAX_REQUEST_LEN {
            return Err(Refusal::bad_request("the request is too large"));
        }
        let query: JsonQuery = serde_json::from_slice(json).map_err(Refusal::bad_request)?;
        let hash = Base64::decode_vec(&query.artifact_hash).map_err(Refusal::bad_request)?;
        let algorithm = match query.hash_algorithm.as_str() {
            "sha256" => HashAlgorithm::Sha256,
            "sha384" => HashAlgorithm::Sha384,
            "sha512" => HashAlgorithm::Sha512,
            other => return Ok(Err(TimestampError::UnsupportedDigest(other.to_owned()))),
        };
        let imprint = Digest::from_bytes(algorithm, &hash)
            .ok_or_else(|| Refusal::bad_request("the hash has not the length of its algorithm"))?;
        Ok(Ok(TimestampRequest { imprint, policy: None, nonce: None, wants_certificate: query.certificates }))
    }
}

pub(super) fn routes() -> axum::Router<Arc<Operator>> {
    axum::Router::new().route("/api/v1/timestamp", post(stamp)).route("/api/v1/timestamp/certchain", get(chain))
}

async fn stamp(State(operator): State<Arc<Operator>>, headers: HeaderMap, query: Bytes) -> Result<Response, Refusal> {
    let request = match headers.get(header::CONTENT_TYPE) {
        Some(kind) if kind == QUERY => TimestampRequest::parse(&query),
        Some(kind) if kind == JSON_QUERY => JsonQuery::parse(&query)?,
        _ => return Err(Refusal::bad_request(format!("the content type must be {QUERY} or {JSON_QUERY}"))),
    };
    let tsa = &operator.tsa;
    let rogue = operator.faults.strikes(operator.seat.tsa(), Fault::WrongKey).then(EphemeralKey::generate);
    let key: &dyn Keypair = rogue.as_ref().map_or(&tsa.key as &dyn Keypair, |key| key);
    let reply = tsa.answer(request, key, Timestamp::now());
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, REPLY)], reply).into_response())
}

async fn chain(State(operator): State<Arc<Operator>>) -> Response {
    let text: String = operator.tsa.chain.iter().map(|der| pem::encode("CERTIFICATE", der)).collect();
    ([(header::CONTENT_TYPE, "application/pem-certificate-chain")], text).into_response()
}
