//! `gitseal ci`: judge what a job is about, and tell the platform in its own forms.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::judging::Judging;
use crate::audit::range::judge_all;
use crate::audit::{Finding, Source};
use crate::cli::authority::{self, PolicyArgs};
use crate::cli::ci::{
    Base, Occasion, OccasionError, Outcome, Platform, annotations, code_quality, event, junit, log, occasion, sarif,
    summary,
};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::history::{self, Question};
use crate::cli::input;
use crate::cli::judgement::Bench;
use crate::cli::output;
use crate::cli::report::Report;
use crate::cli::settings::Expected;
use crate::cli::streams::Streams;
use crate::cli::whole_file::{self, Growing};
use crate::cli::world::World;
use crate::format::git::{Object, ObjectKind, SecondSignature, tag_header};
use crate::repo::{RawObject, RepoError, Repository, Selection};
use crate::verify::Verdict;

/// The remote whose branches the platforms' clones have: all of them call it so.
const REMOTE: &str = "origin";

/// Judge what a CI job is about: the commits of a push, of a pull request, of a tag.
///
/// Finds out by itself which commits are new on GitHub, GitLab, Gitea, Forgejo, Jenkins and Buildkite, and under
/// pre-commit. See gitseal-ci(1) for a whole job of each.
#[derive(Debug, Args)]
pub struct Ci {
    /// The last commit that is not new; else the platform says it.
    #[arg(long, value_name = "REVISION")]
    base: Option<String>,
    /// The new tip; else the platform says it.
    #[arg(long, value_name = "REVISION")]
    head: Option<String>,
    /// Let it pass when there is nothing to judge.
    #[arg(long)]
    allow_empty: bool,
    /// Write SARIF 2.1.0, for code scanning.
    #[arg(long, value_name = "FILE")]
    sarif: Option<PathBuf>,
    /// Write JUnit's XML, each commit a test.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write GitLab's code quality report.
    #[arg(long, value_name = "FILE")]
    code_quality: Option<PathBuf>,
    /// Write what 'gitseal verify --json' prints, a line for each commit.
    #[arg(long, value_name = "FILE")]
    json_lines: Option<PathBuf>,
    #[command(flatten)]
    judging: Judging,
    #[command(flatten)]
    policy: PolicyArgs,
}

/// What is judged: a range, and the tag that leads to it.
struct Task {
    /// As people write it.
    range: String,
    reference: String,
    tag: Option<RawObject>,
    selection: Selection,
}

impl Ci {
    pub(super) fn run(&self, streams: &mut Streams) -> Result<Exit, CliError> {
        let platform = Platform::detect(&variable);
        let judged = self.judge_and_tell(platform, streams);
        if let Err(error) = &judged
            && platform.is_some_and(Platform::speaks_github)
        {
            output::line(&annotations::failure(&error.to_string(), error.hint().as_deref()))?;
        }
        judged
    }

    fn judge_and_tell(&self, platform: Option<Platform>, streams: &mut Streams) -> Result<Exit, CliError> {
        let mut world = World::read(streams)?;
        self.judging.override_settings(&mut world.settings);
        self.policy.override_settings(&mut world.settings.policy);
        let source = authority::source(&world.settings.policy, world.repository.as_ref())?;
        if source.is_some() {
            // Where there is a policy it alone says who may sign.
            world.settings.expected = Expected::default();
        }
        if source.is_none() && world.settings.expected.is_empty() {
            return Err(CliError::Usage {
                problem: "nobody has said who may sign, so everybody could".into(),
                hint: "name them: --policy-root, or --certificate-identity and --certificate-oidc-issuer; see gitseal-ci(1)".into(),
            });
        }
        let repository = world.repository()?;
        let task = self.task(platform, repository)?;
        let mut outcome = Outcome::new(&task.range, &task.reference, authority::POLICY_PATH);
        let mut lines = self.json_lines.as_deref().map(|path| Growing::begin(path).map_err(cannot_write(path)));
        let mut lines = lines.take().transpose()?;
        let mut exit = Exit::Good;
        self.judge(&world, source.as_ref(), repository, &task, &mut |finding: &Finding| {
            exit = exit.worse(Exit::from(finding.verdict()));
            outcome.add(finding);
            match (&mut lines, &self.json_lines) {
                (Some(file), Some(path)) => {
                    let line = output::json_bytes(&Report::new(finding, None))?;
                    file.write(&line).map_err(cannot_write(path))
                }
                _ => Ok(()),
            }
        })?;
        for line in log::lines(&outcome) {
            output::line(&line)?;
        }
        if let (Some(file), Some(path)) = (lines, &self.json_lines) {
            file.finish().map_err(cannot_write(path))?;
        }
        self.write_files(&outcome)?;
        if platform.is_some_and(Platform::speaks_github) {
            for line in annotations::lines(&outcome) {
                output::line(&line)?;
            }
            append_summary(&outcome)?;
        }
        if outcome.tally.total() == 0 && !self.allow_empty {
            return Err(OccasionError::Empty { range: task.range }.into());
        }
        Ok(exit)
    }

    fn judge(
        &self,
        world: &World,
        source: Option<&Source>,
        repository: &Repository,
        task: &Task,
        on: &mut dyn FnMut(&Finding) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let bench = Bench::new(world)?;
        if let Some(source) = source {
            return self.judge_by_policy(world, &bench, source, repository, task, on);
        }
        if let Some(tag) = &task.tag {
            let mut finding = bench.object(world, tag);
            finding.title = tag_header(&tag.bytes).ok().map(|header| header.title);
            on(&finding)?;
        }
        let ids = repository.walk(&task.selection, &mut |_| false)?;
        judge_all(repository, &bench.judge(world), &ids, &mut |judged| on(&judged.finding))
    }

    /// With a policy what leads to the base is judged too, and told where it has not passed: on it everything stands.
    fn judge_by_policy(
        &self,
        world: &World,
        bench: &Bench,
        source: &Source,
        repository: &Repository,
        task: &Task,
        on: &mut dyn FnMut(&Finding) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let of_task = Some(&task.reference).filter(|reference| reference.starts_with("refs/heads/"));
        let reference = self.policy.reference(world, of_task.map(String::as_str))?;
        if let Some(tag) = &task.tag {
            let finding = bench.object(world, tag);
            let payload = Object::parse(tag.kind, &tag.bytes, SecondSignature::Allowed).map(|object| object.payload);
            match payload {
                Ok(payload) => on(&history::decide_one(world, bench, source, finding, &payload)?)?,
                Err(_) => on(&finding)?,
            }
        }
        let asked: HashSet<String> = repository.walk(&task.selection, &mut |_| false)?.into_iter().collect();
        let Selection { tips, hidden: bases, .. } = &task.selection;
        let question = Question { source, reference: &reference, bases, tips };
        history::judge(world, bench, question, &mut |finding| {
            let is_asked = finding.object.as_ref().is_none_or(|object| asked.contains(object));
            if is_asked || finding.verdict() != Verdict::Good { on(&finding) } else { Ok(()) }
        })
    }

    fn write_files(&self, outcome: &Outcome) -> Result<(), CliError> {
        let write = |path: &Path, content: &[u8]| whole_file::publish(path, content).map_err(cannot_write(path));
        if let Some(path) = &self.sarif {
            write(path, &output::json_bytes(&sarif::log(outcome))?)?;
        }
        if let Some(path) = &self.junit {
            write(path, junit::document(outcome).as_bytes())?;
        }
        if let Some(path) = &self.code_quality {
            write(path, &output::json_bytes(&code_quality::report(outcome))?)?;
        }
        Ok(())
    }

    /// What there is to judge, once all of it is known to be here.
    fn task(&self, platform: Option<Platform>, repository: &Repository) -> Result<Task, CliError> {
        let Occasion { head, base, reference } = self.occasion(platform)?;
        let reference = reference.unwrap_or_default();
        if repository.is_shallow() {
            return Err(OccasionError::Shallow { platform }.into());
        }
        let tip = self.tip(repository, &head, &reference)?;
        let (from, hidden) = match base {
            Base::Nothing => (String::new(), Vec::new()),
            Base::Commit(base) => {
                let fetch = format!("git fetch {REMOTE} {base}");
                let id = existing(repository, &base).ok_or(OccasionError::BaseMissing { base, fetch, platform })?;
                (id.clone(), vec![id])
            }
            Base::Branch(branch) => {
                let id = branch_tip(repository, &branch, &reference).ok_or_else(|| OccasionError::BaseMissing {
                    fetch: format!("git fetch {REMOTE} {branch}:refs/remotes/{REMOTE}/{branch}"),
                    base: branch,
                    platform,
                })?;
                (id.clone(), vec![id])
            }
            Base::Unknown => {
                let what = platform.map_or("the environment", Platform::name);
                return Err(OccasionError::NoRange { what: what.to_owned() }.into());
            }
        };
        let range = match from.get(..12) {
            Some(from) => format!("{from}..{}", short(&tip.id)),
            None => short(&tip.id).to_owned(),
        };
        let revisions: Vec<String> =
            std::iter::once(tip.id.clone()).chain(hidden.iter().map(|id| format!("^{id}"))).collect();
        let selection = repository.select(&revisions)?;
        let tag = (tip.kind == ObjectKind::Tag).then_some(tip);
        Ok(Task { range, reference, tag, selection })
    }

    /// What the platform says, with the options in the place of what they name.
    fn occasion(&self, platform: Option<Platform>) -> Result<Occasion, CliError> {
        let told = match platform {
            Some(platform) => Some(occasion::of(platform, &variable, event_file(platform)?.as_deref())),
            None => None,
        };
        let mut occasion = match told {
            Some(Ok(occasion)) => occasion,
            // The one thing that cannot be done without is said.
            Some(Err(error)) if self.base.is_none() => return Err(error.into()),
            _ => Occasion { head: "HEAD".to_owned(), base: Base::Unknown, reference: None },
        };
        if let Some(head) = &self.head {
            occasion.head.clone_from(head);
        }
        if let Some(base) = &self.base {
            occasion.base = Base::Commit(base.clone());
        }
        Ok(occasion)
    }

    fn tip(&self, repository: &Repository, head: &str, reference: &str) -> Result<RawObject, CliError> {
        let missing = || {
            let wanted =
                if reference.starts_with("refs/tags/") { format!("{reference}:{reference}") } else { head.to_owned() };
            OccasionError::HeadMissing { head: head.to_owned(), fetch: format!("git fetch {REMOTE} {wanted}") }
        };
        match repository.raw_object(head) {
            Ok(mut tip) => {
                // A tag that the platform names by its id is that of the ref.
                if tip.tag_name.is_none() && tip.kind == ObjectKind::Tag {
                    tip.tag_name = reference.strip_prefix("refs/tags/").map(str::to_owned);
                }
                Ok(tip)
            }
            Err(RepoError::Missing { .. } | RepoError::Revision { .. }) => Err(missing().into()),
            Err(error) => Err(error.into()),
        }
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The event file of platforms that have one and say where.
fn event_file(platform: Platform) -> Result<Option<Vec<u8>>, CliError> {
    let path = variable("GITHUB_EVENT_PATH").filter(|path| platform.speaks_github() && !path.is_empty());
    path.map(|path| input::file(Path::new(&path), "the event file", event::EVENT_LEN_MAX)).transpose()
}

fn existing(repository: &Repository, revision: &str) -> Option<String> {
    repository.raw_object(revision).ok().map(|object| object.id)
}

/// The tip of a branch of the remote; where a clone has none, of a local branch that is not the one that is judged.
fn branch_tip(repository: &Repository, branch: &str, reference: &str) -> Option<String> {
    let remote = existing(repository, &format!("refs/remotes/{REMOTE}/{branch}"));
    let local = format!("refs/heads/{branch}");
    remote.or_else(|| if local == reference { None } else { existing(repository, &local) })
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

fn cannot_write(path: &Path) -> impl Fn(std::io::Error) -> CliError {
    move |error| CliError::io(format!("write {}", path.display()), error)
}

/// Add to the step's summary: other commands of the step may have written there before.
fn append_summary(outcome: &Outcome) -> Result<(), CliError> {
    let Some(path) = variable("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else { return Ok(()) };
    let path = Path::new(&path);
    let open = OpenOptions::new().append(true).create(true).open(path);
    let mut file = open.map_err(cannot_write(path))?;
    let already = file.metadata().map_or(0, |file| usize::try_from(file.len()).unwrap_or(usize::MAX));
    // In one piece: nobody reads half a summary.
    file.write_all(summary::markdown(outcome, already).as_bytes()).map_err(cannot_write(path))
}
