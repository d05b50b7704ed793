//! `gitseal hook pre-receive` and `gitseal hook update`: the gate of a server.
//!
//! Standing input first: all of it is read before anything is judged. Then nothing is good until everything has been
//! judged; any end but 0 makes git refuse the push, a panic and a signal included.

use clap::Args;

use super::gate::Gate as Flags;
use super::report;
use super::surroundings::{self, SignedPush};
use crate::audit::Receipts;
use crate::audit::push::{Gate, Listing, Side};
use crate::cli::authority;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::history;
use crate::cli::judgement::Bench;
use crate::cli::streams::Streams;
use crate::cli::world::World;
use crate::format::ref_update::RefUpdate;

/// Judge a push before any ref moves.
///
/// git runs it in the server's repository, and writes what is pushed to its standard input. See gitseal-hook(1).
#[derive(Debug, Args)]
pub(super) struct PreReceive {
    #[command(flatten)]
    flags: Flags,
}

/// Judge the update of one ref, where the server offers no pre-receive hook.
///
/// git runs it once for each ref that is pushed; those that were judged before have moved by then.
#[derive(Debug, Args)]
pub(super) struct Update {
    /// The full name of the ref.
    reference: String,
    /// Where it is.
    old: String,
    /// Where it shall be.
    new: String,
    #[command(flatten)]
    flags: Flags,
}

impl PreReceive {
    pub(super) fn run(&self, streams: &mut Streams) -> Result<Exit, CliError> {
        let updates = surroundings::updates()?;
        if updates.is_empty() {
            return Err(CliError::Usage {
                problem: "nothing is on standard input, where git lists what is pushed".into(),
                hint: "another hook has read it before; 'gitseal hook install --chain' gives it to both".into(),
            });
        }
        judge(&updates, Listing::Whole, &self.flags, streams)
    }
}

impl Update {
    pub(super) fn run(&self, streams: &mut Streams) -> Result<Exit, CliError> {
        let line = format!("{} {} {}", self.old, self.new, self.reference);
        let update = RefUpdate::parse(line.as_bytes(), 1)
            .map_err(|error| CliError::Usage { problem: error.to_string(), hint: "git runs hooks".into() })?;
        judge(&[update], Listing::Part, &self.flags, streams)
    }
}

fn judge(updates: &[RefUpdate], listing: Listing, flags: &Flags, streams: &mut Streams) -> Result<Exit, CliError> {
    surroundings::refuse_namespace()?;
    let mut world = World::read(streams)?;
    flags.apply(&mut world.settings);
    let repository = world.repository()?;
    let bench = Bench::new(&world)?;
    let signed = SignedPush::read(repository)?;
    let policy = &world.settings.policy;
    let recompute = || history::recomputer(repository);
    let gate = Gate {
        repository,
        judge: bench.judge(&world),
        source: authority::source(policy, Some(repository))?,
        side: Side::Server,
        refs: repository.references("refs/")?.into_iter().collect(),
        policy_ref: match &policy.reference {
            Some(reference) => Some(reference.clone()),
            None => repository.head_name()?,
        },
        recompute: &recompute,
        heads: history::heads(repository)?.into_iter().map(|head| head.id).collect(),
        certificate: signed.as_ref().map(|signed| signed.certificate(&policy.pushees, listing)),
        pgp_keyring: policy.pgp_keyring.clone(),
        now: world.now,
    };
    let receipts = Receipts::open(&repository.common_dir().join("gitseal/receipts"));
    report::judge(&gate, updates, receipts, streams)
}
