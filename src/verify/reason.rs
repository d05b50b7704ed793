//! Why something was not found good: stable codes for machines, sentences and hints for people.
//!
//! A code never changes its meaning and never goes away; `man gitseal-verify` lists them. Each belongs to one verdict:
//! `bad` is a proof against the signature, `undecided` says what is missing to decide.

use std::fmt;

/// What is said of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Every check passed.
    Good,
    /// A check failed.
    Bad,
    /// Something is missing without which nobody can say; everything that could be checked has passed.
    Undecided,
    /// There is no CMS signature.
    Unsigned,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Good => "good",
            Verdict::Bad => "bad",
            Verdict::Undecided => "undecided",
            Verdict::Unsigned => "unsigned",
        })
    }
}

macro_rules! reasons {
    ($(#[doc = $sentence:literal] $variant:ident = $code:literal, $verdict:ident, $hint:expr;)*) => {
        /// The one reason for a verdict other than good.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason {
            $(#[doc = concat!("`", $code, "`: ", $sentence)] $variant,)*
        }

        impl Reason {
            /// Every reason, in the order of the steps.
            pub const ALL: &'static [Reason] = &[$(Reason::$variant,)*];

            /// The stable code, kebab case.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(Reason::$variant => $code,)* }
            }

            /// What it means, for people: lower case, no full stop.
            #[must_use]
            pub fn sentence(self) -> &'static str {
                match self { $(Reason::$variant => $sentence,)* }.trim_start()
            }

            /// The verdict that it leads to.
            #[must_use]
            pub fn verdict(self) -> Verdict {
                match self { $(Reason::$variant => Verdict::$verdict,)* }
            }

            /// What a person can do about it, if anything.
            #[must_use]
            pub fn hint(self) -> Option<&'static str> {
                match self { $(Reason::$variant => $hint,)* }
            }
        }
    };
}

reasons! {
    /// there is no signature
    NoSignature = "no-signature", Unsigned, Some("sign with `git commit -S` or `git tag -s`; `gitseal init` makes that the default");
    /// there is a signature, but not a CMS one
    OtherSignatureFormat = "other-signature-format", Unsigned, Some("OpenPGP and SSH signatures are checked by git itself: git verify-commit");
    /// the object is not as git writes it
    ObjectMalformed = "object-malformed", Bad, None;
    /// the object's bytes do not have the name that was asked for
    ObjectIdMismatch = "object-id-mismatch", Bad, Some("the repository is damaged or lies: run `git fsck`");
    /// the signed tag was made for another name
    TagNameMismatch = "tag-name-mismatch", Bad, Some("someone gave a signed tag a new name; ask for the tag by its own");
    /// the armour is not the canonical one
    ArmourMalformed = "armour-malformed", Bad, None;
    /// the CMS or bundle does not parse, or not in the one accepted spelling
    SignatureMalformed = "signature-malformed", Bad, None;
    /// the signature is for other content
    ContentMismatch = "content-mismatch", Bad, Some("the object was changed after it was signed");
    /// the signer's certificate is not there
    CertificateMissing = "certificate-missing", Undecided, Some("the signer left the certificate out; nobody can check this signature without it");
    /// the certificate cannot serve as a signer's
    CertificateMalformed = "certificate-malformed", Bad, None;
    /// a certificate travels along that has no place in the chain
    CertificateSuperfluous = "certificate-superfluous", Bad, None;
    /// a key was expected and a certificate came, or the other way round
    KeyKindMismatch = "key-kind-mismatch", Bad, None;
    /// the key or its algorithm is not supported
    KeyUnsupported = "key-unsupported", Bad, None;
    /// the log entry does not parse or contradicts itself
    LogEntryMalformed = "log-entry-malformed", Bad, None;
    /// the same log entry counts twice
    LogEntryDuplicate = "log-entry-duplicate", Bad, None;
    /// the entry is of a log that the trusted root does not list
    LogNotTrusted = "log-not-trusted", Bad, Some("made against another Sigstore instance? choose it with gitseal.instance or --trusted-root");
    /// the log's key was not in use then
    LogKeyNotValidThen = "log-key-not-valid-then", Bad, None;
    /// the signed entry timestamp does not verify
    InclusionPromiseInvalid = "inclusion-promise-invalid", Bad, None;
    /// the entry is not proven to be in the log
    InclusionProofInvalid = "inclusion-proof-invalid", Bad, None;
    /// the entry has neither promise nor proof
    InclusionProofMissing = "inclusion-proof-missing", Bad, None;
    /// the checkpoint does not parse
    CheckpointMalformed = "checkpoint-malformed", Bad, None;
    /// the checkpoint is not signed by the log
    CheckpointInvalid = "checkpoint-invalid", Bad, None;
    /// the proof is for another tree than the checkpoint's
    CheckpointMismatch = "checkpoint-mismatch", Bad, None;
    /// the log entry is about another signature, key or artifact
    LogEntryMismatch = "log-entry-mismatch", Bad, None;
    /// the signature is logged by fewer different operators than demanded
    LogThresholdMissed = "log-threshold-missed", Undecided, Some("gitseal.logThreshold demands so many; ask for a signature that more logs have seen, or demand fewer");
    /// the stamp does not parse
    TimestampMalformed = "timestamp-malformed", Bad, None;
    /// the stamp is over another signature
    TimestampMismatch = "timestamp-mismatch", Bad, None;
    /// the stamp's authority is not in the trusted root, or was not in use then
    TimestampNotTrusted = "timestamp-not-trusted", Bad, Some("the trusted root must list the timestamp authority");
    /// the stamp's signature or chain does not hold
    TimestampInvalid = "timestamp-invalid", Bad, None;
    /// the same stamp counts twice
    TimestampDuplicate = "timestamp-duplicate", Bad, None;
    /// the signature is stamped by fewer different operators than demanded
    TimestampThresholdMissed = "timestamp-threshold-missed", Undecided, Some("gitseal.timestampThreshold demands so many; ask for a signature that more authorities have stamped, or demand fewer");
    /// a verified time lies in the future
    TimeInFuture = "time-in-future", Bad, Some("check this machine's clock");
    /// nothing proves when the signature was made
    TimeMissing = "time-missing", Bad, None;
    /// no authority that is trusted issued the certificate
    IssuerNotTrusted = "issuer-not-trusted", Undecided, Some("for S/MIME name a CA file with gitseal.smimeCaFile; for another Sigstore instance set gitseal.instance or --trusted-root");
    /// the chain's signatures or constraints do not hold
    ChainInvalid = "chain-invalid", Bad, None;
    /// a certificate of the chain was not valid at the time of signing
    CertificateNotValidThen = "certificate-not-valid-then", Bad, None;
    /// the authority was not in use at the time of signing
    AuthorityNotValidThen = "authority-not-valid-then", Bad, None;
    /// the certificate is for another purpose
    PurposeWrong = "purpose-wrong", Bad, None;
    /// the certificate has no timestamp of a CT log
    SctMissing = "sct-missing", Undecided, Some("certificates of spring 2022 have none: gitseal.insecureIgnoreSct accepts them");
    /// the certificate's timestamp does not verify
    SctInvalid = "sct-invalid", Bad, None;
    /// the certificate's timestamp is of a CT log that is not trusted, or was not then
    SctNotTrusted = "sct-not-trusted", Bad, None;
    /// the signature does not verify
    SignatureInvalid = "signature-invalid", Bad, None;
    /// the statement is about other artifacts
    StatementMismatch = "statement-mismatch", Bad, None;
    /// nothing is embedded: the log entry is elsewhere
    LogEntryMissing = "log-entry-missing", Undecided, Some("the entry is only in the log: gitseal.onlineLookup=always looks it up and remembers it");
    /// the signer is not who was expected
    IdentityMismatch = "identity-mismatch", Bad, Some("gitseal.certificateIdentity and gitseal.certificateOidcIssuer name who may sign");
    /// an object that is needed is not in this repository
    ObjectMissing = "object-missing", Undecided, Some("a shallow or partial clone: 'git fetch --unshallow' or 'git fetch --refetch' brings what is missing");
    /// there is no policy where one should be
    PolicyMissing = "policy-missing", Bad, Some("'gitseal policy init' writes one");
    /// the policy file does not parse
    PolicyMalformed = "policy-malformed", Bad, Some("'gitseal policy lint' says where");
    /// the policy is not the one that the trust root names
    PolicyRootMismatch = "policy-root-mismatch", Bad, Some("the trust root names a commit and the digest of its policy; 'gitseal policy init' prints both");
    /// no parent of the commit has been authenticated
    ParentNotAuthenticated = "parent-not-authenticated", Bad, Some("start the work on a commit that has passed, or merge one");
    /// nobody in the policy signs like that
    SignerUnknown = "signer-unknown", Bad, Some("a principal of the policy must sign it");
    /// the signer has no right to do that
    RightMissing = "right-missing", Bad, Some("somebody with the right must do it");
    /// the signer may not change that path
    PathNotAllowed = "path-not-allowed", Bad, Some("somebody who may change it must commit it");
    /// the policy went back to an earlier version, or changed without a new one
    PolicyRolledBack = "policy-rolled-back", Bad, Some("every change of the policy raises its version");
    /// the committer is somebody else than the signer
    CommitterMismatch = "committer-mismatch", Bad, Some("commit under your own address, or list it for your principal");
    /// the committer's clock differs too much from the proven time
    CommitterTimeOff = "committer-time-off", Bad, Some("check the clock of the machine that committed, and commit again");
    /// the signer had retired by then
    PrincipalRetired = "principal-retired", Bad, None;
    /// the signer's keys may have been somebody else's by then
    PrincipalCompromised = "principal-compromised", Bad, None;
    /// the rule was not in force when it was signed
    RuleNotInForce = "rule-not-in-force", Bad, None;
    /// the policy asks when it was signed and nothing proves that
    SigningTimeUnproven = "signing-time-unproven", Bad, Some("a log or a timestamp authority proves the time; sign through an instance that has one");
    /// the policy lists no key of this format
    FormatNotListed = "format-not-listed", Bad, Some("list an SSH key or an OpenPGP fingerprint for the principal, or sign keyless");
    /// the program that judges this format said no
    ForeignSignatureInvalid = "foreign-signature-invalid", Bad, None;
    /// the program that judges this format could not be asked
    ForeignProgramFailed = "foreign-program-failed", Undecided, Some("SSH signatures need ssh-keygen of OpenSSH 8.2 or later, OpenPGP ones need gpg and the keys in gitseal.pgpKeyring");
    /// a log entry, a stamp or a push certificate that the rule demands is not there
    EvidenceMissing = "evidence-missing", Bad, None;
    /// the forge's merge is not what merging its parents gives
    MergeNotReproduced = "merge-not-reproduced", Bad, Some("merge on your own machine, and sign it");
    /// fewer principals stand behind it than the rule demands
    ApprovalsMissing = "approvals-missing", Bad, None;
    /// the ref may not be created, moved or deleted like that
    RefUpdateDenied = "ref-update-denied", Bad, None;
    /// the first-parent line of the new tip does not lead to the old one
    LineBroken = "line-broken", Bad, Some("merge the other way round: check the branch out and merge into it");
    /// a ref that swaps objects, or one that only the server writes
    RefReserved = "ref-reserved", Bad, Some("git push without that ref");
    /// a tag points at a tag, or to what is no commit
    TagTarget = "tag-target", Bad, Some("tag the commit itself");
    /// the tag is not annotated, and so not signed
    TagNotAnnotated = "tag-not-annotated", Bad, Some("make it with git tag -s");
    /// there is no push certificate where one is demanded
    PushNotSigned = "push-not-signed", Bad, Some("git push --signed=if-asked; the server needs receive.certNonceSeed");
    /// the push certificate is for another push
    PushCertificateMismatch = "push-certificate-mismatch", Bad, Some("push again: each push needs its own certificate");
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A verdict other than good, with its one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why, for machines.
    pub reason: Reason,
    /// What was found, for people: lower case, no full stop.
    pub detail: String,
}

impl Refusal {
    /// A refusal with its story.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Refusal { reason, detail: detail.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.detail, self.reason)
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_in_kebab_case() {
        for (at, reason) in Reason::ALL.iter().enumerate() {
            let code = reason.code();
            assert!(code.bytes().all(|c| c.is_ascii_lowercase() || c == b'-'), "{code}");
            assert!(Reason::ALL[..at].iter().all(|other| other.code() != code), "{code}");
            assert_ne!(reason.verdict(), Verdict::Good, "{code}");
        }
    }
}
