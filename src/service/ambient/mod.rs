//! Tokens that a platform gives to what runs on it: CI services, clouds, and the agents of SPIFFE. One file a platform.
//!
//! The caller hands the [`Surroundings`] down; nothing here reads the world. A secret that a platform's environment
//! holds goes to the address that the same environment names, or to the one that the platform documents, and nowhere
//! else: no setting, and no repository, can point it elsewhere.

mod buildkite;
mod circleci;
mod error;
mod github;
mod gitlab;
mod google;
mod google_impersonate;
#[cfg(unix)]
mod spiffe;

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::id_token::{IdToken, MAX_TOKEN_LEN, TokenError};
use crate::net::{Client, Deadline, Request};
pub use error::AmbientError;

/// How long a platform may take to give a token, repetitions included; GitHub's service needs a second on a bad day.
pub const FETCHING_TIME: Duration = Duration::from_secs(20);
/// Largest answer: a token, and a little JSON around it.
const MAX_ANSWER_LEN: usize = MAX_TOKEN_LEN + 4 * 1024;

/// The variable in which GitLab puts a token of the job's own choosing, and other platforms' users do.
const ID_TOKEN: &str = "SIGSTORE_ID_TOKEN";

/// What a platform can be known by. The caller reads it, and only as far as it is asked for.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// An environment variable, if it is set and not empty.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// What the firmware calls this machine.
    pub product_name: &'a dyn Fn() -> Option<String>,
    /// Whether a socket is there that root or this user has made, in a folder where nobody else could have.
    pub trusted_socket: &'a dyn Fn(&Path) -> bool,
}

impl Surroundings<'_> {
    fn get(&self, name: &str) -> Option<String> {
        (self.variable)(name)
    }

    fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    fn secret(&self, name: &str) -> Option<Zeroizing<String>> {
        self.get(name).map(Zeroizing::new)
    }
}

/// A platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// GitHub Actions, and Forgejo Actions, which speak alike.
    GithubActions,
    /// GitLab CI.
    Gitlab,
    /// A Buildkite job.
    Buildkite,
    /// A CircleCI job.
    CircleCi,
    /// A service account, in whose name the account of a machine in Google's cloud may ask.
    GoogleImpersonate,
    /// The service account of a machine in Google's cloud.
    GoogleWorkloadIdentity,
    /// A SPIFFE Workload API, such as SPIRE's agent.
    Spiffe,
}

impl Platform {
    /// All of them, in the order in which they are looked for: first what a job was started by, then the machine that it
    /// runs on, of which a job often knows nothing. Who names an account to speak for means that account.
    pub const ALL: [Platform; 7] = [
        Platform::GithubActions,
        Platform::Gitlab,
        Platform::Buildkite,
        Platform::CircleCi,
        Platform::GoogleImpersonate,
        Platform::GoogleWorkloadIdentity,
        Platform::Spiffe,
    ];

    /// The name that gitsign and cosign know it by.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Platform::GithubActions => "github-actions",
            Platform::Gitlab => "gitlab",
            Platform::Buildkite => "buildkite-agent",
            Platform::CircleCi => "circleci",
            Platform::GoogleImpersonate => "google-impersonate",
            Platform::GoogleWorkloadIdentity => "google-workload-identity",
            Platform::Spiffe => "spiffe",
        }
    }

    /// The platform of that name; gitsign's manual has a second spelling of one.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name = if name == "google-impersonation" { "google-impersonate" } else { name };
        Platform::ALL.into_iter().find(|platform| platform.name() == name)
    }

    /// Whether it is a CI service, where no person waits.
    #[must_use]
    pub fn is_ci(self) -> bool {
        matches!(self, Platform::GithubActions | Platform::Gitlab | Platform::Buildkite | Platform::CircleCi)
    }

    /// Whether we plainly run there, whatever it gives us.
    #[must_use]
    pub fn is_here(self, around: Surroundings<'_>) -> bool {
        match self {
            Platform::GithubActions => github::is_here(around),
            Platform::Gitlab => gitlab::is_here(around),
            Platform::Buildkite => buildkite::is_here(around),
            Platform::CircleCi => circleci::is_here(around),
            Platform::GoogleImpersonate => google_impersonate::is_here(around),
            Platform::GoogleWorkloadIdentity => google::is_here(around),
            #[cfg(unix)]
            Platform::Spiffe => spiffe::is_here(around),
            #[cfg(not(unix))]
            Platform::Spiffe => false,
        }
    }

    /// Whether `token`, which is in the environment, is there because of this platform.
    #[must_use]
    pub fn gave(self, token: &str, around: Surroundings<'_>) -> bool {
        matches!(self, Platform::Gitlab | Platform::CircleCi)
            && self.is_here(around)
            && around.secret(ID_TOKEN).is_some_and(|given| given.as_str() == token)
    }

    /// Get ready to ask for a token for `audience`, with no network.
    ///
    /// # Errors
    /// The platform does not let this job, or we are not there.
    pub fn prepare(self, around: Surroundings<'_>, audience: &str) -> Result<TokenRequest, AmbientError> {
        let source = match self {
            Platform::GithubActions => Source::GithubActions(github::GithubActions::new(around)?),
            Platform::Gitlab => Source::Given(gitlab::token(around, audience)?),
            Platform::Buildkite => Source::Buildkite(buildkite::Buildkite::new(around)?),
            Platform::CircleCi => Source::Given(circleci::token(around, audience)?),
            Platform::GoogleImpersonate => Source::Impersonate(google_impersonate::Impersonate::new(around)?),
            Platform::GoogleWorkloadIdentity => Source::Metadata(google::MetadataServer::new(self, around)?),
            #[cfg(unix)]
            Platform::Spiffe => Source::Spiffe(spiffe::WorkloadApi::new(around)?),
            #[cfg(not(unix))]
            Platform::Spiffe => return Err(AmbientError::missing(self, "a unix socket")),
        };
        Ok(TokenRequest { platform: self, audience: audience.to_owned(), source })
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A token that can be asked for.
#[derive(Debug)]
pub struct TokenRequest {
    platform: Platform,
    audience: String,
    source: Source,
}

enum Source {
    Given(Zeroizing<String>),
    GithubActions(github::GithubActions),
    Buildkite(buildkite::Buildkite),
    Metadata(google::MetadataServer),
    Impersonate(google_impersonate::Impersonate),
    #[cfg(unix)]
    Spiffe(spiffe::WorkloadApi),
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Source(redacted)")
    }
}

impl TokenRequest {
    /// Whether the platform has a token to give, where being there does not mean that: a machine in Google's cloud need
    /// not have an account. It answers at once or not at all.
    pub async fn is_answered(&self, client: &Client) -> bool {
        match &self.source {
            Source::Metadata(server) => server.has_account(client).await,
            _ => true,
        }
    }

    /// Ask. The token is good for the audience now, or it is an error.
    ///
    /// # Errors
    /// [`AmbientError`] when there is none, or when it is of no use.
    pub async fn fetch(&self, client: &Client, now: Timestamp) -> Result<IdToken, AmbientError> {
        let asking = Asking { platform: self.platform, client, deadline: Deadline::within(FETCHING_TIME) };
        let audience = &self.audience;
        let text = match &self.source {
            Source::Given(token) => token.clone(),
            Source::GithubActions(service) => service.fetch(asking, audience).await?,
            Source::Buildkite(service) => service.fetch(asking, audience).await?,
            Source::Metadata(server) => server.identity(asking, audience).await?,
            Source::Impersonate(account) => account.fetch(asking, audience).await?,
            #[cfg(unix)]
            Source::Spiffe(api) => api.fetch(audience).await?,
        };
        let unusable = |error: TokenError| AmbientError::token(self.platform, audience, error);
        let token = IdToken::parse(&text).map_err(unusable)?;
        token.check(audience, now).map_err(unusable)?;
        Ok(token)
    }
}

/// Asks a platform's service, and names it in errors.
#[derive(Clone, Copy)]
struct Asking<'a> {
    platform: Platform,
    client: &'a Client,
    deadline: Deadline,
}

impl Asking<'_> {
    /// The body of a successful answer; it holds a secret.
    async fn bytes(self, request: Request<'_>) -> Result<Zeroizing<Vec<u8>>, AmbientError> {
        let Asking { platform, client, deadline } = self;
        let response = client.send(&request, deadline).await;
        let response = response.map_err(|source| AmbientError::NoAnswer { platform, source })?;
        if !matches!(response.status, 200 | 201) {
            let (host, status, message) = (request.host(), response.status, response.message());
            return Err(AmbientError::Refused { platform, host, status, message });
        }
        Ok(Zeroizing::new(response.body))
    }

    /// A successful answer in JSON.
    async fn json<T: DeserializeOwned>(self, request: Request<'_>) -> Result<T, AmbientError> {
        let host = request.host();
        let body = self.bytes(request).await?;
        serde_json::from_slice(&body).map_err(|_| self.problem(host, "no token"))
    }

    fn problem(self, host: String, problem: &'static str) -> AmbientError {
        AmbientError::Answer { platform: self.platform, host, problem }
    }
}

#[cfg(test)]
mod tests;
