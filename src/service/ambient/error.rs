//! Why a platform gave no token, and what to change there so that it does.

use super::Platform;
use crate::net::NetError;
#[cfg(unix)]
use crate::net::grpc::GrpcError;
use crate::service::id_token::TokenError;

/// Why a platform gave no token.
#[derive(Debug, thiserror::Error)]
pub enum AmbientError {
    /// What a job is given that may ask for a token is not there.
    #[error("{platform} gives no identity token here: {what} is not set")]
    Missing {
        /// Which platform.
        platform: Platform,
        /// The variable.
        what: &'static str,
        /// The lines that make it give one.
        lines: String,
    },
    /// A variable of the platform that makes no sense.
    #[error("{platform}: {variable} {problem}")]
    Variable {
        /// Which platform.
        platform: Platform,
        /// The variable.
        variable: &'static str,
        /// What is wrong with its value, which may be a secret.
        problem: String,
    },
    /// No answer.
    #[error("{platform}: {source}")]
    NoAnswer {
        /// Which platform.
        platform: Platform,
        /// Why.
        source: NetError,
    },
    /// No answer from an agent on this machine.
    #[cfg(unix)]
    #[error("{platform}: {source}")]
    NoAgent {
        /// Which platform.
        platform: Platform,
        /// Why.
        source: GrpcError,
    },
    /// It answered that it gives none.
    #[error("{platform}: {host} refused with status {status}: {message}")]
    Refused {
        /// Which platform.
        platform: Platform,
        /// Which server.
        host: String,
        /// The status code.
        status: u16,
        /// Its own words.
        message: String,
    },
    /// It answered with something else than a token.
    #[error("{platform}: {host} answered {problem}")]
    Answer {
        /// Which platform.
        platform: Platform,
        /// Which server.
        host: String,
        /// What is wrong with the answer.
        problem: &'static str,
    },
    /// It gave a token that is of no use.
    #[error("{platform}: {error}")]
    Token {
        /// Which platform.
        platform: Platform,
        /// Why not.
        error: TokenError,
        /// For whom it should be.
        audience: String,
    },
}

impl AmbientError {
    pub(super) fn missing(platform: Platform, what: &'static str, lines: impl Into<String>) -> Self {
        AmbientError::Missing { platform, what, lines: lines.into() }
    }

    pub(super) fn variable(platform: Platform, variable: &'static str, problem: impl ToString) -> Self {
        AmbientError::Variable { platform, variable, problem: problem.to_string() }
    }

    pub(super) fn token(platform: Platform, audience: &str, error: TokenError) -> Self {
        AmbientError::Token { platform, error, audience: audience.to_owned() }
    }

    /// What to do about it; several lines where a file of the platform's has to be changed.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            AmbientError::Missing { lines, .. } => lines.clone(),
            AmbientError::Variable { variable, .. } => {
                format!("{variable} is the platform's to set: unset it, or say with gitseal.tokenProvider what to use")
            }
            AmbientError::NoAnswer { platform, source: NetError::Address(_) } => {
                format!("correct {}, or unset it", address_variable(*platform))
            }
            AmbientError::NoAnswer { platform, source: NetError::TooLarge { .. } | NetError::Redirected { .. } }
            | AmbientError::Answer { platform, .. } => {
                format!("this does not look like {platform}; check {}", address_variable(*platform))
            }
            AmbientError::NoAnswer { source, .. } => source.hint().to_owned(),
            #[cfg(unix)]
            AmbientError::NoAgent { source: GrpcError::Refused { .. }, .. } => {
                "the agent's own words say why; a workload must be registered ('spire-server entry create')".into()
            }
            #[cfg(unix)]
            AmbientError::NoAgent { .. } => "SPIFFE_ENDPOINT_SOCKET must name the socket of an agent that runs".into(),
            AmbientError::Refused { platform, .. } => refused(*platform).into(),
            AmbientError::Token { platform: Platform::CircleCi, error: TokenError::Audience { .. }, audience } => {
                super::circleci::lines(audience)
            }
            AmbientError::Token { platform: Platform::Gitlab, error: TokenError::Audience { .. }, audience } => {
                super::gitlab::lines(audience)
            }
            AmbientError::Token { error: TokenError::Malformed(_), .. } => {
                "the platform's tokens are no OpenID Connect tokens (SPIRE needs its setting 'jwt_issuer')".into()
            }
            AmbientError::Token { error, .. } => error.hint().to_owned(),
        }
    }
}

/// The variable that says where a platform's service is.
fn address_variable(platform: Platform) -> &'static str {
    match platform {
        Platform::GithubActions => super::github::URL,
        Platform::Gitlab | Platform::CircleCi => super::ID_TOKEN,
        Platform::Buildkite => super::buildkite::ENDPOINT,
        Platform::GoogleImpersonate | Platform::GoogleWorkloadIdentity => super::google::HOST,
        Platform::Spiffe => "SPIFFE_ENDPOINT_SOCKET",
    }
}

fn refused(platform: Platform) -> &'static str {
    match platform {
        Platform::GithubActions => "the job may have lost its permission 'id-token: write', or be over already",
        Platform::Buildkite => "the agent's access token is good for its own job, and while that runs",
        Platform::GoogleImpersonate => {
            "the machine's account needs roles/iam.serviceAccountOpenIdTokenCreator on GOOGLE_SERVICE_ACCOUNT_NAME"
        }
        Platform::GoogleWorkloadIdentity => "give this machine a service account, or name another token provider",
        Platform::Gitlab | Platform::CircleCi | Platform::Spiffe => "the platform's own words say why",
    }
}
