//! Why a service gave nothing usable, and what a person can do about it.

use crate::net::{NetError, address::AddressError};

/// With whom we talk, in words for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Fulcio.
    CertificateAuthority,
    /// Rekor.
    TransparencyLog,
    /// An RFC 3161 authority.
    TimestampAuthority,
    /// A TUF repository.
    TufRepository,
    /// An OpenID provider.
    OidcProvider,
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Peer::CertificateAuthority => "certificate authority",
            Peer::TransparencyLog => "transparency log",
            Peer::TimestampAuthority => "timestamp authority",
            Peer::TufRepository => "TUF repository",
            Peer::OidcProvider => "OpenID provider",
        })
    }
}

/// Why a service gave nothing usable.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// No answer.
    #[error("{peer}: {source}")]
    NoAnswer {
        /// Who.
        peer: Peer,
        /// Why.
        source: NetError,
    },
    /// It answered that it will not do this.
    #[error("{peer}: {host} refused with status {status}: {message}")]
    Refused {
        /// Who.
        peer: Peer,
        /// Which server.
        host: String,
        /// The status code.
        status: u16,
        /// Its own words.
        message: String,
    },
    /// It answered with something else than what was asked for.
    #[error("{peer}: {host} answered {problem}")]
    Answer {
        /// Who.
        peer: Peer,
        /// Which server.
        host: String,
        /// What is wrong with the answer.
        problem: String,
    },
    /// The log takes no more entries (Rekor v2 shards are frozen when the next one opens).
    #[error("transparency log: {0} takes no more entries")]
    Frozen(String),
    /// Rekor v2 has the entry already and cannot be asked for it.
    #[error("transparency log: {0} has this entry already and does not give it again")]
    AlreadyLogged(String),
}

impl ServiceError {
    pub(super) fn address(peer: Peer, error: AddressError) -> Self {
        ServiceError::NoAnswer { peer, source: error.into() }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            ServiceError::NoAnswer { source, .. } => source.hint(),
            ServiceError::Refused { peer: Peer::CertificateAuthority, status: 400 | 401 | 403, .. } => {
                "fetch a new token, and check that it was issued for this instance"
            }
            ServiceError::Refused { status: 404 | 405, .. } | ServiceError::Answer { .. } => {
                "this does not look like the service; check its address in the settings or the signing config"
            }
            ServiceError::Refused { .. } => "the service's own words say why; try again, or report it to its operator",
            ServiceError::Frozen(_) => "update the signing config, which names the log that has taken its place",
            ServiceError::AlreadyLogged(_) => "sign again",
        }
    }
}
