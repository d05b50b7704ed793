//! Google's cloud: the account of this machine asks for a token of another account, for which it may speak ("Service
//! Account Credentials API", `projects.serviceAccounts.generateIdToken`).

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::google::MetadataServer;
use super::{AmbientError, Asking, MAX_ANSWER_LEN, Platform, Surroundings};
use crate::net::{Authorization, Request, Url, address};

/// Whose token.
const ACCOUNT: &str = "GOOGLE_SERVICE_ACCOUNT_NAME";
/// Where to ask. No variable changes it: an access token is worth more than what it is traded for here.
const CREDENTIALS: &str = "https://iamcredentials.googleapis.com";

const HERE: Platform = Platform::GoogleImpersonate;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Question<'a> {
    audience: &'a str,
    include_email: bool,
}

#[derive(Deserialize)]
struct Answer {
    token: String,
}

/// An account, and the machine that may speak for it.
pub(super) struct Impersonate {
    metadata: MetadataServer,
    pub(super) url: Url,
}

pub(super) fn is_here(around: Surroundings<'_>) -> bool {
    around.get(ACCOUNT).is_some()
}

impl Impersonate {
    pub(super) fn new(around: Surroundings<'_>) -> Result<Self, AmbientError> {
        let account = around
            .get(ACCOUNT)
            .ok_or_else(|| AmbientError::missing(HERE, ACCOUNT, "set it to the account's address"))?;
        // It becomes a part of a path: an address or a number, and nothing that leads elsewhere.
        if !account.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte)) {
            return Err(AmbientError::variable(HERE, ACCOUNT, "is no account's address"));
        }
        let base = address::parse(CREDENTIALS).expect("it is an https address");
        let url = address::endpoint(&base, &format!("/v1/projects/-/serviceAccounts/{account}:generateIdToken"));
        Ok(Impersonate { metadata: MetadataServer::new(HERE, around)?, url })
    }

    pub(super) async fn fetch(&self, asking: Asking<'_>, audience: &str) -> Result<Zeroizing<String>, AmbientError> {
        let access = self.metadata.access_token(asking).await?;
        let secret = Authorization::new("Bearer", &access)
            .ok_or_else(|| asking.problem("the metadata server".to_owned(), "no access token"))?;
        let question = Question { audience, include_email: true };
        let question = serde_json::to_vec(&question).expect("strings have a JSON form");
        let request = Request::post_json(&self.url, question, MAX_ANSWER_LEN).with_authorization(&secret);
        let Answer { token } = asking.json(request).await?;
        Ok(Zeroizing::new(token))
    }
}
