//! The decision: may this signer do this here. A plain function of a policy, a rule, and what verification has proved.
//!
//! The checks come in the order in which a person would want to hear of them: who is it, were they somebody then, may
//! they do it, was it done properly. The first no is the answer.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::decision::{Allowed, Denial, RuleRef};
use super::rules::{CommitterRule, Evidence, PathRule, Policy, Principal, PrincipalKey, Right, Rule};
use crate::format::x509::{Certificate, Claims, Identity};
use crate::verify::Reason;

/// Who a signature is proven to be by.
#[derive(Debug, Clone, Copy)]
pub enum SignedBy<'a> {
    /// A keyless identity with what its issuer says about it.
    Keyless {
        /// Issuer and subject.
        identity: &'a Identity,
        /// The certificate's claims.
        claims: &'a Claims,
    },
    /// An SSH key, without its comment.
    Ssh(&'a str),
    /// The fingerprint of an OpenPGP primary key, in upper case.
    Pgp(&'a str),
    /// A certificate under a root that is no Fulcio's.
    X509 {
        /// The root.
        root: &'a Certificate,
        /// The mail address, else the distinguished name.
        subject: &'a str,
    },
}

/// What is proven about a signature.
#[derive(Debug, Clone, Copy)]
pub struct Proof<'a> {
    /// Who made it.
    pub by: SignedBy<'a>,
    /// When, by a log's or an authority's clock. Never the signer's own.
    pub time: Option<Timestamp>,
    /// Whether a log's entry came with it.
    pub logged: bool,
    /// Whether an authority has stamped it.
    pub stamped: bool,
}

/// What else counts about a commit.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The full id.
    pub id: &'a str,
    /// How many parents it has.
    pub parents: usize,
    /// The committer's address.
    pub committer: &'a str,
    /// When the committer says that it was made.
    pub committed: Timestamp,
    /// Whether it changes the policy file or its folder.
    pub changes_policy: bool,
    /// What it changes; empty where the rule asks about no path.
    pub paths: &'a [String],
    /// Whether a push certificate that the rule accepts came with it.
    pub pushed_signed: bool,
    /// For a forge: whether it has been made again from what others signed, and came out the same.
    pub reproduced: bool,
}

/// The principals who sign like that. One signature may fit several, each of whom may have the right.
#[must_use]
pub fn principals<'p>(policy: &'p Policy, by: &SignedBy<'_>) -> Vec<&'p Principal> {
    policy.principals.values().filter(|principal| principal.keys.iter().any(|key| key.fits(by))).collect()
}

impl PrincipalKey {
    fn fits(&self, by: &SignedBy<'_>) -> bool {
        match (self, by) {
            (PrincipalKey::Keyless { issuer, subject, claims: wanted }, SignedBy::Keyless { identity, claims }) => {
                *issuer == identity.issuer
                    && subject.as_ref().is_none_or(|subject| *subject == identity.subject)
                    && wanted.iter().all(|(claim, value)| claims.get(*claim) == Some(value))
                    // A key that asks for nothing would let the whole issuer in.
                    && (subject.is_some() || !wanted.is_empty())
            }
            (PrincipalKey::Ssh(key), SignedBy::Ssh(used)) => key == used,
            (PrincipalKey::Pgp(fingerprint), SignedBy::Pgp(used)) => fingerprint == used,
            (PrincipalKey::X509 { root, subject }, SignedBy::X509 { root: proven, subject: named }) => {
                root.der() == proven.der() && subject == named
            }
            _ => false,
        }
    }

    fn is_of_kind(&self, by: &SignedBy<'_>) -> bool {
        matches!(
            (self, by),
            (PrincipalKey::Keyless { .. }, SignedBy::Keyless { .. })
                | (PrincipalKey::Ssh(_), SignedBy::Ssh(_))
                | (PrincipalKey::Pgp(_), SignedBy::Pgp(_))
                | (PrincipalKey::X509 { .. }, SignedBy::X509 { .. })
        )
    }
}

impl std::fmt::Display for SignedBy<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SignedBy::Keyless { identity, .. } => write!(f, "{:?} of {:?}", identity.subject, identity.issuer),
            SignedBy::Ssh(key) => write!(f, "the SSH key {key:?}"),
            SignedBy::Pgp(fingerprint) => write!(f, "the OpenPGP key {fingerprint}"),
            SignedBy::X509 { root, subject } => write!(f, "{subject:?} under {:?}", root.subject_name()),
        }
    }
}

/// Whether the maker of a commit had the right to make it.
///
/// # Errors
/// [`Denial`], when nobody who signs like that may.
pub fn commit(policy: &Policy, rule: &Rule, facts: &Facts<'_>, proof: &Proof<'_>) -> Result<Allowed, Denial> {
    let who = Who { policy, rule, mend: Mend::Commit(facts) };
    who.may(proof, |principal| who.may_commit(principal, facts, proof))
}

/// Whether the signer of a tag, or of a push, has `right` on the rule's refs.
///
/// # Errors
/// [`Denial`], when nobody who signs like that has it.
pub fn act(policy: &Policy, rule: &Rule, right: Right, proof: &Proof<'_>) -> Result<Allowed, Denial> {
    let who = Who { policy, rule, mend: Mend::Act(right) };
    who.may(proof, |principal| {
        who.alive(principal, proof)?;
        who.has(principal, right)?;
        if right == Right::Tag { who.evidence(proof, true) } else { Ok(()) }
    })
}

/// Whether somebody of `policy` who signs like that had retired, or had lost their keys, by the time of the signature.
/// Later policies speak of earlier signatures this way, and can only deny.
///
/// # Errors
/// [`Denial`].
pub fn lifetime(policy: &Policy, rule: &Rule, facts: &Facts<'_>, proof: &Proof<'_>) -> Result<(), Denial> {
    let who = Who { policy, rule, mend: Mend::Commit(facts) };
    principals(policy, &proof.by).into_iter().try_for_each(|principal| who.alive(principal, proof))
}

/// A no to a commit that nobody is proven to have signed.
#[must_use]
pub fn unsigned(policy: &Policy, rule: &Rule, facts: &Facts<'_>, reason: Reason, found: &str) -> Denial {
    let who = Who { policy, rule, mend: Mend::Commit(facts) };
    who.no(reason, found.to_owned(), who.holders(right_of(facts)))
}

/// The right that a commit needs.
#[must_use]
pub fn right_of(facts: &Facts<'_>) -> Right {
    if facts.changes_policy {
        Right::Policy
    } else if facts.parents > 1 {
        Right::Merge
    } else {
        Right::Commit
    }
}

struct Who<'a> {
    policy: &'a Policy,
    rule: &'a Rule,
    mend: Mend<'a>,
}

enum Mend<'a> {
    Commit(&'a Facts<'a>),
    Act(Right),
}

impl<'a> Who<'a> {
    fn may(&self, proof: &Proof<'_>, check: impl Fn(&'a Principal) -> Result<(), Denial>) -> Result<Allowed, Denial> {
        let mut first = None;
        for principal in principals(self.policy, &proof.by) {
            match check(principal) {
                Ok(()) => {
                    return Ok(Allowed { principal: principal.name.clone(), rule: self.place() });
                }
                Err(denial) => first = first.or(Some(denial)),
            }
        }
        Err(first.unwrap_or_else(|| self.unknown(proof)))
    }

    fn unknown(&self, proof: &Proof<'_>) -> Denial {
        let keys = || self.policy.principals.values().flat_map(|principal| &principal.keys);
        let right = match &self.mend {
            Mend::Commit(facts) => right_of(facts),
            Mend::Act(right) => *right,
        };
        let reason =
            if keys().any(|key| key.is_of_kind(&proof.by)) { Reason::SignerUnknown } else { Reason::FormatNotListed };
        self.no(reason, format!("signed by {}, who is no principal of the policy", proof.by), self.holders(right))
    }

    fn may_commit(&self, principal: &Principal, facts: &Facts<'_>, proof: &Proof<'_>) -> Result<(), Denial> {
        self.alive(principal, proof)?;
        self.in_force(proof)?;
        self.may_make(principal, facts)?;
        self.committer(principal, facts, proof)?;
        self.evidence(proof, facts.pushed_signed)?;
        self.clock(facts, proof)?;
        if self.rule.approvals > 1 {
            // Nothing but the commit's own signature is counted here, and that is one principal's.
            let found = format!("the rule demands {} principals, and one has signed", self.rule.approvals);
            return Err(self.no(Reason::ApprovalsMissing, found, self.holders(self.right())));
        }
        if principal.is_forge && !facts.reproduced {
            let found = format!(
                "{} is a forge, and the commit is not what merging, squashing or rebasing verified commits gives",
                principal.name
            );
            return Err(self.no(Reason::MergeNotReproduced, found, self.people(right_of(facts))));
        }
        Ok(())
    }

    /// Retired: what was signed before stays good. Compromised: what was signed since is bad, and so is what cannot be
    /// proven to be older.
    fn alive(&self, principal: &Principal, proof: &Proof<'_>) -> Result<(), Denial> {
        let place = RuleRef { name: principal.name.clone(), line: principal.line, version: self.policy.version };
        let ended = [
            (principal.compromised, Reason::PrincipalCompromised, "is compromised since"),
            (principal.retired, Reason::PrincipalRetired, "retired at"),
        ];
        for (since, reason, word) in ended {
            let Some(since) = since else { continue };
            let found = match proof.time {
                Some(time) if time < since => continue,
                Some(time) => format!("{} {word} {since}, and it was signed at {time}", principal.name),
                None => format!("{} {word} {since}, and nothing proves that it was signed before", principal.name),
            };
            let others = self.holders(self.right()).into_iter().filter(|name| *name != principal.name).collect();
            return Err(Denial { rule: Some(place), ..self.no(reason, found, others) });
        }
        Ok(())
    }

    fn in_force(&self, proof: &Proof<'_>) -> Result<(), Denial> {
        let (from, until) = (self.rule.from, self.rule.until);
        if from.is_none() && until.is_none() {
            return Ok(());
        }
        let Some(time) = proof.time else {
            let found = "the rule holds for some time only, and nothing proves when it was signed".to_owned();
            return Err(self.no(Reason::SigningTimeUnproven, found, Vec::new()));
        };
        if from.is_some_and(|from| time < from) || until.is_some_and(|until| time >= until) {
            let found = format!("it was signed at {time}, when the rule {:?} was not in force", self.rule.name);
            return Err(self.no(Reason::RuleNotInForce, found, Vec::new()));
        }
        Ok(())
    }

    /// Changing the policy is a right beside the right to commit: who keeps the list of people need not write the code.
    fn may_make(&self, principal: &Principal, facts: &Facts<'_>) -> Result<(), Denial> {
        let right = if facts.parents > 1 { Right::Merge } else { Right::Commit };
        if facts.changes_policy {
            self.has(principal, Right::Policy)?;
        }
        // Paths divide the right to commit; a merge needs its own right whatever was mended by hand in it.
        if facts.paths.is_empty() || right == Right::Merge {
            self.has(principal, right)?;
        }
        facts.paths.iter().try_for_each(|path| match path_rule(self.rule, path) {
            None => self.has(principal, right),
            Some(found) if self.policy.includes(&found.commit, &principal.name) => Ok(()),
            Some(PathRule { line, prefix, commit }) => {
                let name = format!("{} {prefix}", self.rule.name);
                let place = RuleRef { name, line: *line, version: self.policy.version };
                let found = format!("{} may not change {path:?}", principal.name);
                Err(Denial { rule: Some(place), ..self.no(Reason::PathNotAllowed, found, self.members(commit)) })
            }
        })
    }

    fn has(&self, principal: &Principal, right: Right) -> Result<(), Denial> {
        if has_right(self.policy, self.rule, right, &principal.name) {
            return Ok(());
        }
        let found = format!("{} has no right to {} here", principal.name, verb(right));
        Err(self.no(Reason::RightMissing, found, self.holders(right)))
    }

    /// A person's name as committer says who answers for the commit. A machine without a mail address has none to say.
    fn committer(&self, principal: &Principal, facts: &Facts<'_>, proof: &Proof<'_>) -> Result<(), Denial> {
        if self.rule.committer == CommitterRule::Any || principal.is_forge {
            return Ok(());
        }
        let mut own: BTreeSet<&str> = principal.emails.iter().map(String::as_str).collect();
        own.extend(principal.keys.iter().filter_map(PrincipalKey::address));
        if let SignedBy::Keyless { identity, .. } = proof.by
            && identity.subject.contains('@')
            && !identity.subject.contains("://")
        {
            own.insert(&identity.subject);
        }
        if own.is_empty() || own.iter().any(|one| same_address(one, facts.committer)) {
            return Ok(());
        }
        let found = format!("the committer is {:?}, and {} signed", facts.committer, principal.name);
        Err(self.no(Reason::CommitterMismatch, found, vec![principal.name.clone()]))
    }

    fn evidence(&self, proof: &Proof<'_>, pushed_signed: bool) -> Result<(), Denial> {
        for wanted in &self.rule.require {
            let (there, what) = match wanted {
                Evidence::Log => (proof.logged, "an entry of a transparency log"),
                Evidence::Stamp => (proof.stamped, "a timestamp authority's stamp"),
                Evidence::PushCertificate => (pushed_signed, "a push certificate"),
            };
            if !there {
                let found = format!("the rule demands {what}, and there is none");
                let reason = match wanted {
                    Evidence::PushCertificate => Reason::PushNotSigned,
                    Evidence::Log | Evidence::Stamp => Reason::EvidenceMissing,
                };
                return Err(self.no(reason, found, self.holders(self.right())));
            }
        }
        Ok(())
    }

    fn clock(&self, facts: &Facts<'_>, proof: &Proof<'_>) -> Result<(), Denial> {
        let Some(minutes) = self.rule.clock_tolerance else { return Ok(()) };
        let Some(time) = proof.time else {
            let found = "the rule compares the committer's clock, and nothing proves when it was signed".to_owned();
            return Err(self.no(Reason::SigningTimeUnproven, found, Vec::new()));
        };
        let off = (time.as_second() - facts.committed.as_second()).abs();
        if off > i64::from(minutes) * 60 {
            let found = format!("the committer's clock says {}, and it was signed at {time}", facts.committed);
            return Err(self.no(Reason::CommitterTimeOff, found, self.holders(self.right())));
        }
        Ok(())
    }

    fn right(&self) -> Right {
        match &self.mend {
            Mend::Commit(facts) => right_of(facts),
            Mend::Act(right) => *right,
        }
    }

    fn holders(&self, right: Right) -> Vec<String> {
        holders(self.policy, self.rule, right)
    }

    /// The holders who are no forge.
    fn people(&self, right: Right) -> Vec<String> {
        let is_forge = |name: &String| self.policy.principals.get(name).is_some_and(|one| one.is_forge);
        self.holders(right).into_iter().filter(|name| !is_forge(name)).collect()
    }

    fn members(&self, list: &BTreeSet<String>) -> Vec<String> {
        self.policy.principals.keys().filter(|name| self.policy.includes(list, name)).cloned().collect()
    }

    fn place(&self) -> RuleRef {
        RuleRef { name: self.rule.name.clone(), line: self.rule.line, version: self.policy.version }
    }

    fn no(&self, reason: Reason, found: String, who_may: Vec<String>) -> Denial {
        let mend = match (&self.mend, reason) {
            (_, Reason::PushNotSigned) => "git push --signed=if-asked".to_owned(),
            (Mend::Commit(facts), _) => mend_commit(facts),
            (Mend::Act(Right::Tag), _) => "git tag -d NAME, then git tag -s NAME by one who may".to_owned(),
            (Mend::Act(_), _) => "git push --signed by one who may".to_owned(),
        };
        Denial { reason, found, rule: Some(self.place()), who_may, mend }
    }
}

/// Sign it again, and what comes after it: whoever may runs this.
fn mend_commit(facts: &Facts<'_>) -> String {
    let sign = "--exec 'git commit --amend --no-edit --reset-author --gpg-sign'";
    match facts.parents {
        0 => format!("git rebase --rebase-merges {sign} --root"),
        _ => format!("git rebase --rebase-merges {sign} {}^", facts.id),
    }
}

/// Where a rule names nobody for merges, those who may commit may merge.
fn has_right(policy: &Policy, rule: &Rule, right: Right, principal: &str) -> bool {
    match right {
        Right::Merge if !rule.rights.contains_key(&Right::Merge) => policy.grants(rule, Right::Commit, principal),
        right => policy.grants(rule, right, principal),
    }
}

/// Every principal who has `right`, in order of name.
#[must_use]
pub fn holders(policy: &Policy, rule: &Rule, right: Right) -> Vec<String> {
    policy.principals.keys().filter(|name| has_right(policy, rule, right, name)).cloned().collect()
}

/// The rule of a path: the longest of the prefixes that hold it. Letters count whatever their case, for some file
/// systems make one file of `Docs/a` and `docs/a`.
#[must_use]
pub fn path_rule<'a>(rule: &'a Rule, path: &str) -> Option<&'a PathRule> {
    let path = path.to_lowercase();
    let holds = |prefix: &str| {
        let prefix = prefix.to_lowercase();
        let prefix = prefix.trim_end_matches('/');
        path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    rule.paths.iter().filter(|one| holds(&one.prefix)).max_by_key(|one| one.prefix.trim_end_matches('/').len())
}

/// What a right lets somebody do, to follow "may".
pub(super) fn verb(right: Right) -> &'static str {
    match right {
        Right::Commit => "commit",
        Right::Merge => "merge",
        Right::Tag => "tag",
        Right::Push => "push",
        Right::Create => "create the ref",
        Right::Force => "force the ref back",
        Right::Delete => "delete the ref",
        Right::Policy => "change the policy",
    }
}

impl PrincipalKey {
    /// The mail address that the key stands for, if it does.
    fn address(&self) -> Option<&str> {
        let text = match self {
            PrincipalKey::Keyless { subject: Some(subject), .. } | PrincipalKey::X509 { subject, .. } => subject,
            PrincipalKey::Keyless { .. } | PrincipalKey::Ssh(_) | PrincipalKey::Pgp(_) => return None,
        };
        (text.contains('@') && !text.contains("://")).then_some(text)
    }
}

/// Domains are compared without regard to case, the rest letter by letter (RFC 5321 section 2.4).
fn same_address(one: &str, other: &str) -> bool {
    match (one.rsplit_once('@'), other.rsplit_once('@')) {
        (Some((local, domain)), Some((other_local, other_domain))) => {
            local == other_local && domain.eq_ignore_ascii_case(other_domain)
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests;
