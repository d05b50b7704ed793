//! `gitseal policy test`: a policy tried with cases that it must allow or deny.

use std::path::PathBuf;

use clap::Args;

use super::named::Named;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::input;
use crate::cli::output;
use crate::cli::streams::Streams;
use crate::cli::world::World;
use crate::policy::fixture::{Case, MAX_FIXTURE_LEN};

/// Try a policy with cases that it must allow or deny.
///
/// Exit codes: 0 each came out as it should, 1 one did not. gitseal-policy(1) shows what a file of cases looks like.
#[derive(Debug, Args)]
pub(super) struct Test {
    /// Files of cases.
    #[arg(required = true)]
    file: Vec<PathBuf>,
    /// The policy: a file, or a revision whose tree has one; else the one in the work tree.
    #[arg(long, value_name = "POLICY")]
    policy: Option<String>,
}

impl Test {
    pub(super) fn run(&self, streams: &mut Streams) -> Result<Exit, CliError> {
        let world = World::read(streams)?;
        let policy = Named::find(self.policy.as_deref(), &world)?.policy()?;
        let (mut passed, mut failed) = (0, 0);
        for path in &self.file {
            let bytes = input::file(path, "the cases", MAX_FIXTURE_LEN as u64)?;
            let cases = Case::parse_all(&bytes).map_err(|cause| CliError::Usage {
                problem: format!("{}, {cause}", path.display()),
                hint: "gitseal-policy(1) shows what a file of cases holds".into(),
            })?;
            for case in cases {
                match case.difference(&case.decide(&policy)) {
                    None => passed += 1,
                    Some(difference) => {
                        failed += 1;
                        output::line(&format!("{}:{}: {}: {difference}", path.display(), case.line, case.name))?;
                    }
                }
            }
        }
        output::line(&format!("{passed} as they should be, {failed} not"))?;
        Ok(if failed == 0 { Exit::Good } else { Exit::Bad })
    }
}
