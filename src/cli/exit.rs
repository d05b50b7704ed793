//! Exit codes: part of the interface, described in gitseal(1).

use std::process::ExitCode;

/// How a run of gitseal ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Done; what was judged is good.
    Good = 0,
    /// Judged bad, unsigned, or signed by somebody not expected; or signing failed.
    Bad = 1,
    /// The command line, a setting or the environment is wrong; nothing was judged.
    Usage = 2,
    /// What is there is right as far as it goes, and something is missing to decide.
    Undecided = 3,
    /// gitseal itself failed.
    Internal = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}
