//! `gitseal policy lint`: what is wrong with a policy, and what is odd about it.

use clap::Args;
use serde::Serialize;

use super::named::Named;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::cli::streams::Streams;
use crate::cli::world::World;
use crate::crypto::digest::hex;
use crate::policy::lint::{Surroundings, Warning, lint};

/// Say what is wrong with a policy, and what is odd about it.
///
/// Exit codes: 0 nothing is wrong, 1 it does not parse (or, with --strict, something is odd).
#[derive(Debug, Args)]
pub(super) struct Lint {
    /// A policy file, or a revision whose tree has one; else the one in the work tree.
    policy: Option<String>,
    /// Take what is odd for wrong.
    #[arg(long)]
    strict: bool,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

/// The name and version of [`Report`].
const SCHEMA: &str = "gitseal-policy-lint/1";

#[derive(Debug, Serialize)]
struct Report {
    schema: &'static str,
    policy: String,
    version: Option<u64>,
    digest: Option<String>,
    errors: Vec<Remark>,
    warnings: Vec<Remark>,
}

#[derive(Debug, Serialize)]
struct Remark {
    line: usize,
    code: &'static str,
    words: String,
}

impl Lint {
    pub(super) fn run(&self, streams: &mut Streams) -> Result<Exit, CliError> {
        let world = World::read(streams)?;
        let named = Named::find(self.policy.as_deref(), &world)?;
        let label = named.label.display().to_string();
        let mut report = Report {
            schema: SCHEMA,
            policy: label,
            version: None,
            digest: None,
            errors: Vec::new(),
            warnings: Vec::new(),
        };
        let mut sound = String::new();
        match named.policy() {
            Err(CliError::PolicyFile { cause, .. }) => {
                let words = cause.fault.to_string();
                report.errors.push(Remark { line: cause.line, code: "policy-malformed", words });
            }
            Err(error) => return Err(error),
            Ok(policy) => {
                report.version = Some(policy.version);
                report.digest = Some(hex(&policy.digest));
                let remark = |Warning { line, code, words }| Remark { line, code, words };
                report.warnings = with_surroundings(&world, |around| lint(&policy, around, world.now))?
                    .into_iter()
                    .map(remark)
                    .collect();
                let (people, rules) = (policy.principals.len(), policy.rules.len());
                sound = format!("version {}, principals: {people}, rules: {rules}; nothing is odd", policy.version);
            }
        }
        self.print(&report, &sound)?;
        let odd = self.strict && !report.warnings.is_empty();
        Ok(if odd || !report.errors.is_empty() { Exit::Bad } else { Exit::Good })
    }

    fn print(&self, report: &Report, sound: &str) -> Result<(), CliError> {
        if self.json {
            return output::json_line(report);
        }
        let policy = &report.policy;
        for Remark { line, words, .. } in &report.errors {
            output::line(&format!("{policy}:{line}: error: {words}"))?;
        }
        for Remark { line, code, words } in &report.warnings {
            output::line(&format!("{policy}:{line}: warning: {words} ({code})"))?;
        }
        if report.errors.is_empty() && report.warnings.is_empty() {
            output::line(&format!("{policy}: {sound}"))?;
        }
        Ok(())
    }
}

/// Ask with the repository that we are in, if we are in one that has any refs: a new one says nothing.
fn with_surroundings<T>(world: &World, ask: impl FnOnce(Option<&Surroundings<'_>>) -> T) -> Result<T, CliError> {
    let Some(repository) = &world.repository else { return Ok(ask(None)) };
    let references: Vec<String> = repository.references("refs/")?.into_iter().map(|(name, _)| name).collect();
    if references.is_empty() {
        return Ok(ask(None));
    }
    let has_commit = |id: &str| repository.raw_object_by_id(id).is_ok();
    Ok(ask(Some(&Surroundings { references, has_commit: &has_commit })))
}
