//! Why nothing was signed: one line that says what happened, one that says what to do.

use crate::credential::CredentialError;
use crate::format::cms::MAX_ATTRIBUTE_VALUES;
use crate::format::cms::build::BuildError;
use crate::format::git::ObjectError;
use crate::service::ServiceError;
use crate::trust::SelectError;
use crate::verify::{Reason, Refusal};

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// There is no key to sign with.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The signing config does not give the services that are needed.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// The signing config wants the signature in no log, or in more than a signature can carry entries of.
    #[error(
        "the signing config asks for {0} transparency logs; a git signature carries 1 to {MAX_ATTRIBUTE_VALUES} entries"
    )]
    LogCount(usize),
    /// The signing config wants more stamps than a signature can carry.
    #[error("the signing config asks for {0} timestamps; a git signature carries at most {MAX_ATTRIBUTE_VALUES}")]
    StampCount(usize),
    /// Rekor v2 has no clock, and nobody else is there to say when the signature was made.
    #[error("the transparency log has no clock, and the signing config names no timestamp authority")]
    NoClock,
    /// Rekor v2 has no index: a signature without its entry could never be verified.
    #[error("the transparency log cannot be searched, so the entry must be embedded")]
    NotSearchable,
    /// The log or the timestamp authority gave no evidence.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// What is to be signed is no git object, so its id cannot be logged.
    #[error("the object's id cannot be logged: {0}")]
    Object(#[from] ObjectError),
    /// The CMS message cannot be written.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The finished signature does not verify. It is thrown away.
    #[error("the new signature does not verify: {0}")]
    Refused(Refusal),
    /// The operating system gives no event queue.
    #[error("cannot wait for the network: {0}")]
    Runtime(#[from] std::io::Error),
}

impl SignError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            SignError::Credential(error) => error.hint(),
            SignError::Service(error) => error.hint(),
            SignError::Select(_) => "update the signing config, or update gitseal if it is too old for it",
            SignError::LogCount(_) | SignError::StampCount(_) => {
                "use a signing config that selects at least one transparency log, and fewer of each"
            }
            SignError::NoClock => "add a timestamp authority to the signing config, or sign with Rekor v1",
            SignError::NotSearchable => "set gitseal.rekorMode=offline, or sign with Rekor v1",
            SignError::Object(_) => "set gitseal.rekorMode=offline, which embeds the entry instead",
            SignError::Build(_) => "check this machine's clock",
            SignError::Refused(Refusal {
                reason: Reason::LogThresholdMissed | Reason::TimestampThresholdMissed,
                ..
            }) => "the trusted root must name the operator of each log and authority that the signing config selects",
            SignError::Refused(refusal) => refusal.reason.hint().unwrap_or(
                "a service answered with evidence that does not hold; nothing was signed, report it to its operator",
            ),
            SignError::Runtime(_) => "check the limit on open files (ulimit -n)",
        }
    }
}
