//! S/MIME signatures, of smimesign and gpgsm: judged against a file of authorities that the verifier names.
//!
//! Such certificates live for years and no log knows the signatures. The time is that of a stamp, if there is one;
//! otherwise it is the one that the signer claims, and the report says so: whoever steals the key can claim any.

use jiff::Timestamp;

use super::reason::{Reason, Refusal};
use super::{chain, content, timestamp};
use crate::format::cms::{SignedData, TIME_STAMP_TOKEN};
use crate::format::timestamp_token::TimestampToken;
use crate::format::x509::{Certificate, KeyPurpose};

/// No path is longer than this, anchor included; real ones have two or three certificates.
const MAX_PATH_LEN: usize = 8;
/// No more signatures than this are checked in the search for a path: names may repeat, and each check costs time.
const MAX_SIGNATURE_CHECKS: usize = 32;

/// What was proven about an S/MIME signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmimeVerified {
    /// The signer's certificate.
    pub certificate: Certificate,
    /// The certificate of the CA file that its chain leads to.
    pub root: Certificate,
    /// When it was signed.
    pub time: Option<Timestamp>,
    /// Whether a stamp proves the time.
    pub time_is_stamped: bool,
}

/// Check the signature alone: content, certificate, signature. The certificate may also be one of those `known` to the
/// verifier, for some signers leave it out.
///
/// # Errors
/// [`Refusal`] with the first check that failed.
pub fn check_signature<'a>(
    message: &'a SignedData,
    payload: &[u8],
    known: &'a [Certificate],
) -> Result<&'a Certificate, Refusal> {
    content::check(message, payload)?;
    let leaf = message
        .signer_certificate()
        .or_else(|| known.iter().find(|one| message.signer.id.names(one)))
        .ok_or_else(|| Refusal::new(Reason::CertificateMissing, "the signer's certificate is not in the signature"))?;
    let key = leaf.public_key().map_err(|error| Refusal::new(Reason::KeyUnsupported, error.to_string()))?;
    let signer = &message.signer;
    let scheme = signer
        .scheme(key.kind())
        .ok_or_else(|| Refusal::new(Reason::SignatureMalformed, "the signature's algorithm does not fit the key"))?;
    key.verify(scheme, &signer.signed_attributes, &signer.signature)
        .map_err(|error| Refusal::new(Reason::SignatureInvalid, error.to_string()))?;
    Ok(leaf)
}

/// Judge a signature whose certificate is not Fulcio's against `authorities`, the certificates of the CA file.
///
/// # Errors
/// [`Refusal`]: [`Reason::IssuerNotTrusted`] when no path leads to one of them.
pub fn judge(
    message: &SignedData,
    payload: &[u8],
    authorities: &[Certificate],
    now: Timestamp,
) -> Result<SmimeVerified, Refusal> {
    let leaf = check_signature(message, payload, authorities)?;
    if authorities.is_empty() {
        let detail = format!("the certificate was issued by {:?}, and no CA file is configured", leaf.issuer_name());
        return Err(Refusal::new(Reason::IssuerNotTrusted, detail));
    }
    let stamped = match message.signer.unsigned_attribute(TIME_STAMP_TOKEN).and_then(|one| one.single()) {
        Some(token) => stamped_time(token, &message.signer.signature, authorities)?,
        None => None,
    };
    let time = stamped.or(message.signer.signing_time);
    let at = time.unwrap_or(now);
    if at > now {
        return Err(Refusal::new(Reason::TimeInFuture, format!("the signature was made at {at}, in the future")));
    }
    let fitting = [KeyPurpose::EmailProtection, KeyPurpose::CodeSigning, KeyPurpose::Any];
    let purpose = match leaf.extended_key_usage() {
        Some(usages) => match fitting.into_iter().find(|purpose| usages.contains(purpose)) {
            Some(purpose) => Some(purpose),
            None => {
                let detail = "the signer's certificate is for another purpose";
                return Err(Refusal::new(Reason::PurposeWrong, detail));
            }
        },
        None => None,
    };
    chain::check_usable(leaf, &[at])?;
    let mut search = Search { bag: &message.certificates, anchors: authorities, purpose, at, checks: 0 };
    let root = search.path(leaf, &mut Vec::new())?.clone();
    Ok(SmimeVerified { certificate: leaf.clone(), root, time, time_is_stamped: stamped.is_some() })
}

/// The time of a stamp whose authority leads to the CA file; `None` when no path does, for then it proves nothing.
fn stamped_time(der: &[u8], signature: &[u8], authorities: &[Certificate]) -> Result<Option<Timestamp>, Refusal> {
    let token =
        TimestampToken::parse(der).map_err(|error| Refusal::new(Reason::TimestampMalformed, error.to_string()))?;
    let info = token.info();
    if info.imprint.algorithm().digest(signature) != info.imprint {
        return Err(Refusal::new(Reason::TimestampMismatch, "the stamp is over another signature"));
    }
    let bag = token.certificates();
    let Some(leaf) = bag.iter().find(|one| token.signing_certificates().iter().all(|id| id.names(one.der()))) else {
        return Ok(None);
    };
    let mut search =
        Search { bag, anchors: authorities, purpose: Some(KeyPurpose::TimeStamping), at: info.time, checks: 0 };
    if search.path(leaf, &mut Vec::new()).is_err() {
        return Ok(None);
    }
    timestamp::check_stamper(leaf, &token, info.time)?;
    Ok(Some(info.time))
}

/// A search for a path through a bag of certificates that nobody vouches for.
struct Search<'a> {
    bag: &'a [Certificate],
    anchors: &'a [Certificate],
    purpose: Option<KeyPurpose>,
    at: Timestamp,
    checks: usize,
}

impl<'a> Search<'a> {
    /// Find a path from `below` up to an anchor, and return the anchor; `path` holds the certificates between leaf and
    /// `below`.
    fn path(&mut self, below: &Certificate, path: &mut Vec<&'a Certificate>) -> Result<&'a Certificate, Refusal> {
        if let Some(anchor) = self.anchors.iter().find(|anchor| anchor.der() == below.der()) {
            return Ok(anchor);
        }
        let mut refusal = Refusal::new(
            Reason::IssuerNotTrusted,
            format!("no path leads from {:?} to a certificate of the CA file", below.issuer_name()),
        );
        if path.len() >= MAX_PATH_LEN {
            return Err(refusal);
        }
        let (anchors, bag) = (self.anchors, self.bag);
        for issuer in anchors.iter().chain(bag).filter(|one| one.subject_der() == below.issuer_der()) {
            if path.iter().any(|earlier| earlier.der() == issuer.der()) {
                continue;
            }
            self.checks += 1;
            if self.checks > MAX_SIGNATURE_CHECKS {
                return Err(Refusal::new(Reason::ChainInvalid, "the certificates form too many paths"));
            }
            let step = chain::check_issuer(issuer, path.len(), self.purpose, &[self.at])
                .and_then(|()| chain::check_signature(below, issuer));
            if let Err(found) = step {
                refusal = found;
                continue;
            }
            path.push(issuer);
            match self.path(issuer, path) {
                Ok(anchor) => return Ok(anchor),
                Err(found) => refusal = found,
            }
            path.pop();
        }
        Err(refusal)
    }
}
