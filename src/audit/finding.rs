//! What was found about one signed thing: what a person, a hook or a CI job reads.

use jiff::Timestamp;

use crate::format::git::ObjectKind;
use crate::format::x509::{Certificate, Identity};
use crate::policy::{Decision, Expectation};
use crate::verify::{LoggedAt, Reason, Refusal, Stamp, Verdict};

/// What was found about one signed thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The object's name, recomputed from the bytes that were judged; `None` for a push certificate.
    pub object: Option<String>,
    /// Commit or tag; `None` for anything else that git signs.
    pub kind: Option<ObjectKind>,
    /// Why the verdict is not good; `None` when it is.
    pub refusal: Option<Refusal>,
    /// Whose signature it is, as far as that is proven; `None` when nothing is.
    pub signer: Option<Signer>,
    /// Whose signature it is, of a format that another program has judged.
    pub foreign: Option<ForeignSigner>,
    /// When it was made, by the best clock there is.
    pub signed_at: Option<SignedAt>,
    /// Where it is logged, proven: once a log that has seen it.
    pub logged: Vec<LoggedAt>,
    /// The stamps that hold.
    pub stamps: Vec<Stamp>,
    /// Whether the certificate is proven to have been seen by a CT log.
    pub has_sct: bool,
    /// Whether the signer is who was expected.
    pub expectation: Expectation,
    /// What the policy says, where there is one; a no is also the `refusal`.
    pub decision: Option<Decision>,
    /// The first line of the message: somebody's text, to be shown with care.
    pub title: Option<String>,
    /// The names under which gitsign's online mode may have logged it.
    pub logged_names: Vec<String>,
}

/// A signer whose certificate made this signature; its chain holds when the verdict is good, or is undecided for want
/// of a log entry or an SCT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// Issuer and subject: of keyless certificates the OIDC issuer, of S/MIME ones the issuer's distinguished name.
    pub identity: Identity,
    /// The certificate.
    pub certificate: Certificate,
    /// Of an S/MIME signature the certificate of the CA file that vouches for it; `None` of a keyless one.
    pub root: Option<Box<Certificate>>,
}

/// A signer by a bare key, as another program has found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForeignSigner {
    /// An SSH public key, without its comment.
    Ssh(String),
    /// The fingerprint of an OpenPGP primary key, in upper case.
    Pgp(String),
}

impl std::fmt::Display for ForeignSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ForeignSigner::Ssh(key) => write!(f, "the SSH key {key}"),
            ForeignSigner::Pgp(fingerprint) => write!(f, "the OpenPGP key {fingerprint}"),
        }
    }
}

/// A point in time, and who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedAt {
    /// The time.
    pub time: Timestamp,
    /// Who says so.
    pub clock: Clock,
}

/// Whose clock a time is by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The transparency log signed it.
    Log,
    /// A timestamp authority signed it.
    Stamp,
    /// The signer claims it; nothing proves it.
    Signer,
}

impl Clock {
    /// The clock's name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Clock::Log => "log",
            Clock::Stamp => "timestamp-authority",
            Clock::Signer => "signer",
        }
    }
}

impl Finding {
    /// Nothing but a refusal.
    #[must_use]
    pub fn refused(object: Option<String>, kind: Option<ObjectKind>, refusal: Refusal) -> Self {
        Finding { refusal: Some(refusal), ..Finding::empty(object, kind) }
    }

    /// Nothing is known yet but the object.
    pub(super) fn empty(object: Option<String>, kind: Option<ObjectKind>) -> Self {
        Finding {
            object,
            kind,
            refusal: None,
            signer: None,
            foreign: None,
            signed_at: None,
            logged: Vec::new(),
            stamps: Vec::new(),
            has_sct: false,
            expectation: Expectation::NotConfigured,
            decision: None,
            title: None,
            logged_names: Vec::new(),
        }
    }

    /// The verdict.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.refusal.as_ref().map_or(Verdict::Good, |refusal| refusal.reason.verdict())
    }

    /// The reason for a verdict other than good.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        self.refusal.as_ref().map(|refusal| refusal.reason)
    }
}
