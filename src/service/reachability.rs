//! Whether a service answers at all: one small question that changes nothing and tells it nothing about us.

use serde::Deserialize;

use super::error::{Peer, ServiceError};
use super::session::{Place, Session};
use crate::net::Request;

/// Largest answer: an OpenID provider's description has 2 KB, a certificate authority's list of issuers 20.
const MAX_ANSWER_LEN: usize = 256 * 1024;

/// What an OpenID provider says about itself (OpenID Connect Discovery 1.0 section 3), as far as it matters here.
#[derive(Debug, Deserialize)]
struct Discovery {
    issuer: String,
}

/// Ask the service at `url`, a log of API version `version`, for something it has for everybody. An answer that says no
/// is one: a timestamp authority takes nothing but requests for stamps.
///
/// # Errors
/// [`ServiceError`] when there is no answer, or an OpenID provider's is not its own description.
pub async fn reach(session: Session<'_>, peer: Peer, url: &str, version: u32) -> Result<(), ServiceError> {
    let place = Place::new(peer, url)?;
    let question = match (peer, version) {
        (Peer::CertificateAuthority, _) => place.endpoint("/api/v2/configuration"),
        (Peer::TransparencyLog, 1) => place.endpoint("/api/v1/log"),
        (Peer::TransparencyLog, _) => place.endpoint("/api/v2/checkpoint"),
        (Peer::TimestampAuthority, _) => place.base().clone(),
        (Peer::OidcProvider, _) => place.endpoint("/.well-known/openid-configuration"),
        (Peer::TufRepository, _) => place.endpoint("/timestamp.json"),
    };
    let answer = session.send(peer, Request::get(&question, MAX_ANSWER_LEN)).await?;
    if peer != Peer::OidcProvider {
        return Ok(());
    }
    if answer.status != 200 {
        return Err(place.refused(&answer));
    }
    let discovery: Discovery = serde_json::from_slice(&answer.body).map_err(|error| place.problem(error))?;
    // Section 4.3: it must be the very issuer that was asked.
    if discovery.issuer.trim_end_matches('/') != url.trim_end_matches('/') {
        return Err(place.problem("as another issuer"));
    }
    Ok(())
}
