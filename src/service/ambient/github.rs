//! GitHub Actions: a job with the permission `id-token: write` is told an address and a secret, and gets a token for the
//! audience that it asks for (GitHub's "OpenID Connect reference", Requesting the JWT using environment variables).

use serde::Deserialize;
use zeroize::Zeroizing;

use super::{AmbientError, Asking, MAX_ANSWER_LEN, Platform, Surroundings};
use crate::net::{Authorization, Request, Url, address};

/// Where to ask.
pub(super) const URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
/// With which secret.
const SECRET: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";

/// Without `contents: read` a job that names a permission can no longer check out.
const LINES: &str = "add these lines to the job, or keep its other permissions and add the last:
permissions:
  contents: read
  id-token: write";
const FORK: &str = "a pull request from a fork gets no token whatever the workflow says: sign after the merge";

/// The answer.
#[derive(Deserialize)]
struct Answer {
    value: String,
}

/// What such a job is given.
pub(super) struct GithubActions {
    url: Url,
    secret: Authorization,
}

pub(super) fn is_here(around: Surroundings<'_>) -> bool {
    around.is_true("GITHUB_ACTIONS") || (around.get(URL).is_some() && around.get(SECRET).is_some())
}

impl GithubActions {
    pub(super) fn new(around: Surroundings<'_>) -> Result<Self, AmbientError> {
        const HERE: Platform = Platform::GithubActions;
        let missing = |what| {
            // Only the event's own file says whether it came from a fork; most people who see this need the other line.
            let may_be_fork = around.get("GITHUB_EVENT_NAME").is_some_and(|event| event == "pull_request");
            let lines = if may_be_fork { format!("{LINES}\n{FORK}") } else { LINES.to_owned() };
            AmbientError::missing(HERE, what, lines)
        };
        let url = around.get(URL).ok_or_else(|| missing(URL))?;
        let secret = around.secret(SECRET).ok_or_else(|| missing(SECRET))?;
        Ok(GithubActions {
            url: address::parse_with_query(&url).map_err(|error| AmbientError::variable(HERE, URL, is_not(error)))?,
            secret: Authorization::new("Bearer", &secret)
                .ok_or_else(|| AmbientError::variable(HERE, SECRET, "holds no token"))?,
        })
    }

    pub(super) async fn fetch(&self, asking: Asking<'_>, audience: &str) -> Result<Zeroizing<String>, AmbientError> {
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair("audience", audience);
        let request = Request::get(&url, MAX_ANSWER_LEN).with_authorization(&self.secret);
        let Answer { value } = asking.json(request).await?;
        Ok(Zeroizing::new(value))
    }
}

/// An address error as what is said of a variable.
pub(super) fn is_not(error: address::AddressError) -> String {
    format!("is no address to send a secret to: {error}")
}
