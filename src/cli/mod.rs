//! The face: arguments, settings, git's program protocol, rendering, exit codes.
//!
//! The only room that reads the environment, the configuration and the terminal, and the only one that prints. A
//! command line that opens with an option is git's and goes to [`gpg`], which is kept short: git waits for it at every
//! commit that `git log --show-signature` shows. Everything else is a person's and goes to [`commands`].

pub mod agent;
pub mod authority;
pub mod ci;
pub mod commands;
pub mod committer;
pub mod config_file;
pub mod disclosure;
pub mod doctor;
pub mod error;
pub mod exit;
pub mod gpg;
pub mod gpg_arguments;
pub mod history;
pub mod input;
pub mod instance;
pub mod judgement;
pub mod login;
pub mod lookup;
#[cfg(test)]
mod man_pages;
pub mod output;
pub mod pins;
pub mod report;
pub mod settings;
pub mod shell;
pub mod signatory;
pub mod signing;
pub mod status;
pub mod streams;
pub mod terminal;
pub mod token;
pub mod trust_cache;
pub mod whole_file;
pub mod world;

use std::ffi::OsString;
use std::process::ExitCode;

use exit::Exit;

/// Run gitseal with the arguments of this process.
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(end_on_panic));
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if gpg_arguments::is_gpg_style(&arguments) { gpg::run(&arguments).into() } else { commands::run(&arguments) }
}

/// End the process at any panic, in any thread. Status lines are written last and at once, so nothing good has been
/// said yet; and nobody further up may catch the panic and go on to say it.
fn end_on_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let mut streams = streams::Streams::stderr();
    streams.error(&format!("internal error at {place}: {}", panic_message(panic)));
    streams.hint("this is a defect of gitseal; please report it with the line above");
    std::process::exit(Exit::Internal as i32);
}

/// What was said with the panic; `PanicHookInfo::payload_as_str` is of Rust 1.91.
fn panic_message<'a>(panic: &'a std::panic::PanicHookInfo<'_>) -> &'a str {
    let payload = panic.payload();
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("panic")
}
