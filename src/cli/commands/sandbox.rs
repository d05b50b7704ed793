//! `gitseal sandbox`: a whole Sigstore on loopback, kept in a folder, or around one command.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};

use clap::builder::RangedI64ValueParser;
use clap::{Args, Subcommand, ValueEnum};
use jiff::SignedDuration;
use tokio::process::Child;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::agent;
use crate::cli::exit::Exit;
use crate::cli::streams::Streams;
use crate::sandbox::faults::Rule;
use crate::sandbox::{
    AGENT_DIRECTORY, DEFAULT_IDENTITY, FolderError, MAX_LIFETIME, Options, RekorVersion, Running, Sandbox, SandboxError,
};

/// What a shell answers for a command that it cannot find, and for one that it cannot run.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;
/// What a shell adds to the number of the signal that ended a command.
const SIGNALLED: i32 = 128;

/// Run a whole Sigstore on this machine, to try things out and for tests.
#[derive(Debug, Args)]
pub struct SandboxArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until interrupted.
    Serve(Serve),
    /// Run a command that finds the sandbox in its environment, then stop.
    Run(Run),
}

#[derive(Debug, Args)]
struct Serve {
    /// The folder of keys and logs; made if it is not there.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Where to listen; loopback only, and port 0 means the port of the last time.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    #[command(flatten)]
    behaviour: Behaviour,
}

#[derive(Debug, Args)]
struct Run {
    /// The folder of keys and logs; without it, a temporary one that is removed afterwards.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    behaviour: Behaviour,
    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

#[derive(Debug, Args)]
struct Behaviour {
    /// Whom the issuer vouches for: an e-mail address, or the URI of a workload.
    #[arg(long, value_name = "EMAIL", default_value = DEFAULT_IDENTITY)]
    identity: String,
    /// Which log the signing config names; 2 brings the timestamp authority with it.
    #[arg(long, value_name = "1|2", value_enum, default_value = "1")]
    rekor_version: Rekor,
    /// How long a certificate is valid, so that one may be waited out.
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = lifetime())]
    certificate_lifetime: i64,
    /// How long the identity token of a login is good for.
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = lifetime())]
    token_lifetime: i64,
    /// Misbehave: NAME[@SERVICE][=SECONDS][*TIMES]; may be given several times.
    #[arg(long = "fault", value_name = "FAULT")]
    faults: Vec<Rule>,
    /// Note every request in this file, one a line.
    #[arg(long, value_name = "FILE")]
    request_log: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Rekor {
    #[value(name = "1")]
    V1,
    #[value(name = "2")]
    V2,
}

/// A second at least, for what is over when it begins was never valid.
fn lifetime() -> RangedI64ValueParser<i64> {
    RangedI64ValueParser::new().range(1..=MAX_LIFETIME.as_secs())
}

impl Behaviour {
    fn options(self) -> Options {
        let rekor = match self.rekor_version {
            Rekor::V1 => RekorVersion::V1,
            Rekor::V2 => RekorVersion::V2,
        };
        Options {
            identity: self.identity,
            rekor,
            certificate_lifetime: SignedDuration::from_secs(self.certificate_lifetime),
            token_lifetime: SignedDuration::from_secs(self.token_lifetime),
            faults: self.faults,
            request_log: self.request_log,
            ..Options::default()
        }
    }
}

/// Why the command could not be run.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error("cannot start the sandbox: {0}")]
    Sandbox(#[from] SandboxError),
    #[error("cannot run {}: {source}", Path::new(program).display())]
    Command { program: OsString, source: io::Error },
    #[error("cannot {action}: {source}")]
    Io { action: &'static str, source: io::Error },
}

impl RunError {
    fn io(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| RunError::Io { action, source }
    }

    fn report(&self, streams: &mut Streams) -> ExitCode {
        streams.error(&self.to_string());
        match self {
            RunError::Sandbox(SandboxError::Folder(FolderError::InUse(_))) => {
                streams.hint("name another folder with --dir, or use the one that runs: its file 'env' says how");
                Exit::Usage.into()
            }
            RunError::Sandbox(SandboxError::NotLoopback(_)) => {
                streams.hint("listen on 127.0.0.1 or [::1]");
                Exit::Usage.into()
            }
            RunError::Sandbox(SandboxError::Listen { .. }) => {
                streams.hint("leave --listen out to get a free port");
                Exit::Usage.into()
            }
            RunError::Sandbox(_) => {
                streams.hint("without --dir the sandbox runs in a new temporary folder");
                Exit::Internal.into()
            }
            RunError::Command { source, .. } => {
                streams.hint("write the command after --, as in 'gitseal sandbox run -- git commit -S'");
                ExitCode::from(if source.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE })
            }
            RunError::Io { .. } => Exit::Internal.into(),
        }
    }
}

/// Run `gitseal sandbox`; for `run`, the exit code is the command's.
#[must_use]
pub fn run(arguments: SandboxArgs, streams: &mut Streams) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.map_err(RunError::io("start the runtime")).and_then(|runtime| {
        runtime.block_on(async {
            match arguments.command {
                Command::Serve(serve) => serve.run().await,
                Command::Run(run) => run.run().await,
            }
        })
    });
    outcome.unwrap_or_else(|error| error.report(streams))
}

impl Serve {
    async fn run(self) -> Result<ExitCode, RunError> {
        // Before anything is there to be left behind.
        let mut interrupt = listen_for(SignalKind::interrupt())?;
        let mut terminate = listen_for(SignalKind::terminate())?;
        let options = Options { listen: self.listen, ..self.behaviour.options() };
        let mut running = Sandbox::start(&self.dir, options).await?;
        // Whoever reads this from a pipe may have gone; the sandbox goes on.
        let _ = writeln!(io::stdout(), "{}", introduction(&running));
        tokio::select! {
            failed = running.wait() => failed.map_err(RunError::io("serve"))?,
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        agent::end(&self.dir.join(AGENT_DIRECTORY));
        Ok(Exit::Good.into())
    }
}

fn introduction(running: &Running) -> String {
    let dir = running.dir().display();
    format!(
        "sandbox           {url}\n\
         OIDC issuer       {issuer}\n\
         token             {url}/token?identity=EMAIL\n\
         Fulcio, Rekor     {url}\n\
         timestamps        {tsa}\n\
         TUF repository    {tuf}\n\
         faults            {url}/sandbox/faults\n\
         trusted root      {dir}/trusted_root.json\n\
         signing config    {dir}/signing_config.json\n\
         for a shell       . {dir}/env
         as an instance    gitseal instance add sandbox --tuf {tuf} --root {dir}/tuf-root.json",
        url = running.url(),
        issuer = running.issuer(),
        tsa = running.timestamp_url(),
        tuf = running.tuf_url(),
    )
}

impl Run {
    async fn run(self) -> Result<ExitCode, RunError> {
        let mut signals = Signals::listen()?;
        let (dir, temporary) = match self.dir {
            Some(dir) => (dir, None),
            None => {
                let made = tempfile::Builder::new().prefix("gitseal-sandbox-").tempdir();
                let made = made.map_err(RunError::io("make a temporary folder"))?;
                (made.path().to_owned(), Some(made))
            }
        };
        let running = Sandbox::start(&dir, self.behaviour.options()).await?;
        let outcome = match spawn(&self.command, &running) {
            Ok(mut child) => signals.wait_for(&mut child).await.map_err(RunError::io("wait for the command")),
            Err(error) => Err(error),
        };
        agent::end(&dir.join(AGENT_DIRECTORY));
        drop(running);
        if let Some(temporary) = temporary {
            temporary.close().map_err(RunError::io("remove the temporary folder"))?;
        }
        Ok(exit_code(outcome?))
    }
}

fn spawn(command: &[OsString], running: &Running) -> Result<Child, RunError> {
    let (program, arguments) = command.split_first().expect("clap requires a command");
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).env("SIGSTORE_ID_TOKEN", running.session_token());
    // A daemon of the real gitsign would sign with a credential of the real Sigstore.
    command.env_remove("GITSIGN_CREDENTIAL_CACHE");
    command.envs(running.variables().iter().map(|variable| (variable.name, &variable.value)));
    command.spawn().map_err(|source| RunError::Command { program: program.clone(), source })
}

/// The signals that would end this process before it has cleaned up.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    quit: Signal,
}

impl Signals {
    fn listen() -> Result<Self, RunError> {
        Ok(Signals {
            interrupt: listen_for(SignalKind::interrupt())?,
            terminate: listen_for(SignalKind::terminate())?,
            hang_up: listen_for(SignalKind::hangup())?,
            quit: listen_for(SignalKind::quit())?,
        })
    }

    /// Wait for the child. What the terminal sends reaches the child as well, so the first interrupt is left to it.
    async fn wait_for(&mut self, child: &mut Child) -> io::Result<ExitStatus> {
        let mut interrupted = false;
        loop {
            let passed_on = tokio::select! {
                status = child.wait() => return status,
                _ = self.interrupt.recv() => std::mem::replace(&mut interrupted, true),
                _ = self.terminate.recv() => true,
                _ = self.hang_up.recv() => true,
                _ = self.quit.recv() => false,
            };
            if passed_on {
                terminate(child);
            }
        }
    }
}

fn listen_for(kind: SignalKind) -> Result<Signal, RunError> {
    signal(kind).map_err(RunError::io("listen for signals"))
}

fn terminate(child: &Child) {
    let pid = child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()));
    if let Some(pid) = pid {
        // The child may have ended by itself in this moment.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| SIGNALLED + signal));
    code.and_then(|code| u8::try_from(code).ok()).map_or(Exit::Internal.into(), ExitCode::from)
}
