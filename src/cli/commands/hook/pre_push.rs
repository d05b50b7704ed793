//! `gitseal hook pre-push`: what the server's gate would say of the commits, before anything leaves. An early word and no
//! gate: `git push --no-verify` passes by.

use std::collections::BTreeMap;

use clap::Args;
use directories::ProjectDirs;

use super::gate::Gate as Flags;
use super::report;
use super::surroundings::{not_gits, standard_input};
use crate::audit::Receipts;
use crate::audit::push::{Gate, Side};
use crate::audit::receipts::ReceiptsError;
use crate::cli::authority;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::history;
use crate::cli::judgement::Bench;
use crate::cli::streams::Streams;
use crate::cli::world::World;
use crate::format::ref_update::{RefUpdate, is_full_ref_name, is_zero};
use crate::repo::Repository;

/// Judge a push before it leaves: an early word, and no gate.
///
/// git runs it in the clone. Who may make, force back and delete refs is for the server to ask.
#[derive(Debug, Args)]
pub(super) struct PrePush {
    /// The name of the remote, or its address.
    remote: String,
    /// The address that is pushed to.
    url: String,
    #[command(flatten)]
    flags: Flags,
}

impl PrePush {
    pub(super) fn run(&self, streams: &mut Streams) -> Result<Exit, CliError> {
        let updates = updates(&standard_input()?)?;
        if updates.is_empty() {
            return Ok(Exit::Good);
        }
        let mut world = World::read(streams)?;
        self.flags.apply(&mut world.settings);
        let repository = world.repository()?;
        let bench = Bench::new(&world)?;
        let policy = &world.settings.policy;
        let recompute = || history::recomputer(repository);
        let (refs, head) = there(repository, &self.remote, &updates)?;
        let gate = Gate {
            repository,
            judge: bench.judge(&world),
            source: authority::source(policy, Some(repository))?,
            side: Side::Client,
            refs,
            policy_ref: policy.reference.clone().or(head),
            recompute: &recompute,
            heads: history::heads(repository)?.into_iter().map(|head| head.id).collect(),
            certificate: None,
            pgp_keyring: policy.pgp_keyring.clone(),
            now: world.now,
        };
        let exit = report::judge(&gate, &updates, receipts(), streams)?;
        if exit != Exit::Good {
            streams.hint("nothing has left; 'git push --no-verify' lets the server decide alone");
        }
        Ok(exit)
    }
}

/// A person's receipts lie with that person: a repository that came from somewhere else brings no verdicts along.
fn receipts() -> Result<Receipts, ReceiptsError> {
    let directories = ProjectDirs::from("", "", "gitseal");
    let folder = directories.as_ref().map(|dirs| dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir()));
    folder.map_or_else(|| Ok(Receipts::none()), |folder| Receipts::open(&folder.join("receipts")))
}

/// `LOCAL-REF LOCAL-ID REMOTE-REF REMOTE-ID`, a line each (githooks(5)); what is deleted has `(delete)` in the first place.
fn updates(text: &[u8]) -> Result<Vec<RefUpdate>, CliError> {
    let mut lines = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let parts: Vec<&[u8]> = line.strip_suffix(b"\n").unwrap_or(line).split(|byte| *byte == b' ').collect();
        let &[_, new, reference, old] = parts.as_slice() else {
            return Err(not_gits("a line is not 'LOCAL-REF LOCAL-ID REMOTE-REF REMOTE-ID'"));
        };
        lines.push([old, new, reference].join(&b' '));
    }
    let text: Vec<u8> = lines.into_iter().flat_map(|line| [line, b"\n".to_vec()].concat()).collect();
    RefUpdate::parse_lines(&text).map_err(|error| not_gits(&error.to_string()))
}

/// The refs of the other side as far as they are known here: what was fetched last, and what it just said. And the branch
/// that its `HEAD` is on.
fn there(
    repository: &Repository,
    remote: &str,
    updates: &[RefUpdate],
) -> Result<(BTreeMap<String, String>, Option<String>), CliError> {
    let folder = format!("refs/remotes/{remote}/");
    let branch = |name: &str| name.strip_prefix(&folder).map(|name| format!("refs/heads/{name}"));
    let mut refs = BTreeMap::new();
    // A remote without a name is pushed to by its address, and nothing is known of it.
    let is_named = is_full_ref_name(&format!("{folder}x"));
    if is_named {
        for (name, id) in repository.references(&folder)? {
            refs.extend(branch(&name).filter(|name| name != "refs/heads/HEAD").map(|name| (name, id)));
        }
    }
    for update in updates {
        match is_zero(&update.old) {
            true => drop(refs.remove(&update.reference)),
            false => drop(refs.insert(update.reference.clone(), update.old.clone())),
        }
    }
    let head = if is_named { repository.symbolic(&format!("{folder}HEAD"))? } else { None };
    Ok((refs, head.as_deref().and_then(branch).or(repository.head_name()?)))
}
