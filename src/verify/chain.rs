//! Step 4: the chain of certificates to an authority of the trusted root, at every verified time (RFC 5280 section 6).
//!
//! The trusted root gives whole chains, so there is no path to search for: the leaf's issuer is a certificate of such a
//! chain whose key verifies the leaf. Found by signature, not by name alone, since two authorities may share a
//! name. Stops: expired intermediates (CVE-2026-24122), an authority outside its window, a leaf that issues leaves.

use jiff::Timestamp;

use super::proven::Proven;
use super::reason::{Reason, Refusal};
use crate::format::x509::{Certificate, KeyPurpose};
use crate::trust::Authority;

/// The part of an authority's chain, issuer first, that vouches for `leaf`, judged for `purpose` at each of `times`.
///
/// `times` must not be empty: a chain that is judged at no time is not judged.
pub(super) fn find_path<'a>(
    authorities: &'a [Authority],
    leaf: &Certificate,
    purpose: KeyPurpose,
    times: &[Timestamp],
    proven: &Proven,
) -> Result<&'a [Certificate], Refusal> {
    check_leaf(leaf, purpose, times)?;
    let mut refusal = Refusal::new(
        Reason::IssuerNotTrusted,
        format!("the certificate was issued by {:?}, which the trusted root does not list", leaf.issuer_name()),
    );
    for authority in authorities {
        // In May and June of 2022 Fulcio's root issued leaves by itself, past its own intermediate.
        for (at, issuer) in authority.chain.iter().enumerate() {
            if issuer.subject_der() != leaf.issuer_der() {
                continue;
            }
            let path = &authority.chain[at..];
            match check_window(authority, times).and_then(|()| check_path(leaf, path, purpose, times, proven)) {
                Ok(()) => return Ok(path),
                // Another authority may have the same name: go on, and if it is none, say why this one was not.
                Err(found) => refusal = found,
            }
        }
    }
    Err(refusal)
}

/// That an authority was in use at every time.
fn check_window(authority: &Authority, times: &[Timestamp]) -> Result<(), Refusal> {
    match times.iter().find(|time| !authority.valid_for.contains(**time)) {
        Some(time) => {
            let detail = format!("the authority {} was not in use at {time}", authority.uri);
            Err(Refusal::new(Reason::AuthorityNotValidThen, detail))
        }
        None => Ok(()),
    }
}

fn check_path(
    leaf: &Certificate,
    path: &[Certificate],
    purpose: KeyPurpose,
    times: &[Timestamp],
    proven: &Proven,
) -> Result<(), Refusal> {
    let mut below = leaf;
    for (depth, issuer) in path.iter().enumerate() {
        if below.issuer_der() != issuer.subject_der() {
            return Err(Refusal::new(Reason::ChainInvalid, "the names in the chain do not follow each other"));
        }
        check_issuer(issuer, depth, Some(purpose), times)?;
        proven.check_signature(below, issuer)?;
        below = issuer;
    }
    Ok(())
}

/// The rules for an end-entity certificate: not a CA, made for `purpose`, valid at every time.
pub(super) fn check_leaf(leaf: &Certificate, purpose: KeyPurpose, times: &[Timestamp]) -> Result<(), Refusal> {
    if !leaf.extended_key_usage().is_some_and(|usages| usages.contains(&purpose)) {
        return Err(Refusal::new(Reason::PurposeWrong, "the signer's certificate is for another purpose"));
    }
    check_usable(leaf, times)
}

/// The rules for an end-entity certificate of whatever purpose: not a CA, for signing, valid at every time.
pub(super) fn check_usable(leaf: &Certificate, times: &[Timestamp]) -> Result<(), Refusal> {
    check_constraints(leaf)?;
    if leaf.is_ca() {
        return Err(Refusal::new(Reason::PurposeWrong, "the signer's certificate is an authority's"));
    }
    if leaf.may_sign_data() == Some(false) {
        return Err(Refusal::new(Reason::PurposeWrong, "the signer's certificate is not for signing"));
    }
    check_validity(leaf, times)
}

/// The rules for the certificate of an authority that has `below` further authorities under it, for a purpose that the
/// leaf may leave open.
pub(super) fn check_issuer(
    certificate: &Certificate,
    below: usize,
    purpose: Option<KeyPurpose>,
    times: &[Timestamp],
) -> Result<(), Refusal> {
    check_constraints(certificate)?;
    if !certificate.is_ca() || certificate.may_sign_certificates() == Some(false) {
        return Err(Refusal::new(Reason::ChainInvalid, "a certificate in the chain may not issue certificates"));
    }
    if certificate.path_len().is_some_and(|limit| below > usize::from(limit)) {
        return Err(Refusal::new(Reason::ChainInvalid, "the chain is longer than one of its certificates allows"));
    }
    // Purposes nest: a CA that names some may issue for those only (as webpki, Go and OpenSSL read it).
    if let (Some(usages), Some(purpose)) = (certificate.extended_key_usage(), purpose)
        && !usages.contains(&purpose)
        && !usages.contains(&KeyPurpose::Any)
    {
        return Err(Refusal::new(Reason::PurposeWrong, "a certificate in the chain is for another purpose"));
    }
    check_validity(certificate, times)
}

fn check_constraints(certificate: &Certificate) -> Result<(), Refusal> {
    match certificate.unsupported_constraint() {
        Some(id) => Err(Refusal::new(Reason::ChainInvalid, format!("nothing here can apply the extension {id}"))),
        None => Ok(()),
    }
}

/// RFC 5280 section 4.1.2.5: both ends belong to the validity.
fn check_validity(certificate: &Certificate, times: &[Timestamp]) -> Result<(), Refusal> {
    match times.iter().find(|time| !certificate.validity().contains(**time)) {
        Some(time) => Err(Refusal::new(
            Reason::CertificateNotValidThen,
            format!(
                "the certificate of {} is valid from {} to {}, the signature was made at {time}",
                certificate,
                certificate.not_before(),
                certificate.not_after()
            ),
        )),
        None => Ok(()),
    }
}

/// That `issuer`'s key signed `certificate`.
pub(super) fn check_signature(certificate: &Certificate, issuer: &Certificate) -> Result<(), Refusal> {
    let invalid = |detail| Refusal::new(Reason::ChainInvalid, detail);
    let scheme = certificate.signature_scheme().ok_or_else(|| invalid("the chain uses an unsupported algorithm"))?;
    let key = issuer.public_key().map_err(|error| Refusal::new(Reason::ChainInvalid, error.to_string()))?;
    key.verify(scheme, certificate.tbs_der(), certificate.signature())
        .map_err(|_| invalid("a certificate in the chain was not signed by its issuer"))
}
