//! Whether it would work: the files that settings name, the identity token, the services, and who is expected.

use std::path::{Path, PathBuf};

use super::finding::{Finding, Id};
use super::git::{committer_email, demands_trust, set_email};
use super::place::{Located, add_globally};
use super::setup::Setup;
use crate::cli::error::CliError;
use crate::cli::instance::documents::Documents;
use crate::cli::instance::store::StoreError;
use crate::cli::instance::{self, Choice};
use crate::cli::settings::source::Standing;
use crate::cli::settings::table::Name;
use crate::cli::settings::{Expected, Pieces, RekorMode, Settings, TokenSources};
use crate::cli::shell::quote;
use crate::cli::signing::{self, TokenPlace};
use crate::format::x509::Identity;
use crate::net::Roots;
use crate::policy::{ExpectedIdentities, PolicyError};
use crate::service::IdToken;
use crate::service::id_token::TokenSubject;

/// The issuer that most people on the public instance come from; as in the advice of `gitseal init`.
const USUAL_ISSUER: &str = "https://github.com/login/oauth";
/// The issuer of GitHub's workflows.
const WORKFLOW_ISSUER: &str = "https://token.actions.githubusercontent.com";
/// What stands in a command for an address that only the reader knows.
const YOUR_ADDRESS: &str = "YOU@EXAMPLE.COM";

/// Look at all of it.
pub(super) fn examine(setup: &Setup, findings: &mut Vec<Finding>) {
    findings.extend(files(setup));
    let token = token(setup);
    match &token {
        Ok(_) | Err(CliError::NoToken) => {}
        Err(error) => findings.push(token_unusable(setup, error)),
    }
    findings.extend(instance_unusable(setup));
    // A file that cannot be read has been named already, and would be named again here.
    if !findings.iter().any(|finding| matches!(finding.id, Id::FileUnusable | Id::InstanceUnusable)) {
        findings.extend(services(setup));
    }
    findings.extend(patterns(setup));
    let token = token.ok();
    findings.extend(expectation(setup, token.as_ref()));
    findings.extend(committer(setup, token.as_ref()));
}

/// The address that the user signs with, or commits as; else something to be replaced.
#[must_use]
pub(super) fn own_address(setup: &Setup) -> String {
    let from_token = token(setup).ok().and_then(|token| address_of(&token));
    from_token.or_else(|| the_only_address(&setup.settings().expected)).unwrap_or_else(|| YOUR_ADDRESS.to_owned())
}

fn address_of(token: &IdToken) -> Option<String> {
    match token.subject() {
        TokenSubject::Email(email) => Some(email.clone()),
        TokenSubject::Subject(_) => None,
    }
}

fn the_only_address(expected: &Expected) -> Option<String> {
    match expected.identities.as_slice() {
        [only] if only.contains('@') && !only.contains("://") => Some(only.clone()),
        _ => None,
    }
}

/// Each file that a setting names and that would be read, tried alone: one bad file must not hide the next.
fn files(setup: &Setup) -> Vec<Finding> {
    let settings = setup.settings();
    let piece = |pieces: Pieces| instance::check_pieces(&pieces);
    let trusted_root = |path: PathBuf| {
        let alone = Settings { trusted_root: Some(path), ..Settings::default() };
        Choice::new(&alone, setup.now).trusted_root().map(drop)
    };
    let signing_config = |path: PathBuf| {
        let alone = Settings { signing_config: Some(path), ..Settings::default() };
        Choice::new(&alone, setup.now).signing_config().map(drop)
    };
    let smime = |path: PathBuf| {
        instance::smime_authorities(&Settings { smime_ca_file: Some(path), ..Settings::default() }).map(|_| ())
    };
    let servers = |path: PathBuf| {
        let roots = Roots { ca_file: Some(path.clone()) };
        roots.check().map_err(|error| CliError::document(&path, error))
    };
    let mut tried: Vec<(Name, Option<Result<(), CliError>>)> = vec![
        (Name::TrustedRoot, settings.trusted_root.clone().map(trusted_root)),
        (Name::SigningConfig, settings.signing_config.clone().map(signing_config)),
        (Name::SmimeCaFile, settings.smime_ca_file.clone().map(smime)),
        (Name::SslCaInfo, settings.ssl_ca_info.clone().map(servers)),
    ];
    if settings.trusted_root.is_none() {
        let none = Pieces::default;
        let pieces = &settings.pieces;
        let fulcio = pieces.fulcio_root.clone().map(|path| piece(Pieces { fulcio_root: Some(path), ..none() }));
        let rekor =
            pieces.rekor_public_key.clone().map(|path| piece(Pieces { rekor_public_key: Some(path), ..none() }));
        let ct = pieces.ct_log_public_key.clone().map(|path| piece(Pieces { ct_log_public_key: Some(path), ..none() }));
        let stamp = pieces.timestamp_chain.clone().map(|path| piece(Pieces { timestamp_chain: Some(path), ..none() }));
        tried.extend([
            (Name::FulcioRoot, fulcio),
            (Name::RekorPublicKey, rekor),
            (Name::CtLogPublicKey, ct),
            (Name::TimestampCertChain, stamp),
        ]);
    }
    let unusable = |(name, tried): (Name, Option<Result<(), CliError>>)| {
        let error = tried?.err()?;
        Some(setup.about(Finding::error(Id::FileUnusable, format!("{}: {error}", label(setup, name))), name))
    };
    tried.into_iter().filter_map(unusable).collect()
}

/// The instance in force cannot be had: it is not there, its cache is refused, or nothing was fetched yet. Where files
/// take the place of both its documents, nobody misses it.
fn instance_unusable(setup: &Setup) -> Option<Finding> {
    let settings = setup.settings();
    if settings.need_no_instance() {
        return None;
    }
    let documents = Documents::in_force(settings, setup.now);
    let error = documents.and_then(|documents| documents.check()).err()?;
    let finding = Finding::error(Id::InstanceUnusable, error.to_string());
    match error {
        CliError::Cache(_) | CliError::Instance(StoreError::NeverFetched(_)) => {
            Some(finding.fix("gitseal trust update"))
        }
        _ => Some(setup.about(finding, Name::Instance)),
    }
}

fn label(setup: &Setup, name: Name) -> String {
    setup.counting(name).map_or_else(|| name.setting().label(), |located| located.name)
}

/// The token that signing would use, if it could be used now.
///
/// # Errors
/// There is none, or it is of no use.
pub(super) fn token(setup: &Setup) -> Result<IdToken, CliError> {
    usable(setup, &setup.settings().token)
}

fn usable(setup: &Setup, sources: &TokenSources) -> Result<IdToken, CliError> {
    let token = signing::token(sources)?;
    token.check(&signing::client_id(setup.settings(), setup.now), setup.now)?;
    Ok(token)
}

/// The command takes the useless source away, if another one is behind it; nothing but a new token helps otherwise.
fn token_unusable(setup: &Setup, error: &CliError) -> Finding {
    let sources = &setup.settings().token;
    let finding = Finding::error(Id::TokenUnusable, error.to_string());
    let (name, without) = match signing::token_place(sources) {
        Ok(TokenPlace::Environment(_)) => {
            // Without this variable the one that it overrides would count.
            let values = setup.values(Name::IdToken);
            let next = values.iter().rfind(|value| value.standing == Standing::Overridden);
            let token = next.and_then(|value| String::from_utf8(value.text.clone()?).ok());
            (Name::IdToken, TokenSources { token, ..sources.clone() })
        }
        Ok(TokenPlace::File(_)) if sources.file.is_some() => {
            (Name::IdTokenFile, TokenSources { file: None, ..sources.clone() })
        }
        _ => (Name::TokenProvider, TokenSources { provider: None, ..sources.clone() }),
    };
    let Some(located) = setup.counting(name) else { return finding };
    let finding = finding.at(&located);
    match usable(setup, &without) {
        Ok(_) => finding.fix(setup.commands.unset(&located)),
        Err(_) if matches!(error, CliError::Token(_)) => finding,
        Err(_) => finding.fix(setup.commands.unset(&located)),
    }
}

/// What signing would refuse before it asks anybody. The command is tried out: of the settings that choose services,
/// the first without which it would work.
fn services(setup: &Setup) -> Option<Finding> {
    let settings = setup.settings();
    let error = signing::check(settings).err()?;
    let finding = Finding::error(Id::ServicesUnfit, error.to_string());
    let works_without = |name: Name| {
        let mut changed = settings.clone();
        match name {
            Name::RekorVersion => changed.rekor_version = None,
            Name::RekorMode => changed.rekor_mode = RekorMode::Offline,
            Name::Fulcio => changed.pieces.fulcio = None,
            Name::Rekor => changed.pieces.rekor = None,
            Name::TimestampServerUrl => changed.pieces.timestamp_server = None,
            _ => changed.signing_config = None,
        }
        signing::check(&changed).is_ok()
    };
    let tries =
        [Name::RekorVersion, Name::RekorMode, Name::Fulcio, Name::Rekor, Name::TimestampServerUrl, Name::SigningConfig];
    match tries.into_iter().find(|name| setup.counting(*name).is_some() && works_without(*name)) {
        Some(name) => Some(setup.about(finding, name)),
        None => Some(finding),
    }
}

/// Each pattern that does not compile.
fn patterns(setup: &Setup) -> Vec<Finding> {
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
fn expectation(setup: &Setup, token: Option<&IdToken>) -> Option<Finding> {
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

/// gitseal.matchCommitter is on, and git commits as somebody else than the one who signs.
fn committer(setup: &Setup, token: Option<&IdToken>) -> Option<Finding> {
    if !setup.settings().match_committer {
        return None;
    }
    let signer = token.and_then(address_of).or_else(|| the_only_address(&setup.settings().expected))?;
    let committer = committer_email(setup).filter(|committer| *committer != signer)?;
    let problem = format!("you commit as {committer} and sign as {signer}, and matchCommitter asks for the same");
    Some(set_email(setup, Finding::error(Id::CommitterMismatch, problem), &signer))
}

/// Where the token comes from, in a few words.
#[must_use]
pub(super) fn token_source(setup: &Setup) -> Option<String> {
    let name = match signing::token_place(&setup.settings().token).ok()? {
        TokenPlace::Environment(_) => return Some(format!("the environment variable {}", label(setup, Name::IdToken))),
        TokenPlace::File(path) => path,
    };
    Some(format!("the file {}", Path::display(name)))
}
