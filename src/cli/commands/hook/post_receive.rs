//! `gitseal hook post-receive`: keep the push certificate of a push that was let in, where no push can reach it.
//!
//! git stores a certificate as a blob that nothing refers to, and forgets it after some weeks. Under
//! `refs/gitseal/push-certificates` it can be asked for as long as the repository lives: by the gate, which may have to
//! judge anew what came unsigned under it, and by people.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use clap::Args;

use super::surroundings::{self, SignedPush};
use crate::audit::push::{CERTIFICATES, Listing, check_fresh, path_of};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::streams::Streams;
use crate::cli::world::World;
use crate::format::ref_update::RefUpdate;
use crate::repo::Repository;

/// Two pushes may end at the same time, and one of them finds that the ref has moved.
const ATTEMPTS: usize = 5;

/// Keep what push certificates prove, after a push.
///
/// git runs it in the server's repository, and writes what was pushed to its standard input. Whatever goes wrong, the push
/// has been let in: it says so and ends with 0.
#[derive(Debug, Args)]
pub(super) struct PostReceive {}

impl PostReceive {
    pub(super) fn run(&self, streams: &mut Streams) -> Exit {
        if let Err(error) = keep(streams) {
            streams.warning(&format!("the push certificate is not kept: {error}"));
        }
        Exit::Good
    }
}

fn keep(streams: &mut Streams) -> Result<(), CliError> {
    let updates = surroundings::updates()?;
    let world = World::read(streams)?;
    let repository = world.repository()?;
    let Some(signed) = SignedPush::read(repository)? else { return Ok(()) };
    // What was not made for this push would be a place for anybody's bytes.
    let pushees = &world.settings.policy.pushees;
    if check_fresh(&signed.certificate(pushees, Listing::Part), &updates).is_err() {
        return Ok(());
    }
    let paths: Vec<String> = updates.iter().filter_map(|update: &RefUpdate| path_of(update, &signed.id)).collect();
    if paths.is_empty() {
        return Ok(());
    }
    let mut outcome = Ok(());
    for _ in 0..ATTEMPTS {
        outcome = add(repository, &signed.id, &paths, world.now.as_second());
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// Add the blob `id` at `paths`, in one commit. `git fast-import` takes no ref that has moved meanwhile.
fn add(repository: &Repository, id: &str, paths: &[String], seconds: i64) -> Result<(), CliError> {
    let mut stream =
        format!("commit {CERTIFICATES}\ncommitter gitseal <gitseal> {seconds} +0000\ndata <<END\n{id}\nEND\n");
    if let Some(tip) = repository.reference(CERTIFICATES)? {
        writeln!(stream, "from {tip}").expect("a string takes everything");
    }
    for path in paths {
        writeln!(stream, "M 100644 {id} {path}").expect("a string takes everything");
    }
    let mut git = Command::new("git");
    git.args(["fast-import", "--quiet", "--done"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let failed = |error| CliError::io("run git fast-import", error);
    let mut child = git.spawn().map_err(failed)?;
    // A child that ends early says why on its stderr.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(format!("{stream}done\n").as_bytes()));
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    let cause = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(CliError::Git { command: "fast-import".into(), cause })
}
