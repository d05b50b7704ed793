//! Step 0: that the signed attributes are about this content (RFC 5652 section 11.2).
//!
//! Everything after this step is about the attributes; without it a signature would hold for every commit there is.

use super::reason::{Reason, Refusal};
use crate::format::cms::{ID_DATA, SignedData};

/// Check that `message` signs exactly `content`.
///
/// # Errors
/// [`Reason::ContentMismatch`], and [`Reason::SignatureMalformed`] when the message is of another type or brings its
/// own content.
pub fn check(message: &SignedData, content: &[u8]) -> Result<(), Refusal> {
    if message.content_type != ID_DATA || message.content.is_some() {
        return Err(Refusal::new(Reason::SignatureMalformed, "the signature is not a detached one over data"));
    }
    if message.signer.digest.digest(content).as_bytes() != message.signer.message_digest {
        return Err(Refusal::new(Reason::ContentMismatch, "the signature is for other content"));
    }
    Ok(())
}
