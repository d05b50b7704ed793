//! Who pushes: proven by a push certificate, or not at all.
//!
//! git has checked the nonce against its own seed and says how that went; everything else is checked here, from the raw
//! certificate. What git says about the signature does not count: it believes a program that prints the right line and
//! then fails.

use std::collections::HashSet;

use crate::audit::authority::proof_of;
use crate::audit::{Finding, Judge};
use crate::format::git::Armour;
use crate::format::push_certificate::PushCertificate;
use crate::format::ref_update::RefUpdate;
use crate::policy::decide::Proof;
use crate::verify::{Reason, Refusal};

/// What the server knows about the push, beside the certificate.
#[derive(Debug, Clone, Copy, Default)]
pub struct ServerSide<'a> {
    /// What git says of the nonce; `None` where the server gives none out.
    pub nonce_status: Option<&'a str>,
    /// The nonce that the client was to sign.
    pub nonce: Option<&'a str>,
    /// The addresses by which the server goes; where there are none, the nonce alone names it.
    pub pushees: &'a [String],
}

/// A push certificate as git stores it, with what the server knows.
#[derive(Debug, Clone, Copy)]
pub struct Certificate<'a> {
    /// The blob that git names in `GIT_PUSH_CERT`.
    pub raw: &'a [u8],
    /// The server's side.
    pub server: ServerSide<'a>,
    /// How much of the push is at hand.
    pub listing: Listing,
}

/// How much of a push a certificate must list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// All of it and no more: the whole push is at hand.
    Whole,
    /// At least what is at hand, which is a part.
    Part,
}

/// Who pushes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pusher {
    /// There is no push certificate.
    Unknown,
    /// There is one, and it proves nothing about this push.
    Unproven(Refusal),
    /// Somebody signed just this push.
    Proven(Box<Finding>),
}

/// Whether a certificate is a fresh one of this push, whoever signed it.
///
/// # Errors
/// It is not, and why.
pub fn check_fresh(given: &Certificate<'_>, updates: &[RefUpdate]) -> Result<(), Refusal> {
    let certificate = parsed(given.raw)?;
    check_nonce(&certificate, &given.server)?;
    check_pushee(&certificate, given.server.pushees)?;
    check_updates(&certificate, updates, given.listing)
}

impl Pusher {
    /// Judge a push certificate against the updates that git has handed us.
    #[must_use]
    pub fn of(judge: &Judge<'_>, certificate: Option<&Certificate<'_>>, updates: &[RefUpdate]) -> Self {
        let Some(certificate) = certificate else { return Pusher::Unknown };
        match judged(judge, certificate, updates) {
            Ok(finding) => Pusher::Proven(Box::new(finding)),
            Err(refusal) => Pusher::Unproven(refusal),
        }
    }

    /// What is proven about who pushes.
    ///
    /// # Errors
    /// Nothing is, and why.
    pub fn proof(&self) -> Result<Proof<'_>, Refusal> {
        let nobody = || Refusal::new(Reason::PushNotSigned, "nothing says who pushes: the push is not signed");
        match self {
            Pusher::Unknown => Err(nobody()),
            Pusher::Unproven(refusal) => Err(refusal.clone()),
            Pusher::Proven(finding) => proof_of(finding).ok_or_else(nobody),
        }
    }
}

fn judged(judge: &Judge<'_>, given: &Certificate<'_>, updates: &[RefUpdate]) -> Result<Finding, Refusal> {
    check_fresh(given, updates)?;
    let finding = signed(judge, &parsed(given.raw)?);
    match finding.refusal {
        Some(refusal) => Err(Refusal { detail: format!("the push certificate: {}", refusal.detail), ..refusal }),
        None => Ok(finding),
    }
}

/// A certificate, taken apart.
///
/// # Errors
/// It is none.
pub(super) fn parsed(raw: &[u8]) -> Result<PushCertificate, Refusal> {
    PushCertificate::parse(raw).map_err(|error| Refusal::new(Reason::PushCertificateMismatch, error.to_string()))
}

/// What is found about the signature of a certificate.
#[must_use]
pub(super) fn signed(judge: &Judge<'_>, certificate: &PushCertificate) -> Finding {
    let payload = &certificate.payload;
    match (&certificate.signature, judge.foreign) {
        (Armour::Other(armour), Some(foreign)) => match foreign.check(armour, payload) {
            Ok(signer) => Finding { foreign: Some(signer), ..Finding::empty(None, None) },
            Err(refusal) => Finding::refused(None, None, refusal),
        },
        (Armour::Cms(armour) | Armour::Other(armour) | Armour::Unknown(armour), _) => {
            judge.detached(armour, payload, &[])
        }
    }
}

/// Without a fresh nonce an old certificate could be sent again: to the same state of the refs, or to another server.
fn check_nonce(certificate: &PushCertificate, server: &ServerSide<'_>) -> Result<(), Refusal> {
    let stale = |found: &str| Err(Refusal::new(Reason::PushCertificateMismatch, found));
    let (Some(status), Some(issued)) = (server.nonce_status, server.nonce) else {
        return stale(
            "the server gives out no nonce (receive.certNonceSeed), so the push certificate may be an old one",
        );
    };
    match status {
        "OK" if certificate.nonce.as_deref() == Some(issued) => Ok(()),
        "OK" => stale("the push certificate has another nonce than git has checked"),
        "SLOP" => stale("the nonce of the push certificate is older than receive.certNonceSlop allows"),
        "MISSING" => stale("the push certificate has no nonce"),
        _ => stale("the nonce of the push certificate is not one that this server gave out"),
    }
}

fn check_pushee(certificate: &PushCertificate, ours: &[String]) -> Result<(), Refusal> {
    if ours.is_empty() || certificate.pushee.as_ref().is_some_and(|pushee| ours.contains(pushee)) {
        return Ok(());
    }
    let named = match &certificate.pushee {
        Some(pushee) => format!("the push certificate is for {pushee:?}, which is not this server"),
        None => "the push certificate names no server".to_owned(),
    };
    Err(Refusal::new(Reason::PushCertificateMismatch, named))
}

fn check_updates(certificate: &PushCertificate, updates: &[RefUpdate], listing: Listing) -> Result<(), Refusal> {
    let line = |update: &RefUpdate| update.to_string();
    let listed: HashSet<String> = certificate.updates.iter().map(line).collect();
    if let Some(missing) = updates.iter().find(|update| !listed.contains(&line(update))) {
        let found = format!("the push certificate does not list this update of {:?}", missing.reference);
        return Err(Refusal::new(Reason::PushCertificateMismatch, found));
    }
    if listing == Listing::Whole && certificate.updates.len() != updates.len() {
        let found = "the push certificate lists refs that are not pushed".to_owned();
        return Err(Refusal::new(Reason::PushCertificateMismatch, found));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "17-ab";

    fn certificate(headers: &str, lines: &str) -> PushCertificate {
        let signature = "-----BEGIN SIGNED MESSAGE-----\n";
        let text = format!("certificate version 0.1\npusher a <b> 1 +0000\n{headers}\n{lines}{signature}");
        PushCertificate::parse(text.as_bytes()).unwrap()
    }

    fn line(reference: &str) -> String {
        format!("{} {} {reference}\n", "0".repeat(40), "1".repeat(40))
    }

    #[test]
    fn only_a_fresh_nonce_of_ours_will_do() {
        let with = certificate("nonce 17-ab\n", &line("refs/a"));
        let without = certificate("", &line("refs/a"));
        let check = |certificate: &PushCertificate, nonce_status, nonce| {
            check_nonce(certificate, &ServerSide { nonce_status, nonce, pushees: &[] }).is_ok()
        };
        assert!(check(&with, Some("OK"), Some(NONCE)));
        for status in ["BAD", "MISSING", "UNSOLICITED", "SLOP", "", "ok"] {
            assert!(!check(&with, Some(status), Some(NONCE)), "{status}");
        }
        assert!(!check(&with, Some("OK"), Some("18-ab")));
        assert!(!check(&with, Some("OK"), None));
        assert!(!check(&with, None, Some(NONCE)));
        assert!(!check(&with, None, None));
        assert!(!check(&without, Some("OK"), Some(NONCE)));
    }

    #[test]
    fn the_address_must_be_ours_where_we_have_one() {
        let ours = ["https://here/x.git".to_owned()];
        let to = |headers: &str, ours: &[String]| check_pushee(&certificate(headers, &line("refs/a")), ours).is_ok();
        assert!(to("pushee https://here/x.git\n", &ours) && to("pushee https://there/\n", &[]) && to("", &[]));
        assert!(!to("pushee https://here/x.git/\n", &ours) && !to("", &ours));
    }

    #[test]
    fn the_updates_must_be_those_of_the_push() {
        let two = certificate("", &(line("refs/a") + &line("refs/b")));
        let updates = |lines: &str| RefUpdate::parse_lines(lines.as_bytes()).unwrap();
        let check = |lines: &str, listing| check_updates(&two, &updates(lines), listing).is_ok();
        assert!(check(&(line("refs/b") + &line("refs/a")), Listing::Whole));
        assert!(!check(&line("refs/a"), Listing::Whole) && check(&line("refs/a"), Listing::Part));
        for listing in [Listing::Whole, Listing::Part] {
            assert!(!check(&(line("refs/a") + &line("refs/c")), listing));
            assert!(!check(&line("refs/a").replace('1', "2"), listing));
        }
    }
}
