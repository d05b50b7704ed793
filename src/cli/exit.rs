//! Exit codes: part of the interface, described in gitseal(1).

use std::process::ExitCode;

use crate::verify::Verdict;

/// How a run of gitseal ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Good => Exit::Good,
            Verdict::Bad | Verdict::Unsigned => Exit::Bad,
            Verdict::Undecided => Exit::Undecided,
        }
    }
}

impl Exit {
    /// Of two ends the worse one: a proof against something outranks a question that could not be asked.
    #[must_use]
    pub fn worse(self, other: Exit) -> Exit {
        let rank = |exit| match exit {
            Exit::Good => 0,
            Exit::Undecided => 1,
            Exit::Usage => 2,
            Exit::Bad => 3,
            Exit::Internal => 4,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}
