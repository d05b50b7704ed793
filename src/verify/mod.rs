//! Is this entity genuine: the numbered steps of the Sigstore client specification, one file a step.
//!
//! Plain functions of bytes and a time: no network, no clock, no disk. What passes comes out as [`Verified`], which
//! nothing else can make; what does not comes out as one [`Reason`]. Who signed is proven here, whether that is who
//! was expected is [`policy`](crate::policy)'s.
//!
//! | step | file | stops |
//! |---|---|---|
//! | 0 the signed attributes are about this content | [`content`] | a signature moved to another object |
//! | 1 one certificate or one key, nothing superfluous | here | decoys in the bag of certificates |
//! | 2 the log entry is in a trusted log and about this signature | [`log`] | spliced, unlogged and stale entries |
//! | 3 stamps are by trusted authorities over this signature | [`timestamp`] | borrowed and untrusted times |
//! | 4 the chain holds at every verified time | `chain` | expired certificates, leaked ephemeral keys |
//! | 5 a CT log has seen the certificate | `sct` | certificates issued in secret |
//! | 6 the signature verifies | `signature` | everything else |
//! | 7 as many operators as demanded have seen it | here | one log or authority that is broken into |

mod chain;
pub mod content;
pub mod log;
mod proven;
pub mod reason;
mod sct;
mod signature;
pub mod smime;
pub mod timestamp;

use std::collections::BTreeSet;

use jiff::Timestamp;

pub use log::LoggedAt;
pub use reason::{Reason, Refusal, Verdict};
pub use timestamp::Stamp;

use proven::Proven;

use crate::entity::{SignedEntity, SignerKey};
use crate::format::x509::{Certificate, Identity, KeyPurpose};
use crate::trust::TrustedRoot;

/// What a verifier may do without. Everything is required by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Requirements {
    /// What to do about a certificate without a CT log's timestamp.
    pub sct: SctRequirement,
    /// What to do about a signature without a log entry.
    pub log: LogRequirement,
    /// Of how many witnesses there must be evidence.
    pub thresholds: Thresholds,
}

/// How many different operators must have seen a signature, at least. So one that is broken into never counts as two,
/// whatever entries, keys and logs it has (CVE-2026-49834, sigstore-go issue 471).
///
/// Who an operator is says the trusted root alone. A log or an authority of which it does not say may be run by any of
/// the others, or by the one behind all that are unnamed: it counts only where no other does. Hosts and keys say
/// nothing, for one operator has many (log2025-1.rekor.sigstore.dev and rekor.sigstore.dev).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Thresholds {
    /// Operators of transparency logs. [`LogRequirement::NotYet`] puts it off together with the entries.
    pub logs: usize,
    /// Operators of timestamp authorities.
    pub timestamps: usize,
}

/// Whether the certificate must have been seen by a CT log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SctRequirement {
    /// It must.
    #[default]
    Required,
    /// Certificates of spring 2022 have no embedded timestamp; one that is there must still verify.
    InsecurelyOptional,
}

/// Whether the signature must be in a transparency log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogRequirement {
    /// It must.
    #[default]
    Required,
    /// It is to be made: everything else is judged, at the times that are known.
    NotYet,
}

/// The verifier of one trusted root.
#[derive(Debug, Clone)]
pub struct Verifier {
    root: TrustedRoot,
    proven: Proven,
}

/// What was proven. Only [`Verifier::verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    certificate: Option<Certificate>,
    identity: Option<Identity>,
    logged: Vec<LoggedAt>,
    stamps: Vec<Stamp>,
    has_sct: bool,
}

impl Verified {
    /// The signer's certificate; `None` when it was a bare key.
    #[must_use]
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }

    /// Who signed.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Where it is logged.
    #[must_use]
    pub fn logged(&self) -> &[LoggedAt] {
        &self.logged
    }

    /// The stamps.
    #[must_use]
    pub fn stamps(&self) -> &[Stamp] {
        &self.stamps
    }

    /// Whether a CT log has seen the certificate.
    #[must_use]
    pub fn has_sct(&self) -> bool {
        self.has_sct
    }

    /// Every proven time, logs first.
    pub fn times(&self) -> impl Iterator<Item = Timestamp> {
        let logged = self.logged.iter().filter_map(|logged| logged.integrated_time);
        logged.chain(self.stamps.iter().map(|stamp| stamp.time))
    }
}

/// A refusal, with what was proven all the same when only evidence is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unverified {
    /// Why.
    pub refusal: Refusal,
    /// Everything else, when all of it passed.
    pub otherwise: Option<Box<Verified>>,
}

impl From<Refusal> for Unverified {
    fn from(refusal: Refusal) -> Self {
        Unverified { refusal, otherwise: None }
    }
}

impl Verifier {
    /// A verifier that believes `root`.
    #[must_use]
    pub fn new(root: TrustedRoot) -> Self {
        Verifier { root, proven: Proven::default() }
    }

    /// Whom it believes.
    #[must_use]
    pub fn root(&self) -> &TrustedRoot {
        &self.root
    }

    /// Whether an authority of the trusted root has the name that `certificate` gives its issuer: not a proof, but
    /// enough to tell a keyless signature from an S/MIME one.
    #[must_use]
    pub fn knows_issuer_of(&self, certificate: &Certificate) -> bool {
        let authorities = &self.root.certificate_authorities;
        let mut issuers = authorities.iter().flat_map(|authority| &authority.chain);
        issuers.any(|issuer| issuer.subject_der() == certificate.issuer_der())
    }

    /// Judge `entity` at `now`, which only serves to refuse times in the future.
    ///
    /// # Errors
    /// [`Unverified`] with the one reason.
    pub fn verify(
        &self,
        entity: &SignedEntity,
        requirements: Requirements,
        now: Timestamp,
    ) -> Result<Verified, Unverified> {
        match &entity.material.signer {
            SignerKey::Certificate(leaf) => self.verify_keyless(entity, leaf, requirements, now),
            SignerKey::PublicKey(key) => {
                // Keys have no validity: the log says that the signature is public, a time is not needed.
                let (logged, stamps) = self.evidence(entity, now)?;
                signature::check(entity, key)?;
                let verified = Verified { certificate: None, identity: None, logged, stamps, has_sct: false };
                require_witnesses(verified, requirements)
            }
        }
    }

    fn verify_keyless(
        &self,
        entity: &SignedEntity,
        leaf: &Certificate,
        requirements: Requirements,
        now: Timestamp,
    ) -> Result<Verified, Unverified> {
        // 2, 3
        let (logged, stamps) = self.evidence(entity, now)?;
        let mut verified =
            Verified { certificate: Some(leaf.clone()), identity: leaf.identity(), logged, stamps, has_sct: false };
        // 4. The time comes from the log's signature or a stamp; a proof alone has none. Where the entry is elsewhere,
        // all that can be said of the chain is that it held when the certificate was issued.
        let mut times: Vec<Timestamp> = verified.times().collect();
        if times.is_empty() {
            if !verified.logged.is_empty() {
                let detail = "nothing proves when the signature was made";
                return Err(Refusal::new(Reason::TimeMissing, detail).into());
            }
            times.push(leaf.not_before());
        }
        let path =
            chain::find_path(&self.root.certificate_authorities, leaf, KeyPurpose::CodeSigning, &times, &self.proven)?;
        // 1. What travels along and has no place in the chain is a place for bytes that nobody vouches for.
        for other in &entity.material.chain {
            if !path.iter().any(|known| known.der() == other.der()) {
                let detail = format!("the certificate of {other} travels along and has no place in the chain");
                return Err(Refusal::new(Reason::CertificateSuperfluous, detail).into());
            }
        }
        if verified.identity.is_none() {
            let detail = "the certificate does not name exactly one signer and one issuer";
            return Err(Refusal::new(Reason::CertificateMalformed, detail).into());
        }
        // 6 before 5: of an early certificate without a timestamp, too, one wants to know whether it signed this.
        let key = leaf.public_key().map_err(|error| Refusal::new(Reason::KeyUnsupported, error.to_string()))?;
        signature::check(entity, key)?;
        // 5
        match sct::check(&self.root, leaf, &path[0]) {
            Ok(()) => verified.has_sct = true,
            Err(refusal) if refusal.reason == Reason::SctMissing => {
                if requirements.sct == SctRequirement::Required {
                    return Err(Unverified { refusal, otherwise: Some(Box::new(verified)) });
                }
            }
            Err(refusal) => return Err(refusal.into()),
        }
        require_witnesses(verified, requirements)
    }

    /// Steps 2 and 3.
    fn evidence(&self, entity: &SignedEntity, now: Timestamp) -> Result<(Vec<LoggedAt>, Vec<Stamp>), Refusal> {
        let logged = log::check(&self.root, entity)?;
        let signature = entity.signature.bytes();
        let stamps =
            timestamp::check(&self.root.timestamp_authorities, signature, &entity.material.timestamps, &self.proven)?;
        log::check_key_window(&self.root, &logged, &stamps)?;
        let times = logged.iter().filter_map(|logged| logged.integrated_time).chain(stamps.iter().map(|one| one.time));
        match times.into_iter().find(|time| *time > now) {
            // No tolerance (TOB-SIGSTORE-7): a log or authority that is ahead of time has a fault.
            Some(time) => Err(Refusal::new(Reason::TimeInFuture, format!("the signature is dated {time}"))),
            None => Ok((logged, stamps)),
        }
    }
}

/// That there is as much evidence as is demanded; each piece has been proven by now.
///
/// The stamps come first: whoever looks for an entry elsewhere because only that is missing may rely on them.
fn require_witnesses(verified: Verified, requirements: Requirements) -> Result<Verified, Unverified> {
    let Thresholds { logs, timestamps } = requirements.thresholds;
    let stamped = distinct(verified.stamps.iter().map(|stamp| stamp.operator.as_str()));
    let logged = distinct(verified.logged.iter().map(|logged| logged.operator.as_str()));
    let log_is_due = requirements.log == LogRequirement::Required;
    let refusal = if stamped < timestamps {
        let detail = format!("the signature is stamped by {}, and {timestamps} are demanded", operators(stamped));
        Refusal::new(Reason::TimestampThresholdMissed, detail)
    } else if log_is_due && logged == 0 {
        Refusal::new(Reason::LogEntryMissing, "the signature carries no log entry, and needs one")
    } else if log_is_due && logged < logs {
        let detail = format!("the signature is logged by {}, and {logs} are demanded", operators(logged));
        Refusal::new(Reason::LogThresholdMissed, detail)
    } else {
        return Ok(verified);
    };
    Err(Unverified { refusal, otherwise: Some(Box::new(verified)) })
}

/// How many operators are certainly different; see [`Thresholds`].
fn distinct<'a>(operators: impl Iterator<Item = &'a str>) -> usize {
    let mut names: BTreeSet<_> = operators.collect();
    if names.len() > 1 {
        names.remove("");
    }
    names.len()
}

fn operators(count: usize) -> String {
    if count == 1 { "1 operator".to_owned() } else { format!("{count} different operators") }
}
