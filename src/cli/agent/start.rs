//! Starting the agent: a process of its own, with nothing of this one's but what it needs.

use std::ffi::OsStr;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::place;
use crate::agent::server::LINGER;
use crate::agent::{Client, ClientError, Place};
use crate::cli::error::CliError;
use crate::cli::settings::AgentSettings;

/// What the process that waits for the agent reads once it can connect.
pub const READY: &str = "ready";
/// What it reads when another agent has won.
pub const TAKEN: &str = "taken";

/// How long starting may take. It takes milliseconds, or something is wrong.
const START_TIME: Duration = Duration::from_secs(10);
/// The pause before the winner of two starters is asked again.
const PAUSE: Duration = Duration::from_millis(5);
/// What an agent that does not start may say.
const MAX_MESSAGE_LEN: u64 = 4096;

/// What the agent inherits: where its user's settings and keyring are, and how to reach the network. Everything else,
/// and tokens above all, is none of its business, and would otherwise lie in its environment for as long as it lives.
const INHERITED: [&str; 16] = [
    "HOME",
    "PATH",
    "USER",
    "LOGNAME",
    "LANG",
    "TZ",
    "TMPDIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "SSL_CERT_FILE",
    "TUF_MIRROR",
    "TUF_ROOT_JSON",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
    "ALL_PROXY",
    "all_proxy",
];
const INHERITED_PREFIXES: [&str; 6] = ["XDG_", "LC_", "GITSEAL_", "GITSIGN_", "SIGSTORE_", "RUST_"];
const INHERITED_SUFFIXES: [&str; 2] = ["_PROXY", "_proxy"];
const SECRET: [&str; 2] = ["GITSEAL_ID_TOKEN", "SIGSTORE_ID_TOKEN"];

fn is_inherited(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    !SECRET.contains(&name)
        && (INHERITED.contains(&name)
            || INHERITED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            || INHERITED_SUFFIXES.iter().any(|suffix| name.ends_with(suffix)))
}

/// Start the agent that `settings` would have, for as long as agents usually stay. One that somebody else is to start
/// is not.
///
/// # Errors
/// It does not start, or is not ours to start.
pub fn for_settings(settings: &AgentSettings) -> Result<Client, CliError> {
    match &settings.socket {
        Some(socket) => Err(ClientError::NoAgent(socket.display().to_string()).into()),
        None => start(&place(settings)?, LINGER),
    }
}

/// Start the agent in `place`, or find that somebody else has, and connect to it.
///
/// # Errors
/// It does not start.
pub fn start(place: &Place, linger: Duration) -> Result<Client, CliError> {
    let program = std::env::current_exe().map_err(|error| CliError::io("find this program", error))?;
    let said = launch(&program, place, linger)?;
    match said.trim() {
        READY | TAKEN => connect(place),
        "" => Err(failed("it ended without a word")),
        said => Err(failed(said.lines().next().unwrap_or_default().trim_start_matches("gitseal: error: "))),
    }
}

fn failed(cause: &str) -> CliError {
    CliError::AgentStart(cause.to_owned())
}

fn launch(program: &Path, place: &Place, linger: Duration) -> Result<String, CliError> {
    // What we were given beside the standard streams is not handed on: a pipe of git's, held open by an agent that lives
    // on, would keep its reader waiting. Rust closes nothing that it has not opened.
    close_fds::set_fds_cloexec_threadsafe(3, &[]);
    let mut command = Command::new(program);
    command.args(["agent", "start", "--detached", "--linger"]).arg(linger.as_secs().to_string());
    command.env_clear().envs(std::env::vars_os().filter(|(name, _)| is_inherited(name)));
    command.env("GITSEAL_AGENT_DIR", place.directory());
    let io = |error| CliError::io("start the agent", error);
    let (reader, writer) = std::io::pipe().map_err(io)?;
    command.stdin(Stdio::null()).stdout(writer.try_clone().map_err(io)?).stderr(writer);
    command.spawn().map_err(io)?;
    // With it go our own ends of the pipe.
    drop(command);
    let (sender, said) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let _ = reader.take(MAX_MESSAGE_LEN).read_to_string(&mut text);
        let _ = sender.send(text);
    });
    said.recv_timeout(START_TIME).map_err(|_| failed("it is not ready after ten seconds"))
}

/// Whoever lost the race connects to the winner's, which may still be on its way.
fn connect(place: &Place) -> Result<Client, CliError> {
    let until = Instant::now() + START_TIME;
    loop {
        match Client::connect(place) {
            Err(ClientError::NoAgent(_)) if Instant::now() < until => std::thread::sleep(PAUSE),
            connected => return Ok(connected?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_inherits_its_users_settings_and_no_secret() {
        for name in
            ["HOME", "XDG_RUNTIME_DIR", "GITSEAL_INSTANCE", "SIGSTORE_REKOR_URL", "https_proxy", "SSL_CERT_FILE"]
        {
            assert!(is_inherited(OsStr::new(name)), "{name}");
        }
        for name in [
            "SIGSTORE_ID_TOKEN",
            "GITSEAL_ID_TOKEN",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
            "GIT_DIR",
            "GIT_CONFIG_PARAMETERS",
            "GIT_CONFIG_COUNT",
            "AWS_SECRET_ACCESS_KEY",
            "LISTEN_FDS",
        ] {
            assert!(!is_inherited(OsStr::new(name)), "{name}");
        }
    }
}
