//! The agent's process: takes its place, hardens itself, and says what instances mean by its user's own settings.

use std::io::{self, Write as _};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use listenfd::ListenFd;
use rustix::fs::Mode;

use super::start::{READY, TAKEN};
use super::{digest_of, place};
use crate::agent::protocol::{Code, Complaint};
use crate::agent::server::Relogin;
use crate::agent::{Definition, Door, Place, PlaceError, Server, hardening};
use crate::cli::error::CliError;
use crate::cli::instance::services;
use crate::cli::login::remembered::Account;
use crate::cli::settings::{Selected, Settings};
use crate::cli::streams::Streams;
use crate::cli::world;
use crate::trust::{Instance, InstanceName};

/// How the agent's process relates to the one that started it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ties {
    /// It is watched: by a person, or by systemd or launchd.
    Watched,
    /// It goes its own way: a session of its own, and nothing said after it is ready.
    Detached,
}

/// Be the agent, until it ends.
///
/// # Errors
/// There is one already, its place cannot be used, or the system gives no sockets.
pub fn run(settings: &Settings, linger: Duration, ties: Ties) -> Result<(), CliError> {
    let weaknesses = hardening::harden();
    if ties == Ties::Detached {
        // Ctrl-C in the terminal of whoever started it is not meant for it. It fails for the leader of a group alone.
        let _ = rustix::process::setsid();
        std::env::set_current_dir("/").map_err(|error| CliError::io("leave the current directory", error))?;
    }
    let place = place(&settings.agent)?;
    let mut taken = match place.take() {
        Ok(taken) => taken,
        Err(error @ PlaceError::Taken(_)) => {
            if ties == Ties::Detached {
                say(TAKEN)?;
                return Ok(());
            }
            return Err(error.into());
        }
        Err(error) => return Err(error.into()),
    };
    let sockets = match activated(taken.place())? {
        Some(local) => [local, taken.listen_for_forwarded()?],
        None => taken.listen()?,
    };
    // What it may have to write, such as renewed documents, concerns nobody else.
    rustix::process::umask(Mode::from_raw_mode(0o077));
    let server = Server::new(Arc::new(definition), &Timestamp::now, linger, weaknesses);
    let ready = move || {
        say(READY).map_err(|error| io::Error::other(error.to_string()))?;
        if ties == Ties::Detached {
            let nowhere = std::fs::File::options().read(true).write(true).open("/dev/null")?;
            rustix::stdio::dup2_stdout(&nowhere)?;
            rustix::stdio::dup2_stderr(&nowhere)?;
        }
        Ok(())
    };
    server.run(sockets, ready).map_err(|error| CliError::io("run the agent", error))?;
    drop(taken);
    Ok(())
}

fn say(word: &str) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{word}").and_then(|()| stdout.flush()).map_err(|error| CliError::io("write to stdout", error))
}

/// The socket that systemd or launchd has opened for us, if it has. It must be the one that clients look for.
fn activated(place: &Place) -> Result<Option<UnixListener>, CliError> {
    let mut handed = ListenFd::from_env();
    if handed.len() == 0 {
        return Ok(None);
    }
    let socket = handed.take_unix_listener(0).map_err(|error| CliError::io("take the socket handed over", error))?;
    let Some(socket) = socket.filter(|_| handed.len() == 1) else {
        return Err(CliError::Usage {
            problem: format!("{} sockets were handed over; the agent takes one", handed.len()),
            hint: "see scripts/systemd/gitseal-agent.socket for how to hand over that one".into(),
        });
    };
    let address = socket.local_addr().map_err(|error| CliError::io("look at the socket handed over", error))?;
    if address.as_pathname() != Some(&place.socket()) {
        let found = address.as_pathname().map(|path| path.display().to_string()).unwrap_or_default();
        return Err(CliError::Usage {
            problem: format!("the socket handed over is '{found}', and clients look for {}", place.socket().display()),
            hint: "let ListenStream name that one, or set GITSEAL_AGENT_DIR for both".into(),
        });
    }
    Ok(Some(socket))
}

/// What `name` means by the settings of this user outside any repository, read anew each time.
fn definition(name: &InstanceName, rekor_version: Option<u32>, door: Door) -> Result<Definition, Complaint> {
    let unusable = |error: CliError| {
        let hint = error.hint().unwrap_or_else(|| "'gitseal doctor' looks at the whole setup".to_owned());
        Complaint::new(Code::Instance, error.to_string(), hint)
    };
    let (settings, _) = world::settings(None).map_err(unusable)?;
    // Before anything is looked up: another machine makes this one fetch nothing, and learns nothing about an instance
    // that is not meant for it, not even that there is none.
    let may_be_forwarded = settings.agent.forward_instances.iter().any(|allowed| allowed == name.as_str());
    if door == Door::Forwarded && !may_be_forwarded {
        return Err(Complaint::not_forwarded(name));
    }
    define(settings, name, rekor_version, may_be_forwarded).map_err(unusable)
}

fn define(
    mut settings: Settings,
    name: &InstanceName,
    rekor_version: Option<u32>,
    may_be_forwarded: bool,
) -> Result<Definition, CliError> {
    if settings.instance_name() != *name {
        settings.instance = Some(Selected { name: name.clone(), by: "the agent's client".to_owned(), scope: None });
    }
    settings.rekor_version = rekor_version;
    // Whoever watches a detached agent's stderr sees nothing, and the next signature tries again.
    services::renew(&settings, &mut Streams::stderr())?;
    let instance = services::instance(&settings)?;
    Ok(Definition {
        settings: digest_of(&settings),
        server_roots: settings.server_roots(),
        may_be_forwarded,
        relogin: relogin(settings, &instance),
        instance,
    })
}

/// How a remembered login is used, where logins are.
fn relogin(settings: Settings, instance: &Instance) -> Option<Arc<Relogin>> {
    let issuer = instance.issuer.clone().filter(|_| settings.login.remember)?;
    let client_id = instance.client_id.clone();
    Some(Arc::new(move |subject| {
        // One that is kept for this person alone comes before one that is kept for whoever logs in.
        let theirs = Settings { identity: Some(subject.to_owned()), ..settings.clone() };
        let renewed = |settings: &Settings| {
            let account = Account { settings, issuer: &issuer, client_id: &client_id };
            account.renew(&mut Streams::stderr()).ok().flatten()
        };
        renewed(&theirs).or_else(|| renewed(&settings))
    }))
}
