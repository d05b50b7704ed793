//! git's program protocol: sign a payload, or judge a detached signature, in the manner of gpg.

use std::ffi::OsString;

use super::commands;
use super::commands::version;
use super::error::CliError;
use super::exit::Exit;
use super::gpg_arguments::{self, GpgRequest};
use super::output;
use super::streams::Streams;

/// Do what the command line of a signature program asks for.
pub fn run(arguments: &[OsString]) -> Exit {
    let outcome = match gpg_arguments::parse(arguments) {
        Err(error) => Err(error.into()),
        Ok(GpgRequest::Help) => Ok(commands::help()),
        Ok(GpgRequest::Version) => output::line(&version::line()).map(|()| Exit::Good),
        Ok(GpgRequest::Sign { .. } | GpgRequest::Verify { .. }) => Err(CliError::Usage {
            problem: "this build cannot sign or verify".into(),
            hint: "build a later one".into(),
        }),
    };
    outcome.unwrap_or_else(|error| error.report(&mut Streams::stderr()))
}
