//! Cases that a policy must allow or deny: what `gitseal policy test` reads (TOML) and tries.
//!
//! A case says who signed what, as verification would have proven it, and what the policy should make of it. It goes the
//! same way as a commit: through [`decide`]. What hangs on a history (whose policy is in force, whether a
//! merge can be made again) a case simply states.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use toml::Spanned;
use toml::value::Datetime;

use super::decide::{self, Facts, Proof, SignedBy};
use super::file::ANYONE;
use super::rules::{Policy, Right, Rule};
use super::{Allowed, Decision};
use crate::format::x509::{Certificate, Claim, Claims, Identity};
use crate::verify::Reason;

/// No file of cases is longer, in bytes.
pub const MAX_FIXTURE_LEN: usize = 1 << 20;
/// The one value of `schema`.
const SCHEMA: u64 = 1;

/// Why a file of cases is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {cause}")]
pub struct FixtureError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub cause: String,
}

/// One case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// The line of the file, counted from 1.
    pub line: usize,
    reference: String,
    act: Act,
    signer: Option<CaseSigner>,
    committer: String,
    signed: Option<Timestamp>,
    committed: Timestamp,
    logged: bool,
    stamped: bool,
    parents: usize,
    paths: Vec<String>,
    changes_policy: bool,
    pushed_signed: bool,
    reproduced: bool,
    expect: Expect,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Commit,
    Other(Right),
}

/// Who signs, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
enum CaseSigner {
    Keyless { identity: Identity, claims: Claims },
    Ssh(String),
    Pgp(String),
    X509 { root: Box<Certificate>, subject: String },
}

/// What should come out.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Expect {
    Allowed { principal: Option<String> },
    Denied { reason: Option<String> },
    NotProtected,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    schema: Spanned<u64>,
    #[serde(default)]
    cases: Vec<Spanned<CaseShape>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct CaseShape {
    name: String,
    #[serde(rename = "ref")]
    reference: String,
    act: Option<String>,
    signer: Option<SignerShape>,
    #[serde(default)]
    committer: String,
    signed_at: Option<Datetime>,
    committed_at: Option<Datetime>,
    logged: Option<bool>,
    #[serde(default)]
    stamped: bool,
    parents: Option<usize>,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    changes_policy: bool,
    #[serde(default)]
    pushed_signed: bool,
    #[serde(default)]
    reproduced: bool,
    expect: String,
    principal: Option<String>,
    reason: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignerShape {
    issuer: Option<String>,
    subject: Option<String>,
    #[serde(default)]
    claims: BTreeMap<String, String>,
    ssh: Option<String>,
    pgp: Option<String>,
    root: Option<String>,
}

impl Case {
    /// Read a file of cases.
    ///
    /// # Errors
    /// [`FixtureError`]: not TOML, an unknown key, or a case that contradicts itself.
    pub fn parse_all(bytes: &[u8]) -> Result<Vec<Case>, FixtureError> {
        let error = |line, cause: &str| FixtureError { line, cause: cause.to_owned() };
        if bytes.len() > MAX_FIXTURE_LEN {
            return Err(error(1, "the file is longer than 1 MiB"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| error(1, "the file is not UTF-8 text"))?;
        let line =
            |offset: usize| 1 + text.as_bytes()[..offset.min(text.len())].iter().filter(|c| **c == b'\n').count();
        let document: Document = toml::from_str(text)
            .map_err(|cause| error(line(cause.span().map_or(0, |span| span.start)), cause.message()))?;
        if *document.schema.get_ref() != SCHEMA {
            return Err(error(
                line(document.schema.span().start),
                "the schema is unknown: this gitseal reads schema 1",
            ));
        }
        // A file that tries nothing would pass whatever the policy says.
        if document.cases.is_empty() {
            return Err(error(1, "there is no case in it"));
        }
        let read = |case: Spanned<CaseShape>| {
            let at = line(case.span().start);
            Case::read(case.into_inner(), at).map_err(|cause| FixtureError { line: at, cause })
        };
        document.cases.into_iter().map(read).collect()
    }

    fn read(shape: CaseShape, line: usize) -> Result<Case, String> {
        let act = match shape.act.as_deref() {
            None | Some("commit") => Act::Commit,
            Some(word) => {
                let others = [Right::Tag, Right::Push, Right::Create, Right::Force, Right::Delete];
                let found = others.into_iter().find(|right| right.name() == word);
                Act::Other(
                    found.ok_or_else(|| format!("{word:?} is not one of commit, tag, push, create, force, delete"))?,
                )
            }
        };
        let signed = time(shape.signed_at)?;
        let expect = match (shape.expect.as_str(), shape.principal, shape.reason) {
            ("allowed", principal, None) => Expect::Allowed { principal },
            ("denied", None, reason) => {
                if let Some(code) = reason.as_ref().filter(|code| !Reason::ALL.iter().any(|one| one.code() == **code)) {
                    return Err(format!("{code:?} is no reason: gitseal-verify(1) lists them"));
                }
                Expect::Denied { reason }
            }
            ("not-protected", None, None) => Expect::NotProtected,
            ("allowed" | "denied" | "not-protected", ..) => {
                return Err("principal goes with expect = \"allowed\", and reason with \"denied\"".into());
            }
            (word, ..) => return Err(format!("{word:?} is not one of allowed, denied, not-protected")),
        };
        Ok(Case {
            name: shape.name,
            line,
            reference: shape.reference,
            act,
            signer: shape.signer.map(signer).transpose()?,
            committer: shape.committer,
            signed,
            committed: time(shape.committed_at)?.or(signed).unwrap_or(Timestamp::UNIX_EPOCH),
            logged: shape.logged.unwrap_or(signed.is_some()),
            stamped: shape.stamped,
            parents: shape.parents.unwrap_or(1),
            paths: shape.paths,
            changes_policy: shape.changes_policy,
            pushed_signed: shape.pushed_signed,
            reproduced: shape.reproduced,
            expect,
        })
    }

    /// What `policy` makes of it.
    #[must_use]
    pub fn decide(&self, policy: &Policy) -> Decision {
        let Some(rule) = policy.rule_for(&self.reference) else { return Decision::NotProtected };
        let decided = match self.act {
            Act::Commit => self.commit(policy, rule),
            Act::Other(right) => self.other(policy, rule, right),
        };
        match decided {
            Ok(allowed) => Decision::Allowed(allowed),
            Err(denial) => Decision::Denied(denial),
        }
    }

    fn commit(&self, policy: &Policy, rule: &Rule) -> Result<Allowed, super::Denial> {
        let facts = Facts {
            id: "0000000000000000000000000000000000000000",
            parents: self.parents,
            committer: &self.committer,
            committed: self.committed,
            changes_policy: self.changes_policy,
            paths: &self.paths,
            pushed_signed: self.pushed_signed,
            reproduced: self.reproduced,
        };
        match self.proof() {
            Some(proof) => decide::commit(policy, rule, &facts, &proof),
            None => Err(decide::unsigned(policy, rule, &facts, Reason::NoSignature, "there is no signature")),
        }
    }

    fn other(&self, policy: &Policy, rule: &Rule, right: Right) -> Result<Allowed, super::Denial> {
        let place = super::RuleRef { name: rule.name.clone(), line: rule.line, version: policy.version };
        if rule.rights.get(&right).is_some_and(|list| list.contains(ANYONE)) {
            return Ok(Allowed { principal: ANYONE.to_owned(), rule: place });
        }
        match self.proof() {
            Some(proof) => decide::act(policy, rule, right, &proof),
            None => Err(super::Denial {
                reason: if right == Right::Tag { Reason::TagNotAnnotated } else { Reason::PushNotSigned },
                found: "there is no signature".to_owned(),
                rule: Some(place),
                who_may: decide::holders(policy, rule, right),
                mend: String::new(),
            }),
        }
    }

    fn proof(&self) -> Option<Proof<'_>> {
        let by = match self.signer.as_ref()? {
            CaseSigner::Keyless { identity, claims } => SignedBy::Keyless { identity, claims },
            CaseSigner::Ssh(key) => SignedBy::Ssh(key),
            CaseSigner::Pgp(fingerprint) => SignedBy::Pgp(fingerprint),
            CaseSigner::X509 { root, subject } => SignedBy::X509 { root, subject },
        };
        Some(Proof { by, time: self.signed, logged: self.logged, stamped: self.stamped })
    }

    /// How `decision` differs from what should come out; `None` when it does not.
    #[must_use]
    pub fn difference(&self, decision: &Decision) -> Option<String> {
        let met = match (&self.expect, decision) {
            (Expect::Allowed { principal }, Decision::Allowed(allowed)) => {
                principal.as_ref().is_none_or(|wanted| *wanted == allowed.principal)
            }
            (Expect::Denied { reason }, Decision::Denied(denial)) => {
                reason.as_ref().is_none_or(|wanted| wanted == denial.reason.code())
            }
            (Expect::NotProtected, Decision::NotProtected) => true,
            _ => false,
        };
        if met {
            return None;
        }
        let expected = match &self.expect {
            Expect::Allowed { principal: Some(principal) } => format!("allowed as {principal}"),
            Expect::Allowed { principal: None } => "allowed".to_owned(),
            Expect::Denied { reason: Some(reason) } => format!("denied ({reason})"),
            Expect::Denied { reason: None } => "denied".to_owned(),
            Expect::NotProtected => "not protected".to_owned(),
        };
        Some(format!("expected {expected}, and it is {}", told(decision)))
    }
}

/// A decision in words.
#[must_use]
pub fn told(decision: &Decision) -> String {
    match decision {
        Decision::Allowed(Allowed { principal, rule }) => {
            format!("allowed as {principal} by {}, line {}", rule.name, rule.line)
        }
        Decision::NotProtected => "not protected".to_owned(),
        Decision::Excepted { rule, reason } => format!("excepted by line {}: {reason}", rule.line),
        Decision::Denied(denial) => format!("denied: {} ({})", denial.found, denial.reason.code()),
    }
}

fn signer(shape: SignerShape) -> Result<CaseSigner, String> {
    let SignerShape { issuer, subject, claims, ssh, pgp, root } = shape;
    match (issuer, subject, ssh, pgp, root) {
        (Some(issuer), subject, None, None, None) => {
            let claim = |(name, value): (String, String)| {
                Claim::of_name(&name).map(|claim| (claim, value)).ok_or(format!("{name:?} is no claim"))
            };
            let claims = claims.into_iter().map(claim).collect::<Result<Claims, _>>()?;
            Ok(CaseSigner::Keyless { identity: Identity { issuer, subject: subject.unwrap_or_default() }, claims })
        }
        (None, None, Some(key), None, None) => {
            super::file::ssh_key(&key).map(CaseSigner::Ssh).ok_or(format!("{key:?} is no SSH public key"))
        }
        (None, None, None, Some(fingerprint), None) => Ok(CaseSigner::Pgp(fingerprint)),
        (None, Some(subject), None, None, Some(root)) => {
            let mut chain = Certificate::from_pem_chain(&root).map_err(|error| error.to_string())?;
            let root = chain.pop().filter(|_| chain.is_empty()).ok_or("the root is not one certificate")?;
            Ok(CaseSigner::X509 { root: Box::new(root), subject })
        }
        _ => Err("a signer is an issuer and a subject, or ssh, or pgp, or a root and a subject".into()),
    }
}

fn time(value: Option<Datetime>) -> Result<Option<Timestamp>, String> {
    let Some(value) = value else { return Ok(None) };
    let text = value.to_string();
    text.parse().map(Some).map_err(|_| format!("{text} is no point in time: write it as 2026-03-01T00:00:00Z"))
}
