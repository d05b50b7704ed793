//! A policy that somebody names: a file, or the one in a commit's tree.

use std::path::{Path, PathBuf};

use crate::cli::authority::{POLICY_PATH, policy_reference};
use crate::cli::error::CliError;
use crate::cli::input;
use crate::cli::world::World;
use crate::format::git::commit_header;
use crate::policy::Policy;
use crate::policy::file::MAX_POLICY_LEN;
use crate::repo::RepoError;

/// The bytes of a policy, and what they are called.
pub(super) struct Named {
    /// A path, or `REVISION:PATH`.
    pub(super) label: PathBuf,
    bytes: Vec<u8>,
}

impl Named {
    /// What `name` names: a file if there is one of that name, else a revision. Without a name, the file in the work
    /// tree; in a bare repository, the policy branch.
    pub(super) fn find(name: Option<&str>, world: &World) -> Result<Self, CliError> {
        match name {
            Some(name) if Path::new(name).exists() => Self::file(Path::new(name)),
            Some(revision) if world.repository.is_some() => Self::at(revision, world),
            Some(name) => Self::file(Path::new(name)),
            None => match work_file(world) {
                Some(path) if path.exists() => Self::file(&path),
                Some(path) => Err(CliError::Usage {
                    problem: format!("there is no policy at {}", path.display()),
                    hint: "'gitseal policy init' writes one; or name a file, or a revision".into(),
                }),
                None => Self::at(&policy_reference(world)?, world),
            },
        }
    }

    fn file(path: &Path) -> Result<Self, CliError> {
        let bytes = input::file(path, "the policy", MAX_POLICY_LEN as u64)?;
        Ok(Named { label: path.to_owned(), bytes })
    }

    fn at(revision: &str, world: &World) -> Result<Self, CliError> {
        let path = path_in_tree(world);
        let bytes = in_tree(revision, world)?.ok_or_else(|| CliError::Usage {
            problem: format!("there is no file {revision:?}, and no policy at {path} in that revision"),
            hint: "name a file, or a revision whose tree has a policy; 'gitseal policy init' writes one".into(),
        })?;
        Ok(Named { label: format!("{revision}:{path}").into(), bytes })
    }

    pub(super) fn policy(&self) -> Result<Policy, CliError> {
        Policy::parse(&self.bytes).map_err(|cause| CliError::PolicyFile { path: self.label.clone(), cause })
    }
}

/// Where the policy lies in a tree.
pub(super) fn path_in_tree(world: &World) -> String {
    world.settings.policy.path.clone().unwrap_or_else(|| POLICY_PATH.to_owned())
}

/// Where the policy lies in the work tree, by a path from here if that is short; `None` in a bare repository.
pub(super) fn work_file(world: &World) -> Option<PathBuf> {
    let path = path_in_tree(world);
    let Some(repository) = &world.repository else { return Some(path.into()) };
    let top = repository.work_tree()?;
    let here = std::env::current_dir().ok().and_then(|here| std::fs::canonicalize(here).ok());
    let at_top = std::fs::canonicalize(top).ok() == here;
    Some(if at_top { path.into() } else { top.join(path) })
}

/// The bytes of the policy in the tree of `revision`; `None` when its tree has none.
pub(super) fn in_tree(revision: &str, world: &World) -> Result<Option<Vec<u8>>, CliError> {
    let repository = world.repository()?;
    let selection = repository.select(&[revision.to_owned()])?;
    let [tip] = selection.tips.as_slice() else {
        let cause = "it names no single commit".to_owned();
        return Err(RepoError::Revision { revision: revision.to_owned(), cause }.into());
    };
    let raw = repository.raw_object_by_id(tip)?;
    let header = commit_header(&raw.bytes)
        .map_err(|error| RepoError::Malformed { id: tip.clone(), cause: error.to_string() })?;
    Ok(repository.blob_at(&header.tree, &path_in_tree(world))?.map(|(_, bytes)| bytes))
}
