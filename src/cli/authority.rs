//! Where the policy comes from: flags, then settings. Never the tree that is judged, and never the repository's own
//! configuration.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::error::CliError;
use super::input;
use super::settings::PolicySettings;
use super::world::World;
use crate::audit::{Source, TrustRoot};
use crate::policy::Policy;
use crate::repo::Repository;

/// No policy file is longer, in bytes.
const MAX_POLICY_LEN: u64 = 1 << 20;
/// No file of trust roots is longer, in bytes: ten thousand repositories.
const MAX_ROOTS_LEN: u64 = 4 << 20;

/// Where the policy lies in a tree, unless the user says otherwise.
pub const POLICY_PATH: &str = ".gitseal/policy.toml";

/// The flags that say which policy.
#[derive(Debug, Clone, Default, Args)]
pub struct PolicyArgs {
    /// Begin at this commit, whose policy is authority for what comes after: COMMIT or COMMIT:sha256:DIGEST.
    #[arg(long, value_name = "ROOT", conflicts_with = "policy")]
    policy_root: Option<String>,
    /// Judge every commit by the policy in this file.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Where the policy lies in a tree.
    #[arg(long, value_name = "PATH")]
    policy_path: Option<String>,
    /// Judge for this ref, by its full name.
    #[arg(long = "ref", value_name = "REF")]
    reference: Option<String>,
}

impl PolicyArgs {
    /// Let the flags take the place of the settings.
    pub fn override_settings(&self, settings: &mut PolicySettings) {
        if self.policy_root.is_some() || self.policy.is_some() {
            settings.root.clone_from(&self.policy_root);
            settings.file.clone_from(&self.policy);
            settings.roots = None;
        }
        if self.policy_path.is_some() {
            settings.path.clone_from(&self.policy_path);
        }
    }

    /// The ref that is asked about: the flag's, else `otherwise`, else the policy branch's, else what `HEAD` names.
    ///
    /// # Errors
    /// There is no such name, or it is not a full one.
    pub fn reference(&self, world: &World, otherwise: Option<&str>) -> Result<String, CliError> {
        match self.reference.as_deref().or(otherwise) {
            Some(reference) => full_name(reference),
            None => policy_reference(world),
        }
    }
}

/// The branch whose policy is the repository's.
///
/// # Errors
/// None is named, and `HEAD` names none either.
pub fn policy_reference(world: &World) -> Result<String, CliError> {
    if let Some(reference) = &world.settings.policy.reference {
        return full_name(reference);
    }
    world.repository()?.head_name()?.ok_or_else(|| CliError::Usage {
        problem: "HEAD names no branch, so it is not known which ref to judge for".into(),
        hint: "name it: --ref refs/heads/main, or gitseal.policyRef".into(),
    })
}

fn full_name(reference: &str) -> Result<String, CliError> {
    if reference.starts_with("refs/") {
        return Ok(reference.to_owned());
    }
    Err(CliError::Usage {
        problem: format!("{reference:?} is not the full name of a ref"),
        hint: format!("write refs/heads/{reference}, or refs/tags/{reference}"),
    })
}

/// Where policies come from, if anybody has said; `None` when nobody has.
///
/// # Errors
/// What was said makes no sense, or a file cannot be read.
pub fn source(settings: &PolicySettings, repository: Option<&Repository>) -> Result<Option<Source>, CliError> {
    if let Some(file) = &settings.file {
        return Ok(Some(Source::Fixed(Arc::new(policy_file(file)?))));
    }
    let path = settings.path.clone().unwrap_or_else(|| POLICY_PATH.to_owned());
    let root = match (&settings.root, &settings.roots, repository) {
        (Some(root), _, _) => Some(root.clone()),
        (None, Some(file), Some(repository)) => root_from(file, repository.common_dir())?,
        _ => None,
    };
    let Some(root) = root else { return Ok(None) };
    let root: TrustRoot = root.parse().map_err(|error| CliError::Usage {
        problem: format!("{error}"),
        hint: "'gitseal policy init' prints the trust root".into(),
    })?;
    Ok(Some(Source::Tree { root, path }))
}

/// Read a policy file.
///
/// # Errors
/// It cannot be read, or does not parse.
pub fn policy_file(path: &Path) -> Result<Policy, CliError> {
    let bytes = input::file(path, "the policy", MAX_POLICY_LEN)?;
    Policy::parse(&bytes).map_err(|cause| CliError::PolicyFile { path: path.to_owned(), cause })
}

/// The line for the repository at `git_dir` in a file of trust roots.
fn root_from(file: &Path, git_dir: &Path) -> Result<Option<String>, CliError> {
    let bytes = input::file(file, "the file of trust roots", MAX_ROOTS_LEN)?;
    let text = String::from_utf8_lossy(&bytes);
    let here = std::fs::canonicalize(git_dir).unwrap_or_else(|_| git_dir.to_owned());
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (place, root) = line.rsplit_once(' ').ok_or_else(|| CliError::Usage {
            problem: format!("{} has a line without a trust root: {line:?}", file.display()),
            hint: "each line is the absolute path of a git directory, a space, and a trust root".into(),
        })?;
        let place = Path::new(place.trim());
        if std::fs::canonicalize(place).is_ok_and(|place| place == here) {
            return Ok(Some(root.to_owned()));
        }
    }
    Ok(None)
}
