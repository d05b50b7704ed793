//! Whether it would work: the files that settings name, the instance, the services, and who commits.

use std::path::PathBuf;

use super::agent;
use super::expected::{expectation, patterns};
use super::finding::{Finding, Id};
use super::person::{address_of, committer_email, set_email, the_only_address};
use super::setup::Setup;
use super::token::{token, token_unusable};
use crate::cli::error::CliError;
use crate::cli::instance::documents::Documents;
use crate::cli::instance::store::StoreError;
use crate::cli::instance::{self, Choice};
use crate::cli::settings::table::Name;
use crate::cli::settings::{MatchCommitter, Pieces, RekorMode, Settings};
use crate::cli::signing;
use crate::net::Roots;
use crate::service::IdToken;

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
    let token = token.ok().flatten();
    findings.extend(expectation(setup, token.as_ref()));
    findings.extend(identity(setup, token.as_ref()));
    findings.extend(committer(setup, token.as_ref()));
    findings.extend(agent::unusable(setup));
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
        Some(setup.about(Finding::error(Id::FileUnusable, format!("{}: {error}", setup.label(name))), name))
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

/// gitseal.identity says who signs here, and the token that is given is somebody else's.
fn identity(setup: &Setup, token: Option<&IdToken>) -> Option<Finding> {
    let expected = setup.settings().identity.as_deref()?;
    let found = token?.subject().as_str();
    if found == expected {
        return None;
    }
    let problem = format!("the token is for {found}, and {} is {expected}", setup.label(Name::Identity));
    Some(setup.about(Finding::error(Id::IdentityMismatch, problem), Name::Identity))
}

/// gitseal.matchCommitter asks for one person, and git commits as somebody else than the one who signs.
fn committer(setup: &Setup, token: Option<&IdToken>) -> Option<Finding> {
    let finding: fn(Id, String) -> Finding = match setup.settings().match_committer {
        MatchCommitter::Off => return None,
        MatchCommitter::Warn => Finding::warning,
        MatchCommitter::Require => Finding::error,
    };
    let signer = token.and_then(address_of).or_else(|| the_only_address(&setup.settings().expected))?;
    let committer = committer_email(setup).filter(|committer| *committer != signer)?;
    let problem = format!("you commit as {committer} and sign as {signer}, and matchCommitter asks for the same");
    Some(set_email(setup, finding(Id::CommitterMismatch, problem), &signer))
}
