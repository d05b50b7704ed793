//! `gitseal policy`: write the file that says who may do what, look at it, try it, and ask what it decides.

mod diff;
mod explain;
mod init;
mod lint;
mod named;
mod step;
mod test;

use clap::{Args, Subcommand};

use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::streams::Streams;

/// Write, check, try and explain the policy: who may do what in a repository.
#[derive(Debug, Args)]
pub struct PolicyCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a first policy for this repository, and tell how to make others go by it.
    Init(init::Init),
    /// Say what is wrong with a policy, and what is odd about it.
    Lint(lint::Lint),
    /// Tell in words what changes from one policy to another.
    Diff(diff::Diff),
    /// Try a policy with cases that it must allow or deny.
    Test(test::Test),
    /// Tell step by step why a commit passes, or does not.
    Explain(Box<explain::Explain>),
}

impl PolicyCommand {
    pub(super) fn run(&self, streams: &mut Streams) -> Result<Exit, CliError> {
        match &self.command {
            Command::Init(init) => init.run(streams),
            Command::Lint(lint) => lint.run(streams),
            Command::Diff(diff) => diff.run(streams),
            Command::Test(test) => test.run(streams),
            Command::Explain(explain) => explain.run(streams),
        }
    }
}
