//! Asking `git` itself what a name stands for, where gix cannot read the references (reftable) or the objects (a push
//! that is under way).

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

/// What a range stands for: names of commits, with a caret before those that are excluded.
pub(super) fn rev_parse_range(git_dir: &Path, revision: &str) -> Result<Vec<String>, RepoError> {
    lines(git_dir, &["rev-parse", "--quiet", "--end-of-options", revision])?
        .filter(|lines| !lines.is_empty())
        .ok_or_else(|| RepoError::Revision { revision: revision.to_owned(), cause: "git knows no such one".into() })
}

/// Every reference under `prefix` that leads somewhere: its full name, and what it names.
pub(super) fn for_each_ref(git_dir: &Path, prefix: &str) -> Result<Vec<(String, String)>, RepoError> {
    let lines = lines(git_dir, &["for-each-ref", "--format=%(objectname) %(refname)", "--", prefix])?;
    let pair = |line: String| line.split_once(' ').map(|(id, name)| (name.to_owned(), id.to_owned()));
    let pairs = lines.and_then(|lines| lines.into_iter().map(pair).collect());
    pairs.ok_or_else(|| RepoError::Git(std::io::Error::other("git for-each-ref failed")))
}

/// The full name of the reference that `name` stands for, whether it has a commit or not.
pub(super) fn symbolic(git_dir: &Path, name: &str) -> Result<Option<String>, RepoError> {
    git(git_dir, &["symbolic-ref", "--quiet", "--", name])
}

fn git(git_dir: &Path, arguments: &[&str]) -> Result<Option<String>, RepoError> {
    Ok(lines(git_dir, arguments)?.and_then(|mut lines| lines.pop()))
}

/// The lines that git prints; `None` when it fails.
fn lines(git_dir: &Path, arguments: &[&str]) -> Result<Option<Vec<String>>, RepoError> {
    let output = Command::new("git")
        .args(["--no-replace-objects", "-c", "core.commitGraph=false", "--git-dir"])
        .arg(git_dir)
        .args(arguments)
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_GRAFT_FILE", "/dev/null")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .map_err(RepoError::Git)?;
    let text = String::from_utf8_lossy(&output.stdout);
    // `rev-parse --symbolic-full-name` repeats the option that ends the options.
    let lines = text.lines().filter(|line| !line.starts_with("--")).map(str::to_owned).collect();
    Ok(output.status.success().then_some(lines))
}
