//! `gitseal policy diff`: what changes from one policy to another, in words.

use clap::Args;
use serde::Serialize;

use super::named::Named;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::cli::streams::Streams;
use crate::cli::world::World;
use crate::crypto::digest::hex;
use crate::policy::Policy;
use crate::policy::changes::{Change, changes};

/// Tell in words what changes from one policy to another.
///
/// Each line says whether the change lets more pass, or less.
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The older policy: a file, or a revision whose tree has one.
    older: String,
    /// The newer policy; else the one in the work tree.
    newer: Option<String>,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

/// The name and version of [`Report`].
const SCHEMA: &str = "gitseal-policy-diff/1";

#[derive(Debug, Serialize)]
struct Report<'a> {
    schema: &'static str,
    older: Side,
    newer: Side,
    changes: Vec<Line<'a>>,
}

#[derive(Debug, Serialize)]
struct Side {
    policy: String,
    version: u64,
    digest: String,
}

#[derive(Debug, Serialize)]
struct Line<'a> {
    effect: &'static str,
    line: usize,
    words: &'a str,
}

impl Diff {
    pub(super) fn run(&self, streams: &mut Streams) -> Result<Exit, CliError> {
        let world = World::read(streams)?;
        let older = Named::find(Some(&self.older), &world)?;
        let newer = Named::find(self.newer.as_deref(), &world)?;
        let (old, new) = (older.policy()?, newer.policy()?);
        let changes = changes(&old, &new);
        if self.json {
            let line = |change: &'_ Change| (change.effect.name(), change.line);
            let lines = changes.iter().map(|change| {
                let (effect, number) = line(change);
                Line { effect, line: number, words: &change.words }
            });
            let report = Report {
                schema: SCHEMA,
                older: side(&older, &old),
                newer: side(&newer, &new),
                changes: lines.collect(),
            };
            output::json_line(&report)?;
            return Ok(Exit::Good);
        }
        if old.version != new.version {
            output::line(&format!("version {} -> {}", old.version, new.version))?;
        }
        for Change { effect, line, words } in &changes {
            output::line(&format!("{:<8}{words} (line {line})", effect.name()))?;
        }
        if changes.is_empty() {
            output::line("nobody may do more or less")?;
        } else if new.version <= old.version {
            // Whoever judges the history refuses such a change, whoever signs it.
            streams.warning(&format!(
                "the version went from {} to {}: it must rise with every change",
                old.version, new.version
            ));
        }
        Ok(Exit::Good)
    }
}

fn side(named: &Named, policy: &Policy) -> Side {
    Side { policy: named.label.display().to_string(), version: policy.version, digest: hex(&policy.digest) }
}
