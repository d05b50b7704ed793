//! Buildkite: the agent's access token of the running job buys an identity token at the agents' API, as
//! `buildkite-agent oidc request-token` and cosign do it.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::github::is_not;
use super::{AmbientError, Asking, MAX_ANSWER_LEN, Platform, Surroundings};
use crate::net::{Authorization, Request, Url, address};

/// Where the agents' API is.
pub(super) const ENDPOINT: &str = "BUILDKITE_AGENT_ENDPOINT";
const DEFAULT_ENDPOINT: &str = "https://agent.buildkite.com/v3";
/// The secret of the job.
const SECRET: &str = "BUILDKITE_AGENT_ACCESS_TOKEN";
/// Which job.
const JOB: &str = "BUILDKITE_JOB_ID";

const HERE: Platform = Platform::Buildkite;
const LINES: &str =
    "hand the job's variables on into the container; the docker plugin does with 'mount-buildkite-agent: true'";

#[derive(Serialize)]
struct Question<'a> {
    audience: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    token: String,
}

/// A job.
pub(super) struct Buildkite {
    url: Url,
    secret: Authorization,
}

pub(super) fn is_here(around: Surroundings<'_>) -> bool {
    around.is_true("BUILDKITE") || around.get(SECRET).is_some()
}

impl Buildkite {
    pub(super) fn new(around: Surroundings<'_>) -> Result<Self, AmbientError> {
        let missing = |what| AmbientError::missing(HERE, what, LINES);
        let secret = around.secret(SECRET).ok_or_else(|| missing(SECRET))?;
        let job = around.get(JOB).ok_or_else(|| missing(JOB))?;
        // It becomes a part of a path: a UUID, and nothing that leads elsewhere.
        if !job.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(AmbientError::variable(HERE, JOB, "is no job's id"));
        }
        let endpoint = around.get(ENDPOINT).unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned());
        let base = address::parse(&endpoint).map_err(|error| AmbientError::variable(HERE, ENDPOINT, is_not(error)))?;
        Ok(Buildkite {
            url: address::endpoint(&base, &format!("/jobs/{job}/oidc/tokens")),
            secret: Authorization::new("Token", &secret)
                .ok_or_else(|| AmbientError::variable(HERE, SECRET, "holds no token"))?,
        })
    }

    pub(super) async fn fetch(&self, asking: Asking<'_>, audience: &str) -> Result<Zeroizing<String>, AmbientError> {
        let question = serde_json::to_vec(&Question { audience }).expect("strings have a JSON form");
        let request = Request::post_json(&self.url, question, MAX_ANSWER_LEN).with_authorization(&self.secret);
        let Answer { token } = asking.json(request).await?;
        Ok(Zeroizing::new(token))
    }
}
