//! Google's cloud: the metadata server of a machine gives out tokens of the service account that the machine has
//! ("Verify the identity of Compute Engine instances"; GKE's workload identity answers at the same place).
//!
//! It speaks plain HTTP at a link-local address. What is asked carries no secret, and [`net`](crate::net) demands the
//! header that shows whose the answer is.

use std::time::Duration;

use serde::Deserialize;
use zeroize::Zeroizing;

use super::{AmbientError, Asking, MAX_ANSWER_LEN, Platform, Surroundings};
use crate::net::{Client, Deadline, Request, Url, address};

/// Where the metadata server is, for those who emulate it.
pub(super) const HOST: &str = "GCE_METADATA_HOST";
const DEFAULT_HOST: &str = "169.254.169.254";
/// The account that a machine has unless it is told otherwise.
const ACCOUNT: &str = "/computeMetadata/v1/instance/service-accounts/default";
/// What the firmware calls Google's machines.
const PRODUCT_NAMES: [&str; 2] = ["Google", "Google Compute Engine"];
/// The server is in the same machine's hypervisor: what has not answered by then is not there.
pub(super) const PROBING_TIME: Duration = Duration::from_secs(1);
/// Longest name of an account.
const MAX_EMAIL_LEN: usize = 1024;

#[derive(Deserialize)]
struct AccessToken {
    access_token: String,
}

/// A metadata server.
pub(super) struct MetadataServer {
    base: Url,
    pub(super) is_named: bool,
}

pub(super) fn is_here(around: Surroundings<'_>) -> bool {
    around.get(HOST).is_some() || (around.product_name)().is_some_and(|name| PRODUCT_NAMES.contains(&name.trim()))
}

impl MetadataServer {
    pub(super) fn new(platform: Platform, around: Surroundings<'_>) -> Result<Self, AmbientError> {
        let named = around.get(HOST);
        let is_named = named.is_some();
        let host = named.unwrap_or_else(|| DEFAULT_HOST.to_owned());
        let problem = |error| AmbientError::variable(platform, HOST, format!("is not the metadata server: {error}"));
        Ok(MetadataServer { base: address::metadata_server(&host).map_err(problem)?, is_named })
    }

    /// Whether the machine has an account at all. Whoever names the server says that there is one.
    pub(super) async fn has_account(&self, client: &Client) -> bool {
        if self.is_named {
            return true;
        }
        let url = address::endpoint(&self.base, &format!("{ACCOUNT}/email"));
        let answer = client.send(&Request::get_metadata(&url, MAX_EMAIL_LEN), Deadline::within(PROBING_TIME)).await;
        answer.is_ok_and(|response| response.status == 200)
    }

    /// An identity token. The full form has the account's address, which becomes the certificate's name.
    pub(super) async fn identity(&self, asking: Asking<'_>, audience: &str) -> Result<Zeroizing<String>, AmbientError> {
        let mut url = address::endpoint(&self.base, &format!("{ACCOUNT}/identity"));
        url.query_pairs_mut().append_pair("audience", audience).append_pair("format", "full");
        let request = Request::get_metadata(&url, MAX_ANSWER_LEN);
        let host = request.host();
        let body = asking.bytes(request).await?;
        let text = std::str::from_utf8(&body).map_err(|_| asking.problem(host, "no token"))?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    /// An access token: good for whatever the account may do, so it goes to Google alone.
    pub(super) async fn access_token(&self, asking: Asking<'_>) -> Result<Zeroizing<String>, AmbientError> {
        let url = address::endpoint(&self.base, &format!("{ACCOUNT}/token"));
        let AccessToken { access_token } = asking.json(Request::get_metadata(&url, MAX_ANSWER_LEN)).await?;
        Ok(Zeroizing::new(access_token))
    }
}
