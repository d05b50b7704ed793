//! `gitseal hook`: what git calls when something is pushed, and putting it in place.

mod config_hook;
mod gate;
mod hook_file;
mod install;
mod post_receive;
mod pre_push;
mod receive;
mod report;
mod surroundings;

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::streams::Streams;

/// Refuse pushes that a policy does not allow.
///
/// See gitseal-hook(1) for what is judged, and gitseal-policy(5) for the policy.
#[derive(Debug, Args)]
pub struct HookArgs {
    #[command(subcommand)]
    command: HookCommand,
}

#[derive(Debug, Subcommand)]
enum HookCommand {
    /// Judge a push before any ref moves.
    PreReceive(receive::PreReceive),
    /// Judge the update of one ref, where the server offers no pre-receive hook.
    Update(receive::Update),
    /// Keep what push certificates prove, after a push.
    PostReceive(post_receive::PostReceive),
    /// Judge a push before it leaves: an early word, and no gate.
    PrePush(pre_push::PrePush),
    /// Put hooks in place, beside what is there, or take them away.
    Install(install::Install),
}

/// A hook of git's that gitseal can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Event {
    /// On the server: the gate.
    PreReceive,
    /// On a server that offers nothing better: the gate, ref by ref.
    Update,
    /// On the server: keeps what push certificates prove.
    PostReceive,
    /// In a clone: an early word.
    PrePush,
}

impl Event {
    /// As git calls it.
    fn name(self) -> &'static str {
        match self {
            Event::PreReceive => "pre-receive",
            Event::Update => "update",
            Event::PostReceive => "post-receive",
            Event::PrePush => "pre-push",
        }
    }
}

impl HookArgs {
    pub(super) fn run(&self, streams: &mut Streams) -> Result<Exit, CliError> {
        match &self.command {
            HookCommand::PreReceive(hook) => hook.run(streams),
            HookCommand::Update(hook) => hook.run(streams),
            HookCommand::PostReceive(hook) => Ok(hook.run(streams)),
            HookCommand::PrePush(hook) => hook.run(streams),
            HookCommand::Install(install) => install.run(streams),
        }
    }
}
