//! RFC 3161 timestamp authorities: asks for a stamp over a signature (section 3.4, by HTTP).
//!
//! That the answer is one to this question is checked here; whether its signer is trusted, by `verify`.

use super::error::{Peer, ServiceError};
use super::session::{Place, Session};
use crate::crypto::{HashAlgorithm, random};
use crate::format::timestamp::{MAX_RESPONSE_LEN, Nonce, TimestampRequest, TimestampToken, token_of_response};
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
        let token = token_of_response(&response.body).map_err(|error| self.place.problem(error))?;
        let stamp = TimestampToken::parse(token).map_err(|error| self.place.problem(error))?;
        let (info, problem) = (stamp.info(), |problem: &str| Err(self.place.problem(problem)));
        // A stamp over another signature would date something that is not ours.
        if info.imprint != request.imprint {
            return problem("a stamp over something else");
        }
        // An answer that was recorded earlier would date our signature too early.
        if info.nonce != request.nonce {
            return problem("a stamp with another nonce");
        }
        Ok(token.to_vec())
    }
}
