//! `gitseal doctor`: what is set up, what is wrong with it, and the command that mends it.

use clap::Args;

use crate::cli::doctor::{Reach, examine};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output;

/// Look at the whole setup, and name each fault with the command that mends it.
///
/// Changes nothing, and without --online opens no connection. Ends with 1 if signing or verifying cannot work, with 0 if
/// nothing is wrong or it is only worth knowing.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Ask each service that signing would use whether it is there.
    #[arg(long)]
    online: bool,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(super) fn run(&self) -> Result<Exit, CliError> {
        let report = examine(if self.online { Reach::Online } else { Reach::Offline })?;
        if self.json {
            output::json(&report)?;
        } else {
            report.print()?;
        }
        Ok(report.exit())
    }
}
