//! Step 0: that the signed attributes are about this content (RFC 5652 section 11.2).
//!
//! Everything after this step is about the attributes; without it a signature would hold for every commit there is.

use super::reason::{Reason, Refusal};
use crate::crypto::{Digest, HashAlgorithm};
use crate::format::cms::{ID_DATA, SignedData};

/// Check that `message` signs exactly `content`.
///
/// # Errors
/// [`Reason::ContentMismatch`], and [`Reason::SignatureMalformed`] when the message is of another type or brings its
/// own content.
pub fn check(message: &SignedData, content: &[u8]) -> Result<(), Refusal> {
    check_digest(message, &message.signer.digest.digest(content))
}

/// The same, where only the SHA-256 digest of the content is known: a message with another digest is another content's.
///
/// # Errors
/// Those of [`check`].
pub fn check_sha256(message: &SignedData, content: &[u8; 32]) -> Result<(), Refusal> {
    let digest = Digest::from_bytes(HashAlgorithm::Sha256, content);
    check_digest(message, &digest.expect("32 bytes are a SHA-256 digest"))
}

fn check_digest(message: &SignedData, content: &Digest) -> Result<(), Refusal> {
    if message.content_type != ID_DATA || message.content.is_some() {
        return Err(Refusal::new(Reason::SignatureMalformed, "the signature is not a detached one over data"));
    }
    if message.signer.digest != content.algorithm() || message.signer.message_digest != content.as_bytes() {
        return Err(Refusal::new(Reason::ContentMismatch, "the signature is for other content"));
    }
    Ok(())
}
