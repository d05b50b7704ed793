//! What one operator runs: a log of each kind, and a timestamp authority, at an address of its own.
//!
//! There are two of them, for clients count operators. The first is what every document of the sandbox names; only
//! the documents for two operators name the second as well.

use std::sync::Arc;

use axum::Router;
use jiff::Timestamp;

use super::faults::{Faults, Service};
use super::folder::Folder;
use super::rekor_v1::RekorV1;
use super::rekor_v2::RekorV2;
use super::server::SandboxError;
use super::tsa::Tsa;
use super::{rekor_v1, rekor_v2, tsa};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seat {
    /// The one that is always named.
    First,
    /// The other one.
    Second,
}

impl Seat {
    /// The operator's name in documents and certificates.
    pub(super) fn name(self) -> &'static str {
        match self {
            Seat::First => "sandbox",
            Seat::Second => "second",
        }
    }

    /// The name of one of its files.
    pub(super) fn file(self, name: &str) -> String {
        match self {
            Seat::First => name.to_owned(),
            Seat::Second => format!("second-{name}"),
        }
    }

    /// Whose faults its logs have.
    pub(super) fn rekor(self) -> Service {
        match self {
            Seat::First => Service::Rekor,
            Seat::Second => Service::SecondRekor,
        }
    }

    /// Whose faults its timestamp authority has.
    pub(super) fn tsa(self) -> Service {
        match self {
            Seat::First => Service::Tsa,
            Seat::Second => Service::SecondTsa,
        }
    }

    /// Which service a path under its address belongs to.
    pub(super) fn service_of(self, path: &str) -> Option<Service> {
        if path.starts_with("/api/v1/timestamp") {
            Some(self.tsa())
        } else if path.starts_with("/api/v1/") || path.starts_with("/api/v2/") {
            Some(self.rekor())
        } else {
            None
        }
    }
}

/// The operator's services.
pub(super) struct Operator {
    pub(super) seat: Seat,
    pub(super) base: String,
    pub(super) rekor_v1: RekorV1,
    pub(super) rekor_v2: RekorV2,
    pub(super) tsa: Tsa,
    pub(super) faults: Arc<Faults>,
}

impl Operator {
    /// Open its logs and keys in `folder`; `host` is the name that the logs sign by.
    pub(super) fn open(
        folder: &Folder,
        seat: Seat,
        base: String,
        host: &str,
        start: Timestamp,
        faults: Arc<Faults>,
    ) -> Result<Self, SandboxError> {
        Ok(Operator {
            seat,
            base,
            rekor_v1: RekorV1::open(folder, seat, host)?,
            rekor_v2: RekorV2::open(folder, seat, host)?,
            tsa: Tsa::open(folder, seat, start)?,
            faults,
        })
    }

    /// What it serves.
    pub(super) fn routes(self) -> Router {
        Router::new()
            .merge(rekor_v1::routes())
            .merge(rekor_v2::routes())
            .merge(tsa::routes())
            .with_state(Arc::new(self))
    }
}
