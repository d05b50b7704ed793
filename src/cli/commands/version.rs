//! `gitseal version`: which build this is.

use clap::Args;
use serde::Serialize;

use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output;

/// Say which gitseal this is.
#[derive(Debug, Args)]
pub struct Version {
    /// Print a JSON object instead of a line.
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    schema: &'static str,
    name: &'static str,
    version: &'static str,
    os: &'static str,
    architecture: &'static str,
    sandbox: bool,
}

const SCHEMA: &str = "gitseal-version/1";

impl Version {
    pub(super) fn run(&self) -> Result<Exit, CliError> {
        if !self.json {
            output::line(&line())?;
            return Ok(Exit::Good);
        }
        output::json(&Report {
            schema: SCHEMA,
            name: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            os: std::env::consts::OS,
            architecture: std::env::consts::ARCH,
            sandbox: cfg!(feature = "sandbox"),
        })?;
        Ok(Exit::Good)
    }
}

/// `gitseal 0.1.0`, which is also what `gitseal --version` prints, in gpg's manner.
#[must_use]
pub fn line() -> String {
    format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
}
