//! A hook as git configuration (`hook.NAME.command` and `hook.NAME.event`, git 2.54): no file to fight over, and other
//! hooks of the same event run beside it.

use super::Event;
use crate::cli::config_file::ConfigFile;
use crate::cli::error::CliError;

/// The first git that runs hooks from its configuration (git: Documentation/RelNotes/2.54.0).
pub(super) const FIRST_WITH_HOOKS: (u32, u32) = (2, 54);

fn key(event: Event, name: &str) -> String {
    format!("hook.gitseal-{}.{name}", event.name())
}

/// Have git run `command`, a line of a shell, for `event`.
pub(super) fn put(file: &ConfigFile, event: Event, command: &str) -> Result<(), CliError> {
    file.replace(&key(event, "command"), &[command.to_owned()])?;
    file.replace(&key(event, "event"), &[event.name().to_owned()])
}

/// Undo that; whether there was anything.
pub(super) fn remove(file: &ConfigFile, event: Event) -> Result<bool, CliError> {
    let there = !file.values(&key(event, "command"))?.is_empty();
    file.replace(&key(event, "command"), &[])?;
    file.replace(&key(event, "event"), &[])?;
    Ok(there)
}
