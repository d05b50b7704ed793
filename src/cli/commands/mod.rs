//! The commands for people: one file each, and the command line that names them.

pub mod agent;
pub mod ci;
pub mod doctor;
pub mod hook;
pub mod init;
pub mod instance;
pub mod judging;
pub mod login;
pub mod policy;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod show;
pub mod trust;
pub mod verify;
pub mod verify_bundle;
pub mod version;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use super::error::CliError;
use super::exit::Exit;
use super::streams::Streams;

/// Keyless signing for git: log in, sign, leave a line in the log, forget the key.
#[derive(Debug, Parser)]
#[command(
    name = "gitseal",
    version,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "git itself runs gitseal as gpg.x509.program, with options first; see gitseal-protocol(7).\n\
                  Exit codes: 0 good, 1 bad or refused, 2 usage or settings, 3 undecided, 4 internal."
)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What people ask for.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Log in once: the agent holds what signs for ten minutes, and never gives a key away.
    Agent(agent::AgentArgs),
    /// Look at the whole setup, and name each fault with the command that mends it.
    Doctor(doctor::Doctor),
    /// Refuse pushes that a policy does not allow.
    Hook(hook::HookArgs),
    /// Log in, and let the agent hold what signs.
    Login(login::Login),
    /// Make an end of a login: in the agent, in the keyring, and at the provider.
    Logout(login::Logout),
    /// Tell who would sign now.
    Whoami(login::Whoami),
    /// Make git sign with gitseal, or undo that.
    Init(init::Init),
    /// Write, check, try and explain the policy: who may do what in a repository.
    Policy(policy::PolicyCommand),
    /// Run a whole Sigstore on this machine, to try things out and for tests.
    #[cfg(feature = "sandbox")]
    Sandbox(sandbox::SandboxArgs),
    /// Judge the signatures of commits and annotated tags.
    Verify(verify::Verify),
    /// Judge what a CI job is about, and tell the platform in its own forms.
    Ci(ci::Ci),
    /// Judge a Sigstore bundle, as the Sigstore conformance suite asks.
    #[command(hide = true)]
    VerifyBundle(verify_bundle::VerifyBundle),
    /// Tell who signed a commit or tag, when, by which clock, and where that is logged.
    Show(show::Show),
    /// Add, choose and list instances of Sigstore.
    Instance(instance::InstanceArgs),
    /// Look at what is believed, and carry it about.
    Trust(trust::Trust),
    /// Say which gitseal this is.
    Version(version::Version),
}

/// Run the command that `arguments` (program name excluded) name. The exit code is an [`Exit`], but for `sandbox run`,
/// which hands on its command's.
pub fn run(arguments: &[OsString]) -> ExitCode {
    let mut streams = Streams::stderr();
    let program = std::iter::once(OsString::from("gitseal"));
    let line = match CommandLine::try_parse_from(program.chain(arguments.iter().cloned())) {
        Ok(line) => line,
        Err(error) => {
            // clap prints help to stdout and complaints to stderr; only the exit code is ours to say.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Good }.into();
        }
    };
    let outcome = match line.command {
        Command::Agent(agent) => agent.run(&mut streams),
        Command::Doctor(doctor) => doctor.run(),
        Command::Hook(hook) => hook.run(&mut streams),
        Command::Login(login) => login.run(&mut streams),
        Command::Logout(logout) => logout.run(&mut streams),
        Command::Whoami(whoami) => whoami.run(&mut streams),
        Command::Init(init) => init.run(),
        Command::Policy(policy) => policy.run(&mut streams),
        #[cfg(feature = "sandbox")]
        Command::Sandbox(arguments) => return sandbox::run(arguments, &mut streams),
        Command::Verify(verify) => verify.run(&mut streams),
        Command::Ci(ci) => ci.run(&mut streams),
        Command::VerifyBundle(verify) => verify.run(&mut streams),
        Command::Show(show) => show.run(&mut streams),
        Command::Instance(instance) => instance.run(&mut streams),
        Command::Trust(trust) => trust.run(&mut streams),
        Command::Version(version) => version.run(),
    };
    outcome.unwrap_or_else(|error: CliError| error.report(&mut streams)).into()
}

/// Print the help that `gitseal --help` asks for.
pub fn help() -> Exit {
    match CommandLine::command().print_long_help() {
        Ok(()) => Exit::Good,
        Err(_) => Exit::Internal,
    }
}
