//! Asking `git` itself for a revision, where gix cannot read the reference storage (reftable).

use std::path::Path;
use std::process::{Command, Stdio};

use super::RepoError;

/// The object id, in hexadecimal, that `revision` stands for in the repository at `git_dir`.
pub(super) fn rev_parse(git_dir: &Path, revision: &str) -> Result<String, RepoError> {
    git(git_dir, &["rev-parse", "--verify", "--quiet", "--end-of-options", revision]).and_then(|text| {
        text.ok_or_else(|| RepoError::Revision { revision: revision.to_owned(), cause: "git knows no such one".into() })
    })
}

/// The full name of the reference that `revision` names, if it names one.
pub(super) fn full_ref_name(git_dir: &Path, revision: &str) -> Result<Option<String>, RepoError> {
    Ok(git(git_dir, &["rev-parse", "--symbolic-full-name", "--quiet", "--end-of-options", revision])?
        .filter(|name| name.starts_with("refs/")))
}

fn git(git_dir: &Path, arguments: &[&str]) -> Result<Option<String>, RepoError> {
    let output = Command::new("git")
        .arg("--git-dir")
        .arg(git_dir)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .map_err(RepoError::Git)?;
    let text = String::from_utf8_lossy(&output.stdout);
    // `rev-parse --symbolic-full-name` repeats the option that ends the options.
    let line = text.lines().rfind(|line| !line.starts_with("--")).unwrap_or_default();
    Ok((output.status.success() && !line.is_empty()).then(|| line.to_owned()))
}
