//! Step 3: RFC 3161 stamps, each by an authority of the trusted root that was in use at the time it states.
//!
//! Stops: a stamp over another signature; a stamp by an authority that nobody trusts, or outside its window
//! (TOB-SIGSTORE-11); the first certificate of the bag taken for the signer's (CVE-2026-39984); one stamp given twice
//! (sigstore-go issue 471). The authority is one value, chain and window together, so that one authority's window cannot
//! lend itself to another's stamp.

use jiff::Timestamp;

use super::chain;
use super::proven::Proven;
use super::reason::{Reason, Refusal};
use crate::format::timestamp_token::TimestampToken;
use crate::format::x509::{Certificate, KeyPurpose};
use crate::trust::Authority;

/// No signature needs more stamps; sigstore-go has the same limit.
pub const MAX_TIMESTAMPS: usize = 32;

/// A time that an authority proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// The time.
    pub time: Timestamp,
    /// The authority, from the trusted root.
    pub authority: String,
    /// Who runs the authority; see [`Authority::operator`].
    pub operator: String,
}

/// Check every stamp over `signature`; each must hold.
pub(super) fn check(
    authorities: &[Authority],
    signature: &[u8],
    tokens: &[Vec<u8>],
    proven: &Proven,
) -> Result<Vec<Stamp>, Refusal> {
    if tokens.len() > MAX_TIMESTAMPS {
        return Err(Refusal::new(Reason::TimestampMalformed, format!("{} stamps are too many", tokens.len())));
    }
    let mut found: Vec<(Stamp, Vec<u8>)> = Vec::new();
    for token in tokens {
        let numbered = check_token(authorities, signature, token, proven)?;
        // By its number: the bytes of a stamp differ by whether its certificate travels along.
        if found.contains(&numbered) {
            return Err(Refusal::new(Reason::TimestampDuplicate, "the same stamp is given twice"));
        }
        found.push(numbered);
    }
    Ok(found.into_iter().map(|(stamp, _)| stamp).collect())
}

/// The stamp and the number that its authority gave it.
fn check_token(
    authorities: &[Authority],
    signature: &[u8],
    der: &[u8],
    proven: &Proven,
) -> Result<(Stamp, Vec<u8>), Refusal> {
    let token =
        TimestampToken::parse(der).map_err(|error| Refusal::new(Reason::TimestampMalformed, error.to_string()))?;
    // 3.1 The stamp is over the raw bytes of this signature.
    let imprint = &token.info().imprint;
    if imprint.algorithm().digest(signature) != *imprint {
        return Err(Refusal::new(Reason::TimestampMismatch, "the stamp is over another signature"));
    }
    // 3.2 An authority that is trusted made it, at a time when it was.
    let time = token.info().time;
    let mut refusal =
        Refusal::new(Reason::TimestampNotTrusted, "the stamp is by an authority that the trusted root does not list");
    for authority in authorities {
        match check_authority(authority, &token, time, proven) {
            Ok(true) => {
                let stamp = Stamp { time, authority: authority.uri.clone(), operator: authority.operator.clone() };
                return Ok((stamp, token.info().serial.clone()));
            }
            Ok(false) => {}
            Err(found) => {
                // Whoever asks several authorities wants to know which one it was.
                let name = if authority.uri.is_empty() { "the timestamp authority" } else { &authority.uri };
                refusal = Refusal::new(found.reason, format!("{name}: {}", found.detail));
            }
        }
    }
    Err(refusal)
}

/// `Ok(false)` when the stamp is not this authority's.
fn check_authority(
    authority: &Authority,
    token: &TimestampToken,
    time: Timestamp,
    proven: &Proven,
) -> Result<bool, Refusal> {
    let Some((leaf, issuers)) = signer(authority, token) else { return Ok(false) };
    if !authority.valid_for.contains(time) {
        let detail = format!("it was not in use at {time}");
        return Err(Refusal::new(Reason::TimestampNotTrusted, detail));
    }
    // Unsigned bytes that nothing needs would be a second spelling of the same stamp.
    let has_place = |one: &Certificate| *one == leaf || issuers.contains(one);
    if token.has_unsigned_parts() || !token.certificates().iter().all(has_place) {
        return Err(Refusal::new(Reason::TimestampInvalid, "the stamp carries parts that have no place in it"));
    }
    check_stamper(&leaf, token, time)?;
    let mut below = &leaf;
    for (depth, issuer) in issuers.iter().enumerate() {
        chain::check_issuer(issuer, depth, Some(KeyPurpose::TimeStamping), &[time]).map_err(invalid)?;
        proven.check_signature(below, issuer).map_err(invalid)?;
        below = issuer;
    }
    Ok(true)
}

/// The certificate that signed, and those above it: the first of the trusted chain, or, where the trusted chain begins
/// with an authority, one from the token that this authority issued.
fn signer<'a>(authority: &'a Authority, token: &TimestampToken) -> Option<(Certificate, &'a [Certificate])> {
    let first = &authority.chain[0];
    if !first.is_ca() {
        return token.signer().names(first).then(|| (first.clone(), &authority.chain[1..]));
    }
    let mut embedded = token.certificates().iter();
    let leaf = embedded.find(|one| token.signer().names(one) && one.issuer_der() == first.subject_der())?;
    Some((leaf.clone(), &authority.chain))
}

/// RFC 3161 section 2.3 and RFC 5816: a certificate for stamping and nothing else, named by the signed attributes.
pub(super) fn check_stamper(leaf: &Certificate, token: &TimestampToken, time: Timestamp) -> Result<(), Refusal> {
    chain::check_leaf(leaf, KeyPurpose::TimeStamping, &[time]).map_err(invalid)?;
    let broken = |detail: &str| Refusal::new(Reason::TimestampInvalid, detail);
    if leaf.extended_key_usage() != Some(&[KeyPurpose::TimeStamping]) || !leaf.extended_key_usage_is_critical() {
        return Err(broken("the stamp's certificate is not for stamping alone"));
    }
    if !token.signing_certificates().iter().all(|id| id.names(leaf.der())) {
        return Err(broken("the stamp names another certificate than the one that signed it"));
    }
    let key = leaf.public_key().map_err(|error| Refusal::new(Reason::TimestampInvalid, error.to_string()))?;
    token.verify_signature(key).map_err(|error| Refusal::new(Reason::TimestampInvalid, error.to_string()))
}

fn invalid(refusal: Refusal) -> Refusal {
    Refusal::new(Reason::TimestampInvalid, format!("the stamp's chain: {}", refusal.detail))
}
