//! A policy: who may do what to which refs. What the file of gitseal-policy(5) says, read and checked.
//!
//! Every type here is as strict as the file: a name in a list is a principal or a group that exists, an id is a full
//! one. [`file`](super::file) makes them, [`decide`](super::decide) asks them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::refs::RefPattern;
use crate::format::x509::{Certificate, Claim};

/// A policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// SHA-256 of the file.
    pub digest: [u8; 32],
    /// Raised by every change: a lower one is a roll-back.
    pub version: u64,
    /// Who there is.
    pub principals: BTreeMap<String, Principal>,
    /// Names for several principals; never the name of a principal.
    pub groups: BTreeMap<String, BTreeSet<String>>,
    /// In the order of the file: the first that names a ref is the ref's rule.
    pub rules: Vec<Rule>,
    /// Commits that pass although they should not.
    pub exceptions: Vec<Exception>,
}

/// Somebody, by all the keys they sign with. Counts once, with however many keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The name in the file.
    pub name: String,
    /// The line of the file, counted from 1.
    pub line: usize,
    /// How they are known.
    pub keys: Vec<PrincipalKey>,
    /// Committer addresses that are theirs, beside the subjects of their keyless identities.
    pub emails: BTreeSet<String>,
    /// A forge's own key: it may make only what can be made again from what others signed.
    pub is_forge: bool,
    /// They signed rightly until then.
    pub retired: Option<Timestamp>,
    /// Since then somebody else may have signed with these keys.
    pub compromised: Option<Timestamp>,
}

/// One way to recognise a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrincipalKey {
    /// A keyless identity: the issuer, and the exact subject or claims that its certificate must carry, or both.
    Keyless {
        /// The OIDC issuer, letter by letter.
        issuer: String,
        /// The certificate's subject alternative name, letter by letter.
        subject: Option<String>,
        /// Claims, letter by letter; at least one immutable one when there is no subject.
        claims: BTreeMap<Claim, String>,
    },
    /// An SSH public key: `ssh-ed25519 AAAA...`, without its comment.
    Ssh(String),
    /// An OpenPGP key by the fingerprint of its primary key, 40 or 64 upper case hexadecimal digits.
    Pgp(String),
    /// An X.509 certificate under this root, for this mail address or subject.
    X509 {
        /// The root.
        root: Box<Certificate>,
        /// The mail address, or the distinguished name where there is none.
        subject: String,
    },
}

/// What holds for some refs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// For people.
    pub name: String,
    /// The line of the file, counted from 1.
    pub line: usize,
    /// Which refs, by full name.
    pub refs: Vec<RefPattern>,
    /// Which new commits are judged.
    pub judged: Judged,
    /// Who may do what. A right that is not here nobody has.
    pub rights: BTreeMap<Right, BTreeSet<String>>,
    /// Who may change what; of the prefixes of a path the longest counts, and takes the place of `commit`.
    pub paths: Vec<PathRule>,
    /// Whether the committer must be the signer.
    pub committer: CommitterRule,
    /// What must be proven beyond the signature.
    pub require: BTreeSet<Evidence>,
    /// Commits need not be signed where a push certificate covers them.
    pub covered_by_push: bool,
    /// How many principals, the signer included, must stand behind a new state of the ref; at least 1.
    pub approvals: usize,
    /// This commit, by full id, and what came before it is not claimed.
    pub since: Option<String>,
    /// Signatures are good from then on.
    pub from: Option<Timestamp>,
    /// And until then.
    pub until: Option<Timestamp>,
    /// How many minutes the committer's clock may differ from the proven time; `None` does not look.
    pub clock_tolerance: Option<u32>,
}

/// Which of the new commits of a ref are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Judged {
    /// Those on the first-parent line: whoever merges answers for what is merged.
    FirstParent,
    /// Those, and every merge wherever it stands.
    Merges,
    /// Every one.
    #[default]
    All,
}

/// A right on a ref.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// Make a commit with one parent, or none.
    Commit,
    /// Make a commit with several parents.
    Merge,
    /// Sign a tag.
    Tag,
    /// Push, by a push certificate.
    Push,
    /// Make the ref.
    Create,
    /// Move the ref to where its old tip is no ancestor.
    Force,
    /// Delete the ref.
    Delete,
    /// Change the policy file, or anything else in its folder.
    Policy,
}

/// Who may change what lies under a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathRule {
    /// The line of the file, counted from 1.
    pub line: usize,
    /// Whole segments of a path: `docs/` holds `docs/a`, and not `docs.txt`. A file names itself.
    pub prefix: String,
    /// Who may.
    pub commit: BTreeSet<String>,
}

/// Whether the committer must be the signer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum CommitterRule {
    /// Anybody's name may stand there.
    Any,
    /// An address of the principal who signed. Forges and machines without a mail address are not held to it.
    #[default]
    Signer,
}

/// What a rule may demand beyond the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Evidence {
    /// An embedded entry of a transparency log.
    Log,
    /// A timestamp authority's stamp.
    Stamp,
    /// A push certificate by somebody with the right to push.
    PushCertificate,
}

/// A commit that passes although it should not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// The line of the file, counted from 1.
    pub line: usize,
    /// The full id.
    pub commit: String,
    /// Why.
    pub reason: String,
    /// The principal who answers for it.
    pub by: String,
    /// It does not count after that.
    pub expires: Option<Timestamp>,
}

impl Right {
    /// All rights.
    pub const ALL: [Right; 8] = [
        Right::Commit,
        Right::Merge,
        Right::Tag,
        Right::Push,
        Right::Create,
        Right::Force,
        Right::Delete,
        Right::Policy,
    ];

    /// The key in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Right::Commit => "commit",
            Right::Merge => "merge",
            Right::Tag => "tag",
            Right::Push => "push",
            Right::Create => "create",
            Right::Force => "force",
            Right::Delete => "delete",
            Right::Policy => "policy",
        }
    }
}

impl Judged {
    pub(super) const WORDS: &str = "all, merges, first-parent";

    /// The word in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Judged::FirstParent => "first-parent",
            Judged::Merges => "merges",
            Judged::All => "all",
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        [Judged::FirstParent, Judged::Merges, Judged::All].into_iter().find(|judged| judged.name() == name)
    }
}

impl CommitterRule {
    pub(super) const WORDS: &str = "signer, any";

    /// The word in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            CommitterRule::Any => "any",
            CommitterRule::Signer => "signer",
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        [CommitterRule::Any, CommitterRule::Signer].into_iter().find(|rule| rule.name() == name)
    }
}

impl Evidence {
    /// All kinds.
    pub const ALL: [Evidence; 3] = [Evidence::Log, Evidence::Stamp, Evidence::PushCertificate];

    /// The word in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Evidence::Log => "log",
            Evidence::Stamp => "stamp",
            Evidence::PushCertificate => "push-certificate",
        }
    }
}

impl Policy {
    /// The rule of a ref: the first that names it. `None`: the ref is not protected.
    #[must_use]
    pub fn rule_for(&self, reference: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.refs.iter().any(|pattern| pattern.matches(reference)))
    }

    /// Whether `principal` is in `list`, by name or through a group.
    #[must_use]
    pub fn includes(&self, list: &BTreeSet<String>, principal: &str) -> bool {
        list.contains(principal)
            || list.iter().any(|name| self.groups.get(name).is_some_and(|members| members.contains(principal)))
    }

    /// Whether `principal` has `right` under `rule`.
    #[must_use]
    pub fn grants(&self, rule: &Rule, right: Right, principal: &str) -> bool {
        rule.rights.get(&right).is_some_and(|list| self.includes(list, principal))
    }

    /// Every principal who has `right` under `rule`, in order of name.
    #[must_use]
    pub fn holders(&self, rule: &Rule, right: Right) -> Vec<&str> {
        self.principals.keys().map(String::as_str).filter(|name| self.grants(rule, right, name)).collect()
    }
}
