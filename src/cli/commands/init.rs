//! `gitseal init`: git configuration that makes git sign with gitseal, and the way back.
//!
//! What a key held before is kept beside it, as `gitseal.saved.KEY`, in the same file; `--undo` puts it back. Both can be
//! repeated. `git config` does the writing: it knows the file, the lock and the includes.

use std::path::Path;

use clap::Args;

use crate::cli::config_file::ConfigFile;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output;

/// Make git sign with gitseal, or undo that.
///
/// Writes gpg.format, gpg.x509.program, commit.gpgSign, tag.gpgSign and push.gpgSign, shows each change, and remembers
/// what was there.
#[derive(Debug, Args)]
pub struct Init {
    /// For all repositories of this user.
    #[arg(long, conflicts_with = "local")]
    global: bool,
    /// For this repository only (the default).
    #[arg(long)]
    local: bool,
    /// Put back what was there before.
    #[arg(long)]
    undo: bool,
}

/// What `gitseal.saved.KEY` holds for a key that was not set at all.
const UNSET: &str = "(unset)";

impl Init {
    pub(super) fn run(&self) -> Result<Exit, CliError> {
        let file = if self.global { ConfigFile::global() } else { ConfigFile::local("gitseal init --global")? };
        let program = std::env::current_exe().map_err(|e| CliError::io("find my own path", e))?;
        let program = program.into_os_string().into_string().map_err(|_| CliError::Usage {
            problem: "the path of this program is not UTF-8, and git could not call it".into(),
            hint: "install gitseal under another path".into(),
        })?;
        for (key, value) in wanted(&program) {
            let change = if self.undo { undo(&file, key, value)? } else { set(&file, key, value)? };
            output::line(&change)?;
        }
        if !self.undo {
            output::line("")?;
            output::line("git commit and git tag now sign; 'git log --show-signature' verifies.")?;
            output::line("Say whom you expect, so that git trusts them and refuses everybody else:")?;
            output::line("  git config --global --add gitseal.certificateIdentity YOU@EXAMPLE.COM")?;
            output::line("  git config --global --add gitseal.certificateOidcIssuer https://github.com/login/oauth")?;
        }
        Ok(Exit::Good)
    }
}

/// The keys that `init` sets, in the order it shows them.
fn wanted(program: &str) -> [(&'static str, &str); 5] {
    [
        ("gpg.format", "x509"),
        ("gpg.x509.program", program),
        ("commit.gpgSign", "true"),
        ("tag.gpgSign", "true"),
        ("push.gpgSign", "if-asked"),
    ]
}

fn saved_key(key: &str) -> String {
    format!("gitseal.saved.{key}")
}

fn set(file: &ConfigFile, key: &str, value: &str) -> Result<String, CliError> {
    let before = file.values(key)?;
    if before == [value] {
        return Ok(format!("{key} = {value} (unchanged)"));
    }
    // What was there before the first `init` counts, not what an earlier `init` wrote.
    if file.values(&saved_key(key))?.is_empty() {
        let before: &[String] = if before.is_empty() { &[UNSET.to_owned()] } else { &before };
        file.replace(&saved_key(key), before)?;
    }
    file.replace(key, &[value.to_owned()])?;
    Ok(match before.as_slice() {
        [] => format!("{key} = {value} (was not set)"),
        before => format!("{key} = {value} (was: {})", before.join(", ")),
    })
}

fn undo(file: &ConfigFile, key: &str, ours: &str) -> Result<String, CliError> {
    let saved = file.values(&saved_key(key))?;
    let now = file.values(key)?;
    let change = match saved.as_slice() {
        [] => return Ok(format!("{key} is not of gitseal's making (unchanged)")),
        _ if !matches!(now.as_slice(), [now] if is_ours(now, ours)) => {
            format!("{key} was changed since (unchanged)")
        }
        [unset] if unset == UNSET => {
            file.replace(key, &[])?;
            format!("{key} is not set any more")
        }
        values => {
            file.replace(key, values)?;
            format!("{key} = {} again", values.join(", "))
        }
    };
    file.replace(&saved_key(key), &[])?;
    Ok(change)
}

/// Whether `init` wrote `value`: it is what it would write, or a gitseal that has since moved.
fn is_ours(value: &str, ours: &str) -> bool {
    value == ours || (Path::new(ours).is_absolute() && Path::new(value).file_name() == Path::new(ours).file_name())
}
