//! What signing asks of a transparency log, whatever its version.

use std::pin::Pin;

use super::error::ServiceError;
use super::session::Session;
use crate::crypto::Digest;
use crate::format::log_entry::LogEntry;
use crate::format::x509::Certificate;

/// What is to be logged: that this signature over an artifact of this digest was made by this certificate's key.
#[derive(Debug, Clone)]
pub struct Record<'a> {
    /// The digest of the artifact.
    pub digest: Digest,
    /// The signature.
    pub signature: &'a [u8],
    /// The signer.
    pub certificate: &'a Certificate,
}

/// The entry, when the log has answered.
pub type Appending<'a> = Pin<Box<dyn Future<Output = Result<LogEntry, ServiceError>> + Send + 'a>>;

/// A log that takes records: Rekor v1 or v2.
pub trait TransparencyLog: Send + Sync {
    /// Add a record, and give its entry with the proof that it is in the log. Nothing is checked here.
    fn append<'a>(&'a self, session: Session<'a>, record: &'a Record<'a>) -> Appending<'a>;
}
