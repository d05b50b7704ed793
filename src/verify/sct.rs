//! Step 5: that a trusted CT log has seen the certificate (RFC 6962 section 3.3).
//!
//! Stops: a certificate that an authority issued in secret. The issuer whose key is hashed into the signed data is the
//! one of the verified chain, never one that came with the signature.

use super::reason::{Reason, Refusal};
use crate::format::sct::{self, SctError};
use crate::format::x509::Certificate;
use crate::trust::TrustedRoot;

/// Check the embedded timestamps of `leaf`; at least one must be of a trusted log, and none of a trusted log may fail.
pub(super) fn check(root: &TrustedRoot, leaf: &Certificate, issuer: &Certificate) -> Result<(), Refusal> {
    let scts = sct::embedded(leaf).map_err(|error| match error {
        SctError::Absent => Refusal::new(Reason::SctMissing, error.to_string()),
        SctError::Malformed | SctError::Version => Refusal::new(Reason::SctInvalid, error.to_string()),
    })?;
    let invalid = |detail: &str| Refusal::new(Reason::SctInvalid, detail);
    let issuer_key = issuer.public_key().map_err(|error| Refusal::new(Reason::ChainInvalid, error.to_string()))?;
    let mut verified = false;
    for sct in &scts {
        let mut logs = root.ct_logs(&sct.log_id).peekable();
        if logs.peek().is_none() {
            continue;
        }
        // One log may be listed with several windows: the one that holds the time is meant.
        let log = logs.find(|log| log.valid_for.contains(sct.time)).ok_or_else(|| {
            Refusal::new(Reason::SctNotTrusted, format!("the CT log's key was not in use at {}", sct.time))
        })?;
        let scheme = sct.scheme(log.key.kind()).ok_or_else(|| invalid("the CT log's algorithm is another one"))?;
        let data = sct
            .signed_data(leaf, &issuer_key.spki_sha256())
            .map_err(|error| Refusal::new(Reason::SctInvalid, error.to_string()))?;
        log.key
            .verify(scheme, &data, &sct.signature)
            .map_err(|_| invalid("the CT log did not sign this certificate"))?;
        verified = true;
    }
    if verified {
        Ok(())
    } else {
        Err(Refusal::new(Reason::SctNotTrusted, "the certificate was logged only in CT logs that are not trusted"))
    }
}
