//! One piece of work's conversation with services: the HTTP client, and the time by which all must be done.

use std::time::Duration;

use super::error::{Peer, ServiceError};
use crate::net::{Client, Deadline, Request, Response, Url, address};

/// How long signing one thing may take, all requests and repetitions together. Rekor v2 alone may take 20 seconds;
/// longer than this nobody waits in front of `git commit` without thinking that it hangs.
pub const SIGNING_TIME: Duration = Duration::from_secs(60);

/// Wait for `work` on this thread, on a runtime made for it: one thread, and no driver that requests do not need. Paths
/// that never talk to a service never start one.
///
/// # Errors
/// When the operating system gives no event queue.
pub fn wait<T>(work: impl Future<Output = T>) -> std::io::Result<T> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?.block_on(work))
}

/// A client and a deadline.
#[derive(Debug, Clone, Copy)]
pub struct Session<'a> {
    client: &'a Client,
    deadline: Deadline,
}

impl<'a> Session<'a> {
    /// Everything that is asked for in this session must be answered within `time` from now.
    #[must_use]
    pub fn new(client: &'a Client, time: Duration) -> Self {
        Session { client, deadline: Deadline::within(time) }
    }

    pub(super) async fn send(&self, peer: Peer, request: Request<'_>) -> Result<Response, ServiceError> {
        self.client.send(&request, self.deadline).await.map_err(|source| ServiceError::NoAnswer { peer, source })
    }
}

/// Who is talked to and where: what every client has, and what its error messages need.
#[derive(Debug, Clone)]
pub(super) struct Place {
    peer: Peer,
    base: Url,
}

impl Place {
    pub(super) fn new(peer: Peer, base: &str) -> Result<Self, ServiceError> {
        Ok(Place { peer, base: address::parse(base).map_err(|error| ServiceError::address(peer, error))? })
    }

    pub(super) fn endpoint(&self, path: &str) -> Url {
        address::endpoint(&self.base, path)
    }

    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    pub(super) fn peer(&self) -> Peer {
        self.peer
    }

    pub(super) fn host(&self) -> String {
        address::host(&self.base)
    }

    pub(super) fn refused(&self, response: &Response) -> ServiceError {
        ServiceError::Refused {
            peer: self.peer,
            host: self.host(),
            status: response.status,
            message: response.message(),
        }
    }

    pub(super) fn problem(&self, problem: impl std::fmt::Display) -> ServiceError {
        ServiceError::Answer { peer: self.peer, host: self.host(), problem: problem.to_string() }
    }
}
