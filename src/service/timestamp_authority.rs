//! RFC 3161 timestamp authorities: asks for a stamp over a signature (section 3.4, by HTTP).
//!
//! That the answer is one to this question is checked here; whether its signer is trusted, by `verify`.

use super::error::{Peer, ServiceError};
use super::session::{Place, Session};
use crate::crypto::{HashAlgorithm, random};
use crate::format::timestamp::{
    MAX_RESPONSE_LEN, Nonce, TimestampError, TimestampRequest, TimestampToken, token_of_response,
};
use crate::net::Request;

/// A timestamp authority.
#[derive(Debug, Clone)]
pub struct TimestampAuthority {
    place: Place,
}

impl TimestampAuthority {
    /// The authority whose whole address is `url`.
    ///
    /// # Errors
    /// [`ServiceError::NoAnswer`] when that is no address to talk to.
    pub fn at(url: &str) -> Result<Self, ServiceError> {
        Ok(TimestampAuthority { place: Place::new(Peer::TimestampAuthority, url)? })
    }

    /// Have `signature` stamped; gives the TimeStampToken in DER.
    ///
    /// # Errors
    /// [`ServiceError`] when the authority refuses, or answers another question.
    pub async fn stamp(&self, session: Session<'_>, signature: &[u8]) -> Result<Vec<u8>, ServiceError> {
        let request = TimestampRequest {
            imprint: HashAlgorithm::Sha256.digest(signature),
            policy: None,
            nonce: Some(Nonce::from_random(random::bytes())),
            // Verifiers may know the authority by its root alone.
            wants_certificate: true,
        };
        let body = request.to_der().map_err(|error| self.place.problem(error))?;
        let (query, reply) = ("application/timestamp-query", "application/timestamp-reply");
        let http = Request::post(self.place.base(), (query, body), reply, MAX_RESPONSE_LEN);
        let response = session.send(self.place.peer(), http).await?;
        if !matches!(response.status, 200 | 201) {
            return Err(self.place.refused(&response));
        }
        accept(&response.body, &request).map_err(|error| self.place.problem(error))
    }
}

/// What is wrong with an answer.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum StampError {
    #[error(transparent)]
    Timestamp(#[from] TimestampError),
    /// A stamp over another signature would date something that is not ours.
    #[error("with a stamp over something else")]
    OtherArtifact,
    /// An answer that was recorded earlier would date our signature too early.
    #[error("with the nonce of another request")]
    OtherNonce,
}

/// The token in an answer, when it answers this request.
fn accept(response: &[u8], request: &TimestampRequest) -> Result<Vec<u8>, StampError> {
    let token = token_of_response(response)?;
    let stamp = TimestampToken::parse(token)?;
    if stamp.info().imprint != request.imprint {
        return Err(StampError::OtherArtifact);
    }
    if stamp.info().nonce != request.nonce {
        return Err(StampError::OtherNonce);
    }
    Ok(token.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::EphemeralKey;
    use crate::format::timestamp::{Failure, TstInfo, grant, refuse};
    use crate::format::timestamp_token::sign;

    fn request(nonce: u8) -> TimestampRequest {
        TimestampRequest {
            imprint: HashAlgorithm::Sha256.digest(b"signature"),
            policy: None,
            nonce: Some(Nonce::from_random([nonce; 16])),
            wants_certificate: true,
        }
    }

    fn answer(request: &TimestampRequest) -> Vec<u8> {
        let certificate = include_bytes!("../../tests/vectors/timestamp/openssl-p256-sha512/tsa.der");
        let time = jiff::Timestamp::UNIX_EPOCH;
        let info = TstInfo {
            policy: "1.2.3".into(),
            imprint: request.imprint.clone(),
            serial: vec![1],
            time,
            accuracy: None,
            ordering: false,
            nonce: request.nonce.clone(),
        };
        grant(&sign(&info, certificate, &[], time, &EphemeralKey::generate()).unwrap())
    }

    #[test]
    fn a_stamp_must_answer_this_request() {
        assert!(accept(&answer(&request(1)), &request(1)).is_ok());
        assert_eq!(accept(&answer(&request(2)), &request(1)), Err(StampError::OtherNonce));
        let none = TimestampRequest { nonce: None, ..request(1) };
        assert_eq!(accept(&answer(&none), &request(1)), Err(StampError::OtherNonce));
        let other = TimestampRequest { imprint: HashAlgorithm::Sha256.digest(b"other"), ..request(1) };
        assert_eq!(accept(&answer(&other), &request(1)), Err(StampError::OtherArtifact));
        let refused = accept(&refuse(Failure::BadAlgorithm, "no"), &request(1)).unwrap_err();
        assert!(matches!(refused, StampError::Timestamp(TimestampError::Refused { status: 2, .. })));
    }
}
