//! A look at the whole setup: what git will call, with which settings, from where each came; and what is wrong with it,
//! each fault with the command that mends it (gitseal-doctor(1)).
//!
//! It stands when everything else falls: a value that means nothing, a file that is gone or a repository that git refuses
//! is a finding and not an error. It changes nothing, runs nothing that a repository names, and without being asked to
//! opens no connection.

mod agent;
mod expected;
mod finding;
mod git;
mod person;
mod place;
mod programs;
mod report;
mod services;
mod settings;
mod setup;
mod signing;
mod token;

pub use finding::{Finding, Id, Severity};
pub use programs::Git;
pub use report::Report;

use setup::Setup;

use super::error::CliError;

/// Whether services may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// They are named, and left alone.
    Offline,
    /// Each is asked whether it is there.
    Online,
}

/// Look at everything.
///
/// # Errors
/// This process does not know where it is; what is wrong with the setup is in the report.
pub fn examine(reach: Reach) -> Result<Report, CliError> {
    let mut findings = Vec::new();
    let Some(setup) = Setup::read(&mut findings)? else { return Ok(Report::without_setup(findings)) };
    git::examine(&setup, &mut findings);
    settings::examine(&setup, &mut findings);
    signing::examine(&setup, &mut findings);
    let mut contacts = services::chosen(&setup).unwrap_or_default();
    if reach == Reach::Online {
        services::ask(&setup, &mut contacts, &mut findings);
    }
    findings.sort_by_key(|finding| finding.severity);
    Ok(Report::new(&setup, contacts, findings))
}
