//! Why a request has no answer, and what a person can do about it.

use std::time::Duration;

use super::address::AddressError;
use super::tls::TlsError;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// Not an address we talk to.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The HTTP client cannot be set up, for instance because of a proxy setting.
    #[error("http cannot be set up: {0}")]
    Setup(String),
    /// The server cannot be reached or the connection broke.
    #[error("{host}: {cause}{}", after(.attempts))]
    Connection {
        /// Which server.
        host: String,
        /// The innermost cause.
        cause: String,
        /// How often we tried.
        attempts: u32,
    },
    /// It took too long.
    #[error("{host}: no answer within {} s{}", .within.as_secs_f32().ceil(), after(.attempts))]
    TimedOut {
        /// Which server.
        host: String,
        /// How long we waited the last time.
        within: Duration,
        /// How often we tried.
        attempts: u32,
    },
    /// The answer is larger than any right one.
    #[error("{host}: the answer is larger than {limit} bytes")]
    TooLarge {
        /// Which server.
        host: String,
        /// The limit.
        limit: usize,
    },
    /// The server sends us elsewhere. A redirect could carry a token to another host, so none is followed.
    #[error("{host}: redirects to {to}, which is not followed")]
    Redirected {
        /// Which server.
        host: String,
        /// Where to.
        to: String,
    },
    /// Something else has the metadata server's address.
    #[error("{0}: the answer is not that of Google's metadata server")]
    NotTheMetadataServer(String),
    /// The server cannot serve us now.
    #[error("{host}: status {status} after {attempts} attempts: {message}")]
    Unavailable {
        /// Which server.
        host: String,
        /// The last status: 429 or 5xx.
        status: u16,
        /// How often we asked.
        attempts: u32,
        /// What it said.
        message: String,
    },
    /// The server asks for a longer pause than we make anybody wait.
    #[error("{host}: status {status}, and asks to wait {} s", .wait.as_secs())]
    AsksToWait {
        /// Which server.
        host: String,
        /// 429 or 5xx.
        status: u16,
        /// How long.
        wait: Duration,
    },
}

fn after(attempts: &u32) -> String {
    if *attempts > 1 { format!(" after {attempts} attempts") } else { String::new() }
}

impl NetError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            NetError::Address(AddressError::PlainHttp(_)) => "use https; plain http is for services on this machine",
            NetError::Address(_) => "correct the address in the settings or the signing config",
            NetError::Tls(_) => "correct SSL_CERT_FILE, or unset it to use the system's authorities",
            NetError::Setup(_) => "check the proxy settings (HTTPS_PROXY, HTTP_PROXY, NO_PROXY)",
            NetError::Connection { .. } => "check the address, the network and the proxy settings, then try again",
            NetError::TimedOut { .. } | NetError::Unavailable { .. } | NetError::AsksToWait { .. } => {
                "the service is slow or down; try again later"
            }
            NetError::NotTheMetadataServer(_) => "this machine is not in Google's cloud, or something is in between",
            NetError::TooLarge { .. } | NetError::Redirected { .. } => {
                "this does not look like the service; check its address in the settings or the signing config"
            }
        }
    }
}
