//! `gitseal policy explain`: why a commit passes or does not, step by step: whose policy was in force, which rule, who
//! signed, when, with which right.

use clap::Args;
use serde::Serialize;

use super::step::{self, Explained};
use crate::audit::{Basis, Finding, Source};
use crate::cli::authority::{self, PolicyArgs};
use crate::cli::commands::judging::Judging;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::history::{Question, judge_and_ask};
use crate::cli::judgement::Bench;
use crate::cli::output;
use crate::cli::report::{self, Report};
use crate::cli::streams::{Streams, with_patience};
use crate::cli::world::World;
use crate::crypto::digest::hex;
use crate::repo::{RepoError, Repository, Selection};

/// Tell step by step why a commit passes, or does not.
///
/// Exit codes: 0 it passes, 1 it does not, 3 something is missing to decide, or nothing is claimed about it.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The commit.
    #[arg(default_value = "HEAD")]
    commit: String,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    judging: Judging,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

/// The name and version of [`Explanation`].
const SCHEMA: &str = "gitseal-policy-explanation/1";

/// What is said of a commit that the history does not judge.
const UNCLAIMED: &str = "nothing is claimed about it: it lies before the trust root, before the rule's since, or beside \
                         the line that is judged";

#[derive(Debug, Serialize)]
struct Explanation<'a> {
    schema: &'static str,
    reference: &'a str,
    /// `COMMIT`, or null where one file is the policy.
    trust_root: Option<String>,
    policy: PolicyInForce,
    parents: Vec<Parent>,
    steps: Vec<Step>,
    finding: Report<'a>,
}

#[derive(Debug, Serialize)]
struct PolicyInForce {
    version: u64,
    digest: String,
    /// The parent that left it.
    left_by: Option<String>,
    rule: Option<String>,
    line: Option<usize>,
}

#[derive(Debug, Serialize)]
struct Parent {
    commit: String,
    passed: bool,
    version: u64,
}

#[derive(Debug, Serialize)]
struct Step {
    step: &'static str,
    words: String,
}

impl Explain {
    pub(super) fn run(&self, streams: &mut Streams) -> Result<Exit, CliError> {
        let mut world = World::read(streams)?;
        self.judging.override_settings(&mut world.settings);
        self.policy.override_settings(&mut world.settings.policy);
        let repository = world.repository()?;
        let Some(source) = authority::source(&world.settings.policy, Some(repository))? else {
            return Err(CliError::Usage {
                problem: "no policy: nothing says where authority begins".into(),
                hint: "name a trust root with --policy-root or gitseal.policyRoot, or a file with --policy".into(),
            });
        };
        let reference = self.policy.reference(&world, None)?;
        let commit = one_commit(repository, &self.commit)?;
        let bench = Bench::new(&world)?;
        let tip = end_of(repository, &reference, &commit)?;
        let Some((finding, basis)) = found(&world, &bench, &source, &reference, &tip, &commit)? else {
            return self.unclaimed(&source, &commit);
        };
        let explained = Explained { finding: &finding, basis: &basis, reference: &reference, source: &source };
        self.print(&explained, streams)?;
        Ok(Exit::from(finding.verdict()))
    }

    /// What lies before the trust root, or a `since`, nobody claims anything about; the trust root itself is trusted.
    fn unclaimed(&self, source: &Source, commit: &str) -> Result<Exit, CliError> {
        let (exit, words) = match source {
            Source::Tree { root, .. } if root.commit == commit => {
                (Exit::Good, "it is the trust root: the verifier has named it, and nothing judges it")
            }
            // No yes: a script that asks must not take silence for one.
            _ => (Exit::Undecided, UNCLAIMED),
        };
        if self.json {
            #[derive(Serialize)]
            struct Unclaimed<'a> {
                schema: &'static str,
                commit: &'a str,
                claimed: bool,
                words: &'a str,
            }
            output::json_line(&Unclaimed { schema: SCHEMA, commit, claimed: false, words })?;
        } else {
            output::line(&format!("commit {commit}"))?;
            output::line(words)?;
        }
        Ok(exit)
    }

    fn print(&self, explained: &Explained<'_>, streams: &mut Streams) -> Result<(), CliError> {
        let Explained { finding, basis, reference, source } = explained;
        let steps = step::all(explained);
        if !self.json {
            let id = finding.object.as_deref().unwrap_or(&self.commit);
            let title = finding.title.as_deref().map(|title| format!(" {title}")).unwrap_or_default();
            output::line(&format!("commit {id}{title}"))?;
            for (name, words) in &steps {
                output::line(&format!("{name:<10}{words}"))?;
            }
            report::denial(finding).iter().try_for_each(|line| output::line(line))?;
            report::hints(finding, streams);
            return Ok(());
        }
        output::json_line(&Explanation {
            schema: SCHEMA,
            reference,
            trust_root: match source {
                Source::Tree { root, .. } => Some(root.to_string()),
                Source::Fixed(_) => None,
            },
            policy: PolicyInForce {
                version: basis.policy.version,
                digest: hex(&basis.policy.digest),
                left_by: basis.governing.clone(),
                rule: basis.rule.as_ref().map(|rule| rule.name.clone()),
                line: basis.rule.as_ref().map(|rule| rule.line),
            },
            parents: basis
                .parents
                .iter()
                .map(|left| Parent { commit: left.id.clone(), passed: left.sound, version: left.policy.version })
                .collect(),
            steps: steps.into_iter().map(|(step, words)| Step { step, words }).collect(),
            finding: Report::new(finding, Some(&self.commit)),
        })
    }
}

/// The one commit that a revision names.
fn one_commit(repository: &Repository, revision: &str) -> Result<String, CliError> {
    let selection = repository.select(&[revision.to_owned()])?;
    match (selection.tips.as_slice(), selection.hidden.as_slice()) {
        ([commit], []) => Ok(commit.clone()),
        _ => {
            let cause = "it names no single commit".to_owned();
            Err(RepoError::Revision { revision: revision.to_owned(), cause }.into())
        }
    }
}

/// The tip of the ref if it leads to the commit: exceptions, and who has retired, are told there. Else the commit.
fn end_of(repository: &Repository, reference: &str, commit: &str) -> Result<String, CliError> {
    let Some(tip) =
        repository.references(reference)?.into_iter().find_map(|(name, id)| (name == reference).then_some(id))
    else {
        return Ok(commit.to_owned());
    };
    let left = Selection { tips: vec![commit.to_owned()], hidden: vec![tip.clone()], ..Selection::default() };
    let is_behind = repository.walk(&left, &mut |_| false)?.is_empty();
    Ok(if is_behind { tip } else { commit.to_owned() })
}

/// The finding about `commit` in a history that ends in `tip`, with what its decision stood on; `None` when the history
/// does not judge it.
fn found(
    world: &World,
    bench: &Bench,
    source: &Source,
    reference: &str,
    tip: &str,
    commit: &str,
) -> Result<Option<(Finding, Basis)>, CliError> {
    let (mut finding, mut basis) = (None, None);
    let tips = [tip.to_owned()];
    let question = Question { source, reference, bases: &[], tips: &tips };
    with_patience("judging what leads to it", || {
        judge_and_ask(
            world,
            bench,
            question,
            &mut |one| {
                if one.object.as_deref() == Some(commit) {
                    finding = Some(one);
                }
                Ok(())
            },
            &mut |authority| {
                let header = authority.header(commit)?;
                basis = Some(authority.basis(&header)?);
                Ok(())
            },
        )
    })?;
    Ok(finding.zip(basis))
}
