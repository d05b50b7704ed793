//! A hook as a file in the hooks folder (githooks(5)): ours, somebody else's, or ours in front of somebody else's.
//!
//! What is there is never overwritten. With `--chain` it is renamed, and our file calls it after gitseal has said yes;
//! taking ours away renames it back. A folder `HOOK.d`, which GitLab, Gitea and Forgejo run, is used where there is one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Event;
use crate::cli::error::CliError;
use crate::cli::whole_file;

/// By this line a file is known to be ours.
const MARK: &str = "# Made by 'gitseal hook install'; 'gitseal hook install --uninstall' takes it away.";
/// What the hook that was there before is called while ours stands before it.
const BEFORE: &str = ".before-gitseal";
/// No hook of anybody's is looked at further, in bytes.
const MAX_LOOK: usize = 1 << 16;

/// What stands where a hook would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing.
    Free,
    /// A hook that we made.
    Ours,
    /// Another one.
    Foreign,
}

/// Where a hook is put.
#[derive(Debug)]
pub(super) struct HookFile {
    event: Event,
    /// `hooks/HOOK`.
    path: PathBuf,
}

impl HookFile {
    pub(super) fn new(folder: &Path, event: Event) -> Self {
        HookFile { event, path: folder.join(event.name()) }
    }

    /// Where a hook of ours would be: in the folder that somebody else's hook runs, else in the place itself.
    pub(super) fn path(&self) -> PathBuf {
        match self.folder_in_use() {
            Some(folder) => folder.join("gitseal"),
            None => self.path.clone(),
        }
    }

    /// What is there.
    pub(super) fn standing(&self) -> Standing {
        let path = self.path();
        match look(&path) {
            None if path.symlink_metadata().is_err() => Standing::Free,
            Some(text) if text.lines().any(|line| line == MARK) => Standing::Ours,
            _ => Standing::Foreign,
        }
    }

    /// `HOOK.d`, if it is there and the hook runs what is in it.
    fn folder_in_use(&self) -> Option<PathBuf> {
        let name = format!("{}.d", self.event.name());
        let folder = self.path.with_file_name(&name);
        // Gitea's own hook spells it `hooks/${HOOK}.d` or `hooks/pre-receive.d`.
        let runs = |text: &str| text.contains(&name) || (text.contains(".d\"/") || text.contains(".d/"));
        (folder.is_dir() && look(&self.path).is_some_and(|text| runs(&text))).then_some(folder)
    }

    /// Put the hook there that runs `command`, a line of a shell.
    pub(super) fn put(&self, command: &str) -> Result<(), CliError> {
        let path = self.path();
        let chained = path == self.path && self.before().symlink_metadata().is_ok();
        let text = if chained { self.chained(command) } else { alone(command) };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| CliError::io(format!("make {}", folder.display()), error))?;
        }
        whole_file::publish_program(&path, text.as_bytes())
            .map_err(|error| CliError::io(format!("write {}", path.display()), error))
    }

    /// Make room for ours: the hook that is there gets another name.
    pub(super) fn move_aside(&self) -> Result<PathBuf, CliError> {
        let before = self.before();
        if before.symlink_metadata().is_ok() {
            return Err(CliError::Usage {
                problem: format!("{} is there already", before.display()),
                hint: "it was put aside by an earlier 'gitseal hook install --chain': look which of the two you want"
                    .into(),
            });
        }
        rename(&self.path, &before)?;
        Ok(before)
    }

    /// Take ours away, and give the one before its name again; whether there was one of ours.
    pub(super) fn remove(&self) -> Result<bool, CliError> {
        if self.standing() != Standing::Ours {
            return Ok(false);
        }
        let path = self.path();
        let before = self.before();
        if path == self.path && before.symlink_metadata().is_ok() {
            // In one step: no push comes in between.
            rename(&before, &path)?;
        } else {
            fs::remove_file(&path).map_err(|error| CliError::io(format!("remove {}", path.display()), error))?;
        }
        Ok(true)
    }

    fn before(&self) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(BEFORE);
        name.into()
    }

    /// Ours first: it reads all of what git says and decides quickly; then the one before, with the same input.
    fn chained(&self, command: &str) -> String {
        let before = format!("\"$0{BEFORE}\" \"$@\"");
        match self.event {
            Event::Update => format!("#!/bin/sh\n{MARK}\n{command} \"$@\" || exit\nexec {before}\n"),
            Event::PreReceive | Event::PostReceive | Event::PrePush => format!(
                "#!/bin/sh\n{MARK}\n\
                 # A shell drops newlines at the end of what it reads; the x keeps them.\n\
                 lines=$(cat && echo x)\nlines=${{lines%x}}\n\
                 printf %s \"$lines\" | {command} \"$@\" || exit\n\
                 printf %s \"$lines\" | {before}\n"
            ),
        }
    }
}

fn alone(command: &str) -> String {
    format!("#!/bin/sh\n{MARK}\nexec {command} \"$@\"\n")
}

fn rename(from: &Path, to: &Path) -> Result<(), CliError> {
    fs::rename(from, to).map_err(|error| CliError::io(format!("rename {} to {}", from.display(), to.display()), error))
}

/// The beginning of a hook, if it is a readable file; a program is shown as far as it is text.
fn look(path: &Path) -> Option<String> {
    use io::Read as _;
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(MAX_LOOK as u64).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
