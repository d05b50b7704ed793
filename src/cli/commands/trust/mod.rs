//! `gitseal trust`: who is believed, and how that knowledge is renewed and carried about.

mod export;
mod import;
mod show;
mod update;

use clap::{Args, Subcommand};

use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::streams::Streams;

/// Look at what is believed, and carry it about.
#[derive(Debug, Args)]
pub struct Trust {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fetch the documents in force anew from the TUF repository that vouches for them.
    Update(update::Update),
    /// Tell which instance is in force, how old its documents are, and whom they make believe.
    Show(show::Show),
    /// Write the documents in force to one file, for machines without a connection.
    Export(export::Export),
    /// Take the documents of an instance from a file that 'trust export' wrote.
    Import(import::Import),
}

impl Trust {
    pub(super) fn run(&self, streams: &mut Streams) -> Result<Exit, CliError> {
        match &self.command {
            Command::Update(update) => update.run(streams),
            Command::Show(show) => show.run(streams),
            Command::Export(export) => export.run(streams),
            Command::Import(import) => import.run(streams),
        }
    }
}
