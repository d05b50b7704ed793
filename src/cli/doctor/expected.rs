//! Whom the user expects: nobody, half of somebody, or everybody but the user.

use super::finding::{Finding, Id};
use super::git::demands_trust;
use super::person::{address_of, own_address};
use super::place::{Located, add_globally};
use super::setup::Setup;
use crate::cli::settings::Expected;
use crate::cli::settings::table::Name;
use crate::cli::shell::quote;
use crate::format::x509::Identity;
use crate::policy::{ExpectedIdentities, PolicyError};
use crate::service::IdToken;

/// The issuer that most people on the public instance come from; as in the advice of `gitseal init`.
const USUAL_ISSUER: &str = "https://github.com/login/oauth";
/// The issuer of GitHub's workflows.
const WORKFLOW_ISSUER: &str = "https://token.actions.githubusercontent.com";
/// Each pattern that does not compile.
pub(super) fn patterns(setup: &Setup) -> Vec<Finding> {
    let expected = &setup.settings().expected;
    let lists = [
        (Name::CertificateIdentityRegexp, &expected.identity_patterns),
        (Name::CertificateOidcIssuerRegexp, &expected.issuer_patterns),
    ];
    let mut findings = Vec::new();
    for (name, patterns) in lists {
        for pattern in patterns {
            let alone = ExpectedIdentities::new(&[], std::slice::from_ref(pattern), &["x".into()], &[]);
            let Err(error @ PolicyError::Pattern { .. }) = alone else { continue };
            let finding = Finding::error(Id::PatternInvalid, error.to_string());
            let values = setup.values(name);
            let values = values.iter().map(|value| Located::of_setting(value, &setup.directory));
            let held = values.filter(|value| value.text.as_deref() == Some(pattern.as_bytes())).last();
            findings.push(match held.or_else(|| setup.counting(name)) {
                Some(located) => finding.at(&located).fix(setup.commands.drop_one(&located)),
                None => finding,
            });
        }
    }
    findings
}

/// Nobody is expected, or half of somebody, or everybody but the user.
pub(super) fn expectation(setup: &Setup, token: Option<&IdToken>) -> Option<Finding> {
    let expected = &setup.settings().expected;
    let Expected { identities, identity_patterns, issuers, issuer_patterns } = expected;
    let issuer = || likely_issuer(expected, token);
    match ExpectedIdentities::new(identities, identity_patterns, issuers, issuer_patterns) {
        Ok(None) => {
            let fix = format!(
                "{} && {}",
                add(setup, Name::CertificateIdentity, identities, &own_address(setup)),
                add(setup, Name::CertificateOidcIssuer, issuers, &issuer()),
            );
            let problem = "nobody is expected, so git calls every signer untrusted: anybody could have signed";
            let finding = Finding::warning(Id::NobodyExpected, problem);
            if !demands_trust(setup) {
                return Some(finding.fix(fix));
            }
            let problem = "nobody is expected, and gpg.minTrustLevel asks for trust: git refuses every signature";
            Some(Finding::error(Id::NobodyExpected, problem).fix(fix))
        }
        Err(error @ PolicyError::IssuerMissing) => {
            let fix = add(setup, Name::CertificateOidcIssuer, issuers, &issuer());
            Some(Finding::error(Id::HalfExpected, error.to_string()).fix(fix))
        }
        Err(error @ PolicyError::IdentityMissing) => {
            let fix = add(setup, Name::CertificateIdentity, identities, &own_address(setup));
            Some(Finding::error(Id::HalfExpected, error.to_string()).fix(fix))
        }
        Err(PolicyError::Pattern { .. }) => None,
        Ok(Some(all)) => unexpected(setup, &all, token?),
    }
}

/// The user's own signatures would be refused.
fn unexpected(setup: &Setup, all: &ExpectedIdentities, token: &IdToken) -> Option<Finding> {
    let subject = address_of(token)?;
    let identity = |issuer: &str| Identity { issuer: issuer.to_owned(), subject: subject.clone() };
    if token.issuers().any(|issuer| all.include(&identity(issuer))) {
        return None;
    }
    let Expected { identities, identity_patterns, issuers, issuer_patterns } = &setup.settings().expected;
    let any = [".*".to_owned()];
    let one_side = |names: &[String], patterns: &[String], issuers: &[String], issuer_patterns: &[String]| {
        let side = ExpectedIdentities::new(names, patterns, issuers, issuer_patterns).ok().flatten();
        side.is_some_and(|side| token.issuers().any(|issuer| side.include(&identity(issuer))))
    };
    let mut fixes = Vec::new();
    if !one_side(identities, identity_patterns, &[], &any) {
        fixes.push(add(setup, Name::CertificateIdentity, identities, &subject));
    }
    if !one_side(&[], &any, issuers, issuer_patterns) {
        fixes.push(add(setup, Name::CertificateOidcIssuer, issuers, token.issuers().last()?));
    }
    let issuer = token.issuers().last()?;
    let problem = format!("you sign as {subject} of {issuer}, whom you do not expect: your own signatures are refused");
    Some(Finding::warning(Id::SelfUnexpected, problem).fix(fixes.join(" && ")))
}

/// Add to a list where that counts: a variable replaces what the configuration says.
fn add(setup: &Setup, name: Name, now: &[String], more: &str) -> String {
    match setup.counting(name) {
        Some(Located { name, holder: super::place::Holder::Variable, .. }) => {
            let all: Vec<&str> = now.iter().map(String::as_str).chain([more]).collect();
            format!("export {name}={}", quote(all.join("\n").as_bytes()))
        }
        _ => add_globally(&name.setting().label(), more),
    }
}

fn likely_issuer(expected: &Expected, token: Option<&IdToken>) -> String {
    let is_workflow = |name: &String| name.starts_with("https://github.com/");
    match token.and_then(|token| token.issuers().last()) {
        Some(issuer) => issuer.to_owned(),
        None if expected.identities.iter().any(is_workflow) => WORKFLOW_ISSUER.to_owned(),
        None => USUAL_ISSUER.to_owned(),
    }
}
