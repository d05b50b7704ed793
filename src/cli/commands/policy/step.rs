//! The steps of a decision in words, in the order in which they were taken.

use crate::audit::authority::proof_of;
use crate::audit::{Basis, Finding, ForeignSigner, Source};
use crate::cli::report::moment;
use crate::crypto::digest::hex;
use crate::policy::decide;
use crate::policy::rules::Rule;
use crate::policy::{Decision, Right};

/// A decision, and what it stood on.
pub(super) struct Explained<'a> {
    pub(super) finding: &'a Finding,
    pub(super) basis: &'a Basis,
    pub(super) reference: &'a str,
    pub(super) source: &'a Source,
}

/// The name of a step, and its words.
type Step = (&'static str, String);

/// All steps.
pub(super) fn all(explained: &Explained<'_>) -> Vec<Step> {
    let mut steps = vec![("for", explained.reference.to_owned()), ("authority", authority(explained.source))];
    steps.extend(parents(explained.basis));
    steps.push(in_force(explained.basis));
    let Some(rule) = &explained.basis.rule else {
        steps.push(("rule", format!("none names {}: it is not protected", explained.reference)));
        steps.push(("decision", decision(explained.finding)));
        return steps;
    };
    steps.push(("rule", format!("{}, line {}: the first that names this ref", rule.name, rule.line)));
    steps.push(("signer", signer(explained)));
    if let Some(at) = explained.finding.signed_at {
        steps.push(("time", moment(at)));
    }
    steps.extend(rights(explained.basis, rule));
    steps.push(("decision", decision(explained.finding)));
    steps
}

fn authority(source: &Source) -> String {
    match source {
        Source::Tree { root, path } => format!("from the trust root {root}, by {path} in the trees"),
        Source::Fixed(policy) => format!("one file for every commit, sha256:{}", hex(&policy.digest)),
    }
}

fn parents(basis: &Basis) -> Vec<Step> {
    let passed = |sound| if sound { "passed" } else { "did not pass" };
    let words = |left: &crate::audit::Left| {
        format!("{} {}, and leaves policy version {}", left.id, passed(left.sound), left.policy.version)
    };
    basis.parents.iter().map(|left| ("parent", words(left))).collect()
}

fn in_force(basis: &Basis) -> Step {
    let by = basis.governing.as_ref().map(|parent| format!(", left by {parent}")).unwrap_or_default();
    ("policy", format!("version {}, sha256:{}{by}", basis.policy.version, hex(&basis.policy.digest)))
}

/// Who signed, and which principal that is. The decision has put its own reason in the place of the verifier's, so a
/// signer is named as far as one was proven.
fn signer(explained: &Explained<'_>) -> String {
    let Explained { finding, basis, .. } = explained;
    let who = match (&finding.signer, &finding.foreign) {
        (Some(signer), _) => format!("{:?} of {:?}", signer.identity.subject, signer.identity.issuer),
        (None, Some(ForeignSigner::Ssh(key))) => format!("the SSH key {key:?}"),
        (None, Some(ForeignSigner::Pgp(fingerprint))) => format!("the OpenPGP key {fingerprint}"),
        (None, None) => return "nobody is proven to have signed it".to_owned(),
    };
    let unrefused = Finding { refusal: None, ..(*finding).clone() };
    let names: Vec<String> = proof_of(&unrefused)
        .map(|proof| decide::principals(&basis.policy, &proof.by))
        .unwrap_or_default()
        .into_iter()
        .map(|principal| format!("{}, line {}", principal.name, principal.line))
        .collect();
    if names.is_empty() {
        format!("{who}: no principal of this policy")
    } else {
        format!("{who}: {}", names.join("; "))
    }
}

/// Which rights it takes, and who has them.
fn rights(basis: &Basis, rule: &Rule) -> Vec<Step> {
    let making = if basis.parents.len() > 1 { Right::Merge } else { Right::Commit };
    let mut needed = Vec::new();
    if basis.changes_policy {
        needed.push(Right::Policy);
    }
    // Paths have lists of their own; what none of them holds, and an empty change, needs the right itself.
    if basis.paths.is_empty() || basis.paths.iter().any(|path| decide::path_rule(rule, path).is_none()) {
        needed.push(making);
    }
    let mut steps: Vec<Step> = needed
        .into_iter()
        .map(|right| ("right", format!("{}: {}", right.name(), people(&decide::holders(&basis.policy, rule, right)))))
        .collect();
    for path in &rule.paths {
        let is_asked = |changed: &String| decide::path_rule(rule, changed).is_some_and(|found| found.line == path.line);
        if basis.paths.iter().any(is_asked) {
            let holders = |name: &&String| basis.policy.includes(&path.commit, name);
            let names: Vec<String> = basis.policy.principals.keys().filter(holders).cloned().collect();
            steps.push(("right", format!("to change {}, line {}: {}", path.prefix, path.line, people(&names))));
        }
    }
    steps
}

fn people(names: &[String]) -> String {
    if names.is_empty() { "nobody has it".to_owned() } else { names.join(", ") }
}

fn decision(finding: &Finding) -> String {
    match (&finding.decision, &finding.refusal) {
        (Some(Decision::Allowed(allowed)), _) => format!("allowed, as {}", allowed.principal),
        (Some(Decision::NotProtected), None) => "passes: nothing is asked of it".to_owned(),
        (Some(Decision::Excepted { rule, reason }), _) => {
            format!("passes by the {}, line {} of policy version {}: {reason}", rule.name, rule.line, rule.version)
        }
        (Some(Decision::Denied(denial)), _) => format!("denied: {} ({})", denial.found, denial.reason.code()),
        (_, Some(refusal)) => format!("{}: {} ({})", finding.verdict(), refusal.detail, refusal.reason.code()),
        (None, None) => "passes".to_owned(),
    }
}
