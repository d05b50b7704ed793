//! `gitseal hook install`: put hooks in place without touching what is there, or take them away again.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;

use super::Event;
use super::config_hook;
use super::gate::{Gate, text, word};
use super::hook_file::{HookFile, Standing};
use crate::cli::config_file::ConfigFile;
use crate::cli::doctor::Git;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::cli::streams::Streams;
use crate::cli::world;
use crate::repo::{RepoError, Repository};

/// Put hooks in place, beside what is there, or take them away.
///
/// Uses git's configuration where git runs hooks from there (2.54), files in the hooks folder before that. Flags beside
/// these are written into the hook.
#[derive(Debug, Args)]
pub(super) struct Install {
    /// Which hooks; in a bare repository pre-receive and post-receive, in a clone pre-push.
    #[arg(value_enum)]
    hook: Vec<Event>,
    /// Take gitseal's hooks away, and put back what was there before.
    #[arg(long)]
    uninstall: bool,
    /// Where there is a hook already, let both decide: gitseal first.
    #[arg(long)]
    chain: bool,
    /// Write files, even if this git takes hooks from its configuration.
    #[arg(long)]
    files: bool,
    #[command(flatten)]
    gate: Gate,
}

impl Install {
    pub(super) fn run(&self, streams: &mut Streams) -> Result<Exit, CliError> {
        let directory = std::env::current_dir().map_err(|e| CliError::io("find the current directory", e))?;
        let repository = Repository::discover(&directory, &|name| std::env::var_os(name))?;
        let file = ConfigFile::local("gitseal hook install")?;
        let folder = hooks_folder(&directory)?;
        if self.uninstall {
            return self.take_away(&file, &folder);
        }
        let events = match self.hook.as_slice() {
            [] if repository.work_tree().is_none() => vec![Event::PreReceive, Event::PostReceive],
            [] => vec![Event::PrePush],
            chosen => chosen.to_vec(),
        };
        self.check_ground(&repository, &events, streams)?;
        let by_config = !self.files && Git::find().is_some_and(|git| git.is_at_least(config_hook::FIRST_WITH_HOOKS));
        // All or nothing: a gate of which half stands looks like a gate.
        let plans =
            events.iter().map(|event| Ok((*event, self.command(*event)?))).collect::<Result<Vec<_>, CliError>>()?;
        if !by_config {
            warn_of_shared_folder(&file, &folder, streams)?;
            for (event, command) in &plans {
                self.check_room(&HookFile::new(&folder, *event), *event, command)?;
            }
        }
        for (event, command) in &plans {
            if by_config {
                config_hook::put(&file, *event, command)?;
                output::line(&format!("{}: {command}", event.name()))?;
            } else {
                let hook = HookFile::new(&folder, *event);
                if hook.standing() == Standing::Foreign {
                    output::line(&format!("{} keeps what was there", hook.move_aside()?.display()))?;
                }
                hook.put(command)?;
                output::line(&format!("{}: {command}", hook.path().display()))?;
            }
        }
        Ok(Exit::Good)
    }

    /// The line that the hook runs.
    fn command(&self, event: Event) -> Result<String, CliError> {
        let program = std::env::current_exe().map_err(|e| CliError::io("find my own path", e))?;
        let mut words = vec![word(&text(program.into_os_string())?)?, "hook".to_owned(), event.name().to_owned()];
        // What has been let in is written down; nothing is judged any more.
        if event != Event::PostReceive {
            words.extend(self.gate.words()?);
        }
        Ok(words.join(" "))
    }

    /// A gate without anything to go by would refuse everything, and be taken away for that.
    fn check_ground(&self, repository: &Repository, events: &[Event], streams: &mut Streams) -> Result<(), CliError> {
        let (mut settings, _) = world::settings(Some(repository))?;
        self.gate.apply(&mut settings);
        let policy = &settings.policy;
        let there = policy.root.is_some() || policy.roots.is_some() || policy.file.is_some();
        if there || !settings.expected.is_empty() || events == [Event::PostReceive] {
            return Ok(());
        }
        if events == [Event::PrePush] {
            streams.note("without a policy and without anybody expected, any good signature will do");
            return Ok(());
        }
        Err(CliError::Usage {
            problem: "nothing says who may push what: there is no trust root, no policy and nobody expected".into(),
            hint: "'gitseal policy init' prints a trust root for --policy-root; see gitseal-hook(1)".into(),
        })
    }

    fn check_room(&self, hook: &HookFile, event: Event, command: &str) -> Result<(), CliError> {
        if hook.standing() != Standing::Foreign || self.chain {
            return Ok(());
        }
        output::line(&format!("To keep {} as it is, put this at its beginning:", hook.path().display()))?;
        for line in to_add(event, command) {
            output::line(&format!("  {line}"))?;
        }
        Err(CliError::Usage {
            problem: format!("{} is there already, and not of gitseal's making", hook.path().display()),
            hint: "with --chain gitseal decides first, and what is there after it".into(),
        })
    }

    fn take_away(&self, file: &ConfigFile, folder: &Path) -> Result<Exit, CliError> {
        let all = [Event::PreReceive, Event::Update, Event::PostReceive, Event::PrePush];
        let events = if self.hook.is_empty() { all.to_vec() } else { self.hook.clone() };
        let mut any = false;
        for event in events {
            let hook = HookFile::new(folder, event);
            let path = hook.path();
            if hook.remove()? {
                let after = if path.exists() { "is what it was before" } else { "is gone" };
                output::line(&format!("{} {after}", path.display()))?;
                any = true;
            }
            if config_hook::remove(file, event)? {
                output::line(&format!("{}: not in the configuration any more", event.name()))?;
                any = true;
            }
        }
        if !any {
            output::line("there is no hook of gitseal's making")?;
        }
        Ok(Exit::Good)
    }
}

/// The lines by which another hook lets gitseal decide first.
fn to_add(event: Event, command: &str) -> Vec<String> {
    match event {
        Event::Update => vec![format!("{command} \"$@\" || exit")],
        Event::PreReceive | Event::PostReceive | Event::PrePush => vec![
            "lines=$(cat)".to_owned(),
            format!("printf '%s\\n' \"$lines\" | {command} \"$@\" || exit"),
            "exec <<END".to_owned(),
            "$lines".to_owned(),
            "END".to_owned(),
        ],
    }
}

/// Where git looks for hooks, `core.hooksPath` included.
fn hooks_folder(directory: &Path) -> Result<PathBuf, CliError> {
    let mut git = Command::new("git");
    let output = git.args(["rev-parse", "--git-path", "hooks"]).stdin(Stdio::null()).output();
    let output = output.map_err(|error| CliError::io("run git", error))?;
    let said = String::from_utf8(output.stdout).ok().filter(|_| output.status.success());
    match said.as_deref().map(|said| said.trim_end_matches('\n')) {
        Some(path) if !path.is_empty() => Ok(directory.join(path)),
        _ => Err(RepoError::NotFound(directory.to_owned()).into()),
    }
}

/// `core.hooksPath` turns the repository's own folder off, and is often shared by many repositories.
fn warn_of_shared_folder(file: &ConfigFile, folder: &Path, streams: &mut Streams) -> Result<(), CliError> {
    let mut git = Command::new("git");
    let set = git.args(["config", "--get", "core.hooksPath"]).stdin(Stdio::null()).output();
    let set = set.map_err(|error| CliError::io("run git", error))?;
    if set.stdout.is_empty() {
        return Ok(());
    }
    let own = !file.values("core.hooksPath")?.is_empty();
    let of = if own { "this repository's core.hooksPath" } else { "core.hooksPath, which other repositories use too," };
    streams.warning(&format!("{of} names {}: the hook goes there", folder.display()));
    Ok(())
}
